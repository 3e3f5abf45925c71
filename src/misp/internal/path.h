// Object paths as the tables write them: "file:hashes.'SHA-256'", "email-message:to_refs[*].value".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace entente::misp::internal {

struct Step {
  std::string name;
  bool list = false;  // followed by [*]
};
struct Path {
  std::string type;
  std::vector<Step> steps;
};

// Requires: a path of the tables or one that the pattern layer printed.
[[nodiscard]] Path parse_path(std::string_view text);
// False if a place can hold several values: then a value cannot be told by its place alone.
[[nodiscard]] bool single(std::string_view path);

}  // namespace entente::misp::internal
