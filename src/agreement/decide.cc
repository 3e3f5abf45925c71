// The release decision, release.md §3: each object on its own (what bars it: internal/bars.h; what permits it:
// internal/permits.h; what is changed in it: internal/redact.h), then what follows from the others
// (internal/closure.h), then the octets. Everything that depends on the parties alone is compiled once
// (internal/plan.h).
#include "agreement/decide.h"

#include <deque>
#include <unordered_set>

#include <fmt/format.h>

#include "agreement/internal/bars.h"
#include "agreement/internal/closure.h"
#include "agreement/internal/facts.h"
#include "agreement/internal/id_index.h"
#include "agreement/internal/labels.h"
#include "agreement/internal/permits.h"
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
using internal::Rule;

class Decider {
 public:
  Decider(std::span<const GraphObject> graph, const Inputs& in)
      : graph_(graph),
        in_(in),
        plan_(in),
        groups_(graph.size() + in.public_ids.size() + 1),
        labels_(graph_, in_, facts_, published_ids_) {}
  std::vector<Decision> run();

 private:
  void read();
  void find_victims();
  void own(size_t i);
  void finish(size_t i, const Closure& closure);

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
  internal::IdIndex groups_;
  std::vector<bool> published_;
  std::unordered_set<std::string_view> published_ids_;
  std::vector<bool> victims_;  // by group
  internal::Labels labels_;    // reads facts_ and published_ids_
  const internal::Scene scene_{graph_, in_, facts_, published_ids_, plan_, labels_};
  const internal::Bars bars_{scene_};
  const internal::Permits permits_{scene_};
};

// One parser per thread: its buffers grow to the largest object and stay.
json::Document& scratch() {
  static thread_local json::Document doc;
  return doc;
}

void Decider::read() {
  auto group = [this](std::string_view id) {
    const auto g = static_cast<size_t>(groups_.number(id));
    if (g == published_.size()) published_.push_back(false);
    return g;
  };
  facts_.reserve(graph_.size());
  for (const GraphObject& o : graph_) {
    facts_.push_back(read_facts(o.raw, scratch(), arena_));
    const Facts& f = facts_.back();
    if (!f.valid) continue;
    const size_t g = group(f.id);
    facts_.back().group = static_cast<int32_t>(g);
    if (f.marking == MarkingKind::kTlp) published_[g] = true;
  }
  for (const std::string& id : in_.public_ids) published_ids_.insert(id);
  if (!in_.my_identity_id.empty()) published_ids_.insert(in_.my_identity_id);
  for (std::string_view id : published_ids_) published_[group(id)] = true;
  std::string_view last;  // most name the same marking
  int32_t last_group = -1;
  for (Facts& f : facts_)
    for (Ref& r : f.refs) {
      if (r.id != last) {
        last = r.id;
        last_group = groups_.find(r.id);
      }
      r.group = last_group;
    }
  labels_.read(published_.size());
}

// A victim: `roles` says so, a `targets` relationship points at it, or a sighting names it as the place where something
// was seen. Also links that are not given away count: whoever is a victim stays one. Public authorities are none.
void Decider::find_victims() {
  victims_.assign(groups_.size(), false);
  for (const Facts& f : facts_) {
    if (f.victim_role && f.valid) victims_[static_cast<size_t>(f.group)] = true;
    const bool targets = f.type == "relationship" && f.relationship_type == "targets";
    if (!targets && f.type != "sighting") continue;
    for (const Ref& r : f.refs)
      if (r.group >= 0 && r.property == (targets ? "target_ref" : "where_sighted_refs"))
        victims_[static_cast<size_t>(r.group)] = true;
  }
  for (std::string_view id : published_ids_) victims_[static_cast<size_t>(groups_.find(id))] = false;
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
  bars_.forbids(i, d.reasons);
  bars_.holds(i, d.reasons);
  const Label label = labels_.of(i, d.reasons);
  if (label.unknown)
    d.reasons.push_back(
        {"MARK_UNKNOWN", "", "", "",
         fmt::format("the marking {} is unknown, or its definition is missing", printable(label.unknown_id))});
  labels_.policies(label, d.reasons);
  bars_.review(i, label, d.reasons);
  auto passed = permits_.best(i, label, d.reasons);
  bars_.originator(i, d.reasons);
  if (label.conflict && !d.reasons.empty())
    d.reasons.push_back({"MARK_CONFLICT", "", "", "", "different TLP marks: the strictest counts"});
  if (!passed || !d.reasons.empty()) return;

  const Rule& rule = *passed->rule;
  if (bars_.purpose(i, rule, d.reasons)) return;
  d.agreement = rule.agreement;
  d.agreement_version = rule.version;
  d.flow = rule.flow->id;
  d.article = rule.flow->art;
  d.told_tlp = passed->told;
  d.told_pap = label.pap.value_or(rule.doc->actions.default_pap);
  e.key = key_of(rule.doc->agreement_id);
  internal::OwnContext context{rule.doc, rule.flow->art, in_.my_identity_id, entries_[i].victim, true, false};
  context.public_creator = scene_.public_creator(f);
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
      for (Ref& r : changed_facts_.back().refs) r.group = groups_.find(r.id);
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
    e.victim = facts_[i].valid && victims_[static_cast<size_t>(facts_[i].group)];
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

}  // namespace entente::agreement
