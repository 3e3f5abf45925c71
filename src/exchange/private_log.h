// The party's private log (ledger.md §1): what its people and its node did and decided, withheld included, as leaves
// that nobody else reads; and the leaves that bind it to the ledgers which partners hold. `anchor` commits to its
// signed head, `entitled` says to one partner that it was given all it is entitled to. Both are salted: a partner
// learns from them neither how much was decided nor how much was withheld, and both can be opened later, to an
// inspector or in a differences procedure (docs/decisions/0015-anchors-and-entitlement.md).
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "exchange/context.h"
#include "exchange/evidence.h"
#include "exchange/instruments.h"
#include "exchange/release.h"
#include "json/node.h"

namespace entente::exchange {

// What this party said to a partner last, with what it alone may read.
struct Entitlement {
  uint64_t leaf = 0;  // of the pair log: all that the partner is entitled to lies before it
  Time at;
  uint64_t withheld = 0;  // decisions of this party to withhold that stand
};

// Thread-safe.
class PrivateLog {
 public:
  PrivateLog(Context& context, Instruments& instruments, Evidence& evidence);

  // What a person asks of the node, before it is done: `operator`.
  Status operator_act(const std::string& person, std::string_view method, std::string_view path, std::string_view body);
  // What the node is set to and the keys that it holds, if they are not as the newest leaves say: `config`, `key`.
  Status set_to(const json::Node& config, const json::Node& keys);
  // Hourly, and when an agreement's state or a conflict changes: `clock` in the private log, then an `anchor` in each
  // pair log. Cheap when nothing is due.
  Status tick();
  // The release stage has decided all there is for this party: an `entitled` leaf, hourly and once things were sent.
  Status caught_up(const agreement::State& state, const std::string& to, const ReleaseCount& count);

  [[nodiscard]] std::optional<Entitlement> entitlement(const std::string& agreement_id, const std::string& to) const;

 private:
  [[nodiscard]] std::string moment(const agreement::State& state) const;
  Status anchor(const agreement::State& state, Time now, const std::string& moment);
  Status clock_leaf(Time now);
  Status pad(const agreement::State& state, Time now);

  Context& cx_;
  Instruments& instruments_;
  Evidence& evidence_;
  mutable std::mutex mutex_;
  struct Last {
    Time at;
    std::string moment;
  };
  std::map<std::string, Last> anchored_;  // agreement -> its newest anchor
  struct Told {
    Entitlement entitlement;
    uint64_t looked = 0;  // entries of the pair log that were looked at since
    bool sent = false;    // and whether a release to that party is among them
  };
  [[nodiscard]] Result<bool> sent_since(const std::string& agreement_id, const std::string& to, Told& told) const;
  std::map<std::string, Told> told_;    // "agreement party"
  std::map<std::string, Time> padded_;  // agreement -> when
  std::optional<Time> clock_said_;
  bool clock_was_safe_ = true;
  std::atomic<int64_t> looked_us_ = 0;  // steady time
};

// The agreement's time between two anchors; an hour where it says none.
[[nodiscard]] Period anchor_period(const agreement::Document& document);
// What a person asked for, without what must not be kept: passwords and tokens.
[[nodiscard]] std::string without_secrets(std::string_view body);

}  // namespace entente::exchange
