#include "exchange/duties.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/names.h"
#include "exchange/review.h"
#include "json/node.h"

namespace entente::exchange {

using agreement::Duty;
using agreement::DutyFact;
using agreement::DutyState;
using agreement::Trigger;
using json::Node;

namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kSoonUs = 2 * 3600 * kSecondUs;
constexpr int64_t kEveryUs = 30 * kSecondUs;
constexpr std::string_view kBreachSpace = "sla-breach";

// docs/format/claims.md: a claim that an indicator is wrong, and the answer to one.
constexpr std::string_view kClaimExtension = "extension-definition--7f0a3c52-5d0e-4c1b-9a44-2b8f6f1d0c9e";

std::string text_at(const Node& n, std::string_view name) { return std::string(n.string_at(name)); }

}  // namespace

ClaimSaid claim_said(std::string_view raw) {
  ClaimSaid out;
  const auto doc = json::parse(raw);
  if (!doc.ok()) return out;
  const auto extensions = json::find_object(doc->root(), "extensions");
  if (!extensions) return out;
  for (const auto member : *extensions) {
    if (member.key != kClaimExtension) continue;
    out.id = json::find_string(doc->root(), "id").value_or("");
    out.claims = json::find_string(member.value, "claim").value_or("") == "false-positive";
    out.answer = json::find_string(member.value, "answer").value_or("");
    out.to = json::find_string(member.value, "answers").value_or("");
    out.claimant = json::find_string(member.value, "claimant").value_or("");
    out.originator = json::find_string(member.value, "originator").value_or("");
  }
  return out;
}

bool may_be_claim(std::string_view id) {
  return id.starts_with("opinion--") || id.starts_with("note--") || id.starts_with("sighting--");
}

namespace {

void object_facts(const Exchanged& x, const SentManifest& sent, bool look_inside, std::vector<DutyFact>& out) {
  const Manifest& m = sent.manifest;
  if (!m.says_since()) return;  // a node that did not say since when
  for (size_t i = 0; i < m.objects.size(); ++i) {
    if (m.objects[i].tombstone) continue;
    DutyFact f{Trigger::kObject,
               "release",
               sent.from,
               x.between().other(sent.from),
               m.objects[i].id + " " + m.objects[i].version,
               x.committed(sent, i),
               {},
               sent.leaf.at,
               {}};
    f.received = f.committed;
    if (look_inside)
      if (const std::string raw = x.octets(sent, m.objects[i]); !raw.empty()) f.object = agreement::duty_object(raw);
    out.push_back(std::move(f));
  }
}

void claim_facts(const Exchanged& x, std::vector<DutyFact>& out) {
  std::map<std::string, DutyFact> claims;
  std::map<std::string, std::pair<std::string, Time>> answers;  // claim -> by whom, when
  for (const SentManifest& sent : x.sent()) {
    for (const Listed& o : sent.manifest.objects) {
      if (o.tombstone || !may_be_claim(o.id)) continue;
      const ClaimSaid said = claim_said(x.octets(sent, o));
      const std::string& other = x.between().other(sent.from);
      if (said.claims && said.claimant == sent.from && said.originator == other && sent.answered)
        claims.try_emplace(
            said.id,
            DutyFact{
                Trigger::kFalsePositive, "answer", other, sent.from, said.id, sent.leaf.at, *sent.answered, {}, {}});
      if (!said.answer.empty() && said.originator == sent.from) answers.try_emplace(said.to, sent.from, sent.leaf.at);
    }
  }
  for (auto& [id, fact] : claims) {
    if (const auto a = answers.find(id); a != answers.end() && a->second.first == fact.obligor)
      fact.met = a->second.second;
    out.push_back(std::move(fact));
  }
}

void earlier(std::optional<Time>& met, Time at) { met = met ? std::min(*met, at) : at; }

// Requests for onward release, and joint actions, with the steps that answer them: when the ledger of who owes the
// answer shows them.
void step_facts(const Exchanged& x, std::vector<DutyFact>& out) {
  std::map<std::string, std::vector<const Exchanged::Step*>> about;  // request or action -> what was said of it
  for (const auto& s : x.steps()) {
    const std::string& kind = s.act.act.kind;
    if (kind != "onward_ask" && kind != "joint_propose")
      about[text_at(s.act.act.body, agreement::is_onward(kind) ? "request" : "action")].push_back(&s);
  }
  for (const auto& s : x.steps()) {
    const agreement::Act& act = s.act.act;
    const auto seen_by = [&](const Exchanged::Step& step, const std::string& party) -> std::optional<Time> {
      const auto it = step.seen.find(party);
      return it == step.seen.end() ? std::nullopt : std::optional(it->second);
    };
    if (act.kind == "onward_ask") {
      const std::string who = text_at(act.body, "originator");
      const auto received = seen_by(s, who);
      if (!received) continue;
      DutyFact f{Trigger::kOnwardRequest,
                 "answer",
                 who,
                 act.party,
                 s.hash,
                 seen_by(s, act.party).value_or(*received),
                 *received,
                 {},
                 {}};
      for (const auto* step : about[s.hash])  // also the holder's: what is withdrawn needs no answer
        if (const auto at = seen_by(*step, who)) earlier(f.met, *at);
      out.push_back(std::move(f));
    }
    if (act.kind != "joint_propose") continue;
    for (const auto& who : {x.between().a, x.between().b}) {
      const auto received = seen_by(s, who);
      if (!received) continue;
      const Time began = seen_by(s, act.party).value_or(*received);
      DutyFact answer{Trigger::kJointCase, "answer", who, x.between().other(who), s.hash, began, *received, {}, {}};
      DutyFact outcome = answer;
      outcome.act = "report_outcome";
      if (who == act.party) answer.met = received;  // its proposal is its consent
      for (const auto* step : about[s.hash]) {
        const std::string& kind = step->act.act.kind;
        const auto at = seen_by(*step, who);
        if (step->act.act.party != who || !at) continue;
        const bool declines = kind == "joint_decline" || kind == "joint_stand_down";
        if (declines || kind == "joint_consent") earlier(answer.met, *at);
        if (declines || kind == "joint_report") earlier(outcome.met, *at);
      }
      out.push_back(std::move(answer));
      out.push_back(std::move(outcome));
    }
  }
}

}  // namespace

