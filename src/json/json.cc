#include "json/json.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "json/internal/locate.h"

namespace entente::json {
namespace {

constexpr int64_t kMaxInt = (int64_t{1} << 53) - 1;  // RFC 7493 §2.2
constexpr size_t kFewMembers = 12;

// What the walk after simdjson's parse found; the pointer to the place is put together on the way back up.
struct Fault {
  const char* what = nullptr;
  const char* remedy = "";
  std::string pointer;
};

void prepend_token(std::string& pointer, std::string_view token) {
  std::string escaped = "/";
  for (const char c : printable(token, 80)) {  // RFC 6901 §3
    if (c == '~')
      escaped += "~0";
    else if (c == '/')
      escaped += "~1";
    else
      escaped += c;
  }
  pointer.insert(0, escaped);
}

// Checks what simdjson leaves to the caller: repeated names, range of integers, depth. (Lone
// surrogates, leading zeros, infinite numbers, bad UTF-8 and what follows the value are refused by simdjson itself.)
// Allocates nothing per object: the names of large objects go to a stack that lives as long as the Document.
class Walk {
 public:
  Walk(std::vector<std::string_view>& names, int max_depth) : names_(names), max_depth_(max_depth) {}

  bool value(const Value& v, int depth) {
    switch (v.type()) {
      case simdjson::dom::element_type::OBJECT:
        return object(as_object(v), depth + 1);
      case simdjson::dom::element_type::ARRAY:
        return array(as_array(v), depth + 1);
      case simdjson::dom::element_type::INT64: {
        const int64_t i = v.get_int64().value_unsafe();
        return (i >= -kMaxInt && i <= kMaxInt) || integer();
      }
      case simdjson::dom::element_type::UINT64:
        return integer();
      case simdjson::dom::element_type::DOUBLE: {
        // Its canonical form (RFC 8785) has neither point nor exponent up to 10^21: an integer that would be refused.
        const double d = std::fabs(v.get_double().value_unsafe());
        return d <= static_cast<double>(kMaxInt) || d >= 1e21 || integer();
      }
      case simdjson::dom::element_type::STRING:
      case simdjson::dom::element_type::BOOL:
      case simdjson::dom::element_type::NULL_VALUE:
        return true;
    }
    return true;
  }
  Fault fault;

 private:
  bool fail(const char* what, const char* remedy = "") {
    fault.what = what;
    fault.remedy = remedy;
    return false;
  }
  bool integer() { return fail("integer beyond 2^53-1", "send it as a string"); }

  bool object(const Object& o, int depth) {
    if (depth > max_depth_) return fail("nested too deeply");
    const size_t first = names_.size();
    for (const auto& [key, v] : o) {
      names_.push_back(key);
      if (!value(v, depth)) {
        prepend_token(fault.pointer, key);
        return false;
      }
    }
    const bool unique = names_.size() - first <= kFewMembers ? few_unique(first) : many_unique(first);
    names_.resize(first);
    return unique;
  }

  bool array(const Array& a, int depth) {
    if (depth > max_depth_) return fail("nested too deeply");
    size_t i = 0;
    for (const Value v : a) {
      if (!value(v, depth)) {
        prepend_token(fault.pointer, std::to_string(i));
        return false;
      }
      ++i;
    }
    return true;
  }

  bool repeated(std::string_view name) {
    prepend_token(fault.pointer, name);
    return fail("name given twice in one object");
  }

  // Length and outer octets tell nearly all names apart; only what agrees in them is compared.
  static uint32_t brief(std::string_view name) {
    if (name.empty()) return 0;
    const auto octet = [](char c) { return uint32_t{static_cast<uint8_t>(c)}; };
    return static_cast<uint32_t>(name.size()) << 16 | octet(name.front()) << 8 | octet(name.back());
  }

  bool few_unique(size_t first) {
    std::array<uint32_t, kFewMembers> briefs;  // NOLINT(cppcoreguidelines-pro-type-member-init): as many as are read
    const size_t count = names_.size() - first;
    for (size_t i = 0; i < count; ++i) {
      briefs[i] = brief(names_[first + i]);
      uint32_t alike = 0;
      for (size_t k = 0; k < i; ++k) alike |= uint32_t{briefs[k] == briefs[i]} << k;
      for (; alike != 0; alike &= alike - 1)
        if (names_[first + static_cast<size_t>(std::countr_zero(alike))] == names_[first + i])
          return repeated(names_[first + i]);
    }
    return true;
  }

