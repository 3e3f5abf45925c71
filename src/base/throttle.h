// How often something may happen, by key: a token bucket each. For guesses at passwords by address, for requests by
// caller. One key's use never touches another's, so that nobody can be locked out by somebody else.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace entente {

// Thread-safe. Times are steady microseconds, given by the caller.
class Throttle {
 public:
  // `burst` at once, then `per_second`. Remembers at most `max_keys`; who has been quiet longest is forgotten first.
  Throttle(double per_second, double burst, size_t max_keys = 10'000)
      : per_second_(per_second), burst_(burst), max_keys_(max_keys) {}

  // Takes one if there is one.
  bool take(std::string_view key, int64_t now_us);
  // Is there one? Takes nothing.
  [[nodiscard]] bool would(std::string_view key, int64_t now_us) const;
  // Seconds until there is one again, rounded up; 0 if there is.
  [[nodiscard]] int64_t wait_seconds(std::string_view key, int64_t now_us) const;
  [[nodiscard]] size_t keys() const;

 private:
  struct Bucket {
    double left = 0;
    int64_t at_us = 0;
  };
  [[nodiscard]] double left(const Bucket& b, int64_t now_us) const;

  const double per_second_;
  const double burst_;
  const size_t max_keys_;
  mutable std::mutex mutex_;
  std::map<std::string, Bucket, std::less<>> buckets_;  // full buckets need not be here
};

}  // namespace entente
