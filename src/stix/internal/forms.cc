#include "stix/internal/forms.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include <arpa/inet.h>

namespace entente::stix::internal {
namespace {

enum : uint8_t { kDigit = 1, kLower = 2, kUpper = 4, kHexLower = 8, kHexUpper = 16, kUri = 32 };

constexpr std::array<uint8_t, 256> kClass = [] {
  std::array<uint8_t, 256> t{};
  for (int c = '0'; c <= '9'; ++c) t[static_cast<size_t>(c)] = kDigit | kHexLower | kUri;
  for (int c = 'a'; c <= 'z'; ++c) t[static_cast<size_t>(c)] = kLower | kUri;
  for (int c = 'A'; c <= 'Z'; ++c) t[static_cast<size_t>(c)] = kUpper | kUri;
  for (int c = 'a'; c <= 'f'; ++c) t[static_cast<size_t>(c)] |= kHexLower;
  for (int c = 'A'; c <= 'F'; ++c) t[static_cast<size_t>(c)] |= kHexUpper;
  for (const char c : std::string_view("-._~:/?#[]@!$&'()*+,;=%")) t[static_cast<unsigned char>(c)] |= kUri;
  return t;
}();

bool is(char c, int classes) { return (kClass[static_cast<unsigned char>(c)] & classes) != 0; }

bool all(std::string_view text, int classes, std::string_view also = {}) {
  for (const char c : text) {
    if (!is(c, classes) && also.find(c) == std::string_view::npos) return false;
  }
  return true;
}

// A decimal number 0..max without leading zeros.
bool number_up_to(std::string_view text, int max) {
  if (text.empty() || text.size() > 3 || !all(text, kDigit) || (text.size() > 1 && text.front() == '0')) return false;
  int v = 0;
  for (const char c : text) v = v * 10 + (c - '0');
  return v <= max;
}

bool address(std::string_view text, int family, int max_bits) {
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos && !number_up_to(text.substr(slash + 1), max_bits)) return false;
  text = text.substr(0, slash);
  std::array<char, 64> buffer{};
  if (text.size() >= buffer.size() || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(buffer.data(), text.data(), text.size());
  std::array<unsigned char, 16> octets{};
  return inet_pton(family, buffer.data(), octets.data()) == 1;
}

}  // namespace

UuidForm uuid_form(std::string_view text) {
  UuidForm form;
  if (text.size() != 36) return form;
  unsigned seen = 0;
  unsigned good = kHexLower | kHexUpper;
  for (size_t i = 0; i < 36; ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return form;
      continue;
    }
    const unsigned c = kClass[static_cast<unsigned char>(text[i])] & (kHexLower | kHexUpper);
    seen |= c;
    if (c == 0) good = 0;
  }
  form.valid = good != 0;
  form.upper = (seen & kHexUpper) != 0;
  const char v = text[14];
  form.version = v >= '0' && v <= '9' ? v - '0' : 10;
  form.rfc4122 = std::string_view("89abAB").find(text[19]) != std::string_view::npos;
  return form;
}

bool is_type_name(std::string_view text) {
  return text.size() >= 3 && text.size() <= 250 && is(text.front(), kLower) && text.back() != '-' &&
         all(text, kLower | kDigit, "-") && text.find("--") == std::string_view::npos;
}

bool is_property_name(std::string_view text) {
  return text.size() >= 3 && text.size() <= 250 && is(text.front(), kLower) && all(text, kLower | kDigit, "_");
}

bool is_dictionary_key(std::string_view text) {
  return !text.empty() && text.size() <= 250 && all(text, kLower | kUpper | kDigit, "-_");
}

bool has_upper(std::string_view text) {
  for (const char c : text) {
    if (is(c, kUpper)) return true;
  }
  return false;
}

bool is_term(std::string_view text) { return !text.empty() && all(text, kLower | kDigit, "-+#."); }
bool is_hex_lower(std::string_view text) { return text.size() % 2 == 0 && all(text, kHexLower); }
bool is_hex(std::string_view text, size_t digits) { return text.size() == digits && all(text, kHexLower | kHexUpper); }

bool is_base64(std::string_view text) {
  if (text.size() % 4 != 0) return false;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return all(text, kLower | kUpper | kDigit, "+/");
}

