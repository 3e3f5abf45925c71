#include "ledger/internal/pair_hash.h"

#include <array>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace entente::ledger {
namespace {

void one_by_one(const Hash* in, size_t pairs, Hash* out) {
  for (size_t i = 0; i < pairs; ++i) out[i] = node_hash(in[2 * i], in[2 * i + 1]);
}

#if defined(__x86_64__)

// FIPS 180-4 §4.2.2.
alignas(16) constexpr std::array<uint32_t, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

bool has_sha() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & (1U << 29)) != 0 && __builtin_cpu_supports("sse4.1") &&
         __builtin_cpu_supports("ssse3");
}

// The state in the order that the instructions want it.
struct Lane {
  __m128i abef, cdgh;
};

// Two messages of one block each, their rounds side by side.
__attribute__((target("sha,sse4.1,ssse3"))) void compress2(Lane* lane, const unsigned char* block0,
                                                           const unsigned char* block1) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  __m128i w[2][4];
  for (int i = 0; i < 4; ++i) {
    w[0][i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block0) + i), big_endian);
    w[1][i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block1) + i), big_endian);
  }
  const Lane before[2] = {lane[0], lane[1]};
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    const __m128i k = _mm_load_si128(reinterpret_cast<const __m128i*>(kRound.data()) + i);
#pragma GCC unroll 2
    for (int l = 0; l < 2; ++l) {
      __m128i* v = w[l];
      if (i >= 4) {
        // W[t] = W[t-16] + s0(W[t-15]) + W[t-7] + s1(W[t-2]), four at a time; v[i % 4] holds the oldest four.
        const __m128i seventh = _mm_alignr_epi8(v[(i + 3) % 4], v[(i + 2) % 4], 4);
        v[i % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(v[i % 4], v[(i + 1) % 4]), seventh),
                                        v[(i + 3) % 4]);
      }
      __m128i m = _mm_add_epi32(v[i % 4], k);
      lane[l].cdgh = _mm_sha256rnds2_epu32(lane[l].cdgh, lane[l].abef, m);
      m = _mm_shuffle_epi32(m, 0x0e);
      lane[l].abef = _mm_sha256rnds2_epu32(lane[l].abef, lane[l].cdgh, m);
    }
  }
  for (int l = 0; l < 2; ++l) {
    lane[l].abef = _mm_add_epi32(lane[l].abef, before[l].abef);
    lane[l].cdgh = _mm_add_epi32(lane[l].cdgh, before[l].cdgh);
  }
}

__attribute__((target("sha,sse4.1,ssse3"))) void put(const Lane& lane, Hash& out) {
  alignas(16) uint32_t abef[4];
  alignas(16) uint32_t cdgh[4];
  _mm_store_si128(reinterpret_cast<__m128i*>(abef), lane.abef);
  _mm_store_si128(reinterpret_cast<__m128i*>(cdgh), lane.cdgh);
  const uint32_t words[8] = {abef[3], abef[2], cdgh[3], cdgh[2], abef[1], abef[0], cdgh[1], cdgh[0]};
  for (int i = 0; i < 8; ++i) {
    const uint32_t swapped = __builtin_bswap32(words[i]);
    std::memcpy(out.data() + 4 * i, &swapped, 4);
  }
}

// 0x01, two hashes, and the padding of a message of 65 octets: two blocks.
struct Message {
  alignas(16) unsigned char octets[128] = {1};
  Message() {
    octets[65] = 0x80;
    octets[126] = 0x02;  // 520 bits
    octets[127] = 0x08;
  }
  void set(const Hash& left, const Hash& right) {
    std::memcpy(octets + 1, left.data(), 32);
    std::memcpy(octets + 33, right.data(), 32);
  }
};

__attribute__((target("sha,sse4.1,ssse3"))) void two_by_two(const Hash* in, size_t pairs, Hash* out) {
  const Lane start = {_mm_set_epi32(0x6a09e667, static_cast<int>(0xbb67ae85), 0x510e527f, static_cast<int>(0x9b05688c)),
                      _mm_set_epi32(0x3c6ef372, static_cast<int>(0xa54ff53a), 0x1f83d9ab, 0x5be0cd19)};
  Message a;
  Message b;
  size_t i = 0;
  for (; i + 2 <= pairs; i += 2) {
    a.set(in[2 * i], in[2 * i + 1]);
    b.set(in[2 * i + 2], in[2 * i + 3]);
    Lane lanes[2] = {start, start};
    compress2(lanes, a.octets, b.octets);
    compress2(lanes, a.octets + 64, b.octets + 64);
    put(lanes[0], out[i]);
    put(lanes[1], out[i + 1]);
  }
  if (i < pairs) one_by_one(in + 2 * i, pairs - i, out + i);
}

#endif

}  // namespace

void hash_pairs(const Hash* in, size_t pairs, Hash* out) {
#if defined(__x86_64__)
  static const bool sha = has_sha();
  if (sha) return two_by_two(in, pairs, out);
#endif
  one_by_one(in, pairs, out);
}

}  // namespace entente::ledger
