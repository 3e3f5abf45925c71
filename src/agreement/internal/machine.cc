#include "agreement/internal/machine.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

using json::Node;

Scope scope_of(const Node& body, const Document& doc) {
  const Node* s = body.find("scope");
  if (s == nullptr || !s->is_object() || s->members().size() != 1) return {};
  auto allowed = [&doc](std::string_view name) {
    return std::find(doc.suspension_scopes.begin(), doc.suspension_scopes.end(), name) != doc.suspension_scopes.end();
  };
  if (const auto flow = s->string_at("flow"); !flow.empty() && allowed("flow")) {
    auto it = std::find_if(doc.flows.begin(), doc.flows.end(), [&](const Flow& f) { return f.id == flow; });
    if (it != doc.flows.end()) return {std::string(flow), "", "", ""};
  }
  if (const auto sector = s->string_at("sector"); !sector.empty() && allowed("sector"))
    return {"", std::string(sector), "", ""};
  if (const auto party = s->string_at("party"); !party.empty() && allowed("party"))
    return {"", "", std::string(party), ""};
  if (const auto project = s->string_at("project"); !project.empty()) return {"", "", "", std::string(project)};
  return {};
}

// The persons with an acting key behind an act.
std::set<std::string> persons(const Event& e) {
  std::set<std::string> out;
  for (const Good& g : e.good)
    if (g.role == KeyRole::kPlenipotentiary || g.role == KeyRole::kAuthority) out.insert(g.person);
  return out;
}

void set_all(State& s, StateKind kind) {
  s.kind = kind;
  if (s.document)
    for (const Party& p : s.document->parties) s.by_party[p.party] = kind;
}

}  // namespace

bool Machine::by_all(const ByText& by_text, const std::string& text) const {
  auto it = by_text.find(text);
  if (it == by_text.end()) return false;
  const auto& parties = ev_.texts.at(text).parties;
  return std::all_of(parties.begin(), parties.end(), [&](const Party& p) { return it->second.contains(p.party); });
}

const std::string& Machine::chain_of(const std::string& party) const {
  auto it = joined_.find(party);
  return it == joined_.end() ? party : it->second.chain;
}

// Is the author a party of the instrument, original or acceded?
bool Machine::member(const Event& e) const {
  const std::string& party = e.act.act.party;
  if (e.chain != chain_of(party)) return false;
  return joined_.contains(party) || (is_signed() && ev_.texts.at(signed_text_).party(party) != nullptr);
}

std::vector<std::string> Machine::members() const {
  std::set<std::string> out;
  if (is_signed())
    for (const Party& p : ev_.texts.at(signed_text_).parties) out.insert(p.party);
  for (const auto& [party, newcomer] : joined_) out.insert(party);
  return {out.begin(), out.end()};
}

std::vector<std::string> Machine::members(Time at) const {
  std::vector<std::string> out = members();
  std::erase_if(out, [&](const std::string& p) {
    auto it = leaving_.find(p);
    return it != leaving_.end() && it->second.when <= at;
  });
  return out;
}

Party Machine::block_of(const std::string& party, const Document& doc, Time at) const {
  const std::string& chain = chain_of(party);
  const Party* base = doc.party(party);
  if (auto outsider = ev_.outsiders.find(chain); outsider != ev_.outsiders.end()) base = &outsider->second;
  auto notices = ev_.notices.find(chain);
  return effective_party(*base, notices == ev_.notices.end() ? std::span<const Notice>{} : notices->second, at);
}

void Machine::take(const Event& e) {
  const std::string& kind = e.act.act.kind;
  if (!e.refusal.empty()) return refuse(e, e.refusal);
  if (abandoned_) return refuse(e, "the instrument was abandoned; begin a new one");
  // Who is no party may ask to become one, and act in a project; nothing else, whatever code it calls itself by.
  const bool outsider = ev_.outsiders.contains(e.chain) && !member(e);
  if (outsider && kind != "request_accession" && kind != "deposit_accession" && kind != "host_consent" &&
      kind != "join_project" && kind != "close_project" && kind != "annex_notice" && kind != "claim_breach")
    return refuse(e, fmt::format("{} is no party of the instrument", e.act.act.party));
  if (kind == "propose" || kind == "initial" || kind == "sign" || kind == "notify_completed" ||
      kind == "certify_start" || kind == "abandon")
    negotiate(e);
  else if (kind == "request_accession")
    request_accession(e);
  else if (kind == "deposit_accession")
    deposit_accession(e);
  else if (kind == "host_consent")
    host_consent(e);
  else if (kind == "join_project")
    join_project(e);
  else if (kind == "suspend" || kind == "claim_mismatch")
    suspend(e);
  else if (kind == "annex_notice")
    revoked(e);
  else if (kind == "claim_breach")
    ;  // no automatic sanction (transition 12): it is in the record, and the claimant may suspend
  else if (kind == "withdraw")
    withdraw(e);
  else if (kind == "close_project")
    close_project(e);
  else if (kind == "join_pillar" || kind == "lead_pillar" || kind == "leave_pillar")
    pillar(e);
  else if (kind == "resume" || kind == "amend" || kind == "correct_error" || kind == "apply_provisionally" ||
           kind == "end_provisional" || kind == "no_renewal" || kind == "end_by_consent" ||
           kind == "consent_accession" || kind == "object" || kind == "open_project") {
    if (!is_signed()) return refuse(e, "nothing is signed yet: every party signs first");
    if (!member(e)) return refuse(e, "only a party of the instrument does that");
    if (kind == "resume")
      resume(e);
    else if (kind == "amend" || kind == "correct_error")
      amend(e, kind == "correct_error");
    else if (kind == "apply_provisionally" || kind == "end_provisional")
      provisional(e);
    else if (kind == "no_renewal")
      no_renewal(e);
    else if (kind == "end_by_consent")
      end_by_consent(e);
    else if (kind == "consent_accession")
      consent_accession(e);
    else if (kind == "object")
      object(e);
    else
      open_project(e);
  } else {
    not_built(e);
  }
  settle(e.when);
}

