// The state machine of agreement.md §3.2 over the acts that count (internal/chain.h). Narrow alone, widen together;
// unsure means narrow.
#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "agreement/act.h"
#include "agreement/internal/chain.h"
#include "base/bytes.h"

namespace entente::agreement {
namespace {

using internal::Event;
using internal::Evidence;
using json::Node;

// Where a suspension reaches. What is not understood reaches everywhere.
struct Scope {
  std::string flow, sector;  // both empty: the whole instrument
  bool operator==(const Scope&) const = default;
  [[nodiscard]] bool whole() const { return flow.empty() && sector.empty(); }
};

Scope scope_of(const Node& body, const Document& doc) {
  const Node* s = body.find("scope");
  if (s == nullptr || !s->is_object() || s->members().size() != 1) return {};
  auto allowed = [&doc](std::string_view name) {
    return std::find(doc.suspension_scopes.begin(), doc.suspension_scopes.end(), name) != doc.suspension_scopes.end();
  };
  if (const auto flow = s->string_at("flow"); !flow.empty() && allowed("flow")) {
    auto it = std::find_if(doc.flows.begin(), doc.flows.end(), [&](const Flow& f) { return f.id == flow; });
    if (it != doc.flows.end()) return {std::string(flow), ""};
  }
  if (const auto sector = s->string_at("sector"); !sector.empty() && allowed("sector"))
    return {"", std::string(sector)};
  return {};
}

class Machine {
 public:
  explicit Machine(const Evidence& evidence) : ev_(evidence), doubts_(evidence.doubts), refused_(evidence.refused) {}

  void take(const Event& e) {
    const std::string& kind = e.act.act.kind;
    if (abandoned_) return refuse(e, "the instrument was abandoned; begin a new one");
    if (kind == "propose")
      propose(e);
    else if (kind == "initial")
      initials_[e.act.act.text_version][e.act.act.party] = e;
    else if (kind == "sign")
      sign(e);
    else if (kind == "notify_completed")
      notified_[e.act.act.text_version].emplace(e.act.act.party, e.when);
    else if (kind == "certify_start")
      certificates_[e.act.act.party] = e;
    else if (kind == "suspend")
      suspended_[e.act.act.party].push_back(scope_of(e.act.act.body, text(e)));
    else if (kind == "resume")
      resume(e);
    else if (kind == "withdraw")
      withdraw(e);
    else if (kind == "abandon")
      abandon(e);
    else
      not_built(e);
    settle(e.when);
  }

  void finish(State& s, Time at);

 private:
  const Document& text(const Event& e) const { return ev_.texts.at(e.act.act.text_version); }
  void refuse(const Event& e, std::string why) { refused_.push_back({e.hash, e.act.act.kind, std::move(why)}); }
  template <class Map>
  bool by_all(const Map& by_text, const std::string& text) const {
    auto it = by_text.find(text);
    if (it == by_text.end()) return false;
    const auto& parties = ev_.texts.at(text).parties;
    return std::all_of(parties.begin(), parties.end(), [&](const Party& p) { return it->second.contains(p.party); });
  }

  void propose(const Event& e) {
    const std::string& hash = e.act.act.text_version;
    if (!signed_text_.empty()) {
      if (hash != signed_text_) refuse(e, "a text is signed already; it changes by amend only");
      return;
    }
    current_ = hash;
    // Initials name a text, so a new text leaves those of the others without effect (transition 2).
    drop_others(initials_, hash);
    drop_others(signs_, hash);
  }
  void drop_others(std::map<std::string, std::map<std::string, Event>>& by_text, const std::string& keep) {
    for (auto it = by_text.begin(); it != by_text.end();) {
      if (it->first == keep) {
        ++it;
        continue;
      }
      for (const auto& [party, e] : it->second) refuse(e, "a later text was proposed; this act names the earlier one");
      it = by_text.erase(it);
    }
  }

