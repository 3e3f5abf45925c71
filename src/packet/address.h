// IP addresses as octets. Text forms are RFC 5952 for IPv6; parsing takes every form of RFC 4291 §2.2 and strict dotted
// decimal.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace entente::packet {

// An IPv4 address uses the first four octets; the others are zero, so that comparison is by value.
struct Address {
  std::array<uint8_t, 16> b{};
  bool v6 = false;

  auto operator<=>(const Address&) const = default;
  [[nodiscard]] size_t size() const { return v6 ? 16 : 4; }
  [[nodiscard]] bool is_set() const { return v6 || b != std::array<uint8_t, 16>{}; }
  // The IPv4 address inside ::ffff:0:0/96 (RFC 4291 §2.5.5.2); nullopt for everything else.
  [[nodiscard]] std::optional<Address> mapped_v4() const;

  [[nodiscard]] static Address v4(uint32_t host_order);
  [[nodiscard]] static Address from_octets(const void* octets, bool v6) {
    // In one piece: an address is copied at once after it was read, and a load does not wait only for a store as wide.
    using Whole [[gnu::vector_size(16)]] = uint32_t;
    Whole whole{};
    if (v6) {
      std::memcpy(&whole, octets, 16);
    } else {
      uint32_t first = 0;
      std::memcpy(&first, octets, 4);
      whole = Whole{first, 0, 0, 0};
    }
    Address a;
    std::memcpy(a.b.data(), &whole, 16);
    a.v6 = v6;
    return a;
  }
  [[nodiscard]] uint32_t v4_value() const {  // host order; requires !v6
    return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
  }
};

inline constexpr size_t kAddressTextMax = 46;  // as INET6_ADDRSTRLEN

// Writes the text, not terminated; returns its length. Allocation-free.
size_t write_text(const Address& address, char (&out)[kAddressTextMax]);
[[nodiscard]] std::string to_text(const Address& address);

// Strict: four decimal octets without leading zeros, or an IPv6 text form without brackets and zone. Allocation-free.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);
[[nodiscard]] std::optional<Address> parse_v4(std::string_view text);
[[nodiscard]] std::optional<Address> parse_v6(std::string_view text);

}  // namespace entente::packet
