// What those are given that hand leases on to other programs.
#include "sensor/core.h"

namespace entente::sensor {

std::optional<Core::InForce> Core::in_force(uint64_t known) const {
  const Lock lock(mutex_);
  // Both numbers only grow.
  const uint64_t revision = book_->revision() + lists_.size();
  if (revision == known) return std::nullopt;
  InForce out{revision, book_->snapshot(false), lists_.prefixes()};
  // The allow-list is asked again where blocks take effect (safety rule 2).
  std::erase_if(out.leases,
                [&](const enforce::Lease& l) { return !l.in_force() || lists_.find(l.target).has_value(); });
  return out;
}

}  // namespace entente::sensor
