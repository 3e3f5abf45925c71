// The release decision, release.md §3: each object on its own (steps 2–7, class Decider), then what follows from the
// others (internal/closure.h), then the octets. Everything that depends on the parties alone is compiled once
// (internal/plan.h).
#include "agreement/decide.h"

#include <algorithm>
#include <deque>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agreement/internal/closure.h"
#include "agreement/internal/facts.h"
#include "agreement/internal/labels.h"
#include "agreement/internal/plan.h"
#include "agreement/internal/redact.h"
#include "base/bytes.h"
#include "json/json.h"

namespace entente::agreement {
namespace {

using internal::Arena;
using internal::Closure;
using internal::Entry;
using internal::Facts;
using internal::Label;
using internal::MarkingKind;
using internal::Plan;
using internal::Ref;
using internal::RefKind;
using internal::Rule;

// One permit that lets the object through, and how.
struct Passed {
  const Rule* rule = nullptr;
  Tlp told = Tlp::kClear;      // label joined with the floor
  std::vector<size_t> redact;  // granular marks whose parts must go
};

class Decider {
 public:
  Decider(std::span<const GraphObject> graph, const Inputs& in)
      : graph_(graph), in_(in), plan_(in), labels_(graph_, in_, facts_, published_ids_) {}
  std::vector<Decision> run();

 private:
  void read();
  void find_victims();
  void own(size_t i);
  void finish(size_t i, const Closure& closure);

  bool is_public(std::string_view id) const { return published_ids_.contains(id); }
  bool public_creator(const Facts& f) const {
    return std::ranges::all_of(f.refs,
                               [this](const Ref& r) { return r.kind != RefKind::kCreatedBy || is_public(r.id); });
  }
  void forbids(size_t i, std::vector<Reason>& out);
  void holds(size_t i, std::vector<Reason>& out) const;
  void review(size_t i, const Label& label, std::vector<Reason>& out) const;
  std::optional<Passed> permits(size_t i, const Label& label, std::vector<Reason>& out);
  std::optional<Passed> try_permit(size_t i, const Label& label, const Rule& rule, std::vector<Reason>& out) const;
  void originator(size_t i, std::vector<Reason>& out) const;
  std::string_view key_of(const std::string& agreement) const;

