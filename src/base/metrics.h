// Counters, gauges and histograms of one process, printed in the Prometheus text format. A Metrics is constructed in
// node and sensor and passed down; there is no global registry. Thread-safe; the returned references live as long as
// the Metrics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace entente {

class Counter {
 public:
  void add(uint64_t n = 1) { v_.fetch_add(n, std::memory_order_relaxed); }
  void set(uint64_t n) { v_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] uint64_t value() const { return v_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> v_{0};
};

// Buckets are powers of two of microseconds.
class Histogram {
 public:
  void record_us(int64_t us);
  [[nodiscard]] uint64_t count() const;
  [[nodiscard]] int64_t quantile_us(double q) const;

 private:
  friend class Metrics;
  std::array<std::atomic<uint64_t>, 40> buckets_{};
  std::atomic<uint64_t> sum_us_{0};
};

class Metrics {
 public:
  // `labels` as in `endpoint="objects",code="200"`; may be empty.
  Counter& counter(std::string_view name, std::string_view help, std::string_view labels = {});
  Counter& gauge(std::string_view name, std::string_view help, std::string_view labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::string_view labels = {});
  [[nodiscard]] std::string prometheus() const;

 private:
  struct Family {
    std::string help;
    std::string type;
    std::map<std::string, std::unique_ptr<Counter>> counters;
    std::map<std::string, std::unique_ptr<Histogram>> histograms;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
};

}  // namespace entente
