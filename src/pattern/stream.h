// Many patterns over a stream of observations. Patterns come and go by id; an observation costs by what it has, not by
// how many patterns there are. A pattern of one bracket matches every observation that fits. A pattern of several keeps
// the observations that fit some bracket of it until WITHIN can no longer reach them; when a binding is complete it is
// reported, and the observed-data in it are used up. What is reported is what Matcher finds over the same data.
//
// Observations may come in any order within `lateness`. Memory is bounded for each pattern. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "pattern/evaluate.h"
#include "pattern/observation.h"
#include "pattern/symbols.h"

namespace entente::pattern {

struct StreamOptions {
  // How far behind the latest `first` an observation may come and still be bound to what was before it.
  Nanos lateness = static_cast<Nanos>(60) * 1'000'000'000;
  size_t max_kept = 1024;         // observations kept for one pattern; over it the oldest is dropped
  uint64_t max_work = 1'000'000;  // units of work for one pattern and one observation (MatchOptions)
};

struct StreamMatch {
  uint64_t pattern = 0;            // the id it was added with
  std::vector<uint64_t> observed;  // numbers of observations, ascending: 0 is the first that was pushed
};

struct StreamStats {
  uint64_t observations = 0;
  uint64_t matches = 0;
  uint64_t late = 0;       // came later than `lateness`; they are matched, but what they belong to may be gone
  uint64_t dropped = 0;    // kept observations given up because of max_kept: bindings may have been missed
  uint64_t undecided = 0;  // limit of work reached
  size_t patterns = 0;
  size_t kept = 0;        // observations kept, over all patterns
  size_t unanchored = 0;  // brackets that no value anchors: evaluated for every object of their types
};

class PatternStream {
 public:
  explicit PatternStream(const StreamOptions& options = {});
  ~PatternStream();
  PatternStream(PatternStream&&) noexcept;
  PatternStream& operator=(PatternStream&&) noexcept;

  // kConflict: the id is taken. kInvalid: a regular expression that is none. kTooLarge: one match of it would need more
  // observations than are kept.
  Status add(uint64_t id, const Pattern& pattern);
  Status add(uint64_t id, const Matcher& matcher);
  bool remove(uint64_t id);

  // Names to read observations with: Observations({.only = &stream.symbols()}). Grows when patterns are added; stays
  // where it is.
  [[nodiscard]] const Symbols& symbols() const;

  // Every observed-data of `data`, in its order; matches are appended. Returns the number of the first one.
  // Requires: read with symbols(), after the patterns were added; finish() was called.
  uint64_t push(const Observations& data, std::vector<StreamMatch>& out);

  // What push() would do with an observation by itself, without doing it: appends the patterns of one bracket that it
  // matches. Returns true if some other pattern would keep it. So that observations of several inputs can be looked at
  // apart and only those that matter be brought into the order of time.
  bool look(const Observations& data, const Observed& observed, std::vector<uint64_t>& single);

  [[nodiscard]] const StreamStats& stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::pattern
