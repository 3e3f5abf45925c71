#include "pattern/internal/bracket_index.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace entente::pattern {
namespace {

constexpr uint64_t kIndexStep = uint64_t{1} << 63;  // a [n] step; else the symbol of a key
constexpr size_t kFew = 6;
constexpr uint32_t kMaxSteps = 64;  // of a path that is looked up: it is walked by recursion
constexpr int64_t kMaxIndex = 1 << 30;

uint64_t mix(uint64_t x) {  // splitmix64's finaliser
  x ^= x >> 30U;
  x *= 0xbf58476d1ce4e5b9U;
  x ^= x >> 27U;
  x *= 0x94d049bb133111ebU;
  return x ^ x >> 31U;
}

uint64_t hash_of(uint32_t node, uint64_t kind, uint64_t value) {
  return mix(value ^ mix(uint64_t{node} << 3U | kind)) | 1U;  // 0 means empty
}

uint64_t hash_of(uint32_t node, uint64_t kind, std::string_view text) {
  return hash_of(node, kind, std::hash<std::string_view>{}(text));
}

constexpr uint64_t kText = 0, kOctets = 1, kNumber = 2, kFraction = 3, kBoolean = 4;

// 12 and 12.0 are one value (§9.6.1).
uint64_t hash_of_real(uint32_t node, double d) {
  if (std::abs(d) < 9e15 && d == std::trunc(d)) {
    return hash_of(node, kNumber, static_cast<uint64_t>(static_cast<int64_t>(d)));
  }
  return hash_of(node, kFraction, std::bit_cast<uint64_t>(d));
}

uint64_t hash_of_integer(uint32_t node, int64_t i) {
  // Beyond what doubles tell apart, a float may equal it: the nearest double stands for both.
  if (i > 9'000'000'000'000'000 || i < -9'000'000'000'000'000) return hash_of_real(node, static_cast<double>(i));
  return hash_of(node, kNumber, static_cast<uint64_t>(i));
}

}  // namespace

// --- adding and removing

BracketIndex::Slot BracketIndex::add(std::shared_ptr<const Program> program, Symbols& symbols) {
  Slot slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<Slot>(programs_.size());
    programs_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  Held& held = programs_[slot];
  held.program = std::move(program);
  held.names.clear();
  for (const auto name : held.program->names) held.names.push_back(symbols.add(name));
  const auto count = static_cast<uint32_t>(held.program->brackets.size());
  if (auto& free = free_brackets_[count]; !free.empty()) {
    held.first_bracket = free.back();
    free.pop_back();
  } else {
    held.first_bracket = static_cast<uint32_t>(brackets_.size());
    brackets_.resize(brackets_.size() + count);
  }
  for (uint32_t i = 0; i < count; ++i) brackets_[held.first_bracket + i] = {slot, i, 0};
  insert(slot);
  ++live_;
  return slot;
}

void BracketIndex::insert(Slot slot) {
  const Held& held = programs_[slot];
  const Program& p = *held.program;
  std::vector<Anchor> list;
  for (uint32_t i = 0; i < p.brackets.size(); ++i) {
    const uint32_t bracket = held.first_bracket + i;
    list.clear();
    if (anchors(p, held.names, p.brackets[i].root, list)) {
      for (const Anchor& a : list) {
        ++nodes_[a.node].values;
        post(a.hash, bracket);
      }
    } else {
      ++unanchored_;
      for (const uint32_t type : p.brackets[i].types) always_[held.names[type]].push_back(bracket);
    }
  }
}

