// What the enforcers are told, what they count, and the events that say so.
#include <algorithm>

#include "base/log.h"
#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;
using enforce::LeaseState;

namespace {

constexpr int64_t kSecond = 1'000'000;

}  // namespace

void Core::emit(std::string event, json::Node members) { pending_.push_back({std::move(event), std::move(members)}); }

void Core::flush_events() {
  const Time now = clock_.now();
  std::vector<Pending> kept;
  for (Pending& p : pending_) {
    // "applied" is said when it is true.
    if (!enforcer_error_.empty() && p.event == "lease_applied") {
      kept.push_back(std::move(p));
    } else {
      events_.write(now, p.event, p.members);
    }
  }
  pending_ = std::move(kept);
}

void Core::apply(Time now) {
  if (now >= retry_enforcer_ || now.us < retry_enforcer_.us - 2 * kSecond) {
    if (allow_changed_) reconciler_.restart();
    const auto done = reconciler_.flush(lists_.prefixes(), now);
    if (done.ok()) {
      allow_changed_ = false;
      if (!enforcer_error_.empty()) emit("enforcer_recovered", json::Node::object().set("enforcer", enforcer_.name()));
      enforcer_error_.clear();
    } else {
      if (enforcer_error_.empty()) {
        say_error("{}: {}", enforcer_.name(), done.error().text());
        emit("enforcer_failed",
             json::Node::object().set("enforcer", enforcer_.name()).set("error", done.error().text()));
      }
      enforcer_error_ = done.error().text();
      retry_enforcer_ = now.plus_us(kSecond);
    }
  }
  if (names_enforcer_ != nullptr) {
    const auto done = names_enforcer_->flush(now);
    const std::string why = done.ok() ? "" : done.error().text();
    if (!done.ok() && names_error_.empty()) {
      say_error("{}: {}", names_enforcer_->name(), why);
      emit("enforcer_failed", json::Node::object().set("enforcer", names_enforcer_->name()).set("error", why));
    } else if (done.ok() && !names_error_.empty()) {
      emit("enforcer_recovered", json::Node::object().set("enforcer", names_enforcer_->name()));
    }
    names_error_ = why;
  }
  settle_recalls(now);
  flush_events();
}

// What the enforcer dropped of a lease, as a sighting of its indicator.
void Core::sight(const Lease& lease, const enforce::Prefix& prefix, uint64_t packets) {
  for_each_tag(lease, [&](uint32_t tag) {
    sightings_.seen(lease.indicator, prefix.text(), tlp_of(rows_[tag - 1]), clock_.now(), packets);
  });
}

// The enforcer counted on while this process was away. What the book has of it is not counted again.
void Core::resume_hits() {
  const auto hits = enforcer_.hits();
  if (!hits.ok()) return;
  for (const enforce::Hits& h : *hits) {
    uint64_t known = 0;
    for (const Lease* lease : book_->on_target(h.prefix.text())) {
      // The book has a count when its lease is written, what leases stopped is kept every few seconds.
      const UseCount* use = effect_.of_lease(lease->id);
      if (use != nullptr && use->packets > lease->hits) book_->count(lease->id, use->packets - lease->hits);
      known = std::max(known, lease->hits);
    }
    last_hits_[h.prefix] = std::min(known, h.packets);
  }
}

void Core::poll_hits() {
  const auto hits = enforcer_.hits();
  if (!hits.ok()) return;
  for (const enforce::Hits& h : *hits) {
    uint64_t& last = last_hits_[h.prefix];
    // The counter begins again when an element is set again.
    const uint64_t more = h.packets >= last ? h.packets - last : h.packets;
    last = h.packets;
    if (more == 0) continue;
    for (const Lease* lease : book_->on_target(h.prefix.text())) {
      book_->count(lease->id, more);
      if (enforcer_.drops_before_capture() && lease->state == LeaseState::kActive) sight(*lease, h.prefix, more);
      stopped_by_partner_[lease->partner] += more;
      count_packets(*lease, more);
    }
  }
}

}  // namespace entente::sensor
