#include "agreement/internal/shape.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

constexpr size_t kMaxProblems = 200;  // a hostile document must not make a report without end

std::string below(const std::string& at, std::string_view name) {
  return fmt::format("{}/{}", at, Shape::escape(name));
}

}  // namespace

void Shape::add(std::string pointer, std::string message) {
  if (problems.size() < kMaxProblems) problems.push_back({std::move(pointer), std::move(message)});
}

std::string Shape::escape(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

bool Shape::is_object(const json::Node& n, const std::string& at) {
  if (n.is_object()) return true;
  add(at, "must be an object");
  return false;
}

void Shape::closed(const json::Node& n, const std::string& at, std::initializer_list<std::string_view> required,
                   std::initializer_list<std::string_view> optional) {
  auto in = [](std::initializer_list<std::string_view> list, std::string_view x) {
    return std::find(list.begin(), list.end(), x) != list.end();
  };
  for (const auto& [name, value] : n.members())
    if (!in(required, name) && !in(optional, name))
      add(below(at, name),
          fmt::format("unknown field \"{}\": nobody may sign what a node would ignore; remove it", printable(name)));
  for (auto name : required) {
    if (n.find(name) != nullptr) continue;
    add(below(at, name), "is missing");
    missing_.push_back(below(at, name));
  }
}

const json::Node* Shape::member(const json::Node& n, const std::string& at, std::string_view name, bool required) {
  const json::Node* v = n.find(name);
  if (v == nullptr && required) {
    std::string here = below(at, name);
    if (std::find(missing_.begin(), missing_.end(), here) == missing_.end()) add(std::move(here), "is missing");
  }
  return v;
}

std::optional<std::string> Shape::text(const json::Node& n, const std::string& at, std::string_view name,
                                       bool required) {
  const json::Node* v = member(n, at, name, required);
  if (v == nullptr) return std::nullopt;
  if (v->is_string()) return v->string();
  add(below(at, name), "must be text");
  return std::nullopt;
}

std::optional<int64_t> Shape::integer(const json::Node& n, const std::string& at, std::string_view name,
                                      bool required) {
  const json::Node* v = member(n, at, name, required);
  if (v == nullptr) return std::nullopt;
  if (v->is_int()) return v->integer();
  add(below(at, name), "must be a whole number");
  return std::nullopt;
}

std::optional<bool> Shape::boolean(const json::Node& n, const std::string& at, std::string_view name, bool required) {
  const json::Node* v = member(n, at, name, required);
  if (v == nullptr) return std::nullopt;
  if (v->is_bool()) return v->boolean();
  add(below(at, name), "must be true or false");
  return std::nullopt;
}

const json::Node* Shape::object(const json::Node& n, const std::string& at, std::string_view name, bool required) {
  const json::Node* v = member(n, at, name, required);
  if (v == nullptr || v->is_object()) return v;
  add(below(at, name), "must be an object");
  return nullptr;
}

const json::Node* Shape::array(const json::Node& n, const std::string& at, std::string_view name, bool required,
                               size_t min_items) {
  const json::Node* v = member(n, at, name, required);
  if (v == nullptr) return nullptr;
  if (!v->is_array()) {
    add(below(at, name), "must be a list");
    return nullptr;
  }
  if (v->list().size() < min_items) add(below(at, name), fmt::format("needs at least {} entries", min_items));
  return v;
}

std::vector<std::string> Shape::strings(const json::Node& n, const std::string& at, std::string_view name,
                                        bool required) {
  std::vector<std::string> out;
  const json::Node* v = array(n, at, name, required);
  if (v == nullptr) return out;
  for (size_t i = 0; i < v->list().size(); ++i) {
    if (v->list()[i].is_string())
      out.push_back(v->list()[i].string());
    else
      add(fmt::format("{}/{}", below(at, name), i), "must be text");
  }
  return out;
}

}  // namespace entente::agreement::internal
