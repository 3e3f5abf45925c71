#include "agreement/internal/bars.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"

namespace entente::agreement::internal {

Bars::Bars(const Scene& scene) : scene_(scene) {
  for (const Hold& h : scene_.in.holds) holds_.emplace(h.object_id, &h);
}

// Step 2. A forbid of a suspended agreement still binds; an object of unknown sector matches.
void Bars::forbids(size_t i, std::vector<Reason>& out) const {
  const Facts& f = scene_.facts[i];
  for (const Rule& r : scene_.plan.of(f.type).forbids)
    if (in_scope(r, f) && (f.sectors.empty() || Plan::sector_hit(r, f.sectors)))
      out.push_back(reason("FORBIDDEN_BY_ARTICLE", r,
                           fmt::format("flow {} forbids {}: amend the agreement", r.flow->id, f.type)));
}

// Step 3, and the local policy, which can only narrow.
void Bars::holds(size_t i, std::vector<Reason>& out) const {
  const Facts& f = scene_.facts[i];
  if (!holds_.empty()) {
    bool national = false, embargo = false;
    for (auto [it, end] = holds_.equal_range(f.id); it != end; ++it) {
      const Hold& h = *it->second;
      if (h.not_before && scene_.in.at >= *h.not_before) continue;
      (h.reason == "EMBARGO" ? embargo : national) = true;
    }
    if (national) out.push_back({"NATIONAL_HOLD", "", "", "", "a hold is set on this object: lift it"});
    if (embargo) out.push_back({"EMBARGO", "", "", "", "an embargo runs: wait for its end"});
  }
  if (!scene_.graph[i].verified)
    out.push_back({"SOURCE_UNVERIFIED", "", "", "", "the source's signature was not checked or is wrong: verify it"});
  for (const std::string& type : scene_.in.policy.withhold_types)
    if (type == f.type) {
      out.push_back(
          {"REVIEW_REQUIRED", "", "", "", fmt::format("the local policy keeps back objects of type {}", type)});
      break;
    }
}

// Step 5. Silence is no consent, and consent for one version is none for the next.
void Bars::originator(size_t i, std::vector<Reason>& out) const {
  const GraphObject& o = scene_.graph[i];
  if (o.originator == scene_.in.me || o.originator == scene_.in.recipient) return;
  const State* inbound = nullptr;
  for (const State& s : scene_.in.instruments)
    if (!o.received_under.empty() && s.document && s.agreement_id == o.received_under) inbound = &s;
  Reason r{"ORIGINATOR_CONSENT", inbound ? inbound->document->agreement_id : std::string(),
           inbound ? inbound->document->hash : std::string(), inbound ? inbound->document->onward_art : std::string(),
           fmt::format("ask {} for consent to onward release of this version: entente consent ask {} --to {}",
                       o.originator, printable(scene_.facts[i].id), scene_.in.recipient)};
  if (inbound != nullptr && inbound->document->onward_rule == "never") {
    r.note = "the agreement under which it was received allows no onward release";
    out.push_back(std::move(r));
    return;
  }
  bool expired = false;
  if (scene_.labels.consent(i, &expired) != nullptr) return;
  if (expired) {
    r.code = "CONSENT_EXPIRED";
    r.note = fmt::format("the consent of {} has expired: ask for a new one: entente consent ask {} --to {}",
                         o.originator, printable(scene_.facts[i].id), scene_.in.recipient);
  }
  out.push_back(std::move(r));
}

namespace {

bool has_purpose(const Document& doc, const std::string& purpose) {
  const json::Node* scope = doc.node.find("scope");
  const json::Node* list = scope == nullptr ? nullptr : scope->find("purposes");
  return list != nullptr && list->is_array() &&
         std::ranges::any_of(list->list(), [&](const json::Node& p) { return p.is_string() && p.string() == purpose; });
}

}  // namespace

bool Bars::purpose(size_t i, const Rule& rule, std::vector<Reason>& out) const {
  const GraphObject& o = scene_.graph[i];
  if (o.originator == scene_.in.me || o.originator == scene_.in.recipient) return false;
  const Consent* c = scene_.labels.consent(i);
  if (c == nullptr || c->purpose.empty() || has_purpose(*rule.doc, c->purpose)) return false;
  out.push_back(reason("PURPOSE", rule,
                       fmt::format("{} consented for \"{}\", which is no purpose of this agreement: ask for another",
                                   o.originator, printable(c->purpose))));
  return true;
}

// The operator's own rule: people look first.
void Bars::review(size_t i, const Label& label, std::vector<Reason>& out) const {
  const Policy& p = scene_.in.policy;
  const Facts& f = scene_.facts[i];
  const bool asked = std::ranges::find(p.review_types, f.type) != p.review_types.end() ||
                     (p.review_from && f.marking == MarkingKind::kNone && !scene_.is_public(f.id) &&
                      std::max(label.object.value_or(Tlp::kRed), label.inherited) >= *p.review_from);
  if (!asked || scene_.in.approved.contains(fmt::format("{} {}", f.id, f.version))) return;
  out.push_back(
      {"REVIEW_REQUIRED", "", "", "",
       fmt::format("{} other person{} than who published it must approve it: entente release approve {} --to {}",
                   p.review_persons, p.review_persons == 1 ? "" : "s", printable(f.id), scene_.in.recipient)});
}

}  // namespace entente::agreement::internal
