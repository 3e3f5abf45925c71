// Text to tree.
#pragma once

#include <string_view>

#include "base/result.h"
#include "pattern/internal/ast.h"

namespace entente::pattern {

[[nodiscard]] Result<Ast> parse_ast(std::string_view text);

}  // namespace entente::pattern
