// JA3: https://github.com/salesforce/ja3. JA4: https://github.com/FoxIO-LLC/ja4, technical_details/JA4.md (the client
// fingerprint only; the others of its family have another licence).
#include "packet/tls.h"

#include <algorithm>
#include <memory>

#include <openssl/evp.h>

#include "base/bytes.h"
#include "packet/internal/octets.h"

namespace entente::packet {
namespace {

constexpr uint16_t kServerName = 0, kGroups = 10, kPointFormats = 11, kSignatures = 13, kAlpn = 16, kVersions = 43;
constexpr size_t kMaxAlpn = 16;
constexpr size_t kDigits = 12;  // of a digest in JA4

// RFC 8701 §2: 0x0a0a, 0x1a1a, … 0xfafa, which clients send so that servers stay tolerant.
bool is_grease(uint16_t v) { return (v & 0x0f0f) == 0x0a0a && (v >> 8) == (v & 0xff); }

using Numbers = std::vector<uint16_t>;

// A list of two-octet numbers without GREASE; false if it does not fit.
bool take_numbers(std::string_view b, Numbers& out) {
  if (b.size() % 2 != 0) return false;
  for (size_t i = 0; i < b.size(); i += 2)
    if (const uint16_t v = u16(b, i); !is_grease(v)) out.push_back(v);
  return true;
}

// A vector that is all of an extension: its length in `width` octets, then that many.
std::optional<std::string_view> whole_vector(std::string_view b, size_t width) {
  if (b.size() < width) return std::nullopt;
  const size_t length = width == 1 ? u8(b, 0) : u16(b, 0);
  return length == b.size() - width ? std::optional(b.substr(width)) : std::nullopt;
}

struct Lists {
  Numbers ciphers, extensions, groups, signatures, versions;
  std::string_view formats;
  std::string_view alpn;  // the list of names
  bool has_name = false;
};

// Calls fn(type, data) for each extension; false if they do not fit.
template <class Fn>
bool each_extension(std::string_view b, const Fn& fn) {
  while (b.size() >= 4) {
    const size_t length = u16(b, 2);
    if (b.size() - 4 < length) return false;
    fn(u16(b, 0), b.substr(4, length));
    b.remove_prefix(4 + length);
  }
  return b.empty();
}

// An extension whose data does not fit counts as one that is there with nothing in it, as the tools of the field have
// it.
std::optional<Lists> read_lists(const TlsHello& hello) {
  Lists out;
  if (!take_numbers(hello.ciphers, out.ciphers)) return std::nullopt;
  const bool fits = each_extension(hello.extensions, [&](uint16_t type, std::string_view data) {
    if (is_grease(type)) return;
    out.extensions.push_back(type);
    const auto numbers = [&](size_t width, Numbers& to) {
      Numbers some;
      if (const auto list = whole_vector(data, width); list && take_numbers(*list, some)) to = std::move(some);
    };
    if (type == kServerName) out.has_name = true;
    if (type == kGroups) numbers(2, out.groups);
    if (type == kSignatures) numbers(2, out.signatures);
    if (type == kVersions) numbers(1, out.versions);
    if (type == kPointFormats) out.formats = whole_vector(data, 1).value_or(std::string_view());
    if (type == kAlpn) out.alpn = whole_vector(data, 2).value_or(std::string_view());
  });
  return fits ? std::optional(std::move(out)) : std::nullopt;
}

void put_decimal(std::string& out, const Numbers& list) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out += '-';
    out += std::to_string(list[i]);
  }
}

std::string ja3_text(uint16_t version, const Lists& l) {
  std::string out = std::to_string(version) + ',';
  put_decimal(out, l.ciphers);
  out += ',';
  put_decimal(out, l.extensions);
  out += ',';
  put_decimal(out, l.groups);
  out += ',';
  for (size_t i = 0; i < l.formats.size(); ++i) {
    if (i > 0) out += '-';
    out += std::to_string(u8(l.formats, i));
  }
  return out;
}

std::string_view version_text(uint16_t v) {
  switch (v) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    case 0x0300:
      return "s3";
    case 0x0002:
      return "s2";
    default:
      return "00";
  }
}

