#include "base/time.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>

namespace entente {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDay = 86'400 * kSecond;

// Days since 1970-01-01 of a proleptic Gregorian date and back (the usual era arithmetic; std::chrono::year is too
// narrow for all of int64).
constexpr int64_t days_from_civil(int64_t y, int m, int d) {
  y -= m <= 2;
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t yoe = y - era * 400;
  const int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146'097 + doe - 719'468;
}

struct Civil {
  int64_t y;
  int m;
  int d;
};
constexpr Civil civil_from_days(int64_t z) {
  z += 719'468;
  const int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
  const int64_t doe = z - era * 146'097;
  const int64_t yoe = (doe - doe / 1'460 + doe / 36'524 - doe / 146'096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  const int d = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  const int m = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  return {yoe + era * 400 + (m <= 2), m, d};
}

constexpr int days_in_month(int64_t y, int m) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
  return m == 2 && leap ? 29 : kDays[m - 1];
}

constexpr int64_t kFirst = days_from_civil(1, 1, 1) * kDay;
constexpr int64_t kLast = days_from_civil(10'000, 1, 1) * kDay - 1;

constexpr int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

int64_t saturated_sum(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}

// A text that is eaten from the left; every step says whether it fitted.
struct Cursor {
  std::string_view rest;

  bool literal(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool digits(size_t n, int& out) {
    if (rest.size() < n) return false;
    out = 0;
    for (size_t i = 0; i < n; ++i) {
      if (rest[i] < '0' || rest[i] > '9') return false;
      out = out * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(n);
    return true;
  }
  // 1..9 digits.
  bool number(int& out) {
    size_t n = 0;
    while (n < rest.size() && rest[n] >= '0' && rest[n] <= '9') ++n;
    return n >= 1 && n <= 9 && digits(n, out);
  }
  // ".123": microseconds, further digits cut off. At least one digit (RFC 3339 §5.6).
  bool fraction(int64_t& us) {
    us = 0;
    if (!literal('.')) return true;
    size_t n = 0;
    for (int64_t unit = kSecond / 10; n < rest.size() && rest[n] >= '0' && rest[n] <= '9'; ++n, unit /= 10)
      us += unit * (rest[n] - '0');
    rest.remove_prefix(n);
    return n > 0;
  }
  // "Z" or "+05:30": minutes east of UTC.
  bool offset(int64_t& minutes) {
    minutes = 0;
    if (literal('Z')) return true;
    const bool west = !rest.empty() && rest.front() == '-';
    int h = 0;
    int m = 0;
    if (!literal(west ? '-' : '+') || !digits(2, h) || !literal(':') || !digits(2, m) || h > 23 || m > 59) return false;
    minutes = (west ? -1 : 1) * (h * 60 + m);
    return true;
  }
};

}  // namespace

std::string to_text(Time t) {
  const int64_t us = std::clamp(t.us, kFirst, kLast);
  const int64_t day = floor_div(us, kDay);
  const Civil c = civil_from_days(day);
  const int64_t in_day = us - day * kDay;
  const int s = static_cast<int>(in_day / kSecond);
  char buffer[64];
  const int n = std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", static_cast<int>(c.y), c.m,
                              c.d, s / 3600, s / 60 % 60, s % 60, static_cast<int>(in_day % kSecond));
  return {buffer, static_cast<size_t>(n)};
}

Result<Time> parse_time(std::string_view text) {
  Cursor in{text};
  int y = 0;
  int mo = 0;
  int d = 0;
  int h = 0;
  int mi = 0;
  int s = 0;
  int64_t fraction = 0;
  int64_t offset = 0;
  const bool formed = in.digits(4, y) && in.literal('-') && in.digits(2, mo) && in.literal('-') && in.digits(2, d) &&
                      in.literal('T') && in.digits(2, h) && in.literal(':') && in.digits(2, mi) && in.literal(':') &&
                      in.digits(2, s) && in.fraction(fraction) && in.offset(offset) && in.rest.empty();
  if (!formed) return invalid("not an RFC 3339 date and time", {}, "write it like 2027-01-15T05:12:00Z");
  if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo)) return invalid("no such day in the calendar");
  if (h > 23 || mi > 59 || s > 60) return invalid("no such time of day");
  const int64_t seconds = days_from_civil(y, mo, d) * 86'400 + h * 3600 + mi * 60 + s - offset * 60;
  // A leap second has no number of its own: it reads as the second that follows.
  const Time t{seconds * kSecond + (s == 60 ? 0 : fraction)};
  if (t.us < kFirst || t.us > kLast) return invalid("time outside the years 0001 to 9999");
  return t;
}

Result<Period> parse_period(std::string_view text) {
  const auto bad = [] {
    return invalid("not an ISO 8601 duration", {}, "write it like P5Y, P6M, P30D, PT72H or PT0S");
  };
  Cursor in{text};
  if (!in.literal('P')) return bad();
  struct Unit {
    char letter;
    int months;
    int64_t us;
  };
  constexpr Unit kDateUnits[] = {{'Y', 12, 0}, {'M', 1, 0}, {'W', 0, 7 * kDay}, {'D', 0, kDay}};
  constexpr Unit kTimeUnits[] = {{'H', 0, 3600 * kSecond}, {'M', 0, 60 * kSecond}, {'S', 0, kSecond}};
  int64_t months = 0;
  int64_t us = 0;
  bool any = false;
  const auto part = [&](const Unit* unit, const Unit* end) {
    while (!in.rest.empty() && in.rest.front() != 'T') {
      int n = 0;
      if (!in.number(n)) return false;
      while (unit != end && !in.literal(unit->letter)) ++unit;  // each unit once, in order
      if (unit == end) return false;
      months += int64_t{n} * unit->months;
      int64_t more = 0;
      if (__builtin_mul_overflow(int64_t{n}, unit->us, &more) || __builtin_add_overflow(us, more, &us)) return false;
      any = true;
      ++unit;
    }
    return true;
  };
  if (!part(std::begin(kDateUnits), std::end(kDateUnits))) return bad();
  if (in.literal('T') && (in.rest.empty() || !part(std::begin(kTimeUnits), std::end(kTimeUnits)))) return bad();
  if (!any || !in.rest.empty()) return bad();
  if (months > 12 * 10'000) return invalid("duration longer than ten thousand years");
  return Period{static_cast<int>(months), us};
}

namespace {

Time shift_months(Time t, int64_t months) {
  if (months == 0) return t;
  const int64_t day = floor_div(t.us, kDay);
  const Civil c = civil_from_days(day);
  const int64_t index = c.y * 12 + (c.m - 1) + months;
  const int64_t y = floor_div(index, 12);
  const int m = static_cast<int>(index - y * 12) + 1;
  const int64_t to = days_from_civil(y, m, std::min(c.d, days_in_month(y, m)));
  int64_t us = 0;
  if (__builtin_mul_overflow(to, kDay, &us))
    return {months > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min()};
  return {saturated_sum(us, t.us - day * kDay)};
}

}  // namespace

Time add(Time t, const Period& p) { return {saturated_sum(shift_months(t, p.months).us, p.us)}; }
Time subtract(Time t, const Period& p) { return {saturated_sum(shift_months(t, -int64_t{p.months}).us, -p.us)}; }

Time SystemClock::now() {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  return {duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

int64_t SystemClock::steady_us() {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  return duration_cast<microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace entente
