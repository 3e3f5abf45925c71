// The duties between two parties, from what both of their ledgers show (exchange/exchanged.h): both compute the same
// octets. And what this node does about its own: it says in its ledger when it missed one.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/duties.h"
#include "exchange/context.h"
#include "exchange/evidence.h"
#include "exchange/exchanged.h"
#include "exchange/instruments.h"

namespace entente::exchange {

[[nodiscard]] std::vector<agreement::DutyFact> duty_facts(const Exchanged& exchanged,
                                                          std::span<const agreement::ServiceLevel> levels);

struct DutySheet {
  Between between;
  std::vector<agreement::Duty> duties;
  std::vector<std::string> not_clocked;    // levels that people have to keep
  [[nodiscard]] std::string text() const;  // canonical JSON: the same at both ends
};
[[nodiscard]] Result<DutySheet> duty_sheet(Context& context, const Instruments& instruments, const Between& between);

// What only this node knows of: objects that wait for people, though a level says by when they go.
[[nodiscard]] Result<std::vector<agreement::Duty>> waiting_duties(const Context& context, const agreement::State& state,
                                                                  const std::string& peer, Time at);

[[nodiscard]] json::Node duty_node(const agreement::Duty& duty);
[[nodiscard]] json::Node between_node(const Between& between);

// What an object says of a false-positive claim (docs/format/claims.md), if anything.
struct ClaimSaid {
  std::string id;
  bool claims = false;     // it is a claim
  std::string answer, to;  // it is an answer: withdrawn or upheld, and to which claim
  std::string claimant, originator;
};
[[nodiscard]] ClaimSaid claim_said(std::string_view raw);
// By its type: the carriers that the page names.
[[nodiscard]] bool may_be_claim(std::string_view id);

// What opens the leaf `sla_breach` of a party that says it missed a duty: derived from the record, which both compute.
[[nodiscard]] std::string breach_record(const std::string& agreement_id, const agreement::Duty& duty);
[[nodiscard]] std::string breach_salt(std::string_view record);

// Thread-safe. Looks at the duties of every agreement now and then, at a cost of two parts in a hundred of a core at
// most: counts for metrics and status, and this party's own misses into its ledger.
class DutyWatch {
 public:
  DutyWatch(Context& context, const Instruments& instruments, Evidence& evidence)
      : cx_(context), instruments_(instruments), evidence_(evidence) {}

  struct Count {
    std::string agreement, peer;
    uint64_t ours_overdue = 0, theirs_overdue = 0, ours_soon = 0;  // soon: due within two hours
  };
  [[nodiscard]] std::vector<Count> counts() const;
  void tick();    // posts look() when it is time
  Status look();  // at once

 private:
  Status look_at(const agreement::State& state, const std::string& peer, Count& count);

  Context& cx_;
  const Instruments& instruments_;
  Evidence& evidence_;
  mutable std::mutex mutex_;
  std::vector<Count> counts_;
  bool running_ = false;
  int64_t next_us_ = 0;  // steady time
};

}  // namespace entente::exchange
