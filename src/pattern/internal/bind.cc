#include "pattern/internal/bind.h"

#include <algorithm>
#include <numeric>

#include "pattern/internal/assign.h"

namespace entente::pattern {
namespace {

constexpr uint64_t kMaxGroups = 4096;
constexpr uint64_t kMany = uint64_t{1} << 62;

uint64_t times(uint64_t a, uint64_t b) { return a != 0 && b > kMany / a ? kMany : a * b; }

// Observations that are alike are one class: equal ones need not be told apart.
class Classes {
 public:
  Classes(std::span<const Candidate> candidates, std::span<const std::vector<uint32_t>> by_leaf) {
    const size_t words = (by_leaf.size() + 63) / 64;
    std::vector<uint64_t> masks(candidates.size() * words);
    for (size_t leaf = 0; leaf < by_leaf.size(); ++leaf) {
      for (const uint32_t c : by_leaf[leaf]) masks[c * words + leaf / 64] |= uint64_t{1} << (leaf % 64);
    }
    const auto mask = [&](uint32_t c) { return std::span(masks).subspan(c * words, words); };
    std::vector<uint32_t> order;
    for (uint32_t c = 0; c < candidates.size(); ++c) {
      if (std::any_of(mask(c).begin(), mask(c).end(), [](uint64_t w) { return w != 0; })) order.push_back(c);
    }
    const auto compare = [&](uint32_t a, uint32_t b) {
      const Candidate &x = candidates[a], &y = candidates[b];
      if (x.last != y.last) return x.last < y.last ? -1 : 1;
      if (x.first != y.first) return x.first < y.first ? -1 : 1;
      const auto [i, j] = std::mismatch(mask(a).begin(), mask(a).end(), mask(b).begin());
      return i == mask(a).end() ? 0 : *i < *j ? -1 : 1;
    };
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return compare(a, b) < 0; });
    leaves_.resize(by_leaf.size());
    for (size_t i = 0; i < order.size(); ++i) {
      const Candidate& c = candidates[order[i]];
      if (i == 0 || compare(order[i - 1], order[i]) != 0) {
        const auto number = static_cast<uint32_t>(all_.size());
        all_.push_back({c.first, c.last, 0, {}});
        for (size_t leaf = 0; leaf < by_leaf.size(); ++leaf) {
          if ((mask(order[i])[leaf / 64] >> (leaf % 64) & 1) != 0) leaves_[leaf].push_back(number);
        }
      }
      all_.back().capacity = std::min(kMany, all_.back().capacity + c.count);
      all_.back().members.push_back(order[i]);
    }
  }

  [[nodiscard]] const std::vector<ObservationClass>& all() const { return all_; }
  [[nodiscard]] const std::vector<uint32_t>& of_leaf(uint32_t leaf) const { return leaves_[leaf]; }

 private:
  std::vector<ObservationClass> all_;          // ascending by last
  std::vector<std::vector<uint32_t>> leaves_;  // ascending
};

// A condition on the times of groups [begin, middle) and [middle, end), or of [begin, end). `low` and `high` enclose
// its threshold: the earliest last of the second part, or of the whole.
struct Condition {
  enum class Kind : uint8_t { kBefore, kSpan };
  Kind kind = Kind::kBefore;
  uint32_t begin = 0, middle = 0, end = 0;
  Nanos duration = 0;
  Nanos low = -2 * kAlways, high = 2 * kAlways;
};

struct Choice {
  uint32_t value, count;
};

// The groups and conditions of a plan under some choices. Parts of the pattern are ranges of groups.
struct Expansion {
  std::vector<Group> groups;
  std::vector<Condition> conditions;
  bool open = false;        // a choice is not made yet:
  Choice next{0, 0};        // its first value and number of values
  bool aggregated = false;  // a repetition too large to be written out stands as one copy with many observations
  bool too_large = false;
};

class Expander {
 public:
  Expander(const Plan& plan, const Classes& classes) : plan_(plan), classes_(classes), facts_(plan.nodes.size()) {
    for (uint32_t i = 0; i < plan.nodes.size(); ++i) facts_[i] = facts(i);  // children come first
  }

