#include "packet/address.h"

#include <cstring>

namespace entente::packet {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

size_t write_decimal(uint8_t v, char* out) {
  size_t n = 0;
  if (v >= 100) out[n++] = static_cast<char>('0' + v / 100);
  if (v >= 10) out[n++] = static_cast<char>('0' + v / 10 % 10);
  out[n++] = static_cast<char>('0' + v % 10);
  return n;
}

size_t write_v4(const uint8_t* b, char* out) {
  size_t n = 0;
  for (size_t i = 0; i < 4; ++i) {
    if (i > 0) out[n++] = '.';
    n += write_decimal(b[i], out + n);
  }
  return n;
}

// RFC 5952 §4: no leading zeros, the longest run of two or more zero groups (the first of equals) as "::", lower case.
size_t write_v6(const Address& a, char* out) {
  size_t n = 0;
  size_t head = 8;
  if (std::memcmp(a.b.data(), kMappedPrefix.data(), kMappedPrefix.size()) == 0) head = 6;  // §5
  std::array<uint16_t, 8> group{};
  for (size_t i = 0; i < 8; ++i) group[i] = static_cast<uint16_t>(a.b[2 * i] << 8 | a.b[2 * i + 1]);
  size_t best = 8, best_length = 1;
  for (size_t i = 0; i < head;) {
    size_t j = i;
    while (j < head && group[j] == 0) ++j;
    if (j - i > best_length) {
      best = i;
      best_length = j - i;
    }
    i = j + 1;
  }
  for (size_t i = 0; i < head; ++i) {
    if (i == best) {
      out[n++] = ':';
      out[n++] = ':';
      i += best_length - 1;
      continue;
    }
    if (i > 0 && out[n - 1] != ':') out[n++] = ':';
    bool leading = true;
    for (int shift = 12; shift >= 0; shift -= 4) {
      const unsigned d = group[i] >> shift & 0xf;
      if (d == 0 && leading && shift > 0) continue;
      leading = false;
      out[n++] = "0123456789abcdef"[d];
    }
  }
  if (head == 6) {
    if (out[n - 1] != ':') out[n++] = ':';
    n += write_v4(a.b.data() + 12, out + n);
  }
  return n;
}

bool read_v4(std::string_view text, uint8_t* out) {
  size_t at = 0;
  for (size_t i = 0; i < 4; ++i) {
    if (i > 0) {
      if (at >= text.size() || text[at] != '.') return false;
      ++at;
    }
    unsigned v = 0;
    const size_t begin = at;
    while (at < text.size() && at - begin < 3 && text[at] >= '0' && text[at] <= '9')
      v = v * 10 + static_cast<unsigned>(text[at++] - '0');
    if (at == begin || v > 255 || (at - begin > 1 && text[begin] == '0')) return false;
    out[i] = static_cast<uint8_t>(v);
  }
  return at == text.size();
}

}  // namespace

std::optional<Address> Address::mapped_v4() const {
  if (!v6 || std::memcmp(b.data(), kMappedPrefix.data(), kMappedPrefix.size()) != 0) return std::nullopt;
  return from_octets(b.data() + 12, false);
}

Address Address::v4(uint32_t host_order) {
  Address a;
  for (size_t i = 0; i < 4; ++i) a.b[i] = static_cast<uint8_t>(host_order >> (24 - 8 * i));
  return a;
}

size_t write_text(const Address& address, char (&out)[kAddressTextMax]) {
  return address.v6 ? write_v6(address, out) : write_v4(address.b.data(), out);
}

std::string to_text(const Address& address) {
  char text[kAddressTextMax];
  return {text, write_text(address, text)};
}

std::optional<Address> parse_v4(std::string_view text) {
  Address a;
  if (text.size() < 7 || text.size() > 15 || !read_v4(text, a.b.data())) return std::nullopt;
  return a;
}

std::optional<Address> parse_v6(std::string_view text) {
  if (text.size() < 2 || text.size() > 45) return std::nullopt;
  Address a;
  a.v6 = true;
  size_t at = 0, groups = 0, gap = 9;  // gap: number of groups before "::"
  if (text[0] == ':') {
    if (text[1] != ':') return std::nullopt;
    gap = 0;
    at = 2;
  }
  while (at < text.size()) {
    if (groups == 8) return std::nullopt;
    const size_t begin = at;
    unsigned v = 0;
    while (at < text.size() && at - begin < 4 && hex_digit(text[at]) >= 0)
      v = v << 4 | static_cast<unsigned>(hex_digit(text[at++]));
    if (at < text.size() && text[at] == '.') {
      if (groups > 6 || !read_v4(text.substr(begin), a.b.data() + 2 * groups)) return std::nullopt;
      groups += 2;
      at = text.size();
      break;
    }
    if (at == begin) return std::nullopt;
    a.b[2 * groups] = static_cast<uint8_t>(v >> 8);
    a.b[2 * groups + 1] = static_cast<uint8_t>(v);
    ++groups;
    if (at == text.size()) break;
    if (text[at] != ':' || ++at == text.size()) return std::nullopt;
    if (text[at] == ':') {
      if (gap != 9) return std::nullopt;
      gap = groups;
      ++at;
    }
  }
  if (gap == 9) return groups == 8 ? std::optional(a) : std::nullopt;
  if (groups == 8) return std::nullopt;  // "::" stands for at least one group
  const size_t tail = 2 * (groups - gap);
  std::memmove(a.b.data() + 16 - tail, a.b.data() + 2 * gap, tail);
  std::memset(a.b.data() + 2 * gap, 0, 16 - tail - 2 * gap);
  return a;
}

std::optional<Address> parse_address(std::string_view text) {
  return text.find(':') == std::string_view::npos ? parse_v4(text) : parse_v6(text);
}

}  // namespace entente::packet
