// The sensor process: reads traffic, matches, guards, holds leases, tells its node what was seen.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/metrics.h"
#include "base/result.h"
#include "net/supervisor.h"
#include "sensor/config.h"
#include "sensor/control.h"
#include "sensor/core.h"
#include "sensor/link.h"

namespace entente::sensor {

// A running sensor. Acts in the network namespace of the thread that starts it.
class Sensor {
 public:
  struct Parts {  // what is not given is made from the configuration
    Connect connect{};
    std::unique_ptr<enforce::Enforcer> enforcer{};
    Clock* clock = nullptr;
    Files* files = nullptr;
  };
  static Result<std::unique_ptr<Sensor>> start(const SensorConfig& config) { return start(config, Parts{}); }
  static Result<std::unique_ptr<Sensor>> start(const SensorConfig& config, Parts parts);
  ~Sensor();  // stops
  void
  stop();  // last counters and sightings are kept, status.json is written; blocks stay, or are taken away (at_stop)
  [[nodiscard]] Core& core();
  [[nodiscard]] std::string status_text();  // what status.json has
  // Why it cannot go on; ok while it runs. An interface that goes away is no reason: status.json tells of it.
  [[nodiscard]] Status health();

 private:
  Sensor();
  struct State;
  std::unique_ptr<State> state_;
};

// Runs until stop is requested. The service manager is told when it is ready and when
// it stops, and that it is well.
[[nodiscard]] Status run_sensor(const SensorConfig& config, std::stop_token stop, net::Supervisor& supervisor);

}  // namespace entente::sensor
