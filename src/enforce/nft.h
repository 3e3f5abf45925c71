// nftables, through libnftables in this process: one table of our own, `inet entente`, never another. Addresses are in
// hash sets with a time-out and a counter per element; ranges are few and in interval sets that are replaced whole
// (enforcement.md §3). The allow sets are asked first for each address, so an allowed address is never dropped whatever
// the block sets say. Not thread-safe. Acts in the network namespace of the thread that opened it; needs CAP_NET_ADMIN
// there.
#pragma once

#include <memory>
#include <string>

#include "enforce/enforcer.h"

namespace entente::enforce {

struct NftOptions {
  std::string table = "entente";
  size_t capacity = 1'000'000;   // addresses per family
  bool drops = true;             // else no rule of the table drops, whatever stands in its sets
  size_t range_capacity = 1024;  // ranges: replacing an interval set costs milliseconds per thousand
};

class NftEnforcer final : public Enforcer {
 public:
  // kDenied without CAP_NET_ADMIN, kUnsupported if the kernel has no nftables.
  static Result<std::unique_ptr<NftEnforcer>> open(NftOptions options = {});
  ~NftEnforcer() override;  // leaves the table: blocks hold until their end. clear() takes it away.

  [[nodiscard]] std::string name() const override { return "nftables"; }
  [[nodiscard]] size_t capacity() const override;
  [[nodiscard]] size_t range_capacity() const override;
  Status start(const std::vector<Prefix>& allow, const std::vector<Element>& elements, Time now) override;
  Status apply(const Delta& delta, Time now) override;
  Result<std::vector<Hits>> hits() override;
  Result<Totals> totals() override;
  Status clear() override;

 private:
  struct State;
  explicit NftEnforcer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace entente::enforce
