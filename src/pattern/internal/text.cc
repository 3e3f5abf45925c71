#include "pattern/internal/text.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <arpa/inet.h>
#include <utf8proc.h>

namespace entente::pattern {
namespace {

bool continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// The end of the code point at `at`.
size_t next_point(std::string_view s, size_t at) {
  do {
    ++at;
  } while (at < s.size() && continuation(s[at]));
  return at;
}

// `segment` (with _ but without %) at exactly `at` of `value`; the end, or npos.
size_t match_at(std::string_view segment, std::string_view value, size_t at, Work& work) {
  size_t looked = 0;
  for (const char c : segment) {
    if (at >= value.size()) return std::string_view::npos;
    if ((++looked & 0xff) == 0 && !work.spend(256)) return std::string_view::npos;
    if (c == '_') {
      at = next_point(value, at);
    } else if (value[at] == c) {
      ++at;
    } else {
      return std::string_view::npos;
    }
  }
  return at;
}

struct Found {
  size_t begin, end;
};

// The first place at or after `from` where `segment` fits.
std::optional<Found> find_segment(std::string_view segment, std::string_view value, size_t from, Work& work) {
  if (segment.find('_') == std::string_view::npos) {
    if (!work.spend(1 + (value.size() - from) / 16)) return std::nullopt;
    const size_t at = value.find(segment, from);
    if (at == std::string_view::npos) return std::nullopt;
    return Found{at, at + segment.size()};
  }
  for (size_t at = from; at <= value.size(); at = at < value.size() ? next_point(value, at) : at + 1) {
    if (!work.spend(1)) return std::nullopt;
    if (const size_t end = match_at(segment, value, at, work); end != std::string_view::npos) return Found{at, end};
    if (work.limited) return std::nullopt;
  }
  return std::nullopt;
}

// The number of code points that `segment` takes, and its place at the very end of `value`.
std::optional<size_t> start_of_tail(std::string_view segment, std::string_view value) {
  size_t at = value.size();
  for (size_t i = segment.size(); i > 0; --i) {
    if (at == 0) return std::nullopt;
    const char c = segment[i - 1];
    --at;
    if (c == '_') {
      while (at > 0 && continuation(value[at])) --at;
    } else if (value[at] != c) {
      return std::nullopt;
    }
  }
  return at;
}

}  // namespace

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string nfc(std::string_view text) {
  if (ascii(text)) return std::string(text);
  utf8proc_uint8_t* out = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &out, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (size < 0) return std::string(text);
  std::string composed(reinterpret_cast<const char*>(out), static_cast<size_t>(size));
  std::free(out);  // NOLINT(cppcoreguidelines-no-malloc): the library's contract
  return composed;
}

std::optional<std::string> latin1_octets(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if ((c == 0xc2 || c == 0xc3) && i + 1 < text.size()) {
      out += static_cast<char>((c & 3U) << 6U | (static_cast<unsigned char>(text[++i]) & 0x3fU));
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::string from_latin1(std::string_view octets) {
  std::string out;
  for (const char o : octets) {
    const auto c = static_cast<unsigned char>(o);
    if (c < 0x80) {
      out += o;
    } else {
      out += static_cast<char>(0xc0U | c >> 6U);
      out += static_cast<char>(0x80U | (c & 0x3fU));
    }
  }
  return out;
}

// The pieces between the % are found from left to right, each as early as it can be: later is never better.
bool like(std::string_view pattern, std::string_view value, Work& work) {
  const size_t first = pattern.find('%');
  if (first == std::string_view::npos) return match_at(pattern, value, 0, work) == value.size();
  size_t at = match_at(pattern.substr(0, first), value, 0, work);
  if (at == std::string_view::npos) return false;
  size_t from = first + 1;
  for (size_t end = pattern.find('%', from); end != std::string_view::npos; end = pattern.find('%', from)) {
    const auto segment = pattern.substr(from, end - from);
    from = end + 1;
    if (segment.empty()) continue;
    const auto found = find_segment(segment, value, at, work);
    if (!found) return false;
    at = found->end;
  }
  const auto tail = start_of_tail(pattern.substr(from), value);
  return tail && *tail >= at;
}

std::optional<Block> parse_block(std::string_view text) {
  Block b;
  std::string_view address = text;
  std::string_view length;
  if (const size_t slash = text.find('/'); slash != std::string_view::npos) {
    address = text.substr(0, slash);
    length = text.substr(slash + 1);
    if (length.empty() || length.size() > 3) return std::nullopt;
  }
  std::array<char, INET6_ADDRSTRLEN + 1> z{};
  if (address.size() >= z.size()) return std::nullopt;
  std::copy(address.begin(), address.end(), z.begin());
  b.six = address.find(':') != std::string_view::npos;
  if (::inet_pton(b.six ? AF_INET6 : AF_INET, z.data(), b.octets.data()) != 1) return std::nullopt;
  const int most = b.six ? 128 : 32;
  b.bits = most;
  if (!length.empty()) {
    b.bits = 0;
    for (const char c : length) {
      if (c < '0' || c > '9') return std::nullopt;
      b.bits = b.bits * 10 + (c - '0');
    }
    if (b.bits > most) return std::nullopt;
  }
  for (int i = 0; i < 16; ++i) {
    const int keep = std::clamp(b.bits - i * 8, 0, 8);
    b.octets[static_cast<size_t>(i)] &= static_cast<uint8_t>(0xff00U >> static_cast<unsigned>(keep));
  }
  return b;
}

bool subset(const Block& inner, const Block& outer) {
  if (inner.six != outer.six || inner.bits < outer.bits) return false;
  const auto whole = static_cast<size_t>(outer.bits / 8);
  if (std::memcmp(inner.octets.data(), outer.octets.data(), whole) != 0) return false;
  const int rest = outer.bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff00U >> static_cast<unsigned>(rest));
  return (inner.octets[whole] & mask) == outer.octets[whole];
}

}  // namespace entente::pattern
