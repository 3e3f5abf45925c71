// Since when a party knew of what it releases: leaves `commit` in its ledger, written when objects are first decided
// for a recipient, opened by the manifest that sends them (docs/format/exchange.md). Only where the agreement has a
// service level for releases. What may not go for other reasons than people who have not looked yet leaves no trace.
#pragma once

#include <string>
#include <vector>

#include "agreement/act.h"
#include "exchange/context.h"
#include "exchange/evidence.h"
#include "exchange/wire.h"
#include "store/store.h"

namespace entente::exchange {

class Commits {
 public:
  Commits(Context& context, const agreement::State& state, const std::string& to);
  [[nodiscard]] bool wanted() const { return wanted_; }
  // A row that goes now, or waits for people.
  void note(const store::Row& row, bool goes);
  // Writes the leaves: one for all that go now, one for each that waits.
  Status seal(Evidence::Transaction& tx);
  // Puts into the manifest, for its next object, since when it was here, and the leaf that showed it. `asked`: not mere
  // context of others.
  void open(const store::Row& row, bool asked, Manifest& m, Evidence::Transaction& tx);

 private:
  Status add(Commit& commit, Evidence::Transaction& tx) const;

  Context& cx_;
  const agreement::State& state_;
  std::string to_;
  bool wanted_ = false;
  Commit now_;                                           // all that go in this change
  std::vector<std::pair<std::string, Commit>> waiting_;  // "id version" -> its own
};

}  // namespace entente::exchange
