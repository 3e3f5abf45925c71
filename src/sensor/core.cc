// Start, time and stop of the sensor's judgement; its other parts are the core_*.cc beside it.
#include "sensor/core.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "json/json.h"

namespace entente::sensor {

using enforce::Lease;
using enforce::LeaseBook;
using enforce::LeaseState;

namespace {

constexpr int64_t kSecond = 1'000'000;

}  // namespace

Core::Core(const SensorConfig& config, Files& files, Clock& clock, enforce::Enforcer& enforcer,
           enforce::ProtectedList lists, EventSink& events)
    : config_(config),
      files_(files),
      clock_(clock),
      enforcer_(enforcer),
      lists_(std::move(lists)),
      events_(events),
      guard_(config_.guard, lists_, &needed_),
      reconciler_(enforcer_),
      sightings_(files_, config_.state_dir + "/sightings.jsonl",
                 SightingOptions{config_.sighting_interval_us, config_.sighting_tlp, config_.created_by,
                                 config_.sighting_queue, 100'000, config_.sighting_grain_us, config_.sighting_digits}),
      rollbacks_(files_, config_.state_dir + "/rollbacks.json"),
      uses_(files_, config_.state_dir + "/uses.bin", {.days = config_.clients_days}),
      trials_(files_, config_.state_dir + "/trials.json", config_.trials),
      effect_(files_, config_.state_dir + "/effect.jsonl"),
      disputes_(files_, config_.state_dir + "/disputes.json") {}

Core::~Core() = default;

Status Core::start() {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  CHECK_OK(files_.make_dirs(config_.state_dir));
  TRY(book_, LeaseBook::open(files_, config_.state_dir + "/leases.jsonl", now));
  if (book_->damaged_lines() > 0)
    say_warn("{} lines of the lease book could not be read and were left out", book_->damaged_lines());
  CHECK_OK(introduce());
  sightings_.load();
  rollbacks_.load(now);
  uses_.load();
  trials_.load();
  effect_.load();
  disputes_.load();
  for (const Lease& lease : book_->snapshot(true)) {
    const bool rolled_back =
        lease.ended_by == enforce::ended::kRolledBack && std::ranges::any_of(rollbacks_.all(), [&](const Rollback& r) {
          return r.partner == lease.partner && r.at == lease.ended_at;
        });
    const bool harmed = lease.ended_by == enforce::ended::kHarm;
    if (harmed && !lease.batch.empty()) harmed_[lease.batch].insert(lease.id);
    if (lease.ended_by == enforce::ended::kLifted || harmed || rolled_back)
      lifted_.insert(lease.indicator + "|" + lease.version + "|" + lease.target.text());
    if (!lease.in_force()) continue;
    // The lists and the mode may be others than when it was granted.
    const bool wrong_mode = lease.state == LeaseState::kActive && config_.guard.mode == enforce::Mode::kMonitor;
    // A claim is on the disk before the book says that its block ended: a crash between the two lifts it here.
    const Dispute* claim = disputes_.find(lease.indicator, lease.agreement);
    if (lists_.find(lease.target) || wrong_mode) {
      ended(book_->end({.id = lease.id}, enforce::ended::kGuard, now));
    } else if (claim != nullptr && claim->pending()) {
      ended(book_->end({.id = lease.id}, enforce::ended::kDisputed, now));
    } else {
      sync_target(lease.target);
    }
  }
  // Old leases hold while the objects are read again and before the node has answered: the last good set.
  CHECK_OK(reconciler_.flush(lists_.prefixes(), now));
  if (enforcer_.keeps_counters()) resume_hits();
  CHECK_OK(load_objects(now));
  for (const Lease& lease : book_->snapshot(false)) {  // a rollback that the power failed in
    for (size_t s = 0; s < sources_.size(); ++s) {
      const auto it = tags_.find({static_cast<uint32_t>(s), lease.indicator});
      if (it == tags_.end() || sources_[s].partner != lease.partner) continue;
      if (rollbacks_.covers(lease.partner, rows_[it->second - 1].arrived) != nullptr)
        end({.id = lease.id}, enforce::ended::kRolledBack, now);
    }
  }
  for (const auto& [collection, at] : positions_) recalls_.reached(collection, at);
  last_contact_ = now;
  started_ = true;
  // What the node said last: acts are signed and their state is computed for the present time.
  if (const auto kept = files_.read(agreements_path()); kept.ok()) {
    if (auto instruments = Instruments::parse(*kept, config_.exercise); instruments.ok()) {
      instruments_ = std::move(*instruments);
      instruments_known_ = true;
      refold(now);
    }
  }
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].usable && sources_[rows_[i].source].agreement.empty())
      propose_addresses(static_cast<uint32_t>(i + 1), now);
  }
  json::Node e = json::Node::object();
  e.set("mode", config_.guard.mode == enforce::Mode::kBlock ? "block" : "monitor").set("enforcer", enforcer_.name());
  e.set("leases", book_->count(LeaseState::kActive) + book_->count(LeaseState::kShadow))
      .set("indicators", live_.size())
      .set("protected", lists_.size());
  emit("started", std::move(e));
  apply(now);
  return {};
}

