#include "detect/internal/query.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "base/bytes.h"
#include "detect/internal/hash.h"
#include "pattern/normal.h"

namespace entente::detect {
namespace {

// The value of a hex digit; 0x80 and more: none.
constexpr auto kHexDigits = [] {
  std::array<unsigned char, 256> out{};
  for (unsigned c = 0; c < 256; ++c) {
    const unsigned lower = c | 0x20;
    out[c] = static_cast<unsigned char>(c >= '0' && c <= '9'                       ? c - '0'
                                        : lower >= 'a' && lower <= 'f' && c < 0x80 ? lower - 'a' + 10
                                                                                   : 0x80);
  }
  return out;
}();

// A dot that DNS presentation form escapes is part of its label (RFC 1035 §5.1).
bool separates(std::string_view name, size_t dot) {
  size_t slashes = 0;
  while (slashes < dot && name[dot - 1 - slashes] == '\\') ++slashes;
  return slashes % 2 == 0;
}

// Calls fn(offset of the suffix, labels) for every suffix from the shortest on.
template <class Fn>
void each_suffix(std::string_view name, const Fn& fn) {
  size_t labels = 0;
  for (size_t i = name.size(); i-- > 0;)
    if (name[i] == '.' && separates(name, i)) fn(i + 1, ++labels);
  fn(size_t{0}, ++labels);
}

}  // namespace

uint64_t hash_seed() {
  static const uint64_t seed = uint64_t{std::random_device{}()} << 32 | std::random_device{}();
  return seed;
}

uint64_t class_seed(KeyClass cls) { return hash_seed() + (static_cast<uint64_t>(cls) + 1) * 0x9e3779b97f4a7c15; }

uint64_t hash_key(KeyClass cls, std::string_view octets) {
  const uint64_t seed = class_seed(cls);
  if (cls == KeyClass::kIpv4) {
    const auto at = [&](size_t i) { return uint32_t{static_cast<unsigned char>(octets[i])}; };
    return hash_v4(at(0) << 24 | at(1) << 16 | at(2) << 8 | at(3), seed);
  }
  if (cls == KeyClass::kIpv6) return hash_v6(octets.data(), seed);
  return hash_bytes(seed, octets);
}

uint64_t hash_name(KeyClass cls, std::string_view text) {
  char padded[kTailPad + 256];
  std::memset(padded, 0, kTailPad);
  if (text.size() > 256) text.remove_prefix(text.size() - 256);  // no key is longer
  std::copy(text.begin(), text.end(), padded + kTailPad);
  return hash_tail(padded + kTailPad + text.size(), text.size(), class_seed(cls));
}

std::string_view url_host(std::string_view host) {
  host.remove_prefix(host.find("://") + 3);
  host = host.substr(0, host.find_first_of("/?"));
  if (const size_t at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  return host.starts_with('[') ? host.substr(1, host.find(']') - 1) : host.substr(0, host.find(':'));
}

size_t digest_octets(std::string_view hex, char (&out)[64]) {
  if (hex.size() != 32 && hex.size() != 40 && hex.size() != 64 && hex.size() != 128) return 0;
  unsigned all = 0;
  for (size_t i = 0; i < hex.size(); i += 2) {
    const unsigned high = kHexDigits[static_cast<unsigned char>(hex[i])],
                   low = kHexDigits[static_cast<unsigned char>(hex[i + 1])];
    all |= high | low;
    out[i / 2] = static_cast<char>(high << 4 | low);
  }
  return (all & 0x80) != 0 ? 0 : hex.size() / 2;
}

Query::Query(const Observable& seen, bool below) {
  switch (seen.kind) {
    case ObservableKind::kIpv4:
    case ObservableKind::kIpv6:
      address(seen.text);
      return;
    case ObservableKind::kDomain:
      domain(seen.text, below);
      return;
    case ObservableKind::kUrl:
      url(seen.text, below);
      return;
    case ObservableKind::kEmail:
      email(seen.text);
      return;
    case ObservableKind::kJa4: {
      if (!pattern::is_ja4(seen.text)) return;
      const std::string lower = ascii_lower(seen.text);
      std::copy(lower.begin(), lower.end(), name_);
      add(KeyClass::kJa4, Accept::kAny, hash_name(KeyClass::kJa4, lower), name_, lower.size());
      return;
    }
    case ObservableKind::kJa3:
    case ObservableKind::kHash: {
      char digest[64];
      const size_t size = digest_octets(seen.text, digest);
      if (size == 0) return;
      char* text = std::copy_n(digest, size, name_);
      const char* end = std::copy(seen.text.begin(), seen.text.end(), text);
      add(KeyClass::kHash, Accept::kAny, hash_tail(end, seen.text.size(), class_seed(KeyClass::kHash)), name_, size);
      return;
    }
  }
}

void Query::add(KeyClass cls, Accept accept, uint64_t hash, const char* octets, size_t size, bool single) {
  probes_[count_++] = {.hash = hash,
                       .cls = cls,
                       .accept = accept,
                       .single = single,
                       .size = static_cast<uint16_t>(size),
                       .octets = octets};
}

void Query::address(std::string_view text) {
  const auto parsed = packet::parse_address(text);
  if (!parsed) return;
  if (parsed->v6) {
    has6_ = true;
    address6_ = *parsed;
    const auto mapped = parsed->mapped_v4();
    if (mapped) {  // an atom of this form is kept as IPv4
      has4_ = true;
      address4_ = *mapped;
    } else {
      const auto* octets = reinterpret_cast<const char*>(address6_.b.data());
      add(KeyClass::kIpv6, Accept::kAny, hash_key(KeyClass::kIpv6, {octets, 16}), octets, 16);
    }
  } else {
    has4_ = true;
    address4_ = *parsed;
  }
  if (has4_) {
    const auto* octets = reinterpret_cast<const char*>(address4_.b.data());
    add(KeyClass::kIpv4, Accept::kAny, hash_key(KeyClass::kIpv4, {octets, 4}), octets, 4);
  }
}

void Query::domain(std::string_view name, bool below) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kMaxName) return;
  bool ascii = true;
  for (size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    ascii = ascii && c < 0x80;
    name_[i] = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  }
  std::string_view lower(name_, name.size());
  if (!ascii) {
    auto labels = pattern::normal_domain(name);
    if (!labels) return;
    wide_ = *std::move(labels);
    lower = wide_;
  }
  if (!ascii) {
    if (wide_.size() > kMaxName) return;
    std::copy(wide_.begin(), wide_.end(), name_);
    lower = {name_, wide_.size()};
  }
  const uint64_t seed = class_seed(KeyClass::kDomain);
  const char* end = lower.data() + lower.size();
  if (!below) {
    return add(KeyClass::kDomain, Accept::kName, hash_tail(end, lower.size(), seed), lower.data(), lower.size(),
               lower.find('.') == std::string_view::npos);
  }
  each_suffix(lower, [&](size_t at, size_t labels) {
    if (labels <= kMaxLabels)
      add(KeyClass::kDomain, at == 0 ? Accept::kName : Accept::kBelow, hash_tail(end, lower.size() - at, seed),
          lower.data() + at, lower.size() - at, labels == 1);
  });
}

void Query::url(std::string_view text, bool below) {
  if (text.size() > 60000) return;
  auto normal = pattern::normal_url(text);
  if (!normal) return;
  text_ = *std::move(normal);
  if (text_.size() > UINT16_MAX) return;
  add(KeyClass::kUrl, Accept::kAny, hash_key(KeyClass::kUrl, text_), text_.data(), text_.size());
  const std::string_view host = url_host(text_);
  if (packet::parse_address(host)) {
    address(host);
  } else {
    domain(host, below);
  }
}

void Query::email(std::string_view text) {
  if (text.size() > 1000) return;
  auto normal = pattern::normal_email(text);
  if (!normal) return;
  text_ = *std::move(normal);
  add(KeyClass::kEmail, Accept::kAny, hash_key(KeyClass::kEmail, text_), text_.data(), text_.size());
}

}  // namespace entente::detect
