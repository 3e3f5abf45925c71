// What a sensor saw, kept for days, so that an indicator that comes later is answered from the past: for each value and
// stretch of time how often, when first and last, and a few flows. Compact and bounded in time and size; format:
// docs/format/history.md.
//
// New values are gathered in memory and written to a journal by flush(); when there are enough of them they become a
// segment, which never changes again: values sorted and packed in blocks (zstd), with a Bloom filter before them. A
// question costs a few memory accesses per segment and value. Killed at any moment it loses what was added since the
// last flush(); what is damaged on disk is passed over and said. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/time.h"
#include "detect/observable.h"
#include "pattern/pattern.h"

namespace entente::detect {

struct HistoryOptions {
  int64_t keep_us = int64_t{30} * 86'400 * 1'000'000;
  uint64_t max_bytes = uint64_t{8} << 30;  // on disk; the oldest go first
  size_t segment_values = 1 << 18;         // different values in one segment, and so in memory
  uint64_t segment_seen = 1'000'000;       // values seen, however often the same
  bool map = true;                         // segments are mapped; false: read through `files` (tests)
  bool write = true;                       // false: another process writes; nothing is changed here
};

struct PastSight {
  Time time;
  std::string src, dst;  // of the flow; "" where not known
};
struct PastHit {
  uint32_t number = 0;  // of what was asked for
  ObservableKind kind = ObservableKind::kIpv4;
  std::string value;  // in normal form
  uint64_t count = 0;
  Time first, last;
  std::vector<PastSight> sights;  // the first few of each segment, by time; at most kMaxSights
  static constexpr size_t kMaxSights = 32;
};

class History {
 public:
  // Makes the folder. kIo: it cannot be used. Damaged segments are left where they are and counted.
  static Result<std::unique_ptr<History>> open(std::string folder, Files& files, const HistoryOptions& options = {});
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // Of a URL its host is added as well. What is no value of its kind is passed over.
  void add(Time time, ObservableKind kind, std::string_view text, std::string_view src = {}, std::string_view dst = {});
  // To be called about once a second: what was added becomes durable; full segments are written; what is too old or too
  // much goes, one segment at a time, so that a clock that jumps does not empty it. A failure (full disk) is returned
  // and what could not be written is kept, up to twice a segment; then values are lost and counted.
  Status flush(Time now);

  struct Question {
    uint32_t number;
    pattern::Atom atom;
  };
  // What was seen at `since` or later, by number and value. Segments that go away meanwhile are still read.
  [[nodiscard]] std::vector<PastHit> find(std::span<const Question> questions, Time since = {}) const;

  struct Stats {
    uint64_t seen = 0;    // values added and kept, however often the same, over all segments
    uint64_t values = 0;  // different ones, per segment
    uint64_t bytes = 0;   // on disk
    uint64_t segments = 0;
    uint64_t lost = 0;     // values that could not be kept since open()
    uint64_t damaged = 0;  // segments and journals that could not be read in full
    Time from{INT64_MAX}, to;
  };
  [[nodiscard]] Stats stats() const;

 private:
  struct State;
  explicit History(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace entente::detect
