// What comes from the node: agreements, pages of objects, markings, and what is to be protected.
#include <algorithm>

#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;
using enforce::Target;

uint32_t Core::source_number(const Source& source) {
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].collection == source.collection) return static_cast<uint32_t>(i);
  }
  sources_.push_back(source);
  return static_cast<uint32_t>(sources_.size() - 1);
}

void Core::on_instruments(Instruments instruments) {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  const bool was_away = now.us - last_contact_.us > config_.ttl_us / 2;
  last_contact_ = now;
  if (instruments.text() != instruments_.text()) {
    said_("agreements", files_.write_atomic(agreements_path(), instruments.text(), 0600));
  }
  instruments_ = std::move(instruments);
  instruments_known_ = true;
  refold(now);
  if (was_away) propose_all(now);  // what ended for want of a node
  apply(now);
}

void Core::node_spoke() {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  const bool was_away = now.us - last_contact_.us > config_.ttl_us / 2;
  last_contact_ = now;
  if (!was_away) return;
  propose_all(now);
  apply(now);
}

void Core::propose_all(Time now) {
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].usable) propose_addresses(static_cast<uint32_t>(i + 1), now);
  }
}

void Core::protect(const Target& target, const std::string& why) {
  const Lock lock(mutex_);
  if (lists_.find(target)) return;
  if (target.kind == enforce::TargetKind::kName) {
    lists_.add_name(target.host, why, true);
  } else {
    lists_.add_prefix(target.prefix, why, true);
    allow_changed_ = true;
  }
  const Time now = clock_.now();
  for (const Lease& lease : book_->snapshot(false)) {
    if (lists_.find(lease.target)) end({.id = lease.id}, enforce::ended::kGuard, now);
  }
  apply(now);
}

void Core::on_page(const Source& source, const std::vector<std::string_view>& objects, std::optional<Time> position) {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  last_contact_ = now;
  const uint32_t number = source_number(source);
  refold(now);
  for (const std::string_view raw : objects) take(number, raw, now);
  // In force first, on disk second: a page that is read twice does no harm, a block that waits for a disk does.
  if (position) recalls_.reached(source.collection, *position);
  apply(now);
  append_objects(source, objects, position, now);
  if (position) positions_[source.collection] = *position;
}

std::optional<Time> Core::position(const std::string& collection) const {
  const Lock lock(mutex_);
  const auto it = positions_.find(collection);
  return it == positions_.end() ? std::nullopt : std::optional(it->second);
}

void Core::take(uint32_t source, std::string_view raw, Time arrived) {
  auto read = read_object(raw);
  if (!read.ok()) {
    ++objects_bad_;
    return;
  }
  if (read->revoked && started_) recalls_.tell_soon();
  if (read->destroyed && started_) rewrite_due_ = true;
  if (read->indicator) return take_indicator(source, std::move(*read->indicator), arrived);
  if (read->handling) {
    handling_[{source, read->handling->object}] = *read->handling;
    if (const auto it = tags_.find({source, read->handling->object}); it != tags_.end() && rows_[it->second - 1].usable)
      propose_addresses(it->second, clock_.now());
  }
  if (!read->marking) return;
  const std::string id = read->marking->id;
  if (!markings_.emplace(id, read->marking->pap).second) return;
  // What came before its marking was judged by the strictest; now the marking says what it is.
  for (size_t i = 0; i < rows_.size(); ++i) {
    const auto& marks = rows_[i].indicator.markings;
    if (rows_[i].usable && std::find(marks.begin(), marks.end(), id) != marks.end())
      propose_addresses(static_cast<uint32_t>(i + 1), clock_.now());
  }
}

