// The temporal part of a pattern: which brackets have to be bound how often and in which order. START … STOP has become
// windows of the brackets below it: it constrains every observation for itself (§9.5).
#pragma once

#include <cstdint>
#include <vector>

#include "pattern/internal/ast.h"
#include "pattern/observation.h"

namespace entente::pattern {

struct Window {
  Nanos start, stop;  // an observation has a time t with start <= t < stop
  bool operator==(const Window&) const = default;
};

struct PlanNode {
  enum class Kind : uint8_t { kLeaf, kAll, kAny, kSequence, kWithin, kRepeat };
  Kind kind = Kind::kLeaf;
  uint32_t leaf = 0;               // kLeaf
  Nanos duration = 0;              // kWithin
  uint64_t times = 1;              // kRepeat
  std::vector<uint32_t> children;  // the others; kWithin and kRepeat: one
};

struct Leaf {
  uint32_t bracket = 0;
  std::vector<Window> windows;
  bool operator==(const Leaf&) const = default;
};

struct Plan {
  std::vector<PlanNode> nodes;
  std::vector<Leaf> leaves;
  uint32_t root = 0;
  // One bracket, once, without a window: the first observation that fits is the answer.
  bool single = false;
};

// The brackets are numbered as the tree has them, from left to right.
[[nodiscard]] Plan make_plan(const Ast& ast);

// An observation fits a leaf's windows.
[[nodiscard]] bool in_windows(const Leaf& leaf, Nanos first, Nanos last);

// How far apart the observations of one binding can be: latest `first` minus earliest `last` is below it. kAlways if
// nothing bounds it.
[[nodiscard]] Nanos horizon(const Plan& plan);

// The least number of observations that a binding has; capped at 2^62.
[[nodiscard]] uint64_t least(const Plan& plan);

}  // namespace entente::pattern
