// The ledger over HTTP (docs/api.md): its files for those who share it, and what own people ask of it.
#pragma once

#include <functional>
#include <initializer_list>

#include "base/result.h"
#include "exchange/exchange.h"
#include "net/http.h"

namespace entente::node {

// Refuses who has none of these roles (an admin has all).
using Permit = std::function<Status(std::initializer_list<exchange::Role>)>;

// GET /ledger/<uuid>/…: checkpoint, tiles, copies of partners' ledgers, reconciliation. Own people and the parties of
// the agreement; for everybody else there is nothing there.
[[nodiscard]] net::Response ledger_file(exchange::Exchange& exchange, const net::Request& request);
// /api/v1/ledger/…
[[nodiscard]] Result<net::Response> ledger_answer(exchange::Exchange& exchange, const net::Request& request,
                                                  const taxii::Caller& caller, const Permit& only);

}  // namespace entente::node
