// STIX timestamps (STIX 2.1 §2.16): kept as text where identity matters, compared as instants here.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace entente::stix {

// Nanosecond resolution, any year 0001..9999; further digits are cut (the text is what identifies a version).
struct Timestamp {
  int64_t s = 0;
  uint32_t ns = 0;
  auto operator<=>(const Timestamp&) const = default;
  [[nodiscard]] Time cut() const { return {s * 1'000'000 + ns / 1000}; }
};

// `YYYY-MM-DDTHH:mm:ss[.s+]Z`, real calendar date, leap second 60 allowed; nullopt otherwise.
[[nodiscard]] std::optional<Timestamp> parse_timestamp(std::string_view text);

}  // namespace entente::stix
