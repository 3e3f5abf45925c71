// The commands of the noun `stix`.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/internal/commands.h"

namespace entente::cli {

struct StixOptions {
  std::vector<std::string> files;
  bool strict = false;
  std::string disable;       // codes, separated by commas
  uint64_t memory_mb = 256;  // for the rules over several objects
  uint64_t max_object_mb = 64;
  std::string id;  // show
};

[[nodiscard]] Result<int> stix_validate(Context& cx, const StixOptions& o);
[[nodiscard]] Result<int> stix_ids(Context& cx, const StixOptions& o);
[[nodiscard]] Result<int> stix_show(Context& cx, const StixOptions& o);

}  // namespace entente::cli