void Core::tick() {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  notice_clock(now);
  const std::vector<Lease> over = book_->expire(now);
  ended(over);
  if (now.us - last_contact_.us <= config_.ttl_us) {
    // One that ended because nobody renewed it in time (the machine slept), though its indicator still holds.
    for (const Lease& lease : over) {
      if (!lease.via_name.empty()) continue;
      for_each_tag(lease, [&](uint32_t tag) { consider(tag, lease.target, nullptr, now); });
    }
  }
  while (!begins_.empty() && begins_.begin()->first <= now.us) {
    const uint32_t tag = begins_.begin()->second;
    begins_.erase(begins_.begin());
    if (rows_[tag - 1].usable) propose_addresses(tag, now);
  }
  const bool each_second = now.us - last_sync_.us >= kSecond || now < last_sync_;
  refold(now);
  if (each_second && std::exchange(rewrite_due_, false)) rewrite_objects();
  if (each_second) {
    promote_due(now);
    renew(now);
    said_(enforcer_.name() + " is kept alive", enforcer_.alive());
    tell_left_out();
  }
  sightings_.tick(now);
  if (now >= next_hits_) {
    const int64_t began = clock_.steady_us();
    poll_hits();
    // Reading the counters of a hundred thousand elements takes seconds: never more than a twentieth of the time.
    next_hits_ = now.plus_us(std::max(kSecond, 20 * (clock_.steady_us() - began)));
  }
  apply(now);
  if (const auto done = book_->flush(each_second); each_second) {
    said_("lease book", done);
    keep_objects();
    said_("sightings", sightings_.save());
    save_effect();
    last_sync_ = now;
  }
}

void Core::stop() {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  poll_hits();
  sightings_.finish(now);
  (void)sightings_.save().ok();
  next_effect_ = Time{0};
  save_effect();
  if (auto done = uses_.save(); !done.ok()) say_error("uses: {}", done.error().text());
  emit("stopped", json::Node::object());
  flush_events();
  // A lease keeps the count it had when it is written again.
  if (auto done = book_->flush(true); !done.ok()) say_error("lease book: {}", done.error().text());
  if (!config_.clear_at_stop) return;
  if (names_enforcer_ != nullptr) {
    if (auto done = names_enforcer_->clear(); !done.ok())
      say_error("{}: {}", names_enforcer_->name(), done.error().text());
  }
  if (auto done = enforcer_.clear(); !done.ok()) say_error("{}: {}", enforcer_.name(), done.error().text());
}

std::vector<std::string> Core::sightings_due() {
  const Lock lock(mutex_);
  return sightings_.batch(200);
}

void Core::sightings_done(size_t delivered, size_t refused) {
  const Lock lock(mutex_);
  sightings_.delivered(delivered);
  sightings_.refused(refused);
  if (refused > 0) emit("sightings_refused", json::Node::object().set("count", refused));
}

std::vector<Lease> Core::leases(bool with_ended) {
  const Lock lock(mutex_);
  return book_->snapshot(with_ended);
}

}  // namespace entente::sensor
