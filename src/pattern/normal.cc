#include "pattern/normal.h"

#include <array>
#include <charconv>

#include <arpa/inet.h>
#include <idn2.h>

#include "base/bytes.h"

namespace entente::pattern {
namespace {

bool ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

std::optional<std::string> to_a_labels(std::string_view name) {
  char* out = nullptr;
  const std::string in(name);  // needs a terminating zero; a zero inside is refused by the caller's check of characters
  const int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
  const int rc = idn2_lookup_u8(reinterpret_cast<const uint8_t*>(in.c_str()), reinterpret_cast<uint8_t**>(&out), flags);
  if (rc != IDN2_OK) return std::nullopt;
  std::string result(out);
  idn2_free(out);
  return result;
}

std::optional<int> prefix_length(std::string_view text, int max) {
  int bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  if (error != std::errc() || end != text.data() + text.size() || bits < 0 || bits > max) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return bits;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// Percent signs: capitals, decoded where the character needs none; what may not stand bare in a URL gets one.
std::string normal_percent(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  const auto put = [&](unsigned char c) {
    out += '%';
    out += kHex[c >> 4];
    out += kHex[c & 15];
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      const auto v = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      if (unreserved(v))
        out += v;
      else
        put(static_cast<unsigned char>(v));
      i += 2;
    } else if (c == '%' || static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      // Also a percent sign that begins no escape: bare, it could begin one with what is decoded behind it.
      put(static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

// RFC 3986 §5.2.4, for a path that begins with a slash.
std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/', 1), path.size());
    const auto segment = path.substr(0, end);
    const bool last = end == path.size();
    if (segment == "/..") {
      out.resize(out.empty() ? 0 : out.rfind('/'));
      if (last) out += '/';
    } else if (segment == "/.") {
      if (last) out += '/';
    } else {
      out += segment;
    }
    path.remove_prefix(end);
  }
  return out;
}

std::string_view default_port(std::string_view scheme) {
  if (scheme == "http" || scheme == "ws") return "80";
  if (scheme == "https" || scheme == "wss") return "443";
  if (scheme == "ftp") return "21";
  return {};
}

std::optional<std::string> normal_host(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const auto address = normal_address(host.substr(1, host.size() - 2));
    if (!address || address->kind != AtomKind::kIpv6) return std::nullopt;
    return "[" + address->value + "]";
  }
  return normal_domain(host);
}

}  // namespace

std::optional<std::string> normal_domain(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  std::string name;
  if (ascii(text)) {
    name = ascii_lower(text);
  } else {
    if (text.size() > 1000 || text.find('\0') != std::string_view::npos) return std::nullopt;
    auto labels = to_a_labels(text);
    if (!labels) return std::nullopt;
    name = *std::move(labels);
  }
  if (name.empty() || name.size() > 253) return std::nullopt;
  size_t label = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label == 0) return std::nullopt;
      label = 0;
      continue;
    }
    const bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!fine || ++label > 63) return std::nullopt;
  }
  if (label == 0) return std::nullopt;
  return name;
}

std::optional<Atom> normal_address(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  if (address.size() > 45 || address.find('\0') != std::string::npos) return std::nullopt;
  const bool six = address.find(':') != std::string::npos;
  const int family = six ? AF_INET6 : AF_INET;
  const int max = six ? 128 : 32;
  std::array<unsigned char, 16> octets{};
  if (inet_pton(family, address.c_str(), octets.data()) != 1) return std::nullopt;
  int bits = max;
  if (slash != std::string_view::npos) {
    const auto given = prefix_length(text.substr(slash + 1), max);
    if (!given) return std::nullopt;
    bits = *given;
  }
  for (int i = bits; i < max; ++i) {
    auto& octet = octets[static_cast<size_t>(i / 8)];
    octet = static_cast<unsigned char>(octet & ~(0x80U >> (i % 8)));
  }
  std::array<char, INET6_ADDRSTRLEN> printed{};
  inet_ntop(family, octets.data(), printed.data(), printed.size());
  Atom atom;
  atom.value = printed.data();
  if (bits < max) {
    atom.kind = six ? AtomKind::kCidr6 : AtomKind::kCidr4;
    atom.value += "/" + std::to_string(bits);
  } else {
    atom.kind = six ? AtomKind::kIpv6 : AtomKind::kIpv4;
  }
  return atom;
}

std::optional<std::string> normal_url(std::string_view text) {
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string scheme = ascii_lower(text.substr(0, colon));
  for (const char c : scheme) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    if (!fine) return std::nullopt;
  }
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const size_t end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  rest.remove_prefix(end);

  std::string user;
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    user = normal_percent(authority.substr(0, at)) + "@";
    authority.remove_prefix(at + 1);
  }
  std::string port;
  if (const size_t p = authority.rfind(':');
      p != std::string_view::npos && authority.find(']', p) == std::string_view::npos) {
    const auto digits = authority.substr(p + 1);
    if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    if (!digits.empty() && digits != default_port(scheme)) port = ":" + std::string(digits);
    authority = authority.substr(0, p);
  }
  const auto host = normal_host(authority);
  if (!host) return std::nullopt;

  const size_t question = std::min(rest.find('?'), rest.size());
  std::string path = without_dots(normal_percent(rest.substr(0, question)));
  if (path.empty()) path = "/";
  return scheme + "://" + user + *host + port + path + normal_percent(rest.substr(question));
}

std::optional<std::string> normal_email(std::string_view text) {
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  const auto domain = normal_domain(text.substr(at + 1));
  if (!domain) return std::nullopt;
  return ascii_lower(text.substr(0, at)) + "@" + *domain;
}

std::optional<std::string> normal_ja3(std::string_view text) {
  if (text.size() != 32 || text.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
    return std::nullopt;
  return ascii_lower(text);
}

std::optional<std::string> normal_ja4(std::string_view text) {
  return is_ja4(text) ? std::optional(ascii_lower(text)) : std::nullopt;
}

bool is_ja4(std::string_view t) {
  if (t.size() != kJa4Size || t[10] != '_' || t[23] != '_') return false;
  const auto digit = [&](size_t i) { return t[i] >= '0' && t[i] <= '9'; };
  const auto lower = [&](size_t i) { return static_cast<char>(t[i] | 0x20); };
  const auto letter = [&](size_t i, char last) { return lower(i) >= 'a' && lower(i) <= last; };
  if (lower(0) != 't' && lower(0) != 'q' && lower(0) != 'd') return false;
  if ((!digit(1) && lower(1) != 's' && lower(1) != 'd') || !digit(2)) return false;
  if (lower(3) != 'd' && lower(3) != 'i') return false;
  for (size_t i = 4; i < 8; ++i)
    if (!digit(i)) return false;
  for (size_t i = 8; i < 10; ++i)
    if (!digit(i) && !letter(i, 'z')) return false;
  for (size_t i = 11; i < kJa4Size; ++i)
    if (i != 23 && !digit(i) && !letter(i, 'f')) return false;
  return true;
}

}  // namespace entente::pattern
