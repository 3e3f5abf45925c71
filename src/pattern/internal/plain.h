// The shape that nearly all indicators have: "[type:path = 'text' OR …]". A quick yes for validation, which asks for no
// tree; everything else is for the parser, which also says what is wrong.
#pragma once

#include <string_view>

namespace entente::pattern {

// True only if Pattern::parse takes the text, without warnings. False says nothing.
[[nodiscard]] bool plainly_valid(std::string_view text);

}  // namespace entente::pattern
