// What the present time makes of the agreements' acts: pairs that are live, measures of joint actions.
#include <utility>

#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;
using enforce::LeaseState;

const JointOrder* Core::joint_order(const ReceivedIndicator& indicator) const {
  const auto it = orders_.find(indicator.id);
  return it != orders_.end() && it->second.version == indicator.version ? &it->second : nullptr;
}

// A measure that begins, ends or changes has its leases judged anew at once: T-0 and a stand-down are moments.
void Core::refold_joint(Time now) {
  if (instruments_.joint_orders() == orders_) return;
  std::set<std::string> changed;
  const JointOrders& fresh = instruments_.joint_orders();
  for (const JointOrders* side : {&std::as_const(orders_), &fresh}) {
    const auto& other = side == &orders_ ? fresh : orders_;
    for (const auto& [indicator, order] : *side) {
      const auto it = other.find(indicator);
      if (it == other.end() || !(it->second == order)) changed.insert(indicator);
    }
  }
  const JointOrders before = std::exchange(orders_, fresh);
  for (const auto& indicator : changed) {
    const bool began = orders_.contains(indicator);
    const JointOrder& order = began ? orders_.at(indicator) : before.at(indicator);
    emit("joint_measure", json::Node::object()
                              .set("action", order.action)
                              .set("title", order.title)
                              .set("indicator", indicator)
                              .set("do", order.drop ? "drop" : "count")
                              .set("in_effect", began));
    for (const Lease* lease : book_->of_indicator(indicator)) {
      // What a name led to is only leased again when it is seen again: if it does what the measure wants, it stays.
      const bool fits = lease->joint.empty() && (!began || (lease->state == LeaseState::kActive) == order.drop);
      if (lease->via_name.empty() || !fits) end({.id = lease->id}, enforce::ended::kJoint, now);
    }
  }
  // Then as the agreement alone, or the new measure, says.
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].usable && changed.contains(rows_[i].indicator.id))
      propose_addresses(static_cast<uint32_t>(i + 1), now);
  }
}

std::string Core::joint_report() {
  const Lock lock(mutex_);
  std::map<std::string, agreement::JointReport> by_action;
  for (const auto& [indicator, order] : orders_) by_action.try_emplace(order.action);
  if (by_action.empty() && joint_told_.empty()) return {};
  for (const auto& [action, report] : joint_told_) by_action.try_emplace(action);
  for (const Lease& lease : book_->snapshot(true)) {
    const auto it = by_action.find(lease.joint);
    if (it == by_action.end()) continue;
    agreement::JointReport& r = it->second;
    r.hits += lease.hits;
    if (lease.state == LeaseState::kActive) ++r.dropping;
    if (lease.state == LeaseState::kShadow) ++r.counting;
    if (lease.state == LeaseState::kWaiting) ++r.waiting;
  }
  json::Node list = json::Node::array();
  for (auto& [action, r] : by_action) {
    if (const auto it = joint_refused_.find(action); it != joint_refused_.end()) r.refused = it->second.size();
    json::Node n = json::Node::object();
    n.set("action", action).set("dropping", r.dropping).set("counting", r.counting).set("waiting", r.waiting);
    n.set("refused", r.refused).set("hits", r.hits);
    std::string& told = joint_told_[action];
    std::string text = json::write(n);
    if (told == text) continue;
    told = std::move(text);
    list.push(std::move(n));
  }
  if (list.list().empty()) return {};
  return json::write(json::Node::object().set("reports", std::move(list)));
}

void Core::joint_report_lost() {
  const Lock lock(mutex_);
  for (auto& [action, told] : joint_told_) told.clear();
}

void Core::refold(Time now) {
  if (!instruments_known_) return;
  instruments_.fold(now);
  refold_joint(now);
  std::set<std::pair<std::string, std::string>> pairs;
  for (const Source& s : sources_) {
    if (!s.agreement.empty()) pairs.emplace(s.agreement, s.partner);
  }
  if (live_pairs_.empty()) {  // the first time: leases may rest on agreements that nothing else speaks of
    for (const Lease& lease : book_->snapshot(false)) {
      if (!lease.agreement.empty()) pairs.emplace(lease.agreement, lease.partner);
    }
  }
  for (const auto& pair : pairs) {
    const bool is_live = instruments_.live(pair.first, pair.second);
    const auto known = live_pairs_.find(pair);
    if (known != live_pairs_.end() && known->second == is_live) continue;
    live_pairs_[pair] = is_live;
    emit("agreement",
         json::Node::object().set("agreement", pair.first).set("partner", pair.second).set("live", is_live));
    if (!is_live) {
      end({.agreement = pair.first, .partner = pair.second}, enforce::ended::kAgreement, now);
    } else {
      for (size_t i = 0; i < rows_.size(); ++i) {
        const Source& s = sources_[rows_[i].source];
        if (rows_[i].usable && s.agreement == pair.first && s.partner == pair.second)
          propose_addresses(static_cast<uint32_t>(i + 1), now);
      }
    }
  }
}

}  // namespace entente::sensor
