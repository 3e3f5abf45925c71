// Domain names between Unicode and the ASCII form of RFC 3492 and RFC 5890, label by label, without mapping or
// validation: the leak scan only has to recognise the other way of writing the same name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace entente::agreement::internal {

[[nodiscard]] std::optional<std::string> to_punycode(
    std::string_view name);  // UTF-8 in; nullopt if malformed or nothing to do
[[nodiscard]] std::optional<std::string> from_punycode(std::string_view name);  // nullopt if no label begins with xn--

}  // namespace entente::agreement::internal
