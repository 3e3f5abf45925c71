// RFC 4122 UUIDs, 16 octets.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace entente {

struct Uuid {
  std::array<uint8_t, 16> b{};
  auto operator<=>(const Uuid&) const = default;
  [[nodiscard]] int version() const { return b[6] >> 4; }
  [[nodiscard]] bool rfc4122() const { return (b[8] & 0xc0) == 0x80; }
  [[nodiscard]] std::string text() const;  // lower case
  [[nodiscard]] std::string_view raw() const { return {reinterpret_cast<const char*>(b.data()), b.size()}; }
};

// 8-4-4-4-12 hex digits, either case.
[[nodiscard]] std::optional<Uuid> parse_uuid(std::string_view text);
[[nodiscard]] Uuid random_uuid();                                        // version 4
[[nodiscard]] Uuid name_uuid(const Uuid& space, std::string_view name);  // version 5 (SHA-1)
// The first 16 octets of a hash in the form of a version 5 UUID (release.md §5).
[[nodiscard]] Uuid uuid_shaped(std::string_view bytes16);

}  // namespace entente

template <>
struct std::hash<entente::Uuid> {
  size_t operator()(const entente::Uuid& u) const noexcept {
    uint64_t v = 0;
    __builtin_memcpy(&v, u.b.data() + 8, 8);
    return static_cast<size_t>(v);
  }
};
