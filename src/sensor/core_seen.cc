// What was seen: a value that matched, a name and its address.
#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;
using enforce::Target;

namespace {

constexpr size_t kMaxAddresses = 65'536;  // whose names are remembered
constexpr size_t kMaxNames = 64;          // of one address; protected ones always

}  // namespace

void Core::on_name(std::string_view name, std::string_view address) {
  const auto canonical = enforce::canonical_name(name);
  const auto prefix = enforce::parse_prefix(address);
  if (!canonical.ok() || !prefix.ok()) return;
  const std::string key = prefix->text();
  const Lock lock(mutex_);
  auto it = names_.find(key);
  if (it == names_.end()) {
    if (names_.size() >= kMaxAddresses) {
      names_.erase(names_used_.front());
      names_used_.pop_front();
    }
    names_used_.push_back(key);
    it = names_.emplace(key, Names{std::prev(names_used_.end()), {}}).first;
  } else {
    names_used_.splice(names_used_.end(), names_used_, it->second.used);
  }
  std::set<std::string>& names = it->second.names;
  if (names.contains(*canonical)) return;
  const bool is_protected = lists_.find_name(*canonical, false).has_value();
  if (names.size() >= kMaxNames && !is_protected) return;
  names.insert(*canonical);
  if (!is_protected || book_->on_target(key).empty()) return;
  // The address turns out to serve a protected name: lifted first, examined after (safety rule 11).
  const Time now = clock_.now();
  for (const Lease& lease : book_->end({.target = key}, enforce::ended::kGuard, now)) {
    ++refusals_["PROTECTED_NAME"];
    emit("guard_refused",
         json::Node::object()
             .set("code", "PROTECTED_NAME")
             .set("indicator", lease.indicator)
             .set("target", key)
             .set("sentence", key + " turned out to serve " + *canonical + ", which is on a protected list"));
    ended({lease});
  }
  apply(now);
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
  if (!pending_.empty()) apply(now);
}

}  // namespace entente::sensor
