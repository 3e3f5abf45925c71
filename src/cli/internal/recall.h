// `recall --status`, and the sensors that a node knows.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"

namespace entente::cli {

// Exit status 0: every party, its sensors and those it passed the objects on to are done.
[[nodiscard]] Result<int> recall_status(Context& cx, const Target& target, const std::vector<std::string>& ids);
[[nodiscard]] Result<int> sensor_list(Context& cx, const Target& target);
[[nodiscard]] Result<int> sensor_forget(Context& cx, const Target& target, const std::string& name);

}  // namespace entente::cli