std::vector<DutyFact> duty_facts(const Exchanged& x, std::span<const agreement::ServiceLevel> levels) {
  const auto has = [&](const auto& what) { return std::ranges::any_of(levels, what); };
  const bool releases = has([](const auto& l) { return l.act == "release"; });
  const bool look_inside = has([](const auto& l) {
    return l.act == "release" && (l.min_confidence || !l.severity.empty() || !l.sectors.empty() || !l.types.empty());
  });
  const bool acknowledges = has([](const auto& l) { return l.act == "acknowledge"; });
  const bool claims = has([](const auto& l) { return l.trigger == Trigger::kFalsePositive; });
  std::vector<DutyFact> out;
  for (const SentManifest& sent : x.sent()) {
    if (releases) object_facts(x, sent, look_inside, out);
    if (!acknowledges) continue;
    const bool recalls = std::ranges::any_of(sent.manifest.objects, [](const Listed& o) { return o.tombstone; });
    out.push_back({recalls ? Trigger::kRecall : Trigger::kReceived,
                   "acknowledge",
                   x.between().other(sent.from),
                   sent.from,
                   sent.manifest.id,
                   sent.leaf.at,
                   sent.leaf.at,
                   sent.answered,
                   {}});
  }
  if (claims) claim_facts(x, out);
  step_facts(x, out);
  return out;
}

json::Node duty_node(const Duty& d) {
  Node n = Node::object();
  n.set("level", d.level).set("article", d.article).set("act", d.act).set("trigger", d.trigger);
  n.set("obligor", d.obligor).set("to", d.to).set("subject", d.subject).set("started", to_text(d.started));
  n.set("due", to_text(d.due)).set("state", agreement::to_text(d.state));
  if (d.met) n.set("met", to_text(*d.met));
  return n;
}

json::Node between_node(const Between& b) {
  Node entries = Node::object();
  entries.set(b.a, b.a_entries).set(b.b, b.b_entries);
  Node n = Node::object();
  n.set("agreement_id", b.agreement).set("entries", std::move(entries));
  return n.set("since", to_text(b.since)).set("until", to_text(b.until));
}

std::string DutySheet::text() const {
  Node list = Node::array();
  for (const Duty& d : duties) list.push(duty_node(d));
  Node others = Node::array();
  for (const auto& id : not_clocked) others.push(id);
  Node n = between_node(between);
  return json::canonical(n.set("duties", std::move(list)).set("not_clocked", std::move(others)));
}

Result<DutySheet> duty_sheet(Context& cx, const Instruments& instruments, const Between& between) {
  const auto state = instruments.state_at(between.agreement, between.until);
  const agreement::Document* doc = state ? state->between(between.a, between.b) : nullptr;
  if (doc == nullptr)
    return make_error(ErrorKind::kNotFound, "this node knows no such agreement", between.agreement,
                      "see 'entente agreement state'");
  DutySheet out{between, {}, {}};
  const auto levels = agreement::service_levels(*doc, &out.not_clocked);
  TRY(const Exchanged x, Exchanged::read(cx, instruments, between));
  const auto facts = duty_facts(x, levels);
  out.duties = agreement::duties(levels, facts, between.until);
  return out;
}

