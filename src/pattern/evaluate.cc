#include "pattern/evaluate.h"

#include <algorithm>

#include "pattern/internal/bind.h"
#include "pattern/internal/program.h"

namespace entente::pattern {
namespace {

// The observations in which some root object fits the bracket, ascending.
std::vector<uint32_t> fitting(const Program& program, std::span<const Symbol> names, const BracketCode& bracket,
                              const Observations& data, bool first_only, Work& work) {
  std::vector<uint32_t> out;
  for (const uint32_t type : bracket.types) {
    const size_t before = out.size();
    uint32_t last = UINT32_MAX;
    for (const auto& root : data.roots(names[type])) {
      if (root.observation == last) continue;
      if (!matches(program, names, bracket, data, data.all()[root.observation], root.object, work)) {
        if (work.limited && work.left == 0) return out;
        continue;
      }
      last = root.observation;
      out.push_back(last);
      if (first_only) break;
    }
    std::inplace_merge(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
  }
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

Result<Matcher> Matcher::compile(const Pattern& pattern) {
  TRY(auto program, Program::make(pattern.shared_ast()));
  return Matcher(std::move(program));
}

MatchResult Matcher::match(const Observations& data, const MatchOptions& options) const {
  const Program& p = *program_;
  Work work{options.max_work, false};
  const auto names = bind_names(p, data.symbols());
  if (p.plan.single) {
    const auto found = fitting(p, names, p.brackets.front(), data, true, work);
    if (!found.empty()) return {Outcome::kMatched, {{found.front(), 1}}};
    return {work.limited ? Outcome::kLimit : Outcome::kNo, {}};
  }

  std::vector<std::vector<uint32_t>> by_leaf;
  for (const Leaf& leaf : p.plan.leaves) {
    auto found = fitting(p, names, p.brackets[leaf.bracket], data, false, work);
    std::erase_if(found, [&](uint32_t o) { return !in_windows(leaf, data.all()[o].first, data.all()[o].last); });
    by_leaf.push_back(std::move(found));
  }
  // What was not looked at may still be missing: a binding without it is one all the same.
  const bool incomplete = work.limited;
  work.limited = false;
  std::vector<Candidate> candidates;
  for (const Observed& o : data.all()) candidates.push_back({o.first, o.last, o.count});
  Binding b = bind(p.plan, candidates, by_leaf, work);
  if (b.outcome == Outcome::kNo && incomplete) b.outcome = Outcome::kLimit;
  return {b.outcome, std::move(b.bound)};
}

}  // namespace entente::pattern
