// What a signature of an act is over (docs/format/acts.md, "Signatures").
#pragma once

#include <string>
#include <string_view>

namespace entente::agreement::internal {

[[nodiscard]] std::string protected_header(std::string_view kid);
[[nodiscard]] std::string signing_input(std::string_view jws_protected, std::string_view payload);

}  // namespace entente::agreement::internal
