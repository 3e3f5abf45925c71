#include "agreement/internal/permits.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agreement/internal/redact.h"
#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

// agreement.md §3.4: what an initiative gives without a bilateral, group or project instrument. Never victims' data.
bool initiative_type(std::string_view type) {
  return type == "course-of-action" || type == "report" || type == "attack-pattern" || type == "marking-definition";
}

}  // namespace

// Steps 4 and 7 for one flow: passes, or says why not.
std::optional<Passed> Permits::attempt(size_t i, const Label& label, const Rule& rule, std::vector<Reason>& out) const {
  const Facts& f = scene_.facts[i];
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
  if (rule.joined && scene_.graph[i].committed < *rule.joined && f.marking == MarkingKind::kNone &&
      !scene_.is_public(f.id))
    out.push_back(reason("NOT_YET_IN_FORCE", rule,
                         fmt::format("older than the accession of {} ({}): publish a new version of it to release it",
                                     scene_.in.recipient, to_text(*rule.joined))));
  if (rule.doc->level == Level::kInitiative && !initiative_type(f.type))
    out.push_back(reason("TYPE_NOT_LISTED", rule,
                         "an initiative alone gives courses of action, reports and attack patterns only"));
  if (rule.suspended)
    out.push_back(reason("SUSPENDED", rule,
                         fmt::format("flow {} is suspended: the party that suspended it may resume", flow.id)));
  if (!scene_.in.unwitnessed.empty())
    if (auto why = scene_.in.unwitnessed.find(rule.doc->agreement_id); why != scene_.in.unwitnessed.end())
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
  if (!rule.has_purpose)
    out.push_back(reason("PURPOSE", rule, "the agreement names no purpose for which anything may be used"));
  if (scene_.graph[i].originator != scene_.in.me && scene_.graph[i].originator != scene_.in.recipient &&
      rule.doc->onward_rule == "never")
    out.push_back({"ORIGINATOR_CONSENT", rule.agreement, rule.version, rule.doc->onward_art,
                   "nothing of third parties may pass under this agreement"});

  if (!scene_.public_creator(f) && scene_.labels.attribution(label) == stix::Attribution::kMust &&
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
  if (scene_.in.policy.max_tlp) ceiling = std::min(ceiling, *scene_.in.policy.max_tlp);
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
std::optional<Passed> Permits::best(size_t i, const Label& label, std::vector<Reason>& out) const {
  const Facts& f = scene_.facts[i];
  const auto& rules = scene_.plan.of(f.type).permits;
  std::vector<Reason> failed;
  std::optional<Passed> best;
  auto order = [](const Passed& p) {
    return std::make_tuple(p.rule->doc->level, -static_cast<int>(p.told),
                           -static_cast<int64_t>(p.rule->doc->protections.size()),
                           std::string_view(p.rule->doc->agreement_id), std::string_view(p.rule->flow->id));
  };
  for (const Rule& rule : rules)
    if (auto passed = attempt(i, label, rule, failed); passed && (!best || order(*passed) < order(*best)))
      best = std::move(passed);
  if (best) return best;
  if (rules.empty()) {
    for (const Reason& r : scene_.plan.closed()) out.push_back(r);
    if (scene_.plan.any_permit())
      out.push_back(
          {"TYPE_NOT_LISTED", "", "", "", fmt::format("no flow in force lists {}: amend the agreement", f.type)});
  } else {
    for (Reason& r : failed) out.push_back(std::move(r));
    for (const Reason& r : scene_.plan.closed()) out.push_back(r);
  }
  return std::nullopt;
}

}  // namespace entente::agreement::internal
