// export --to text|csv|zeek|suricata|rpz|nft: what indicators in files, or the leases of a running sensor, block.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/internal/commands.h"

namespace entente::cli {

struct ExportCommand {
  std::string form;
  std::string out;    // a file, or a folder for forms of several files; "" = standard output
  std::string state;  // of a running sensor, instead of files
  std::string zone = "rpz.entente";
  size_t capacity = 100'000;
  bool with_counting = false;
  std::vector<std::string> files, allow_lists;
};
[[nodiscard]] Result<int> export_blocks(Context& cx, const ExportCommand& command);

}  // namespace entente::cli
