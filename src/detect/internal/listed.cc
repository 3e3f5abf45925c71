#include "detect/internal/listed.h"

#include <array>

#include "packet/address.h"
#include "pattern/normal.h"

namespace entente::detect {
namespace {

using pattern::AtomKind;

enum : unsigned char {
  kDigit = 1,
  kHex = 2,
  kUpperHex = 4,
  kLetter = 8,
  kDot = 16,
  kHyphen = 32,
  kOther = 64,
  kOdd = 128
};

constexpr auto kClasses = [] {
  std::array<unsigned char, 256> out{};
  for (unsigned c = 0; c < 256; ++c) {
    if (c >= '0' && c <= '9') {
      out[c] = kDigit;
    } else if (c >= 'a' && c <= 'f') {
      out[c] = kHex;
    } else if (c >= 'A' && c <= 'F') {
      out[c] = kUpperHex;
    } else if (c >= 'g' && c <= 'z') {
      out[c] = kLetter;
    } else if (c == '.') {
      out[c] = kDot;
    } else if (c == '-' || c == '_') {
      out[c] = kHyphen;
    } else {
      // What may be defanged, or is beyond ASCII, is not plain.
      out[c] = c > 0x20 && c < 0x7f && c != '[' && c != '(' ? kOther : kOdd;
    }
  }
  return out;
}();

// Of lower case letters, digits, dots, hyphens and underscores: as pattern::normal_domain() has it, but for a trailing
// dot, and not a number at its end (pattern_of_value()).
bool is_name(std::string_view text) {
  size_t label = 0, digits = 0;
  for (const char c : text) {
    if (c == '.') {
      if (label == 0) return false;
      label = digits = 0;
      continue;
    }
    if (++label > 63) return false;
    digits += c >= '0' && c <= '9' ? 1 : 0;
  }
  return label > 0 && digits < label;
}

}  // namespace

std::optional<Listed> plain_value(std::string_view v, std::string& scratch) {
  if (v.size() < 4 || v.size() > 2000) return std::nullopt;
  unsigned seen = 0;
  for (const char c : v) seen |= kClasses[static_cast<unsigned char>(c)];
  if ((seen & kOdd) != 0) return std::nullopt;
  if ((seen & ~unsigned{kDigit | kHex | kUpperHex}) == 0) {
    if (v.size() == 32) return Listed{AtomKind::kMd5, v};
    if (v.size() == 40) return Listed{AtomKind::kSha1, v};
    if (v.size() == 64) return Listed{AtomKind::kSha256, v};
    if (v.size() == 128) return Listed{AtomKind::kSha512, v};
    return std::nullopt;
  }
  if (seen == (kDigit | kDot)) return packet::parse_v4(v) ? std::optional(Listed{AtomKind::kIpv4, v}) : std::nullopt;
  if ((seen & (kUpperHex | kOther)) == 0)
    return (seen & kDot) != 0 && v.size() <= 253 && is_name(v) ? std::optional(Listed{AtomKind::kDomain, v})
                                                               : std::nullopt;
  if (v.starts_with("http://") || v.starts_with("https://")) {
    auto url = pattern::normal_url(v);
    if (!url) return std::nullopt;
    scratch = *std::move(url);
    return Listed{AtomKind::kUrl, scratch};
  }
  if (v.size() <= 49 && v.find_first_of(":/") != std::string_view::npos) {
    const auto address = pattern::normal_address(v);
    if (!address) return std::nullopt;
    // What is kept of a mapped address or block is IPv4, and its pattern is not.
    const auto first = packet::parse_address(std::string_view(address->value).substr(0, address->value.find('/')));
    if (!first || first->mapped_v4()) return std::nullopt;
    scratch = address->value;
    return Listed{address->kind, scratch};
  }
  if (v.find('@') == std::string_view::npos || v.find_first_of("/:") != std::string_view::npos) return std::nullopt;
  auto mail = pattern::normal_email(v);
  if (!mail) return std::nullopt;
  scratch = *std::move(mail);
  return Listed{AtomKind::kEmail, scratch};
}

}  // namespace entente::detect
