// What both vector kernels do with 16 and 32 octets. For the kernels only: to be included where AVX2 is on.
#pragma once

#if defined(__x86_64__)

#include <array>
#include <bit>
#include <cstdint>

#include <immintrin.h>

#include "detect/internal/bloom.h"

namespace entente::detect::scanning {

// Where the digits of the four octets stand, by their sizes: [27 (a-1) + 9 (b-1) + 3 (c-1) + (d-1)]. Each octet gets
// four places: nothing, hundreds, tens, ones.
inline constexpr auto kOctetPlaces = [] {
  std::array<std::array<uint8_t, 16>, 81> out{};
  for (unsigned i = 0; i < 81; ++i) {
    const unsigned sizes[4] = {i / 27 + 1, i / 9 % 3 + 1, i / 3 % 3 + 1, i % 3 + 1};
    unsigned at = 0;
    for (unsigned octet = 0; octet < 4; ++octet) {
      for (unsigned k = 0; k < 4; ++k) {
        const unsigned lead = 4 - sizes[octet];
        out[i][octet * 4 + k] = k < lead ? 0x80 : static_cast<uint8_t>(at + k - lead);
      }
      at += sizes[octet] + 1;
    }
  }
  return out;
}();

template <class Isa>
inline bool vector_parse4(const char* text, uint32_t size, uint64_t dots, uint32_t& address) {
  const auto p1 = static_cast<uint32_t>(std::countr_zero(dots));
  dots &= dots - 1;
  const auto p2 = static_cast<uint32_t>(std::countr_zero(dots));
  dots &= dots - 1;
  const auto p3 = static_cast<uint32_t>(std::countr_zero(dots));
  const uint32_t a = p1 - 1, b = p2 - p1 - 2, c = p3 - p2 - 2, d = size - p3 - 2;  // sizes less one
  if (a > 2 || b > 2 || c > 2 || d > 2) return false;
  const auto* places = reinterpret_cast<const __m128i*>(kOctetPlaces[a * 27 + b * 9 + c * 3 + d].data());
  const __m128i raw = _mm_sub_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text)), _mm_set1_epi8('0'));
  const __m128i digits = _mm_shuffle_epi8(raw, _mm_loadu_si128(places));
  const __m128i nine = _mm_set1_epi8(9);
  const __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi32(0x010a6400));  // 0, 100, 10, 1
  const __m128i octets = _mm_madd_epi16(pairs, _mm_set1_epi16(1));
  const __m128i bad =
      _mm_or_si128(_mm_xor_si128(_mm_max_epu8(digits, nine), nine), _mm_cmpgt_epi32(octets, _mm_set1_epi32(255)));
  if (_mm_testz_si128(bad, bad) == 0) return false;
  const __m128i packed =
      _mm_shuffle_epi8(octets, _mm_set_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12));
  address = static_cast<uint32_t>(_mm_cvtsi128_si32(packed));
  return true;
}

template <class Isa>
inline bool vector_maybe(const Bloom& filter, uint64_t hash) {
  const __m256i salts = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(Bloom::kSalt));
  const __m256i product = _mm256_mullo_epi32(_mm256_set1_epi32(static_cast<int>(static_cast<uint32_t>(hash))), salts);
  const __m256i bits = _mm256_sllv_epi32(_mm256_set1_epi32(1), _mm256_srli_epi32(product, 27));
  return _mm256_testc_si256(_mm256_load_si256(reinterpret_cast<const __m256i*>(filter.block(hash))), bits) != 0;
}

}  // namespace entente::detect::scanning

#endif
