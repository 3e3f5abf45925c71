#include "pattern/internal/plan.h"

#include <algorithm>
#include <cmath>

namespace entente::pattern {
namespace {

constexpr uint64_t kMany = uint64_t{1} << 62;

uint64_t times(uint64_t a, uint64_t b) { return a != 0 && b > kMany / a ? kMany : a * b; }

// Differences of times are whole nanoseconds: below 0.3 ns is below 1 ns.
Nanos duration_of(const Constant& c) {
  if (c.kind == Constant::Kind::kInteger) return static_cast<Nanos>(c.integer) * 1'000'000'000;
  const double ns = c.real * 1e9;
  if (ns > 1e27) return kAlways;
  const double near = std::nearbyint(ns);
  const double whole = near >= 1 && std::abs(ns - near) < 1e-6 * near ? near : std::ceil(ns);
  return static_cast<Nanos>(std::max(whole, 1.0));
}

class Maker {
 public:
  Plan run(const Ast& ast) {
    plan_.root = observation(ast.root);
    const PlanNode& root = plan_.nodes[plan_.root];
    plan_.single = root.kind == PlanNode::Kind::kLeaf && plan_.leaves[root.leaf].windows.empty();
    return std::move(plan_);
  }

 private:
  uint32_t add(PlanNode node) {
    plan_.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(plan_.nodes.size() - 1);
  }

  uint32_t observation(const Observation& o) {
    const size_t outer = windows_.size();
    for (const auto& q : o.qualifiers) {
      if (q.kind == Qualifier::Kind::kStartStop) windows_.push_back({nanos(q.first.time), nanos(q.second.time)});
    }
    uint32_t node = bare(o);
    windows_.resize(outer);
    for (const auto& q : o.qualifiers) {
      if (q.kind == Qualifier::Kind::kRepeats) {
        node = repeated(node, static_cast<uint64_t>(q.first.integer));
      } else if (q.kind == Qualifier::Kind::kWithin) {
        // One observation is always within any duration.
        if (plan_.nodes[node].kind == PlanNode::Kind::kLeaf) continue;
        PlanNode within;
        within.kind = PlanNode::Kind::kWithin;
        within.duration = duration_of(q.first);
        within.children = {node};
        node = add(std::move(within));
      }
    }
    return node;
  }

  uint32_t repeated(uint32_t node, uint64_t n) {
    if (n == 1) return node;
    if (plan_.nodes[node].kind == PlanNode::Kind::kRepeat) {
      plan_.nodes[node].times = times(plan_.nodes[node].times, n);
      return node;
    }
    PlanNode repeat;
    repeat.kind = PlanNode::Kind::kRepeat;
    repeat.times = n;
    repeat.children = {node};
    return add(std::move(repeat));
  }

  uint32_t bare(const Observation& o) {
    if (o.kind == Observation::Kind::kBracket) {
      PlanNode leaf;
      leaf.leaf = static_cast<uint32_t>(plan_.leaves.size());
      plan_.leaves.push_back({bracket_++, windows_});
      return add(std::move(leaf));
    }
    if (o.kind == Observation::Kind::kGroup) return observation(o.children.front());
    PlanNode node;
    node.kind = o.kind == Observation::Kind::kAnd  ? PlanNode::Kind::kAll
                : o.kind == Observation::Kind::kOr ? PlanNode::Kind::kAny
                                                   : PlanNode::Kind::kSequence;
    for (const auto& child : o.children) node.children.push_back(observation(child));
    return add(std::move(node));
  }

  Plan plan_;
  std::vector<Window> windows_;
  uint32_t bracket_ = 0;
};

Nanos horizon(const Plan& plan, uint32_t at) {
  const PlanNode& n = plan.nodes[at];
  switch (n.kind) {
    case PlanNode::Kind::kLeaf:
      return 1;
    case PlanNode::Kind::kWithin:
      return std::min(n.duration, horizon(plan, n.children.front()));
    case PlanNode::Kind::kAny: {
      Nanos most = 1;
      for (const uint32_t c : n.children) most = std::max(most, horizon(plan, c));
      return most;
    }
    default:
      return kAlways;
  }
}

uint64_t least(const Plan& plan, uint32_t at) {
  const PlanNode& n = plan.nodes[at];
  switch (n.kind) {
    case PlanNode::Kind::kLeaf:
      return 1;
    case PlanNode::Kind::kWithin:
      return least(plan, n.children.front());
    case PlanNode::Kind::kRepeat:
      return times(n.times, least(plan, n.children.front()));
    case PlanNode::Kind::kAny: {
      uint64_t best = kMany;
      for (const uint32_t c : n.children) best = std::min(best, least(plan, c));
      return best;
    }
    default: {
      uint64_t sum = 0;
      for (const uint32_t c : n.children) sum = std::min(kMany, sum + least(plan, c));
      return sum;
    }
  }
}

}  // namespace

Plan make_plan(const Ast& ast) { return Maker().run(ast); }

bool in_windows(const Leaf& leaf, Nanos first, Nanos last) {
  return std::all_of(leaf.windows.begin(), leaf.windows.end(),
                     [&](const Window& w) { return w.start < w.stop && first < w.stop && last >= w.start; });
}

Nanos horizon(const Plan& plan) { return horizon(plan, plan.root); }

uint64_t least(const Plan& plan) { return least(plan, plan.root); }

}  // namespace entente::pattern
