// The properties that the deterministic id of an observable is made of (STIX 2.1 §2.9, §6).
#pragma once

#include "json/json.h"

namespace entente::stix::internal {

// Whether the object has one of them. Cheap: makes no id.
[[nodiscard]] bool has_contributing(const json::Value& sco);

}  // namespace entente::stix::internal
