// Reconciliation (ledger.md §7): the releases in one party's ledger against the receipts in the other's. Both parties
// compute it from what both hold, so that both get the same octets; a difference is found by comparing one digest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "exchange/context.h"
#include "exchange/instruments.h"

namespace entente::exchange {

struct Reconciliation {
  std::string agreement, from, to;  // what `from` released to `to`
  uint64_t from_entries = 0;        // entries of the sender's ledger that were looked at
  uint64_t to_entries = 0;          // and of the receiver's
  uint64_t releases = 0, matched = 0;
  uint64_t objects_received = 0, objects_refused = 0;
  // Entries of the sender's ledger: released, and no receipt (sent and lost, or logged and never sent).
  std::vector<uint64_t> missing;
  // The same, received, but the receipt came later than the agreement's service level for acknowledgements says.
  std::vector<uint64_t> late;
  // Entries of the receiver's ledger: receipts for what the sender's ledger does not show (sent, but not logged).
  std::vector<uint64_t> extra;
  // Entry of the sender's ledger in which it says last that the receiver was given all that it is entitled to: what
  // came before that entry is all. How much was withheld is behind its commitment.
  std::optional<uint64_t> entitled_upto;

  [[nodiscard]] bool clean() const { return missing.empty() && extra.empty(); }
  [[nodiscard]] std::string text() const;  // canonical JSON: the same at both ends
};

// One of `from` and `to` is this party. Entries beyond what this node holds of either ledger are kUnavailable: ask
// again with less, or when they have come.
[[nodiscard]] Result<Reconciliation> reconcile(Context& context, const agreement::State& state, const std::string& from,
                                               const std::string& to, uint64_t from_entries, uint64_t to_entries);
// How many entries of the party's ledger this node holds.
[[nodiscard]] uint64_t entries_held(Context& context, const std::string& agreement_id, const std::string& party);

}  // namespace entente::exchange
