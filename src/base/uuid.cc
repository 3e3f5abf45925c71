#include "base/uuid.h"

#include <cstring>

#include "base/crypto.h"

namespace entente {
namespace {

constexpr bool dash_before(size_t octet) { return octet == 4 || octet == 6 || octet == 8 || octet == 10; }

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 4122 §4.1.1 and §4.1.3.
Uuid shaped(const void* octets, int version) {
  Uuid u;
  std::memcpy(u.b.data(), octets, 16);
  u.b[6] = static_cast<uint8_t>((u.b[6] & 0x0f) | version << 4);
  u.b[8] = static_cast<uint8_t>((u.b[8] & 0x3f) | 0x80);
  return u;
}

}  // namespace

std::string Uuid::text() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (size_t i = 0; i < 16; ++i) {
    if (dash_before(i)) out += '-';
    out += kDigits[b[i] >> 4];
    out += kDigits[b[i] & 15];
  }
  return out;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid u;
  size_t at = 0;
  for (size_t i = 0; i < 16; ++i) {
    if (dash_before(i) && text[at++] != '-') return std::nullopt;
    const int high = digit(text[at]);
    const int low = digit(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    u.b[i] = static_cast<uint8_t>(high << 4 | low);
    at += 2;
  }
  return u;
}

Uuid random_uuid() { return shaped(random_bytes(16).data(), 4); }

Uuid name_uuid(const Uuid& space, std::string_view name) {
  std::string input(space.raw());
  input += name;
  return shaped(sha1(input).data(), 5);
}

Uuid uuid_shaped(std::string_view bytes16) {
  std::array<char, 16> octets{};
  std::memcpy(octets.data(), bytes16.data(), bytes16.size() < 16 ? bytes16.size() : 16);
  return shaped(octets.data(), 5);
}

}  // namespace entente
