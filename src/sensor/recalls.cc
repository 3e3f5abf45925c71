#include "sensor/recalls.h"

#include <algorithm>
#include <utility>

namespace entente::sensor {

bool Recalls::Object::done() const {
  return std::ranges::all_of(withdrawn, [](const auto& w) { return w.second.has_value(); });
}

json::Node Recalls::Object::node() const {
  json::Node places = json::Node::array();
  for (const auto& [name, at] : withdrawn) {
    json::Node place = json::Node::object().set("name", name);
    if (at) {
      place.set("withdrawn", to_text(*at));
    } else {
      const auto why = held.find(name);
      place.set("held", why == held.end() ? "the enforcer has not been asked yet" : why->second);
    }
    places.push(std::move(place));
  }
  json::Node n = json::Node::object();
  n.set("collection", collection).set("id", id).set("version", version).set("received", to_text(received));
  return n.set("leases", leases).set("also", also).set("enforcers", std::move(places));
}

void Recalls::recalled(const std::string& collection, const std::string& id, const std::string& version,
                       uint64_t leases, uint64_t also, Time now) {
  Object o{collection, id, version, now, leases, also, {}, {}, true, ++count_};
  for (const auto& name : self_.enforcers) o.withdrawn[name] = std::nullopt;
  for (const auto& [name, there] : outside_) o.withdrawn[name] = std::nullopt;
  objects_.push_back(std::move(o));
  if (objects_.size() <= kMostKept) return;
  objects_.pop_front();
  if (in_flight_ > 0) --in_flight_;
}

void Recalls::settle_one(Object& o, const std::string& name, const std::string& error, Time now) {
  const auto place = o.withdrawn.find(name);
  if (place == o.withdrawn.end() || place->second) return;
  if (error.empty()) {
    place->second = now;
    o.held.erase(name);
    o.due = true;
  } else if (std::string& why = o.held[name]; why != error) {
    why = error;
    o.due = true;
  }
}

void Recalls::apply() {
  const bool all = std::ranges::all_of(
      outside_, [this](const auto& there) { return there.second.seen == count_ && there.second.error.empty(); });
  if (all) applied_ = taken_;
}

void Recalls::settle(const std::map<std::string, std::string>& errors, Time now) {
  const auto error_of = [&errors](const std::string& name) {
    const auto e = errors.find(name);
    return e == errors.end() ? std::string() : e->second;
  };
  if (std::ranges::all_of(self_.enforcers, [&](const auto& name) { return error_of(name).empty(); })) taken_ = reached_;
  apply();
  for (auto& o : objects_)
    for (const auto& name : self_.enforcers) settle_one(o, name, error_of(name), now);
}

void Recalls::outside_did(const std::string& name, uint64_t seen, const std::string& error, Time now) {
  Outside& there = outside_[name];
  there.seen = error.empty() ? seen : there.seen;
  there.error = error;
  apply();
  for (auto& o : objects_)
    if (o.number <= seen) settle_one(o, name, error, now);
}

std::string Recalls::report(Time now) {
  // Only what changed: a recall goes at once, positions and a sign of life each heartbeat.
  const bool heartbeat = !last_told_ || now.us - last_told_->us >= kHeartbeatUs || now < *last_told_;
  const bool any = std::ranges::any_of(objects_, [](const Object& o) { return o.due; });
  if (!heartbeat && !any && !(soon_ && applied_ == reached_)) return {};
  flying_soon_ = std::exchange(soon_, soon_ && applied_ != reached_) && !soon_;
  json::Node enforcers = json::Node::array();
  for (const auto& name : self_.enforcers) enforcers.push(name);
  for (const auto& [name, there] : outside_) enforcers.push(name);
  json::Node applied = json::Node::object();
  for (const auto& [collection, at] : applied_) applied.set(collection, to_text(at));
  json::Node list = json::Node::array();
  in_flight_ = std::min(objects_.size(), kMostAtOnce);
  for (size_t i = 0; i < in_flight_; ++i) {
    if (objects_[i].due) list.push(objects_[i].node());
    objects_[i].due = false;
  }
  json::Node n = json::Node::object();
  n.set("sensor", self_.sensor).set("mode", self_.mode).set("exercise", self_.exercise);
  n.set("enforcers", std::move(enforcers)).set("applied", std::move(applied)).set("recalled", std::move(list));
  return json::write(n);
}

void Recalls::told(bool arrived, Time now) {
  const size_t n = std::exchange(in_flight_, 0);
  if (!arrived) {
    soon_ = soon_ || flying_soon_;
    for (size_t i = 0; i < n; ++i) objects_[i].due = true;
    return;
  }
  last_told_ = now;
  // What is withdrawn everywhere and has been told is of no more concern here.
  size_t i = 0;
  std::erase_if(objects_, [&](const Object& o) { return i++ < n && o.done() && !o.due; });
}

}  // namespace entente::sensor
