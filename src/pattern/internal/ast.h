// The tree of a pattern. Sequences of one operator are one node with many children; a redundant pair of parentheses
// leaves no trace, one that changes what is nested does. So print() and parse() are inverse to each other on trees.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stix/timestamp.h"

namespace entente::pattern {

struct Constant {
  enum class Kind : uint8_t { kInteger, kFloat, kString, kBoolean, kTimestamp, kHex, kBinary };
  Kind kind = Kind::kString;
  std::string text;  // string: unescaped; timestamp: as written; hex and binary: the octets
  int64_t integer = 0;
  double real = 0;
  bool boolean = false;
  stix::Timestamp time;
  bool operator==(const Constant&) const = default;
};

struct Step {
  enum class Kind : uint8_t { kKey, kIndex, kAny };  // .key  [3]  [*]
  Kind kind = Kind::kKey;
  std::string key;
  int64_t index = 0;
  bool operator==(const Step&) const = default;
};

struct Path {
  std::string type;
  std::vector<Step> steps;  // never empty; the first one is a key
  bool operator==(const Path&) const = default;
};

enum class Op : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kLike,
  kMatches,
  kIsSubset,
  kIsSuperset,
  kExists,
};

// Where something stood in the text; not part of what two trees are compared by.
struct Place {
  uint32_t at = 0;
  bool operator==(const Place&) const { return true; }
};

struct Test {
  Path path;
  Op op = Op::kEqual;
  bool negated = false;
  std::vector<Constant> constants;  // kExists: none; kIn: any number; else one
  Place place;                      // kMatches: of the constant
  bool operator==(const Test&) const = default;
};

// What stands in one pair of brackets.
struct Comparison {
  enum class Kind : uint8_t { kTest, kAnd, kOr };
  Kind kind = Kind::kTest;
  Test test;                         // kTest
  std::vector<Comparison> children;  // else, two or more
  bool operator==(const Comparison&) const = default;
};

struct Qualifier {
  enum class Kind : uint8_t { kWithin, kRepeats, kStartStop };
  Kind kind = Kind::kWithin;
  Constant first;   // WITHIN: integer or float > 0; REPEATS: integer >= 1; START: timestamp
  Constant second;  // STOP
  bool operator==(const Qualifier&) const = default;
};

struct Observation {
  // kGroup is a parenthesis around something that has qualifiers of its own, to give it more: ([a] REPEATS 2 TIMES)
  // WITHIN 5 SECONDS.
  enum class Kind : uint8_t { kBracket, kAnd, kOr, kFollowedBy, kGroup };
  Kind kind = Kind::kBracket;
  Comparison comparison;              // kBracket
  std::vector<Observation> children;  // kGroup: one; else two or more
  std::vector<Qualifier> qualifiers;  // in the order written
  bool operator==(const Observation&) const = default;
};

struct Ast {
  Observation root;
  std::vector<std::string> warnings;  // accepted though the standard does not allow it
  std::string source;                 // the text, kept only if there is a MATCHES whose expression may be wrong
  bool operator==(const Ast& other) const { return root == other.root; }
};

[[nodiscard]] std::string print(const Ast& ast);
[[nodiscard]] std::string print(const Path& path);
[[nodiscard]] bool is_keyword(std::string_view word);

}  // namespace entente::pattern
