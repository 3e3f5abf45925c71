// One line on a terminal that says how far a long reading is, and how fast. Nothing where standard error is no
// terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace entente::cli {

class Progress {
 public:
  // `total` octets, 0 if unknown; `what` is counted ("objects").
  Progress(std::string what, uint64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // takes the line away

  // Cheap: looks at the clock only every 256th time.
  void at(uint64_t octets, uint64_t count) {
    if (on_ && (++calls_ & 255U) == 0) show(octets, count);
  }
  // Before something else is printed.
  void clear();

 private:
  void show(uint64_t octets, uint64_t count);
  using Clock = std::chrono::steady_clock;
  std::string what_;
  uint64_t total_;
  bool on_;
  bool shown_ = false;
  uint64_t calls_ = 0;
  Clock::time_point start_, next_;
};

}  // namespace entente::cli
