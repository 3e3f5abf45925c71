#include "agreement/internal/labels.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/bytes.h"

namespace entente::agreement::internal {

Labels::Labels(std::span<const GraphObject> graph, const Inputs& in, const std::vector<Facts>& facts,
               const std::unordered_set<std::string_view>& published_ids)
    : graph_(graph), in_(in), facts_(facts), published_ids_(published_ids) {
  unclear_.marking = MarkingKind::kUnknown;
  for (const Consent& c : in_.consents) consents_.emplace(c.object_id, &c);
}

void Labels::read(size_t groups) {
  definitions_.assign(groups, nullptr);
  for (const Facts& f : facts_) {
    if (!f.valid || f.marking == MarkingKind::kNone) continue;
    const Facts*& d = definitions_[static_cast<size_t>(f.group)];
    if (d == nullptr || f.marking == MarkingKind::kUnknown || f.pap > d->pap)
      d = &f;  // several texts of one definition: the strictest
    else if (d->marking == MarkingKind::kPolicy || f.marking == MarkingKind::kPolicy)
      d = &unclear_;  // which of two policies is the stricter nobody can say
  }
  find_origins();
}

Label Labels::of(size_t i, std::vector<Reason>& out) const {
  Label label = own_label(i);
  derived(i, label, out);
  return label;
}

// What is derived from something bears its label and asks for the same consents (release.md §2). The relationship may
// itself be withheld: it counts all the same.
void Labels::find_origins() {
  for (const Facts& f : facts_) {
    if (f.type != "relationship" || f.relationship_type != "derived-from") continue;
    std::string_view source, target;
    for (const Ref& r : f.refs) {
      if (r.property == "source_ref") source = r.id;
      if (r.property == "target_ref") target = r.id;
    }
    if (!source.empty() && !target.empty() && source != target) origins_[source].push_back(target);
  }
  if (origins_.empty()) return;
  for (size_t i = 0; i < facts_.size(); ++i) by_id_.emplace(facts_[i].id, i);
}

void Labels::derived(size_t i, Label& label, std::vector<Reason>& out) const {
  if (!origins_.contains(facts_[i].id)) return;
  std::vector<std::string_view> queue{facts_[i].id};
  std::unordered_set<std::string_view> seen{facts_[i].id};
  std::set<std::string> asks, missing;
  std::map<std::string, std::string> wanted;  // originator -> the requests to make
  while (!queue.empty()) {
    const std::string_view id = queue.back();
    queue.pop_back();
    if (id != facts_[i].id && !is_public(id)) {
      const auto [begin, end] = by_id_.equal_range(id);
      if (begin == end) missing.insert(printable(id));
      for (auto it = begin; it != end; ++it) {
        const size_t k = it->second;
        const Label theirs = own_label(k);
        label.inherited = std::max({label.inherited, theirs.inherited, theirs.object.value_or(Tlp::kClear)});
        for (const auto& part : theirs.parts) label.inherited = std::max(label.inherited, part.value_or(Tlp::kClear));
        if (theirs.pap) label.pap = std::max(label.pap.value_or(Pap::kClear), *theirs.pap);
        if (theirs.unknown && !label.unknown) {
          label.unknown = true;
          label.unknown_id = theirs.unknown_id;
        }
        label.policies.insert(label.policies.end(), theirs.policies.begin(), theirs.policies.end());
        const std::string_view from = graph_[k].originator;
        if (from != in_.me && from != in_.recipient && consent(k, nullptr) == nullptr) {
          asks.insert(std::string(from));
          wanted[std::string(from)] += fmt::format("; entente consent ask {} --to {}", printable(id), in_.recipient);
        }
      }
    }
    if (const auto more = origins_.find(id); more != origins_.end())
      for (const std::string_view next : more->second)
        if (seen.insert(next).second) queue.push_back(next);
  }
  for (const auto& from : asks)
    out.push_back(
        {"DERIVED_FROM_CONTROLLED", "", "", "",
         fmt::format("it is derived from what {} gave: ask {} for consent to that{}", from, from, wanted[from])});
  for (const auto& id : missing)
    out.push_back({"DERIVED_FROM_CONTROLLED", "", "", "",
                   fmt::format("whose {} is, from which it is derived, is not known here: publish it", id)});
}

stix::Attribution Labels::attribution(const Label& label) const {
  auto out = stix::Attribution::kMay;
  for (const stix::MarkingPolicy* p : label.policies) {
    const auto one = stix::attribution_to(*p, in_.recipient);
    if (one == stix::Attribution::kMustNot || out == stix::Attribution::kMay) out = one;
    if (out == stix::Attribution::kMustNot) break;
  }
  return out;
}

void Labels::policies(const Label& label, std::vector<Reason>& out) const {
  if (label.policies.empty()) return;
  std::set<std::pair<std::string_view, std::string>> said;
  bool must = false, must_not = false;
  for (const stix::MarkingPolicy* p : label.policies) {
    if (std::string why = stix::excludes(*p, in_.recipient); !why.empty())
      said.emplace("AUDIENCE", fmt::format("{}: {}", printable(p->name), printable(why)));
    else if (!stix::for_network_defence(*p, in_.recipient))
      said.emplace("PURPOSE", fmt::format("{} does not allow its use to defend networks", printable(p->name)));
    if ((p->from && in_.at < *p->from) || (p->until && in_.at >= *p->until))
      said.emplace("IEP_CONFLICT",
                   fmt::format("{} is not in effect now: its provider states a new policy", printable(p->name)));
    const auto one = stix::attribution_to(*p, in_.recipient);
    must |= one == stix::Attribution::kMust;
    must_not |= one == stix::Attribution::kMustNot;
  }
  if (must && must_not)
    said.emplace("IEP_CONFLICT", "one marking wants its provider named, another forbids it: they are to agree");
  for (const auto& [code, note] : said) out.push_back({code, "", "", "", note});
}

const Facts* Labels::definition(const Ref& r) const {
  return r.group < 0 ? nullptr : definitions_[static_cast<size_t>(r.group)];
}

Label Labels::own_label(size_t i) const {
  const Facts& f = facts_[i];
  Label label;
  label.inherited = graph_[i].inherited;
  size_t part = 0;
  auto join_pap = [&label](Pap p) { label.pap = std::max(label.pap.value_or(Pap::kClear), p); };
  if (!f.granular.empty()) label.parts.resize(f.granular.size());
  for (const Ref& r : f.refs) {
    if (r.kind != RefKind::kMarking && r.kind != RefKind::kGranular) continue;
    const Facts* d = definition(r);
    std::optional<Tlp> tlp;
    if (d != nullptr && d->marking == MarkingKind::kTlp)
      tlp = d->tlp;
    else if (d == nullptr)
      tlp = stix::tlp_of_id(r.id);
    if (!tlp && (d == nullptr || d->marking == MarkingKind::kUnknown)) {
      label.unknown = true;
      label.unknown_id = r.id;
    }
    if (d != nullptr && d->marking == MarkingKind::kPap) join_pap(d->pap);
    if (d != nullptr && d->marking == MarkingKind::kPolicy) {
      label.policies.push_back(d->policy.get());
      if (d->policy->pap) join_pap(*d->policy->pap);
      tlp = d->policy->tlp;
    }
    if (r.kind == RefKind::kGranular) {
      while (part < f.granular.size() && f.granular[part].marking.empty()) ++part;  // not understood; reported below
      if (part < f.granular.size()) label.parts[part++] = tlp;
    } else if (tlp) {
      if (label.object && *label.object != *tlp) label.conflict = true;
      label.object = std::max(label.object.value_or(Tlp::kClear), *tlp);
    }
  }
  for (const auto& g : f.granular) label.unknown |= g.marking.empty();
  // The nine OASIS definitions mark others and carry no mark themselves; they are public.
  if (f.marking == MarkingKind::kTlp && !label.object) label.object = Tlp::kClear;
  return label;
}

const Consent* Labels::consent(size_t i, bool* expired) const {
  for (auto [it, end] = consents_.equal_range(facts_[i].id); it != end; ++it) {
    const Consent& c = *it->second;
    if (c.originator != graph_[i].originator || c.recipient != in_.recipient) continue;
    if (c.version != "*" && c.version != facts_[i].version) continue;
    // What was consented to under one agreement is not consented to under another.
    if (!c.agreement.empty() && c.agreement != graph_[i].received_under) continue;
    if (in_.at >= c.valid_from && in_.at < c.valid_until) return &c;
    if (expired != nullptr) *expired |= in_.at >= c.valid_until;
  }
  return nullptr;
}

}  // namespace entente::agreement::internal
