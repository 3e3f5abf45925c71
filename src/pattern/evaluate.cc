#include "pattern/evaluate.h"

#include <algorithm>

#include "pattern/internal/bind.h"
#include "pattern/internal/bracket_index.h"
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

std::vector<Candidate> candidates_of(const Observations& data) {
  std::vector<Candidate> out;
  out.reserve(data.all().size());
  for (const Observed& o : data.all()) out.push_back({o.first, o.last, o.count});
  return out;
}

MatchResult bound(const Program& p, std::span<const std::vector<uint32_t>> by_leaf,
                  std::span<const Candidate> candidates, Work& work) {
  // What was not looked at may still be missing: a binding without it is one all the same.
  const bool incomplete = work.limited;
  work.limited = false;
  Binding b = bind(p.plan, candidates, by_leaf, work);
  if (b.outcome == Outcome::kNo && incomplete) b.outcome = Outcome::kLimit;
  return {b.outcome, std::move(b.bound)};
}

}  // namespace

std::vector<MatchResult> match_all(std::span<const Matcher> matchers, const Observations& data,
                                   const MatchOptions& options) {
  // The index has names of its own; to the data's they are the same numbers, unless the data lacks one: then 0.
  Symbols names = data.symbols();
  BracketIndex index;
  for (const Matcher& m : matchers) index.add(m.shared_program(), names);
  std::vector<Work> work(matchers.size(), Work{options.max_work, false});
  std::vector<std::vector<std::vector<uint32_t>>> fits(matchers.size());  // per pattern, per bracket
  std::vector<MatchResult> out(matchers.size());
  std::vector<BracketIndex::Hit> hits;
  for (uint32_t i = 0; i < data.all().size(); ++i) {
    hits.clear();
    index.probe(data, data.all()[i], hits, [&](BracketIndex::Slot s) -> Work& { return work[s]; });
    for (const auto& hit : hits) {
      const Program& p = index.program(hit.slot);
      if (p.plan.single) {
        if (out[hit.slot].outcome == Outcome::kNo) out[hit.slot] = {Outcome::kMatched, {{i, 1}}};
        continue;
      }
      auto& lists = fits[hit.slot];
      if (lists.empty()) lists.resize(p.brackets.size());
      lists[hit.bracket].push_back(i);
    }
  }
  const auto candidates = candidates_of(data);
  for (size_t m = 0; m < matchers.size(); ++m) {
    const Program& p = *matchers[m].shared_program();
    if (out[m].outcome == Outcome::kMatched) continue;
    if (p.plan.single || fits[m].empty()) {
      if (work[m].limited) out[m].outcome = Outcome::kLimit;
      continue;
    }
    std::vector<std::vector<uint32_t>> by_leaf;
    for (const Leaf& leaf : p.plan.leaves) {
      auto& list = by_leaf.emplace_back(fits[m][leaf.bracket]);
      std::erase_if(list, [&](uint32_t o) { return !in_windows(leaf, candidates[o].first, candidates[o].last); });
    }
    out[m] = bound(p, by_leaf, candidates, work[m]);
  }
  return out;
}

Result<Matcher> Matcher::compile(const Pattern& pattern) {
  TRY(auto program, Program::make(pattern.shared_ast()));
  return Matcher(std::move(program));
}

bool Matcher::single() const { return program_->plan.single; }

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
  return bound(p, by_leaf, candidates_of(data), work);
}

}  // namespace entente::pattern
