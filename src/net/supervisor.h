// The service manager that started this process (systemd, or who else speaks its protocol): what it is told and what it
// gives. sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3). Without one, telling does nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace entente::net {

class Supervisor {
 public:
  // Takes the environment's sockets and watchdog; children do not inherit them. Call once, before there are threads.
  static Supervisor from_environment();
  ~Supervisor();  // stops the watchdog
  Supervisor(Supervisor&& other) noexcept;
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Listening sockets that were opened beforehand, lowest first.
  [[nodiscard]] const std::vector<int>& sockets() const { return sockets_; }

  void ready(const std::string& status) const;
  void reloading() const;  // to be followed by ready()
  void stopping() const;
  // Says that all is well, twice in each of the intervals that the manager asks for, while `alive` says so; from a
  // thread of its own. Without a watchdog it does nothing.
  void watch(std::function<bool()> alive);

 private:
  Supervisor() = default;
  std::vector<int> sockets_;
  std::optional<std::chrono::microseconds> interval_;
  std::jthread watchdog_;
};

}  // namespace entente::net
