#include "pattern/stream.h"

#include <algorithm>
#include <unordered_map>

#include "pattern/internal/bind.h"
#include "pattern/internal/bracket_index.h"

namespace entente::pattern {
namespace {

// Brackets without which there is no binding.
void required(const Plan& plan, uint32_t at, std::vector<uint32_t>& out) {
  const PlanNode& n = plan.nodes[at];
  if (n.kind == PlanNode::Kind::kLeaf) out.push_back(plan.leaves[n.leaf].bracket);
  if (n.kind == PlanNode::Kind::kLeaf || n.kind == PlanNode::Kind::kAny) return;
  for (const uint32_t c : n.children) required(plan, c, out);
}

struct Kept {
  Nanos first, last;
  uint64_t count;
  uint64_t number;
};

// What a pattern of several parts has seen.
struct Memory {
  Nanos horizon = kAlways;
  uint64_t least = 1;
  std::vector<uint32_t> required;
  size_t words = 1;  // of the mask of an observation: which brackets it fits
  std::vector<Kept> kept;
  std::vector<uint64_t> masks;    // words for each kept one
  std::vector<uint32_t> present;  // per bracket: how many kept ones fit it
  uint64_t total = 0;             // sum of counts

  [[nodiscard]] bool fits(size_t i, uint32_t bracket) const {
    return (masks[i * words + bracket / 64] >> (bracket % 64) & 1) != 0;
  }
  void add(const Kept& k, std::span<const uint32_t> brackets) {
    kept.push_back(k);
    masks.resize(kept.size() * words);
    for (const uint32_t b : brackets) {
      masks[(kept.size() - 1) * words + b / 64] |= uint64_t{1} << (b % 64);
      ++present[b];
    }
    total += k.count;
  }
  void forget(size_t i) {
    total -= kept[i].count;
    for (uint32_t b = 0; b < present.size(); ++b) present[b] -= fits(i, b) ? 1 : 0;
    kept[i] = kept.back();
    kept.pop_back();
    std::copy_n(masks.begin() + static_cast<std::ptrdiff_t>(kept.size() * words), words,
                masks.begin() + static_cast<std::ptrdiff_t>(i * words));
    masks.resize(kept.size() * words);
  }
  [[nodiscard]] bool may_match() const {
    return total >= least && std::all_of(required.begin(), required.end(), [&](uint32_t b) { return present[b] > 0; });
  }
};

}  // namespace

struct PatternStream::State {
  struct Entry {
    uint64_t id = 0;
    bool single = true;
    std::unique_ptr<Memory> memory;  // null: single
    std::vector<uint32_t> hits;      // brackets, of the observation at hand
  };

  explicit State(const StreamOptions& o) : options(o) {}

  StreamOptions options;
  Symbols symbols;
  BracketIndex index;
  std::vector<Entry> entries;  // by slot of the index
  std::unordered_map<uint64_t, BracketIndex::Slot> by_id;
  StreamStats stats;
  Nanos newest = -kAlways;
  size_t sweep = 0;
  std::vector<BracketIndex::Hit> found;
  std::vector<BracketIndex::Slot> touched;

  // What no later observation can be bound to any more. Of those kept no binding is complete: it would have been found
  // when the last of them came.
  void expire(Memory& m) {
    if (m.horizon >= kAlways) return;
    const Nanos limit = newest - options.lateness;
    for (size_t i = m.kept.size(); i > 0; --i) {
      if (m.kept[i - 1].last + m.horizon > limit) continue;
      m.forget(i - 1);
      --stats.kept;
    }
  }

  void make_room(Memory& m) {
    if (m.kept.size() < options.max_kept) return;
    expire(m);
    while (m.kept.size() >= options.max_kept) {
      const auto oldest =
          std::min_element(m.kept.begin(), m.kept.end(), [](const Kept& a, const Kept& b) { return a.last < b.last; });
      m.forget(static_cast<size_t>(oldest - m.kept.begin()));
      ++stats.dropped;
      --stats.kept;
    }
  }

  void complete(BracketIndex::Slot slot, std::vector<StreamMatch>& out) {
    Memory& m = *entries[slot].memory;
    if (!m.may_match()) return;
    expire(m);
    if (!m.may_match()) return;
    const Plan& plan = index.program(slot).plan;
    std::vector<Candidate> candidates;
    for (const Kept& k : m.kept) candidates.push_back({k.first, k.last, k.count});
    std::vector<std::vector<uint32_t>> by_leaf(plan.leaves.size());
    for (size_t l = 0; l < plan.leaves.size(); ++l) {
      for (uint32_t i = 0; i < m.kept.size(); ++i) {
        if (m.fits(i, plan.leaves[l].bracket) && in_windows(plan.leaves[l], m.kept[i].first, m.kept[i].last)) {
          by_leaf[l].push_back(i);
        }
      }
    }
    Work work{options.max_work, false};
    const Binding b = bind(plan, candidates, by_leaf, work);
    if (b.outcome == Outcome::kLimit) ++stats.undecided;
    if (b.outcome != Outcome::kMatched) return;
    StreamMatch match{entries[slot].id, {}};
    for (const Bound& bound : b.bound) match.observed.push_back(m.kept[bound.observation].number);
    std::sort(match.observed.begin(), match.observed.end());
    for (size_t i = b.bound.size(); i > 0; --i) m.forget(b.bound[i - 1].observation);
    stats.kept -= b.bound.size();
    ++stats.matches;
    out.push_back(std::move(match));
  }