bool is_alnum(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

// First and last character of the first protocol offered; of its hex digits if one of the two is no letter or digit.
std::string alpn_text(std::string_view list) {
  if (list.empty() || u8(list, 0) == 0 || list.size() - 1 < u8(list, 0)) return "00";
  const std::string_view first = list.substr(1, u8(list, 0));
  if (is_alnum(first.front()) && is_alnum(first.back())) return {first.front(), first.back()};
  const std::string digits = hex(first);
  return {digits.front(), digits.back()};
}

void put_count(std::string& out, size_t n) {
  n = std::min<size_t>(n, 99);
  out += static_cast<char>('0' + n / 10);
  out += static_cast<char>('0' + n % 10);
}

void put_hex(std::string& out, const Numbers& list) {
  constexpr char kHex[] = "0123456789abcdef";
  for (size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out += ',';
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[list[i] >> shift & 15];
  }
}

struct Ja4Parts {
  std::string a, b, c;
};

Ja4Parts ja4_parts(const TlsHello& hello, Lists l) {
  Ja4Parts out;
  const uint16_t version = l.versions.empty() ? hello.version : *std::max_element(l.versions.begin(), l.versions.end());
  out.a += hello.quic ? 'q' : 't';
  out.a += version_text(version);
  out.a += l.has_name ? 'd' : 'i';
  put_count(out.a, l.ciphers.size());
  put_count(out.a, l.extensions.size());
  out.a += alpn_text(l.alpn);
  std::sort(l.ciphers.begin(), l.ciphers.end());
  put_hex(out.b, l.ciphers);
  std::erase_if(l.extensions, [](uint16_t type) { return type == kServerName || type == kAlpn; });
  std::sort(l.extensions.begin(), l.extensions.end());
  put_hex(out.c, l.extensions);
  if (!l.signatures.empty()) {
    out.c += '_';
    put_hex(out.c, l.signatures);
  }
  return out;
}

// Fetched once: looking an algorithm up by its name costs more than the digest of a short text.
std::string digest(const EVP_MD* algorithm, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  if (algorithm == nullptr || EVP_Digest(text.data(), text.size(), out, &n, algorithm, nullptr) != 1) return {};
  return hex({reinterpret_cast<const char*>(out), n});
}
std::string md5(std::string_view text) {
  static EVP_MD* const kMd5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  return digest(kMd5, text);
}
std::string short_sha256(std::string_view text) {
  static EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return text.empty() ? std::string(kDigits, '0') : digest(kSha256, text).substr(0, kDigits);
}

}  // namespace

std::optional<TlsFingerprint> fingerprint(const TlsHello& hello) {
  auto lists = read_lists(hello);
  if (!lists) return std::nullopt;
  TlsFingerprint out;
  out.ja3 = md5(ja3_text(hello.version, *lists));
  const Ja4Parts p = ja4_parts(hello, *std::move(lists));
  out.ja4 = p.a + '_' + short_sha256(p.b) + '_' + short_sha256(p.c);
  return out;
}

std::optional<TlsFingerprintText> fingerprint_text(const TlsHello& hello) {
  auto lists = read_lists(hello);
  if (!lists) return std::nullopt;
  TlsFingerprintText out;
  out.ja3 = ja3_text(hello.version, *lists);
  const Ja4Parts p = ja4_parts(hello, *std::move(lists));
  out.ja4 = p.a + '_' + p.b + '_' + p.c;
  return out;
}

std::vector<std::string_view> alpn(const TlsHello& hello) {
  std::vector<std::string_view> out;
  each_extension(hello.extensions, [&](uint16_t type, std::string_view data) {
    if (type != kAlpn) return;
    for (auto list = whole_vector(data, 2).value_or(std::string_view()); !list.empty() && out.size() < kMaxAlpn;) {
      const size_t length = u8(list, 0);
      if (list.size() - 1 < length) return;
      const auto name = list.substr(1, length);
      list.remove_prefix(1 + length);
      const bool plain = std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
      if (plain && !name.empty()) out.push_back(name);
    }
  });
  return out;
}

}  // namespace entente::packet
