// Doubles as ECMAScript prints them (ECMA-262 Number::toString, which RFC 8785 §3.2.2.3 demands): shortest digits that
// read back the same.
#pragma once

#include <string>

namespace entente::json {

// Requires: finite; asserted. Not finite prints null.
void append_double(std::string& out, double d);

}  // namespace entente::json