  void probe(const Observations& data, const Observed& o) {
    found.clear();
    Work work{options.max_work, false};
    index.probe(data, o, found, [&](BracketIndex::Slot) -> Work& {
      if (work.limited) ++stats.undecided;
      work = {options.max_work, false};
      return work;
    });
    if (work.limited) ++stats.undecided;
  }

  void push(const Observations& data, const Observed& o, std::vector<StreamMatch>& out) {
    const uint64_t number = stats.observations++;
    if (o.first < newest - options.lateness) ++stats.late;
    newest = std::max(newest, o.first);

    probe(data, o);
    touched.clear();
    for (const auto& hit : found) {
      Entry& e = entries[hit.slot];
      if (e.single) {
        out.push_back({e.id, {number}});
        ++stats.matches;
        continue;
      }
      if (e.hits.empty()) touched.push_back(hit.slot);
      e.hits.push_back(hit.bracket);
    }
    for (const auto slot : touched) {
      Entry& e = entries[slot];
      make_room(*e.memory);
      e.memory->add({o.first, o.last, o.count, number}, e.hits);
      ++stats.kept;
      e.hits.clear();
      complete(slot, out);
    }
    // Patterns that nothing touches any more give their memory back, one at a time.
    if (!entries.empty()) {
      sweep = (sweep + 1) % entries.size();
      if (auto& m = entries[sweep].memory; m != nullptr && !m->kept.empty()) expire(*m);
    }
  }
};

PatternStream::PatternStream(const StreamOptions& options) : state_(std::make_unique<State>(options)) {}
PatternStream::~PatternStream() = default;
PatternStream::PatternStream(PatternStream&&) noexcept = default;
PatternStream& PatternStream::operator=(PatternStream&&) noexcept = default;

Status PatternStream::add(uint64_t id, const Pattern& pattern) {
  TRY(const auto matcher, Matcher::compile(pattern));
  return add(id, matcher);
}

Status PatternStream::add(uint64_t id, const Matcher& matcher) {
  State& s = *state_;
  if (s.by_id.contains(id))
    return make_error(ErrorKind::kConflict, "a pattern with this id is there", std::to_string(id));
  const auto& program = matcher.shared_program();
  const Plan& plan = program->plan;
  // Each observation may count for several, but a sensor's count for one.
  if (!plan.single && least(plan) > s.options.max_kept) {
    return make_error(ErrorKind::kTooLarge, "a pattern that needs more observations than are kept", "",
                      "ask for fewer, or keep more");
  }
  const auto slot = s.index.add(program, s.symbols);
  if (slot >= s.entries.size()) s.entries.resize(slot + 1);
  State::Entry& e = s.entries[slot];
  e.id = id;
  e.single = plan.single;
  if (!plan.single) {
    e.memory = std::make_unique<Memory>();
    e.memory->horizon = horizon(plan);
    e.memory->least = least(plan);
    required(plan, plan.root, e.memory->required);
    e.memory->words = (program->brackets.size() + 63) / 64;
    e.memory->present.resize(program->brackets.size());
  }
  s.by_id.emplace(id, slot);
  ++s.stats.patterns;
  s.stats.unanchored = s.index.unanchored();
  return {};
}

bool PatternStream::remove(uint64_t id) {
  State& s = *state_;
  const auto it = s.by_id.find(id);
  if (it == s.by_id.end()) return false;
  if (const auto& m = s.entries[it->second].memory; m != nullptr) s.stats.kept -= m->kept.size();
  s.entries[it->second] = {};
  s.index.remove(it->second);
  s.by_id.erase(it);
  --s.stats.patterns;
  s.stats.unanchored = s.index.unanchored();
  return true;
}

const Symbols& PatternStream::symbols() const { return state_->symbols; }

uint64_t PatternStream::push(const Observations& data, std::vector<StreamMatch>& out) {
  const uint64_t first = state_->stats.observations;
  for (const Observed& o : data.all()) state_->push(data, o, out);
  return first;
}

bool PatternStream::look(const Observations& data, const Observed& observed, std::vector<uint64_t>& single) {
  State& s = *state_;
  s.probe(data, observed);
  bool kept = false;
  for (const auto& hit : s.found) {
    const State::Entry& e = s.entries[hit.slot];
    if (e.single) single.push_back(e.id);
    kept = kept || !e.single;
  }
  return kept;
}

const StreamStats& PatternStream::stats() const { return state_->stats; }

}  // namespace entente::pattern