  // strict: an aggregated repetition keeps its conditions, over all its copies together (enough, not needed); else it
  // has none (needed, not enough).
  Expansion run(const std::vector<Choice>& choices, bool strict) {
    out_ = {};
    choices_ = &choices;
    made_ = 0;
    strict_ = strict;
    inside_aggregate_ = false;
    first_choice_ = nullptr;
    expand(plan_.root, 1);
    // The widest span first: it narrows most.
    std::stable_sort(out_.conditions.begin(), out_.conditions.end(), [](const Condition& a, const Condition& b) {
      if (a.kind != b.kind) return a.kind == Condition::Kind::kSpan;
      return a.kind == Condition::Kind::kSpan && a.end - a.begin > b.end - b.begin;
    });
    return std::move(out_);
  }

 private:
  struct Facts {
    bool simple = false;    // one observation of one of some brackets
    bool timeless = false;  // no condition and no choice: copies of it are just more observations
    uint64_t groups = 1;
    std::vector<uint32_t> candidates;  // classes that any leaf below takes
  };

  [[nodiscard]] Facts facts(uint32_t at) const {
    const PlanNode& n = plan_.nodes[at];
    Facts f;
    if (n.kind == PlanNode::Kind::kLeaf) {
      f.simple = f.timeless = true;
      f.candidates = classes_.of_leaf(n.leaf);
      return f;
    }
    f.simple = n.kind == PlanNode::Kind::kAny;
    f.timeless = n.kind == PlanNode::Kind::kAll || n.kind == PlanNode::Kind::kRepeat;
    f.groups = 0;
    for (const uint32_t c : n.children) {
      f.simple = f.simple && facts_[c].simple;
      f.timeless = f.timeless && facts_[c].timeless;
      f.groups = n.kind == PlanNode::Kind::kAny ? std::max(f.groups, facts_[c].groups)
                                                : std::min(kMany, f.groups + facts_[c].groups);
      std::vector<uint32_t> both;
      std::set_union(f.candidates.begin(), f.candidates.end(), facts_[c].candidates.begin(), facts_[c].candidates.end(),
                     std::back_inserter(both));
      f.candidates = std::move(both);
    }
    if (n.kind == PlanNode::Kind::kRepeat && !f.timeless) f.groups = times(f.groups, n.times);
    if (f.simple) {
      f.timeless = true;
      f.groups = 1;
    }
    return f;
  }

