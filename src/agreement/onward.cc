#include "agreement/onward.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "agreement/internal/keys.h"
#include "agreement/internal/onward_steps.h"
#include "agreement/internal/step_judge.h"
#include "base/bytes.h"

namespace entente::agreement {

namespace internal {

struct OnwardStep {
  SignedAct act;
  std::string hash;
  OnwardBody body;
};

struct OnwardSteps {
  std::vector<std::shared_ptr<const OnwardStep>> requests;                                        // by hash
  std::map<std::string, std::vector<std::shared_ptr<const OnwardStep>>, std::less<>> by_request;  // the others, by hash
  std::shared_ptr<StepJudge> judge = std::make_shared<StepJudge>();  // shared by copies of a history that grew
};

}  // namespace internal

namespace {

using internal::OnwardStep;
using internal::OnwardSteps;
using StepPtr = std::shared_ptr<const OnwardStep>;

std::string why_not(const OnwardSteps& all, const OnwardStep& step, const State& state, std::optional<Time> at = {}) {
  return all.judge->why_not(step.act, step.hash, state, at);
}

bool narrowing(std::string_view kind) { return kind == "onward_deny" || kind == "onward_withdraw"; }

// What of the rules of the agreement a request breaks; "" = nothing.
std::string against_rules(const OnwardTerms& terms, const State& state) {
  const Document& doc = *state.document;
  for (const auto& code : {terms.originator, terms.holder})
    if (doc.party(code) == nullptr) return fmt::format("{} is no party of the agreement", code);
  if (doc.onward_rule == "never")
    return fmt::format("the agreement allows no onward release (article {}): the originator gives it to {} itself",
                       doc.onward_art.empty() ? "-" : doc.onward_art, terms.recipient);
  std::vector<std::string> purposes;
  if (const json::Node* scope = doc.node.find("scope"))
    if (const json::Node* list = scope->find("purposes"); list != nullptr && list->is_array())
      for (const json::Node& p : list->list())
        if (p.is_string()) purposes.push_back(p.string());
  if (std::find(purposes.begin(), purposes.end(), terms.purpose) == purposes.end()) {
    std::string known;
    for (const auto& p : purposes) known += (known.empty() ? "" : ", ") + p;
    return fmt::format("\"{}\" is no purpose of the agreement: one of {}", printable(terms.purpose), known);
  }
  return {};
}

// What of a consent goes beyond the request it answers; "" = nothing.
std::string beyond(const OnwardTerms& asked, const OnwardTerms& given) {
  if (given.originator != asked.originator || given.holder != asked.holder || given.object != asked.object ||
      given.recipient != asked.recipient || given.purpose != asked.purpose)
    return "is about another object, party or purpose than the request that it answers";
  if (asked.version != kEveryVersion) {
    if (given.version != asked.version) return "covers versions that were not asked for";
    if (given.sha256 != asked.sha256) return "names other octets than the request: the holder has another object";
  }
  if (asked.until && (!given.until || *given.until > *asked.until)) return "lasts longer than was asked for";
  return {};
}

int rank(std::string_view kind) { return kind == "onward_give" ? 1 : 0; }  // at one instant the narrower counts first

struct Timed {
  const OnwardStep* step;
  Time when;
};

class Folding {
 public:
  Folding(const OnwardSteps& all, const OnwardStep& request, const State& state, Time t)
      : all_(all), request_(request), state_(state), t_(t) {}

  Onward run();

 private:
  void follow(const std::string& party, std::vector<const OnwardStep*> steps, std::vector<Timed>& out);
  void take(const Timed& timed);
  void give(const OnwardStep& step, Time when);
  void refuse(const OnwardStep& step, std::string why) {
    o_.refused.push_back({step.hash, step.act.act.kind, std::move(why), true});
  }

