#include "stix/internal/circles.h"

#include <algorithm>
#include <cstddef>

namespace entente::stix::internal {

// R. Tarjan, "Depth-first search and linear graph algorithms" (1972), with a stack of its own.
std::vector<std::vector<std::string>> circles(const Graph& graph) {
  std::vector<const std::string*> names;
  std::map<std::string_view, size_t> number;
  for (const auto& [name, edges] : graph) {
    number.emplace(name, names.size());
    names.push_back(&name);
  }
  std::vector<std::vector<size_t>> next(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    for (const auto& to : graph.find(*names[i])->second) {
      const auto at = number.find(to);
      if (at != number.end()) next[i].push_back(at->second);
    }
  }

  struct Visit {
    size_t node, edge;
  };
  constexpr size_t kUnseen = static_cast<size_t>(-1);
  std::vector<size_t> order(names.size(), kUnseen), lowest(names.size(), 0);
  std::vector<bool> open(names.size(), false);
  std::vector<size_t> stack;
  std::vector<Visit> path;
  std::vector<std::vector<std::string>> out;
  size_t clock = 0;
  for (size_t root = 0; root < names.size(); ++root) {
    if (order[root] != kUnseen) continue;
    path.push_back({root, 0});
    while (!path.empty()) {
      auto& [node, edge] = path.back();
      if (edge == 0) {
        order[node] = lowest[node] = clock++;
        open[node] = true;
        stack.push_back(node);
      }
      if (edge < next[node].size()) {
        const size_t to = next[node][edge++];
        if (order[to] == kUnseen)
          path.push_back({to, 0});
        else if (open[to])
          lowest[node] = std::min(lowest[node], order[to]);
        continue;
      }
      const size_t done = node;
      path.pop_back();
      if (!path.empty()) lowest[path.back().node] = std::min(lowest[path.back().node], lowest[done]);
      if (lowest[done] != order[done]) continue;
      std::vector<std::string> group;
      for (size_t n = kUnseen; n != done;) {
        n = stack.back();
        stack.pop_back();
        open[n] = false;
        group.push_back(*names[n]);
      }
      std::sort(group.begin(), group.end());
      if (group.size() > 1) out.push_back(std::move(group));
    }
  }
  return out;
}

}  // namespace entente::stix::internal