  void sign(const Event& e) {
    ever_signed_[e.act.act.text_version].insert(e.act.act.party);
    if (!signed_text_.empty()) {
      if (e.act.act.text_version != signed_text_) refuse(e, "another text is signed already; it changes by amend only");
      return;
    }
    signs_[e.act.act.text_version][e.act.act.party] = e;
  }

  void resume(const Event& e) {
    if (e.act.act.text_version != signed_text_) return refuse(e, "names a text that is not in force");
    auto& own = suspended_[e.act.act.party];
    if (own.empty()) return refuse(e, "this party has suspended nothing");
    const Scope scope = scope_of(e.act.act.body, text(e));
    if (scope.whole())
      own.clear();
    else if (std::erase(own, scope) == 0)
      refuse(e, "this party has not suspended that scope");
  }

  void withdraw(const Event& e) {
    if (signed_text_.empty()) return refuse(e, "nothing is signed yet; use abandon");
    const Time gone = add(e.when, ev_.texts.at(signed_text_).withdrawal_notice);
    auto [it, fresh] = leaving_.emplace(e.act.act.party, gone);
    if (!fresh) it->second = std::min(it->second, gone);
  }

  void abandon(const Event& e) {
    if (!signed_text_.empty()) return refuse(e, "the text is signed; use withdraw");
    abandoned_ = true;
  }

  void not_built(const Event& e) {
    refuse(e, fmt::format("not supported yet: acts of kind {} have no effect here, so this node stays narrow",
                          printable(e.act.act.kind)));
    if (e.act.act.kind == "claim_breach") return;  // no automatic sanction (transition 12)
    doubts_.emplace(e.act.act.party, Evidence::Doubt{e.when, fmt::format("{} by {} is not understood here",
                                                                         printable(e.act.act.kind), e.act.act.party)});
  }

  // Transition 4: signed as soon as the text on the table has every initial and every signature.
  void settle(Time now) {
    if (!signed_text_.empty() || abandoned_ || current_.empty()) return;
    if (!by_all(initials_, current_) || !by_all(signs_, current_)) return;
    signed_text_ = current_;
    signed_at_ = now;
  }

  void before_signature(State& s);
  void after_signature(State& s, Time at);
  std::map<std::string, Time> starts(const Document& doc, State& s) const;
  std::optional<Time> end_of_term(const Document& doc, Time start, Time at) const;

