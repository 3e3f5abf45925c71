// Equality and CIDR atoms of all indicators in one immutable index: cost per lookup does not grow with their number.
// A snapshot is built off the hot path and exchanged atomically; see Live below.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "detect/observable.h"
#include "pattern/pattern.h"

namespace entente::detect {

class Table;  // internal/table.h

// What is kept of an indicator beside its atoms.
struct Indicator {
  std::string id = {};  // "indicator--…"
  std::string pattern = {};
  std::string version = {};
  Time valid_from = {};
  Time valid_until{INT64_MAX};  // exclusive
  int confidence = -1;          // -1 = not stated
  uint32_t tag = 0;             // the owner's own number (sensor: row in its table)
};

struct Hit {
  uint32_t indicator = 0;  // number given by add()
  pattern::AtomKind atom;
};

class Index {
 public:
  virtual ~Index() = default;
  // Appends the indicators that this value matches (each once). Thread-safe.
  // Domains: case, trailing dot and 0x20 are normalised; kDomain matches the name alone, kDomainTree it and all below,
  // kDomainBelow only below. A URL observable is looked up as URL and its host as domain or address.
  virtual void match(const Observable& seen, std::vector<Hit>& out) const = 0;
  // The parts that a scanner of raw text asks without an Observable; for this layer.
  [[nodiscard]] virtual const Table& table() const = 0;
  [[nodiscard]] virtual Indicator indicator(uint32_t number) const = 0;
  [[nodiscard]] virtual size_t indicators() const = 0;
  // Everything, and of that what is looked up (filters, table, keys) without ids, patterns that do not follow from the
  // keys, and other facts of the indicators.
  [[nodiscard]] virtual size_t memory_bytes() const = 0;
  [[nodiscard]] virtual size_t key_bytes() const = 0;
};

class Builder {
 public:
  Builder();
  ~Builder();
  // Returns the number. Requires: atoms not empty.
  uint32_t add(const Indicator& indicator, const std::vector<pattern::Atom>& atoms);
  // A value of a list, in normal form and such that its entry says all of it: what add() makes of the pattern and the
  // id that lists give it (internal/listed.h), without making them.
  void add_listed(pattern::AtomKind kind, std::string_view value);
  void reserve_for_text(size_t octets);  // of a list that is about to be added
  // No room for more: 4 GiB of keys, some 150 million indicators.
  [[nodiscard]] bool full() const;
  [[nodiscard]] size_t size() const;
  [[nodiscard]] std::shared_ptr<const Index> build() &&;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A changing set: a big immutable snapshot, a small delta and tombstones; additions are visible to match() when add()
// returns (microseconds), a background rebuild folds the delta in. Writers are serialised; match() never waits.
class Live {
 public:
  Live();
  ~Live();
  // Adds or replaces by indicator id.
  void add(const Indicator& indicator, const std::vector<pattern::Atom>& atoms);
  void remove(std::string_view indicator_id);
  // fn is called for each hit that is valid at `at`; what it is given lives during the call.
  void match(const Observable& seen, Time at, const std::function<void(const Indicator&, pattern::AtomKind)>& fn) const;
  [[nodiscard]] size_t size() const;
  [[nodiscard]] size_t memory_bytes() const;
  // Waits until the background has folded all that was added so far, for measurements and tests.
  void settle();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::detect