  bool many_unique(size_t first) {
    const auto begin = names_.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, names_.end(), [](std::string_view a, std::string_view b) {
      return a.size() != b.size() ? a.size() < b.size() : a < b;
    });
    const auto twice = std::adjacent_find(begin, names_.end());
    return twice == names_.end() || repeated(*twice);
  }

  std::vector<std::string_view>& names_;
  int max_depth_;
};

}  // namespace

struct Document::State {
  simdjson::dom::parser parser;
  std::unique_ptr<char[]> padded;
  size_t room = 0;
  int depth = 0;
  std::vector<std::string_view> names;
  Value root;
};

Document::Document() : state_(std::make_unique<State>()) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Status Document::parse(std::string_view text, const Limits& limits) {
  State& s = *state_;
  s.root = Value();
  if (text.size() > limits.max_bytes) {
    return make_error(ErrorKind::kTooLarge, "JSON text of more than " + std::to_string(limits.max_bytes) + " octets",
                      {}, "send it in parts");
  }
  if (text.starts_with("\xef\xbb\xbf")) return invalid("byte order mark before the JSON text", "1:1", "remove it");
  if (s.room < text.size() + simdjson::SIMDJSON_PADDING) {
    s.padded.reset();
    s.room = text.size() + simdjson::SIMDJSON_PADDING;
    s.padded = std::make_unique_for_overwrite<char[]>(s.room);
  }
  if (!text.empty()) std::memcpy(s.padded.get(), text.data(), text.size());
  std::memset(s.padded.get() + text.size(), 0, simdjson::SIMDJSON_PADDING);

  // One level more than allowed, so that the walk below finds the place and every text gets the same answer.
  const int depth = limits.max_depth + 2;
  if (s.parser.capacity() < text.size() || s.depth != depth) {
    s.depth = depth;
    if (s.parser.allocate(std::max<size_t>(text.size(), 256), static_cast<size_t>(depth)) != simdjson::SUCCESS) {
      return make_error(ErrorKind::kTooLarge, "no memory for a JSON text of this size");
    }
  }
  Value root;
  if (const auto code = s.parser.parse(s.padded.get(), text.size(), false).get(root); code != simdjson::SUCCESS) {
    if (code == simdjson::MEMALLOC || code == simdjson::CAPACITY)
      return make_error(ErrorKind::kTooLarge, "no memory for a JSON text of this size");
    return locate_fault(text, limits.max_depth);
  }
  s.names.clear();
  Walk walk(s.names, limits.max_depth);
  if (!walk.value(root, 0)) return invalid(walk.fault.what, walk.fault.pointer, walk.fault.remedy);
  s.root = root;
  return {};
}

Value Document::root() const { return state_->root; }

Result<Document> parse(std::string_view text, const Limits& limits) {
  Document d;
  CHECK_OK(d.parse(text, limits));
  return d;
}

Object as_object(const Value& v) {
  Object out;
  [[maybe_unused]] const auto code = v.get_object().get(out);
  assert(code == simdjson::SUCCESS);
  return out;
}

Array as_array(const Value& v) {
  Array out;
  [[maybe_unused]] const auto code = v.get_array().get(out);
  assert(code == simdjson::SUCCESS);
  return out;
}

std::string_view as_string(const Value& v) {
  std::string_view out;
  [[maybe_unused]] const auto code = v.get_string().get(out);
  assert(code == simdjson::SUCCESS);
  return out;
}

std::optional<Value> find(const Value& object, std::string_view name) {
  Object o;
  Value v;
  if (object.get_object().get(o) != simdjson::SUCCESS || o.at_key(name).get(v) != simdjson::SUCCESS)
    return std::nullopt;
  return v;
}

namespace {

template <class T>
std::optional<T> find_as(const Value& object, std::string_view name) {
  const auto v = find(object, name);
  T out;
  if (!v || v->get<T>().get(out) != simdjson::SUCCESS) return std::nullopt;
  return out;
}

}  // namespace

std::optional<std::string_view> find_string(const Value& object, std::string_view name) {
  return find_as<std::string_view>(object, name);
}
std::optional<int64_t> find_int(const Value& object, std::string_view name) { return find_as<int64_t>(object, name); }
std::optional<bool> find_bool(const Value& object, std::string_view name) { return find_as<bool>(object, name); }
std::optional<Array> find_array(const Value& object, std::string_view name) { return find_as<Array>(object, name); }
std::optional<Object> find_object(const Value& object, std::string_view name) { return find_as<Object>(object, name); }

std::vector<std::string_view> string_list(const std::optional<Array>& array) {
  std::vector<std::string_view> out;
  if (!array) return out;
  for (const Value v : *array) {
    if (v.is_string()) out.push_back(as_string(v));
  }
  return out;
}

}  // namespace entente::json
