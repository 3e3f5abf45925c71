// Observables built by object path, and read by it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "misp/internal/store.h"
#include "misp/internal/tables.h"

namespace entente::misp::internal {

// An observable and those it refers to, before they have ids.
class Draft {
 public:
  explicit Draft(std::string type) : type_(std::move(type)) {}

  // False if another value stands there already, or the value fits no type that may stand there. The type of the path
  // is not looked at.
  bool place(std::string_view path, const json::Node& value);
  void set(std::string_view property, json::Node value) { own_.set(property, std::move(value)); }
  Draft& child(std::string_view property, std::string type);  // the one that a _ref property refers to
  [[nodiscard]] bool has(std::string_view property) const;

  // All objects with their ids, the ones referred to first, the draft's own last; nullopt if one of them is not valid
  // STIX (`why` says so).
  [[nodiscard]] std::optional<std::vector<json::Node>> finish(const std::vector<std::string>& markings,
                                                              std::string& why) const;

 private:
  struct Child {
    std::string property;
    bool list;
    std::unique_ptr<Draft> draft;
  };
  Draft* descend(std::string_view property, bool list, const json::Node& value, bool last);

  std::string type_;
  json::Node own_ = json::Node::object();
  std::vector<Child> children_;
};

// All values at `path` of the object `id` and what it refers to.
using Lookup = const json::Node* (*)(const void* context, std::string_view id);
[[nodiscard]] std::vector<std::string> values_at(const json::Node& object, std::string_view path, Lookup find,
                                                 const void* context);

}  // namespace entente::misp::internal
