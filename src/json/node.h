// A JSON value that can be built and changed: for documents of our own making and for redaction. Members keep their
// order.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "json/json.h"

namespace entente::json {

class Node {
 public:
  using List = std::vector<Node>;
  using Members = std::vector<std::pair<std::string, Node>>;

  Node() = default;  // null
  Node(std::nullptr_t) {}
  Node(bool b) : v_(b) {}
  Node(int i) : v_(int64_t{i}) {}
  Node(uint32_t i) : v_(int64_t{i}) {}
  Node(int64_t i) : v_(i) {}
  Node(uint64_t i) : v_(static_cast<int64_t>(i)) {}
  Node(double d) : v_(d) {}
  Node(const char* s) : v_(std::string(s)) {}
  Node(std::string s) : v_(std::move(s)) {}
  Node(std::string_view s) : v_(std::string(s)) {}
  Node(List l) : v_(std::move(l)) {}
  Node(Members m) : v_(std::move(m)) {}
  static Node object() { return Node(Members{}); }
  static Node array() { return Node(List{}); }
  static Node from(const Value& value);

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(v_); }
  [[nodiscard]] bool is_object() const { return std::holds_alternative<Members>(v_); }
  [[nodiscard]] bool is_array() const { return std::holds_alternative<List>(v_); }
  [[nodiscard]] bool is_string() const { return std::holds_alternative<std::string>(v_); }
  [[nodiscard]] bool is_bool() const { return std::holds_alternative<bool>(v_); }
  [[nodiscard]] bool is_int() const { return std::holds_alternative<int64_t>(v_); }
  [[nodiscard]] bool is_double() const { return std::holds_alternative<double>(v_); }

  // Requires the type; asserted.
  [[nodiscard]] const std::string& string() const { return std::get<std::string>(v_); }
  [[nodiscard]] std::string& string() { return std::get<std::string>(v_); }
  [[nodiscard]] int64_t integer() const { return std::get<int64_t>(v_); }
  [[nodiscard]] double real() const { return std::get<double>(v_); }
  [[nodiscard]] bool boolean() const { return std::get<bool>(v_); }
  [[nodiscard]] const List& list() const { return std::get<List>(v_); }
  [[nodiscard]] List& list() { return std::get<List>(v_); }
  [[nodiscard]] const Members& members() const { return std::get<Members>(v_); }
  [[nodiscard]] Members& members() { return std::get<Members>(v_); }

  // Object members; nullptr if absent or not an object.
  [[nodiscard]] const Node* find(std::string_view name) const;
  [[nodiscard]] Node* find(std::string_view name);
  [[nodiscard]] std::string_view string_at(std::string_view name) const;  // "" if absent or not a string
  Node& set(std::string_view name, Node value);  // adds or replaces; returns *this for chaining
  bool erase(std::string_view name);
  void push(Node value) { list().push_back(std::move(value)); }

  bool operator==(const Node&) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Members> v_;
};

// Compact text in member order (integers exact, doubles as ECMAScript prints them).
void append(std::string& out, const Node& node);
[[nodiscard]] std::string write(const Node& node);
[[nodiscard]] std::string write_pretty(const Node& node);  // two spaces, for people
// RFC 8785. A template, so that a std::string or a literal still goes to canonical(std::string_view), which parses it.
[[nodiscard]] std::string canonical_node(const Node& node);
template <std::same_as<Node> T>
[[nodiscard]] std::string canonical(const T& node) {
  return canonical_node(node);
}

}  // namespace entente::json
