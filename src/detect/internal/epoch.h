// A pointer that many readers follow without waiting while a writer exchanges what it points to; the old value is freed
// when no reader can hold it any more. (libstdc++ 12's atomic<shared_ptr> takes a lock in every load.)
//
// A reader raises the counter of its slot, then loads the pointer. Once the writer, after the exchange, has seen a
// slot's counter at zero, every reader of that slot that could have loaded the old pointer is done: its raise came
// before its load, which came before the exchange.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace entente::detect {

template <class T>
class Epoch {
 public:
  explicit Epoch(std::unique_ptr<const T> first) : now_(first.release()) {}
  Epoch(const Epoch&) = delete;
  Epoch& operator=(const Epoch&) = delete;
  // Requires: no readers.
  ~Epoch() { delete now_.load(); }

  class Reader {
   public:
    explicit Reader(const Epoch& e) : counter_(&e.counters_[slot()].active) {
      counter_->fetch_add(1, std::memory_order_seq_cst);
      value_ = e.now_.load(std::memory_order_seq_cst);
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() { counter_->fetch_sub(1, std::memory_order_release); }
    const T& operator*() const { return *value_; }
    const T* operator->() const { return value_; }

   private:
    std::atomic<uint32_t>* counter_;
    const T* value_;
  };

  // The writer's functions; the caller sees to it that there is one at a time.
  [[nodiscard]] const T& current() const { return *now_.load(std::memory_order_relaxed); }
  void exchange(std::unique_ptr<const T> next) {
    fresh_.emplace_back(now_.exchange(next.release(), std::memory_order_seq_cst));
    if (fresh_.size() >= 64) reclaim();
  }
  // Frees what no reader can hold any more; never waits.
  void reclaim() {
    if (waiting_.empty()) {
      waiting_.swap(fresh_);
      passed_.reset();
    }
    for (size_t i = 0; i < kSlots; ++i)
      if (!passed_[i] && counters_[i].active.load(std::memory_order_seq_cst) == 0) passed_.set(i);
    if (passed_.all()) waiting_.clear();
  }
  [[nodiscard]] bool pending() const { return !fresh_.empty() || !waiting_.empty(); }

 private:
  static constexpr size_t kSlots = 64;
  struct alignas(64) Counter {
    mutable std::atomic<uint32_t> active{0};
  };
  static size_t slot() {
    static std::atomic<size_t> next{0};
    thread_local const size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kSlots;
    return mine;
  }

  std::atomic<const T*> now_;
  std::array<Counter, kSlots> counters_;
  std::vector<std::unique_ptr<const T>> fresh_,
      waiting_;                 // retired; `waiting_` all before the first look at the counters
  std::bitset<kSlots> passed_;  // slots seen idle since `waiting_` was filled
};

}  // namespace entente::detect