void BracketIndex::remove(Slot slot) {
  Held& held = programs_[slot];
  const Program& p = *held.program;
  std::vector<Anchor> list;
  for (uint32_t i = 0; i < p.brackets.size(); ++i) {
    const uint32_t bracket = held.first_bracket + i;
    list.clear();
    if (anchors(p, held.names, p.brackets[i].root, list)) {
      for (const Anchor& a : list) {
        --nodes_[a.node].values;
        unpost(a.hash, bracket);
      }
    } else {
      --unanchored_;
      for (const uint32_t type : p.brackets[i].types) std::erase(always_[held.names[type]], bracket);
    }
  }
  free_brackets_[static_cast<uint32_t>(p.brackets.size())].push_back(held.first_bracket);
  held = {};
  free_slots_.push_back(slot);
  --live_;
  // Paths that nothing uses any more, and empty places of the table, are cleared away from time to time.
  if (++removed_ > std::max<size_t>(1024, live_)) rebuild();
}

void BracketIndex::rebuild() {
  removed_ = 0;
  nodes_.assign(1, {});
  roots_.clear();
  always_.clear();
  table_.clear();
  overflow_.clear();
  free_overflow_.clear();
  used_ = 0;
  unanchored_ = 0;
  for (Slot s = 0; s < programs_.size(); ++s) {
    if (programs_[s].program != nullptr) insert(s);
  }
}

// Values of which the node needs at least one; false if there is no such list.
bool BracketIndex::anchors(const Program& p, std::span<const Symbol> names, uint32_t node, std::vector<Anchor>& out) {
  const NodeCode& n = p.nodes[node];
  if (n.kind == Comparison::Kind::kTest) return anchor(p, names, p.tests[n.first], out);
  if (n.kind == Comparison::Kind::kOr) {
    for (uint32_t i = 0; i < n.count; ++i) {
      if (!anchors(p, names, p.children[n.first + i], out)) return false;
    }
    return true;
  }
  // AND: the side with the fewest values.
  std::vector<Anchor> best;
  bool any = false;
  for (uint32_t i = 0; i < n.count; ++i) {
    std::vector<Anchor> list;
    if (!anchors(p, names, p.children[n.first + i], list)) continue;
    if (!any || list.size() < best.size()) best = std::move(list);
    any = true;
  }
  out.insert(out.end(), best.begin(), best.end());
  return any;
}

bool BracketIndex::anchor(const Program& p, std::span<const Symbol> names, const TestCode& t,
                          std::vector<Anchor>& out) {
  const Test& test = *t.test;
  if (test.negated || (test.op != Op::kEqual && test.op != Op::kIn)) return false;
  // Lists of lists of references would be walked once for each way through them.
  const auto any_steps = std::count_if(test.path.steps.begin(), test.path.steps.end(),
                                       [](const Step& s) { return s.kind == Step::Kind::kAny; });
  if (any_steps > 1 || t.step_count > kMaxSteps) return false;
  for (const auto& s : test.path.steps) {
    if (s.kind == Step::Kind::kIndex && (s.index < 0 || s.index > kMaxIndex)) return false;
  }
  for (const auto& c : test.constants) {
    if (c.kind != Constant::Kind::kString && c.kind != Constant::Kind::kInteger && c.kind != Constant::Kind::kFloat &&
        c.kind != Constant::Kind::kBoolean) {
      return false;
    }
  }
  const auto last = std::find_if(test.path.steps.rbegin(), test.path.steps.rend(),
                                 [](const Step& s) { return s.kind == Step::Kind::kKey; });
  const Suffix suffix = suffix_of(last->key);
  const bool octets = suffix == Suffix::kBin || suffix == Suffix::kHex;
  const uint32_t node = path_node(p, names, t);
  for (const auto& c : test.constants) {
    switch (c.kind) {
      case Constant::Kind::kInteger:
        out.push_back({node, hash_of_integer(node, c.integer)});
        break;
      case Constant::Kind::kFloat:
        out.push_back({node, hash_of_real(node, c.real)});
        break;
      case Constant::Kind::kBoolean:
        out.push_back({node, hash_of(node, kBoolean, c.boolean ? 1 : 0)});
        break;
      default:
        // A text that no octets can equal anchors at nothing: it never is true.
        if (!octets) {
          out.push_back({node, hash_of(node, kText, std::string_view(c.text))});
        } else if (const auto raw = latin1_octets(c.text)) {
          out.push_back({node, hash_of(node, kOctets, std::string_view(*raw))});
        }
    }
  }
  return true;
}

