// Where blocks take effect, and the reconciler between what should be in force and what is.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "enforce/target.h"

namespace entente::enforce {

// One thing to drop, or only to count. The end stands in the kernel too: if this process dies, the block still ends by
// itself.
struct Element {
  Prefix prefix;
  bool drop = false;
  Time end;
  bool operator==(const Element&) const = default;
};

struct Delta {
  std::vector<Element> set;     // new, or changed
  std::vector<Element> remove;  // as they were
  [[nodiscard]] bool empty() const { return set.empty() && remove.empty(); }
};

struct Hits {
  Prefix prefix;
  uint64_t packets = 0, bytes = 0;  // since the element was set last
};

struct Totals {
  uint64_t dropped_packets = 0, dropped_bytes = 0;
  uint64_t shadow_packets = 0, shadow_bytes = 0;  // would have been dropped
  uint64_t open_packets = 0;  // were let through because the sensor had been away too long (fail open)
};

class Enforcer {
 public:
  virtual ~Enforcer() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual size_t capacity() const = 0;        // single addresses
  [[nodiscard]] virtual size_t range_capacity() const = 0;  // ranges
  // Replaces everything: the allow-list that overrides every block, and these elements, in one step without a gap.
  virtual Status start(const std::vector<Prefix>& allow, const std::vector<Element>& elements, Time now) = 0;
  // All or nothing. Setting what is there and removing what is not are no errors.
  virtual Status apply(const Delta& delta, Time now) = 0;
  virtual Result<std::vector<Hits>> hits() = 0;
  virtual Result<Totals> totals() = 0;
  virtual Status clear() = 0;  // leaves no trace
  // The sensor is here. An enforcer that holds what it has after the sensor went away does so for a bounded time after
  // this was called last; to be called every few seconds.
  virtual Status alive() { return {}; }
  [[nodiscard]] virtual std::string detail() const { return {}; }  // for people: where and how it acts
  // What it drops is gone before a capture on the same interface sees it: its counters are the only sighting.
  [[nodiscard]] virtual bool drops_before_capture() const { return false; }
  // Counters of elements go on over a restart of this process.
  [[nodiscard]] virtual bool keeps_counters() const { return false; }
};

// Keeps elements in memory: for sensors without an enforcer, and for tests.
class MemEnforcer final : public Enforcer {
 public:
  explicit MemEnforcer(size_t capacity = 1'000'000) : capacity_(capacity) {}
  [[nodiscard]] std::string name() const override { return "none"; }
  [[nodiscard]] size_t capacity() const override { return capacity_; }
  [[nodiscard]] size_t range_capacity() const override { return capacity_; }
  Status start(const std::vector<Prefix>& allow, const std::vector<Element>& elements, Time now) override;
  Status apply(const Delta& delta, Time now) override;
  Result<std::vector<Hits>> hits() override { return std::vector<Hits>{}; }
  Result<Totals> totals() override { return Totals{}; }
  Status clear() override;

  [[nodiscard]] const std::map<Prefix, Element>& elements() const { return elements_; }
  [[nodiscard]] size_t calls() const { return calls_; }
  void fail(bool on) { failing_ = on; }  // every call is refused

 private:
  size_t capacity_;
  std::map<Prefix, Element> elements_;
  size_t calls_ = 0;
  bool failing_ = false;
};

// Where blocks of names take effect. Not thread-safe.
class NameEnforcer {
 public:
  virtual ~NameEnforcer() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  // drop: does not resolve. Otherwise it is only counted, by the resolvers.
  virtual void want(const Target& name, bool drop, Time end) = 0;
  virtual void unwant(const Target& name) = 0;
  // One change for all that changed and all that has ended.
  virtual Status flush(Time now) = 0;
  virtual Status clear() = 0;  // leaves no trace
};

// Holds the desired set, and brings the enforcer to it in batches. Not thread-safe.
class Reconciler {
 public:
  explicit Reconciler(Enforcer& enforcer) : enforcer_(enforcer) {}
  void want(const Element& element);
  void unwant(const Prefix& prefix);
  // First call, and after a failure: replaces everything. Otherwise applies what changed. On failure the enforcer keeps
  // its last good set.
  Status flush(const std::vector<Prefix>& allow, Time now);
  void restart() { started_ = false; }  // the next flush replaces everything, the allow-list too
  // Above the enforcer's capacity, drops go before counting and earlier wishes before later ones; these are left out.
  [[nodiscard]] std::vector<Prefix> left_out() const;
  [[nodiscard]] size_t applied() const { return applied_.size(); }
  [[nodiscard]] size_t wanted() const { return desired_.size(); }

 private:
  struct Wish {
    Element element;
    uint64_t order;
  };
  [[nodiscard]] std::map<Prefix, Element> chosen() const;
  Enforcer& enforcer_;
  std::map<Prefix, Wish> desired_;
  std::map<Prefix, Element> applied_;
  std::set<Prefix> dirty_;
  uint64_t next_order_ = 0;
  size_t singles_ = 0, ranges_ = 0;  // desired
  bool started_ = false;
};

}  // namespace entente::enforce
