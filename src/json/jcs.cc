// RFC 8785, over parsed values and over Nodes.
#include <algorithm>

#include "json/internal/number.h"
#include "json/json.h"
#include "json/node.h"

namespace entente::json {
namespace {

// Order of UTF-16 code units (RFC 8785 §3.2.3) on UTF-8: that of octets, except that what needs a surrogate pair (lead
// octet F0..F4, units D800..DFFF) comes before U+E000..U+FFFF (lead octet EE, EF).
bool utf16_less(std::string_view a, std::string_view b) {
  const size_t n = std::min(a.size(), b.size());
  const size_t i = static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin()).first - a.begin());
  if (i == n) return a.size() < b.size();
  const auto x = static_cast<uint8_t>(a[i]);
  const auto y = static_cast<uint8_t>(b[i]);
  if (x >= 0xee && y >= 0xee && (x >= 0xf0) != (y >= 0xf0)) return x >= 0xf0;
  return x < y;
}

// Depth is bounded by the parser's limit (Value) or by who built it (Node).
void append_canonical(std::string& out, const Value& v);
void append_canonical(std::string& out, const Node& n);

template <class T>
void append_sorted(std::string& out, std::vector<std::pair<std::string_view, T>>& members) {
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return utf16_less(a.first, b.first); });
  out += '{';
  bool first = true;
  for (const auto& [name, value] : members) {
    if (!first) out += ',';
    first = false;
    append_quoted(out, name);
    out += ':';
    if constexpr (std::is_pointer_v<T>)
      append_canonical(out, *value);
    else
      append_canonical(out, value);
  }
  out += '}';
}

void append_canonical(std::string& out, const Value& v) {
  using Type = simdjson::dom::element_type;
  switch (v.type()) {
    case Type::OBJECT: {
      std::vector<std::pair<std::string_view, Value>> members;
      for (const auto& [key, value] : as_object(v)) members.emplace_back(key, value);
      append_sorted(out, members);
      break;
    }
    case Type::ARRAY: {
      out += '[';
      bool first = true;
      for (const Value item : as_array(v)) {
        if (!first) out += ',';
        first = false;
        append_canonical(out, item);
      }
      out += ']';
      break;
    }
    case Type::STRING:
      append_quoted(out, as_string(v));
      break;
    case Type::INT64:
      out += std::to_string(v.get_int64().value_unsafe());
      break;
    case Type::UINT64:
      out += std::to_string(v.get_uint64().value_unsafe());
      break;
    case Type::DOUBLE:
      append_double(out, v.get_double().value_unsafe());
      break;
    case Type::BOOL:
      out += v.get_bool().value_unsafe() ? "true" : "false";
      break;
    case Type::NULL_VALUE:
      out += "null";
      break;
  }
}

void append_canonical(std::string& out, const Node& n) {
  if (n.is_object()) {
    std::vector<std::pair<std::string_view, const Node*>> members;
    for (const auto& [name, value] : n.members()) members.emplace_back(name, &value);
    append_sorted(out, members);
  } else if (n.is_array()) {
    out += '[';
    bool first = true;
    for (const Node& item : n.list()) {
      if (!first) out += ',';
      first = false;
      append_canonical(out, item);
    }
    out += ']';
  } else {
    append(out, n);
  }
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  size_t plain = 0;  // start of what needs no escape
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    out += '\\';
    switch (c) {
      case '"':
      case '\\':
        out += static_cast<char>(c);
        break;
      case '\b':
        out += 'b';
        break;
      case '\t':
        out += 't';
        break;
      case '\n':
        out += 'n';
        break;
      case '\f':
        out += 'f';
        break;
      case '\r':
        out += 'r';
        break;
      default:
        out += "u00";
        out += kDigits[c >> 4];
        out += kDigits[c & 15];
    }
  }
  out.append(text, plain);
  out += '"';
}

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

std::string canonical(const Value& value) {
  std::string out;
  append_canonical(out, value);
  return out;
}

Result<std::string> canonical(std::string_view text) {
  TRY(const Document d, parse(text));
  return canonical(d.root());
}

std::string canonical_node(const Node& node) {
  std::string out;
  append_canonical(out, node);
  return out;
}

}  // namespace entente::json
