// `entente node check`: the store against the log, the ledger's files against the log, and the ledger against itself.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace entente::node {

struct CheckReport {
  uint64_t records = 0;
  uint64_t ledgers = 0;
  uint64_t leaves = 0;
  std::vector<std::string> findings;  // empty = all is well
};
// The node must not be running (kConflict).
[[nodiscard]] Result<CheckReport> check_node(const std::string& dir,
                                             const std::function<void(uint64_t done, uint64_t of)>& progress);

}  // namespace entente::node
