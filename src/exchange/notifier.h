// Long polls that wait for something new in a collection. Holds no thread: notify() and tick() are called by who
// commits and who keeps time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "base/uuid.h"

namespace entente::exchange {

// Thread-safe. Wakes run through `post`, each exactly once.
class Notifier {
 public:
  explicit Notifier(std::function<void(std::function<void()>)> post) : post_(std::move(post)) {}

  // `ready` is asked once after the waiter is registered, so that nothing falls between a reader's look and its wait.
  void wait(const Uuid& collection, int64_t deadline_us, const std::function<bool()>& ready,
            std::function<void()> wake);
  void notify(const Uuid& collection);
  void tick(int64_t steady_us);  // ends what is past its deadline
  void wake_all();               // shutting down
  [[nodiscard]] size_t waiting() const;

 private:
  struct Waiter {
    int64_t deadline_us = 0;
    std::function<void()> wake;
  };
  std::function<void(std::function<void()>)> post_;
  mutable std::mutex mutex_;
  std::map<Uuid, std::vector<Waiter>> waiters_;
};

}  // namespace entente::exchange
