// A split-block Bloom filter (Putze, Sanders, Singler 2007; as Parquet has it): eight words of 32 bits in half a cache
// line, one bit in each, so that a question costs one line of memory. 12 bits per key: about one false yes in 200.
#pragma once

#include <cstddef>
#include <cstdint>

#include "detect/internal/hash.h"
#include "detect/internal/memory.h"

namespace entente::detect {

class Bloom {
 public:
  struct alignas(32) Block {
    uint32_t word[8];
  };
  static constexpr size_t kBitsPerKey = 12;

  Bloom() = default;
  explicit Bloom(size_t keys) : count_(keys * kBitsPerKey / 256 + 1), blocks_(make_zeroed<Block>(count_)) {}

  void add(uint64_t hash) {
    Block& b = blocks_[fold_range(hash, count_)];
    for (size_t i = 0; i < 8; ++i) b.word[i] |= bit(static_cast<uint32_t>(hash), i);
  }
  [[nodiscard]] bool maybe(uint64_t hash) const {
    const Block& b = blocks_[fold_range(hash, count_)];
    uint32_t missing = 0;
    for (size_t i = 0; i < 8; ++i) missing |= ~b.word[i] & bit(static_cast<uint32_t>(hash), i);
    return missing == 0;
  }
  [[nodiscard]] const Block* block(uint64_t hash) const { return &blocks_[fold_range(hash, count_)]; }
  void prefetch(uint64_t hash) const { __builtin_prefetch(block(hash)); }
  [[nodiscard]] size_t memory_bytes() const { return count_ * sizeof(Block); }

  static constexpr uint32_t kSalt[8] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                        0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

 private:
  static uint32_t bit(uint32_t h, size_t i) { return uint32_t{1} << (h * kSalt[i] >> 27); }

  size_t count_ = 1;
  Zeroed<Block> blocks_ = make_zeroed<Block>(1);
};

}  // namespace entente::detect
