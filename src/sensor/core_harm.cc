// When a block does harm: it is lifted first and examined after, and with it the batch that it came in (safety rule
// 11).
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;

namespace {
// Pages of one publication come one after the other.
constexpr int64_t kBatchGapUs = 5'000'000;
constexpr int64_t kBatchLongestUs = 300'000'000;
}  // namespace

// "JP@2027-01-15T08:00:00.123456Z": who shared it and when the first of it arrived.
std::string Core::batch_of(const std::string& partner, Time arrived) {
  auto [it, fresh] = batches_.try_emplace(partner, Batch{arrived, arrived});
  Batch& b = it->second;
  if (arrived < b.first || arrived.us - b.last.us > kBatchGapUs || arrived.us - b.first.us > kBatchLongestUs)
    b = {arrived, arrived};
  b.last = std::max(b.last, arrived);
  return (partner.empty() ? "own" : partner) + "@" + to_text(b.first);
}

void Core::harm(const Lease& found, std::string_view signal, const std::string& sentence, Time now) {
  const auto gone = book_->end({.id = found.id}, enforce::ended::kHarm, now);
  if (gone.empty()) return;
  const Lease& lease = gone.front();  // what ends moves in the book
  ended(gone);
  (void)book_->flush(true).ok();  // at once, like what a person lifts; what fails is said each second
  lifted_.insert(lease.indicator + "|" + lease.version + "|" + lease.target.text());
  effect_.harmed(effect_source(lease));
  say_warn("{} of {} is lifted: {}", lease.name(), lease.partner.empty() ? "our own" : lease.partner, sentence);
  emit("harm", json::Node::object()
                   .set("lease", lease.name())
                   .set("target", lease.target.text())
                   .set("indicator", lease.indicator)
                   .set("partner", lease.partner)
                   .set("batch", lease.batch)
                   .set("signal", signal)
                   .set("sentence", sentence));
  // What only the rule let out of the shadow goes back: for this, or for what the run was to show.
  const TrialKey trial = trial_key(lease);
  const Trial* promoted = trials_.concerns(trial) ? trials_.find(trial) : nullptr;
  if (promoted != nullptr && promoted->promoted && promoted->promoted_by == "rule") {
    emit("shadow_again", json::Node::object()
                             .set("trial", promoted->name())
                             .set("partner", trial.partner)
                             .set("kind", trial.kind)
                             .set("sentence", sentence));
    shadow_again(trial, now);
  }
  if (lease.batch.empty()) return;
  auto& harmed = harmed_[lease.batch];
  harmed.insert(lease.id);
  std::vector<uint64_t> rest;
  for (const Lease& other : book_->snapshot(false)) {
    if (other.batch == lease.batch) rest.push_back(other.id);
  }
  const size_t tenth = (rest.size() + harmed.size() + 9) / 10;
  if (harmed.size() < std::min(config_.harm_signals, std::max<size_t>(1, tenth))) return;
  Rollback rule;
  rule.partner = lease.partner;
  rule.since = Time{INT64_MAX};
  rule.at = now;
  rule.automatic = true;
  std::set<std::string> indicators;
  for (const Row& row : rows_) {
    if (row.batch != lease.batch) continue;
    indicators.insert(row.indicator.id);
    rule.since = std::min(rule.since, row.arrived);
    rule.until = std::max(rule.until, row.arrived);
  }
  if (indicators.empty() || rollbacks_.covers(lease.partner, rule.since) != nullptr) return;
  rule.reason = fmt::format("batch {}: {} of its leases did harm; the last: {}", lease.batch, harmed.size(), sentence);
  say_warn("{}; all of it is lifted, {} leases", rule.reason, rest.size());
  if (const auto done = end_and_roll_back(rule, rest, indicators.size(), now); !done.ok()) {
    // Without the rule they come back at the next renewal or start, but not now.
    say_error("the batch is lifted, but this cannot be kept: {}", done.error().text());
    for (const uint64_t id : rest) end({.id = id}, enforce::ended::kHarm, now);
  }
}

// A user's report: what the lease blocks is needed.
Result<json::Node> Core::report_harm(const json::Value& request, Time now) {
  const std::string name(json::find_string(request, "lease").value_or(""));
  const std::string reason = printable(json::find_string(request, "reason").value_or(""), 300);
  if (reason.empty())
    return invalid("what does it break?", {}, "give --reason TEXT: it stands in the verdict, for those who examine it");
  poll_hits();
  for (const Lease& lease : book_->snapshot(false)) {
    if (lease.name() != name || !lease.in_force()) continue;
    const std::string batch = lease.batch;
    harm(lease, "user-report", "reported by a user: " + reason, now);
    apply(now);
    json::Node out = json::Node::object().set("ok", true).set("lease", lease_node(*book_->find(lease.id), now));
    for (const Rollback& r : rollbacks_.all()) {
      if (r.automatic && r.at == now) out.set("rollback", r.name()).set("batch", batch).set("reason", r.reason);
    }
    return out;
  }
  return make_error(ErrorKind::kNotFound, "no such lease is in force", printable(name, 40), "see 'entente lease list'");
}

json::Node Core::batch_list() const {
  struct Sum {
    std::string partner;
    Time first{INT64_MAX}, last{0};
    size_t indicators = 0, leases = 0;
  };
  std::map<std::pair<int64_t, std::string>, Sum> by_time;
  std::map<std::string, Sum> all;
  for (const Row& row : rows_) {
    if (row.batch.empty()) continue;
    Sum& s = all[row.batch];
    s.partner = sources_[row.source].partner;
    s.first = std::min(s.first, row.arrived);
    s.last = std::max(s.last, row.arrived);
    ++s.indicators;
  }
  for (const Lease& lease : book_->snapshot(false)) {
    if (const auto it = all.find(lease.batch); it != all.end()) ++it->second.leases;
  }
  json::Node list = json::Node::array();
  for (const auto& [name, s] : all) {
    json::Node n = json::Node::object();
    n.set("batch", name).set("partner", s.partner).set("from", to_text(s.first)).set("to", to_text(s.last));
    n.set("indicators", s.indicators).set("leases", s.leases);
    const auto h = harmed_.find(name);
    n.set("harmed", h == harmed_.end() ? size_t{0} : h->second.size());
    if (const Rollback* r = rollbacks_.covers(s.partner, s.first)) n.set("rollback", r->name());
    list.push(std::move(n));
  }
  return json::Node::object().set("ok", true).set("batches", std::move(list));
}

// More is known of what an indicator would touch: what the guard would not grant now ends, and is asked anew.
void Core::judge_again(uint32_t tag, Time now) {
  const Row& row = rows_[tag - 1];
  if (!row.usable || config_.guard.mode != enforce::Mode::kBlock) return;
  std::vector<Lease> active;
  for (const Lease* lease : book_->of_indicator(row.indicator.id)) {
    if (lease->state == enforce::LeaseState::kActive && lease->code == "OK" &&
        lease->agreement == sources_[row.source].agreement)
      active.push_back(*lease);
  }
  for (const Lease& lease : active) {
    const enforce::Proposal p = proposal(row, lease.target, lease.via_name, now);
    const auto verdict = guard_.check(p, {}, now);
    if (verdict.outcome == enforce::Outcome::kBlock) continue;
    end({.id = lease.id}, enforce::ended::kGuard, now);
    Seen seen;
    seen.field = lease.detection;
    seen.via_name = lease.via_name;
    consider(tag, lease.target, lease.via_name.empty() ? nullptr : &seen, now);
  }
}

}  // namespace entente::sensor
