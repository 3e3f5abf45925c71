// The socket by which `entente lease` speaks to a running sensor: a Unix socket in its state folder, mode 0600; one
// JSON line each way.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace entente::sensor {

// Asks a running sensor. `request` is one JSON object. kUnavailable if none runs there.
[[nodiscard]] Result<std::string> control(const std::string& socket_path, std::string_view request,
                                          int timeout_ms = 10'000);

class ControlServer {
 public:
  // kConflict if a sensor already listens there.
  static Result<std::unique_ptr<ControlServer>> open(const std::string& socket_path,
                                                     std::function<std::string(std::string_view)> answer);
  ~ControlServer();  // stops, removes the socket

 private:
  struct State;
  explicit ControlServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace entente::sensor
