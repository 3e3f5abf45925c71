// Consents to onward release over the node's API (docs/api.md): the board, and what a request has to name.
#pragma once

#include <string>

#include "base/result.h"
#include "exchange/exchange.h"
#include "json/node.h"

namespace entente::node {

// GET /api/v1/consents: {"me":…,"consents":[…]}, oldest first.
[[nodiscard]] json::Node consent_board(exchange::Exchange& exchange);
// GET /api/v1/consents/terms?id=…: {"objects":[…]}, one for each partner and agreement that gave this node the object.
[[nodiscard]] Result<json::Node> consent_terms(exchange::Exchange& exchange, const std::string& object);

}  // namespace entente::node
