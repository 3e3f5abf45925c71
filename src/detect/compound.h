// Indicators whose pattern no single value decides: AND, FOLLOWEDBY, WITHIN, REPEATS, LIKE, MATCHES, NOT, comparisons
// of ports and the like. Their anchors are looked up in the index like plain indicators; a record that shows one
// becomes an observation (record.h), and what patterns ask for is evaluated over such observations only
// (pattern/stream.h).
//
// A pattern of one bracket matches a record. A pattern of several matches when the last record of a binding is there,
// and is then looked for anew without those records. Hunts over files bring the records of all inputs into the order of
// time first. Everything is bounded; what was given up is counted and said.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "detect/index.h"
#include "detect/record.h"
#include "pattern/evaluate.h"
#include "pattern/stream.h"

namespace entente::detect {

struct HuntMatch;

struct Compound {
  Indicator indicator;
  pattern::Matcher matcher;  // of the normalised pattern
  bool anchored = false;
};

// A pattern as a compound: ready to be evaluated, and what its records show. kInvalid: no record ever fits it, or a
// regular expression that is none. No anchors: it has to be evaluated for every record.
struct Prepared {
  pattern::Matcher matcher;
  std::vector<pattern::Atom> anchors;
  std::string unanchored;  // why there are none
};
[[nodiscard]] Result<Prepared> prepare(const pattern::Pattern& pattern);

// A set for hunts. Immutable once filled.
class Compounds {
 public:
  // Patterns without anchors: each costs every record.
  static constexpr size_t kMaxUnanchored = 64;

  // Returns the anchors, for the index, where the row gets tag() as its tag; empty if it has none. kTooLarge: there are
  // kMaxUnanchored without anchors already.
  Result<std::vector<pattern::Atom>> add(const Indicator& indicator, const pattern::Pattern& pattern);
  [[nodiscard]] uint32_t tag() const { return static_cast<uint32_t>(all_.size()); }  // of the one added last: from 1

  [[nodiscard]] size_t size() const { return all_.size(); }
  [[nodiscard]] size_t unanchored() const { return unanchored_; }
  [[nodiscard]] const Compound& at(uint32_t tag) const { return all_[tag - 1]; }

 private:
  std::vector<Compound> all_;
  size_t unanchored_ = 0;
};

// An anchor as it was seen in a record.
struct Shown {
  uint32_t tag = 0;  // of the compound
  ObservableKind kind = ObservableKind::kIpv4;
  std::string value, field;
};

// Where a record stood.
struct RecordPlace {
  std::string_view source;
  uint64_t number = 0;
  std::optional<Time> time;
};

struct BinderOptions {
  // Records are kept until finish(), for the order of time, up to so many octets; over it the older half goes first. 0:
  // they are bound as they come, which is for logs that are followed.
  size_t max_bytes = size_t{256} << 20;
  pattern::StreamOptions stream = {};
};

// Patterns of several brackets, over the records of all inputs. Thread-safe.
class Binder {
 public:
  using Sink = std::function<void(const HuntMatch&)>;
  Binder(const Compounds& compounds, Sink sink, const BinderOptions& options = {});
  ~Binder();
  Binder(const Binder&) = delete;
  Binder& operator=(const Binder&) = delete;

  void take(const Record& record, const RecordPlace& place, const std::vector<Shown>& shown);
  void finish();

  [[nodiscard]] uint64_t matches() const;
  [[nodiscard]] size_t memory_bytes() const;             // of the records that wait, now
  [[nodiscard]] std::vector<std::string> notes() const;  // what was given up, one sentence each

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The records of one thread: patterns of one bracket are told at once, what others need goes to the binder.
class RecordScan {
 public:
  RecordScan(const Compounds& compounds, Binder& binder);
  ~RecordScan();
  RecordScan(const RecordScan&) = delete;
  RecordScan& operator=(const RecordScan&) = delete;

  // Must every record be looked at, or only those with an anchor?
  [[nodiscard]] bool every() const { return compounds_.unanchored() > 0; }
  // Returns the number of matches told to `sink`.
  uint64_t look(const Record& record, const RecordPlace& place, const std::vector<Shown>& shown,
                const std::function<void(const HuntMatch&)>& sink);

 private:
  const Compounds& compounds_;
  Binder& binder_;
  pattern::PatternStream stream_;
  std::unique_ptr<pattern::Observations> data_;
  std::vector<uint64_t> single_;
};

}  // namespace entente::detect
