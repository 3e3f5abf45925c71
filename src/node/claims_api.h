// False-positive claims over the node's API (docs/api.md).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "exchange/exchange.h"
#include "json/node.h"

namespace entente::node {

// GET /api/v1/claims: {"me":…,"claims":[…]}, ours and those about what is ours, oldest first.
[[nodiscard]] Result<json::Node> claim_list(exchange::Exchange& exchange);
// POST /api/v1/claims: {"of","agreement"?,"reason","hits"?} -> the claim.
[[nodiscard]] Result<json::Node> make_claim(exchange::Exchange& exchange, const std::string& by, std::string_view body);
// POST /api/v1/claims/answer: {"claim","answer":"upheld"|"withdrawn","reason"} -> the claim.
[[nodiscard]] Result<json::Node> answer_claim(exchange::Exchange& exchange, const std::string& by,
                                              std::string_view body);

}  // namespace entente::node
