// One command takes back what a partner's indicators of a span of time did: their leases end, and none comes back.
#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;

namespace {

struct Span {
  std::string partner;
  Time since{0}, until{0};
};

Result<Span> span_of(const json::Value& request, Time now) {
  Span s;
  const auto partner = json::find_string(request, "partner");
  if (!partner) return invalid("roll back whose indicators?", {}, "give --from PARTY, or --from own");
  s.partner = *partner == "own" ? "" : std::string(*partner);
  const auto since = json::find_string(request, "since");
  if (!since) return invalid("roll back since when?", {}, "give --since TIME, as in 2026-11-24T10:00:00Z");
  TRY(s.since, parse_time(*since));
  s.until = now;
  if (const auto until = json::find_string(request, "until")) {
    TRY(s.until, parse_time(*until));
  }
  if (s.until > now)
    return invalid("the end lies ahead: what comes later is not known yet", to_text(s.until),
                   "leave --until out, or name a past time");
  if (s.since > s.until) return invalid("the span ends before it begins", to_text(s.since));
  return s;
}

}  // namespace

// The indicators of the span, and every lease in force or waiting that is theirs or was granted in the span for an
// indicator of that partner.
Result<json::Node> Core::roll_back(const json::Value& request, Time now) {
  Span span;
  std::set<std::string> indicators;
  const auto batch = json::find_string(request, "batch");
  if (batch) {
    span.since = Time{INT64_MAX};
    for (const Row& row : rows_) {
      if (row.batch != *batch) continue;
      span.partner = sources_[row.source].partner;
      span.since = std::min(span.since, row.arrived);
      span.until = std::max(span.until, row.arrived);
    }
    if (span.since.us == INT64_MAX)
      return make_error(ErrorKind::kNotFound, "there is no such batch", printable(*batch, 60),
                        "see 'entente lease batches'");
  } else {
    TRY(span, span_of(request, now));
  }
  for (const Row& row : rows_) {
    if (sources_[row.source].partner == span.partner && row.arrived >= span.since && row.arrived <= span.until)
      indicators.insert(row.indicator.id);
  }
  poll_hits();
  std::vector<uint64_t> ids;
  for (const Lease& lease : book_->snapshot(false)) {
    const bool granted_then = !batch && lease.start >= span.since && lease.start <= span.until;
    if (lease.partner == span.partner && (granted_then || indicators.contains(lease.indicator)))
      ids.push_back(lease.id);
  }
  json::Node out = json::Node::object().set("ok", true).set("indicators", indicators.size());
  if (!json::find_bool(request, "yes").value_or(false)) {
    json::Node list = json::Node::array();
    for (const uint64_t id : ids) list.push(lease_node(*book_->find(id), now));
    return out.set("leases", std::move(list)).set("done", false);
  }
  if (indicators.empty() && ids.empty())
    return make_error(
        ErrorKind::kNotFound,
        "nothing of " + (span.partner.empty() ? "ours" : span.partner) + " came or was leased in that span", {},
        "see 'entente lease list'");
  TRY(const json::Node done,
      end_and_roll_back({.partner = span.partner,
                         .since = span.since,
                         .until = span.until,
                         .at = now,
                         .reason = std::string(json::find_string(request, "reason").value_or(""))},
                        ids, indicators.size(), now));
  for (const auto& [key, value] : done.members()) out.set(key, value);
  return out;
}

Result<json::Node> Core::end_and_roll_back(Rollback rule, const std::vector<uint64_t>& leases, size_t indicators,
                                           Time now) {
  json::Node out = json::Node::object();
  // The rule first: were the power to fail in between, what is still leased is judged again at the start.
  TRY(rule, rollbacks_.add(std::move(rule)));
  std::vector<Lease> gone;
  for (const uint64_t id : leases) {
    for (Lease& lease : book_->end({.id = id}, enforce::ended::kRolledBack, now)) gone.push_back(std::move(lease));
  }
  taken_off(gone, now, "leases", out);
  emit("rolled_back", to_json(rule).set("leases", leases.size()).set("indicators", indicators));
  out.set("done", true).set("rollback", rule.name());
  return out;
}

json::Node Core::rollback_list() const {
  json::Node list = json::Node::array();
  for (const Rollback& r : rollbacks_.all()) {
    size_t indicators = 0;
    for (const Row& row : rows_)
      indicators += rollbacks_.covers(sources_[row.source].partner, row.arrived) == &r ? 1 : 0;
    json::Node n = to_json(r);
    n.erase("id");
    list.push(n.set("rollback", r.name()).set("indicators", indicators));
  }
  return json::Node::object().set("ok", true).set("rollbacks", std::move(list));
}

// Leases come back as the guard judges them now.
Result<json::Node> Core::resume(const json::Value& request, Time now) {
  TRY(const Rollback rule, rollbacks_.remove(json::find_string(request, "rollback").value_or("")));
  for (const Lease& lease : book_->snapshot(true)) {
    if (lease.ended_by == enforce::ended::kRolledBack && rule.partner == lease.partner && lease.ended_at == rule.at)
      lifted_.erase(lease.indicator + "|" + lease.version + "|" + lease.target.text());
  }
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].usable && rule.covers(sources_[rows_[i].source].partner, rows_[i].arrived))
      propose_addresses(static_cast<uint32_t>(i + 1), now);
  }
  apply(now);
  emit("resumed", to_json(rule));
  return json::Node::object().set("ok", true).set("rollback", rule.name());
}

}  // namespace entente::sensor
