// A 64-bit hash for table keys (multiply and fold, as wyhash does), seeded per process so that who writes indicators
// cannot aim at a bucket.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace entente::detect {

[[nodiscard]] uint64_t hash_seed();  // the same for the whole life of the process

inline uint64_t fold(uint64_t a, uint64_t b) {
  const auto p = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(p) ^ static_cast<uint64_t>(p >> 64);
}

inline uint64_t hash_bytes(uint64_t h, std::string_view b) {
  constexpr uint64_t k0 = 0xa0761d6478bd642f, k1 = 0xe7037ed1a0b428db;
  const char* p = b.data();
  size_t n = b.size();
  const auto load = [](const char* at, size_t size) {
    uint64_t v = 0;
    std::memcpy(&v, at, size);
    return v;
  };
  h ^= k0 + n;
  for (; n > 16; p += 16, n -= 16) h = fold(load(p, 8) ^ k1, load(p + 8, 8) ^ h);
  if (n > 8) return fold(load(p, 8) ^ k1, load(p + 8, n - 8) ^ h);
  if (n == 8) return fold(load(p, 8) ^ k1, h);
  if (n >= 4) return fold((load(p, 4) << 32 | load(p + n - 4, 4)) ^ k1, h);
  uint64_t v = 0;
  for (size_t i = 0; i < n; ++i) v = v << 8 | static_cast<uint8_t>(p[i]);
  return fold(v ^ k1, h);
}

}  // namespace entente::detect