  const OnwardSteps& all_;
  const OnwardStep& request_;
  const State& state_;
  const Time t_;
  Onward o_;
  bool over_ = false;  // denied or withdrawn: nothing opens it again
};

// One party's steps in their order. A fork or a gap makes the party narrow: what it said last is not known.
void Folding::follow(const std::string& party, std::vector<const OnwardStep*> steps, std::vector<Timed>& out) {
  std::string at = o_.id;
  Time when = request_.act.act.effective_at;
  for (;;) {
    std::vector<const OnwardStep*> next;
    for (const OnwardStep* s : steps)
      if (s->act.act.prev_act == at) next.push_back(s);
    if (next.size() > 1) o_.doubt = fmt::format("{} made two steps after the same one ({})", party, at.substr(0, 12));
    if (next.size() != 1) break;
    when = std::max(when, next.front()->act.act.effective_at);
    at = next.front()->hash;
    out.push_back({next.front(), when});
    o_.last_step[party] = at;
    std::erase(steps, next.front());
  }
  for (const OnwardStep* s : steps) {
    if (o_.doubt.empty()) o_.doubt = fmt::format("an earlier step of {} is missing", party);
    // What takes away stands, wherever it hangs.
    if (narrowing(s->act.act.kind))
      out.push_back({s, s->act.act.effective_at});
    else
      refuse(*s, o_.doubt);
  }
}

void Folding::give(const OnwardStep& step, Time when) {
  if (over_) return refuse(step, "the request is over: what was denied or withdrawn takes a new request");
  if (std::string why = beyond(o_.asked, step.body.terms); !why.empty()) return refuse(step, std::move(why));
  if (*step.body.terms.until <= when) return refuse(step, "its end is past");
  // Widening is only as good as the keys are now: what a revoked key gave, whatever date it claims, is not given.
  if (!why_not(all_, step, state_, t_).empty())
    return refuse(step, "the key that gave it is no longer its party's: give it again with another");
  o_.given = step.body.terms;
  o_.given_at = when;
  o_.reason = step.body.reason;
  o_.stage = OnwardStage::kGiven;
  if (!o_.answered_at) o_.answered_at = when;
}

void Folding::take(const Timed& timed) {
  const OnwardStep& step = *timed.step;
  const Act& act = step.act.act;
  if (act.kind == "onward_give") return give(step, timed.when);
  if (over_) return refuse(step, "the request is over already");
  over_ = true;
  o_.stage = act.kind == "onward_deny" && !o_.given ? OnwardStage::kDenied : OnwardStage::kWithdrawn;
  o_.reason = step.body.reason;
  if (!o_.answered_at && act.party == o_.asked.originator) o_.answered_at = timed.when;
}

Onward Folding::run() {
  const Act& act = request_.act.act;
  o_.id = request_.hash;
  o_.agreement_id = act.agreement_id;
  o_.article = state_.document->onward_art;
  o_.asked = request_.body.terms;
  o_.asked_at = act.effective_at;
  o_.request_reason = request_.body.reason;
  std::map<std::string, std::vector<const OnwardStep*>> by_party;
  for (const auto& code : {o_.asked.originator, o_.asked.holder}) {
    o_.last_step[code] = o_.id;
    by_party[code];
  }
  std::vector<Timed> timeline;
  if (const auto steps = all_.by_request.find(o_.id); steps != all_.by_request.end()) {
    for (const auto& s : steps->second) {
      const Act& a = s->act.act;
      if (a.effective_at > t_) continue;
      const bool concerned = by_party.contains(a.party) && s->body.terms.originator == o_.asked.originator &&
                             s->body.terms.holder == o_.asked.holder;
      if (!concerned)
        o_.refused.push_back({s->hash, a.kind, "is not of the two parties that the request concerns", false});
      else if (std::string why = why_not(all_, *s, state_); !why.empty())
        o_.refused.push_back({s->hash, a.kind, std::move(why), false});
      else
        by_party[a.party].push_back(s.get());
    }
  }
  for (auto& [party, steps] : by_party) follow(party, std::move(steps), timeline);
  std::sort(timeline.begin(), timeline.end(), [](const Timed& x, const Timed& y) {
    return std::make_tuple(x.when, rank(x.step->act.act.kind), std::string_view(x.step->hash)) <
           std::make_tuple(y.when, rank(y.step->act.act.kind), std::string_view(y.step->hash));
  });
  for (const Timed& timed : timeline)
    if (timed.when <= t_) take(timed);
  if (over_) return std::move(o_);
  if (std::string why = against_rules(o_.asked, state_); !why.empty()) o_.doubt = std::move(why);
  if (o_.doubt.empty() && !why_not(all_, request_, state_, t_).empty())
    o_.doubt = "the key that signed the request is no longer its party's: ask again";
  if (!o_.doubt.empty())
    o_.stage = OnwardStage::kVoid;
  else if (o_.given ? t_ >= *o_.given->until : o_.asked.until && t_ >= *o_.asked.until)
    o_.stage = OnwardStage::kExpired;
  return std::move(o_);
}

void insert(OnwardSteps& all, const SignedAct& act) {
  auto body = internal::read_onward_body(act.act);
  if (!body.ok()) return;  // nobody's: onward_admissible says why when it comes
  OnwardStep step{act, act.act.hash(), std::move(*body)};
  auto& list = act.act.kind == "onward_ask" ? all.requests : all.by_request[step.body.request];
  const auto at = std::lower_bound(list.begin(), list.end(), step.hash,
                                   [](const StepPtr& s, const std::string& hash) { return s->hash < hash; });
  if (at != list.end() && (*at)->hash == step.hash) {  // signatures of one act may come in several texts
    step.act.sigs.insert(step.act.sigs.end(), (*at)->act.sigs.begin(), (*at)->act.sigs.end());
    *at = std::make_shared<const OnwardStep>(std::move(step));
    return;
  }
  list.insert(at, std::make_shared<const OnwardStep>(std::move(step)));
}

}  // namespace

std::string_view to_text(OnwardStage stage) {
  switch (stage) {
    case OnwardStage::kAsked:
      return "asked";
    case OnwardStage::kGiven:
      return "given";
    case OnwardStage::kExpired:
      return "expired";
    case OnwardStage::kDenied:
      return "denied";
    case OnwardStage::kWithdrawn:
      return "withdrawn";
    case OnwardStage::kVoid:
      return "void";
  }
  return "";
}

OnwardHistory::OnwardHistory(std::string_view agreement_id, std::span<const SignedAct> acts)
    : agreement_id_(agreement_id) {
  auto all = std::make_shared<OnwardSteps>();
  for (const SignedAct& a : acts)
    if (a.act.agreement_id == agreement_id && is_onward(a.act.kind)) insert(*all, a);
  steps_ = std::move(all);
}

OnwardHistory OnwardHistory::with(const SignedAct& step) const {
  OnwardHistory out;
  out.agreement_id_ = agreement_id_;
  auto all = std::make_shared<OnwardSteps>(*steps_);
  if (step.act.agreement_id == agreement_id_ && is_onward(step.act.kind)) insert(*all, step);
  out.steps_ = std::move(all);
  return out;
}

bool OnwardHistory::empty() const { return steps_->requests.empty() && steps_->by_request.empty(); }

bool OnwardHistory::keeps(const State& state) const {
  const auto good = [&](const StepPtr& s) { return why_not(*steps_, *s, state).empty(); };
  return !empty() && std::all_of(steps_->requests.begin(), steps_->requests.end(), good) &&
         std::all_of(steps_->by_request.begin(), steps_->by_request.end(),
                     [&](const auto& of_one) { return std::all_of(of_one.second.begin(), of_one.second.end(), good); });
}

std::vector<Onward> OnwardHistory::at(const State& state, Time t) const {
  std::vector<Onward> out;
  if (!state.document || state.agreement_id != agreement_id_) return out;
  for (const StepPtr& s : steps_->requests) {
    const Act& act = s->act.act;
    if (act.effective_at > t || !act.prev_act.empty() || !why_not(*steps_, *s, state).empty()) continue;
    out.push_back(Folding(*steps_, *s, state, t).run());
  }
  std::sort(out.begin(), out.end(),
            [](const Onward& x, const Onward& y) { return std::tie(x.asked_at, x.id) < std::tie(y.asked_at, y.id); });
  return out;
}

std::vector<Consent> consents_of(std::span<const Onward> requests) {
  std::vector<Consent> out;
  for (const Onward& o : requests) {
    if (!o.given || (o.stage != OnwardStage::kGiven && o.stage != OnwardStage::kExpired)) continue;
    Consent c{o.originator(), o.given->recipient, o.given->object, o.given->version, *o.given_at, *o.given->until};
    c.agreement = o.agreement_id;
    c.purpose = o.given->purpose;
    out.push_back(std::move(c));
  }
  return out;
}

std::set<std::string> onward_parties(const Act& step) {
  const auto body = internal::read_onward_body(step);
  if (!body.ok()) return {};
  return {body->terms.originator, body->terms.holder};
}

bool onward_counts(const SignedAct& step, const State& state) {
  return OnwardHistory(step.act.agreement_id, std::span(&step, 1)).keeps(state);
}

Status onward_admissible(const SignedAct& step, std::span<const SignedAct> known, const State& state, Time at) {
  const Act& act = step.act;
  TRY(const auto body, internal::read_onward_body(act));
  const std::string hash = act.hash();
  const bool asks = act.kind == "onward_ask";
  const std::string id = asks ? hash : body.request;
  if (!state.document)
    return make_error(ErrorKind::kNotFound, "no agreement carries this step", act.agreement_id,
                      "send the acts of the agreement first");
  if (!onward_counts(step, state)) {
    const Party* party = state.document->party(act.party);
    if (party == nullptr)
      return make_error(ErrorKind::kDenied, fmt::format("{} is no party of the agreement", printable(act.party)),
                        "/act/party");
    TRY(const auto roles, quorum_of(act, *state.document));
    CHECK_OK(internal::check_signatures(step, *party, roles));
    return make_error(ErrorKind::kDenied, "names a text that does not bind its party", "/act/text_version");
  }
  const Time then = std::max(at, act.effective_at);
  const OnwardHistory before(act.agreement_id, known);
  const auto find = [&](const std::vector<Onward>& list) {
    return std::find_if(list.begin(), list.end(), [&](const Onward& o) { return o.id == id; });
  };
  if (asks) {
    if (!act.prev_act.empty())
      return make_error(ErrorKind::kConflict, "a request follows no other step", "/act/prev_act",
                        "leave prev_act empty");
    if (std::string why = against_rules(body.terms, state); !why.empty())
      return make_error(ErrorKind::kConflict, std::move(why), "/act/body");
    if (!state.live(body.terms.originator, body.terms.holder))
      return make_error(ErrorKind::kConflict,
                        fmt::format("the agreement is {}, and carries no request", to_text(state.kind)), "",
                        "ask once it is in force between the two parties");
    if (body.terms.until && *body.terms.until <= at)
      return invalid("the request would be over already", "/act/body/until");
  } else {
    const auto requests = before.at(state, then);
    const auto it = find(requests);
    if (it == requests.end())
      return make_error(ErrorKind::kNotFound, "no such request is known under this agreement", id,
                        "look at 'entente consent list'; the request may still be on its way");
    const auto last = it->last_step.find(act.party);
    if (last == it->last_step.end() || act.prev_act != last->second)
      return make_error(ErrorKind::kConflict,
                        fmt::format("prev_act is not the newest step of {}", printable(act.party)), "/act/prev_act",
                        "make the step again: another one came first");
  }
  const auto after = before.with(step).at(state, then);
  const auto it = find(after);
  if (it == after.end()) return make_error(ErrorKind::kConflict, "has no effect here yet", "/act/effective_at");
  if (it->stage == OnwardStage::kVoid && !narrowing(act.kind))
    return make_error(ErrorKind::kConflict, it->doubt, "/act");
  for (const Refused& r : it->refused)
    if (r.act_hash == hash) return make_error(r.counts ? ErrorKind::kConflict : ErrorKind::kDenied, r.why, "/act");
  return {};
}

}  // namespace entente::agreement
