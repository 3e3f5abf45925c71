#include "stix/internal/skip.h"

#include <array>

namespace entente::stix::internal {
namespace {

enum : uint8_t { kQuote = 1, kOpen, kClose };

constexpr std::array<uint8_t, 256> kMark = [] {
  std::array<uint8_t, 256> t{};
  t['"'] = kQuote;
  t['{'] = t['['] = kOpen;
  t['}'] = t[']'] = kClose;
  return t;
}();

bool is_space(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

bool skip_space(Window& in, size_t& offset) {
  while (true) {
    const int c = in.at(offset);
    if (c < 0) return false;
    if (!is_space(c)) return true;
    ++offset;
  }
}

bool skip_string(Window& in, size_t& offset) {
  ++offset;
  bool escaped = false;  // the last octet of the piece before was a backslash that counts
  while (true) {
    if (in.at(offset) < 0) return false;
    const std::string_view seen = in.seen();
    if (escaped) {
      escaped = false;
      if (seen[offset] != '\n') ++offset;
      continue;
    }
    // To the next quote; what stands between may end the string before, or take the quote's meaning away.
    const auto* quote = static_cast<const char*>(std::memchr(seen.data() + offset, '"', seen.size() - offset));
    const size_t end = quote == nullptr ? seen.size() : static_cast<size_t>(quote - seen.data());
    const auto* feed = static_cast<const char*>(std::memchr(seen.data() + offset, '\n', end - offset));
    if (feed != nullptr) {
      offset = static_cast<size_t>(feed - seen.data());
      return true;
    }
    size_t slashes = 0;
    while (end - slashes > offset && seen[end - slashes - 1] == '\\') ++slashes;
    offset = end;
    if (quote == nullptr) {
      escaped = slashes % 2 == 1;
      continue;
    }
    ++offset;
    if (slashes % 2 == 0) return true;
  }
}

bool skip_brackets(Window& in, size_t& offset, size_t depth, bool* broken) {
  while (in.at(offset) >= 0) {
    const std::string_view seen = in.seen();
    while (offset < seen.size()) {
      const uint8_t mark = kMark[static_cast<unsigned char>(seen[offset])];
      if (mark == 0) {
        ++offset;
      } else if (mark == kQuote) {
        if (!skip_string(in, offset)) return false;
        if (broken != nullptr && in.seen()[offset - 1] != '"') {
          *broken = true;
          return true;
        }
        break;  // the window may have moved
      } else if (mark == kOpen) {
        ++depth;
        ++offset;
      } else {
        ++offset;
        if (--depth == 0) return true;
      }
    }
  }
  return false;
}

bool skip_value(Window& in, size_t& offset) {
  const int first = in.at(offset);
  if (first == '"') return skip_string(in, offset);
  if (first == '{' || first == '[') return skip_brackets(in, offset);
  for (int c = first; c >= 0; c = in.at(++offset)) {
    if (is_space(c) || c == ',' || kMark[static_cast<size_t>(c)] != 0 || c == ':') return true;
  }
  return first >= 0;
}

void skip_to_line_end(Window& in, size_t& offset) {
  while (in.at(offset) >= 0) {
    const std::string_view seen = in.seen();
    const auto* feed = static_cast<const char*>(std::memchr(seen.data() + offset, '\n', seen.size() - offset));
    if (feed != nullptr) {
      offset = static_cast<size_t>(feed - seen.data());
      return;
    }
    offset = seen.size();
  }
}

}  // namespace entente::stix::internal
