#include "stix/internal/content_hash.h"

#include <bit>
#include <functional>

namespace entente::stix::internal {
namespace {

// The finalizer of SplitMix64: every bit of the input moves half of the output's.
constexpr uint64_t mix(uint64_t v) {
  v += 0x9e3779b97f4a7c15U;
  v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9U;
  v = (v ^ (v >> 27)) * 0x94d049bb133111ebU;
  return v ^ (v >> 31);
}

enum : uint64_t { kObject = 1, kArray, kString, kNumber, kTrue, kFalse, kNull };

}  // namespace

uint64_t text_hash(std::string_view text) { return mix(std::hash<std::string_view>()(text)); }

// Depth is bounded by the parser.
uint64_t content_hash(const json::Value& value) {
  using Type = simdjson::dom::element_type;
  switch (value.type()) {
    case Type::OBJECT: {
      uint64_t sum = 0;  // a sum does not know the order
      for (const auto& member : json::as_object(value)) {
        sum += mix(text_hash(member.key) ^ (content_hash(member.value) * 3));
      }
      return mix(sum ^ kObject);
    }
    case Type::ARRAY: {
      uint64_t chain = kArray;
      for (const json::Value item : json::as_array(value)) chain = mix(chain ^ content_hash(item));
      return chain;
    }
    case Type::STRING:
      return mix(text_hash(json::as_string(value)) ^ kString);
    case Type::INT64:
    case Type::UINT64:
    case Type::DOUBLE: {
      // Integers are within 53 bits here, so a double holds them; -0 is written as 0.
      const double number = value.get_double().value_unsafe();
      return mix(std::bit_cast<uint64_t>(number == 0 ? 0.0 : number) ^ kNumber);
    }
    case Type::BOOL:
      return mix(value.get_bool().value_unsafe() ? kTrue : kFalse);
    case Type::NULL_VALUE:
      return mix(kNull);
  }
  return 0;
}

}  // namespace entente::stix::internal
