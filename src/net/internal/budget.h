// How much all connections of a server hold together.
#pragma once

#include <atomic>
#include <cstddef>

namespace entente::net::internal {

// Thread-safe.
class Budget {
 public:
  explicit Budget(size_t most) : most_(most) {}
  // Takes in any case; false: that was more than there is.
  bool take(size_t n) { return held_.fetch_add(n, std::memory_order_relaxed) + n <= most_; }
  void give_back(size_t n) { held_.fetch_sub(n, std::memory_order_relaxed); }
  [[nodiscard]] bool over() const { return held() > most_; }
  [[nodiscard]] size_t held() const { return held_.load(std::memory_order_relaxed); }

 private:
  const size_t most_;
  std::atomic<size_t> held_{0};
};

// One holder's part of a budget; goes back with it.
class Share {
 public:
  explicit Share(Budget* budget) : budget_(budget) {}
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;
  ~Share() { set(0); }
  // False: the budget is exceeded. The share is as asked in any case.
  bool set(size_t n) {
    if (budget_ == nullptr) return true;
    bool good = true;
    if (n > held_) good = budget_->take(n - held_);
    if (n < held_) budget_->give_back(held_ - n);
    held_ = n;
    return good;
  }

 private:
  Budget* budget_;
  size_t held_ = 0;
};

}  // namespace entente::net::internal