Result<std::vector<Duty>> waiting_duties(const Context& cx, const agreement::State& state, const std::string& peer,
                                         Time at) {
  const std::string& me = cx.config.party;
  const agreement::Document* doc = state.between(me, peer);
  if (doc == nullptr) return std::vector<Duty>{};
  TRY(const auto waiting, waiting_for_review(cx));
  std::vector<DutyFact> facts;
  for (const auto& w : waiting) {
    if (w.to != peer || w.agreement != state.agreement_id) continue;
    TRY(const auto rows, cx.store.find(inbox(me), w.id));
    for (const auto& row : rows) {
      if (row.version != w.version) continue;
      TRY(const std::string raw, cx.store.raw(row));
      facts.push_back({Trigger::kObject,
                       "release",
                       me,
                       peer,
                       w.id + " " + w.version,
                       row.date_added,
                       row.date_added,
                       {},
                       agreement::duty_object(raw)});
    }
  }
  return agreement::duties(agreement::service_levels(*doc), facts, at);
}

std::string breach_record(const std::string& agreement_id, const Duty& d) {
  Node n = Node::object();
  n.set("agreement", agreement_id).set("level", d.level).set("article", d.article).set("act", d.act);
  n.set("subject", d.subject).set("started", to_text(d.started)).set("due", to_text(d.due));
  return json::canonical(n);
}

std::string breach_salt(std::string_view record) {
  return std::string(view(sha256({"entente/sla-breach-salt/v1", record})));
}

std::vector<DutyWatch::Count> DutyWatch::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

Status DutyWatch::look_at(const agreement::State& state, const std::string& peer, Count& count) {
  const std::string& me = cx_.config.party;
  const agreement::Document* doc = state.between(me, peer);
  if (doc == nullptr || agreement::service_levels(*doc).empty()) return {};
  // Long enough for every duty that can still be open, and two days.
  Period window = *parse_period("P2D");
  for (const auto& level : agreement::service_levels(*doc)) {
    const Period longest = level.longest();
    window.us += longest.us;
    window.months += longest.months;
  }
  const Between between = between_now(cx_, state.agreement_id, peer, window);
  TRY(DutySheet sheet, duty_sheet(cx_, instruments_, between));
  TRY(const auto waiting, waiting_duties(cx_, state, peer, between.until));
  sheet.duties.insert(sheet.duties.end(), waiting.begin(), waiting.end());
  std::vector<const Duty*> missed;
  for (const Duty& d : sheet.duties) {
    const bool ours = d.obligor == me;
    if (d.state == DutyState::kOverdue) ++(ours ? count.ours_overdue : count.theirs_overdue);
    if (ours && d.state == DutyState::kOpen && d.due.us - between.until.us <= kSoonUs) ++count.ours_soon;
    if (ours && (d.state == DutyState::kOverdue || d.state == DutyState::kLate)) missed.push_back(&d);
  }
  Evidence::Transaction tx = evidence_.begin();
  for (const Duty* d : missed) {
    const std::string record = breach_record(state.agreement_id, *d);
    const std::string key = sha256_hex(record);
    if (cx_.store.get(kBreachSpace, key).ok()) continue;
    tx.change.set(kBreachSpace, key, state.agreement_id);
    TRY([[maybe_unused]] const auto leaf,
        tx.add_leaf(state.agreement_id, doc->hash, "sla_breach", peer, breach_salt(record), record));
    say_warn("duty {} ({} to {}, article {}) was due {}: said in the ledger", d->level, d->act, d->to, d->article,
             to_text(d->due));
  }
  auto done = std::move(tx).commit();
  if (!done.ok()) return std::move(done).error();
  return {};
}

Status DutyWatch::look() {
  std::vector<Count> counts;
  Status worst;
  for (const auto& s : instruments_.states()) {
    if (s->document->party(cx_.config.party) == nullptr) continue;
    for (const auto& p : s->document->parties) {
      if (p.party == cx_.config.party || !s->bound(cx_.config.party, p.party)) continue;
      Count count{s->agreement_id, p.party};
      if (Status done = look_at(*s, p.party, count); !done.ok()) worst = std::move(done);
      const std::string labels = fmt::format(R"(agreement="{}",partner="{}")", bare_uuid(s->agreement_id), p.party);
      cx_.metrics.gauge("entente_duties_overdue", "duties of this party that are overdue", labels)
          .set(count.ours_overdue);
      cx_.metrics.gauge("entente_duties_partner_overdue", "duties of the partner that are overdue", labels)
          .set(count.theirs_overdue);
      cx_.metrics.gauge("entente_duties_soon", "duties of this party that are due within two hours", labels)
          .set(count.ours_soon);
      counts.push_back(std::move(count));
    }
  }
  const std::lock_guard lock(mutex_);
  counts_ = std::move(counts);
  return worst;
}

void DutyWatch::tick() {
  {
    const std::lock_guard lock(mutex_);
    const int64_t now = cx_.clock.steady_us();
    if (running_ || now < next_us_) return;
    running_ = true;
  }
  cx_.post([this] {
    const int64_t began = cx_.clock.steady_us();
    if (Status done = look(); !done.ok()) say_warn("duties: {}", done.error().text());
    const int64_t ended = cx_.clock.steady_us();
    const std::lock_guard lock(mutex_);
    running_ = false;
    next_us_ = ended + std::max(kEveryUs, 50 * (ended - began));
  });
}

}  // namespace entente::exchange
