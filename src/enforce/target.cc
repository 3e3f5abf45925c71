#include "enforce/target.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

#include "base/bytes.h"

namespace entente::enforce {

namespace {

void clear_host_bits(Prefix& p) {
  for (size_t i = 0; i < 16; ++i) {
    const size_t first = i * 8;
    if (first >= p.bits) {
      p.bytes[i] = 0;
    } else if (p.bits - first < 8) {
      p.bytes[i] = static_cast<uint8_t>(p.bytes[i] & (0xff << (8 - (p.bits - first))));
    }
  }
}

// ::ffff:0:0/96 is IPv4 in the clothes of IPv6 (RFC 4291 §2.5.5.2).
void unmap(Prefix& p) {
  static constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!p.v6 || p.bits < 96 || !std::equal(kMapped.begin(), kMapped.end(), p.bytes.begin())) return;
  std::array<uint8_t, 16> v4{};
  std::copy_n(p.bytes.begin() + 12, 4, v4.begin());
  p = Prefix{false, v4, static_cast<uint8_t>(p.bits - 96)};
}

}  // namespace

bool Prefix::contains(const Prefix& other) const {
  if (v6 != other.v6 || other.bits < bits) return false;
  const size_t whole = bits / 8u;
  if (std::memcmp(bytes.data(), other.bytes.data(), whole) != 0) return false;
  const unsigned rest = bits % 8u;
  return rest == 0 || ((bytes[whole] ^ other.bytes[whole]) >> (8 - rest)) == 0;
}

Prefix Prefix::widened(uint8_t to_bits) const {
  Prefix p = *this;
  p.bits = to_bits;
  clear_host_bits(p);
  return p;
}

std::string Prefix::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer);
  std::string out = buffer;
  if (!single()) out += "/" + std::to_string(bits);
  return out;
}

Result<Prefix> parse_prefix(std::string_view text) {
  const auto bad = [&] {
    return invalid("no address or range: \"" + printable(text, 60) + "\"", {},
                   "write it as 198.51.100.7 or 198.51.100.0/24");
  };
  const size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  if (address.size() >= INET6_ADDRSTRLEN || address.find('\0') != std::string::npos) return bad();
  Prefix p;
  if (inet_pton(AF_INET, address.c_str(), p.bytes.data()) != 1) {
    p.v6 = true;
    if (inet_pton(AF_INET6, address.c_str(), p.bytes.data()) != 1) return bad();
  }
  p.bits = p.width();
  if (slash != std::string_view::npos) {
    const std::string_view n = text.substr(slash + 1);
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(n.data(), n.data() + n.size(), bits);
    if (error != std::errc{} || end != n.data() + n.size() || n.size() > 3 || bits > p.width()) return bad();
    p.bits = static_cast<uint8_t>(bits);
    clear_host_bits(p);
  }
  unmap(p);
  return p;
}

Result<std::string> canonical_name(std::string_view text) {
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  const auto bad = [&](const char* why) {
    return invalid(std::string("no host name (") + why + "): \"" + printable(text, 60) + "\"");
  };
  if (text.empty() || text.size() > 253) return bad("1 to 253 octets");
  std::string out;
  out.reserve(text.size());
  size_t label = 0;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '.') {
      if (label == 0) return bad("empty label");
      label = 0;
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') {
      if (++label > 63) return bad("label above 63 octets");
    } else {
      return bad("letters, digits, '-' and '_' only; other scripts as xn--");
    }
    out += c;
  }
  if (label == 0) return bad("empty label");
  return out;
}

Target Target::of(const Prefix& prefix) {
  Target t;
  t.kind = prefix.single() ? TargetKind::kAddress : TargetKind::kRange;
  t.prefix = prefix;
  return t;
}

std::string Target::text() const {
  if (kind != TargetKind::kName) return prefix.text();
  return tree ? "*." + host : host;
}

Result<Target> parse_target(std::string_view text) {
  if (auto prefix = parse_prefix(text); prefix.ok()) return Target::of(*prefix);
  Target t;
  t.kind = TargetKind::kName;
  if (text.starts_with("*.")) {
    t.tree = true;
    text.remove_prefix(2);
  }
  TRY(t.host, canonical_name(text));
  // "1.2.3" and "10.0.0.300" are mistyped addresses, not names: no top-level domain is a number (RFC 3696 §2).
  const std::string_view last = std::string_view(t.host).substr(t.host.rfind('.') + 1);
  if (last.find_first_not_of("0123456789") == std::string_view::npos)
    return invalid("neither an address nor a name: \"" + printable(text, 60) + "\"");
  return t;
}

}  // namespace entente::enforce
