// Are two patterns the same, where that is cheap to say? A normal form: brackets as OR of ANDs of tests without what is
// redundant, sets as OR, commutative parts in one order, constants in one spelling, repetitions counted. Equal normal
// forms match the same observations (STIX 2.1 §9); different ones may do so as well. Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "pattern/pattern.h"

namespace entente::pattern {

// nullopt: it would be too large (more than 256 alternatives in one bracket).
[[nodiscard]] std::optional<std::string> normal_form(const Pattern& pattern);

// false: different, or not known.
[[nodiscard]] bool surely_equal(const Pattern& a, const Pattern& b);

}  // namespace entente::pattern
