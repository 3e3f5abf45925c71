// Finds where JSON values end in a window, by brackets and quotes only; what lies between is judged by the parser
// afterwards. A string ends at the end of its line at the latest, as JSON has no line ends in strings: so a quote that
// is missing spoils no more than its line.
#pragma once

#include "stix/internal/window.h"

namespace entente::stix::internal {

// All return false if the input ended before. `offset` is left behind the value.
bool skip_space(Window& in, size_t& offset);   // true: at an octet that is no white space
bool skip_string(Window& in, size_t& offset);  // Requires: at its opening quote
// Until `depth` is closed; 0: at an opening bracket. With `broken`, it stops where a line ends within a string and says
// so.
bool skip_brackets(Window& in, size_t& offset, size_t depth = 0, bool* broken = nullptr);
bool skip_value(Window& in, size_t& offset);
void skip_to_line_end(Window& in, size_t& offset);  // in front of the line feed

}  // namespace entente::stix::internal
