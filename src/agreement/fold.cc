// Acts to state (agreement.md §3): the acts that count (internal/chain.h) run through the machine (internal/machine.h).
// What a State says of two parties, and whether one more act would have effect.
#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "agreement/act.h"
#include "agreement/internal/machine.h"
#include "agreement/joint.h"
#include "agreement/onward.h"
#include "base/bytes.h"

namespace entente::agreement {
namespace {

using internal::Event;
using internal::Evidence;
using internal::Machine;

bool in_force(StateKind k) { return k == StateKind::kInForce || k == StateKind::kEnding; }

StateKind kind_of(const State& s, std::string_view party) {
  auto it = s.by_party.find(std::string(party));
  return it == s.by_party.end() ? StateKind::kNone : it->second;
}

// What two parties both list, if either of them is bound to a list; null = no list binds them.
bool listed(const std::map<std::string, std::set<std::string>>& lists, std::string_view party, std::string_view flow) {
  auto it = lists.find(std::string(party));
  return it != lists.end() && it->second.contains(std::string(flow));
}

}  // namespace

std::string_view to_text(StateKind s) {
  switch (s) {
    case StateKind::kNone:
      return "none";
    case StateKind::kDraft:
      return "draft";
    case StateKind::kFinalised:
      return "finalised";
    case StateKind::kPartSigned:
      return "part-signed";
    case StateKind::kSigned:
      return "signed";
    case StateKind::kProvisional:
      return "provisional";
    case StateKind::kInForce:
      return "in force";
    case StateKind::kSuspended:
      return "suspended";
    case StateKind::kEnding:
      return "ending";
    case StateKind::kTerminated:
      return "terminated";
    case StateKind::kExpired:
      return "expired";
    case StateKind::kAbandoned:
      return "abandoned";
  }
  return "";
}

bool State::live(std::string_view a, std::string_view b) const {
  const StateKind x = kind_of(*this, a), y = kind_of(*this, b);
  if (a == b || closed.contains(internal::pair_of(std::string(a), std::string(b)))) return false;
  if (in_force(x) && in_force(y)) return true;
  if (!(in_force(x) || x == StateKind::kProvisional) || !(in_force(y) || y == StateKind::kProvisional)) return false;
  auto mine = provisional.find(std::string(a));
  return mine != provisional.end() && std::any_of(mine->second.begin(), mine->second.end(),
                                                  [&](const auto& flow) { return listed(provisional, b, flow); });
}

bool State::bound(std::string_view a, std::string_view b) const {
  auto holds = [](StateKind k) { return in_force(k) || k == StateKind::kProvisional || k == StateKind::kSuspended; };
  return a != b && holds(kind_of(*this, a)) && holds(kind_of(*this, b));
}

namespace {
// It was in force for the party, and is or has ended.
bool held(const State& state, std::string_view party) {
  const StateKind k = kind_of(state, party);
  const bool over = k == StateKind::kTerminated || k == StateKind::kExpired;
  return state.began.contains(std::string(party)) && (over || in_force(k) || k == StateKind::kSuspended);
}
}  // namespace

bool State::recallable(std::string_view a, std::string_view b) const {
  return bound(a, b) || (a != b && held(*this, a) && held(*this, b));
}

bool State::survives(std::string_view a, std::string_view b, std::string_view article) const {
  const Document* doc = between(a, b);
  if (a == b || doc == nullptr || !held(*this, a) || !held(*this, b)) return false;
  return std::any_of(doc->survives.begin(), doc->survives.end(),
                     [&](const std::string& art) { return article == art || article.starts_with(art + "("); });
}

bool State::permits(std::string_view flow, std::string_view a, std::string_view b) const {
  if (!live(a, b) || suspended_flows.contains(std::string(flow))) return false;
  const bool early = kind_of(*this, a) == StateKind::kProvisional || kind_of(*this, b) == StateKind::kProvisional;
  if (early && (!listed(provisional, a, flow) || !listed(provisional, b, flow))) return false;
  for (std::string_view p : {a, b})
    if (declared.contains(std::string(p)) && !listed(declared, p, flow)) return false;
  return true;
}

const Document* State::between(std::string_view a, std::string_view b) const {
  if (!document) return nullptr;
  auto x = path.find(std::string(a)), y = path.find(std::string(b));
  if (x == path.end() || y == path.end()) return &*document;
  size_t n = 0;
  while (n < x->second.size() && n < y->second.size() && x->second[n] == y->second[n]) ++n;
  if (n == 0) return &*document;
  auto later = later_texts.find(x->second[n - 1]);
  return later == later_texts.end() ? &*document : later->second.get();
}

State fold(std::string_view agreement_id, std::span<const SignedAct> acts, Time at) {
  return fold(agreement_id, acts, at, {});
}

State fold(std::string_view agreement_id, std::span<const SignedAct> acts, Time at, const Pins& pins) {
  return History(agreement_id, acts, pins).at(at);
}

History::History(std::string_view agreement_id, std::span<const SignedAct> acts, const Pins& pins)
    : agreement_id_(agreement_id),
      evidence_(std::make_shared<const Evidence>(internal::gather(agreement_id, acts, pins))) {}

namespace {

Machine run(const Evidence& evidence, Time t) {
  Machine machine(evidence);
  for (const Event& e : evidence.events)
    if (e.when <= t) machine.take(e);
  return machine;
}

}  // namespace

State History::at(Time t) const {
  State s;
  s.agreement_id = agreement_id_;
  run(*evidence_, t).finish(s, t);
  return s;
}

std::vector<State> History::projects_at(Time t) const {
  if (evidence_->projects.empty()) return {};
  State s;
  s.agreement_id = agreement_id_;
  Machine machine = run(*evidence_, t);
  machine.finish(s, t);
  return machine.project_states(s, t);
}

Status admissible(const SignedAct& act, std::span<const SignedAct> known, Time at) {
  return admissible(act, known, at, {});
}

Status admissible(const SignedAct& act, std::span<const SignedAct> known, Time at, const Pins& pins) {
  const std::string hash = act.act.hash();
  const Time then = std::max(at, act.act.effective_at);
  if (is_joint(act.act.kind)) return joint_admissible(act, known, fold(act.act.agreement_id, known, then, pins), at);
  if (is_onward(act.act.kind)) return onward_admissible(act, known, fold(act.act.agreement_id, known, then, pins), at);
  const State before = fold(act.act.agreement_id, known, then, pins);
  const bool new_act =
      std::none_of(known.begin(), known.end(), [&](const SignedAct& k) { return k.act.hash() == hash; });
  auto last = before.last_act.find(act.act.party);
  const std::string prev = last == before.last_act.end() ? "" : last->second;
  if (new_act && act.act.prev_act != prev)
    return make_error(ErrorKind::kConflict, fmt::format("prev_act is not the newest act of {}", act.act.party),
                      "/act/prev_act",
                      prev.empty() ? "leave prev_act empty: this is its first act"
                                   : fmt::format("make the act again with prev_act {}", prev));
  const StateKind kind = before.kind;
  auto not_now = [&](std::string_view need) -> Status {
    return make_error(ErrorKind::kConflict,
                      fmt::format("{} has no effect while the instrument is {}", act.act.kind, to_text(kind)), "",
                      std::string(need));
  };
  const bool is_signed = kind >= StateKind::kSigned && kind != StateKind::kAbandoned;
  const bool ended = kind == StateKind::kTerminated || kind == StateKind::kExpired;
  if (ended && act.act.kind != "claim_breach" && act.act.kind != "annex_notice")
    return not_now("it has ended; begin a new instrument");
  if (act.act.kind == "initial" && is_signed) return not_now("the text is signed already");
  if (act.act.kind == "sign" && new_act && kind != StateKind::kFinalised && kind != StateKind::kPartSigned)
    return not_now("every party initials the same text first, then signs it once");
  if (act.act.kind == "notify_completed" && !is_signed) return not_now("every party signs first");
  if (act.act.kind == "suspend" && !is_signed) return not_now("nothing is shared yet; use abandon to end the talks");
  std::vector<SignedAct> all(known.begin(), known.end());
  all.push_back(act);
  const State after = fold(act.act.agreement_id, all, then, pins);
  for (const Refused& r : after.refused)
    if (r.act_hash == hash) return make_error(ErrorKind::kConflict, r.why, "/act");
  return {};
}

bool counts(const SignedAct& act, std::span<const SignedAct> known, const Pins& pins) {
  if (is_joint(act.act.kind)) return joint_counts(act, fold(act.act.agreement_id, known, act.act.effective_at, pins));
  if (is_onward(act.act.kind)) return onward_counts(act, fold(act.act.agreement_id, known, act.act.effective_at, pins));
  std::vector<SignedAct> all(known.begin(), known.end());
  all.push_back(act);
  const std::string hash = act.act.hash();
  const Evidence evidence = internal::gather(act.act.agreement_id, all, pins);
  if (std::any_of(evidence.events.begin(), evidence.events.end(), [&](const Event& e) { return e.hash == hash; }))
    return true;
  return std::any_of(evidence.refused.begin(), evidence.refused.end(),
                     [&](const Refused& r) { return r.counts && r.act_hash == hash; });
}

}  // namespace entente::agreement
