// Which acts count at all, and in which order: signatures, quorums, texts, notices of keys, and each author's chain by
// prev_act. Knows no state machine.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/act.h"
#include "agreement/internal/keys.h"
#include "agreement/internal/project_block.h"

namespace entente::agreement::internal {

struct Event {
  SignedAct act;
  std::string hash;
  Time when;          // effective_at, but never before the author's previous act
  std::string chain;  // party code; of who is no party of the text: CODE#HASH of the act that it began with
  Roles roles;        // the quorum that was asked
  std::vector<Good> good;
  std::string refusal;              // its signatures count, its content does not: why
  std::vector<std::string> fallen;  // of a notice: hashes of earlier acts that lose their quorum by its revocations
};

struct Evidence {
  std::map<std::string, Document> texts;         // by hash: every text proposed
  std::map<std::string, ProjectBlock> projects;  // by hash: every project that somebody asked to open
  std::vector<Event> events;                     // in the one order that all nodes agree on, also those still to come
  std::map<std::string, std::string> last_act;   // chain -> its end
  std::map<std::string, Party> outsiders;        // chain -> the block that it began with
  std::map<std::string, std::vector<Notice>> notices;  // chain -> in order
  // Chain -> why it cannot be trusted from `since` on (fork, missing act): its author is in the narrow state.
  struct Doubt {
    Time since;
    std::string why;
  };
  std::multimap<std::string, Doubt> doubts;
  std::vector<Refused> refused;
};

// Kinds that can only reduce what is shared: they stand although a key that signed them was later distrusted.
[[nodiscard]] bool narrows(std::string_view kind);

// The result depends on the set of acts, not on their order; the same act with different signatures counts once, with
// all of them.
[[nodiscard]] Evidence gather(std::string_view agreement_id, std::span<const SignedAct> acts, const Pins& pins);

}  // namespace entente::agreement::internal
