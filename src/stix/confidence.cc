#include "stix/confidence.h"

#include <array>

#include "base/bytes.h"

namespace entente::stix {
namespace {

using Band = ConfidenceBand;

constexpr std::array kNoneLowMedHigh = {
    Band{"None", "", 0, 0, 0},
    Band{"Low", "", 15, 1, 29},
    Band{"Med", "Medium", 50, 30, 69},
    Band{"High", "", 85, 70, 100},
};
constexpr std::array kZeroToTen = {
    Band{"0", "", 0, 0, 4},    Band{"1", "", 10, 5, 14},  Band{"2", "", 20, 15, 24},    Band{"3", "", 30, 25, 34},
    Band{"4", "", 40, 35, 44}, Band{"5", "", 50, 45, 54}, Band{"6", "", 60, 55, 64},    Band{"7", "", 70, 65, 74},
    Band{"8", "", 80, 75, 84}, Band{"9", "", 90, 85, 94}, Band{"10", "", 100, 95, 100},
};
constexpr std::array kAdmiralty = {
    Band{"5 - Improbable", "5", 10, 0, 19},
    Band{"4 - Doubtful", "4", 30, 20, 39},
    Band{"3 - Possibly True", "3", 50, 40, 59},
    Band{"2 - Probably True", "2", 70, 60, 79},
    Band{"1 - Confirmed by other sources", "1", 90, 80, 100},
};
constexpr std::array kWep = {
    Band{"Impossible", "", 0, 0, 0},
    Band{"Highly Unlikely/Almost Certainly Not", "Highly Unlikely", 10, 1, 19},
    Band{"Unlikely/Probably Not", "Unlikely", 30, 20, 39},
    Band{"Even Chance", "", 50, 40, 59},
    Band{"Likely/Probable", "Likely", 70, 60, 79},
    Band{"Highly likely/Almost Certain", "Highly Likely", 90, 80, 99},
    Band{"Certain", "", 100, 100, 100},
};
constexpr std::array kDni = {
    Band{"Almost No Chance / Remote", "Remote", 5, 0, 9},
    Band{"Very Unlikely / Highly Improbable", "Very Unlikely", 15, 10, 19},
    Band{"Unlikely / Improbable", "Unlikely", 30, 20, 39},
    Band{"Roughly Even Chance / Roughly Even Odds", "Roughly Even Chance", 50, 40, 59},
    Band{"Likely / Probable", "Likely", 70, 60, 79},
    Band{"Very Likely / Highly Probable", "Very Likely", 85, 80, 89},
    Band{"Almost Certain / Nearly Certain", "Almost Certain", 95, 90, 100},
};

}  // namespace

std::span<const ConfidenceBand> confidence_bands(ConfidenceScale scale) {
  switch (scale) {
    case ConfidenceScale::kNoneLowMedHigh:
      return kNoneLowMedHigh;
    case ConfidenceScale::kZeroToTen:
      return kZeroToTen;
    case ConfidenceScale::kAdmiralty:
      return kAdmiralty;
    case ConfidenceScale::kWep:
      return kWep;
    case ConfidenceScale::kDni:
      return kDni;
  }
  return {};
}

std::optional<int> confidence_of(ConfidenceScale scale, std::string_view label) {
  const std::string wanted = ascii_lower(label);
  for (const auto& band : confidence_bands(scale)) {
    if (ascii_lower(band.label) == wanted) return band.value;
    if (!band.short_label.empty() && ascii_lower(band.short_label) == wanted) return band.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> confidence_label(ConfidenceScale scale, int value) {
  for (const auto& band : confidence_bands(scale)) {
    if (value >= band.low && value <= band.high) return band.label;
  }
  return std::nullopt;
}

}  // namespace entente::stix
