// Finds the place where a text stops being JSON. simdjson says that, not where; this slow second look runs only for
// refused texts.
#pragma once

#include <string_view>

#include "base/result.h"

namespace entente::json {

// The first fault of `text` with line:column (both from 1, columns in octets). Never succeeds: a text without a visible
// fault gets a general error. Iterative; memory grows by a bit per level up to max_depth.
[[nodiscard]] Error locate_fault(std::string_view text, int max_depth);

}  // namespace entente::json
