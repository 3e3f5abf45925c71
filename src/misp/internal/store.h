// The STIX objects made so far, in order, each once.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "json/node.h"

namespace entente::misp::internal {

class Store {
 public:
  // Adds; or joins with the object that has this id already: markings and members are united, and where both say
  // something else the first stays (a later version of an object with versions replaces the earlier).
  void add(json::Node object);
  [[nodiscard]] const json::Node* find(std::string_view id) const;  // valid until the next add
  [[nodiscard]] const std::vector<json::Node>& objects() const { return objects_; }
  [[nodiscard]] std::vector<json::Node> take() { return std::move(objects_); }

 private:
  std::vector<json::Node> objects_;
  std::map<std::string, size_t, std::less<>> by_id_;
};

}  // namespace entente::misp::internal
