#include "stix/timestamp.h"

#include <array>

namespace entente::stix {
namespace {

// Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
// algorithms").
constexpr int64_t days_from_civil(int64_t y, unsigned m, unsigned d) {
  y -= m <= 2 ? 1 : 0;
  const int64_t era = y / 400;  // y >= 0 here: years begin at 0001
  const auto yoe = static_cast<unsigned>(y - era * 400);
  const unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + static_cast<int64_t>(doe) - 719468;
}

constexpr bool leap(unsigned y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

constexpr unsigned days_in(unsigned y, unsigned m) {
  constexpr std::array<unsigned, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return m == 2 && leap(y) ? 29 : kDays[m - 1];
}

// `n` digits at `p`; -1 if one of them is not a digit.
int digits(const char* p, int n) {
  int v = 0;
  for (int i = 0; i < n; ++i) {
    const auto d = static_cast<unsigned>(p[i] - '0');
    if (d > 9) return -1;
    v = v * 10 + static_cast<int>(d);
  }
  return v;
}

}  // namespace

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  if (text.size() < 20) return std::nullopt;
  const char* p = text.data();
  if (p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' || p[16] != ':' || text.back() != 'Z') return {};
  const int year = digits(p, 4);
  const int month = digits(p + 5, 2);
  const int day = digits(p + 8, 2);
  const int hour = digits(p + 11, 2);
  const int minute = digits(p + 14, 2);
  const int second = digits(p + 17, 2);
  if (year < 1 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59) return {};
  if (static_cast<unsigned>(day) > days_in(static_cast<unsigned>(year), static_cast<unsigned>(month))) return {};
  // A leap second is the 61st of the last minute of a UTC day (RFC 3339 §5.7); as an instant it is the next second.
  if (second < 0 || second > 60 || (second == 60 && (hour != 23 || minute != 59))) return {};

  uint32_t ns = 0;
  if (text.size() > 20) {
    const size_t count = text.size() - 21;  // between the dot and Z
    if (p[19] != '.' || count == 0) return {};
    uint32_t scale = 100'000'000;
    for (size_t i = 0; i < count; ++i) {
      const auto d = static_cast<unsigned>(p[20 + i] - '0');
      if (d > 9) return {};
      ns += d * scale;
      scale /= 10;
    }
  }
  const int64_t days = days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  return Timestamp{days * 86400 + hour * 3600 + minute * 60 + second, ns};
}

}  // namespace entente::stix
