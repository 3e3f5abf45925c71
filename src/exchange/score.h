// The reciprocity and effectiveness sheet (agreement.md, `reciprocity`): what two parties gave each other, how fast,
// and what came of it. From what both of their ledgers show, so that both compute the same octets. It reports; nothing
// follows from it by machine.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exchange/context.h"
#include "exchange/exchanged.h"
#include "exchange/instruments.h"

namespace entente::exchange {

// Of one party, towards the other.
struct PartyScore {
  std::map<std::string, uint64_t> released;  // type -> object versions
  uint64_t released_objects = 0, recalled_objects = 0;
  uint64_t releases = 0, acknowledged = 0, unanswered = 0;  // releases; and of them, with and without a receipt
  uint64_t objects_refused = 0;                             // by the other party, in its receipts
  std::optional<int64_t> median_release_delay_us;           // from commit to release
  std::optional<int64_t> median_acknowledge_delay_us;       // of this party, for what the other released
  uint64_t sightings_returned = 0;                          // sightings of what the other had released
  uint64_t objects_seen = 0;                                // different ones of the other's that these name
  uint64_t hits_reported = 0;                               // the sum of their counts
  uint64_t joint_leases = 0, joint_hits = 0;                // its last signed reports on joint actions
  uint64_t claims_made = 0;                                 // that the other's indicators are wrong
  uint64_t claims_withdrawn = 0, claims_upheld = 0, claims_open = 0;  // how the other answered them
  struct Kept {
    uint64_t met = 0, late = 0, open = 0, overdue = 0;
  };
  std::map<std::string, Kept> duties;  // service level -> of this party
  uint64_t breaches_admitted = 0;      // leaves `sla_breach` in its ledger
};

struct Score {
  Between between;
  std::string article, consequence;  // of the agreement's `reciprocity`
  std::vector<std::string> measure;  // what the agreement says is measured; the sheet has more
  std::map<std::string, PartyScore> parties;
  std::vector<std::string> not_clocked;
  [[nodiscard]] std::string text() const;  // canonical JSON: the same at both ends
};
// `between`: as of between_now() with the agreement's window, or as the partner names it.
[[nodiscard]] Result<Score> score(Context& context, const Instruments& instruments, const Between& between);
// `reciprocity.window` of the text between the two; 90 days if it names none.
[[nodiscard]] Period score_window(const agreement::State& state, const std::string& a, const std::string& b);

}  // namespace entente::exchange
