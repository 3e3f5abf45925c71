// The brackets of many patterns, looked up by what an observation has instead of tried one after the other. Each
// bracket hangs on values of which it needs at least one to be true (=, IN); an observation is walked once along the
// paths that occur, its values are looked up, and only brackets found are evaluated. A bracket that no value anchors
// (NOT, LIKE, MATCHES, …) is evaluated for every object of its types. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "pattern/internal/program.h"
#include "pattern/symbols.h"

namespace entente::pattern {

class BracketIndex {
 public:
  using Slot = uint32_t;  // of a program

  // Names of the program are added to `symbols`, which observations must be read with.
  Slot add(std::shared_ptr<const Program> program, Symbols& symbols);
  void remove(Slot slot);

  struct Hit {
    Slot slot;
    uint32_t bracket;
  };
  // The brackets that some listed object of the observation fits, each once, in no particular order. `work` is what may
  // be spent on one slot.
  template <class WorkOf>
  void probe(const Observations& data, const Observed& observed, std::vector<Hit>& out, const WorkOf& work_of) {
    ++round_;
    for (const uint32_t object : data.listed(observed)) {
      collect(data, observed, object);
      for (const uint32_t b : found_) {
        Bracket& bracket = brackets_[b];
        if (bracket.hit_in == round_) continue;
        const Program& p = *programs_[bracket.slot].program;
        if (!matches(p, programs_[bracket.slot].names, p.brackets[bracket.number], data, observed, object,
                     work_of(bracket.slot))) {
          continue;
        }
        bracket.hit_in = round_;
        out.push_back({bracket.slot, bracket.number});
      }
    }
  }

  [[nodiscard]] const Program& program(Slot s) const { return *programs_[s].program; }
  [[nodiscard]] size_t unanchored() const { return unanchored_; }  // brackets
  [[nodiscard]] size_t memory_bytes() const;                       // of the index, without the programs

 private:
  struct Held {
    std::shared_ptr<const Program> program;
    std::vector<Symbol> names;
    uint32_t first_bracket = 0;
  };
  struct Bracket {
    Slot slot = 0;
    uint32_t number = 0;
    uint64_t hit_in = 0;
  };
  // A step of paths that are looked up; children by step.
  struct Node {
    std::vector<std::pair<uint64_t, uint32_t>> children;  // few
    std::unordered_map<uint64_t, uint32_t> many;          // when there are more
    uint32_t any = 0;                                     // [*]; 0: none (0 is never a child)
    bool has_index = false;
    uint32_t values = 0;  // anchors that end here
  };
  struct Posting {
    uint64_t hash = 0;  // 0: empty
    uint32_t bracket = 0;
    uint32_t next = 0;  // index + 1 into overflow_
  };

  struct Anchor {
    uint32_t node;
    uint64_t hash;
  };

  void insert(Slot slot);
  bool anchors(const Program& p, std::span<const Symbol> names, uint32_t node, std::vector<Anchor>& out);
  bool anchor(const Program& p, std::span<const Symbol> names, const TestCode& t, std::vector<Anchor>& out);
  uint32_t path_node(const Program& p, std::span<const Symbol> names, const TestCode& t);
  uint32_t child(uint32_t node, uint64_t step);
  void post(uint64_t hash, uint32_t bracket);
  void unpost(uint64_t hash, uint32_t bracket);
  void grow();
  void rebuild();
  void collect(const Observations& data, const Observed& observed, uint32_t object);
  void walk(const Observations& data, const Observed& observed, const Value& at, uint32_t node);
  void look_up(uint64_t hash);

  std::vector<Held> programs_;
  std::vector<Slot> free_slots_;
  std::vector<Bracket> brackets_;
  std::unordered_map<uint32_t, std::vector<uint32_t>> free_brackets_;  // by number of brackets in a row
  std::vector<Node> nodes_{1};
  std::unordered_map<Symbol, uint32_t> roots_;                // by type
  std::unordered_map<Symbol, std::vector<uint32_t>> always_;  // by type: unanchored brackets
  std::vector<Posting> table_;                                // open addressing, size a power of two
  std::vector<Posting> overflow_;
  std::vector<uint32_t> free_overflow_;
  size_t used_ = 0;
  size_t unanchored_ = 0;
  size_t live_ = 0, removed_ = 0;
  uint64_t round_ = 0;
  std::vector<uint32_t> found_;
};

}  // namespace entente::pattern
