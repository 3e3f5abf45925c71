// Joint actions over the node's API (docs/api.md): the board, and the reports of sensors.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "exchange/exchange.h"
#include "json/node.h"

namespace entente::node {

// GET /api/v1/joint: {"me":…,"actions":[…]}, oldest first.
[[nodiscard]] json::Node joint_board(exchange::Exchange& exchange);
// POST /api/v1/joint/reports: {"reports":[{"action","dropping","counting","waiting","refused","hits"}]} of the sensor
// with this account. All of them are read before any is taken.
[[nodiscard]] Result<json::Node> take_joint_reports(exchange::Exchange& exchange, const std::string& sensor,
                                                    std::string_view body);

}  // namespace entente::node