uint32_t BracketIndex::path_node(const Program& p, std::span<const Symbol> names, const TestCode& t) {
  uint32_t& root = roots_[names[t.type]];
  if (root == 0) {
    root = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
  }
  uint32_t at = root;
  for (uint32_t i = 0; i < t.step_count; ++i) {
    const StepCode& s = p.steps[t.first_step + i];
    if (s.kind == Step::Kind::kAny) {
      if (nodes_[at].any == 0) {
        const auto made = static_cast<uint32_t>(nodes_.size());
        nodes_.emplace_back();
        nodes_[at].any = made;
      }
      at = nodes_[at].any;
    } else {
      if (s.kind == Step::Kind::kIndex) nodes_[at].has_index = true;
      at = child(at, s.kind == Step::Kind::kKey ? names[s.name] : kIndexStep | static_cast<uint64_t>(s.index));
    }
  }
  return at;
}

uint32_t BracketIndex::child(uint32_t node, uint64_t step) {
  for (const auto& [key, to] : nodes_[node].children) {
    if (key == step) return to;
  }
  if (const auto it = nodes_[node].many.find(step); it != nodes_[node].many.end()) return it->second;
  const auto made = static_cast<uint32_t>(nodes_.size());
  nodes_.emplace_back();
  Node& n = nodes_[node];
  if (n.many.empty() && n.children.size() < kFew) {
    n.children.emplace_back(step, made);
  } else {
    for (const auto& [key, to] : n.children) n.many.emplace(key, to);
    n.children.clear();
    n.many.emplace(step, made);
  }
  return made;
}

// --- values

void BracketIndex::grow() {
  std::vector<Posting> old;
  old.swap(table_);
  size_t filled = 0;
  for (const Posting& p : old) filled += p.hash != 0 && (p.next != 0 || p.bracket != 0) ? 1 : 0;
  table_.assign(std::bit_ceil(std::max<size_t>(64, filled * 4)), {});
  used_ = 0;
  for (const Posting& p : old) {
    if (p.hash == 0 || (p.next == 0 && p.bracket == 0)) continue;
    size_t i = p.hash & (table_.size() - 1);
    while (table_[i].hash != 0) i = (i + 1) & (table_.size() - 1);
    table_[i] = p;
    ++used_;
  }
}

// Brackets are kept as number + 1, so that 0 is "none".
void BracketIndex::post(uint64_t hash, uint32_t bracket) {
  if ((used_ + 1) * 2 > table_.size()) grow();
  size_t i = hash & (table_.size() - 1);
  while (table_[i].hash != 0 && table_[i].hash != hash) i = (i + 1) & (table_.size() - 1);
  Posting& p = table_[i];
  if (p.hash == 0) ++used_;
  p.hash = hash;
  if (p.bracket == 0) {
    p.bracket = bracket + 1;
    return;
  }
  uint32_t at = 0;
  if (free_overflow_.empty()) {
    overflow_.emplace_back();
    at = static_cast<uint32_t>(overflow_.size());
  } else {
    at = free_overflow_.back();
    free_overflow_.pop_back();
  }
  overflow_[at - 1] = {hash, bracket + 1, p.next};
  p.next = at;
}

void BracketIndex::unpost(uint64_t hash, uint32_t bracket) {
  size_t i = hash & (table_.size() - 1);
  while (table_[i].hash != 0 && table_[i].hash != hash) i = (i + 1) & (table_.size() - 1);
  Posting& p = table_[i];
  if (p.hash == 0) return;
  if (p.bracket == bracket + 1) {
    p.bracket = 0;  // the place stays, so that what lies behind it is found
    if (const uint32_t at = p.next; at != 0) {
      p.bracket = overflow_[at - 1].bracket;
      p.next = overflow_[at - 1].next;
      free_overflow_.push_back(at);
    }
    return;
  }
  for (uint32_t* link = &p.next; *link != 0; link = &overflow_[*link - 1].next) {
    const uint32_t at = *link;
    if (overflow_[at - 1].bracket != bracket + 1) continue;
    *link = overflow_[at - 1].next;
    free_overflow_.push_back(at);
    return;
  }
}

