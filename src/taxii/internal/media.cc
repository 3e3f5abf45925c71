#include "taxii/internal/media.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"

namespace entente::taxii::internal {
namespace {

std::string_view trim(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

// Splits at `separator` outside quoted strings (RFC 9110 §5.6.4).
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  bool quoted = false;
  size_t from = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == separator && !quoted)) {
      out.push_back(trim(text.substr(from, i - from)));
      from = i + 1;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == '\\' && quoted && i + 1 < text.size()) {
      ++i;
    }
  }
  return out;
}

std::string unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
  std::string out;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '\\' && i + 2 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

// All fields of one name, as the one list that they are (RFC 9110 §5.3).
std::string joined(const net::Headers& headers, std::string_view lower_name) {
  std::string out;
  for (const auto& [name, value] : headers) {
    if (ascii_lower(name) == lower_name) out += (out.empty() ? "" : ",") + value;
  }
  return out;
}

bool is_zero(std::string_view q) { return !q.empty() && q.find_first_not_of("0.") == std::string_view::npos; }

bool is_ours(const MediaType& m) {
  const auto version = m.parameter("version");
  return m.type == "application/taxii+json" && (!version || *version == "2.1");
}

}  // namespace

std::optional<std::string_view> MediaType::parameter(std::string_view name) const {
  for (const auto& [n, v] : parameters) {
    if (n == name) return v;
  }
  return std::nullopt;
}

std::optional<MediaType> parse_media_type(std::string_view text) {
  const auto parts = split(text, ';');
  MediaType out;
  out.type = ascii_lower(parts.front());
  const size_t slash = out.type.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == out.type.size()) return std::nullopt;
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].empty()) continue;
    const size_t eq = parts[i].find('=');
    if (eq == std::string_view::npos) return std::nullopt;
    out.parameters.emplace_back(ascii_lower(trim(parts[i].substr(0, eq))), unquote(trim(parts[i].substr(eq + 1))));
  }
  return out;
}

std::vector<std::string_view> split_list(std::string_view text) {
  auto out = split(text, ',');
  std::erase_if(out, [](std::string_view s) { return s.empty(); });
  return out;
}

bool accepts_taxii(const net::Headers& headers) {
  const std::string accept = joined(headers, "accept");
  const auto ranges = split_list(accept);
  if (ranges.empty()) return true;  // T16, R4
  // The most specific range that fits decides (RFC 9110 §12.5.1); application/json is a name that some know us by (R4).
  int best = -1;
  bool wanted = false;
  for (const std::string_view text : ranges) {
    const auto m = parse_media_type(text);
    if (!m) continue;
    int rank = -1;
    if (is_ours(*m)) {
      rank = m->parameter("version") ? 4 : 3;
    } else if (m->type == "application/json") {
      rank = 2;
    } else if (m->type == "application/*") {
      rank = 1;
    } else if (m->type == "*/*") {
      rank = 0;
    }
    if (rank < 0) continue;
    const bool yes = !is_zero(m->parameter("q").value_or("1"));
    if (rank > best || (rank == best && yes)) {
      best = rank;
      wanted = yes;
    }
  }
  return wanted;
}

bool is_taxii_body(std::string_view content_type) {
  const auto m = parse_media_type(content_type);
  return m && is_ours(*m);
}

std::optional<int64_t> preferred_wait(const net::Headers& headers) {
  const std::string prefer = joined(headers, "prefer");
  for (const std::string_view preference : split_list(prefer)) {
    const std::string_view head = split(preference, ';').front();
    const size_t eq = head.find('=');
    if (eq == std::string_view::npos || ascii_lower(trim(head.substr(0, eq))) != "wait") continue;
    const std::string value = unquote(trim(head.substr(eq + 1)));
    int64_t seconds = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (ec == std::errc() && end == value.data() + value.size() && seconds >= 0)
      return std::min<int64_t>(seconds, 86'400);
    return std::nullopt;  // RFC 7240 §2: the first one counts
  }
  return std::nullopt;
}

}  // namespace entente::taxii::internal
