// The acts this node knows, and the instruments they fold to. Nothing here is stored but the acts themselves.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/act.h"
#include "agreement/joint.h"
#include "agreement/onward.h"
#include "exchange/context.h"

namespace entente::exchange {

// The party's keys of this role that are valid at that time; while a key is being changed there are two.
[[nodiscard]] std::vector<PublicKey> keys_of(const agreement::Party& party, agreement::KeyRole role, Time at);

// The parties but `me` that this instrument binds or ever bound, in order of code: whom an amendment dropped, or whose
// term is over, still has what it was given, and a recall goes to it.
[[nodiscard]] std::vector<std::string> partners_of(const agreement::State& state, std::string_view me);

// Thread-safe.
class Instruments {
 public:
  explicit Instruments(Context& context) : cx_(context) {}
  Status load();  // reads the acts from the store

  // Every agreement known, folded now: what an agreement permits ends at its microsecond, not at a cache's.
  [[nodiscard]] std::vector<std::shared_ptr<const agreement::State>> states() const;
  [[nodiscard]] std::shared_ptr<const agreement::State> state(std::string_view agreement_id) const;
  [[nodiscard]] std::shared_ptr<const agreement::State> state_at(std::string_view agreement_id, Time at) const;
  // By root path "/agreements/SLUG/"; nullptr.
  [[nodiscard]] std::shared_ptr<const agreement::State> by_root(std::string_view root) const;
  [[nodiscard]] std::vector<agreement::SignedAct> acts(std::string_view agreement_id) const;
  [[nodiscard]] bool known(std::string_view act_hash) const;
  // Its joint actions; empty for an agreement that is not known.
  [[nodiscard]] agreement::JointHistory joint(std::string_view agreement_id) const;
  // Its requests for onward release, and the answers; likewise.
  [[nodiscard]] agreement::OnwardHistory onward(std::string_view agreement_id) const;

  // Whose key is this, by the documents that are at least finalised? A party known by two documents is the same party.
  [[nodiscard]] std::vector<std::string> parties_of(std::string_view spki) const;

  // The party's block in the newest text of the agreement that names it: the keys of one that a later text dropped.
  [[nodiscard]] std::optional<agreement::Party> party_ever(std::string_view agreement_id, std::string_view code) const;

  // Would it have effect? (agreement::admissible over what is known.)
  [[nodiscard]] Status admissible(const agreement::SignedAct& act) const;
  // Is it its party's, with or without effect? (agreement::counts.)
  [[nodiscard]] bool counts(const agreement::SignedAct& act) const;
  // Parties that must hear of an act: those of any document of the agreement, and of the act's own. Of a consent: the
  // originator and the holder, and nobody else.
  [[nodiscard]] std::vector<std::string> audience(const agreement::SignedAct& act) const;
  void learned(agreement::SignedAct act);  // after it is in the log

 private:
  Context& cx_;
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<agreement::SignedAct>, std::less<>> acts_;
  std::set<std::string, std::less<>> hashes_;
  std::map<std::string, agreement::History, std::less<>> histories_;     // of acts_
  std::map<std::string, agreement::JointHistory, std::less<>> joint_;    // of the joint steps among them
  std::map<std::string, agreement::OnwardHistory, std::less<>> onward_;  // of the consents among them
};

}  // namespace entente::exchange
