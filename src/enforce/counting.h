// An enforcer that cannot drop: whatever it is asked for, the one behind it is only asked to count. For exercises. Not
// thread-safe.
#pragma once

#include <memory>
#include <utility>

#include "enforce/enforcer.h"

namespace entente::enforce {

class CountingEnforcer final : public Enforcer {
 public:
  explicit CountingEnforcer(std::unique_ptr<Enforcer> behind) : behind_(std::move(behind)) {}
  [[nodiscard]] std::string name() const override { return behind_->name() + ", counting"; }
  [[nodiscard]] size_t capacity() const override { return behind_->capacity(); }
  [[nodiscard]] size_t range_capacity() const override { return behind_->range_capacity(); }
  Status start(const std::vector<Prefix>& allow, const std::vector<Element>& elements, Time now) override {
    return behind_->start(allow, counting(elements), now);
  }
  Status apply(const Delta& delta, Time now) override {
    return behind_->apply({counting(delta.set), counting(delta.remove)}, now);
  }
  Result<std::vector<Hits>> hits() override { return behind_->hits(); }
  Result<Totals> totals() override { return behind_->totals(); }
  Status clear() override { return behind_->clear(); }
  Status alive() override { return behind_->alive(); }
  [[nodiscard]] std::string detail() const override { return behind_->detail(); }
  [[nodiscard]] bool keeps_counters() const override { return behind_->keeps_counters(); }

 private:
  static std::vector<Element> counting(std::vector<Element> elements) {
    for (Element& e : elements) e.drop = false;
    return elements;
  }
  std::unique_ptr<Enforcer> behind_;
};

}  // namespace entente::enforce
