// Translations beside their original (STIX 2.1 §7.1).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "json/json.h"

namespace entente::stix::internal {

// Calls `report(pointer, message)` for every place of the language-content object where the translation has not the
// shape of the original: text for text, lists of equal length, objects for objects. Properties that the original lacks
// are passed over, as the standard wants.
using ReportShape = std::function<void(std::string, std::string)>;
void compare_shape(const json::Value& language_content, const json::Value& original, const ReportShape& report);

}  // namespace entente::stix::internal
