// A clock in office hours runs then and only then: judged by counting minutes one by one.
#include "agreement/office_hours.h"

#include <algorithm>
#include <chrono>
#include <random>

#include <gtest/gtest.h>

namespace entente::agreement {
namespace {

using json::Node;
constexpr int64_t kMinuteUs = int64_t{60} * 1'000'000;

Time at(std::string_view text) { return *parse_time(text); }

Node dates(std::initializer_list<const char*> list) {
  Node n = Node::array();
  for (const char* d : list) n.push(d);
  return n;
}

TEST(OfficeHours, TheClockStopsAtNightOnWeekendsAndHolidays) {
  const Node republic = dates({"2027-01-26"});
  const auto india = parse_office_hours("Mon-Fri 09:00-17:00 +05:30", &republic);
  ASSERT_TRUE(india);
  constexpr int64_t kHour = 60 * kMinuteUs;
  // Friday 16:00 in Delhi, four hours: Monday 12:00.
  EXPECT_EQ(to_text(india->after(at("2027-01-22T10:30:00Z"), 4 * kHour)).substr(0, 16), "2027-01-25T06:30");
  // Monday 16:00, four hours: Tuesday is a holiday, so Wednesday 12:00.
  EXPECT_EQ(to_text(india->after(at("2027-01-25T10:30:00Z"), 4 * kHour)).substr(0, 16), "2027-01-27T06:30");
  // One hour from 16:00 is due when the office closes, not when it opens.
  EXPECT_EQ(to_text(india->after(at("2027-01-25T10:30:00Z"), kHour)).substr(0, 16), "2027-01-25T11:30");
  const auto always = parse_office_hours("24x7", nullptr);
  EXPECT_EQ(always->after(at("2027-01-25T10:30:00Z"), kHour), at("2027-01-25T11:30:00Z"));
}

TEST(OfficeHours, AClockInOfficeHoursNeverRunsAtNight) {
  std::mt19937_64 random(7);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<uint64_t>(n)); };
  for (int round = 0; round < 2000; ++round) {
    OfficeHours h;
    h.always = false;
    h.days = static_cast<uint8_t>(1 + below(127));
    h.from_minute = below(1439);
    h.to_minute = h.from_minute + 1 + below(1440 - h.from_minute);
    h.offset_minutes = below(1680) - 840;
    const int64_t first_day = below(40'000) - 10'000;
    for (int64_t d = first_day; d < first_day + 30; ++d)
      if (below(4) == 0) h.holidays.push_back(d);
    const auto open = [&](int64_t minute) {  // UTC minute; by the calendar, not by the code's arithmetic
      const std::chrono::sys_time<std::chrono::minutes> local{std::chrono::minutes(minute + h.offset_minutes)};
      const auto day = std::chrono::floor<std::chrono::days>(local);
      const int of_day = static_cast<int>((local - day).count());
      const auto n = day.time_since_epoch().count();
      return (h.days >> std::chrono::weekday(day).c_encoding() & 1) != 0 && of_day >= h.from_minute &&
             of_day < h.to_minute && std::find(h.holidays.begin(), h.holidays.end(), n) == h.holidays.end();
    };
    const int64_t start = first_day * 1440 + below(5 * 1440);
    const int within = 1 + below(900);
    const Time due = h.after(Time{start * kMinuteUs}, within * kMinuteUs);
    int64_t t = start;
    for (int counted = 0; counted < within; ++t) counted += open(t) ? 1 : 0;
    ASSERT_EQ(due.us, t * kMinuteUs) << "round " << round;
    EXPECT_TRUE(open(t - 1)) << "the last minute is one of the office";
    EXPECT_LE(due.us - start * kMinuteUs, h.longest_us(within * kMinuteUs));
    if (open(start)) continue;
    EXPECT_EQ(h.after(Time{(start + 1) * kMinuteUs}, within * kMinuteUs).us, due.us) << "a closed minute is no time";
  }
}

TEST(OfficeHours, WhatIsNotPlainToBothEndsIsNoHours) {
  for (const char* text :
       {"", "09:00-17:00", "Mon-Fri 09:00-17:00", "Mon-Fri 09:00-17:00 Asia/Tokyo", "Mon-Fri 17:00-09:00 Z",
        "Mon-Fri 09:00-09:00 Z", "Mon-Fri 9:00-17:00 Z", "Mon-Fri 09:00-24:01 Z", "Mon-Fry 09:00-17:00 Z",
        "mon-fri 09:00-17:00 Z", "Mon-Fri 09:00-17:00 +15:00", "Mon-Fri  09:00-17:00 Z", "Mon-Fri, 09:00-17:00 Z",
        "Mon-Fri 09:60-17:00 Z", "Mon-Fri 09:00-17:00 Z "})
    EXPECT_FALSE(parse_office_hours(text, nullptr)) << text;
  const auto odd = parse_office_hours("Sat-Mon,Wed 00:00-24:00 -03:30", nullptr);
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->days, 0b1001011);
  EXPECT_EQ(odd->offset_minutes, -210);
  for (const char* day : {"2027-02-29", "2027-1-26", "26.01.2027", "2027-13-01"}) {
    const Node wrong = dates({day});
    EXPECT_FALSE(parse_office_hours("Mon-Fri 09:00-17:00 Z", &wrong)) << day;
  }
  const Node fine = dates({"2028-02-29"});
  EXPECT_TRUE(parse_office_hours("Mon-Fri 09:00-17:00 Z", &fine));
  EXPECT_FALSE(parse_office_hours("24x7", &fine)) << "an office that never closes has no holidays";
}

}  // namespace
}  // namespace entente::agreement
