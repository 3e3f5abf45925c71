#include "agreement/office_hours.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <string>

namespace entente::agreement {
namespace {

constexpr int64_t kMinuteUs = int64_t{60} * 1'000'000;
constexpr int64_t kDayUs = 24 * 60 * kMinuteUs;
constexpr size_t kMostHolidays = 2000;
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

std::optional<int> number(std::string_view t) {
  int n = 0;
  if (t.empty() || t.size() > 4) return std::nullopt;
  for (const char c : t) {
    if (c < '0' || c > '9') return std::nullopt;
    n = n * 10 + (c - '0');
  }
  return n;
}

// "09:00" to minutes, 24:00 at most.
std::optional<int> minutes(std::string_view t) {
  if (t.size() != 5 || t[2] != ':') return std::nullopt;
  const auto h = number(t.substr(0, 2)), m = number(t.substr(3));
  if (!h || !m || *m > 59 || *h * 60 + *m > 24 * 60) return std::nullopt;
  return *h * 60 + *m;
}

std::optional<int> offset(std::string_view t) {
  if (t == "Z") return 0;
  if (t.size() != 6 || (t[0] != '+' && t[0] != '-')) return std::nullopt;
  const auto m = minutes(t.substr(1));
  if (!m || *m > 14 * 60) return std::nullopt;
  return t[0] == '-' ? -*m : *m;
}

std::optional<uint8_t> weekdays(std::string_view t) {
  const auto day = [](std::string_view name) -> std::optional<size_t> {
    const auto it = std::ranges::find(kDays, name);
    if (it == kDays.end()) return std::nullopt;
    return static_cast<size_t>(it - kDays.begin());
  };
  uint8_t out = 0;
  while (true) {
    const size_t comma = std::min(t.find(','), t.size());
    const std::string_view part = t.substr(0, comma);
    const size_t dash = std::min(part.find('-'), part.size());
    const auto first = day(part.substr(0, dash));
    const auto last = dash == part.size() ? first : day(part.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    for (size_t d = *first;; d = (d + 1) % 7) {
      out = static_cast<uint8_t>(out | (1U << d));
      if (d == *last) break;
    }
    if (comma == t.size()) return out;
    t = t.substr(comma + 1);
  }
}

std::optional<int64_t> date(std::string_view t) {
  if (t.size() != 10 || t[4] != '-' || t[7] != '-') return std::nullopt;
  const auto y = number(t.substr(0, 4)), m = number(t.substr(5, 2)), d = number(t.substr(8));
  if (!y || !m || !d) return std::nullopt;
  const std::chrono::year_month_day ymd{std::chrono::year(*y), std::chrono::month(static_cast<unsigned>(*m)),
                                        std::chrono::day(static_cast<unsigned>(*d))};
  if (!ymd.ok()) return std::nullopt;
  return std::chrono::sys_days(ymd).time_since_epoch().count();
}

}  // namespace

std::optional<OfficeHours> parse_office_hours(std::string_view hours, const json::Node* holidays) {
  OfficeHours out;
  if (hours == "24x7") return holidays == nullptr ? std::optional(out) : std::nullopt;
  const size_t a = hours.find(' ');
  const size_t b = a == std::string_view::npos ? a : hours.find(' ', a + 1);
  if (b == std::string_view::npos) return std::nullopt;
  const std::string_view times = hours.substr(a + 1, b - a - 1);
  if (times.size() != 11 || times[5] != '-') return std::nullopt;
  const auto days = weekdays(hours.substr(0, a));
  const auto from = minutes(times.substr(0, 5)), to = minutes(times.substr(6));
  const auto zone = offset(hours.substr(b + 1));
  if (!days || !from || !to || !zone || *from >= *to) return std::nullopt;
  out.always = false;
  out.days = *days;
  out.from_minute = *from;
  out.to_minute = *to;
  out.offset_minutes = *zone;
  if (holidays != nullptr) {
    if (!holidays->is_array() || holidays->list().size() > kMostHolidays) return std::nullopt;
    for (const json::Node& n : holidays->list()) {
      const auto day = n.is_string() ? date(n.string()) : std::nullopt;
      if (!day) return std::nullopt;
      out.holidays.push_back(*day);
    }
    std::ranges::sort(out.holidays);
  }
  return out;
}

Time OfficeHours::after(Time start, int64_t within_us) const {
  if (always) return start.plus_us(within_us);
  const int64_t shift = offset_minutes * kMinuteUs;
  const int64_t local = start.us + shift;
  int64_t left = std::clamp<int64_t>(within_us, 0, kMostOfficeUs);
  // Ends: in each week but those with holidays a minute at least is counted.
  for (int64_t day = floor_div(local, kDayUs);; ++day) {
    const int64_t weekday = ((day + 4) % 7 + 7) % 7;  // 1970-01-01 was a Thursday
    if ((days >> weekday & 1) == 0 || std::ranges::binary_search(holidays, day)) continue;
    const int64_t opens = std::max(local, day * kDayUs + from_minute * kMinuteUs);
    const int64_t closes = day * kDayUs + to_minute * kMinuteUs;
    if (opens >= closes) continue;
    if (left <= closes - opens) return Time{opens + left - shift};
    left -= closes - opens;
  }
}

int64_t OfficeHours::longest_us(int64_t within_us) const {
  if (always) return within_us;
  const int64_t a_week = std::popcount(days) * (to_minute - from_minute) * kMinuteUs;
  const int64_t weeks = std::clamp<int64_t>(within_us, 0, kMostOfficeUs) / a_week + 2;
  // Each holiday costs a working day, hence a week at most.
  return (weeks + static_cast<int64_t>(holidays.size())) * 7 * kDayUs;
}

}  // namespace entente::agreement
