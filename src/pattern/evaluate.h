// Does a pattern match (STIX 2.1 §9)? Conformance level 3 (§12.7): every comparison operator, AND, OR, FOLLOWEDBY and
// all qualifiers. docs/pattern.md says what is decided where the standard leaves it open.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "pattern/observation.h"
#include "pattern/outcome.h"
#include "pattern/pattern.h"

namespace entente::pattern {

struct Program;

struct MatchOptions {
  // Units of work, some nanoseconds each, before the answer is kLimit. Everything a pattern or data can make expensive
  // is counted; equal input gives equal answers.
  uint64_t max_work = 50'000'000;
};

struct MatchResult {
  Outcome outcome = Outcome::kNo;
  // kMatched: one binding, the observed-data by index into Observations::all() and how often each serves.
  std::vector<Bound> witness;
};

// A pattern ready to be evaluated. Cheap to copy; thread-safe.
class Matcher {
 public:
  // kInvalid: a regular expression that is none; where is line:column of the constant, as in Pattern::parse.
  static Result<Matcher> compile(const Pattern& pattern);

  [[nodiscard]] MatchResult match(const Observations& data, const MatchOptions& options = {}) const;

  // One bracket, once, without a qualifier that asks for its time: one observation decides.
  [[nodiscard]] bool single() const;

  [[nodiscard]] const std::shared_ptr<const Program>& shared_program() const { return program_; }

 private:
  explicit Matcher(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

// What Matcher::match says of each, found together: an observation is looked at once, by what it has. Much faster than
// one after the other where there are many patterns.
[[nodiscard]] std::vector<MatchResult> match_all(std::span<const Matcher> matchers, const Observations& data,
                                                 const MatchOptions& options = {});

}  // namespace entente::pattern
