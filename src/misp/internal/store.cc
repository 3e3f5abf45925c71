#include "misp/internal/store.h"

#include <algorithm>

namespace entente::misp::internal {
namespace {

using json::Node;

void unite(Node& a, const Node& b) {
  for (const auto& [name, value] : b.members()) {
    Node* have = a.find(name);
    if (have == nullptr) {
      a.set(name, value);
    } else if (have->is_object() && value.is_object()) {
      unite(*have, value);
    } else if (name == "object_marking_refs" && have->is_array() && value.is_array()) {
      for (const auto& one : value.list()) {
        if (std::find(have->list().begin(), have->list().end(), one) == have->list().end()) have->push(one);
      }
    }
  }
}

}  // namespace

void Store::add(Node object) {
  const std::string id(object.string_at("id"));
  const auto [at, fresh] = by_id_.emplace(id, objects_.size());
  if (fresh) {
    objects_.push_back(std::move(object));
    return;
  }
  Node& have = objects_[at->second];
  if (have == object) return;
  const auto modified = object.string_at("modified");
  if (modified.empty()) {
    unite(have, object);
  } else if (modified > have.string_at("modified")) {
    have = std::move(object);
  }
}

const Node* Store::find(std::string_view id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &objects_[at->second];
}

}  // namespace entente::misp::internal
