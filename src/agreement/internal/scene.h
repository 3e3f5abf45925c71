// What the steps for one object look at: the graph as read, the parties' rules, what marks say. Owned by the decision.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "agreement/decide.h"
#include "agreement/internal/facts.h"
#include "agreement/internal/labels.h"
#include "agreement/internal/plan.h"

namespace entente::agreement::internal {

struct Scene {
  std::span<const GraphObject> graph;
  const Inputs& in;
  const std::vector<Facts>& facts;                            // of each object of the graph
  const std::unordered_set<std::string_view>& published_ids;  // public authorities and the releasing party
  Plan& plan;
  const Labels& labels;

  [[nodiscard]] bool is_public(std::string_view id) const { return published_ids.contains(id); }
  [[nodiscard]] bool public_creator(const Facts& f) const {
    return std::ranges::all_of(f.refs,
                               [this](const Ref& r) { return r.kind != RefKind::kCreatedBy || is_public(r.id); });
  }
};

// A project is about what is labelled for it; a marking definition goes with what it marks.
[[nodiscard]] inline bool in_scope(const Rule& r, const Facts& f) {
  if (r.state->project.empty() || f.marking != MarkingKind::kNone) return true;
  return std::find(f.projects.begin(), f.projects.end(), r.state->project) != f.projects.end();
}

[[nodiscard]] inline Reason reason(std::string_view code, const Rule& r, std::string note) {
  return {code, r.agreement, r.version, r.flow->art, std::move(note)};
}

}  // namespace entente::agreement::internal
