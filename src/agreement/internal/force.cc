// Start, term, end and who stands how (agreement.md §3.2, 5, 6, 8, 10, 11).
#include <algorithm>

#include <fmt/format.h>

#include "agreement/internal/machine.h"
#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

using json::Node;

bool in_force(StateKind k) { return k == StateKind::kInForce || k == StateKind::kEnding; }

// End of the first term that ends at `stop` or later, by the document's renewals. Counted from the start each time, so
// that a start on the 31st does not creep through short months.
template <class Stop>
Time term_end(const Document& doc, Time start, Stop stop) {
  Period whole = *doc.term;
  Time end = add(start, whole);
  while (!stop(end) && whole.months < 12 * 10'000) {
    const Period& step = doc.renewal_period;
    whole.months += step.months;
    whole.us += step.us;
    const Time next = add(start, whole);
    if (next <= end) break;
    end = next;
  }
  return end;
}

}  // namespace

void Machine::provisional(const Event& e) {
  const std::string& party = e.act.act.party;
  if (e.act.act.kind == "end_provisional") {
    if (provisional_.erase(party) == 0) refuse(e, "this party applies nothing provisionally");
    provisional_since_.erase(party);
    return;
  }
  const Document& doc = text(e);
  if (!doc.provisional) return refuse(e, "this agreement allows no provisional application");
  if (doc.hash != signed_text_) return refuse(e, "only the text that was signed is applied provisionally");
  if (leaving_.contains(party)) return refuse(e, "this party has given notice of withdrawal");
  const Node* list = e.act.act.body.find("flows");
  std::set<std::string> flows;
  for (const Node& id : list != nullptr && list->is_array() ? list->list() : std::vector<Node>{}) {
    const bool known = id.is_string() && std::any_of(doc.flows.begin(), doc.flows.end(),
                                                     [&id](const Flow& f) { return f.permit && f.id == id.string(); });
    if (!known) return refuse(e, "names a flow that the text does not permit");
    flows.insert(id.string());
  }
  if (flows.empty()) return refuse(e, "names no flows: {\"flows\": [ids]}");
  provisional_[party] = std::move(flows);
  provisional_since_.emplace(party, e.when);
}

void Machine::no_renewal(const Event& e) {
  const Document& doc = ev_.texts.at(path(e.act.act.party, e.when).back());
  if (!doc.term || !doc.tacit_renewal) return refuse(e, "the term of this agreement does not renew itself");
  no_renewal_.emplace(e.act.act.party, e.when);
}

// Transition 10: all agree on one date, or on none, which is at once.
void Machine::end_by_consent(const Event& e) {
  std::string wanted(e.act.act.body.string_at("at"));
  Time date = e.when;
  if (e.act.act.body.find("at") != nullptr) {
    auto t = parse_time(wanted);
    if (!t.ok()) return refuse(e, "\"at\" is no RFC 3339 time");
    date = *t;
    wanted = to_text(*t);
  }
  auto& by = consent_end_[wanted];
  by[e.act.act.party] = e.when;
  const auto all = members(e.when);
  if (!std::all_of(all.begin(), all.end(), [&](const std::string& p) { return by.contains(p); })) return;
  const Time end = std::max(date, e.when);
  ended_ = ended_ ? std::min(*ended_, end) : end;
}

