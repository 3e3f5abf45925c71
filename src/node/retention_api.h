// Retention and effective handling over the node's API (docs/api.md).
#pragma once

#include <functional>
#include <initializer_list>

#include "base/result.h"
#include "exchange/exchange.h"
#include "json/node.h"
#include "net/http.h"

namespace entente::node {

// GET /api/v1/retention?over=1 and POST /api/v1/retention/run.
[[nodiscard]] Result<json::Node> retention_api(
    exchange::Exchange& exchange, const net::Request& request,
    const std::function<Status(std::initializer_list<exchange::Role>)>& only);

// GET /api/v1/handling?id=ID: what this party may do with what it received, by every source it has it from.
[[nodiscard]] Result<json::Node> handling_api(exchange::Exchange& exchange, const net::Request& request);

}  // namespace entente::node
