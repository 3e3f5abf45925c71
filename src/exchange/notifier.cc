#include "exchange/notifier.h"

#include <iterator>

namespace entente::exchange {

void Notifier::wait(const Uuid& collection, int64_t deadline_us, const std::function<bool()>& ready,
                    std::function<void()> wake) {
  {
    const std::lock_guard lock(mutex_);
    waiters_[collection].push_back({deadline_us, std::move(wake)});
  }
  if (ready()) notify(collection);
}

void Notifier::notify(const Uuid& collection) {
  std::vector<Waiter> due;
  {
    const std::lock_guard lock(mutex_);
    const auto it = waiters_.find(collection);
    if (it == waiters_.end()) return;
    due.swap(it->second);
    waiters_.erase(it);
  }
  for (auto& w : due) post_(std::move(w.wake));
}

void Notifier::tick(int64_t steady_us) {
  std::vector<Waiter> due;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      auto& list = it->second;
      for (size_t i = 0; i < list.size();) {
        if (list[i].deadline_us <= steady_us) {
          due.push_back(std::move(list[i]));
          if (i + 1 != list.size()) list[i] = std::move(list.back());
          list.pop_back();
        } else {
          ++i;
        }
      }
      it = list.empty() ? waiters_.erase(it) : std::next(it);
    }
  }
  for (auto& w : due) post_(std::move(w.wake));
}

void Notifier::wake_all() { tick(INT64_MAX); }

size_t Notifier::waiting() const {
  const std::lock_guard lock(mutex_);
  size_t n = 0;
  for (const auto& [_, list] : waiters_) n += list.size();
  return n;
}

}  // namespace entente::exchange
