#include "stix/timestamp.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace entente::stix {
namespace {

TEST(Timestamp, AcceptsWhatTheStandardAllows) {
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00Z"), (Timestamp{0, 0}));
  EXPECT_EQ(parse_timestamp("2016-05-12T08:17:27.000Z"), (Timestamp{1463041047, 0}));
  EXPECT_EQ(parse_timestamp("2016-05-12T08:17:27.5Z"), (Timestamp{1463041047, 500'000'000}));
  EXPECT_EQ(parse_timestamp("2016-05-12T08:17:27.1234567899Z"), (Timestamp{1463041047, 123'456'789}));
  EXPECT_EQ(parse_timestamp("2000-02-29T23:59:59Z"), (Timestamp{951868799, 0}));
  EXPECT_EQ(parse_timestamp("0001-01-01T00:00:00Z"), (Timestamp{-62135596800, 0}));
  EXPECT_EQ(parse_timestamp("9999-12-31T23:59:59Z"), (Timestamp{253402300799, 0}));
  EXPECT_EQ(parse_timestamp("2016-12-31T23:59:60Z"), parse_timestamp("2017-01-01T00:00:00Z"));
}

TEST(Timestamp, RefusesEverythingElse) {
  for (const std::string_view bad : {"",
                                     "Z",
                                     "2016-05-12",
                                     "2016-05-12T08:17:27",
                                     "2016-05-12T08:17:27.Z",
                                     "2016-05-12t08:17:27Z",
                                     "2016-05-12T08:17:27z",
                                     "2016-05-12T08:17:27+00:00",
                                     "2016-05-12 08:17:27Z",
                                     "2016-02-30T00:00:00Z",
                                     "2015-02-29T00:00:00Z",
                                     "1900-02-29T00:00:00Z",
                                     "2016-13-01T00:00:00Z",
                                     "2016-00-01T00:00:00Z",
                                     "2016-01-00T00:00:00Z",
                                     "2016-01-32T00:00:00Z",
                                     "2016-04-31T00:00:00Z",
                                     "2016-01-01T24:00:00Z",
                                     "2016-01-01T00:60:00Z",
                                     "2016-01-01T00:00:61Z",
                                     "2016-01-01T12:00:60Z",
                                     "0000-01-01T00:00:00Z",
                                     "2016-01-01T00:00:00.12x4Z",
                                     "2016-01-01T00:00:00,123Z",
                                     "2016-01-01T00:00:00.123ZZ",
                                     " 2016-01-01T00:00:00Z",
                                     "20160-01-01T00:00:00Z",
                                     "2016-1-01T00:00:000Z",
                                     "-016-01-01T00:00:00Z",
                                     "2016-01-01T00:00:00.-1Z"}) {
    EXPECT_FALSE(parse_timestamp(bad).has_value()) << bad;
  }
}

// The C library is the oracle for the calendar.
RC_GTEST_PROP(Timestamp, AgreesWithTheCLibrary, ()) {
  const auto seconds = *rc::gen::inRange<int64_t>(-62135596800, 253402300800);
  const auto ns = *rc::gen::inRange<uint32_t>(0, 1'000'000'000);
  const auto t = static_cast<time_t>(seconds);
  std::tm parts{};
  gmtime_r(&t, &parts);
  std::array<char, 64> text{};
  const int n = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ", parts.tm_year + 1900,
                              parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, ns);
  RC_ASSERT(parse_timestamp(std::string_view(text.data(), static_cast<size_t>(n))) == (Timestamp{seconds, ns}));
}

}  // namespace
}  // namespace entente::stix
