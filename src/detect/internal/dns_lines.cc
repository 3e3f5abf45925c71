#include "detect/internal/dns_lines.h"

#include <charconv>

#include <fmt/format.h>

#include "base/time.h"
#include "packet/address.h"

namespace entente::detect {
namespace {

std::string_view word(std::string_view& rest) {
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const std::string_view w = rest.substr(0, rest.find(' '));
  rest.remove_prefix(w.size());
  return w;
}

bool upper(std::string_view w) {
  if (w.empty() || w.size() > 12) return false;
  for (const char c : w)
    if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')) return false;
  return true;
}

// "24-Mar-2018 17:15:20.865", which BIND writes in local time without a zone: told as UTC, as its own option
// print-time iso8601-utc would.
std::string bind_time(std::string_view line) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (line.size() < 24 || line[2] != '-' || line[6] != '-' || line[11] != ' ' || line[20] != '.') {
    const auto t = parse_time(line.substr(0, line.find(' ')));
    return t.ok() ? to_text(*t) : std::string();
  }
  const size_t month = kMonths.find(line.substr(3, 3));
  if (month == std::string_view::npos || month % 3 != 0) return {};
  const auto t = parse_time(
      fmt::format("{}-{:02}-{}T{}Z", line.substr(7, 4), month / 3 + 1, line.substr(0, 2), line.substr(12, 12)));
  return t.ok() ? to_text(*t) : std::string();
}

std::optional<DnsLine> bind(std::string_view line) {
  const size_t mark = line.find(": query: ");
  const size_t client = mark == std::string_view::npos ? mark : line.rfind("client ", mark);
  if (client == std::string_view::npos) return std::nullopt;
  DnsLine out{.time = bind_time(line)};
  std::string_view rest = line.substr(client + 7, mark - client - 7);
  out.client = word(rest);
  if (out.client.starts_with("@0x")) out.client = word(rest);
  const size_t hash = out.client.rfind('#');
  if (hash == std::string_view::npos) return std::nullopt;
  out.client = out.client.substr(0, hash);
  if (!packet::parse_address(out.client)) return std::nullopt;
  rest = line.substr(mark + 9);
  out.query = word(rest);
  if (!upper(word(rest)) || !upper(word(rest))) return std::nullopt;
  const size_t open = rest.rfind('(');
  if (open != std::string_view::npos && rest.ends_with(')')) out.server = rest.substr(open + 1, rest.size() - open - 2);
  if (!packet::parse_address(out.server)) out.server = {};
  return out;
}

std::optional<DnsLine> unbound(std::string_view line) {
  const size_t name = line.find("unbound");
  const size_t mark = name == std::string_view::npos ? name : line.find(" info: ", name);
  if (mark == std::string_view::npos) return std::nullopt;
  std::string_view rest = line.substr(mark + 7);
  DnsLine out;
  out.client = word(rest);
  out.query = word(rest);
  if (!packet::parse_address(out.client) || !out.query.ends_with('.') || !upper(word(rest)) || !upper(word(rest)))
    return std::nullopt;
  if (line.starts_with('[')) {
    int64_t seconds = 0;
    const auto [end, error] = std::from_chars(line.data() + 1, line.data() + line.size(), seconds);
    if (error == std::errc{} && *end == ']' && seconds >= 0 && seconds < 253402300800)
      out.time = to_text(Time{seconds * 1'000'000});
  }
  return out;
}

}  // namespace

std::optional<DnsLine> parse_dns_line(std::string_view line) {
  if (auto out = bind(line)) return out;
  return unbound(line);
}

}  // namespace entente::detect
