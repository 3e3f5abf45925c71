#include "base/bytes.h"

#include <array>
#include <bit>
#include <cstring>

namespace entente {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<int8_t, 256> reverse(std::string_view alphabet) {
  std::array<int8_t, 256> table{};
  table.fill(-1);
  for (size_t i = 0; i < alphabet.size(); ++i) table[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
  return table;
}
constexpr auto kFromBase64 = reverse(kBase64);
constexpr auto kFromBase64Url = reverse(kBase64Url);

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string encode64(std::string_view in, std::string_view alphabet, bool pad) {
  const size_t left = in.size() % 3;
  std::string out(in.size() / 3 * 4 + (left == 0 ? 0 : pad ? 4 : left + 1), '=');
  const auto at = [&](size_t i) -> uint32_t { return static_cast<uint8_t>(in[i]); };
  char* to = out.data();
  size_t i = 0;
  for (; i + 3 <= in.size(); i += 3) {
    const uint32_t v = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) *to++ = alphabet[v >> shift & 63];
  }
  if (left != 0) {
    const uint32_t v = at(i) << 16 | (left == 2 ? at(i + 1) << 8 : 0);
    *to++ = alphabet[v >> 18 & 63];
    *to++ = alphabet[v >> 12 & 63];
    if (left == 2) *to = alphabet[v >> 6 & 63];
  }
  return out;
}

// `in` without padding. Unused low bits of the last digit must be zero, so that every octet string has one text form.
Result<std::string> decode64(std::string_view in, const std::array<int8_t, 256>& table) {
  if (in.size() % 4 == 1) return invalid("base64 of impossible length");
  std::string out;
  out.reserve(in.size() * 3 / 4);
  uint32_t acc = 0;
  int bits = 0;
  for (const char c : in) {
    const int v = table[static_cast<uint8_t>(c)];
    if (v < 0) return invalid("character outside the base64 alphabet");
    acc = (acc << 6 | static_cast<uint32_t>(v)) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(acc >> bits & 0xff);
    }
  }
  if ((acc & ((1u << bits) - 1)) != 0) return invalid("base64 with stray bits at its end");
  return out;
}

template <class T>
T big_endian(T v) {
  return std::endian::native == std::endian::little ? std::byteswap(v) : v;
}

template <class T>
void put_be(std::string& out, T v) {
  const T stored = big_endian(v);
  char octets[sizeof(T)];
  std::memcpy(octets, &stored, sizeof(T));
  out.append(octets, sizeof(T));
}

// 0 if there are fewer octets.
template <class T>
T get_be(std::string_view bytes) {
  T stored = 0;
  if (bytes.size() == sizeof(T)) bytes.copy(reinterpret_cast<char*>(&stored), sizeof(T));
  return big_endian(stored);
}

// Length of the well-formed UTF-8 sequence at text[i] (RFC 3629 §4) with its code point, or 0.
size_t utf8_sequence(std::string_view text, size_t i, uint32_t& cp) {
  const auto at = [&](size_t k) -> uint32_t { return k < text.size() ? static_cast<uint8_t>(text[k]) : 0; };
  const auto tail = [&](size_t k) { return (at(k) & 0xc0) == 0x80; };
  const uint32_t b = at(i);
  if (b < 0x80) {
    cp = b;
    return 1;
  }
  if (b >= 0xc2 && b <= 0xdf && tail(i + 1)) {
    cp = (b & 0x1f) << 6 | (at(i + 1) & 0x3f);
    return 2;
  }
  if (b >= 0xe0 && b <= 0xef && tail(i + 1) && tail(i + 2)) {
    cp = (b & 0x0f) << 12 | (at(i + 1) & 0x3f) << 6 | (at(i + 2) & 0x3f);
    return cp >= 0x800 && (cp < 0xd800 || cp > 0xdfff) ? 3 : 0;
  }
  if (b >= 0xf0 && b <= 0xf4 && tail(i + 1) && tail(i + 2) && tail(i + 3)) {
    cp = (b & 0x07) << 18 | (at(i + 1) & 0x3f) << 12 | (at(i + 2) & 0x3f) << 6 | (at(i + 3) & 0x3f);
    return cp >= 0x10000 && cp <= 0x10ffff ? 4 : 0;
  }
  return 0;
}

// What must not reach a terminal: C0, DEL, C1, line and paragraph separators and the bidirectional controls that
// reorder what is read.
bool unprintable(uint32_t cp) {
  return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x200e || cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) ||
         (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

}  // namespace

std::string hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += kHexDigits[static_cast<uint8_t>(c) >> 4];
    out += kHexDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

Result<std::string> unhex(std::string_view text) {
  if (text.size() % 2 != 0) return invalid("hex text of odd length");
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return invalid("not a hex digit");
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

std::string base64(std::string_view bytes) { return encode64(bytes, kBase64, true); }
std::string base64url(std::string_view bytes) { return encode64(bytes, kBase64Url, false); }

Result<std::string> unbase64(std::string_view text) {
  if (text.size() % 4 != 0) return invalid("base64 without its padding");
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  return decode64(text, kFromBase64);
}

Result<std::string> unbase64url(std::string_view text) { return decode64(text, kFromBase64Url); }

void put_u16(std::string& out, uint16_t v) { put_be(out, v); }
void put_u32(std::string& out, uint32_t v) { put_be(out, v); }
void put_u64(std::string& out, uint64_t v) { put_be(out, v); }
void put_bytes(std::string& out, std::string_view bytes) {
  put_u32(out, static_cast<uint32_t>(bytes.size()));
  out += bytes;
}

std::string_view ByteReader::take(size_t n) {
  if (!ok_ || n > rest_.size()) {
    ok_ = false;
    return {};
  }
  const auto out = rest_.substr(0, n);
  rest_.remove_prefix(n);
  return out;
}
uint8_t ByteReader::u8() { return get_be<uint8_t>(take(1)); }
uint16_t ByteReader::u16() { return get_be<uint16_t>(take(2)); }
uint32_t ByteReader::u32() { return get_be<uint32_t>(take(4)); }
uint64_t ByteReader::u64() { return get_be<uint64_t>(take(8)); }
std::string_view ByteReader::bytes() {
  const uint32_t n = u32();
  return take(n);
}

bool valid_utf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    if (i + 8 <= text.size()) {
      uint64_t word = 0;
      std::memcpy(&word, text.data() + i, 8);
      if ((word & 0x8080808080808080u) == 0) {
        i += 8;
        continue;
      }
    }
    uint32_t cp = 0;
    const size_t n = utf8_sequence(text, i, cp);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::string printable(std::string_view text, size_t max_chars) {
  std::string out;
  size_t chars = 0;
  for (size_t i = 0; i < text.size(); ++chars) {
    if (chars == max_chars) return out + "...";
    uint32_t cp = 0;
    size_t n = utf8_sequence(text, i, cp);
    if (n == 0 || unprintable(cp)) {
      n = n == 0 ? 1 : n;
      for (size_t k = 0; k < n; ++k) out += "\\x" + hex(text.substr(i + k, 1));
    } else {
      out += text.substr(i, n);
    }
    i += n;
  }
  return out;
}

}  // namespace entente
