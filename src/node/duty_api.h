// Duties and the score over the node's API (docs/api.md).
#pragma once

#include "base/result.h"
#include "exchange/exchange.h"
#include "json/node.h"
#include "net/http.h"

namespace entente::node {

// GET /api/v1/duties?partner=JP&agreement=ID&all=1: {"me","sheets":[…]}, one for each agreement and partner.
[[nodiscard]] Result<json::Node> duty_sheets(exchange::Exchange& exchange, const net::Request& request);
// GET /api/v1/score?partner=JP&agreement=ID: {"me","sheets":[…]}.
[[nodiscard]] Result<json::Node> score_sheets(exchange::Exchange& exchange, const net::Request& request);
// The counts of the last look, for GET /api/v1/status.
[[nodiscard]] json::Node duty_counts(exchange::Exchange& exchange);

}  // namespace entente::node