void Machine::negotiate(const Event& e) {
  const Act& act = e.act.act;
  if (act.kind == "propose")
    propose(e);
  else if (act.kind == "initial")
    initials_[act.text_version][act.party] = e;
  else if (act.kind == "sign")
    sign(e);
  else if (act.kind == "notify_completed")
    notified_[act.text_version].emplace(act.party, e.when);
  else if (act.kind == "certify_start")
    certificates_[act.party + " " + std::string(act.body.string_at("party"))] = e;
  else
    abandon(e);
}

void Machine::propose(const Event& e) {
  const std::string& hash = e.act.act.text_version;
  const Document& doc = text(e);
  if (is_signed()) {
    if (doc.version == 1 && hash != signed_text_)
      refuse(e, "a text is signed already; it changes by amend only: propose its next version");
    return;  // a later version lies on the table until each party accepts it by amend or correct_error
  }
  if (doc.version != 1) return refuse(e, "names a text before it that is not signed");
  current_ = hash;
  // Initials name a text, so a new text leaves those of the others without effect (transition 2).
  drop_others(initials_, hash);
  drop_others(signs_, hash);
}

void Machine::drop_others(ByText& by_text, const std::string& keep) {
  for (auto it = by_text.begin(); it != by_text.end();) {
    if (it->first == keep) {
      ++it;
      continue;
    }
    for (const auto& [party, e] : it->second) refuse(e, "a later text was proposed; this act names the earlier one");
    it = by_text.erase(it);
  }
}

// The flows to which a party limits itself: all permits, if it says nothing.
std::optional<std::set<std::string>> Machine::declaration(const Event& e, std::string* why) const {
  const Node* d = e.act.act.body.find("declarations");
  if (d == nullptr) return std::nullopt;
  const Document& doc = text(e);
  const Node* list = d->is_object() ? d->find("flows") : nullptr;
  if (list == nullptr || !list->is_array() || d->members().size() != 1)
    *why = "a declaration names the flows that remain: {\"flows\": […]}";
  else if (!doc.narrowing_declarations)
    *why = "this agreement allows no declarations";
  if (!why->empty()) return std::nullopt;
  std::set<std::string> out;
  for (const Node& id : list->list()) {
    const bool known = id.is_string() && std::any_of(doc.flows.begin(), doc.flows.end(),
                                                     [&id](const Flow& f) { return f.permit && f.id == id.string(); });
    if (!known) {
      *why = "a declaration only narrows: it names flows that the text permits";
      return std::nullopt;
    }
    out.insert(id.string());
  }
  return out;
}

void Machine::sign(const Event& e) {
  if (text(e).version == 1) ever_signed_[e.act.act.text_version].insert(e.act.act.party);
  if (is_signed()) {
    if (e.act.act.text_version != signed_text_) refuse(e, "another text is signed already; it changes by amend only");
    return;
  }
  std::string why;
  declaration(e, &why);
  if (!why.empty()) return refuse(e, why);
  signs_[e.act.act.text_version][e.act.act.party] = e;
}

bool Machine::suspended(const std::string& party, Time at) const {
  auto it = suspended_.find(party);
  return it != suspended_.end() && std::any_of(it->second.begin(), it->second.end(),
                                               [at](const Suspension& x) { return x.scope.whole() && x.runs(at); });
}

// Transition 8. One person suspends at once, but for a day: the second within it makes the suspension last.
void Machine::suspend(const Event& e) {
  Suspension fresh{scope_of(e.act.act.body, text(e)), e.when.plus_us(kNoticeDelayUs), persons(e)};
  if (e.act.act.kind == "claim_mismatch") {
    // The text and the machine annex differ: the flow is frozen until its claimant resumes it (agreement.md §4.1).
    const std::string flow(e.act.act.body.string_at("flow"));
    const Document& doc = text(e);
    const bool known = std::any_of(doc.flows.begin(), doc.flows.end(), [&](const Flow& f) { return f.id == flow; });
    fresh.scope = known ? Scope{flow, "", "", ""} : Scope{};
    fresh.until.reset();
  }
  auto& own = suspended_[e.act.act.party];
  std::erase_if(own, [&](const Suspension& x) { return !x.runs(e.when); });
  auto same = std::find_if(own.begin(), own.end(), [&](const Suspension& x) { return x.scope == fresh.scope; });
  if (same != own.end()) {
    fresh.persons.insert(same->persons.begin(), same->persons.end());
    if (!same->until) fresh.until.reset();
  }
  if (fresh.persons.size() >= 2) fresh.until.reset();
  if (same != own.end())
    *same = std::move(fresh);
  else
    own.push_back(std::move(fresh));
}

