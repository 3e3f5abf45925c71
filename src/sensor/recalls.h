// What this sensor answers its node about recalls: per recalled object that it came, how many leases it ended, and per
// enforcer when its elements were gone, or why they are not yet. Beside it, up to where each collection was applied:
// that answers for everything older, and heals what was lost on the way. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "json/node.h"

namespace entente::sensor {

class Recalls {
 public:
  // Of this sensor, for its node. `enforcers`: those that hold elements; none where nothing is enforced.
  struct Self {
    std::string sensor;  // id, made once
    std::string mode;    // "block" | "monitor"
    bool exercise = false;
    std::vector<std::string> enforcers;
  };
  void is(Self self) { self_ = std::move(self); }

  // A revoked version came; `leases` of it were ended, and `also` of their targets stay blocked on the word of other
  // objects.
  void recalled(const std::string& collection, const std::string& id, const std::string& version, uint64_t leases,
                uint64_t also, Time now);
  // Something was recalled, of whatever kind: the node is told at once how far this sensor is.
  void tell_soon() { soon_ = true; }
  // All of the collection up to there was taken in.
  void reached(const std::string& collection, Time position) { reached_[collection] = position; }
  // What the enforcers did with what was taken in so far: by name, "" = done, else why not. One that is not named is
  // done.
  void settle(const std::map<std::string, std::string>& errors, Time now);

  // Those outside this process's own tables, which look by themselves at what is in force: published lists, routers.
  // They answer as the enforcers do, from when they are known on.
  void outside(const std::string& name) { outside_.emplace(name, Outside{}); }
  // How many recalls there were: what `outside_did` says is of those before it looked.
  [[nodiscard]] uint64_t count() const { return count_; }
  // It has done what `seen` recalls asked for; `error`: why not, "" if it has.
  void outside_did(const std::string& name, uint64_t seen, const std::string& error, Time now);

  // What is to be told now, as POST /api/v1/sensors/report takes it; "" if nothing is. One report at a time.
  [[nodiscard]] std::string report(Time now);
  // It arrived, or it has to be told again.
  void told(bool arrived, Time now);

  static constexpr int64_t kHeartbeatUs = 20'000'000;
  static constexpr size_t kMostAtOnce = 500;
  // More that were never told: the oldest go, the position of their collection answers for them.
  static constexpr size_t kMostKept = 20'000;

 private:
  struct Object {
    std::string collection, id, version;
    Time received;
    uint64_t leases = 0, also = 0;
    std::map<std::string, std::optional<Time>> withdrawn;  // by enforcer
    std::map<std::string, std::string> held;               // by enforcer: why
    bool due = true;                                       // changed since it was told
    uint64_t number = 0;                                   // counted from 1
    [[nodiscard]] bool done() const;
    [[nodiscard]] json::Node node() const;
  };
  struct Outside {
    uint64_t seen = 0;  // recalls that it has carried out
    std::string error;
  };
  // An object is gone from there, or is held for a reason that may be new.
  static void settle_one(Object& o, const std::string& name, const std::string& error, Time now);
  void apply();
  Self self_;
  std::deque<Object> objects_;
  uint64_t count_ = 0;
  std::map<std::string, Outside> outside_;
  std::map<std::string, Time> reached_, taken_, applied_;  // by collection: read; in the own tables; everywhere
  bool soon_ = false, flying_soon_ = false;
  size_t in_flight_ = 0;  // objects_ from the front that the report under way names
  std::optional<Time> last_told_;
};

}  // namespace entente::sensor
