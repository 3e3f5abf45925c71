// False-positive claims (docs/format/claims.md): the block ends at once, the claim goes to the originator through our
// node, and nothing comes back before it is answered.
#include "base/bytes.h"
#include "base/log.h"
#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;

// {"lease"} or {"indicator"}, {"reason"}.
Result<json::Node> Core::dispute(const json::Value& request, Time now) {
  if (const auto dropped = json::find_string(request, "drop")) {
    const std::string indicator(*dropped);
    CHECK_OK(disputes_.drop(indicator));
    settle_dispute(indicator, now);
    apply(now);
    return json::Node::object().set("ok", true);
  }
  const std::string reason = printable(json::find_string(request, "reason").value_or(""), 480);
  if (reason.empty()) return invalid("why is it false?", {}, "give --reason TEXT: its originator decides by it");
  std::string indicator(json::find_string(request, "indicator").value_or(""));
  std::optional<std::string> agreement;
  uint64_t hits = 0;
  poll_hits();
  if (const auto name = json::find_string(request, "lease")) {
    for (const Lease& lease : book_->snapshot(true)) {
      if (lease.name() != *name) continue;
      indicator = lease.indicator;
      agreement = lease.agreement;
      hits = lease.hits;
    }
    if (!agreement)
      return make_error(ErrorKind::kNotFound, "no such lease", printable(*name, 40), "see 'entente lease list --all'");
  }
  const Row* row = nullptr;
  for (const Row& r : rows_) {
    const Source& source = sources_[r.source];
    if (r.indicator.id != indicator || r.indicator.revoked) continue;
    if (agreement && source.agreement != *agreement) continue;
    if (row == nullptr || !source.agreement.empty()) row = &r;
  }
  if (row == nullptr)
    return make_error(ErrorKind::kNotFound, "no indicator that holds", printable(indicator, 80),
                      "name a lease, or an indicator that came and was not revoked");
  const Source source = sources_[row->source];
  if (source.agreement.empty())
    return make_error(ErrorKind::kDenied, "this indicator is of our own node: there is nobody to claim it from",
                      indicator, "recall it: 'entente recall " + indicator + "'");
  Dispute d;
  d.indicator = indicator;
  d.agreement = source.agreement;
  d.reason = reason;
  d.originator = source.partner;
  d.hits = hits;
  d.at = now;
  // Durable first: what is suspended must not come back after a crash.
  CHECK_OK(disputes_.add(d));
  settle_dispute(indicator, now);
  emit("disputed", to_json(d, now));
  retry_enforcer_ = Time{0};
  apply(now);
  return json::Node::object().set("ok", true).set("dispute", to_json(d, now)).set("applied", enforcer_error_.empty());
}

// The indicator's leases as its claim now stands.
void Core::settle_dispute(const std::string& indicator, Time now) {
  for (size_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    if (row.indicator.id != indicator || !row.usable) continue;
    const std::string& agreement = sources_[row.source].agreement;
    const Dispute* d = disputes_.find(indicator, agreement);
    if (d != nullptr && d->pending()) {
      for (const Lease* lease : book_->of_indicator(indicator)) {
        if (lease->agreement == agreement) end({.id = lease->id}, enforce::ended::kDisputed, now);
      }
    } else {
      propose_addresses(static_cast<uint32_t>(i + 1), now);
    }
  }
}

std::vector<Dispute> Core::disputes_due() {
  const Lock lock(mutex_);
  return disputes_.to_hand_in();
}

void Core::dispute_handed_in(const Dispute& d, Result<std::string> claim) {
  const Lock lock(mutex_);
  if (!claim.ok()) emit("claim_refused", to_json(d, clock_.now()).set("why", claim.error().text()));
  disputes_.handed_in(d.indicator, d.agreement, std::move(claim));
  flush_events();
}

void Core::on_claims(std::string_view text) {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  const auto changed = disputes_.from_node(text);
  if (!changed.ok()) {
    say_warn("claims: {}", changed.error().text());
    return;
  }
  for (const std::string& indicator : *changed) {
    for (const auto& [key, d] : disputes_.all()) {
      if (key.first != indicator) continue;
      emit("claim", to_json(d, now));
      if (d.state != "withdrawn") continue;
      for (const Row& row : rows_) {
        const Source& source = sources_[row.source];
        if (row.indicator.id != indicator || source.agreement != key.second) continue;
        effect_.false_claim({source.partner, row.indicator.by});
        break;
      }
    }
    settle_dispute(indicator, now);
  }
  if (!changed->empty()) apply(now);
}

json::Node Core::dispute_list(Time now) const {
  json::Node list = json::Node::array();
  for (const auto& [key, d] : disputes_.all()) {
    json::Node n = to_json(d, now);
    list.push(n.set("sentence", d.sentence(now)));
  }
  return json::Node::object().set("ok", true).set("disputes", std::move(list));
}

}  // namespace entente::sensor
