// Hand-checks the shape of a JSON document against a schema, collecting every problem with its JSON pointer.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/document.h"
#include "json/node.h"

namespace entente::agreement::internal {

class Shape {
 public:
  std::vector<Problem> problems;

  void add(std::string pointer, std::string message);
  static std::string escape(std::string_view name);  // as a part of a JSON pointer (RFC 6901 §3)

  bool is_object(const json::Node& n, const std::string& at);
  // Every member is in `required` or `optional`, and all of `required` are there. A required member that is missing is
  // reported here and not again by the functions below.
  void closed(const json::Node& n, const std::string& at, std::initializer_list<std::string_view> required,
              std::initializer_list<std::string_view> optional);

  // The member `name` of `n`, if it is there and of the type; a problem if it is of another type, or missing though
  // `required`.
  std::optional<std::string> text(const json::Node& n, const std::string& at, std::string_view name, bool required);
  std::optional<int64_t> integer(const json::Node& n, const std::string& at, std::string_view name, bool required);
  std::optional<bool> boolean(const json::Node& n, const std::string& at, std::string_view name, bool required);
  const json::Node* object(const json::Node& n, const std::string& at, std::string_view name, bool required);
  const json::Node* array(const json::Node& n, const std::string& at, std::string_view name, bool required,
                          size_t min_items = 0);
  std::vector<std::string> strings(const json::Node& n, const std::string& at, std::string_view name, bool required);

 private:
  const json::Node* member(const json::Node& n, const std::string& at, std::string_view name, bool required);
  std::vector<std::string> missing_;  // pointers already reported by closed()
};

}  // namespace entente::agreement::internal
