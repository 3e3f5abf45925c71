// What the commands of `entente lease` share: their options, and the way to a running sensor.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "cli/internal/commands.h"
#include "json/json.h"
#include "json/node.h"

namespace entente::cli {

struct LeaseOptions {
  std::string state;
  std::string lease, indicator, target, partner, agreement, since, until, reason, rollback, batch, trial, drop, as;
  bool all = false, yes = false, back = false;
};

// The sensor's answer; what it refuses is an error with its own words. Options that are set go into the request.
Result<json::Document> ask_sensor(const LeaseOptions& options, json::Node request);

void add_lease_guard_commands(CLI::App& lease, Context& cx, const std::shared_ptr<LeaseOptions>& options);

}  // namespace entente::cli
