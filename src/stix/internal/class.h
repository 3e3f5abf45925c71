// Which class of the standard a type belongs to.
#pragma once

#include <optional>
#include <string_view>

#include "stix/object.h"

namespace entente::stix::internal {

// nullopt for types that STIX 2.1 does not define.
[[nodiscard]] std::optional<Class> class_of(std::string_view type);

}  // namespace entente::stix::internal
