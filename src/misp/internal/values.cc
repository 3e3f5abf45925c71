#include "misp/internal/values.h"

#include <array>
#include <charconv>

#include "base/bytes.h"
#include "json/node.h"
#include "pattern/normal.h"
#include "pattern/pattern.h"
#include "stix/timestamp.h"

namespace entente::misp::internal {
namespace {

using json::Node;

std::optional<int64_t> number(std::string_view text) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || n < 0 || n > 9007199254740991) return std::nullopt;
  return n;
}

std::string full_hive(std::string_view key) {
  struct Hive {
    std::string_view abbreviation, name;
  };
  static constexpr std::array kHives = {
      Hive{"HKLM", "HKEY_LOCAL_MACHINE"}, Hive{"HKCU", "HKEY_CURRENT_USER"},   Hive{"HKCR", "HKEY_CLASSES_ROOT"},
      Hive{"HKU", "HKEY_USERS"},          Hive{"HKCC", "HKEY_CURRENT_CONFIG"},
  };
  const size_t slash = key.find('\\');
  const std::string_view head = key.substr(0, slash);
  for (const auto& hive : kHives) {
    if (ascii_lower(head) == ascii_lower(hive.abbreviation))
      return std::string(hive.name) + std::string(slash == std::string_view::npos ? "" : key.substr(slash));
  }
  return std::string(key);
}

std::optional<std::string> mac(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ':' && c != '-' && c != '.') digits += c;
  }
  if (digits.size() != 12 || !unhex(digits).ok()) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < 12; i += 2) out += (i > 0 ? ":" : "") + ascii_lower(digits.substr(i, 2));
  return out;
}

bool is_cve(std::string_view text) {
  if (text.size() < 13 || !text.starts_with("CVE-") || text[8] != '-') return false;
  return text.substr(4, 4).find_first_not_of("0123456789") == std::string_view::npos &&
         text.substr(9).find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::optional<Node> to_value(Form form, std::string_view text) {
  if (text.empty()) return std::nullopt;
  switch (form) {
    case Form::kText:
      return Node(text);
    case Form::kAddress:
      if (!pattern::normal_address(text)) return std::nullopt;
      return Node(text);
    case Form::kDomain:
      if (!pattern::normal_domain(text) || pattern::normal_address(text)) return std::nullopt;
      return Node(text);
    case Form::kEndpoint:
      if (endpoint_type(text).empty()) return std::nullopt;
      return Node(text);
    case Form::kHash:
      if (text.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) return std::nullopt;
      return Node(ascii_lower(text));
    case Form::kInteger:
    case Form::kAsn: {
      if (form == Form::kAsn && (text.starts_with("AS") || text.starts_with("as"))) text.remove_prefix(2);
      const auto n = number(text);
      return n ? std::optional(Node(*n)) : std::nullopt;
    }
    case Form::kRegistryKey:
      return Node(full_hive(text));
    case Form::kTime: {
      const Node node(text);
      const auto t = misp_time(&node);
      return t ? std::optional(Node(stix_time(*t))) : std::nullopt;
    }
    case Form::kBoolean: {
      const std::string lower = ascii_lower(text);
      if (lower == "1" || lower == "true") return Node(true);
      if (lower == "0" || lower == "false") return Node(false);
      return std::nullopt;
    }
    case Form::kMac: {
      auto m = mac(text);
      return m ? std::optional(Node(*std::move(m))) : std::nullopt;
    }
    case Form::kCve:
      if (!is_cve(text)) return std::nullopt;
      return Node(text);
  }
  return std::nullopt;
}

std::optional<Node> to_value(const Place& place, std::string_view text) {
  struct Row {
    std::string_view algorithm;
    size_t digits;
  };
  static constexpr Row kDigits[] = {
      {"MD5", 32},        {"'SHA-1'", 40},      {"SHA224", 56},       {"'SHA-256'", 64},  {"SHA384", 96},
      {"'SHA-512'", 128}, {"'SHA512-224'", 56}, {"'SHA512-256'", 64}, {"'SHA3-224'", 56}, {"'SHA3-256'", 64},
      {"'SHA3-384'", 96}, {"'SHA3-512'", 128},  {"imphash", 32},      {"ja3", 32},        {"AUTHENTIHASH", 64},
  };
  if (place.form == Form::kHash) {
    const std::string_view algorithm = place.path.substr(place.path.rfind('.') + 1);
    for (const auto& row : kDigits) {
      if (row.algorithm == algorithm && text.size() != row.digits) return std::nullopt;
    }
  }
  return to_value(place.form, text);
}

std::string to_text(const Node& value) {
  if (value.is_string()) return value.string();
  if (value.is_int()) return std::to_string(value.integer());
  if (value.is_bool()) return value.boolean() ? "1" : "0";
  return json::write(value);
}

std::string literal(Form form, const Node& value) {
  if (value.is_int()) return std::to_string(value.integer());
  if (value.is_bool()) return value.boolean() ? "true" : "false";
  const std::string quoted = pattern::quote(value.is_string() ? value.string() : json::write(value));
  return form == Form::kTime ? "t" + quoted : quoted;
}

std::string_view endpoint_type(std::string_view value) {
  if (const auto a = pattern::normal_address(value)) {
    return a->kind == pattern::AtomKind::kIpv4 || a->kind == pattern::AtomKind::kCidr4 ? "ipv4-addr" : "ipv6-addr";
  }
  return pattern::normal_domain(value) ? "domain-name" : "";
}

bool is_block(std::string_view value) {
  return value.find('/') != std::string_view::npos && pattern::normal_address(value).has_value();
}

std::optional<std::vector<std::string>> split_parts(std::string_view value, size_t parts) {
  std::vector<std::string> out;
  while (out.size() + 1 < parts) {
    const size_t bar = value.find('|');
    if (bar == std::string_view::npos) return std::nullopt;
    out.emplace_back(value.substr(0, bar));
    value.remove_prefix(bar + 1);
  }
  out.emplace_back(value);
  return out;
}

std::optional<Time> misp_seconds(const Node* value) {
  if (value == nullptr) return std::nullopt;
  std::optional<int64_t> s;
  if (value->is_int()) s = value->integer();
  if (value->is_string()) s = number(value->string());
  // Year 9999 ends what STIX can write.
  if (!s || *s <= 0 || *s > 253402300799) return std::nullopt;
  return Time{*s * 1'000'000};
}

std::optional<Time> misp_time(const Node* value) {
  if (value == nullptr || !value->is_string() || value->string().empty()) return std::nullopt;
  std::string text = value->string();
  if (text.size() == 10) text += "T00:00:00Z";
  if (text.size() > 10 && text[10] == ' ') text[10] = 'T';
  auto t = parse_time(text);
  if (!t.ok()) t = parse_time(text + "Z");  // MISP's datetime may lack its zone and then is UTC
  if (!t.ok()) return std::nullopt;
  return *t;
}

std::string stix_time(Time t) {
  std::string text = entente::to_text(t);  // …SS.ffffffZ
  if (text.ends_with("000Z")) text.replace(text.size() - 4, 4, "Z");
  return text;
}

}  // namespace entente::misp::internal
