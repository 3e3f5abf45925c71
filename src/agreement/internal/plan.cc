#include "agreement/internal/plan.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace entente::agreement::internal {
namespace {

bool names(const std::vector<std::string>& list, std::string_view x) {
  return std::any_of(list.begin(), list.end(), [x](const std::string& e) { return e == "*" || e == x; });
}

// A state that was folded at another time than the decision's is read as narrowly as its own dates allow.
bool within(const State& s, Time at) { return (!s.start || at >= *s.start) && (!s.end || at < *s.end); }

// Who answers for the recipient must be known: its receipts could not be checked.
bool has_node_key(const Party& party, Time at) {
  return std::any_of(party.keys.begin(), party.keys.end(), [at](const KeyRecord& k) {
    return k.role == KeyRole::kNode && !k.public_hex.empty() && at >= k.not_before && at < k.not_after;
  });
}

bool names_purpose(const Document& doc) {
  const json::Node* scope = doc.node.find("scope");
  const json::Node* purposes = scope == nullptr ? nullptr : scope->find("purposes");
  return scope == nullptr || (purposes != nullptr && purposes->is_array() && !purposes->list().empty());
}

std::string_view closed_code(const State& s, const Inputs& in) {
  auto kind_of = [&s](std::string_view party) {
    auto it = s.by_party.find(std::string(party));
    return it == s.by_party.end() ? StateKind::kNone : it->second;
  };
  const StateKind a = kind_of(in.me), b = kind_of(in.recipient);
  for (StateKind k : {a, b}) {
    if (k == StateKind::kProvisional) continue;
    if (k == StateKind::kTerminated || k == StateKind::kExpired || k == StateKind::kAbandoned) return "ENDED";
    if (k < StateKind::kInForce) return "NOT_YET_IN_FORCE";
  }
  if (a == StateKind::kSuspended || b == StateKind::kSuspended) return "SUSPENDED";
  const bool apart =
      s.closed.contains(std::minmax(std::string(in.me), std::string(in.recipient))) && (!s.end || in.at < *s.end);
  if (apart) return "SUSPENDED";
  return s.end && in.at >= *s.end ? "ENDED" : "NOT_YET_IN_FORCE";
}

}  // namespace

Plan::Plan(const Inputs& in) {
  std::vector<const State*> states;
  for (const State& s : in.instruments)
    if (const Document* d = s.between(in.me, in.recipient);
        d != nullptr && d->party(in.me) != nullptr && d->party(in.recipient) != nullptr)
      states.push_back(&s);
  // The order in which the caller knows the instruments must not show anywhere.
  std::sort(states.begin(), states.end(), [](const State* a, const State* b) {
    return std::tie(a->document->agreement_id, a->document->hash) <
           std::tie(b->document->agreement_id, b->document->hash);
  });
  for (const State* s : states) {
    const Document& doc = *s->between(in.me, in.recipient);
    const bool time_ok = within(*s, in.at);
    bool live = time_ok && s->live(in.me, in.recipient);
    if (live && !has_node_key(*doc.party(in.recipient), in.at)) {
      closed_.push_back(
          {"PARTY_KEY_UNKNOWN", doc.agreement_id, doc.hash, "",
           fmt::format("{} has no key of a node that is valid now: it gives notice of one", in.recipient)});
      live = false;
    }
    const bool bound = time_ok && s->bound(in.me, in.recipient);
    if (!time_ok || !s->live(in.me, in.recipient)) add_closed(*s, in);
    const SharedText agreement = doc.agreement_id, version = doc.hash;
    const bool purpose = names_purpose(doc);
    const auto accession = s->joined.find(std::string(in.recipient));
    const auto joined = accession == s->joined.end() ? std::nullopt : std::optional(accession->second);
    std::vector<const Flow*> flows;
    for (const Flow& f : doc.flows) flows.push_back(&f);
    std::sort(flows.begin(), flows.end(), [](const Flow* a, const Flow* b) { return a->id < b->id; });
    for (const Flow* f : flows) {
      if (!names(f->from, in.me) || !names(f->to, in.recipient)) continue;
      const Rule rule{s,       &doc,    f,     names(f->sectors, "*"), s->suspended_flows.contains(f->id), agreement,
                      version, purpose, joined};
      if (f->permit && live && (rule.suspended || s->permits(f->id, in.me, in.recipient))) permits_.push_back(rule);
      if (!f->permit && (bound || s->survives(in.me, in.recipient, f->art))) forbids_.push_back(rule);
    }
  }
  any_permit_ = !permits_.empty();
  if (states.empty())
    closed_.push_back({"NO_AGREEMENT", "", "", "", "no agreement names both parties: propose one"});
  else if (closed_.empty() && permits_.empty())
    closed_.push_back({"NO_PERMIT", states.front()->document->agreement_id, states.front()->document->hash, "",
                       "no flow permits this direction: amend"});
}

void Plan::add_closed(const State& s, const Inputs& in) {
  const std::string_view code = closed_code(s, in);
  std::string note = code == "SUSPENDED" ? "the agreement is suspended: the party that suspended it may resume"
                     : code == "ENDED"   ? "the agreement has ended: a new one would be needed"
                                         : "the agreement is not in force between the two parties yet";
  closed_.push_back({code, s.document->agreement_id, s.document->hash, s.document->duration_art, std::move(note)});
}

const TypePlan& Plan::of(std::string_view type) {
  if (last_ != nullptr && last_->first == type) return last_->second;
  auto it = by_type_.find(type);
  if (it == by_type_.end()) it = compile(type);
  last_ = &*it;  // nodes of the map stay where they are
  return it->second;
}

Plan::ByType::iterator Plan::compile(std::string_view type) {
  const auto it = by_type_.try_emplace(std::string(type)).first;
  for (const Rule& r : forbids_)
    if (names(r.flow->object_types, type)) it->second.forbids.push_back(r);
  for (const Rule& r : permits_)
    if (names(r.flow->object_types, type)) it->second.permits.push_back(r);
  return it;
}

bool Plan::sector_hit(const Rule& rule, const std::vector<std::string_view>& sectors) {
  if (rule.sectors_any) return true;
  return std::any_of(sectors.begin(), sectors.end(), [&rule](std::string_view s) {
    return std::find(rule.flow->sectors.begin(), rule.flow->sectors.end(), s) != rule.flow->sectors.end();
  });
}

}  // namespace entente::agreement::internal
