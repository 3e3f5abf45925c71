// The reason codes of release.md §6: stable strings, each with the step of release.md §3 that gives it, what it says
// and what would change it. `entente release codes` prints this table.
#pragma once

#include <span>
#include <string_view>

namespace entente::agreement {

struct ReasonCode {
  std::string_view code;
  std::string_view step;  // of release.md §3
  std::string_view meaning;
  std::string_view remedy;  // "" = nothing is to be changed
  bool note = false;        // does not withhold by itself
};

[[nodiscard]] std::span<const ReasonCode> reason_codes();
[[nodiscard]] const ReasonCode* reason_code(std::string_view code);  // null: nobody defined it

}  // namespace entente::agreement
