// Circles in a graph of names: who is in one, also together with others.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace entente::stix::internal {

using Graph = std::map<std::string, std::vector<std::string>, std::less<>>;

// Every group of two or more names that reach each other, each sorted. Edges to names that are not in the graph, and
// from a name to itself, do not count. Linear time, no recursion.
[[nodiscard]] std::vector<std::vector<std::string>> circles(const Graph& graph);

}  // namespace entente::stix::internal
