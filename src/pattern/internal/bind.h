// Is there a binding (STIX 2.1 §9.1, §9.5): distinct observations for every part of the plan, in an order that the
// times allow? Found without enumerating bindings:
//
//  1. A choice for each OR of compound parts, depth first; a part still open counts as one observation of any of its
//     brackets.
//  2. What is left is a list of groups, each needing some observations of one bracket, and of conditions on times:
//     FOLLOWEDBY is "latest first of these <= earliest last of those", WITHIN "latest first - earliest last < d". Given
//     one threshold for each condition (the earliest last), every condition is a bound on each observation alone, and
//     the rest is a flow (assign.h).
//  3. Thresholds are not enumerated either: a flow that ignores them is tested; if it breaks a condition, the threshold
//     lies on one side or the other of where it does. Each side is narrower, and a side without flow is left at once.
//
// Exact. Packing observations into groups with conditions of time is a hard problem in general, so the work is bounded,
// and running out of it is not "no". The times of one observation are chosen for each condition apart, as the reference
// matcher does (§9.5 leaves it open).
#pragma once

#include <span>
#include <vector>

#include "pattern/internal/plan.h"
#include "pattern/internal/work.h"
#include "pattern/outcome.h"

namespace entente::pattern {

struct Candidate {
  Nanos first = 0, last = 0;
  uint64_t count = 1;  // number_observed
};

struct Binding {
  Outcome outcome = Outcome::kNo;
  std::vector<Bound> bound;  // kMatched: ascending
};

// by_leaf: for each leaf of the plan the candidates that fit it (windows too), ascending.
[[nodiscard]] Binding bind(const Plan& plan, std::span<const Candidate> candidates,
                           std::span<const std::vector<uint32_t>> by_leaf, Work& work);

}  // namespace entente::pattern
