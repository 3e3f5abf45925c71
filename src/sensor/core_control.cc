// What people ask a running sensor, and what it says of itself.
#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"
#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;
using enforce::LeaseQuery;
using enforce::LeaseState;

namespace {

json::Node error_node(const Error& e) {
  return json::Node::object()
      .set("ok", false)
      .set("kind", name(e.kind))
      .set("what", e.what)
      .set("where", e.where)
      .set("remedy", e.remedy);
}

Result<uint64_t> lease_number(std::string_view text) {
  if (text.starts_with('L')) text.remove_prefix(1);
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || id == 0)
    return invalid("no lease number: \"" + printable(text, 40) + "\"", {}, "as in L17");
  return id;
}

// {"lease","indicator","agreement","partner","target","since"}: at least one.
Result<LeaseQuery> query_of(const json::Value& request) {
  LeaseQuery q;
  bool any = false;
  const auto text = [&](const char* key, std::optional<std::string>& out) {
    if (const auto v = json::find_string(request, key)) {
      out = std::string(*v);
      any = true;
    }
  };
  if (const auto v = json::find_string(request, "lease")) {
    TRY(q.id, lease_number(*v));
    any = true;
  }
  text("indicator", q.indicator);
  text("agreement", q.agreement);
  text("partner", q.partner);
  text("target", q.target);
  if (q.target) {
    TRY(const enforce::Target target, enforce::parse_target(*q.target));
    q.target = target.text();
  }
  if (const auto v = json::find_string(request, "since")) {
    TRY(q.granted_since, parse_time(*v));
    any = true;
  }
  if (!any) return invalid("which leases?", {}, "name a lease, indicator, target, agreement, partner or since");
  return q;
}

}  // namespace

json::Node Core::lease_node(const Lease& lease, Time now) const {
  json::Node n = enforce::to_json(lease);
  n.set("lease", lease.name());
  n.erase("id");
  if (lease.in_force())
    n.set("remaining_s", std::max<int64_t>(0, (lease.end.us - now.us) / 1'000'000))
        .set("enforcer", lease.target.kind != enforce::TargetKind::kName ? enforcer_.name()
                         : names_enforcer_ != nullptr                    ? names_enforcer_->name()
                                                                         : "none");
  if (const UseCount* use = effect_.of_lease(lease.id); use != nullptr && !use->empty()) {
    n.set("flows", use->flows).set("clients", use->clients.size());
    n.set("effect", (lease.state == LeaseState::kActive ? "stopped " : "would have stopped ") + use->words());
  }
  if (lease.code == "SHADOW_FIRST") {
    if (const Trial* t = trials_.find(trial_key(lease)); t != nullptr && !t->promoted)
      n.set("trial", t->name()).set("trial_report", t->report()).set("trial_waits_for", trials_.waits_for(*t, now));
  }
  if (const Dispute* d = disputes_.find(lease.indicator, lease.agreement); d != nullptr && d->state != "withdrawn")
    n.set("dispute", d->sentence(now));
  return n;
}

void Core::taken_off(const std::vector<Lease>& gone, Time now, std::string_view member, json::Node& out) {
  ended(gone);
  json::Node list = json::Node::array();
  for (const Lease& lease : gone) {
    lifted_.insert(lease.indicator + "|" + lease.version + "|" + lease.target.text());
    list.push(lease_node(lease, now));
  }
  retry_enforcer_ = Time{0};
  apply(now);
  (void)book_->flush(true).ok();
  // The result per enforcer (safety rule 9).
  out.set(member, std::move(list)).set("enforcer", enforcer_.name()).set("applied", enforcer_error_.empty());
  if (!enforcer_error_.empty()) out.set("error", enforcer_error_);
}

std::string Core::control(std::string_view request) {
  const auto document = json::parse(request, {.max_bytes = 65536, .max_depth = 8});
  if (!document.ok()) return json::write(error_node(document.error()));
  if (json::find_string(document->root(), "cmd") == "status") {
    return json::write(json::Node::object().set("ok", true).set("status", status()));
  }
  const Lock lock(mutex_);
  const Time now = clock_.now();
  json::Node answer = control_locked(document->root(), now);
  return json::write(answer);
}

