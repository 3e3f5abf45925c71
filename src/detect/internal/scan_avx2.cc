// The scanner with AVX2 and BMI: every x86 server since 2013.
#if defined(__x86_64__)

// All that is not a template of the kernel comes before the instruction set is raised.
#include <immintrin.h>

#include "detect/internal/table.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#endif

#include "detect/internal/scan_kernel.h"
#include "detect/internal/scan_x86.h"

namespace entente::detect::scanning {
namespace {

struct Avx2 {
  struct Half {
    uint32_t word, dot, letter, hex, colon, newline, odd, name;
  };

  // Functions and not lambdas: GCC 12 compiles a lambda's pointer form without the instruction set.
  static uint32_t mask(__m256i v) { return static_cast<uint32_t>(_mm256_movemask_epi8(v)); }
  static __m256i load32(const char* q) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q)); }
  static __m256i is(__m256i v, char c) { return _mm256_cmpeq_epi8(v, _mm256_set1_epi8(c)); }
  // From `first` on, `count` characters.
  static __m256i in(__m256i v, char first, char count) {
    const __m256i off = _mm256_sub_epi8(v, _mm256_set1_epi8(first));
    const __m256i last = _mm256_set1_epi8(static_cast<char>(count - 1));
    return _mm256_cmpeq_epi8(_mm256_min_epu8(off, last), off);
  }

  template <bool json>
  static Half half(const char* p, const Setup& setup) {
    const __m256i v = load32(p);
    const __m256i lower = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
    const __m256i letter = in(lower, 'a', 26), digit = in(v, '0', 10);
    const __m256i word = _mm256_or_si256(_mm256_or_si256(letter, digit), _mm256_or_si256(is(v, '-'), is(v, '_')));
    const __m256i hex = _mm256_or_si256(digit, in(lower, 'a', 6));
    const auto is_odd = [&](size_t i) { return is(v, static_cast<char>(setup.odd[i])); };
    const __m256i odd = _mm256_or_si256(_mm256_or_si256(v, _mm256_or_si256(is_odd(0), is_odd(1))),
                                        _mm256_or_si256(is_odd(2), is_odd(3)));
    const __m256i name = _mm256_and_si256(is(v, '"'), is(load32(p + 1), ':'));
    return {mask(word),       mask(is(v, '.')),  mask(letter), mask(hex),
            mask(is(v, ':')), mask(is(v, '\n')), mask(odd),    json ? mask(name) : 0};
  }

  template <bool json>
  static Masks load(const char* p, const Setup& setup) {
    const Half a = half<json>(p, setup), b = half<json>(p + 32, setup);
    const auto join = [](uint32_t low, uint32_t high) { return low | uint64_t{high} << 32; };
    return {join(a.word, b.word),   join(a.dot, b.dot),         join(a.letter, b.letter), join(a.hex, b.hex),
            join(a.colon, b.colon), join(a.newline, b.newline), join(a.odd, b.odd),       join(a.name, b.name)};
  }
  static bool maybe(const Bloom& filter, uint64_t hash) { return vector_maybe<Avx2>(filter, hash); }
  static bool parse4(const char* text, uint32_t size, uint64_t dots, uint32_t& address) {
    return vector_parse4<Avx2>(text, size, dots, address);
  }
};

}  // namespace

Functions avx2_functions() { return functions<Avx2>(); }

}  // namespace entente::detect::scanning

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
