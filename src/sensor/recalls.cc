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
  Object o{collection, id, version, now, leases, also, {}, {}, true};
  for (const auto& name : self_.enforcers) o.withdrawn[name] = std::nullopt;
  objects_.push_back(std::move(o));
  if (objects_.size() <= kMostKept) return;
  objects_.pop_front();
  if (in_flight_ > 0) --in_flight_;
}

void Recalls::settle(const std::map<std::string, std::string>& errors, Time now) {
  bool all_well = true;
  for (const auto& name : self_.enforcers) {
    const auto e = errors.find(name);
    all_well = all_well && (e == errors.end() || e->second.empty());
  }
  if (all_well) applied_ = reached_;
  for (auto& o : objects_) {
    if (o.done()) continue;
    for (auto& [name, at] : o.withdrawn) {
      if (at) continue;
      const auto e = errors.find(name);
      if (e == errors.end() || e->second.empty()) {
        at = now;
        o.held.erase(name);
        o.due = true;
      } else if (std::string& why = o.held[name]; why != e->second) {
        why = e->second;
        o.due = true;
      }
    }
  }
}

std::string Recalls::report(Time now) {
  // Only what changed: a recall goes at once, positions and a sign of life each heartbeat.
  const bool heartbeat = !last_told_ || now.us - last_told_->us >= kHeartbeatUs || now < *last_told_;
  const bool any = std::ranges::any_of(objects_, [](const Object& o) { return o.due; });
  if (!heartbeat && !any && !(soon_ && applied_ == reached_)) return {};
  flying_soon_ = std::exchange(soon_, soon_ && applied_ != reached_) && !soon_;
  json::Node enforcers = json::Node::array();
  for (const auto& name : self_.enforcers) enforcers.push(name);
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
