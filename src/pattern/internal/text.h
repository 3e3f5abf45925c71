// Text as LIKE and MATCHES see it (STIX 2.1 §9.6.1), and addresses as ISSUBSET and ISSUPERSET see them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pattern/internal/work.h"

namespace entente::pattern {

// Unicode normalisation form C. Requires: UTF-8; other octets come back as they are.
[[nodiscard]] std::string nfc(std::string_view text);
[[nodiscard]] bool ascii(std::string_view text);

// One octet for each code point; nullopt if one is above U+00FF (§9.6.4). Requires: UTF-8.
[[nodiscard]] std::optional<std::string> latin1_octets(std::string_view text);
[[nodiscard]] std::string from_latin1(std::string_view octets);

// LIKE over the whole of `value`: % any run, _ one code point. Both in NFC. False (and work.limited) if it would cost
// too much.
[[nodiscard]] bool like(std::string_view pattern, std::string_view value, Work& work);

// An address or CIDR block, host bits cleared.
struct Block {
  bool six = false;
  int bits = 0;
  std::array<uint8_t, 16> octets{};
};
[[nodiscard]] std::optional<Block> parse_block(std::string_view text);
[[nodiscard]] bool subset(const Block& inner, const Block& outer);  // equal blocks too

}  // namespace entente::pattern
