// What leases do: flows and packets that they stop or would stop, by lease, by source, by shadow run.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;
using enforce::LeaseState;

namespace {
constexpr int64_t kSaveEffectUs = 10'000'000;
constexpr int64_t kSaveUsesUs = 300'000'000;
constexpr size_t kMaxAtoms = 64;  // of an indicator whose targets are compared with what was seen
}  // namespace

EffectSource Core::effect_source(const Lease& lease) const {
  EffectSource out{lease.partner, ""};
  for_each_tag(lease, [&](uint32_t tag) { out.by = rows_[tag - 1].indicator.by; });
  return out;
}

TrialKey Core::trial_key(const Lease& lease) const {
  TrialKey key{lease.partner, lease.agreement, kind_of(lease.target, !lease.via_name.empty())};
  for_each_tag(lease, [&](uint32_t tag) { key.by = feed_of(rows_[tag - 1]); });
  return key;
}

// What stands in a collection of our own and was made by somebody else came from a feed. Too many of them are one.
std::string Core::feed_of(const Row& row) const {
  const std::string& by = row.indicator.by;
  if (!sources_[row.source].partner.empty() || by.empty() || by == config_.created_by) return {};
  return trials_.all().size() < Trials::kMost ? by : "others";
}

// Counts a flow for each lease of the indicator that what was seen falls under.
void Core::count_use(const Seen& seen, Time now) {
  const Row& row = rows_[seen.tag - 1];
  std::set<std::string> targets;
  const auto value = enforce::parse_prefix(seen.value);
  if (const auto led_to = enforce::parse_prefix(seen.address); led_to.ok()) targets.insert(led_to->text());
  if (value.ok()) {
    targets.insert(value->text());
    for (size_t i = 0; i < std::min(kMaxAtoms, row.indicator.atoms.size()); ++i) {
      const auto& atom = row.indicator.atoms[i];
      if (!is_address(atom.kind)) continue;
      if (const auto range = enforce::parse_prefix(atom.value); range.ok() && range->contains(*value))
        targets.insert(range->text());
    }
  } else if (const auto name = enforce::canonical_name(seen.value); name.ok()) {
    targets.insert(*name);
    for (size_t at = 0; at != std::string::npos; at = name->find('.', at + 1))
      targets.insert("*." + name->substr(at == 0 ? 0 : at + 1));
  }
  const uint32_t client = seen.client.empty() ? 0 : client_hash(seen.client);
  for (const std::string& target : targets) {
    const Lease* harmful = nullptr;
    for (const Lease* lease : book_->on_target(target)) {
      if (lease->indicator != row.indicator.id) continue;
      const bool drops = lease->state == LeaseState::kActive;
      effect_.flow(lease->id, effect_source(*lease), drops, seen.flow, client);
      if (lease->code == "SHADOW_FIRST") trials_.flow(trial_key(*lease), seen.flow, client);
      // A rise above what was known before (safety rule 11). What a person let through may do what it does.
      const uint64_t most = std::max<uint64_t>(config_.harm_clients, 4 * lease->clients_before.value_or(0));
      if (drops && lease->code == "OK" && effect_.of_lease(lease->id)->clients.size() > most) harmful = lease;
    }
    if (harmful == nullptr) continue;
    harm(*harmful, "rise",
         fmt::format("{} stopped {} clients, where {} had used it in the {} days before", target,
                     effect_.of_lease(harmful->id)->clients.size(), harmful->clients_before.value_or(0),
                     config_.clients_days),
         now);
  }
}

void Core::count_packets(const Lease& lease, uint64_t packets) {
  effect_.packets(lease.id, effect_source(lease), lease.state == LeaseState::kActive, packets);
  if (lease.code == "SHADOW_FIRST") trials_.packets(trial_key(lease), packets);
}

void Core::promote(const TrialKey& key, std::string_view by, Time now) {
  const Trial* trial = trials_.find(key);
  if (trial == nullptr) return;
  emit("promoted", json::Node::object()
                       .set("trial", trial->name())
                       .set("partner", key.partner)
                       .set("kind", key.kind)
                       .set("by", by)
                       .set("report", trial->report()));
  trials_.promote(key, by, now);
  if (auto done = trials_.save(); !done.ok()) say_error("shadow runs: {}", done.error().text());
  for (const Lease& lease : book_->snapshot(false)) {
    if (lease.state != LeaseState::kShadow || lease.code != "SHADOW_FIRST" || trial_key(lease) != key) continue;
    std::vector<uint32_t> tags;
    for_each_tag(lease, [&](uint32_t tag) { tags.push_back(tag); });
    end({.id = lease.id}, enforce::ended::kPromoted, now);
    Seen seen;
    seen.field = lease.detection;
    seen.via_name = lease.via_name;
    for (const uint32_t tag : tags) consider(tag, lease.target, lease.via_name.empty() ? nullptr : &seen, now);
  }
}

