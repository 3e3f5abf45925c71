// Is an address in any of many CIDR blocks? Merged disjoint ranges: a few nanoseconds and a few bytes per block, but no
// answer to which (detection.md §2.3); that is asked of the table, and only on a hit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "detect/internal/memory.h"

namespace entente::detect {

struct Range4 {
  uint32_t first, last;
};
using Octets6 = std::array<uint8_t, 16>;
struct Range6 {
  Octets6 first, last;
};

class Ranges4 {
 public:
  Ranges4() = default;
  explicit Ranges4(std::vector<Range4> blocks);
  [[nodiscard]] bool contains(uint32_t address) const;
  // False for most addresses that contains() is false for, at the cost of one look.
  [[nodiscard]] bool may_contain(uint32_t address) const {
    return touched_ ? (touched_[address >> 14] >> (address >> 8 & 63) & 1) != 0 : contains(address);
  }
  // What may_contain() will read.
  void prefetch(uint32_t address) const {
    if (touched_) __builtin_prefetch(&touched_[address >> 14]);
  }
  // What contains() will read where may_contain() says yes.
  void prefetch_ranges(uint32_t address) const {
    if (index_.empty()) return;
    __builtin_prefetch(ranges_.data() + index_[address >> 16]);
    __builtin_prefetch(ranges_.data() + index_[(address >> 16) + 1]);
  }
  [[nodiscard]] size_t memory_bytes() const {
    return ranges_.capacity() * sizeof(Range4) + index_.capacity() * 4 + (touched_ ? kTouchedWords * 8 : 0);
  }

 private:
  std::vector<Range4> ranges_;  // disjoint, ascending
  // One bit per /24 that a block touches, where there are so many that their ends leave the caches: most addresses cost
  // one look.
  static constexpr size_t kTouchedWords = (size_t{1} << 24) / 64, kManyRanges = 100'000;
  Zeroed<uint64_t> touched_;
  std::vector<uint32_t> index_;  // [upper 16 bits]: the first range that ends at or after the beginning of that /16
};

class Ranges6 {
 public:
  Ranges6() = default;
  explicit Ranges6(std::vector<Range6> blocks);
  [[nodiscard]] bool contains(const Octets6& address) const;
  [[nodiscard]] size_t memory_bytes() const { return ranges_.capacity() * sizeof(Range6); }

 private:
  std::vector<Range6> ranges_;
};

}  // namespace entente::detect
