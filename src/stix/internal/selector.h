// Selectors of granular markings (STIX 2.1 §7.2.3.1): names and [n], joined by dots.
#pragma once

#include <string_view>

#include "json/json.h"

namespace entente::stix::internal {

[[nodiscard]] bool is_selector(std::string_view text);

// Whether the selector leads to something in the object. Requires: is_selector(text).
[[nodiscard]] bool selects(const json::Value& object, std::string_view text);

}  // namespace entente::stix::internal
