// 64-bit hashes for table keys (multiply and fold, as wyhash does), seeded per process so that who writes indicators
// cannot aim at a bucket.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace entente::detect {

[[nodiscard]] uint64_t hash_seed();  // the same for the whole life of the process

inline uint64_t fold(uint64_t a, uint64_t b) {
  const auto p = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(p) ^ static_cast<uint64_t>(p >> 64);
}

inline uint64_t load64(const char* at) {
  uint64_t v = 0;
  std::memcpy(&v, at, sizeof v);
  return v;
}

inline constexpr uint64_t kHash0 = 0xa0761d6478bd642f, kHash1 = 0xe7037ed1a0b428db, kHash2 = 0x8ebc6af09c88c6e3,
                          kHash3 = 0x589965cc75374cc3;

inline uint64_t hash_bytes(uint64_t h, std::string_view b) {
  const char* p = b.data();
  size_t n = b.size();
  const auto load = [](const char* at, size_t size) {
    uint64_t v = 0;
    std::memcpy(&v, at, size);
    return v;
  };
  h ^= kHash0 + n;
  for (; n > 16; p += 16, n -= 16) h = fold(load(p, 8) ^ kHash1, load(p + 8, 8) ^ h);
  if (n > 8) return fold(load(p, 8) ^ kHash1, load(p + 8, n - 8) ^ h);
  if (n == 8) return fold(load(p, 8) ^ kHash1, h);
  if (n >= 4) return fold((load(p, 4) << 32 | load(p + n - 4, 4)) ^ kHash1, h);
  uint64_t v = 0;
  for (size_t i = 0; i < n; ++i) v = v << 8 | static_cast<uint8_t>(p[i]);
  return fold(v ^ kHash1, h);
}

// Of names and hex digests, ASCII letters of either case alike: windows of 32 octets from the end to the beginning, so
// that a suffix is hashed where it stands in a log, without a copy and without a branch per octet.
inline constexpr size_t kTailPad = 32;  // octets before the text that must be readable (their values do not matter)

namespace tail {

// At [32 - n]: a mask for the last n octets of a window of 32.
inline constexpr auto kRamp = [] {
  std::array<char, 64> ramp{};
  for (size_t i = 32; i < 64; ++i) ramp[i] = static_cast<char>(0xff);
  return ramp;
}();

inline uint64_t window(const char* end, size_t n, uint64_t h) {
  constexpr uint64_t kLower = 0x2020202020202020;
  const char *p = end - 32, *mask = kRamp.data() + n;
  const auto word = [&](size_t i) { return (load64(p + i) | kLower) & load64(mask + i); };
  const uint64_t a = fold(word(24) ^ kHash0 ^ h, word(16) ^ kHash1 ^ n);
  const uint64_t b = fold(word(8) ^ kHash2 ^ h, word(0) ^ kHash3);
  return a ^ (b << 29 | b >> 35);
}

}  // namespace tail

// Requires: kTailPad readable octets before end - n; n > 0.
inline uint64_t hash_tail(const char* end, size_t n, uint64_t seed) {
  for (; n > 32; n -= 32, end -= 32) seed = tail::window(end, 32, seed);
  return tail::window(end, n, seed);
}

inline uint64_t hash_v4(uint32_t address, uint64_t seed) { return fold(address ^ kHash2, seed ^ kHash1); }
inline uint64_t hash_v6(const void* octets, uint64_t seed) {
  const auto* p = static_cast<const char*>(octets);
  return fold(load64(p) ^ kHash0, load64(p + 8) ^ seed);
}

// Maps the upper part of a hash onto 0..n-1.
inline size_t fold_range(uint64_t h, size_t n) {
  return static_cast<size_t>(static_cast<unsigned __int128>(h) * n >> 64);
}

}  // namespace entente::detect
