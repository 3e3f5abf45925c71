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

size_t display_width(const std::string& utf8) {
  return static_cast<size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
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
