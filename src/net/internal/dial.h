// Making a TCP connection under a deadline that another thread can cut short.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"

namespace entente::net::internal {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  int release();

 private:
  int fd_ = -1;
};

// Once set, for good. Wakes every wait_for().
class CancelFlag {
 public:
  CancelFlag();
  void set();
  [[nodiscard]] bool is_set() const { return set_.load(std::memory_order_acquire); }
  [[nodiscard]] int fd() const { return event_.get(); }  // readable once set

 private:
  std::atomic<bool> set_{false};
  Fd event_;
};

using Deadline = std::chrono::steady_clock::time_point;

enum class Waited { kReady, kTimeout, kCancelled };
// Waits for poll(2) events on fd (-1: only for cancel and time-out).
Waited wait_for(int fd, short events, const CancelFlag& cancel, Deadline deadline);

// A non-blocking connected socket with TCP_NODELAY; tries every address of the name in turn.
Result<Fd> dial(const std::string& host, const std::string& port, const std::shared_ptr<CancelFlag>& cancel,
                Deadline deadline);

}  // namespace entente::net::internal
