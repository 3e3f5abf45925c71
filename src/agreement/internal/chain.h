// Which acts count at all, and in which order: signatures, quorums, texts, and each party's chain by prev_act. Knows no
// state machine.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/act.h"

namespace entente::agreement::internal {

struct Event {
  SignedAct act;
  std::string hash;
  Time when;  // effective_at, but never before the party's previous act
};

struct Evidence {
  std::map<std::string, Document> texts;        // by hash: every text properly proposed
  std::vector<Event> events;                    // in the one order that all nodes agree on, also those still to come
  std::map<std::string, std::string> last_act;  // party -> end of its chain
  // Party -> why its chain cannot be trusted from `since` on (fork, missing act): it is in the narrow state.
  struct Doubt {
    Time since;
    std::string why;
  };
  std::multimap<std::string, Doubt> doubts;
  std::vector<Refused> refused;
};

// The result depends on the set of acts, not on their order; the same act with different signatures counts once, with
// all of them.
[[nodiscard]] Evidence gather(std::string_view agreement_id, std::span<const SignedAct> acts, const Pins& pins);

}  // namespace entente::agreement::internal
