// Joint action: one party proposes measures against indicators that the parties hold, each party consents to all of
// them, narrows or declines under its own law, the lead gives the go, the measures work from T-0 to their end, results
// come back, and a stand-down lifts them (the agreement's `joint_response`).
//
// Its steps are signed acts of the kinds below (docs/format/joint.md): they travel, are kept and are proven as the acts
// of the agreement are, but change nothing of the agreement's own state. Like that state, an action is computed from
// the steps at a time and never stored: a sensor computes it for itself and takes nobody's word for it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/act.h"
#include "base/result.h"
#include "base/time.h"

namespace entente::agreement {

// joint_propose joint_consent joint_decline joint_go joint_report joint_stand_down
[[nodiscard]] constexpr bool is_joint(std::string_view kind) { return kind.starts_with("joint_"); }

inline constexpr size_t kMaxMeasures = 1000;

struct Measure {
  std::string id;         // within its action: "m1"
  std::string indicator;  // STIX id
  std::string version;    // its `modified`, as it stands in the object: what was consented to is what is enforced
  bool drop = false;      // else only count
};

// What a party's node says of its sensors. Signed by a key of the role `node`; the newest one stands.
struct JointReport {
  Time at;
  uint64_t dropping = 0, counting = 0, waiting = 0, refused = 0;  // leases of this action, by their state
  uint64_t hits = 0;                                              // packets that they met
};

enum class JointAnswer : uint8_t { kNone, kConsented, kDeclined };

struct JointParty {
  JointAnswer answer = JointAnswer::kNone;
  std::set<std::string> measures;  // that it consented to
  Time until;                      // its own end, the action's at the latest
  std::string reason, article;     // as it gave them
  std::optional<Time> answered;
  std::optional<Time> stood_down;
  std::string doubt;  // why its steps cannot be trusted, and so count as a decline: a fork, a step that is missing
  std::optional<JointReport> report;
};

enum class JointStage : uint8_t {
  kProposed,   // answers are missing
  kReady,      // enough parties consented: the lead may give the go
  kSet,        // go given, before T-0
  kRunning,    // from T-0
  kStoodDown,  // by the lead, or by every party for itself
  kOver,       // its end came
  kLapsed,     // its end came without a go, or too many declined, or no agreement carries it any more
};
[[nodiscard]] std::string_view to_text(JointStage stage);

struct JointAction {
  std::string id;  // hash of the joint_propose act
  std::string agreement_id, title, lead, article;
  std::vector<Measure> measures;
  Time t0, until;
  size_t need = 0;        // parties that must consent, the lead among them
  bool exercise = false;  // measures count and never drop
  JointStage stage = JointStage::kProposed;
  std::optional<Time> start;  // T-0 in effect: the later of t0 and the go
  std::map<std::string, JointParty> parties;
  std::vector<std::string> waiting_for;          // words
  std::vector<Refused> refused;                  // steps without effect, and why
  std::map<std::string, std::string> last_step;  // party -> prev_act of its next step

  // Does this party carry out this measure now (at the time of the fold)?
  [[nodiscard]] bool in_effect(std::string_view party, const Measure& measure) const;

  std::set<std::string> executing;  // parties for which it is in effect at the time of the fold
};

namespace internal {
struct JointSteps;
}

// The joint steps among a set of acts, read once. Immutable to its users, so thread-safe; copies share.
class JointHistory {
 public:
  // `acts`: all acts known, in any order; only joint ones of `agreement_id` count.
  JointHistory(std::string_view agreement_id, std::span<const SignedAct> acts);
  // Actions at t, oldest first. `state`: the agreement at t (History::at), whose keys judge the steps and without which
  // nothing is in effect.
  [[nodiscard]] std::vector<JointAction> at(const State& state, Time t) const;
  [[nodiscard]] bool empty() const;
  // Every step given could be read, and is its party's by the keys of this state.
  [[nodiscard]] bool keeps(const State& state) const;

 private:
  std::shared_ptr<const internal::JointSteps> steps_;
};

// Would this step have effect? As admissible() is for acts, which calls this one for joint kinds.
[[nodiscard]] Status joint_admissible(const SignedAct& step, std::span<const SignedAct> known, const State& state,
                                      Time at);

// Is this step its party's, with or without effect? A node keeps such steps of others: of two that fork, both are kept.
[[nodiscard]] bool joint_counts(const SignedAct& step, const State& state);

}  // namespace entente::agreement
