// The answer of an evaluation.
#pragma once

#include <cstdint>
#include <vector>

namespace entente::pattern {

enum class Outcome : uint8_t {
  kNo,
  kMatched,
  kLimit,  // not decided within the work allowed
};

// One observation of a binding: index into what was given, and how often it serves (number_observed allows that).
struct Bound {
  uint32_t observation = 0;
  uint64_t times = 1;
  bool operator==(const Bound&) const = default;
};

}  // namespace entente::pattern
