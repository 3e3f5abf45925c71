// Time as the node keeps it: microseconds since 1970-01-01T00:00:00Z. STIX's own timestamps, which may be finer, are
// stix::Timestamp.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace entente {

struct Time {
  int64_t us = 0;
  auto operator<=>(const Time&) const = default;
  [[nodiscard]] Time plus_us(int64_t d) const { return {us + d}; }
};

// "2027-01-15T05:12:00.123456Z": RFC 3339, UTC, always six digits (TAXII 2.1 §2).
[[nodiscard]] std::string to_text(Time t);
// RFC 3339 with Z or an offset, 0..n fractional digits (cut to microseconds); real calendar dates, years 0001..9999;
// second 60 reads as the next 0.
[[nodiscard]] Result<Time> parse_time(std::string_view text);

// ISO 8601 duration as agreements use it (P5Y, P6M, P30D, PT72H, PT30M, PT0S): years and months by calendar, the rest
// exact.
struct Period {
  int months = 0;
  int64_t us = 0;
};
[[nodiscard]] Result<Period> parse_period(std::string_view text);
// t plus the period; a day that the target month lacks becomes its last day.
[[nodiscard]] Time add(Time t, const Period& p);
[[nodiscard]] Time subtract(Time t, const Period& p);

// The clock is a seam: constructed in node, sensor and cli, passed down. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() = 0;           // wall clock
  virtual int64_t steady_us() = 0;  // for durations
};

class SystemClock final : public Clock {
 public:
  Time now() override;
  int64_t steady_us() override;
};

// For tests and simulation: stands still until it is moved. Not thread-safe for writers.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time start) : now_(start) {}
  Time now() override { return now_; }
  int64_t steady_us() override { return now_.us; }
  void set(Time t) { now_ = t; }
  void advance_us(int64_t d) { now_.us += d; }

 private:
  Time now_;
};

}  // namespace entente
