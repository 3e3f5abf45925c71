// Two enforcers as one: XDP in front, nftables behind it for what this machine sends, and where XDP cannot be attached.
// Not thread-safe.
#pragma once

#include <memory>

#include "enforce/enforcer.h"

namespace entente::enforce {

class BothEnforcer final : public Enforcer {
 public:
  // `front` gets drops only: what it drops never reaches `behind`, and what is only to be counted is counted once.
  BothEnforcer(std::unique_ptr<Enforcer> front, std::unique_ptr<Enforcer> behind)
      : front_(std::move(front)), behind_(std::move(behind)) {}
  [[nodiscard]] std::string name() const override { return front_->name() + "+" + behind_->name(); }
  [[nodiscard]] size_t capacity() const override { return std::min(front_->capacity(), behind_->capacity()); }
  [[nodiscard]] size_t range_capacity() const override {
    return std::min(front_->range_capacity(), behind_->range_capacity());
  }
  // Both are asked even if one fails: what one can hold is held. The first error is told, with the enforcer's name.
  Status start(const std::vector<Prefix>& allow, const std::vector<Element>& elements, Time now) override;
  Status apply(const Delta& delta, Time now) override;
  Result<std::vector<Hits>> hits() override;
  Result<Totals> totals() override;
  Status clear() override;
  Status alive() override;
  [[nodiscard]] std::string detail() const override;
  [[nodiscard]] bool drops_before_capture() const override { return front_->drops_before_capture(); }
  [[nodiscard]] bool keeps_counters() const override { return front_->keeps_counters(); }

 private:
  [[nodiscard]] Status joined(const Status& front, const Status& behind) const;
  std::unique_ptr<Enforcer> front_, behind_;
};

}  // namespace entente::enforce
