#include "net/supervisor.h"

#include <condition_variable>
#include <mutex>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <time.h>

namespace entente::net {

namespace {

void tell(const std::string& text) { (void)sd_notify(0, text.c_str()); }

}  // namespace

Supervisor Supervisor::from_environment() {
  Supervisor s;
  const int n = sd_listen_fds(1);
  for (int i = 0; i < n; ++i) s.sockets_.push_back(SD_LISTEN_FDS_START + i);
  uint64_t us = 0;
  // The address to talk to stays in the environment: sd_notify reads it each time.
  if (sd_watchdog_enabled(1, &us) > 0 && us > 0) s.interval_ = std::chrono::microseconds(us);
  return s;
}

Supervisor::Supervisor(Supervisor&& other) noexcept = default;
Supervisor::~Supervisor() = default;

void Supervisor::ready(const std::string& status) const { tell("READY=1\nSTATUS=" + status); }

void Supervisor::reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000LL + now.tv_nsec / 1000));
}

void Supervisor::stopping() const { tell("STOPPING=1"); }

void Supervisor::watch(std::function<bool()> alive) {
  if (!interval_) return;
  watchdog_ = std::jthread([pause = *interval_ / 2, alive = std::move(alive)](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      if (alive()) tell("WATCHDOG=1");
      wake.wait_for(lock, stop, pause, [] { return false; });
    }
  });
}

}  // namespace entente::net
