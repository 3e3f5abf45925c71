// `ledger.quorum` and `ledger.witnesses` of a document: who must have cosigned the head of a party's ledger before
// anything but recalls is released. A quorum that nobody can meet would stop the exchange on the day that the agreement
// starts, so each fault is said before anybody signs.
#pragma once

#include "agreement/document.h"
#include "agreement/internal/shape.h"
#include "json/node.h"

namespace entente::agreement::internal {

void check_ledger(const Document& d, const json::Node& root, Shape& s);

}  // namespace entente::agreement::internal