void BracketIndex::look_up(uint64_t hash) {
  if (table_.empty()) return;
  size_t i = hash & (table_.size() - 1);
  while (table_[i].hash != 0 && table_[i].hash != hash) i = (i + 1) & (table_.size() - 1);
  if (table_[i].bracket == 0) return;
  found_.push_back(table_[i].bracket - 1);
  for (uint32_t at = table_[i].next; at != 0; at = overflow_[at - 1].next)
    found_.push_back(overflow_[at - 1].bracket - 1);
}

// --- looking

void BracketIndex::collect(const Observations& data, const Observed& observed, uint32_t object) {
  found_.clear();
  const Sco& sco = data.sco(object);
  if (sco.type == 0) return;
  if (const auto it = always_.find(sco.type); it != always_.end()) {
    found_.insert(found_.end(), it->second.begin(), it->second.end());
  }
  if (const auto it = roots_.find(sco.type); it != roots_.end()) {
    walk(data, observed, data.value(sco.value), it->second);
  }
}

// As deep as the longest path.
void BracketIndex::walk(const Observations& data, const Observed& observed, const Value& value, uint32_t node) {
  const Value* v = &value;
  if (v->kind == Value::Kind::kReference) {
    const auto object = static_cast<uint32_t>(v->at);
    if (!data.lists(observed, object)) return;
    v = &data.value(data.sco(object).value);
  }
  const Node& n = nodes_[node];
  switch (v->kind) {
    case Value::Kind::kObject:
      for (const Member& m : data.members(*v)) {
        if (!n.many.empty()) {
          if (const auto it = n.many.find(m.key); it != n.many.end())
            walk(data, observed, data.value(m.value), it->second);
          continue;
        }
        for (const auto& [key, to] : n.children) {
          if (key == m.key) {
            walk(data, observed, data.value(m.value), to);
            break;
          }
        }
      }
      return;
    case Value::Kind::kList: {
      const auto items = data.members(*v);
      for (size_t i = 0; i < items.size(); ++i) {
        if (n.any != 0) walk(data, observed, data.value(items[i].value), n.any);
        if (!n.has_index) continue;
        const uint64_t step = kIndexStep | i;
        if (const auto it = n.many.find(step); it != n.many.end()) {
          walk(data, observed, data.value(items[i].value), it->second);
        }
        for (const auto& [key, to] : n.children) {
          if (key == step) walk(data, observed, data.value(items[i].value), to);
        }
      }
      return;
    }
    default:
      break;
  }
  if (n.values == 0) return;
  switch (v->kind) {
    case Value::Kind::kString:
      return look_up(hash_of(node, kText, data.text(*v)));
    case Value::Kind::kOctets:
      return look_up(hash_of(node, kOctets, data.text(*v)));
    case Value::Kind::kInteger:
      return look_up(hash_of_integer(node, v->integer));
    case Value::Kind::kReal:
      return look_up(hash_of_real(node, v->real));
    case Value::Kind::kBoolean:
      return look_up(hash_of(node, kBoolean, v->boolean ? 1 : 0));
    default:
      return;
  }
}

size_t BracketIndex::memory_bytes() const {
  return programs_.capacity() * sizeof(Held) + brackets_.capacity() * sizeof(Bracket) +
         nodes_.capacity() * sizeof(Node) + table_.capacity() * sizeof(Posting) +
         overflow_.capacity() * sizeof(Posting);
}

}  // namespace entente::pattern
