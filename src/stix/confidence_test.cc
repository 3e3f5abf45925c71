// S45, STIX 2.1 appendix A: every stored value 0..100 reads back as exactly one label of each scale, and every label as
// itself.
#include "stix/confidence.h"

#include <array>

#include <gtest/gtest.h>

namespace entente::stix {
namespace {

using Scale = ConfidenceScale;
constexpr std::array kScales = {Scale::kNoneLowMedHigh, Scale::kZeroToTen, Scale::kAdmiralty, Scale::kWep, Scale::kDni};

TEST(Confidence, BandsCoverZeroToAHundredOnceAndHoldTheirValue) {
  for (const auto scale : kScales) {
    int next = 0;
    for (const auto& band : confidence_bands(scale)) {
      EXPECT_EQ(band.low, next) << band.label;
      EXPECT_LE(band.low, band.value) << band.label;
      EXPECT_GE(band.high, band.value) << band.label;
      EXPECT_EQ(confidence_of(scale, band.label), band.value);
      EXPECT_EQ(confidence_label(scale, band.value), band.label);
      if (!band.short_label.empty()) {
        EXPECT_EQ(confidence_of(scale, band.short_label), band.value);
      }
      next = band.high + 1;
    }
    EXPECT_EQ(next, 101);
    EXPECT_FALSE(confidence_label(scale, -1));
    EXPECT_FALSE(confidence_label(scale, 101));
    EXPECT_FALSE(confidence_of(scale, "perhaps"));
  }
}

// Figures of the five tables, written down apart from the code.
TEST(Confidence, ValuesAndLimitsOfAppendixA) {
  EXPECT_EQ(confidence_of(Scale::kNoneLowMedHigh, "None"), 0);
  EXPECT_EQ(confidence_of(Scale::kNoneLowMedHigh, "low"), 15);
  EXPECT_EQ(confidence_of(Scale::kNoneLowMedHigh, "MED"), 50);
  EXPECT_EQ(confidence_of(Scale::kNoneLowMedHigh, "High"), 85);
  EXPECT_EQ(confidence_label(Scale::kNoneLowMedHigh, 29), "Low");
  EXPECT_EQ(confidence_label(Scale::kNoneLowMedHigh, 30), "Med");
  EXPECT_EQ(confidence_label(Scale::kNoneLowMedHigh, 70), "High");
  EXPECT_EQ(confidence_of(Scale::kZeroToTen, "7"), 70);
  EXPECT_EQ(confidence_label(Scale::kZeroToTen, 4), "0");
  EXPECT_EQ(confidence_label(Scale::kZeroToTen, 5), "1");
  EXPECT_EQ(confidence_label(Scale::kZeroToTen, 95), "10");
  EXPECT_EQ(confidence_of(Scale::kAdmiralty, "5"), 10);
  EXPECT_EQ(confidence_of(Scale::kAdmiralty, "1"), 90);
  EXPECT_FALSE(confidence_of(Scale::kAdmiralty, "6"));
  EXPECT_EQ(confidence_label(Scale::kAdmiralty, 80), "1 - Confirmed by other sources");
  EXPECT_EQ(confidence_of(Scale::kWep, "Even Chance"), 50);
  EXPECT_EQ(confidence_label(Scale::kWep, 99), "Highly likely/Almost Certain");
  EXPECT_EQ(confidence_label(Scale::kWep, 1), "Highly Unlikely/Almost Certainly Not");
  EXPECT_EQ(confidence_of(Scale::kDni, "Remote"), 5);
  EXPECT_EQ(confidence_of(Scale::kDni, "Almost Certain / Nearly Certain"), 95);
  EXPECT_EQ(confidence_label(Scale::kDni, 89), "Very Likely / Highly Probable");
}

}  // namespace
}  // namespace entente::stix
