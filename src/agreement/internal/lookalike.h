// Names that a person could take for others: what signs and what is read must be the same thing.
#pragma once

#include <string>
#include <string_view>

namespace entente::agreement::internal {

// Why the name must not stand in a document: not UTF-8, control or invisible characters, text that changes direction,
// or one word with letters of scripts that look alike (Latin, Greek, Cyrillic); "" if it may.
[[nodiscard]] std::string misleading(std::string_view name);

// Two names with the same skeleton look the same to a reader in a hurry: case, spaces, punctuation and marks that are
// ASCII are left out, and Greek and Cyrillic letters that look like Latin ones count as those.
[[nodiscard]] std::string skeleton(std::string_view name);

}  // namespace entente::agreement::internal
