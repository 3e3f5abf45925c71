#include "agreement/internal/lookalike.h"

#include <cstdint>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace entente::agreement::internal {
namespace {

// One code point, and how many octets it takes; nullopt where the text is no UTF-8.
std::optional<char32_t> next(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const size_t size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (size == 0 || size > text.size()) return std::nullopt;
  char32_t c = size == 1 ? lead : lead & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) {
    const auto more = static_cast<unsigned char>(text[i]);
    if ((more & 0xc0) != 0x80) return std::nullopt;
    c = c << 6 | (more & 0x3f);
  }
  text.remove_prefix(size);
  return c;
}

enum Script : unsigned { kNone = 0, kLatin = 1, kGreek = 2, kCyrillic = 4 };

Script script_of(char32_t c) {
  if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= 0xc0 && c <= 0x24f && c != 0xd7 && c != 0xf7) ||
      (c >= 0x1e00 && c <= 0x1eff) || (c >= 0xff21 && c <= 0xff5a))
    return kLatin;
  if ((c >= 0x370 && c <= 0x3ff) || (c >= 0x1f00 && c <= 0x1fff)) return kGreek;
  if (c >= 0x400 && c <= 0x52f) return kCyrillic;
  return kNone;
}

// Format characters (Unicode Cf), fillers and variation selectors: nobody sees them. ZWNJ and ZWJ are part of how
// Hindi and other Indic names are written and allowed there by misleading().
bool invisible(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x34f || c == 0x61c || c == 0x115f || c == 0x1160 ||
         c == 0x180e || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
         c == 0x3164 || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff || c == 0xffa0 || (c >= 0xfff9 && c <= 0xfffb) ||
         (c >= 0xe0000 && c <= 0xe0fff);
}

bool indic(char32_t c) { return c >= 0x900 && c <= 0xdff; }

// Letters that are drawn like a Latin one in most type faces.
const std::map<char32_t, char>& twins() {
  static const std::map<char32_t, char> kTwins = {
      {0x391, 'a'}, {0x392, 'b'}, {0x395, 'e'}, {0x396, 'z'}, {0x397, 'h'}, {0x399, 'i'}, {0x39a, 'k'}, {0x39c, 'm'},
      {0x39d, 'n'}, {0x39f, 'o'}, {0x3a1, 'p'}, {0x3a4, 't'}, {0x3a5, 'y'}, {0x3a7, 'x'}, {0x3bf, 'o'}, {0x3bd, 'v'},
      {0x3c1, 'p'}, {0x405, 's'}, {0x406, 'i'}, {0x408, 'j'}, {0x410, 'a'}, {0x412, 'b'}, {0x415, 'e'}, {0x41a, 'k'},
      {0x41c, 'm'}, {0x41d, 'h'}, {0x41e, 'o'}, {0x420, 'p'}, {0x421, 'c'}, {0x422, 't'}, {0x423, 'y'}, {0x425, 'x'},
      {0x430, 'a'}, {0x435, 'e'}, {0x43e, 'o'}, {0x440, 'p'}, {0x441, 'c'}, {0x443, 'y'}, {0x445, 'x'}, {0x455, 's'},
      {0x456, 'i'}, {0x458, 'j'}, {0x4ae, 'y'}, {0x4c0, 'i'}, {0x501, 'd'}, {0x51b, 'q'}, {0x51d, 'w'}};
  return kTwins;
}

}  // namespace

std::string misleading(std::string_view name) {
  unsigned word = kNone;
  char32_t before = 0;
  while (!name.empty()) {
    const auto c = next(name);
    if (!c) return "is not UTF-8";
    const bool joiner = (*c == 0x200c || *c == 0x200d) && indic(before);
    if (invisible(*c) && !joiner) return fmt::format("holds U+{:04X}, which nobody sees", static_cast<uint32_t>(*c));
    if (*c == ' ' || *c == '-' || *c == '(' || *c == ')' || *c == ',' || *c == 0x3000) word = kNone;
    word |= script_of(*c);
    if ((word & (word - 1)) != 0) return "mixes letters of Latin, Greek or Cyrillic in one word: they look alike";
    before = *c;
  }
  return {};
}

std::string skeleton(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::string_view all = name;
    const auto c = next(name);
    if (!c) return out;
    if (*c < 0x80) {
      const char x = static_cast<char>(*c);
      if (x >= 'A' && x <= 'Z')
        out += static_cast<char>(x + 32);
      else if ((x >= 'a' && x <= 'z') || (x >= '0' && x <= '9'))
        out += x;
    } else if (const auto twin = twins().find(*c); twin != twins().end()) {
      out += twin->second;
    } else {
      out += all.substr(0, all.size() - name.size());
    }
  }
  return out;
}

}  // namespace entente::agreement::internal
