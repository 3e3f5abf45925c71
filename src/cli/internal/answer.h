// What commands read from a node's answers, and how they show it. A member that is missing, or of another type, is
// empty, false or 0.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "cli/internal/table.h"
#include "json/node.h"

namespace entente::cli {

inline std::string text_at(const json::Node& n, std::string_view name) { return std::string(n.string_at(name)); }

inline bool flag_at(const json::Node& n, std::string_view name) {
  const json::Node* v = n.find(name);
  return v != nullptr && v->is_bool() && v->boolean();
}

inline int64_t int_at(const json::Node& n, std::string_view name) {
  const json::Node* v = n.find(name);
  return v != nullptr && v->is_int() ? v->integer() : 0;
}

// RFC 3339 to the second, without its zone.
inline std::string short_time(std::string_view text) {
  return std::string(text.substr(0, std::min<size_t>(19, text.size())));
}

// Member "refused" of a joint action or a request: signed steps that have no effect, and why.
inline void print_refused_steps(const json::Node& n) {
  const json::Node* refused = n.find("refused");
  if (refused == nullptr || !refused->is_array() || refused->list().empty()) return;
  Table steps({"step without effect", "kind", "why"});
  for (const json::Node& r : refused->list())
    steps.row({text_at(r, "act").substr(0, 12), text_at(r, "kind"), printable(r.string_at("why"))});
  std::puts("");
  steps.print();
}

}  // namespace entente::cli