void Machine::resume(const Event& e) {
  auto& own = suspended_[e.act.act.party];
  std::erase_if(own, [&](const Suspension& x) { return !x.runs(e.when); });
  if (own.empty()) return refuse(e, "this party has suspended nothing");
  const auto texts = path(e.act.act.party, e.when);
  if (std::find(texts.begin(), texts.end(), e.act.act.text_version) == texts.end())
    return refuse(e, "names a text that is not in force");
  const Scope scope = scope_of(e.act.act.body, text(e));
  if (scope.whole())
    own.clear();
  else if (std::erase_if(own, [&](const Suspension& x) { return x.scope == scope; }) == 0)
    refuse(e, "this party has not suspended that scope");
}

void Machine::withdraw(const Event& e) {
  if (!is_signed()) return refuse(e, "nothing is signed yet; use abandon");
  if (!member(e)) return refuse(e, "only a party of the instrument withdraws from it");
  const auto texts = path(e.act.act.party, e.when);
  const Time gone = add(e.when, ev_.texts.at(texts.back()).withdrawal_notice);
  auto [it, fresh] = leaving_.emplace(e.act.act.party, Leaving{gone});
  if (!fresh) it->second.when = std::min(it->second.when, gone);
  provisional_since_.erase(e.act.act.party);
  provisional_.erase(e.act.act.party);  // who does not mean to stay does not apply it in advance (VCLT 25)
}

void Machine::abandon(const Event& e) {
  if (is_signed()) return refuse(e, "the text is signed; use withdraw");
  abandoned_ = true;
}

// A revocation that names the last act still trusted: what rested on the key since then is no longer relied on. What is
// pending falls; for what had its effect the party is suspended, until two of its persons confirm by resume.
void Machine::revoked(const Event& e) {
  if (e.fallen.empty() || (ev_.outsiders.contains(e.chain) && !member(e))) return;
  const std::string& party = e.act.act.party;
  const std::set<std::string> fallen(e.fallen.begin(), e.fallen.end());
  if (!is_signed())
    for (auto* by_text : {&initials_, &signs_})
      for (auto& [text, by_party] : *by_text)
        if (auto it = by_party.find(party); it != by_party.end() && fallen.contains(it->second.hash))
          by_party.erase(it);
  auto& own = suspended_[party];
  std::erase_if(own, [](const Suspension& x) { return x.scope.whole(); });
  own.push_back({Scope{}, std::nullopt, {}});
}

void Machine::not_built(const Event& e) {
  refuse(e, fmt::format("not supported: acts of kind {} have no effect here, so this node stays narrow",
                        printable(e.act.act.kind)));
  doubts_.emplace(e.chain, Evidence::Doubt{e.when, fmt::format("{} by {} is not understood here",
                                                               printable(e.act.act.kind), e.act.act.party)});
}

// Transition 4: signed as soon as the text on the table has every initial and every signature.
void Machine::settle(Time now) {
  if (abandoned_) return;
  if (is_signed()) return settle_accessions(now);
  if (current_.empty() || !by_all(initials_, current_) || !by_all(signs_, current_)) return;
  signed_text_ = current_;
  signed_at_ = now;
  for (const auto& [party, e] : signs_[current_]) {
    std::string why;
    if (auto flows = declaration(e, &why)) declared_[party] = std::move(*flows);
  }
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

void Machine::finish(State& s, Time at) {
  // Acts that were kept for a text which never came to the table.
  if (!is_signed())
    for (auto* by_text : {&initials_, &signs_})
      for (const auto& [text, by_party] : *by_text)
        if (text != current_)
          for (const auto& [party, e] : by_party) refuse(e, "names a text that is not on the table");
  for (const auto& [chain, hash] : ev_.last_act) {
    const std::string party = chain.substr(0, chain.find('#'));
    if (chain == chain_of(party) || !s.last_act.contains(party)) s.last_act[party] = hash;
  }
  if (is_signed()) {
    share_texts(s, at);
  } else if (!current_.empty()) {
    s.document = ev_.texts.at(current_);
    for (Party& p : s.document->parties) p = block_of(p.party, *s.document, at);
  }
  if (abandoned_)
    set_all(s, StateKind::kAbandoned);
  else if (is_signed())
    after_signature(s, at);
  else if (!current_.empty())
    before_signature(s);
  s.refused = refused_;
  std::sort(s.refused.begin(), s.refused.end(), [](const Refused& a, const Refused& b) {
    return std::tie(a.act_hash, a.why) < std::tie(b.act_hash, b.why);
  });
}

}  // namespace entente::agreement::internal
