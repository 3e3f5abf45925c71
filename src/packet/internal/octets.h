// Big-endian reading from a view; the caller has checked the length.
#pragma once

#include <cstdint>
#include <string_view>

namespace entente::packet {

inline uint8_t u8(std::string_view b, size_t at) { return static_cast<uint8_t>(b[at]); }
inline uint16_t u16(std::string_view b, size_t at) { return static_cast<uint16_t>(u8(b, at) << 8 | u8(b, at + 1)); }
inline uint32_t u24(std::string_view b, size_t at) { return uint32_t{u8(b, at)} << 16 | u16(b, at + 1); }
inline uint32_t u32(std::string_view b, size_t at) { return uint32_t{u16(b, at)} << 16 | u16(b, at + 2); }

}  // namespace entente::packet
