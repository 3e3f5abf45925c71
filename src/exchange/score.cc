#include "exchange/score.h"

#include <algorithm>
#include <set>

#include "exchange/duties.h"
#include "json/json.h"
#include "json/node.h"

namespace entente::exchange {

using agreement::DutyState;
using json::Node;

namespace {

std::string type_of(std::string_view id) { return std::string(id.substr(0, id.find("--"))); }

// The lower of the two in the middle: a whole number of microseconds at both ends.
std::optional<int64_t> median(std::vector<int64_t>& all) {
  if (all.empty()) return std::nullopt;
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>((all.size() - 1) / 2);
  std::ranges::nth_element(all, middle);
  return *middle;
}

struct Sighting {
  std::string of;
  uint64_t count = 1;
};

std::optional<Sighting> sighting(std::string_view raw) {
  const auto doc = json::parse(raw);
  if (!doc.ok()) return std::nullopt;
  const auto of = json::find_string(doc->root(), "sighting_of_ref");
  if (!of) return std::nullopt;
  const int64_t count = json::find_int(doc->root(), "count").value_or(1);
  return Sighting{std::string(*of), count < 0 ? 0 : static_cast<uint64_t>(count)};
}

void count_releases(const Exchanged& x, std::map<std::string, PartyScore>& parties) {
  std::map<std::string, std::set<std::string>> given;  // by whom -> ids
  std::map<std::string, std::vector<int64_t>> delays, answers;
  for (const SentManifest& sent : x.sent()) {
    PartyScore& p = parties[sent.from];
    ++p.releases;
    ++(sent.answered ? p.acknowledged : p.unanswered);
    p.objects_refused += sent.refused;
    if (sent.answered) answers[x.between().other(sent.from)].push_back(sent.answered->us - sent.leaf.at.us);
    for (size_t i = 0; i < sent.manifest.objects.size(); ++i) {
      const Listed& o = sent.manifest.objects[i];
      if (o.tombstone) {
        ++p.recalled_objects;
        continue;
      }
      ++p.released_objects;
      ++p.released[type_of(o.id)];
      given[sent.from].insert(o.id);
      if (sent.manifest.says_since()) delays[sent.from].push_back(sent.leaf.at.us - x.committed(sent, i).us);
    }
  }
  for (auto& [party, all] : delays) parties[party].median_release_delay_us = median(all);
  for (auto& [party, all] : answers) parties[party].median_acknowledge_delay_us = median(all);
  // What came back: sightings of what the other had given.
  std::map<std::string, std::set<std::string>> seen;
  std::map<std::string, std::map<std::string, uint64_t>> newest;  // party -> sighting -> its count, by its last version
  for (const SentManifest& sent : x.sent())
    for (const Listed& o : sent.manifest.objects) {
      if (o.tombstone || !o.id.starts_with("sighting--")) continue;
      const std::string raw = x.octets(sent, o);
      if (const ClaimSaid said = claim_said(raw); said.claims || !said.answer.empty()) continue;
      const auto s = sighting(raw);
      if (!s || !given[x.between().other(sent.from)].contains(s->of)) continue;
      newest[sent.from][o.id] = s->count;
      seen[sent.from].insert(s->of);
    }
  for (auto& [party, all] : newest) {
    parties[party].sightings_returned = all.size();
    for (const auto& [id, count] : all) parties[party].hits_reported += count;
    parties[party].objects_seen = seen[party].size();
  }
}

void count_claims(const Exchanged& x, std::map<std::string, PartyScore>& parties) {
  std::map<std::string, std::string> claims;                           // id -> claimant
  std::map<std::string, std::pair<std::string, std::string>> answers;  // claim -> by whom, what
  for (const SentManifest& sent : x.sent())
    for (const Listed& o : sent.manifest.objects) {
      if (o.tombstone || !may_be_claim(o.id)) continue;
      const ClaimSaid said = claim_said(x.octets(sent, o));
      if (said.claims && said.claimant == sent.from && said.originator == x.between().other(sent.from))
        claims.try_emplace(said.id, sent.from);
      if (!said.answer.empty() && said.originator == sent.from) answers[said.to] = {sent.from, said.answer};
    }
  for (const auto& [id, claimant] : claims) {
    PartyScore& p = parties[claimant];
    ++p.claims_made;
    const auto a = answers.find(id);
    if (a == answers.end() || a->second.first == claimant)
      ++p.claims_open;
    else
      ++(a->second.second == "withdrawn" ? p.claims_withdrawn : p.claims_upheld);
  }
}

// A party's newest report on each action; it says the sum of its sensors.
void count_joint(const Exchanged& x, std::map<std::string, PartyScore>& parties) {
  std::map<std::pair<std::string, std::string>, const agreement::Act*> newest;
  for (const auto& s : x.steps()) {
    const agreement::Act& act = s.act.act;
    if (act.kind != "joint_report" || !s.seen.contains(act.party) || !parties.contains(act.party)) continue;
    const agreement::Act*& best = newest[{act.party, std::string(act.body.string_at("action"))}];
    if (best == nullptr || best->effective_at < act.effective_at) best = &act;  // steps come in order of hash
  }
  for (const auto& [key, act] : newest) {
    const auto number = [&](const char* name) {
      const Node* n = act->body.find(name);
      return n != nullptr && n->is_int() && n->integer() > 0 ? static_cast<uint64_t>(n->integer()) : 0;
    };
    parties[key.first].joint_leases += number("dropping") + number("counting");
    parties[key.first].joint_hits += number("hits");
  }
}

Node party_node(const PartyScore& p) {
  Node n = Node::object();
  Node types = Node::object();
  for (const auto& [type, count] : p.released) types.set(type, count);
  n.set("released_objects", p.released_objects).set("released", std::move(types));
  n.set("recalled_objects", p.recalled_objects).set("releases", p.releases);
  n.set("acknowledged", p.acknowledged).set("unanswered", p.unanswered).set("objects_refused", p.objects_refused);
  n.set("median_release_delay_us", p.median_release_delay_us ? Node(*p.median_release_delay_us) : Node());
  n.set("median_acknowledge_delay_us", p.median_acknowledge_delay_us ? Node(*p.median_acknowledge_delay_us) : Node());
  n.set("sightings_returned", p.sightings_returned).set("objects_seen", p.objects_seen);
  n.set("hits_reported", p.hits_reported).set("joint_leases", p.joint_leases).set("joint_hits", p.joint_hits);
  Node claims = Node::object();
  claims.set("made", p.claims_made).set("withdrawn", p.claims_withdrawn).set("upheld", p.claims_upheld);
  n.set("claims", claims.set("open", p.claims_open));
  Node duties = Node::object();
  for (const auto& [level, k] : p.duties)
    duties.set(level,
               Node::object().set("met", k.met).set("late", k.late).set("open", k.open).set("overdue", k.overdue));
  return n.set("duties", std::move(duties)).set("breaches_admitted", p.breaches_admitted);
}

const agreement::Document* text_between(const agreement::State& state, const std::string& a, const std::string& b) {
  return state.between(a, b);
}

}  // namespace

Period score_window(const agreement::State& state, const std::string& a, const std::string& b) {
  if (const agreement::Document* doc = text_between(state, a, b))
    if (const Node* r = doc->node.find("reciprocity"); r != nullptr && r->is_object())
      if (const auto window = parse_period(r->string_at("window")); window.ok()) return *window;
  return *parse_period("P90D");
}

std::string Score::text() const {
  Node n = between_node(between);
  Node what = Node::array();
  for (const auto& m : measure) what.push(m);
  Node sheet = Node::object();
  for (const auto& [party, p] : parties) sheet.set(party, party_node(p));
  Node others = Node::array();
  for (const auto& id : not_clocked) others.push(id);
  n.set("article", article).set("consequence", consequence).set("measure", std::move(what));
  return json::canonical(n.set("parties", std::move(sheet)).set("not_clocked", std::move(others)));
}

Result<Score> score(Context& cx, const Instruments& instruments, const Between& between) {
  const auto state = instruments.state_at(between.agreement, between.until);
  const agreement::Document* doc = state ? text_between(*state, between.a, between.b) : nullptr;
  if (doc == nullptr)
    return make_error(ErrorKind::kNotFound, "this node knows no such agreement", between.agreement,
                      "see 'entente agreement state'");
  Score out;
  out.between = between;
  if (const Node* r = doc->node.find("reciprocity"); r != nullptr && r->is_object()) {
    out.article = std::string(r->string_at("art"));
    out.consequence = std::string(r->string_at("consequence"));
    if (const Node* list = r->find("measure"); list != nullptr && list->is_array())
      for (const Node& m : list->list())
        if (m.is_string()) out.measure.push_back(m.string());
  }
  TRY(const Exchanged x, Exchanged::read(cx, instruments, between));
  for (const auto& party : {between.a, between.b}) out.parties[party];
  count_releases(x, out.parties);
  count_claims(x, out.parties);
  count_joint(x, out.parties);
  const auto levels = agreement::service_levels(*doc, &out.not_clocked);
  const auto facts = duty_facts(x, levels);
  for (const auto& d : agreement::duties(levels, facts, between.until)) {
    auto& kept = out.parties[d.obligor].duties[d.level];
    switch (d.state) {
      case DutyState::kMet:
        ++kept.met;
        break;
      case DutyState::kLate:
        ++kept.late;
        break;
      case DutyState::kOpen:
        ++kept.open;
        break;
      case DutyState::kOverdue:
        ++kept.overdue;
        break;
    }
  }
  for (auto& [party, p] : out.parties)
    for (const LeafSeen& leaf : x.leaves(party))
      if (leaf.kind == "sla_breach") ++p.breaches_admitted;
  return out;
}

}  // namespace entente::exchange
