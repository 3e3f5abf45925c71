#include "base/time.h"

#include <chrono>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace entente {
namespace {

int64_t us(const char* text) { return parse_time(text).value().us; }

TEST(Time, KnownInstants) {
  EXPECT_EQ(us("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(us("2001-09-09T01:46:40Z"), 1'000'000'000'000'000);
  EXPECT_EQ(us("1969-12-31T23:59:59.999999Z"), -1);
  EXPECT_EQ(us("2027-01-15T10:42:00.5+05:30"), us("2027-01-15T05:12:00.500Z"));
  EXPECT_EQ(us("2027-01-15T05:12:00.1234569999999Z"), us("2027-01-15T05:12:00.123456Z"));
  EXPECT_EQ(us("2016-12-31T23:59:60Z"), us("2017-01-01T00:00:00Z"));
  EXPECT_EQ(to_text(Time{us("2027-01-15T05:12:00.000123Z")}), "2027-01-15T05:12:00.000123Z");
}

// The calendar of std::chrono is the oracle.
RC_GTEST_PROP(Time, AgreesWithTheStandardCalendar, ()) {
  const auto day = *rc::gen::inRange<int>(-719162, 2932896);  // 0001-01-01 .. 9999-12-31
  const auto in_day = *rc::gen::inRange<int64_t>(0, 86'400'000'000);
  const Time t{int64_t{day} * 86'400'000'000 + in_day};
  const std::string text = to_text(t);
  const std::chrono::year_month_day ymd{std::chrono::sys_days{std::chrono::days{day}}};
  RC_ASSERT(std::stoi(text.substr(0, 4)) == static_cast<int>(ymd.year()));
  RC_ASSERT(std::stoul(text.substr(5, 2)) == static_cast<unsigned>(ymd.month()));
  RC_ASSERT(std::stoul(text.substr(8, 2)) == static_cast<unsigned>(ymd.day()));
  RC_ASSERT(parse_time(text).value() == t);
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const char* bad : {"",
                          "2027-01-15",
                          "2027-01-15T05:12:00",
                          "2027-02-29T00:00:00Z",
                          "2027-13-01T00:00:00Z",
                          "2027-00-01T00:00:00Z",
                          "2027-04-31T00:00:00Z",
                          "2027-01-15T24:00:00Z",
                          "2027-01-15T05:60:00Z",
                          "2027-01-15T05:12:61Z",
                          "2027-01-15T05:12:00.Z",
                          "2027-01-15T05:12:00z",
                          "2027-01-15 05:12:00Z",
                          "0000-01-01T00:00:00Z",
                          "0001-01-01T00:00:00+00:01",
                          "9999-12-31T23:59:59-00:01",
                          "2027-01-15T05:12:00+24:00",
                          "2027-01-15T05:12:00Z ",
                          "2027-01-15T05:12:00+0530",
                          "+2027-01-15T05:12:00Z",
                          "2100-02-29T00:00:00Z",
                          "1900-02-29T00:00:00Z"}) {
    EXPECT_FALSE(parse_time(bad).ok()) << bad;
  }
  EXPECT_TRUE(parse_time("2000-02-29T00:00:00Z").ok());
}

RC_GTEST_PROP(Time, AnyInputIsAnswered, (const std::string& s)) {
  (void)parse_time(s).ok(), (void)parse_period(s).ok();
}

TEST(Time, TextIsClampedToFourDigitYears) {
  EXPECT_EQ(to_text(Time{std::numeric_limits<int64_t>::max()}), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_text(Time{std::numeric_limits<int64_t>::min()}), "0001-01-01T00:00:00.000000Z");
}

TEST(Period, YearsAndMonthsGoByTheCalendar) {
  const auto plus = [](const char* t, const char* p) {
    return to_text(add(parse_time(t).value(), parse_period(p).value())).substr(0, 19);
  };
  const auto minus = [](const char* t, const char* p) {
    return to_text(subtract(parse_time(t).value(), parse_period(p).value())).substr(0, 19);
  };
  EXPECT_EQ(plus("2027-01-31T10:00:00Z", "P1M"), "2027-02-28T10:00:00");
  EXPECT_EQ(plus("2028-01-31T10:00:00Z", "P1M"), "2028-02-29T10:00:00");
  EXPECT_EQ(plus("2028-02-29T00:00:00Z", "P5Y"), "2033-02-28T00:00:00");
  EXPECT_EQ(plus("2027-11-30T00:00:00Z", "P1Y3M"), "2029-02-28T00:00:00");
  EXPECT_EQ(minus("2027-03-31T00:00:00Z", "P1M"), "2027-02-28T00:00:00");
  EXPECT_EQ(minus("2027-01-15T00:00:00Z", "P6M"), "2026-07-15T00:00:00");
  EXPECT_EQ(minus("1969-12-31T23:00:00Z", "P1M"), "1969-11-30T23:00:00");
  EXPECT_EQ(plus("2027-01-15T00:00:00Z", "PT72H"), "2027-01-18T00:00:00");
  EXPECT_EQ(plus("2027-01-15T00:00:00Z", "P2W1DT1H2M3S"), "2027-01-30T01:02:03");
  EXPECT_EQ(plus("2027-01-15T00:00:00Z", "PT0S"), "2027-01-15T00:00:00");
}

TEST(Period, RefusesWhatIsNoDuration) {
  for (const char* bad : {"", "P", "PT", "5Y", "P5", "PY", "P1D1Y", "P1Y1Y", "P-1D", "P1.5D", "PT1H1H", "P1H", "PT1D",
                          "P1DT", "P1234567890D", "P1D ", "PT999999999H1"}) {
    EXPECT_FALSE(parse_period(bad).ok()) << bad;
  }
}

TEST(Period, HugeSumsStopAtTheEnd) {
  const Period p = parse_period("P9999Y").value();
  EXPECT_EQ(add(Time{std::numeric_limits<int64_t>::max() - 5}, p).us, std::numeric_limits<int64_t>::max());
}

}  // namespace
}  // namespace entente
