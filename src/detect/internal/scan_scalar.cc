// The scanner for any processor: one octet after the other through a table.
#include "detect/internal/scan_kernel.h"

namespace entente::detect::scanning {
namespace {

struct Scalar {
  template <bool json>
  static Masks load(const char* p, const Setup& setup) {
    Masks m{};
    for (unsigned i = 0; i < 64; ++i) {
      const auto c = static_cast<unsigned char>(p[i]);
      if (c >= 0x80) {
        m.odd |= uint64_t{1} << i;
        continue;
      }
      const uint64_t cls = setup.classes[c];
      const auto bit = [&](unsigned which) { return (cls & which) != 0 ? uint64_t{1} << i : 0; };
      m.word |= bit(kClassWord);
      m.dot |= bit(kClassDot);
      m.letter |= bit(kClassLetter);
      m.hex |= bit(kClassHex);
      m.colon |= bit(kClassColon);
      m.newline |= bit(kClassNewline);
      m.odd |= bit(kClassOdd);
      if (json && (cls & kClassQuote) != 0 && p[i + 1] == ':') m.name |= uint64_t{1} << i;
    }
    return m;
  }

  static bool maybe(const Bloom& filter, uint64_t hash) { return filter.maybe(hash); }

  static bool parse4(const char* text, uint32_t size, uint64_t /*dots*/, uint32_t& address) {
    uint32_t value = 0, octet = 0, digits = 0;
    for (uint32_t i = 0; i <= size; ++i) {
      if (i == size || text[i] == '.') {
        if (digits == 0 || digits > 3 || octet > 255) return false;
        value = value << 8 | octet;
        octet = digits = 0;
        continue;
      }
      const unsigned digit = static_cast<unsigned char>(text[i]) - unsigned{'0'};
      if (digit > 9) return false;
      octet = octet * 10 + digit;
      if (++digits > 3) return false;
    }
    address = value;
    return true;
  }
};

}  // namespace

Functions scalar_functions() { return functions<Scalar>(); }

}  // namespace entente::detect::scanning
