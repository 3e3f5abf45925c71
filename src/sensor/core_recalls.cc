// Of the core: what a recall does here, and what the node hears of it.
#include "base/log.h"
#include "base/uuid.h"
#include "sensor/core.h"

namespace entente::sensor {

namespace {

// "xdp+nftables" are two.
std::vector<std::string> places(const enforce::Enforcer& enforcer, const enforce::NameEnforcer* names) {
  std::vector<std::string> out;
  const std::string name = enforcer.name();
  for (size_t at = 0; name != "none" && at <= name.size();) {
    const size_t plus = std::min(name.find('+', at), name.size());
    out.push_back(name.substr(at, plus - at));
    at = plus + 1;
  }
  if (names != nullptr) out.push_back(names->name());
  return out;
}

}  // namespace

// A sensor is told from others by an id that it makes once and keeps with its state: two may share a token.
Status Core::introduce() {
  const std::string path = config_.state_dir + "/sensor.id";
  std::string id;
  if (const auto kept = files_.read(path); kept.ok()) id = kept->substr(0, kept->find('\n'));
  if (!parse_uuid(id)) {
    id = random_uuid().text();
    CHECK_OK(files_.write_atomic(path, id + "\n", 0600));
  }
  recalls_.is({id, config_.guard.mode == enforce::Mode::kBlock ? "block" : "monitor", config_.exercise,
               places(enforcer_, names_enforcer_)});
  return {};
}

// `known`: this sensor had the object. Its leases end also where it had lost it: the book may know more than the list.
void Core::take_back(uint32_t source, const ReceivedIndicator& in, bool known, Time now) {
  const Source& from = sources_[source];
  uint64_t leases = 0;
  std::vector<enforce::Target> targets;
  for (const enforce::Lease* lease : book_->of_indicator(in.id)) {
    if (lease->agreement != from.agreement || lease->partner != from.partner) continue;
    targets.push_back(lease->target);
    ++leases;
    end({.id = lease->id}, enforce::ended::kRevoked, now);
  }
  if (!started_ || (!known && leases == 0)) return;  // nothing of it was here: the position says so
  uint64_t also = 0;
  for (const auto& t : targets) also += book_->on_target(t.text()).empty() ? 0 : 1;
  recalls_.recalled(from.collection, in.id, in.version, leases, also, now);
}

void Core::settle_recalls(Time now) {
  std::map<std::string, std::string> errors;
  for (const auto& name : places(enforcer_, nullptr)) errors[name] = enforcer_error_;
  if (names_enforcer_ != nullptr) errors[names_enforcer_->name()] = names_error_;
  recalls_.settle(errors, now);
}

std::string Core::recall_report() {
  const Lock lock(mutex_);
  return recalls_.report(clock_.now());
}

void Core::recalls_wait_for(const std::string& outside) {
  const Lock lock(mutex_);
  recalls_.outside(outside);
}

uint64_t Core::recalls_until_now() const {
  const Lock lock(mutex_);
  return recalls_.count();
}

void Core::recalls_done(const std::string& outside, uint64_t until, const std::string& error) {
  const Lock lock(mutex_);
  recalls_.outside_did(outside, until, error, clock_.now());
}

void Core::recall_told(bool arrived) {
  const Lock lock(mutex_);
  recalls_.told(arrived, clock_.now());
}

}  // namespace entente::sensor
