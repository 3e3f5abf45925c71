// What a lease can be on: an address, a range of addresses, or a name. One canonical form, so that equal targets are
// equal texts.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace entente::enforce {

// An address (full length) or a range. Host bits are zero. IPv4 addresses written as IPv6 (::ffff:a.b.c.d) are IPv4
// here: otherwise a protected address could be blocked under its other name.
struct Prefix {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};  // IPv4: the first four
  uint8_t bits = 0;
  auto operator<=>(const Prefix&) const =
      default;  // by family, then address, then length: what lies inside follows what contains it

  [[nodiscard]] uint8_t width() const { return v6 ? 128 : 32; }
  [[nodiscard]] bool single() const { return bits == width(); }
  [[nodiscard]] bool contains(const Prefix& other) const;
  [[nodiscard]] bool overlaps(const Prefix& other) const { return contains(other) || other.contains(*this); }
  [[nodiscard]] Prefix widened(uint8_t to_bits) const;  // Requires: to_bits <= bits
  [[nodiscard]] std::string text() const;               // "198.51.100.7", "198.51.100.0/24", "2001:db8::1"
};
[[nodiscard]] Result<Prefix> parse_prefix(std::string_view text);  // "A", "A/N"; host bits are cleared

enum class TargetKind : uint8_t { kAddress, kRange, kName };

struct Target {
  TargetKind kind = TargetKind::kAddress;
  Prefix prefix;      // kAddress, kRange
  std::string host;   // kName: lower case, no trailing dot
  bool tree = false;  // kName: everything below it too

  [[nodiscard]] std::string text() const;  // a name with its tree is "*.name"
  bool operator==(const Target&) const = default;

  static Target of(const Prefix& prefix);
};
// Address, range or name; "*.name" is the name with everything below it.
[[nodiscard]] Result<Target> parse_target(std::string_view text);

// Lower case, without trailing dot; kInvalid if it is no host name (letters, digits, '-', '_', labels of 1..63 octets,
// 253 in all).
[[nodiscard]] Result<std::string> canonical_name(std::string_view text);

}  // namespace entente::enforce