bool is_language(std::string_view text) {
  size_t part = 0;
  for (size_t at = 0; at <= text.size(); ++part) {
    const size_t end = std::min(text.find('-', at), text.size());
    const auto subtag = text.substr(at, end - at);
    const bool first = part == 0;
    if (subtag.empty() || subtag.size() > 8 || !all(subtag, first ? kLower | kUpper : kLower | kUpper | kDigit))
      return false;
    // One letter alone begins a private (x-) or grandfathered (i-) tag, which needs more.
    if (first && subtag.size() == 1 &&
        (std::string_view("xXiI").find(subtag.front()) == std::string_view::npos || end == text.size())) {
      return false;
    }
    at = end + 1;
  }
  return part > 0;
}

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (size_t i = 0; i < 17; ++i) {
    if (i % 3 == 2 ? text[i] != ':' : !is(text[i], kHexLower)) return false;
  }
  return true;
}

bool is_ipv4(std::string_view text) { return address(text, AF_INET, 32); }
bool is_ipv6(std::string_view text) { return address(text, AF_INET6, 128); }

bool is_domain(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > 1000) return false;
  size_t label = 0;
  bool ascii = true;
  for (const char c : text) {
    const bool wide = static_cast<unsigned char>(c) >= 0x80;
    ascii = ascii && !wide;
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
    } else if (!wide && !is(c, kLower | kUpper | kDigit) && c != '-' && c != '_') {
      return false;
    } else if (++label > 63 && ascii) {
      return false;
    }
  }
  return label != 0 && (!ascii || text.size() <= 253);
}

bool is_url(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || !is(text.front(), kLower | kUpper)) return false;
  if (!all(text.substr(0, colon), kLower | kUpper | kDigit, "+-.")) return false;
  for (const char c : text.substr(colon)) {
    // Letters beyond ASCII make an IRI (RFC 3987), which the field writes without a second thought.
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>' || c == '"') return false;
  }
  return true;
}

bool is_email(std::string_view text) {
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == text.size()) return false;
  if (text.front() == '"') return true;  // a quoted local part may hold nearly anything
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>' || c == ',') return false;
  }
  return text[at + 1] == '[' || is_domain(text.substr(at + 1));
}

bool is_cpe23(std::string_view text) {
  if (!text.starts_with("cpe:2.3:")) return false;
  int colons = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == ':')
      ++colons;
  }
  return colons == 12;
}

bool is_mime(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && slash != 0 && slash + 1 < text.size() && text.find(' ') > slash;
}

bool is_charset(std::string_view text) {
  return text.size() >= 2 && text.size() <= 250 && all(text, kLower | kUpper | kDigit, "/.+_:()-");
}

bool is_registry_key(std::string_view text) {
  const auto hive = text.substr(0, text.find('\\'));
  for (const std::string_view alias : {"hklm", "hkcu", "hkcr", "hku", "hkcc"}) {
    if (hive.size() != alias.size()) continue;
    bool same = true;
    for (size_t i = 0; i < alias.size(); ++i) same = same && (hive[i] | 0x20) == alias[i];
    if (same) return false;
  }
  return true;
}

bool is_semver(std::string_view text) {
  text = text.substr(0, text.find_first_of("-+"));
  for (int part = 0; part < 3; ++part) {
    const size_t dot = text.find('.');
    const auto number = text.substr(0, dot);
    if (number.empty() || !all(number, kDigit)) return false;
    if (dot == std::string_view::npos) return part == 2;
    text.remove_prefix(dot + 1);
  }
  return false;
}

bool is_cve(std::string_view text) {
  return text.size() >= 13 && text.starts_with("CVE-") && all(text.substr(4, 4), kDigit) && text[8] == '-' &&
         all(text.substr(9), kDigit);
}

bool is_capec(std::string_view text) {
  return text.size() > 6 && text.starts_with("CAPEC-") && all(text.substr(6), kDigit);
}

bool hash_fits(std::string_view algorithm, std::string_view value) {
  struct Length {
    std::string_view algorithm;
    size_t digits;
  };
  static constexpr std::array kLengths = {Length{"MD5", 32},      Length{"SHA-1", 40},    Length{"SHA-256", 64},
                                          Length{"SHA-512", 128}, Length{"SHA3-256", 64}, Length{"SHA3-512", 128}};
  for (const auto& entry : kLengths) {
    if (entry.algorithm == algorithm) return is_hex(value, entry.digits);
  }
  if (algorithm == "TLSH") return is_hex(value.starts_with("T1") ? value.substr(2) : value, 70);
  if (algorithm == "SSDEEP") {  // block size, and two signatures in base64 digits
    const size_t first = value.find(':');
    const size_t second = first == std::string_view::npos ? first : value.find(':', first + 1);
    return second != std::string_view::npos && first != 0 && all(value.substr(0, first), kDigit) &&
           all(value.substr(first + 1), kLower | kUpper | kDigit, "+/:");
  }
  return true;
}

}  // namespace entente::stix::internal