  std::span<const GraphObject> graph_;
  const Inputs& in_;
  Plan plan_;
  Arena arena_;
  std::vector<Facts> facts_;
  std::deque<Facts> changed_facts_;
  std::vector<Entry> entries_;
  std::vector<std::string> texts_;  // of objects that were changed on their own
  std::vector<bool> passed_own_;
  std::vector<Decision> out_;
  std::unordered_map<std::string_view, int32_t> groups_;
  std::vector<bool> published_;
  std::unordered_set<std::string_view> published_ids_, victims_;
  std::unordered_multimap<std::string_view, const Hold*> holds_;
  internal::Labels labels_;  // reads facts_ and published_ids_
};

// One parser per thread: its buffers grow to the largest object and stay.
json::Document& scratch() {
  static thread_local json::Document doc;
  return doc;
}

// A project is about what is labelled for it; a marking definition goes with what it marks.
bool in_scope(const Rule& r, const Facts& f) {
  if (r.state->project.empty() || f.marking != MarkingKind::kNone) return true;
  return std::find(f.projects.begin(), f.projects.end(), r.state->project) != f.projects.end();
}

// agreement.md §3.4: what an initiative gives without a bilateral, group or project instrument. Never victims' data.
bool initiative_type(std::string_view type) {
  return type == "course-of-action" || type == "report" || type == "attack-pattern" || type == "marking-definition";
}

bool has_purpose(const Document& doc, const std::string& purpose) {
  const json::Node* scope = doc.node.find("scope");
  const json::Node* list = scope == nullptr ? nullptr : scope->find("purposes");
  return list != nullptr && list->is_array() &&
         std::ranges::any_of(list->list(), [&](const json::Node& p) { return p.is_string() && p.string() == purpose; });
}

Reason reason(std::string_view code, const Rule& r, std::string note) {
  return {code, r.doc->agreement_id, r.doc->hash, r.flow->art, std::move(note)};
}

void Decider::read() {
  auto group = [this](std::string_view id) {
    auto [it, fresh] = groups_.emplace(id, static_cast<int32_t>(published_.size()));
    if (fresh) {
      published_.push_back(false);
    }
    return static_cast<size_t>(it->second);
  };
  groups_.reserve(graph_.size() + in_.public_ids.size() + 1);
  facts_.reserve(graph_.size());
  for (const GraphObject& o : graph_) {
    facts_.push_back(read_facts(o.raw, scratch(), arena_));
    const Facts& f = facts_.back();
    if (!f.valid) continue;
    const size_t g = group(f.id);
    if (f.marking == MarkingKind::kTlp) published_[g] = true;
  }
  for (const std::string& id : in_.public_ids) published_ids_.insert(id);
  if (!in_.my_identity_id.empty()) published_ids_.insert(in_.my_identity_id);
  for (std::string_view id : published_ids_) published_[group(id)] = true;
  for (Facts& f : facts_)
    for (Ref& r : f.refs)
      if (auto it = groups_.find(r.id); it != groups_.end()) r.group = it->second;
  labels_.read(published_.size(), groups_);
  for (const Hold& h : in_.holds) holds_.emplace(h.object_id, &h);
}

// A victim: `roles` says so, a `targets` relationship points at it, or a sighting names it as the place where something
// was seen. Also links that are not given away count: whoever is a victim stays one. Public authorities are none.
void Decider::find_victims() {
  for (const Facts& f : facts_) {
    if (f.victim_role) victims_.insert(f.id);
    const bool targets = f.type == "relationship" && f.relationship_type == "targets";
    if (!targets && f.type != "sighting") continue;
    for (const Ref& r : f.refs)
      if (r.property == (targets ? "target_ref" : "where_sighted_refs")) victims_.insert(r.id);
  }
  for (std::string_view id : published_ids_) victims_.erase(id);
}

// Step 2. A forbid of a suspended agreement still binds; an object of unknown sector matches.
void Decider::forbids(size_t i, std::vector<Reason>& out) {
  const Facts& f = facts_[i];
  for (const Rule& r : plan_.of(f.type).forbids)
    if (in_scope(r, f) && (f.sectors.empty() || Plan::sector_hit(r, f.sectors)))
      out.push_back(reason("FORBIDDEN_BY_ARTICLE", r,
                           fmt::format("flow {} forbids {}: amend the agreement", r.flow->id, f.type)));
}

// Step 3, and the local policy, which can only narrow.
void Decider::holds(size_t i, std::vector<Reason>& out) const {
  const Facts& f = facts_[i];
  if (!holds_.empty()) {
    bool national = false, embargo = false;
    for (auto [it, end] = holds_.equal_range(f.id); it != end; ++it) {
      const Hold& h = *it->second;
      if (h.not_before && in_.at >= *h.not_before) continue;
      (h.reason == "EMBARGO" ? embargo : national) = true;
    }
    if (national) out.push_back({"NATIONAL_HOLD", "", "", "", "a hold is set on this object: lift it"});
    if (embargo) out.push_back({"EMBARGO", "", "", "", "an embargo runs: wait for its end"});
  }
  if (!graph_[i].verified)
    out.push_back({"SOURCE_UNVERIFIED", "", "", "", "the source's signature was not checked or is wrong: verify it"});
  for (const std::string& type : in_.policy.withhold_types)
    if (type == f.type) {
      out.push_back(
          {"REVIEW_REQUIRED", "", "", "", fmt::format("the local policy keeps back objects of type {}", type)});
      break;
    }
}

// Steps 4 and 7 for one flow: passes, or says why not.
std::optional<Passed> Decider::try_permit(size_t i, const Label& label, const Rule& rule,
                                          std::vector<Reason>& out) const {
  const Facts& f = facts_[i];
  const Flow& flow = *rule.flow;
  const size_t before = out.size();
  if (!rule.state->project.empty() && !in_scope(rule, f))
    out.push_back(reason(
        "PROJECT_SCOPE", rule,
        fmt::format("only what is labelled entente-project:{} is for this project: label it", rule.state->project)));
  if (rule.state->project.empty() && !f.projects.empty()) {
    const auto& all = rule.state->projects;
    const auto asked = std::ranges::find_if(all, [&f](const Project& p) {
      return p.stage == "host asked" && std::ranges::find(f.projects, p.id) != f.projects.end();
    });
    if (asked != all.end())
      out.push_back(reason("HOST_CONSENT", rule,
                           fmt::format("project {} waits for {}", asked->id, fmt::join(asked->waiting_for, ", "))));
    else
      out.push_back(reason("PROJECT_SCOPE", rule,
                           "what is labelled for a project goes to its members only, by the project's own flow"));
  }
  if (auto joined = rule.state->joined.find(std::string(in_.recipient));
      joined != rule.state->joined.end() && graph_[i].committed < joined->second && f.marking == MarkingKind::kNone &&
      !is_public(f.id))
    out.push_back(reason("NOT_YET_IN_FORCE", rule,
                         fmt::format("older than the accession of {} ({}): publish a new version of it to release it",
                                     in_.recipient, to_text(joined->second))));
  if (rule.doc->level == Level::kInitiative && !initiative_type(f.type))
    out.push_back(reason("TYPE_NOT_LISTED", rule,
                         "an initiative alone gives courses of action, reports and attack patterns only"));
  if (rule.suspended)
    out.push_back(reason("SUSPENDED", rule,
                         fmt::format("flow {} is suspended: the party that suspended it may resume", flow.id)));
  if (!in_.unwitnessed.empty())
    if (auto why = in_.unwitnessed.find(rule.doc->agreement_id); why != in_.unwitnessed.end())
      out.push_back(reason("UNWITNESSED", rule, why->second));
  const auto& closed = rule.state->suspended_sectors;
  if (!closed.empty() && (f.sectors.empty() || std::any_of(f.sectors.begin(), f.sectors.end(),
                                                           [&](auto s) { return closed.contains(std::string(s)); })))
    out.push_back(reason("SUSPENDED", rule, "the sector is suspended, or the object does not say its sector"));
  if (!rule.sectors_any && f.sectors.empty())
    out.push_back(reason("SECTOR_UNKNOWN", rule,
                         fmt::format("flow {} is for certain sectors: state the object's sectors", flow.id)));
  else if (!Plan::sector_hit(rule, f.sectors))
    out.push_back(reason("SCOPE", rule, fmt::format("flow {} does not cover the object's sectors", flow.id)));
  if (const json::Node* scope = rule.doc->node.find("scope"))
    if (const json::Node* purposes = scope->find("purposes");
        purposes == nullptr || !purposes->is_array() || purposes->list().empty())
      out.push_back(reason("PURPOSE", rule, "the agreement names no purpose for which anything may be used"));
  if (graph_[i].originator != in_.me && graph_[i].originator != in_.recipient && rule.doc->onward_rule == "never")
    out.push_back({"ORIGINATOR_CONSENT", rule.doc->agreement_id, rule.doc->hash, rule.doc->onward_art,
                   "nothing of third parties may pass under this agreement"});

  if (!public_creator(f) && labels_.attribution(label) == stix::Attribution::kMust &&
      std::ranges::any_of(rule.doc->protections,
                          [](const Protection& p) { return p.match.find("property") != nullptr; }))
    out.push_back(reason("IEP_CONFLICT", rule,
                         "its marking wants its provider named, the agreement has providers anonymised: mark it anew"));

  const std::optional<Tlp> mark = label.object ? label.object : flow.unmarked;
  if (!mark) {
    out.push_back(reason("MARK_MISSING", rule, fmt::format("flow {} gives no unmarked objects: mark it", flow.id)));
    return std::nullopt;
  }
  const Tlp whole = std::max(*mark, label.inherited);
  Tlp ceiling = std::min(flow.ceiling, Tlp::kAmberStrict);  // TLP:RED is for named persons, never for a machine
  if (rule.doc->level == Level::kInitiative) ceiling = std::min(ceiling, Tlp::kGreen);
  if (in_.policy.max_tlp) ceiling = std::min(ceiling, *in_.policy.max_tlp);
  Passed passed;
  passed.rule = &rule;
  passed.told = std::max(whole, flow.floor);
  for (size_t p = 0; p < label.parts.size(); ++p) {
    if (!label.parts[p]) continue;
    if (*label.parts[p] > ceiling)
      passed.redact.push_back(p);
    else
      passed.told = std::max(passed.told, *label.parts[p]);
  }
  if (whole > ceiling)
    out.push_back(reason("ABOVE_CEILING", rule,
                         fmt::format("marked {}, the ceiling is {}: the originator may mark it lower", to_text(whole),
                                     to_text(ceiling))));
  else if (!passed.redact.empty() && !parts_removable(f, passed.redact))
    out.push_back(reason("ABOVE_CEILING", rule, "a part that cannot be left out is marked above the ceiling"));
  if (out.size() != before) return std::nullopt;
  return passed;
}

// Step 6 chooses among the flows that permit: the most special instrument, then the strictest label, then the most
// protections, then ids.
std::optional<Passed> Decider::permits(size_t i, const Label& label, std::vector<Reason>& out) {
  const Facts& f = facts_[i];
  const auto& rules = plan_.of(f.type).permits;
  std::vector<Reason> failed;
  std::optional<Passed> best;
  auto order = [](const Passed& p) {
    return std::make_tuple(p.rule->doc->level, -static_cast<int>(p.told),
                           -static_cast<int64_t>(p.rule->doc->protections.size()),
                           std::string_view(p.rule->doc->agreement_id), std::string_view(p.rule->flow->id));
  };
  for (const Rule& rule : rules)
    if (auto passed = try_permit(i, label, rule, failed); passed && (!best || order(*passed) < order(*best)))
      best = std::move(passed);
  if (best) return best;
  if (rules.empty()) {
    for (const Reason& r : plan_.closed()) out.push_back(r);
    if (plan_.any_permit())
      out.push_back(
          {"TYPE_NOT_LISTED", "", "", "", fmt::format("no flow in force lists {}: amend the agreement", f.type)});
  } else {
    for (Reason& r : failed) out.push_back(std::move(r));
    for (const Reason& r : plan_.closed()) out.push_back(r);
  }
  return std::nullopt;
}

// Step 5. Silence is no consent, and consent for one version is none for the next.
void Decider::originator(size_t i, std::vector<Reason>& out) const {
  const GraphObject& o = graph_[i];
  if (o.originator == in_.me || o.originator == in_.recipient) return;
  const State* inbound = nullptr;
  for (const State& s : in_.instruments)
    if (!o.received_under.empty() && s.document && s.agreement_id == o.received_under) inbound = &s;
  Reason r{"ORIGINATOR_CONSENT", inbound ? inbound->document->agreement_id : std::string(),
           inbound ? inbound->document->hash : std::string(), inbound ? inbound->document->onward_art : std::string(),
           fmt::format("ask {} for consent to onward release of this version: entente consent ask {} --to {}",
                       o.originator, printable(facts_[i].id), in_.recipient)};
  if (inbound != nullptr && inbound->document->onward_rule == "never") {
    r.note = "the agreement under which it was received allows no onward release";
    out.push_back(std::move(r));
    return;
  }
  bool expired = false;
  if (labels_.consent(i, &expired) != nullptr) return;
  if (expired) {
    r.code = "CONSENT_EXPIRED";
    r.note = fmt::format("the consent of {} has expired: ask for a new one: entente consent ask {} --to {}",
                         o.originator, printable(facts_[i].id), in_.recipient);
  }
  out.push_back(std::move(r));
}

// The operator's own rule: people look first.
void Decider::review(size_t i, const Label& label, std::vector<Reason>& out) const {
  const Policy& p = in_.policy;
  const Facts& f = facts_[i];
  const bool asked = std::ranges::find(p.review_types, f.type) != p.review_types.end() ||
                     (p.review_from && f.marking == MarkingKind::kNone && !is_public(f.id) &&
                      std::max(label.object.value_or(Tlp::kRed), label.inherited) >= *p.review_from);
  if (!asked || in_.approved.contains(fmt::format("{} {}", f.id, f.version))) return;
  out.push_back(
      {"REVIEW_REQUIRED", "", "", "",
       fmt::format("{} other person{} than who published it must approve it: entente release approve {} --to {}",
                   p.review_persons, p.review_persons == 1 ? "" : "s", printable(f.id), in_.recipient)});
}

std::string_view Decider::key_of(const std::string& agreement) const {
  auto it = in_.pseudonym_keys.find(agreement);
  return it == in_.pseudonym_keys.end() ? std::string_view() : std::string_view(it->second);
}

// Steps 2 to 7 for one object.
void Decider::own(size_t i) {
  Decision& d = out_[i];
  Entry& e = entries_[i];
  const Facts& f = facts_[i];
  if (!f.valid) {
    d.reasons.push_back({"REVIEW_REQUIRED", "", "", "", "not readable as a STIX object"});
    return;
  }
  forbids(i, d.reasons);
  holds(i, d.reasons);
  const Label label = labels_.of(i, d.reasons);
  if (label.unknown)
    d.reasons.push_back(
        {"MARK_UNKNOWN", "", "", "",
         fmt::format("the marking {} is unknown, or its definition is missing", printable(label.unknown_id))});
  labels_.policies(label, d.reasons);
  review(i, label, d.reasons);
  auto passed = permits(i, label, d.reasons);
  originator(i, d.reasons);
  if (label.conflict && !d.reasons.empty())
    d.reasons.push_back({"MARK_CONFLICT", "", "", "", "different TLP marks: the strictest counts"});
  if (!passed || !d.reasons.empty()) return;

  const Rule& rule = *passed->rule;
  if (const GraphObject& o = graph_[i]; o.originator != in_.me && o.originator != in_.recipient)
    if (const Consent* c = labels_.consent(i);
        c != nullptr && !c->purpose.empty() && !has_purpose(*rule.doc, c->purpose)) {
      d.reasons.push_back(reason("PURPOSE", rule,
                                 fmt::format("{} consented for \"{}\", which is no purpose of this agreement: ask for "
                                             "another",
                                             o.originator, printable(c->purpose))));
      return;
    }
  d.agreement = rule.doc->agreement_id;
  d.agreement_version = rule.doc->hash;
  d.flow = rule.flow->id;
  d.article = rule.flow->art;
  d.told_tlp = passed->told;
  d.told_pap = label.pap.value_or(rule.doc->actions.default_pap);
  e.key = key_of(rule.doc->agreement_id);
  internal::OwnContext context{rule.doc, rule.flow->art, in_.my_identity_id, victims_.contains(f.id), true, false};
  context.public_creator = public_creator(f);
  context.anonymous = labels_.attribution(label) == stix::Attribution::kMustNot;
  if (!passed->redact.empty() || touched_by_protection(f, context)) {
    auto change = change_own(graph_[i].raw, f, passed->redact, context);
    e.stripped = std::move(change.stripped);
    if (change.withhold) {
      d.reasons.push_back(std::move(*change.withhold));
      return;
    }
    if (change.changed) {
      e.changed = true;
      texts_[i] = std::move(change.text);
      e.text = texts_[i];
      changed_facts_.push_back(read_facts(texts_[i], scratch(), arena_));
      for (Ref& r : changed_facts_.back().refs)
        if (auto it = groups_.find(r.id); it != groups_.end()) r.group = it->second;
      e.facts = &changed_facts_.back();
      d.reasons = std::move(change.notes);
    }
  }
  e.alive = passed_own_[i] = true;
  if (label.conflict) d.reasons.push_back({"MARK_CONFLICT", "", "", "", "different TLP marks: the strictest counts"});
}

// Steps 8 to 10: the verdict and the octets.
void Decider::finish(size_t i, const Closure& closure) {
  Decision& d = out_[i];
  Entry& e = entries_[i];
  const Facts& f = facts_[i];
  d.id = std::string(f.id);
  if (graph_[i].known_to_recipient) {
    d.verdict = Verdict::kKnown;
    d.reasons.clear();
    if (f.valid)
      if (auto id = closure.resolve(f.id)) d.id = std::string(*id);
    return;
  }
  if (!e.alive) {
    d.verdict = Verdict::kWithheld;
    if (passed_own_[i]) {  // withheld for what became of others: the notes on its own changes are void
      d.reasons.clear();
      for (auto& failure : closure.failures(i))
        d.reasons.push_back({failure.code, d.agreement, d.agreement_version, d.article, std::move(failure.note)});
    }
    d.agreement.clear();
    d.agreement_version.clear();
    d.flow.clear();
    d.article.clear();
    d.told_tlp = Tlp::kClear;
    d.told_pap = Pap::kClear;
    return;
  }
  d.reasons.insert(d.reasons.begin(), Reason{"PERMIT", d.agreement, d.agreement_version, d.article, {}});
  if (!e.changed) {
    d.verdict = Verdict::kReleased;
    return;
  }
  d.verdict = Verdict::kRedacted;
  const internal::Resolve resolve = [&closure](std::string_view id) { return closure.resolve(id); };
  internal::Rewrite how{e.new_id, in_.my_identity_id, &resolve, e.mentions};
  d.bytes = rewrite(e.text, how);
  d.id = e.new_id;
  if (e.facts == &f)
    d.reasons.push_back({"PROPERTY_REDACTED", d.agreement, d.agreement_version, d.article,
                         "references to what is not given, or given under a new id"});
}

std::vector<Decision> Decider::run() {
  out_.resize(graph_.size());
  for (size_t i = 0; i < graph_.size(); ++i) out_[i].object = i;
  read();
  find_victims();
  entries_.resize(graph_.size());
  texts_.resize(graph_.size());
  passed_own_.assign(graph_.size(), false);
  for (size_t i = 0; i < graph_.size(); ++i) {
    const GraphObject& o = graph_[i];
    Entry& e = entries_[i];
    e.facts = e.original = &facts_[i];
    e.text = o.raw;
    e.known = o.known_to_recipient;
    e.victim = victims_.contains(facts_[i].id);
    if (e.known)
      e.known_id = !o.sent_id.empty() ? o.sent_id : o.originator == in_.recipient ? facts_[i].id : std::string_view();
    if (in_.clock_safe)
      own(i);
    else
      out_[i].reasons.push_back({"CLOCK_UNSAFE", "", "", "", "the node's clock cannot be trusted: set it right"});
  }
  Closure closure(entries_, groups_, published_, in_.my_identity_id);
  closure.run();
  for (size_t i = 0; i < graph_.size(); ++i) finish(i, closure);
  return std::move(out_);
}

}  // namespace

std::vector<Decision> decide(std::span<const GraphObject> graph, const Inputs& in) { return Decider(graph, in).run(); }

std::string tombstone(std::string_view raw, std::string_view sent_id, std::string_view modified) {
  json::Node out = json::Node::object();
  auto doc = json::parse(raw);
  if (!doc.ok()) return {};
  const json::Value root = doc->root();
  out.set("type", json::find_string(root, "type").value_or(""));
  if (auto v = json::find_string(root, "spec_version")) out.set("spec_version", *v);
  out.set("id", sent_id);
  if (auto v = json::find_string(root, "created")) out.set("created", *v);
  out.set("modified", modified);
  out.set("revoked", true);
  return json::write(out);
}

Permission may(Action action, const Handling& object, const State& instrument) {
  if (!instrument.document) return {false, "", "no agreement: nothing may be done with what came under none"};
  const Document& doc = *instrument.document;
  const Actions& a = doc.actions;
  const Pap pap = object.pap.value_or(a.default_pap);
  if (action == Action::kMonitor) {
    const bool passive = pap == Pap::kRed;
    return {true, a.art,
            passive ? "passive search of own logs only (PAP:RED)" : "monitoring is allowed at every PAP level"};
  }
  auto no = [&a](std::string why) { return Permission{false, a.art, std::move(why)}; };
  if (instrument.kind != StateKind::kInForce && instrument.kind != StateKind::kEnding)
    return no(fmt::format("the agreement is {}: nothing is blocked under it", to_text(instrument.kind)));
  if (doc.level == Level::kInitiative) return no("an initiative alone lets no machine act: a person decides");
  if (!a.block_allowed) return no("the agreement does not allow automatic blocking: a person decides");
  if (pap > a.block_pap)
    return no(fmt::format("PAP:{} is stricter than PAP:{}, which a block needs: ask the originator to mark it so",
                          to_text(pap), to_text(a.block_pap)));
  if (object.confidence.value_or(-1) < a.min_confidence)
    return no(fmt::format("confidence {} is below {}",
                          object.confidence ? std::to_string(*object.confidence) : "(not stated)", a.min_confidence));
  const bool typed =
      a.indicator_types.empty() ||
      std::any_of(object.indicator_types.begin(), object.indicator_types.end(), [&a](const std::string& t) {
        return std::find(a.indicator_types.begin(), a.indicator_types.end(), t) != a.indicator_types.end();
      });
  if (!typed)
    return no(fmt::format("none of its indicator types is one that the agreement lets block ({})",
                          fmt::join(a.indicator_types, ", ")));
  return {true, a.art, "all conditions of the agreement for an automatic block are met"};
}

}  // namespace entente::agreement
