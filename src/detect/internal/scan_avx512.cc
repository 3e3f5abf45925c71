// The scanner with AVX-512 VBMI: one look into a table of 128 classes for 64 octets at once.
#if defined(__x86_64__)

// All that is not a template of the kernel comes before the instruction set is raised.
#include <immintrin.h>

#include "detect/internal/table.h"

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vbmi,bmi,bmi2,lzcnt,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,avx512f,avx512bw,avx512vl,avx512vbmi,bmi,bmi2,lzcnt,popcnt")
#endif

#include "detect/internal/scan_kernel.h"
#include "detect/internal/scan_x86.h"

namespace entente::detect::scanning {
namespace {

struct Avx512 {
  template <bool json>
  static Masks load(const char* p, const Setup& setup) {
    const __m512i low = _mm512_loadu_si512(setup.classes), high = _mm512_loadu_si512(setup.classes + 64);
    const __m512i v = _mm512_loadu_si512(p);
    const __mmask64 beyond = _mm512_movepi8_mask(v);
    const __m512i cls = _mm512_maskz_permutex2var_epi8(~beyond, low, v, high);
    const auto test = [&](unsigned char which) {
      return static_cast<uint64_t>(_mm512_test_epi8_mask(cls, _mm512_set1_epi8(static_cast<char>(which))));
    };
    uint64_t name = 0;
    if constexpr (json)
      name = _mm512_mask_cmpeq_epi8_mask(_mm512_movepi8_mask(cls), _mm512_loadu_si512(p + 1), _mm512_set1_epi8(':'));
    return {test(kClassWord),  test(kClassDot),     test(kClassLetter),       test(kClassHex),
            test(kClassColon), test(kClassNewline), test(kClassOdd) | beyond, name};
  }
  static bool maybe(const Bloom& filter, uint64_t hash) { return vector_maybe<Avx512>(filter, hash); }
  static bool parse4(const char* text, uint32_t size, uint64_t dots, uint32_t& address) {
    return vector_parse4<Avx512>(text, size, dots, address);
  }
};

}  // namespace

Functions avx512_functions() { return functions<Avx512>(); }

}  // namespace entente::detect::scanning

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
