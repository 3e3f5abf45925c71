// The scales of confidence of STIX 2.1 appendix A: what a label is stored as, and what a stored value reads back as.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace entente::stix {

enum class ConfidenceScale : uint8_t {
  kNoneLowMedHigh,  // "None" "Low" "Med" "High"
  kZeroToTen,       // "0" … "10"
  kAdmiralty,       // Admiralty credibility: "5" … "1"; "6" (cannot be judged) has no value
  kWep,             // words of estimative probability: "Impossible" … "Certain"
  kDni,             // ICD 203 of the Director of National Intelligence
};

struct ConfidenceBand {
  std::string_view label;        // of the standard
  std::string_view short_label;  // what people also write for it; may be empty
  int value = 0;                 // stored for the label
  int low = 0, high = 0;         // stored values that read back as the label, both included
};

// From low to high, without gaps from 0 to 100.
[[nodiscard]] std::span<const ConfidenceBand> confidence_bands(ConfidenceScale scale);

// The stored value of a label (either form, any case); nullopt if the scale has no such label.
[[nodiscard]] std::optional<int> confidence_of(ConfidenceScale scale, std::string_view label);

// The label of a stored value; nullopt outside 0..100.
[[nodiscard]] std::optional<std::string_view> confidence_label(ConfidenceScale scale, int value);

}  // namespace entente::stix