  void group(uint32_t node, uint64_t demand) {
    if (out_.groups.size() >= kMaxGroups * 4) {
      out_.too_large = true;
      return;
    }
    Group g;
    g.candidates = &facts_[node].candidates;
    g.demand = demand;
    out_.groups.push_back(g);
  }

  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(out_.groups.size()); }
  [[nodiscard]] bool conditions_count() const { return strict_ || !inside_aggregate_; }

  void expand(uint32_t at, uint64_t demand) {
    if (out_.too_large) return;
    const PlanNode& n = plan_.nodes[at];
    if (facts_[at].simple) return group(at, demand);
    switch (n.kind) {
      case PlanNode::Kind::kLeaf:
        return;
      case PlanNode::Kind::kAll:
        for (const uint32_t c : n.children) expand(c, demand);
        return;
      case PlanNode::Kind::kSequence:
        return sequence(n, demand);
      case PlanNode::Kind::kWithin: {
        Condition c;
        c.kind = Condition::Kind::kSpan;
        c.duration = n.duration;
        c.begin = size();
        expand(n.children.front(), demand);
        c.end = size();
        if (conditions_count()) out_.conditions.push_back(c);
        return;
      }
      case PlanNode::Kind::kAny:
        return choose(at, demand);
      case PlanNode::Kind::kRepeat:
        return repeat(n, demand);
    }
  }

  void sequence(const PlanNode& n, uint64_t demand) {
    const uint32_t begin = size();
    std::vector<uint32_t> ends;
    for (const uint32_t c : n.children) {
      expand(c, demand);
      ends.push_back(size());
    }
    if (!conditions_count()) return;
    for (size_t i = 0; i + 1 < ends.size(); ++i) {
      Condition c;
      c.begin = begin;
      c.middle = ends[i];
      c.end = ends.back();
      out_.conditions.push_back(c);
    }
  }

  void choose(uint32_t at, uint64_t demand) {
    const PlanNode& n = plan_.nodes[at];
    const bool first_of_copy = first_choice_ != nullptr && !*first_choice_made_;
    const uint32_t least = first_of_copy ? *first_choice_ : 0;
    if (made_ == choices_->size()) {
      if (!out_.open) {
        out_.open = true;
        out_.next = {least, static_cast<uint32_t>(n.children.size())};
      }
      return group(at, demand);
    }
    const uint32_t value = (*choices_)[made_++].value;
    if (first_of_copy) {
      *first_choice_made_ = true;
      *first_choice_ = value;
    }
    expand(n.children[value], demand);
  }

  void repeat(const PlanNode& n, uint64_t demand) {
    const uint32_t child = n.children.front();
    if (facts_[child].timeless) return expand(child, times(demand, n.times));
    if (demand > 1 || times(n.times, facts_[child].groups) > kMaxGroups) {
      out_.aggregated = true;
      const bool outer = inside_aggregate_;
      inside_aggregate_ = true;
      expand(child, times(demand, n.times));
      inside_aggregate_ = outer;
      return;
    }
    // Copies are alike, so that they may be taken in the order of their first choices.
    uint32_t least = 0;
    uint32_t* const outer_choice = first_choice_;
    bool* const outer_made = first_choice_made_;
    for (uint64_t i = 0; i < n.times; ++i) {
      bool made = false;
      first_choice_ = &least;
      first_choice_made_ = &made;
      expand(child, demand);
      // The first choice of this part is that of the part around it, too.
      if (i == 0 && made && outer_made != nullptr && !*outer_made) {
        *outer_made = true;
        *outer_choice = least;
      }
    }
    first_choice_ = outer_choice;
    first_choice_made_ = outer_made;
  }

  const Plan& plan_;
  const Classes& classes_;
  std::vector<Facts> facts_;
  Expansion out_;
  const std::vector<Choice>* choices_ = nullptr;
  size_t made_ = 0;
  bool strict_ = true;
  bool inside_aggregate_ = false;
  uint32_t* first_choice_ = nullptr;
  bool* first_choice_made_ = nullptr;
};

// Step 3: thresholds.
class Search {
 public:
  Search(const Classes& classes, Expansion& expansion, Work& work)
      : groups_(expansion.groups),
        conditions_(expansion.conditions),
        assignment_(classes.all(), expansion.groups),
        work_(work) {}

  // Does any flow exist that ignores the conditions?
  bool relaxed() { return assignment_.settle(work_); }

  bool run() {
    while (true) {
      if (assignment_.settle(work_)) {
        if (!split()) return true;
      } else if (work_.limited || !back()) {
        return false;
      }
      if (work_.limited) return false;
    }
  }

  [[nodiscard]] const Assignment& assignment() const { return assignment_; }

 private:
  struct Branch {
    uint32_t condition;
    Nanos low, high;  // before
    Nanos other_low;  // of the side not yet taken
    bool other_taken;
  };

  // Bounds of groups by one condition. They only ever become narrower on the way down.
  void tighten(const Condition& c) {
    const bool span = c.kind == Condition::Kind::kSpan;
    const Nanos first_max = span ? c.high + c.duration - 1 : c.high;
    for (uint32_t g = c.begin; g < (span ? c.end : c.middle); ++g) {
      groups_[g].first_max = std::min(groups_[g].first_max, first_max);
    }
    for (uint32_t g = span ? c.begin : c.middle; g < c.end; ++g) {
      groups_[g].last_min = std::max(groups_[g].last_min, c.low);
    }
    work_.spend(c.end - c.begin);
  }

  void tighten_all() {
    for (Group& g : groups_) {
      g.first_max = 2 * kAlways;
      g.last_min = -2 * kAlways;
    }
    for (const Condition& c : conditions_) tighten(c);
  }

