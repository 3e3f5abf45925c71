// The sensor's link to its node: one thread that follows the agreements, one per collection that waits for new objects
// (long poll), one that hands sightings in. Connections that break are made again; what was received is never asked for
// twice.
#pragma once

#include <functional>
#include <memory>

#include "base/metrics.h"
#include "net/http.h"
#include "sensor/config.h"
#include "sensor/core.h"

namespace entente::sensor {

// A new connection to the node.
using Connect = std::function<Result<std::unique_ptr<net::Client>>()>;

class Link {
 public:
  Link(const SensorConfig& config, const std::string& token, Connect connect, Core& core);
  ~Link();  // stops
  void start();
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::sensor
