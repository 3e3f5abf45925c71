#include "cli/internal/table.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>

#include "base/bytes.h"

namespace entente::cli {
namespace {

bool numeric(const std::string& s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](unsigned char c) {
    return std::isdigit(c) != 0 || c == ',' || c == '.' || c == '-';
  }) && std::any_of(s.begin(), s.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

// Cells of a terminal: two for CJK and the like, none for marks that stand on the letter before (Latin, Devanagari).
size_t display_width(const std::string& utf8) {
  size_t out = 0;
  for (size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    const size_t size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    uint32_t c = size == 1 ? lead : lead & (0x7fu >> size);
    for (size_t k = 1; k < size && i + k < utf8.size(); ++k)
      c = c << 6 | (static_cast<unsigned char>(utf8[i + k]) & 0x3f);
    i += size;
    const auto in = [c](uint32_t a, uint32_t b) { return c >= a && c <= b; };
    const bool mark = in(0x300, 0x36f) || in(0x900, 0x902) || c == 0x93a || c == 0x93c || in(0x941, 0x948) ||
                      c == 0x94d || in(0x951, 0x957) || in(0x962, 0x963) || in(0x200b, 0x200f) || in(0xfe00, 0xfe0f);
    const bool wide = in(0x1100, 0x115f) || in(0x2e80, 0xa4cf) || in(0xac00, 0xd7a3) || in(0xf900, 0xfaff) ||
                      in(0xfe30, 0xfe6f) || in(0xff00, 0xff60) || in(0xffe0, 0xffe6) || in(0x1f300, 0x1faff) ||
                      in(0x20000, 0x3fffd);
    out += mark ? 0 : wide ? 2 : 1;
  }
  return out;
}

void Table::print(std::FILE* to) const {
  const size_t n = headings_.size();
  std::vector<size_t> width(n, 0);
  std::vector<bool> right(n, !rows_.empty());
  for (size_t c = 0; c < n; ++c) {
    width[c] = display_width(headings_[c]);
    for (const auto& r : rows_) {
      if (c >= r.size()) continue;
      width[c] = std::max(width[c], display_width(r[c]));
      if (!r[c].empty() && !numeric(r[c])) right[c] = false;
    }
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (size_t c = 0; c < n; ++c) {
      const std::string cell = c < cells.size() ? cells[c] : std::string();
      const std::string pad(width[c] - display_width(cell), ' ');
      if (c > 0) out += "  ";
      if (right[c]) {
        out += pad + cell;
      } else {
        out += cell;
        if (c + 1 < n) out += pad;
      }
    }
    out += '\n';
    std::fputs(out.c_str(), to);
  };
  line(headings_);
  for (const auto& r : rows_) line(r);
}

std::string grouped(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

}  // namespace entente::cli