  // Finds a condition that the flow breaks and takes the earlier side of it. False: it breaks none.
  bool split() {
    extents_.clear();
    for (uint32_t g = 0; g < groups_.size(); ++g) extents_.push_back(assignment_.extent(g));
    work_.spend(groups_.size());
    for (uint32_t i = 0; i < conditions_.size(); ++i) {
      Condition& c = conditions_[i];
      const bool span = c.kind == Condition::Kind::kSpan;
      Nanos latest = -2 * kAlways;
      Nanos earliest = 2 * kAlways;
      for (uint32_t g = c.begin; g < (span ? c.end : c.middle); ++g)
        latest = std::max(latest, extents_[g].latest_first);
      for (uint32_t g = span ? c.begin : c.middle; g < c.end; ++g) {
        earliest = std::min(earliest, extents_[g].earliest_last);
      }
      if (!work_.spend(c.end - c.begin)) return true;
      const Nanos needed = span ? latest - c.duration + 1 : latest;  // the threshold that this latest first asks for
      if (earliest >= needed) continue;
      path_.push_back({i, c.low, c.high, needed, false});
      c.high = needed - 1;
      tighten(c);
      return true;
    }
    return false;
  }

  bool back() {
    while (!path_.empty()) {
      Branch& b = path_.back();
      Condition& c = conditions_[b.condition];
      c.high = b.high;
      if (!b.other_taken && b.other_low <= b.high) {
        b.other_taken = true;
        c.low = b.other_low;
        tighten_all();
        return true;
      }
      c.low = b.low;
      path_.pop_back();
    }
    return false;
  }

  std::vector<Group>& groups_;
  std::vector<Condition>& conditions_;
  Assignment assignment_;
  Work& work_;
  std::vector<Branch> path_;
  std::vector<Assignment::Extent> extents_;
};

std::vector<Bound> witness(const Classes& classes, std::span<const Candidate> candidates,
                           const Assignment& assignment) {
  std::vector<Bound> out;
  for (uint32_t c = 0; c < classes.all().size(); ++c) {
    uint64_t used = assignment.used(c);
    for (const uint32_t o : classes.all()[c].members) {
      if (used == 0) break;
      const uint64_t n = std::min(used, candidates[o].count);
      out.push_back({o, n});
      used -= n;
    }
  }
  std::sort(out.begin(), out.end(), [](const Bound& a, const Bound& b) { return a.observation < b.observation; });
  return out;
}

}  // namespace

Binding bind(const Plan& plan, std::span<const Candidate> candidates, std::span<const std::vector<uint32_t>> by_leaf,
             Work& work) {
  uint64_t there = 0;
  for (const Candidate& c : candidates) there = std::min(kMany, there + c.count);
  if (least(plan) > there) return {};
  if (!work.spend(candidates.size() * (1 + by_leaf.size() / 64) + plan.nodes.size())) return {Outcome::kLimit, {}};

  const Classes classes(candidates, by_leaf);
  Expander expander(plan, classes);
  std::vector<Choice> choices;
  bool undecided = false;
  while (true) {
    Expansion e = expander.run(choices, true);
    if (e.too_large || !work.spend(e.groups.size() + e.conditions.size())) return {Outcome::kLimit, {}};
    const bool open = e.open;
    const Choice next = e.next;
    const bool aggregated = e.aggregated;
    Search search(classes, e, work);
    bool go_on = false;
    if (open) {
      go_on = search.relaxed();
    } else if (search.run()) {
      return {Outcome::kMatched, witness(classes, candidates, search.assignment())};
    } else if (aggregated && !work.limited) {
      Expansion weak = expander.run(choices, false);
      undecided = undecided || Search(classes, weak, work).run();
    }
    if (work.limited) return {Outcome::kLimit, {}};
    if (go_on) {
      choices.push_back(next);
      continue;
    }
    while (!choices.empty() && ++choices.back().value >= choices.back().count) choices.pop_back();
    if (choices.empty()) return {undecided ? Outcome::kLimit : Outcome::kNo, {}};
  }
}

}  // namespace entente::pattern
