#include "stix/internal/selector.h"

#include <charconv>
#include <optional>

namespace entente::stix::internal {
namespace {

// [n] with n >= 0 and no leading zeros.
std::optional<size_t> list_index(std::string_view part) {
  if (part.size() < 3 || part.front() != '[' || part.back() != ']') return std::nullopt;
  const auto digits = part.substr(1, part.size() - 2);
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  size_t n = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return n;
}

bool is_key(std::string_view part) {
  if (part.empty() || part.size() > 250) return false;
  for (const char c : part) {
    const bool fine =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!fine) return false;
  }
  return true;
}

// Takes the part before the next dot off the front.
std::string_view next(std::string_view& rest) {
  const size_t dot = rest.find('.');
  const auto part = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  return part;
}

}  // namespace

bool is_selector(std::string_view text) {
  if (text.empty() || text.ends_with('.')) return false;
  for (bool first = true; !text.empty(); first = false) {
    const auto part = next(text);
    if (first ? !is_key(part) : !is_key(part) && !list_index(part)) return false;
  }
  return true;
}

bool selects(const json::Value& object, std::string_view text) {
  json::Value here = object;
  while (!text.empty()) {
    const auto part = next(text);
    if (const auto index = list_index(part)) {
      if (!here.is_array() || here.get_array().at(*index).get(here) != simdjson::SUCCESS) return false;
    } else {
      const auto member = json::find(here, part);
      if (!member) return false;
      here = *member;
    }
  }
  return true;
}

}  // namespace entente::stix::internal
