// The comparisons of simple patterns, for those who turn patterns into another form.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pattern/pattern.h"

namespace entente::pattern {

struct Equality {
  std::string path;     // canonical text: "file:hashes.'SHA-256'"
  std::string value;    // as text: a string without quotes and escapes, a number, true or false, a timestamp as written
  bool subset = false;  // ISSUBSET instead of =
};

struct Equalities {
  std::vector<Equality> tests;  // in the order of the text
  // How they are joined; both for a single one, neither for a mixture.
  bool any = false;  // each by itself makes the pattern match
  bool all = false;  // all of them together, of one observation
};

// nullopt for patterns with anything else: qualifiers, NOT, other operators, several observations joined by AND or
// FOLLOWEDBY, hexadecimal and binary constants.
[[nodiscard]] std::optional<Equalities> equalities(const Pattern& pattern);

}  // namespace entente::pattern
