// ASCII in capitals, as people write TLP and PAP; the program's own words are lower case.
#pragma once

#include <string>
#include <string_view>

namespace entente::cli {

inline std::string ascii_upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

}  // namespace entente::cli
