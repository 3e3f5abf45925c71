// When the clock of a service level runs: always ("24x7"), or on working days between two times of day, at a fixed
// offset from UTC, but for holidays that the text lists. No names of time zones: the two ends may hold different tables
// of them, and must compute the same. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "json/node.h"

namespace entente::agreement {

struct OfficeHours {
  bool always = true;
  uint8_t days = 0;                    // bit 0 = Sunday
  int from_minute = 0, to_minute = 0;  // of the local day, from < to
  int offset_minutes = 0;              // local time = UTC plus this
  std::vector<int64_t> holidays;       // local days since 1970-01-01, ascending

  // When `within_us` of office time have passed since `start`.
  [[nodiscard]] Time after(Time start, int64_t within_us) const;
  // No longer than this by the wall clock.
  [[nodiscard]] int64_t longest_us(int64_t within_us) const;
};

// "24x7", or "Mon-Fri 09:00-17:00 +05:30" ("Mon,Wed-Thu", "Z" for UTC). `holidays`: dates like "2027-01-26", or null.
[[nodiscard]] std::optional<OfficeHours> parse_office_hours(std::string_view hours, const json::Node* holidays);

// The most office time that a machine counts: a year of working weeks.
inline constexpr int64_t kMostOfficeUs = int64_t{2000} * 3600 * 1'000'000;

}  // namespace entente::agreement