void Core::take_indicator(uint32_t source, ReceivedIndicator in, Time arrived) {
  const Time now = clock_.now();
  const std::string& agreement = sources_[source].agreement;
  const std::string id = in.id;
  auto [slot, added] = tags_.try_emplace({source, id}, static_cast<uint32_t>(rows_.size() + 1));
  if (added) rows_.emplace_back();
  const uint32_t tag = slot->second;
  Row& row = rows_[tag - 1];
  if (!added && in.version_time <= row.indicator.version_time) return;  // the same or an older version
  const bool same_pattern = !added && in.pattern == row.indicator.pattern && !in.revoked;
  const std::string live_id = sources_[source].collection + "/" + id;
  ++indicators_taken_;
  if (in.revoked) {
    if (!added) {
      live_.remove(live_id);
      remove_compound(tag, live_id);
    }
    take_back(source, in, !added, now);
  } else if (!added && !same_pattern) {
    live_.remove(live_id);
    remove_compound(tag, live_id);
    for (const Lease* lease : book_->of_indicator(id)) {
      if (lease->agreement == agreement) end({.id = lease->id}, enforce::ended::kRevoked, now);
    }
  }
  const Time first_arrived = same_pattern ? row.arrived : arrived;
  const std::string batch = same_pattern ? row.batch : batch_of(sources_[source].partner, arrived);
  row = Row{source, std::move(in), first_arrived, batch, false};
  ReceivedIndicator& i = row.indicator;
  if (i.revoked) {
    ++revoked_;
    emit("indicator_revoked", json::Node::object().set("indicator", id).set("partner", sources_[source].partner));
    return;
  }
  detect::Indicator facts;
  facts.id = live_id;
  facts.version = i.version;
  facts.valid_from = i.valid_from;
  facts.valid_until = i.valid_until;
  facts.confidence = i.confidence;
  facts.tag = tag;
  if (i.compound) {
    const Status added_compound = add_compound(tag, facts, *i.compound);
    if (!added_compound.ok()) {
      if (i.atoms.empty()) i.unusable = added_compound.error().text();
      i.compound.reset();
    }
  }
  if (i.atoms.empty() && !i.compound) {
    ++unusable_;
    emit("indicator_unusable", json::Node::object().set("indicator", id).set("why", i.unusable));
    return;
  }
  row.usable = true;
  for (const pattern::Atom& atom : i.atoms)
    if (atom.kind == pattern::AtomKind::kJa3 || atom.kind == pattern::AtomKind::kJa4)
      fingerprints_.store(true, std::memory_order_release);
  if (!i.atoms.empty()) live_.add(facts, i.atoms);
  // What was there at the start was asked about when it came.
  if (started_ && history_ != nullptr && !same_pattern && !i.atoms.empty()) not_asked_.push_back(tag);
  generation_.fetch_add(1, std::memory_order_release);
  if (i.valid_from > now) begins_.emplace(i.valid_from.us, tag);
  // A new version may end sooner than the leases of the old one.
  for (const Lease* lease : book_->of_indicator(id)) {
    if (lease->agreement == agreement && lease->in_force() && lease->end > i.valid_until)
      book_->renew(lease->id, i.valid_until, now);
  }
  propose_addresses(tag, now);
}

std::string Core::tlp_of(const Row& row) {
  std::string tlp;
  for (const std::string& id : row.indicator.markings) {
    if (stix::tlp_of_id(id)) tlp = id;
  }
  return tlp;
}

std::optional<stix::Pap> Core::pap_of(const Row& row) const {
  std::optional<stix::Pap> strictest;
  for (const std::string& id : row.indicator.markings) {
    if (stix::tlp_of_id(id)) continue;
    const auto it = markings_.find(id);
    // A marking whose definition has not come: unsure means narrow.
    const std::optional<stix::Pap> pap = it == markings_.end() ? std::optional(stix::Pap::kRed) : it->second;
    if (pap && (!strictest || *pap > *strictest)) strictest = pap;
  }
  // What the manifest told of this version, where it is more.
  const auto told = handling_.find({row.source, row.indicator.id});
  if (told != handling_.end() && told->second.version == row.indicator.version &&
      (!strictest || told->second.pap > *strictest))
    strictest = told->second.pap;
  return strictest;
}

}  // namespace entente::sensor