// What dropped on it counts again.
void Core::shadow_again(const TrialKey& key, Time now) {
  trials_.back(key, now);
  for (const Lease& lease : book_->snapshot(false)) {
    if (lease.state != LeaseState::kActive || lease.code != "OK" || trial_key(lease) != key) continue;
    std::vector<uint32_t> tags;
    for_each_tag(lease, [&](uint32_t tag) { tags.push_back(tag); });
    end({.id = lease.id}, enforce::ended::kGuard, now);
    for (const uint32_t tag : tags)
      if (lease.via_name.empty()) consider(tag, lease.target, nullptr, now);
  }
}

void Core::promote_due(Time now) {
  for (const TrialKey& key : trials_.due(now)) promote(key, "rule", now);
}

void Core::save_effect() {
  const Time now = clock_.now();
  if (now < next_effect_ && now.us > next_effect_.us - 60 * kSaveEffectUs) return;  // or the clock was set back
  const int64_t began = clock_.steady_us();
  if (effect_.leases() > 20'000) effect_.forget([&](uint64_t id) { return book_->find(id) != nullptr; });
  said_("what leases stopped", effect_.save());
  said_("shadow runs", trials_.save());
  // The counts of a hundred thousand leases take a while to write: never more than a hundredth of the time.
  next_effect_ = now.plus_us(std::max(kSaveEffectUs, 100 * (clock_.steady_us() - began)));
}

void Core::save_uses() {
  const int64_t now = clock_.steady_us();
  int64_t next = next_uses_us_.load();
  if (now < next || !next_uses_us_.compare_exchange_strong(next, now + kSaveUsesUs)) return;
  if (next == 0) return;  // just started
  if (auto done = uses_.save(); !done.ok()) say_error("what the network uses cannot be kept: {}", done.error().text());
}

Result<json::Node> Core::shadow_control(std::string_view cmd, const json::Value& request, Time now) {
  if (cmd != "shadow") {
    const std::string_view name = json::find_string(request, "trial").value_or("");
    const Trial* trial = trials_.find(name);
    if (trial == nullptr)
      return make_error(ErrorKind::kNotFound, "there is no such shadow run", printable(name, 40),
                        "see 'entente lease shadow'");
    const TrialKey key = trial->key;
    if (json::find_bool(request, "back").value_or(false)) {
      shadow_again(key, now);
    } else if (trial->promoted) {
      return make_error(ErrorKind::kConflict, "it is promoted already", std::string(name));
    } else {
      promote(key, "person", now);
    }
    apply(now);
    CHECK_OK(trials_.save());
  }
  json::Node list = json::Node::array();
  for (const auto& [key, t] : trials_.all()) {
    json::Node n = json::Node::object();
    n.set("trial", t.name()).set("partner", key.partner).set("agreement", key.agreement).set("kind", key.kind);
    if (!key.by.empty()) n.set("by", key.by);
    n.set("since", to_text(t.since)).set("state", t.promoted ? "promoted" : "shadow").set("leases", t.leases);
    n.set("packets", t.would.packets).set("flows", t.would.flows).set("clients", t.would.clients.size());
    n.set("protected", t.refused).set("report", t.report());
    if (t.promoted) n.set("promoted", to_text(*t.promoted)).set("promoted_by", t.promoted_by);
    if (const Trial* limited = trials_.limited(key, now); limited != nullptr)
      n.set("limited_until", to_text(limited->promoted->plus_us(config_.trials.first_us)));
    if (const std::string waits = trials_.waits_for(t, now); !waits.empty()) n.set("waits_for", waits);
    list.push(std::move(n));
  }
  return json::Node::object()
      .set("ok", true)
      .set("trials", std::move(list))
      .set("on", trials_.on())
      .set("for", config_.trials.all ? "all" : "uncleared");
}

json::Node Core::stats_node() const {
  std::map<EffectSource, size_t> in_force;
  for (const Lease& lease : book_->snapshot(false)) {
    if (lease.in_force()) ++in_force[effect_source(lease)];
  }
  json::Node list = json::Node::array();
  for (const auto& [key, s] : effect_.sources()) {
    const auto put = [](json::Node& n, const std::string& what, const UseCount& u) {
      n.set(what + "_packets", u.packets).set(what + "_flows", u.flows).set(what + "_clients", u.clients.size());
    };
    json::Node n = json::Node::object();
    n.set("partner", key.partner).set("by", key.by).set("granted", s.granted);
    const auto it = in_force.find(key);
    n.set("in_force", it == in_force.end() ? size_t{0} : it->second)
        .set("harmed", s.harmed)
        .set("false_claims", s.false_claims);
    put(n, "stopped", s.stopped);
    put(n, "counted", s.counted);
    list.push(std::move(n));
  }
  return json::Node::object().set("ok", true).set("sources", std::move(list));
}

}  // namespace entente::sensor
