// One segment of a history (docs/format/history.md): values in ascending order, packed in blocks; immutable.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "detect/history.h"

namespace entente::detect {

// A value as octets whose order makes blocks of addresses, and all names below a name, neighbours. Empty: none.
[[nodiscard]] std::string history_key(ObservableKind kind, std::string_view text);
// What an atom asks for: [from, to), or from alone if `to` is empty.
struct HistoryRange {
  std::string from, to;
  // Of a range: a segment in which no value begins with one of these has none in it. Empty: not to be told so.
  std::vector<std::string> prefixes = {};
};
[[nodiscard]] std::vector<HistoryRange> history_ranges(const pattern::Atom& atom);
[[nodiscard]] ObservableKind kind_of_key(std::string_view key);
[[nodiscard]] std::string text_of_key(std::string_view key);

struct HistoryEntry {
  static constexpr size_t kMaxSights = 4;
  uint64_t count = 0;
  int64_t first = 0, last = 0;
  std::vector<PastSight> sights;  // the first ones, in order of arrival
  void add(Time time, std::string_view src, std::string_view dst);
};
using HistoryTable = std::map<std::string, HistoryEntry, std::less<>>;

[[nodiscard]] std::string write_segment(const std::vector<std::pair<std::string_view, const HistoryEntry*>>& sorted);

class HistorySegment {
 public:
  // kInvalid: damaged.
  static Result<std::shared_ptr<const HistorySegment>> open(const std::string& path, Files& files, bool map);
  ~HistorySegment();
  HistorySegment(const HistorySegment&) = delete;
  HistorySegment& operator=(const HistorySegment&) = delete;

  using Fn = std::function<void(std::string_view key, const HistoryEntry& entry)>;
  // False: a block is damaged; the others were read.
  bool find(const HistoryRange& range, const Fn& fn) const;
  // Many questions, of which the answers come by number: the memory that they need is sent for ahead.
  void find_all(std::span<const HistoryRange> ranges,
                const std::function<void(size_t number, std::string_view key, const HistoryEntry& entry)>& fn) const;

  [[nodiscard]] Time from() const { return from_; }
  [[nodiscard]] Time to() const { return to_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_.size(); }
  [[nodiscard]] uint64_t values() const { return values_; }
  [[nodiscard]] uint64_t seen() const { return seen_; }

 private:
  HistorySegment() = default;
  Status read(const std::string& path);
  bool block(size_t i, const HistoryRange& range, const Fn& fn) const;
  [[nodiscard]] const char* words_of(uint64_t hash) const;  // of the filter
  [[nodiscard]] bool maybe(uint64_t hash) const;
  [[nodiscard]] bool may_hold(const HistoryRange& range) const;

  struct Block {
    std::string_view first;  // key
    uint64_t at = 0;
    uint32_t size = 0, plain = 0;
  };
  std::string owned_;
  std::string_view bytes_;
  void* mapped_ = nullptr;
  std::vector<Block> blocks_;
  bool prefixes_ = false;  // the filter knows them
  uint64_t bloom_at_ = 0, bloom_count_ = 0, seed_ = 0, values_ = 0, seen_ = 0;
  Time from_, to_;
};

}  // namespace entente::detect
