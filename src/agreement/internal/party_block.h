// One party with its keys, as it stands in a document, in a request to accede and in a project.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agreement/document.h"
#include "agreement/internal/shape.h"

namespace entente::agreement::internal {

[[nodiscard]] bool is_hex64(std::string_view t);
[[nodiscard]] bool is_party_code(std::string_view t);
[[nodiscard]] std::optional<KeyRole> parse_role(std::string_view t);

// Each reads what is there and adds a problem for what is missing or wrong.
[[nodiscard]] Time read_time(Shape& shape, const json::Node& n, const std::string& at, std::string_view name);
[[nodiscard]] KeyRecord read_key(Shape& shape, const json::Node& n, const std::string& at);
[[nodiscard]] Party read_party(Shape& shape, const json::Node& n, const std::string& at);

}  // namespace entente::agreement::internal
