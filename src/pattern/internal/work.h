// What an evaluation may cost. Everything that can be made expensive by a pattern or by data is charged; when nothing
// is left the answer is "limit reached", never "no match".
#pragma once

#include <cstdint>

namespace entente::pattern {

struct Work {
  uint64_t left = 0;
  bool limited = false;  // something was not looked at

  bool spend(uint64_t units) {
    if (left < units) {
      left = 0;
      limited = true;
      return false;
    }
    left -= units;
    return true;
  }
};

}  // namespace entente::pattern
