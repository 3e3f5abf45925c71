#include "agreement/joint.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "agreement/internal/joint_steps.h"
#include "agreement/internal/keys.h"
#include "agreement/internal/step_judge.h"
#include "base/bytes.h"

namespace entente::agreement {

namespace internal {

struct JointStep {
  SignedAct act;
  std::string hash;
  JointBody body;
};

struct JointSteps {
  std::vector<JointStep> steps;  // by hash
  mutable StepJudge judge;
};

}  // namespace internal

namespace {

using internal::JointStep;
using internal::JointSteps;

constexpr int64_t kDayUs = int64_t{86'400} * 1'000'000;

std::string why_not(const JointSteps& all, const JointStep& step, const State& state) {
  return all.judge.why_not(step.act, step.hash, state);
}

bool narrowing(std::string_view kind) { return kind == "joint_decline" || kind == "joint_stand_down"; }

// The lead's proposal opens an instant, the go closes it: so an answer of the same microsecond as the go still counts.
int rank(std::string_view kind) {
  static constexpr std::array<std::string_view, 5> kOrder = {"joint_propose", "joint_stand_down", "joint_decline",
                                                             "joint_consent", "joint_go"};
  return static_cast<int>(std::find(kOrder.begin(), kOrder.end(), kind) - kOrder.begin());
}

struct Timed {
  const JointStep* step;
  Time when;
};

class Folding {
 public:
  Folding(const JointSteps& all, const JointStep& proposal, const State& state, Time t)
      : all_(all), proposal_(proposal), state_(state), t_(t) {}

  JointAction run();

 private:
  void open();
  void follow(const std::string& party, std::vector<const JointStep*> steps, std::vector<Timed>& out);
  void take(const Timed& timed);
  void consent(const JointStep& step, JointParty& party, Time when);
  void go(const JointStep& step, Time when);
  void settle();
  void refuse(const JointStep& step, std::string why) {
    a_.refused.push_back({step.hash, step.act.act.kind, std::move(why), true});
  }
  [[nodiscard]] size_t consenting() const {
    return static_cast<size_t>(std::count_if(a_.parties.begin(), a_.parties.end(), [](const auto& p) {
      return p.second.answer == JointAnswer::kConsented && p.second.doubt.empty();
    }));
  }
  [[nodiscard]] bool carries_out(const JointParty& p) const {
    return p.answer == JointAnswer::kConsented && p.doubt.empty() && !p.stood_down && t_ < p.until;
  }

  const JointSteps& all_;
  const JointStep& proposal_;
  const State& state_;
  const Time t_;
  JointAction a_;
  bool void_ = false;  // the proposal itself breaks a rule of the agreement
};

void Folding::open() {
  const Act& act = proposal_.act.act;
  const internal::JointBody& body = proposal_.body;
  a_.id = proposal_.hash;
  a_.agreement_id = act.agreement_id;
  a_.title = body.title;
  a_.lead = act.party;
  if (const auto* joint = state_.document->node.find("joint_response")) a_.article = joint->string_at("art");
  a_.measures = body.measures;
  a_.t0 = body.t0;
  a_.until = body.until;
  a_.exercise = body.exercise || state_.document->exercise;  // in an exercise every action is one
  for (const Party& p : state_.document->parties) {
    a_.parties[p.party].until = a_.until;
    a_.last_step[p.party] = a_.id;
  }
  a_.need = body.need == 0 ? a_.parties.size() : body.need;
  JointParty& lead = a_.parties[a_.lead];
  lead.answer = JointAnswer::kConsented;
  for (const Measure& m : a_.measures) lead.measures.insert(m.id);
  lead.reason = body.reason;
  lead.answered = act.effective_at;
  const int days = state_.document->actions.max_block_days;
  if (days > 0 && a_.until.us - a_.t0.us > days * kDayUs) {
    void_ = true;
    refuse(proposal_, fmt::format("lasts longer than {} days, the longest block of the agreement (article {})", days,
                                  state_.document->actions.art));
  } else if (a_.need > a_.parties.size()) {
    void_ = true;
    refuse(proposal_, fmt::format("needs {} parties, the agreement has {}", a_.need, a_.parties.size()));
  }
}

// One party's steps in their order. A fork or a gap makes the party narrow: what it said last is not known.
void Folding::follow(const std::string& party, std::vector<const JointStep*> steps, std::vector<Timed>& out) {
  std::string at = a_.id;
  Time when = proposal_.act.act.effective_at;
  JointParty& p = a_.parties[party];
  for (;;) {
    std::vector<const JointStep*> next;
    for (const JointStep* s : steps)
      if (s->act.act.prev_act == at) next.push_back(s);
    if (next.size() != 1) {
      if (next.size() > 1) p.doubt = fmt::format("{} made two steps after the same one ({})", party, at.substr(0, 12));
      break;
    }
    when = std::max(when, next.front()->act.act.effective_at);
    at = next.front()->hash;
    out.push_back({next.front(), when});
    a_.last_step[party] = at;
    std::erase(steps, next.front());
  }
  for (const JointStep* s : steps) {
    if (p.doubt.empty()) p.doubt = fmt::format("an earlier step of {} is missing", party);
    // What takes away stands, wherever it hangs.
    if (narrowing(s->act.act.kind))
      out.push_back({s, s->act.act.effective_at});
    else
      refuse(*s, p.doubt);
  }
}

void Folding::consent(const JointStep& step, JointParty& party, Time when) {
  std::set<std::string> known;
  for (const Measure& m : a_.measures) known.insert(m.id);
  std::set<std::string> wanted = step.body.subset.value_or(known);
  for (const auto& id : wanted)
    if (!known.contains(id)) return refuse(step, fmt::format("the action has no measure \"{}\"", printable(id)));
  const Time until = std::min(step.body.own_until.value_or(a_.until), a_.until);
  if (until <= when) return refuse(step, "its own end is past");
  const bool began = a_.start && *a_.start <= when;
  if (party.stood_down) return refuse(step, "its party has stood down: a new action takes a new proposal");
  if (began && party.answer == JointAnswer::kDeclined)
    return refuse(step, "its party has declined, and the action has begun: a new action takes a new proposal");
  if (began && party.answer == JointAnswer::kConsented) {
    const bool narrower = std::includes(party.measures.begin(), party.measures.end(), wanted.begin(), wanted.end()) &&
                          until <= party.until;
    if (!narrower) return refuse(step, "after the begin a party can only narrow what it carries out");
  }
  party.answer = JointAnswer::kConsented;
  party.measures = std::move(wanted);
  party.until = until;
  party.reason = step.body.reason;
  party.article = step.body.article;
  party.answered = when;
}

void Folding::go(const JointStep& step, Time when) {
  if (step.act.act.party != a_.lead) return refuse(step, fmt::format("only the lead, {}, gives the go", a_.lead));
  if (a_.start) return refuse(step, "the go was given already");
  if (a_.parties[a_.lead].stood_down) return refuse(step, "its lead has stood down");
  if (when >= a_.until) return refuse(step, "the action is over");
  if (const size_t have = consenting(); have < a_.need)
    return refuse(step, fmt::format("{} of the {} parties that it needs have consented", have, a_.need));
  a_.start = std::max(a_.t0, when);  // never in retrospect
}

void Folding::take(const Timed& timed) {
  const JointStep& step = *timed.step;
  const std::string& kind = step.act.act.kind;
  JointParty& party = a_.parties[step.act.act.party];
  if (kind == "joint_consent") return consent(step, party, timed.when);
  if (kind == "joint_go") return go(step, timed.when);
  const bool began = a_.start && *a_.start <= timed.when;
  if (kind == "joint_decline" && !began) {
    party.answer = JointAnswer::kDeclined;
    party.measures.clear();
    party.answered = timed.when;
  } else if (!party.stood_down) {
    party.stood_down = timed.when;
  }
  party.reason = step.body.reason;
  party.article = step.body.article;
}

void Folding::settle() {
  if (a_.start && *a_.start <= t_ && t_ < a_.until && !void_ && !a_.parties[a_.lead].stood_down) {
    for (const auto& [code, p] : a_.parties)
      if (code != a_.lead && carries_out(p) && state_.live(code, a_.lead)) a_.executing.insert(code);
    // Alone it is no joint action; whoever wants to go on does so under his own law.
    if (!a_.executing.empty() && carries_out(a_.parties[a_.lead])) a_.executing.insert(a_.lead);
  }
  size_t possible = 0;
  bool all_down = true;
  for (const auto& [code, p] : a_.parties) {
    if (p.answer != JointAnswer::kDeclined && p.doubt.empty() && !p.stood_down) ++possible;
    if (p.answer == JointAnswer::kConsented && !p.stood_down) all_down = false;
  }
  const bool others = std::any_of(a_.parties.begin(), a_.parties.end(),
                                  [&](const auto& p) { return p.first != a_.lead && state_.live(p.first, a_.lead); });
  using enum JointStage;
  if (void_) {
    a_.stage = kLapsed;
  } else if (a_.parties[a_.lead].stood_down || all_down) {
    a_.stage = kStoodDown;
  } else if (t_ >= a_.until) {
    a_.stage = a_.start ? kOver : kLapsed;
  } else if (a_.start) {
    a_.stage = t_ < *a_.start ? kSet : kRunning;
    if (!others) a_.waiting_for.emplace_back("the agreement, which is not in force between the lead and anybody");
  } else if (possible < a_.need) {
    a_.stage = kLapsed;
  } else if (consenting() >= a_.need) {
    a_.stage = kReady;
    a_.waiting_for.push_back("go of " + a_.lead);
  } else {
    a_.stage = kProposed;
    for (const auto& [code, p] : a_.parties)
      if (p.answer == JointAnswer::kNone && p.doubt.empty()) a_.waiting_for.push_back("answer of " + code);
  }
}

JointAction Folding::run() {
  open();
  std::map<std::string, std::vector<const JointStep*>> by_party, reports;
  std::vector<Timed> timeline;
  for (const JointStep& s : all_.steps) {
    const Act& act = s.act.act;
    if (s.body.action != a_.id || act.effective_at > t_ || !a_.parties.contains(act.party)) continue;
    if (act.kind == "joint_report") {
      reports[act.party].push_back(&s);
    } else if (std::string why = why_not(all_, s, state_); !why.empty()) {
      a_.refused.push_back({s.hash, act.kind, std::move(why), false});
    } else {
      by_party[act.party].push_back(&s);
    }
  }
  for (auto& [party, steps] : reports) {
    // They are many: only the newest that is its party's has its signature looked at.
    std::sort(steps.begin(), steps.end(), [](const JointStep* x, const JointStep* y) {
      return std::tie(y->body.report.at, y->hash) < std::tie(x->body.report.at, x->hash);
    });
    const auto newest =
        std::find_if(steps.begin(), steps.end(), [&](const JointStep* s) { return why_not(all_, *s, state_).empty(); });
    if (newest != steps.end()) a_.parties[party].report = (*newest)->body.report;
  }
  for (auto& [party, steps] : by_party) follow(party, std::move(steps), timeline);
  std::sort(timeline.begin(), timeline.end(), [](const Timed& x, const Timed& y) {
    return std::make_tuple(x.when, rank(x.step->act.act.kind), std::string_view(x.step->hash)) <
           std::make_tuple(y.when, rank(y.step->act.act.kind), std::string_view(y.step->hash));
  });
  for (const Timed& timed : timeline)
    if (timed.when <= t_) take(timed);
  settle();
  return std::move(a_);
}

}  // namespace

std::string_view to_text(JointStage stage) {
  switch (stage) {
    case JointStage::kProposed:
      return "proposed";
    case JointStage::kReady:
      return "ready";
    case JointStage::kSet:
      return "set";
    case JointStage::kRunning:
      return "running";
    case JointStage::kStoodDown:
      return "stood down";
    case JointStage::kOver:
      return "over";
    case JointStage::kLapsed:
      return "lapsed";
  }
  return "";
}

bool JointAction::in_effect(std::string_view party, const Measure& measure) const {
  const auto it = parties.find(std::string(party));
  return it != parties.end() && executing.contains(it->first) && it->second.measures.contains(measure.id);
}

JointHistory::JointHistory(std::string_view agreement_id, std::span<const SignedAct> acts) {
  auto all = std::make_shared<JointSteps>();
  std::map<std::string, JointStep> by_hash;
  for (const SignedAct& a : acts) {
    if (a.act.agreement_id != agreement_id || !is_joint(a.act.kind)) continue;
    std::string hash = a.act.hash();
    if (const auto it = by_hash.find(hash); it != by_hash.end()) {
      it->second.act.sigs.insert(it->second.act.sigs.end(), a.sigs.begin(), a.sigs.end());
      continue;
    }
    auto body = internal::read_joint_body(a.act);
    if (!body.ok()) continue;  // nobody's: joint_admissible says why when it comes
    by_hash.emplace(hash, JointStep{a, hash, std::move(*body)});
  }
  for (auto& [hash, step] : by_hash) all->steps.push_back(std::move(step));
  steps_ = std::move(all);
}

bool JointHistory::empty() const { return steps_->steps.empty(); }

bool JointHistory::keeps(const State& state) const {
  return !empty() && std::all_of(steps_->steps.begin(), steps_->steps.end(),
                                 [&](const JointStep& s) { return why_not(*steps_, s, state).empty(); });
}

std::vector<JointAction> JointHistory::at(const State& state, Time t) const {
  std::vector<JointAction> out;
  if (!state.document) return out;
  std::vector<std::pair<Time, JointAction>> found;
  for (const JointStep& s : steps_->steps) {
    const Act& act = s.act.act;
    if (act.kind != "joint_propose" || act.effective_at > t || !why_not(*steps_, s, state).empty()) continue;
    found.emplace_back(act.effective_at, Folding(*steps_, s, state, t).run());
  }
  std::sort(found.begin(), found.end(), [](const auto& x, const auto& y) {
    return std::tie(x.first, x.second.id) < std::tie(y.first, y.second.id);
  });
  for (auto& [when, action] : found) out.push_back(std::move(action));
  return out;
}

bool joint_counts(const SignedAct& step, const State& state) {
  const JointHistory alone(step.act.agreement_id, std::span(&step, 1));
  return alone.keeps(state);
}

Status joint_admissible(const SignedAct& step, std::span<const SignedAct> known, const State& state, Time at) {
  const Act& act = step.act;
  TRY(const auto body, internal::read_joint_body(act));
  const std::string hash = act.hash();
  const std::string id = act.kind == "joint_propose" ? hash : body.action;
  if (!state.document)
    return make_error(ErrorKind::kNotFound, "no agreement carries this step", act.agreement_id,
                      "send the acts of the agreement first");
  if (!joint_counts(step, state)) {
    const Party* party = state.document->party(act.party);
    if (party == nullptr)
      return make_error(ErrorKind::kDenied, fmt::format("{} is no party of the agreement", printable(act.party)),
                        "/act/party");
    TRY(const auto roles, quorum_of(act, *state.document));
    CHECK_OK(internal::check_signatures(step, *party, roles));
    return make_error(ErrorKind::kDenied, "names a text that does not bind its party", "/act/text_version");
  }
  std::vector<SignedAct> all(known.begin(), known.end());
  if (act.kind == "joint_propose") {
    const bool live = std::any_of(state.document->parties.begin(), state.document->parties.end(),
                                  [&](const Party& p) { return state.live(act.party, p.party); });
    if (!live)
      return make_error(ErrorKind::kConflict,
                        fmt::format("the agreement is {}, and carries no joint action", to_text(state.kind)), "",
                        "propose it once the agreement is in force between two parties");
    if (body.until <= at) return invalid("the action would be over already", "/act/body/until");
  } else {
    const auto before = JointHistory(act.agreement_id, all).at(state, std::max(at, act.effective_at));
    const auto it = std::find_if(before.begin(), before.end(), [&](const JointAction& a) { return a.id == id; });
    if (it == before.end())
      return make_error(ErrorKind::kNotFound, "no such joint action is known here", id,
                        "look at 'entente joint list'; its proposal may still be on its way");
    const auto last = it->last_step.find(act.party);
    const std::string expected = act.kind == "joint_report" ? "" : last != it->last_step.end() ? last->second : "";
    if (act.prev_act != expected)
      return make_error(ErrorKind::kConflict,
                        fmt::format("prev_act is not the newest step of {}", printable(act.party)), "/act/prev_act",
                        "make the step again: another one came first");
  }
  all.push_back(step);
  const auto after = JointHistory(act.agreement_id, all).at(state, std::max(at, act.effective_at));
  const auto it = std::find_if(after.begin(), after.end(), [&](const JointAction& a) { return a.id == id; });
  if (it == after.end()) return make_error(ErrorKind::kConflict, "has no effect here yet", "/act/effective_at");
  for (const Refused& r : it->refused)
    if (r.act_hash == hash) return make_error(r.counts ? ErrorKind::kConflict : ErrorKind::kDenied, r.why, "/act");
  return {};
}

}  // namespace entente::agreement
