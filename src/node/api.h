// The node's own API (docs/api.md) and its other paths: /healthz, /metrics, /ledger/. TAXII is handed to the service.
#pragma once

#include <functional>

#include "exchange/exchange.h"
#include "net/http.h"
#include "node/config.h"
#include "taxii/server.h"

namespace entente::node {

// Thread-safe.
class Api {
 public:
  // `sync`: pulls from a partner now (done on the node's own thread for it).
  Api(exchange::Exchange& exchange, taxii::Service& taxii, const NodeConfig& config,
      std::function<Status(const std::string& party)> sync);
  void handle(const net::Request& request, const net::Reply& reply);

 private:
  net::Response answer(const net::Request& request, const taxii::Caller& caller, exchange::Role role);

  exchange::Exchange& ex_;
  taxii::Service& taxii_;
  const NodeConfig& config_;
  std::function<Status(const std::string&)> sync_;
};

}  // namespace entente::node