json::Node Core::control_locked(const json::Value& request, Time now) {
  const std::string_view cmd = json::find_string(request, "cmd").value_or("");
  json::Node out = json::Node::object().set("ok", true);
  if (cmd == "leases") {
    poll_hits();
    json::Node list = json::Node::array();
    for (const Lease& lease : book_->snapshot(json::find_bool(request, "all").value_or(false)))
      list.push(lease_node(lease, now));
    return out.set("leases", std::move(list));
  }
  if (cmd == "lift") {
    const auto query = query_of(request);
    if (!query.ok()) return error_node(query.error());
    poll_hits();
    const auto lifted = book_->end(*query, enforce::ended::kLifted, now);
    if (lifted.empty())
      return error_node(make_error(ErrorKind::kNotFound, "no lease in force fits", {}, "see `entente lease list`"));
    taken_off(lifted, now, "lifted", out);
    return out;
  }
  if (cmd == "rollbacks") return rollback_list();
  if (cmd == "batches") return batch_list();
  if (cmd == "disputes") return dispute_list(now);
  if (cmd == "stats") {
    poll_hits();
    return stats_node();
  }
  if (cmd == "shadow" || cmd == "promote" || cmd == "report" || cmd == "dispute") {
    poll_hits();
    auto done = cmd == "report"    ? report_harm(request, now)
                : cmd == "dispute" ? dispute(request, now)
                                   : shadow_control(cmd, request, now);
    return done.ok() ? *std::move(done) : error_node(done.error());
  }
  if (cmd == "rollback" || cmd == "resume") {
    auto done = cmd == "rollback" ? roll_back(request, now) : resume(request, now);
    return done.ok() ? *std::move(done) : error_node(done.error());
  }
  if (cmd == "why") {
    const auto query = query_of(request);
    if (!query.ok()) return error_node(query.error());
    json::Node list = json::Node::array();
    for (const Lease& lease : book_->snapshot(true)) {
      const bool fits = (!query->id || *query->id == lease.id) &&
                        (!query->indicator || *query->indicator == lease.indicator) &&
                        (!query->target || *query->target == lease.target.text()) &&
                        (!query->partner || *query->partner == lease.partner) &&
                        (!query->agreement || *query->agreement == lease.agreement);
      if (fits) list.push(lease_node(lease, now));
    }
    // A target without a lease may be one that the guard protects.
    if (query->target) {
      if (const auto target = enforce::parse_target(*query->target); target.ok()) {
        if (const auto m = lists_.find(*target)) out.set("protected", fmt::format("{}: {}", m->list, m->entry));
      }
    }
    if (list.list().empty() && out.find("protected") == nullptr)
      return error_node(make_error(ErrorKind::kNotFound, "no lease fits", {}, "see `entente lease list --all`"));
    return out.set("leases", std::move(list));
  }
  if (cmd == "approve") {
    const auto id = lease_number(json::find_string(request, "lease").value_or(""));
    if (!id.ok()) return error_node(id.error());
    const Lease* found = book_->find(*id);
    if (found == nullptr || found->state != LeaseState::kWaiting)
      return error_node(make_error(ErrorKind::kNotFound, "no such lease is waiting"));
    const Lease lease = *found;
    for (size_t s = 0; s < sources_.size(); ++s) {
      if (sources_[s].agreement != lease.agreement || sources_[s].partner != lease.partner) continue;
      const auto it = tags_.find({static_cast<uint32_t>(s), lease.indicator});
      if (it == tags_.end()) continue;
      Seen seen;
      seen.field = lease.detection;
      seen.via_name = lease.via_name;
      consider(it->second, lease.target, lease.via_name.empty() ? nullptr : &seen, now, true);
    }
    apply(now);
    return out.set("lease", lease_node(*book_->find(*id), now));
  }
  return error_node(make_error(
      ErrorKind::kUnsupported, "unknown command \"" + printable(cmd, 40) + "\"", {},
      "leases, lift, rollback, rollbacks, batches, resume, why, approve, shadow, promote, report, dispute, disputes, "
      "stats, status"));
}

json::Node Core::status() {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  json::Node n = json::Node::object();
  n.set("time", to_text(now))
      .set("mode", config_.guard.mode == enforce::Mode::kBlock ? "block" : "monitor")
      .set("enforcer", enforcer_.name());
  n.set("enforcer_detail", enforcer_.detail());
  if (names_enforcer_ != nullptr) n.set("names_enforcer", names_enforcer_->name()).set("names_error", names_error_);
  json::Node wrong = json::Node::object();
  for (const auto& [what, why] : said_.wrong()) wrong.set(what, why);
  n.set("wrong", std::move(wrong)).set("clock_jumps", clock_jumps_);
  n.set("enforcer_error", enforcer_error_).set("last_contact", to_text(last_contact_));
  n.set("indicators", live_.size())
      .set("taken", indicators_taken_)
      .set("revoked", revoked_)
      .set("unusable", unusable_)
      .set("compound", compound_status())
      .set("bad_objects", objects_bad_);
  n.set("detections", detections_);
  if (history_ != nullptr) {
    const auto past = history_->stats();
    n.set("history", json::Node::object()
                         .set("seen", past.seen)
                         .set("bytes", past.bytes)
                         .set("segments", past.segments)
                         .set("lost", past.lost)
                         .set("damaged", past.damaged)
                         .set("hits", past_hits_));
  }
  n.set("leases", json::Node::object()
                      .set("active", book_->count(LeaseState::kActive))
                      .set("shadow", book_->count(LeaseState::kShadow))
                      .set("waiting", book_->count(LeaseState::kWaiting))
                      .set("left_out", reconciler_.left_out().size()));
  json::Node refused = json::Node::object();
  for (const auto& [code, count] : refusals_) refused.set(code, count);
  n.set("refused", std::move(refused));
  const auto totals = enforcer_.totals();
  if (totals.ok()) {
    n.set("dropped_packets", totals->dropped_packets).set("dropped_bytes", totals->dropped_bytes);
    n.set("shadow_packets", totals->shadow_packets).set("shadow_bytes", totals->shadow_bytes);
    n.set("open_packets", totals->open_packets);
  }
  json::Node stopped = json::Node::object();
  for (const auto& [partner, count] : stopped_by_partner_) stopped.set(partner.empty() ? "own" : partner, count);
  n.set("packets_by_partner", std::move(stopped));
  n.set("sightings", json::Node::object()
                         .set("queued", sightings_.queued())
                         .set("sent", sightings_.sent())
                         .set("lost", sightings_.lost()));
  json::Node agreements = json::Node::object();
  for (const auto& [id, state] : instruments_.states()) agreements.set(id, state);
  n.set("agreements", std::move(agreements));
  return n;
}

}  // namespace entente::sensor
