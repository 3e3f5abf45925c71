// The values that large lists are made of, recognised without parsing a pattern: addresses, digests, names in lower
// case, URLs, e-mail addresses. A list of ten million is read in seconds this way; whatever is not so plain goes the
// long way (pattern_of_value()), which gives the same where both know the value (load_test.cc).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pattern/pattern.h"

namespace entente::detect {

struct Listed {
  pattern::AtomKind kind;
  std::string_view value;  // in normal form; lives in what was given or in `scratch`
};
[[nodiscard]] std::optional<Listed> plain_value(std::string_view given, std::string& scratch);

}  // namespace entente::detect
