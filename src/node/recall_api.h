// Recalls and sensors over the node's API (docs/api.md).
#pragma once

#include <functional>
#include <initializer_list>

#include "base/result.h"
#include "exchange/exchange.h"
#include "exchange/recall.h"
#include "json/node.h"
#include "net/http.h"

namespace entente::node {

// One of "holders" of GET /api/v1/recall.
[[nodiscard]] json::Node holder_node(const exchange::Holder& holder, Time now);

// Everything under /api/v1/sensors: the book of sensors, a sensor's report, and taking one out. `only` refuses who has
// none of these roles.
[[nodiscard]] Result<json::Node> sensor_api(exchange::Exchange& exchange, const net::Request& request,
                                            const taxii::Caller& caller,
                                            const std::function<Status(std::initializer_list<exchange::Role>)>& only);

}  // namespace entente::node
