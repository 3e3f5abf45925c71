#include "exchange/joint.h"

#include <tuple>

#include "base/bytes.h"
#include "base/log.h"

namespace entente::exchange {

namespace {

constexpr int64_t kSoonUs = 1'000'000;   // a lease more or less
constexpr int64_t kHitsUs = 30'000'000;  // only hits

agreement::JointReport sum(const std::map<std::string, agreement::JointReport>& by_sensor) {
  agreement::JointReport all;
  for (const auto& [sensor, r] : by_sensor) {
    all.dropping += r.dropping;
    all.counting += r.counting;
    all.waiting += r.waiting;
    all.refused += r.refused;
    all.hits += r.hits;
  }
  return all;
}

bool same_leases(const agreement::JointReport& x, const agreement::JointReport& y) {
  return std::tie(x.dropping, x.counting, x.waiting, x.refused) ==
         std::tie(y.dropping, y.counting, y.waiting, y.refused);
}

}  // namespace

std::vector<agreement::JointAction> JointDesk::actions() const {
  std::vector<agreement::JointAction> out;
  const Time now = cx_.clock.now();
  for (const auto& state : instruments_.states()) {
    auto found = instruments_.joint(state->agreement_id).at(*state, now);
    out.insert(out.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  }
  return out;
}

Status JointDesk::reported(const std::string& sensor, const std::string& action, const agreement::JointReport& report) {
  std::string agreement_id;
  for (const auto& a : actions())
    if (a.id == action) agreement_id = a.agreement_id;
  if (agreement_id.empty())
    return make_error(ErrorKind::kNotFound, "no such joint action is known here", printable(action, 64));
  const std::lock_guard lock(mutex_);
  Desk& desk = desks_[action];
  desk.agreement_id = std::move(agreement_id);
  desk.by_sensor[sensor] = report;
  return {};
}

void JointDesk::tick() {
  std::vector<std::string> due;
  {
    const std::lock_guard lock(mutex_);
    const int64_t now = cx_.clock.steady_us();
    for (auto& [action, desk] : desks_) {
      const agreement::JointReport all = sum(desk.by_sensor);
      const bool leases = !desk.ever || !same_leases(all, desk.sent);
      if (!leases && all.hits == desk.sent.hits) continue;
      if (desk.tried && now - *desk.tried < (leases ? kSoonUs : kHitsUs)) continue;
      desk.tried = now;
      due.push_back(action);
    }
  }
  // Signing and committing wait for the disk, and who calls this may not.
  for (auto& action : due) cx_.post([this, action = std::move(action)] { send(action); });
}

void JointDesk::send(const std::string& action) {
  Desk desk;
  {
    const std::lock_guard lock(mutex_);
    desk = desks_[action];
  }
  const auto state = instruments_.state(desk.agreement_id);
  if (!state || !state->document) return;
  const agreement::JointReport all = sum(desk.by_sensor);
  json::Node body = json::Node::object();
  body.set("action", action).set("dropping", all.dropping).set("counting", all.counting).set("waiting", all.waiting);
  body.set("refused", all.refused).set("hits", all.hits);
  const auto path = state->path.find(cx_.config.party);
  const std::string text = path == state->path.end() ? state->document->hash : path->second.back();
  agreement::Act act{"joint_report", desk.agreement_id, text, "", cx_.config.party, cx_.clock.now(), std::move(body)};
  agreement::SignedAct step{std::move(act), {}};
  step.sigs.push_back(agreement::sign_act(step.act, cx_.config.node_kid, cx_.node_key));
  if (const Status done = submit_(step.text()); !done.ok()) {
    say_warn("the report on joint action {} is not sent: {}", action.substr(0, 12), done.error().text());
    return;
  }
  const std::lock_guard lock(mutex_);
  desks_[action].sent = all;
  desks_[action].ever = true;
}

}  // namespace entente::exchange
