// What was seen: a value that matched, a name and its address.
#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;
using enforce::Target;

void Core::on_name(std::string_view name, std::string_view address) {
  const auto canonical = enforce::canonical_name(name);
  const auto prefix = enforce::parse_prefix(address);
  if (!canonical.ok() || !prefix.ok()) return;
  const Lock lock(mutex_);
  const Time now = clock_.now();
  const bool is_protected = lists_.find_name(*canonical, false).has_value();
  if (!uses_.add_name(*prefix, *canonical, is_protected, now) || !is_protected) return;
  // The address turns out to serve a protected name: lifted first, examined after (safety rule 11). Ranges over it too.
  std::vector<Lease> on_it;
  const int widest = prefix->v6 ? config_.guard.min_bits6 : config_.guard.min_bits4;
  for (int bits = prefix->width(); bits >= widest; --bits) {
    for (const Lease* lease : book_->on_target(prefix->widened(static_cast<uint8_t>(bits)).text()))
      on_it.push_back(*lease);
  }
  for (const Lease& lease : on_it) {
    const std::string sentence =
        prefix->text() + " turned out to serve " + *canonical + ", which is on a protected list";
    ++refusals_["PROTECTED_NAME"];
    emit("guard_refused", json::Node::object()
                              .set("code", "PROTECTED_NAME")
                              .set("indicator", lease.indicator)
                              .set("target", lease.target.text())
                              .set("sentence", sentence));
    if (lease.state == enforce::LeaseState::kActive) {
      harm(lease, "protected-name", sentence, now);
    } else {
      trials_.refused(trial_key(lease));
      end({.id = lease.id}, enforce::ended::kGuard, now);
    }
  }
  if (!on_it.empty()) apply(now);
}

void Core::on_seen(const Seen& seen) {
  const Lock lock(mutex_);
  if (seen.tag == 0 || seen.tag > rows_.size()) return;
  const Row& row = rows_[seen.tag - 1];
  if (!row.usable) return;
  const Time now = clock_.now();
  ++detections_;
  const bool fresh = sightings_.seen(row.indicator.id, seen.value, tlp_of(row), seen.time);
  if (fresh) {
    json::Node e = json::Node::object();
    e.set("indicator", row.indicator.id)
        .set("value", seen.value)
        .set("field", seen.field)
        .set("source", seen.source)
        .set("seen", to_text(seen.time));
    if (!seen.src.empty()) e.set("src", seen.src).set("dst", seen.dst);
    if (!seen.address.empty()) e.set("address", seen.address);
    if (!sources_[row.source].partner.empty()) e.set("partner", sources_[row.source].partner);
    emit("detection", std::move(e));
  }
  if (!seen.address.empty()) {
    if (const auto prefix = enforce::parse_prefix(seen.address); prefix.ok())
      consider(seen.tag, Target::of(*prefix), &seen, now);
  } else if (fresh && !row.indicator.atoms.empty() && is_address(row.indicator.atoms.front().kind)) {
    propose_addresses(seen.tag, now);
  }
  count_use(seen, now);
  if (!pending_.empty()) apply(now);
}

}  // namespace entente::sensor