  const Evidence& ev_;
  std::multimap<std::string, Evidence::Doubt> doubts_;  // of the evidence, and of acts that this version does not know
  std::vector<Refused> refused_;
  std::string current_;      // text on the table
  std::string signed_text_;  // the governing one
  Time signed_at_;
  bool abandoned_ = false;
  std::map<std::string, std::map<std::string, Event>> initials_, signs_;  // text -> party
  std::map<std::string, std::set<std::string>> ever_signed_;              // text -> parties
  std::map<std::string, std::map<std::string, Time>> notified_;           // text -> party -> first time
  std::map<std::string, Event> certificates_;                             // newest of each party
  std::map<std::string, std::vector<Scope>> suspended_;
  std::map<std::string, Time> leaving_;  // party -> end of its notice
};

void set_all(State& s, StateKind kind) {
  s.kind = kind;
  if (s.document)
    for (const Party& p : s.document->parties) s.by_party[p.party] = kind;
}

void Machine::before_signature(State& s) {
  const Document& doc = *s.document;
  const bool finalised = by_all(initials_, current_);
  const auto& signs = signs_[current_];
  set_all(s, !finalised ? StateKind::kDraft : signs.empty() ? StateKind::kFinalised : StateKind::kPartSigned);
  for (const Party& p : doc.parties) {
    if (!initials_[current_].contains(p.party))
      s.waiting_for.push_back(fmt::format("initials of {} by one authority key", p.party));
    else if (finalised && !signs.contains(p.party))
      s.waiting_for.push_back(fmt::format("signature of {} by plenipotentiary and authority", p.party));
  }
}

// Party -> its start, for the parties whose start is known; s.start is the start of the whole.
std::map<std::string, Time> Machine::starts(const Document& doc, State& s) const {
  std::map<std::string, Time> out;
  auto all_from = [&](Time t) {
    s.start = t;
    for (const Party& p : doc.parties) out[p.party] = t;
  };
  if (doc.start_rule == "on_last_signature") {
    all_from(add(signed_at_, doc.start_delay));
    return out;
  }
  if (doc.start_rule == "fixed_date") {
    all_from(std::max(add(doc.start_date.value_or(signed_at_), doc.start_delay), signed_at_));
    return out;
  }
  std::map<std::string, Time> notes;  // a notification before the last signature counts from the signature
  if (auto it = notified_.find(signed_text_); it != notified_.end())
    for (const auto& [party, t] : it->second) notes[party] = std::max(t, signed_at_);
  const size_t needed = doc.start_rule == "on_nth_notification" ? static_cast<size_t>(doc.start_n) : doc.parties.size();
  for (const Party& p : doc.parties)
    if (!notes.contains(p.party))
      s.waiting_for.push_back(fmt::format("notification of {} by a plenipotentiary", p.party));
  if (notes.size() < needed || needed == 0) return out;
  std::vector<Time> times;
  for (const auto& [party, t] : notes) times.push_back(t);
  std::sort(times.begin(), times.end());
  s.start = add(times[needed - 1], doc.start_delay);
  for (const auto& [party, t] : notes) out[party] = std::max(*s.start, add(t, doc.start_delay));
  return out;
}

std::optional<Time> Machine::end_of_term(const Document& doc, Time start, Time at) const {
  if (!doc.term) return std::nullopt;
  Time end = add(start, *doc.term);
  if (!doc.tacit_renewal || at < end) return end;
  // Counted from the start each time, so that a start on the 31st does not creep through short months.
  Period whole = *doc.term;
  const Period& step = doc.renewal_period;
  if (step.months == 0) {
    const int64_t n = (at.us - end.us) / step.us + 1;
    return end.plus_us(n * step.us);
  }
  while (end <= at && whole.months < 12 * 10'000) {
    whole.months += step.months;
    whole.us += step.us;
    end = add(start, whole);
  }
  return end;
}

void Machine::after_signature(State& s, Time at) {
  const Document& doc = *s.document;
  const auto start_of = starts(doc, s);
  for (const auto& [party, e] : certificates_) {
    if (e.act.act.text_version != signed_text_ || !s.start) continue;
    auto stated = parse_time(e.act.act.body.string_at("start"));
    if (stated.ok() && *stated == *s.start) continue;
    s.unsure.push_back(fmt::format("the certificate of {} states another start than {}", party, to_text(*s.start)));
  }
  size_t texts_signed = 0;
  for (const auto& [text, parties] : ever_signed_) texts_signed += by_all(ever_signed_, text);
  if (texts_signed > 1) s.unsure.push_back("two different texts are signed by all parties");
  const bool all_unsure = !s.unsure.empty();

  std::set<std::string> in_doubt;
  for (const auto& [party, doubt] : doubts_) {
    if (doubt.since > at) continue;
    in_doubt.insert(party);
    s.unsure.push_back(doubt.why);
  }

  // The whole ends with its term, or when fewer than two parties remain (transitions 10 and 11).
  StateKind ended = StateKind::kExpired;
  if (s.start) s.end = end_of_term(doc, *s.start, at);
  std::vector<Time> exits;
  for (const auto& [party, t] : leaving_) exits.push_back(t);
  std::sort(exits.begin(), exits.end());
  const bool will_end = exits.size() + 1 >= doc.parties.size();
  if (will_end) {
    const Time last = exits[doc.parties.size() - 2];
    if (!s.end || last <= *s.end) {
      s.end = last;
      ended = StateKind::kTerminated;
    }
  }
  if (s.end && at >= *s.end) return set_all(s, ended);

  size_t open = 0, suspended = 0, waiting = 0;
  for (const Party& p : doc.parties) {
    auto start = start_of.find(p.party);
    auto leaves = leaving_.find(p.party);
    const auto& own = suspended_[p.party];
    StateKind& kind = s.by_party[p.party];
    if (leaves != leaving_.end() && at >= leaves->second)
      kind = StateKind::kTerminated;
    else if (start == start_of.end() || at < start->second)
      kind = StateKind::kSigned;
    else if (all_unsure || in_doubt.contains(p.party))
      kind = StateKind::kSuspended;
    else if (std::any_of(own.begin(), own.end(), [](const Scope& x) { return x.whole(); }))
      kind = StateKind::kSuspended;
    else
      kind = leaves != leaving_.end() ? StateKind::kEnding : StateKind::kInForce;
    open += kind == StateKind::kInForce || kind == StateKind::kEnding;
    suspended += kind == StateKind::kSuspended;
    waiting += kind == StateKind::kSigned;
    // A part of the instrument that one party suspended is closed for all of them: never wider than asked.
    for (const Scope& x : own) {
      if (!x.flow.empty()) s.suspended_flows.insert(x.flow);
      if (!x.sector.empty()) s.suspended_sectors.insert(x.sector);
    }
  }
  if (open >= 2)
    s.kind = will_end ? StateKind::kEnding : StateKind::kInForce;
  else if (suspended > 0)
    s.kind = StateKind::kSuspended;
  else
    s.kind = waiting > 0 ? StateKind::kSigned : StateKind::kTerminated;
}

void Machine::finish(State& s, Time at) {
  // Acts that were kept for a text which never came to the table.
  if (signed_text_.empty())
    for (auto* by_text : {&initials_, &signs_})
      for (const auto& [text, by_party] : *by_text)
        if (text != current_)
          for (const auto& [party, e] : by_party) refuse(e, "names a text that is not on the table");
  s.last_act = ev_.last_act;
  const std::string& governing = signed_text_.empty() ? current_ : signed_text_;
  if (!governing.empty()) s.document = ev_.texts.at(governing);
  if (abandoned_)
    set_all(s, StateKind::kAbandoned);
  else if (!signed_text_.empty())
    after_signature(s, at);
  else if (!current_.empty())
    before_signature(s);
  s.refused = std::move(refused_);
  std::sort(s.refused.begin(), s.refused.end(), [](const Refused& a, const Refused& b) {
    return std::tie(a.act_hash, a.why) < std::tie(b.act_hash, b.why);
  });
}

bool open(StateKind k) { return k == StateKind::kInForce || k == StateKind::kEnding; }

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
  auto x = by_party.find(std::string(a));
  auto y = by_party.find(std::string(b));
  return a != b && x != by_party.end() && y != by_party.end() && open(x->second) && open(y->second);
}

bool State::bound(std::string_view a, std::string_view b) const {
  auto x = by_party.find(std::string(a));
  auto y = by_party.find(std::string(b));
  auto holds = [](StateKind k) { return open(k) || k == StateKind::kSuspended; };
  return a != b && x != by_party.end() && y != by_party.end() && holds(x->second) && holds(y->second);
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

State History::at(Time t) const {
  Machine machine(*evidence_);
  for (const Event& e : evidence_->events)
    if (e.when <= t) machine.take(e);
  State s;
  s.agreement_id = agreement_id_;
  machine.finish(s, t);
  return s;
}

Status admissible(const SignedAct& act, std::span<const SignedAct> known, Time at) {
  return admissible(act, known, at, {});
}

Status admissible(const SignedAct& act, std::span<const SignedAct> known, Time at, const Pins& pins) {
  const std::string hash = act.act.hash();
  const Time then = std::max(at, act.act.effective_at);
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

}  // namespace entente::agreement
