#include "stix/internal/content_hash.h"

#include <bit>
#include <cstring>

namespace entente::stix::internal {
namespace {

// Both halves of a product of 128 bits: every bit of the input reaches every bit of the result.
constexpr uint64_t fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

constexpr uint64_t kOne = 0x9e3779b97f4a7c15U;  // odd constants without a pattern (golden ratio, SplitMix64)
constexpr uint64_t kTwo = 0xbf58476d1ce4e5b9U;
constexpr uint64_t kThree = 0x94d049bb133111ebU;

enum : uint64_t { kObject = 1, kArray, kString, kNumber, kTrue, kFalse, kNull };

uint64_t word(const char* p, size_t n) {
  uint64_t v = 0;
  std::memcpy(&v, p, n);
  return v;
}

class Hash {
 public:
  explicit Hash(uint64_t seed) : seed_(seed ^ kThree) {}

  [[nodiscard]] uint64_t text(std::string_view s) const {
    const char* p = s.data();
    size_t n = s.size();
    uint64_t h = fold(seed_ ^ n, kOne);
    for (; n > 16; n -= 16, p += 16) h = fold(word(p, 8) ^ kTwo, word(p + 8, 8) ^ h);
    if (n >= 8) return fold(word(p, 8) ^ kTwo ^ seed_, word(p + n - 8, 8) ^ h);
    return fold(word(p, n) ^ kTwo ^ seed_, h ^ kThree);
  }

  // Depth is bounded by the parser.
  [[nodiscard]] uint64_t value(const json::Value& v) const {
    using Type = simdjson::dom::element_type;
    switch (v.type()) {
      case Type::OBJECT: {
        uint64_t sum = 0;  // a sum does not know the order
        for (const auto& member : json::as_object(v)) sum += pair(text(member.key), value(member.value));
        return pair(sum, kObject);
      }
      case Type::ARRAY: {
        uint64_t chain = kArray;
        for (const json::Value item : json::as_array(v)) chain = pair(chain, value(item));
        return chain;
      }
      case Type::STRING:
        return pair(text(json::as_string(v)), kString);
      case Type::INT64:
      case Type::UINT64:
      case Type::DOUBLE: {
        // Integers are within 53 bits here, so a double holds them; -0 is written as 0.
        const double number = v.get_double().value_unsafe();
        return pair(std::bit_cast<uint64_t>(number == 0 ? 0.0 : number), kNumber);
      }
      case Type::BOOL:
        return pair(kOne, v.get_bool().value_unsafe() ? kTrue : kFalse);
      case Type::NULL_VALUE:
        return pair(kOne, kNull);
    }
    return 0;
  }

 private:
  [[nodiscard]] uint64_t pair(uint64_t a, uint64_t b) const { return fold(a ^ kTwo, (b * kOne) ^ seed_); }

  uint64_t seed_;
};

}  // namespace

uint64_t text_hash(std::string_view text, uint64_t seed) { return Hash(seed).text(text); }
uint64_t content_hash(const json::Value& value, uint64_t seed) { return Hash(seed).value(value); }

}  // namespace entente::stix::internal