// Party -> its start, for the original parties whose start is known; State::start is the start of the whole.
std::map<std::string, Time> Machine::starts(State* s) const {
  const Document& doc = ev_.texts.at(signed_text_);
  std::map<std::string, Time> out;
  auto all_from = [&](Time t) {
    if (s != nullptr) s->start = t;
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
    for (const auto& [party, t] : it->second)
      if (doc.party(party) != nullptr) notes[party] = std::max(t, signed_at_);
  const size_t needed = doc.start_rule == "on_nth_notification" ? static_cast<size_t>(doc.start_n) : doc.parties.size();
  if (s != nullptr)
    for (const Party& p : doc.parties)
      if (!notes.contains(p.party))
        s->waiting_for.push_back(fmt::format("notification of {} by a plenipotentiary", p.party));
  if (notes.size() < needed || needed == 0) return out;
  std::vector<Time> times;
  for (const auto& [party, t] : notes) times.push_back(t);
  std::sort(times.begin(), times.end());
  const Time start = add(times[needed - 1], doc.start_delay);
  if (s != nullptr) s->start = start;
  for (const auto& [party, t] : notes) out[party] = std::max(start, add(t, doc.start_delay));
  return out;
}

std::optional<Time> Machine::end_of_term(const Document& doc, Time start, Time at) {
  if (!doc.term) return std::nullopt;
  if (!doc.tacit_renewal) return add(start, *doc.term);
  return term_end(doc, start, [at](Time end) { return at < end; });
}

// The end of the first term whose opt-out date is still to come when a party says that it will not renew.
std::optional<Time> Machine::not_renewed(const Document& doc, Time start, Time said) {
  if (!doc.term || !doc.tacit_renewal) return std::nullopt;
  return term_end(doc, start, [&](Time end) { return said < subtract(end, doc.opt_out_notice); });
}

// A certificate records the date on which all agree; one that names another date blocks (transition 6).
void Machine::certificates(State& s, const std::map<std::string, Time>& start_of,
                           std::set<std::string>& in_doubt) const {
  for (const auto& [key, e] : certificates_) {
    const std::string about(e.act.act.body.string_at("party"));
    if (about.empty() && e.act.act.text_version != signed_text_) continue;
    auto own = start_of.find(about);
    const std::optional<Time> computed = about.empty()           ? s.start
                                         : own == start_of.end() ? std::nullopt
                                                                 : std::optional(own->second);
    if (!computed) continue;
    auto stated = parse_time(e.act.act.body.string_at("start"));
    if (stated.ok() && *stated == *computed) continue;
    s.unsure.push_back(
        fmt::format("the certificate of {} states another start than {}", e.act.act.party, to_text(*computed)));
    if (!about.empty()) in_doubt.insert(about);
  }
}

// What divides two parties though both stand well: an objection, a suspension towards one, a text that has run out.
void Machine::pairs(State& s, const std::vector<std::string>& all, const std::map<std::string, Leaving>& leaving,
                    Time at) {
  for (const auto& pair : objected_) s.closed.insert(pair);
  for (const auto& [party, own] : suspended_)
    for (const Suspension& x : own)
      if (!x.scope.party.empty() && x.runs(at)) s.closed.insert(pair_of(party, x.scope.party));
  if (!s.start) return;
  std::optional<Time> last;
  bool endless = false;
  for (const auto& a : all)
    for (const auto& b : all) {
      if (a >= b || leaving.contains(a) || leaving.contains(b)) continue;
      const auto end = end_of_term(ev_.texts.at(common(a, b, at)), *s.start, at);
      endless |= !end;
      if (!end) continue;
      last = std::max(last.value_or(*end), *end);
      if (at >= *end) s.closed.insert({a, b});
    }
  if (!endless && last) s.end = last;
}

void Machine::after_signature(State& s, Time at) {
  auto start_of = starts(&s);
  for (const auto& [party, newcomer] : joined_) {
    start_of[party] = newcomer.start;
    s.joined[party] = newcomer.start;
  }
  std::set<std::string> doubted;
  certificates(s, start_of, doubted);
  size_t texts_signed = 0;
  for (const auto& [text, parties] : ever_signed_) {
    const auto& all = ev_.texts.at(text).parties;
    texts_signed += std::all_of(all.begin(), all.end(), [&](const Party& p) { return parties.contains(p.party); });
  }
  if (texts_signed > 1) s.unsure.push_back("two different texts are signed by all parties");
  const bool all_unsure = s.unsure.size() > doubted.size();
  for (const auto& [chain, doubt] : doubts_) {
    const std::string party = chain.substr(0, chain.find('#'));
    if (doubt.since > at || chain != chain_of(party)) continue;
    doubted.insert(party);
    s.unsure.push_back(doubt.why);
  }

  const std::vector<std::string> all = members();
  std::map<std::string, Leaving> leaving = leaving_;
  for (const auto& [party, said] : no_renewal_) {
    if (!s.start) continue;
    auto end = not_renewed(ev_.texts.at(path(party, at).back()), *s.start, said);
    if (!end) continue;
    auto [it, fresh] = leaving.emplace(party, Leaving{*end, true});
    if (!fresh && *end < it->second.when) it->second = {*end, true};
  }
  pairs(s, all, leaving, at);

  // The whole ends with its term, by consent, or when fewer than two parties remain (transitions 10 and 11).
  StateKind ended = StateKind::kExpired;
  auto ends = [&](Time t, StateKind kind) {
    if (s.end && *s.end < t) return;
    s.end = t;
    ended = kind;
  };
  std::vector<std::pair<Time, bool>> exits;
  for (const auto& [party, l] : leaving) exits.emplace_back(l.when, l.expired);
  std::sort(exits.begin(), exits.end());
  const bool will_end = exits.size() + 1 >= all.size();
  if (will_end) {
    const auto& [last, expired] = exits[all.size() - 2];
    ends(last, expired ? StateKind::kExpired : StateKind::kTerminated);
  }
  if (ended_) ends(*ended_, StateKind::kTerminated);
  for (const auto& [party, start] : start_of)
    if (start <= at && (!s.end || start < *s.end)) s.began.insert(party);
  if (s.end && at >= *s.end) {
    s.kind = ended;
    for (const auto& party : all) s.by_party[party] = ended;
    s.waiting_for.clear();
    return show_projects(s, at);
  }

  size_t open = 0, ahead = 0, suspended_parties = 0, waiting = 0;
  for (const auto& party : all) {
    auto start = start_of.find(party);
    const bool started = start != start_of.end() && at >= start->second;
    auto leaves = leaving.find(party);
    auto early = provisional_.find(party);
    StateKind& kind = s.by_party[party];
    if (leaves != leaving.end() && at >= leaves->second.when)
      kind = leaves->second.expired ? StateKind::kExpired : StateKind::kTerminated;
    else if (!started && early == provisional_.end())
      kind = StateKind::kSigned;
    else if (all_unsure || doubted.contains(party) || suspended(party, at))
      kind = StateKind::kSuspended;
    else if (!started)
      kind = StateKind::kProvisional;
    else
      kind = leaves != leaving.end() || ended_ ? StateKind::kEnding : StateKind::kInForce;
    if (early != provisional_.end()) {
      s.provisional[party] = early->second;
      s.provisional_since[party] = provisional_since_.at(party);
    }
    if (auto d = declared_.find(party); d != declared_.end()) s.declared[party] = d->second;
    open += in_force(kind);
    ahead += kind == StateKind::kProvisional || (in_force(kind) && early != provisional_.end());
    suspended_parties += kind == StateKind::kSuspended;
    waiting += kind == StateKind::kSigned || kind == StateKind::kProvisional;
    // A part of the instrument that one party suspended is closed for all of them: never wider than asked.
    for (const Suspension& x : suspended_[party]) {
      if (!x.runs(at)) continue;
      if (!x.scope.flow.empty()) s.suspended_flows.insert(x.scope.flow);
      if (!x.scope.sector.empty()) s.suspended_sectors.insert(x.scope.sector);
      if (x.scope.whole() && x.until)
        s.waiting_for.push_back(
            fmt::format("a second person of {} to confirm the suspension before {}", party, to_text(*x.until)));
    }
  }
  if (open >= 2)
    s.kind = will_end || ended_ ? StateKind::kEnding : StateKind::kInForce;
  else if (ahead >= 2)
    s.kind = StateKind::kProvisional;
  else if (suspended_parties > 0)
    s.kind = StateKind::kSuspended;
  else
    s.kind = waiting > 0 ? StateKind::kSigned : StateKind::kTerminated;
  for (const auto& [wanted, by] : consent_end_) {
    if (ended_) break;
    for (const auto& party : members(at))
      if (!by.contains(party))
        s.waiting_for.push_back(
            fmt::format("consent of {} to the end{}", party, wanted.empty() ? "" : " at " + wanted));
  }
  for (const auto& [chain, a] : accessions_) {
    if (a.done) continue;
    for (const auto& party : members(at))
      if (!a.consents.contains(party))
        s.waiting_for.push_back(
            fmt::format("consent of {} to the accession of {} (request {})", party, a.party, a.request.substr(0, 12)));
    if (a.text.empty())
      s.waiting_for.push_back(fmt::format("deposit of {} (request {})", a.party, a.request.substr(0, 12)));
  }
  s.pillars = pillars_;
  show_projects(s, at);
}

}  // namespace entente::agreement::internal
