// What those are given that hand leases on to other programs.
#include <cstdlib>

#include "base/log.h"
#include "sensor/core.h"

namespace entente::sensor {

std::optional<Core::InForce> Core::in_force(uint64_t known) const {
  constexpr size_t kAtOnce = 2000;  // so that packets never wait for a hundred thousand leases to be copied
  InForce out;
  for (uint64_t after = 0;;) {
    const Lock lock(mutex_);
    if (after == 0) {
      // Both numbers only grow. What changes while the rest is copied is seen at the next call.
      out.revision = book_->revision() + lists_.size();
      if (out.revision == known) return std::nullopt;
      out.allow = lists_.prefixes();
    }
    std::vector<enforce::Lease> some = book_->in_force(after, kAtOnce);
    if (some.empty()) return out;
    after = some.back().id;
    // The allow-list is asked again where blocks take effect (safety rule 2).
    std::erase_if(some, [&](const enforce::Lease& l) { return lists_.find(l.target).has_value(); });
    out.leases.insert(out.leases.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
}

std::vector<enforce::Lease> Core::in_force(const std::vector<uint64_t>& ids) const {
  const Lock lock(mutex_);
  std::vector<enforce::Lease> out;
  for (const uint64_t id : ids) {
    const enforce::Lease* l = book_->find(id);
    if (l != nullptr && l->in_force() && !lists_.find(l->target)) out.push_back(*l);
  }
  return out;
}

// Somebody set the clock. Put back, it would make every lease longer by as much, and a node that is lost would not be
// missed: what was left of each stays what it was. Put forward, leases end, and are granted anew when the node speaks.
void Core::notice_clock(Time now) {
  constexpr int64_t kJump = 5'000'000;
  const int64_t steady = clock_.steady_us();
  const int64_t jump = wall_.us == 0 ? 0 : (now.us - wall_.us) - (steady - steady_);
  wall_ = now;
  steady_ = steady;
  if (std::abs(jump) < kJump) return;
  ++clock_jumps_;
  say_warn("the clock was put {} by {} s", jump < 0 ? "back" : "forward", std::abs(jump) / 1'000'000);
  emit("clock_jumped", json::Node::object().set("seconds", jump / 1'000'000));
  next_hits_ = retry_enforcer_ = Time{0};
  if (jump > 0) return;
  last_contact_ = last_contact_.plus_us(jump);
  for (const enforce::Lease& l : book_->snapshot(false)) {
    if (l.in_force() && book_->renew(l.id, l.end.plus_us(jump), now)) sync_target(l.target);
  }
}

// Above an enforcer's capacity leases are left out, the least urgent first. That is said when it begins and when it
// ends.
void Core::tell_left_out() {
  const std::vector<enforce::Prefix> out = reconciler_.left_out();
  if ((out.empty()) == (left_out_ == 0)) {
    left_out_ = out.size();
    return;
  }
  left_out_ = out.size();
  json::Node e = json::Node::object();
  e.set("enforcer", enforcer_.name()).set("left_out", out.size());
  if (!out.empty()) e.set("first", out.front().text());
  emit("enforcer_full", std::move(e));
  if (out.empty()) {
    say_info("{}: everything fits again", enforcer_.name());
  } else {
    say_warn("{}: no room for {} leases, the first is on {}: raise its capacity, or grant fewer", enforcer_.name(),
             out.size(), out.front().text());
  }
}

}  // namespace entente::sensor
