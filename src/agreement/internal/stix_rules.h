// What STIX 2.1 demands of the standard types, as far as redaction must know it: which properties may be left out.
#pragma once

#include <string_view>

namespace entente::agreement::internal {

[[nodiscard]] bool is_standard_type(std::string_view type);
[[nodiscard]] bool is_sco_type(std::string_view type);
// Types of others may be observables: what observed-data has to name, one at least (STIX 2.1 §4.14).
[[nodiscard]] bool may_be_observable(std::string_view type);

// May this top-level property be taken out without making the object invalid or changing what it claims (valid_until,
// revoked)? False for every property of types that the standard does not define.
[[nodiscard]] bool is_removable(std::string_view type, std::string_view property);

// A word of the standard itself (a type or a property): never a secret, however a withheld object may be named.
[[nodiscard]] bool is_standard_word(std::string_view lower_case);

}  // namespace entente::agreement::internal
