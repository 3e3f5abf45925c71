// The model as data: one table of properties per type, which a reader can hold beside the standard, and the rules that
// span several properties.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "stix/internal/codes.h"
#include "stix/internal/vocabulary.h"
#include "stix/object.h"

namespace entente::stix::internal {

enum class Kind : uint8_t {
  kString,
  kBoolean,
  kInteger,
  kFloat,
  kTimestamp,
  kMilliseconds,  // created, modified
  kSeconds,       // a timestamp without a fraction
  kType,          // the object's own type, known already
  kId,            // the object's own id
  kSpecVersion,
  kReference,
  kMarkingReference,  // to a marking definition that is not the object itself
  kEnum,
  kVocabulary,
  kTerm,  // free text that should be lower case with hyphens
  kHex,
  kBinary,
  kHashes,
  kObject,            // of `shape`
  kAny,               // whatever, but without null and empty lists
  kDictionary,        // any values
  kTextDictionary,    // string values
  kListDictionary,    // lists of strings, as header fields have them
  kNumberDictionary,  // integer values
  kMixedDictionary,   // integers and strings
  kExtensions,
  kContents,   // of language-content
  kContainer,  // the deprecated `objects` of observed-data
  kLanguage,
  kUrl,
  kMac,
  kIpv4,
  kIpv6,
  kDomain,
  kEmail,
  kCpe,
  kMime,
  kCharset,
  kRegistryKey,
  kRelationshipType,
};

class Shape;

struct Property {
  std::string_view name;
  Kind kind = Kind::kString;
  bool is_list = false;
  bool is_required = false;
  bool is_advised = false;
  bool is_deprecated = false;
  const Vocabulary* terms = nullptr;  // kEnum, kVocabulary
  const Shape* shape = nullptr;       // kObject
  std::string_view targets;           // kReference: types, @sdo, @sro, @sco; empty: any
  double low = -9007199254740991.0;   // kInteger, kFloat
  double high = 9007199254740991.0;

  [[nodiscard]] constexpr Property must() const { return with(&Property::is_required); }
  [[nodiscard]] constexpr Property should() const { return with(&Property::is_advised); }
  [[nodiscard]] constexpr Property deprecated() const { return with(&Property::is_deprecated); }

 private:
  friend constexpr Property list(Property p);
  [[nodiscard]] constexpr Property with(bool Property::* flag) const {
    Property p = *this;
    p.*flag = true;
    return p;
  }
};

// The words that the tables are written in.
constexpr Property list(Property p) { return p.with(&Property::is_list); }
constexpr Property of(Kind kind, std::string_view name) {
  Property p;
  p.name = name;
  p.kind = kind;
  return p;
}
constexpr Property text(std::string_view name) { return of(Kind::kString, name); }
constexpr Property boolean(std::string_view name) { return of(Kind::kBoolean, name); }
constexpr Property time(std::string_view name) { return of(Kind::kTimestamp, name); }
constexpr Property hexadecimal(std::string_view name) { return of(Kind::kHex, name); }
constexpr Property hashes(std::string_view name) { return of(Kind::kHashes, name); }
constexpr Property integer(std::string_view name, double low = -9007199254740991.0, double high = 9007199254740991.0) {
  Property p = of(Kind::kInteger, name);
  p.low = low;
  p.high = high;
  return p;
}
constexpr Property real(std::string_view name, double low, double high) {
  Property p = of(Kind::kFloat, name);
  p.low = low;
  p.high = high;
  return p;
}
constexpr Property closed(std::string_view name, const Vocabulary& terms) {
  Property p = of(Kind::kEnum, name);
  p.terms = &terms;
  return p;
}
constexpr Property open(std::string_view name, const Vocabulary& terms) {
  Property p = of(Kind::kVocabulary, name);
  p.terms = &terms;
  return p;
}
constexpr Property to(std::string_view name, std::string_view targets) {
  Property p = of(Kind::kReference, name);
  p.targets = targets;
  return p;
}
constexpr Property part(std::string_view name, const Shape& shape) {
  Property p = of(Kind::kObject, name);
  p.shape = &shape;
  return p;
}

class Checker;
class Members;
struct Frame;

// A rule over several properties of one object.
struct Check {
  enum class Kind : uint8_t {
    kNotBefore,    // b >= a
    kAfter,        // b > a
    kOneOf,        // at least one of a, b, c
    kExactlyOne,   // of a, b
    kNeeds,        // a only with b
    kOwnProperty,  // at least one property of the type's own
    kFunction,
  };
  using Function = void (*)(Checker&, const Members&, const Frame*);
  Kind kind = Kind::kFunction;
  std::string_view a, b, c;
  Function function = nullptr;
};
constexpr Check not_before(std::string_view first, std::string_view last) {
  return {Check::Kind::kNotBefore, first, last, {}, nullptr};
}
constexpr Check after(std::string_view first, std::string_view last) {
  return {Check::Kind::kAfter, first, last, {}, nullptr};
}
constexpr Check one_of(std::string_view a, std::string_view b, std::string_view c = {}) {
  return {Check::Kind::kOneOf, a, b, c, nullptr};
}
constexpr Check exactly_one(std::string_view a, std::string_view b) {
  return {Check::Kind::kExactlyOne, a, b, {}, nullptr};
}
constexpr Check needs(std::string_view a, std::string_view b) { return {Check::Kind::kNeeds, a, b, {}, nullptr}; }
constexpr Check own_property() { return {Check::Kind::kOwnProperty, {}, {}, {}, nullptr}; }
constexpr Check call(Check::Function function) { return {Check::Kind::kFunction, {}, {}, {}, function}; }

// A table made ready for lookups: an open-addressing hash over the names, built at compile time.
class Shape {
 public:
  static constexpr size_t kMax = 48;

  constexpr Shape(std::string_view name, std::string_view section, std::span<const Property> own,
                  std::span<const Property> common = {}, std::span<const Check> checks = {},
                  std::span<const Check> common_checks = {})
      : name_(name), section_(section), checks_(checks), common_checks_(common_checks) {
    for (const auto& p : own) add(p);
    own_ = (uint64_t{1} << count_) - 1;
    for (const auto& p : common) add(p);
  }

  // Index of a property, -1 if the type has none of that name.
  [[nodiscard]] constexpr int find(std::string_view property) const {
    if (property.empty()) return -1;
    for (size_t at = hash(property);; at = (at + 1) % kSlots) {
      const uint8_t entry = slots_[at];
      if (entry == 0) return -1;
      if (same(properties_[entry - 1]->name, property)) return entry - 1;
    }
  }

  [[nodiscard]] constexpr const Property& at(int index) const { return *properties_[static_cast<size_t>(index)]; }
  [[nodiscard]] constexpr size_t size() const { return count_; }
  [[nodiscard]] constexpr std::string_view name() const { return name_; }
  [[nodiscard]] constexpr std::string_view section() const { return section_; }
  [[nodiscard]] constexpr uint64_t required() const { return required_; }
  [[nodiscard]] constexpr uint64_t advised() const { return advised_; }
  [[nodiscard]] constexpr uint64_t own() const { return own_; }
  [[nodiscard]] constexpr std::span<const Check> checks() const { return checks_; }
  [[nodiscard]] constexpr std::span<const Check> common_checks() const { return common_checks_; }

 private:
  static constexpr size_t kSlots = 128;

  // Names are short: without the call that == makes.
  static constexpr bool same(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    if consteval {
      return a == b;
    } else {
      const auto word = [](const char* p, auto v) {
        std::memcpy(&v, p, sizeof(v));
        return v;
      };
      const char* p = a.data();
      const char* q = b.data();
      size_t n = a.size();
      if (n < 4) return p[0] == q[0] && p[n / 2] == q[n / 2] && p[n - 1] == q[n - 1];
      if (n < 8) {
        return word(p, uint32_t{}) == word(q, uint32_t{}) && word(p + n - 4, uint32_t{}) == word(q + n - 4, uint32_t{});
      }
      for (; n > 8; n -= 8, p += 8, q += 8) {
        if (word(p, uint64_t{}) != word(q, uint64_t{})) return false;
        if (n < 16) return word(p + n - 8, uint64_t{}) == word(q + n - 8, uint64_t{});
      }
      return word(p, uint64_t{}) == word(q, uint64_t{});
    }
  }

  static constexpr size_t hash(std::string_view s) {
    const auto u = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(s[i])); };
    return (s.size() * 31 + u(0) * 7 + u(s.size() - 1) * 59 + u(s.size() / 2) * 13) % kSlots;
  }

  constexpr void add(const Property& p) {
    if (count_ == kMax) throw "a table with too many properties";  // at compile time
    size_t at = hash(p.name);
    while (slots_[at] != 0) at = (at + 1) % kSlots;
    properties_[count_] = &p;
    if (p.is_required) required_ |= uint64_t{1} << count_;
    if (p.is_advised) advised_ |= uint64_t{1} << count_;
    slots_[at] = static_cast<uint8_t>(++count_);
  }

  std::string_view name_;
  std::string_view section_;
  std::array<const Property*, kMax> properties_{};
  std::array<uint8_t, kSlots> slots_{};
  size_t count_ = 0;
  uint64_t required_ = 0;
  uint64_t advised_ = 0;
  uint64_t own_ = 0;
  std::span<const Check> checks_;
  std::span<const Check> common_checks_;
};

struct Type {
  std::string_view name;
  Class cls = Class::kCustom;
  const Shape* shape = nullptr;
};

// nullptr for types that STIX 2.1 does not define. Also "bundle", with class kCustom.
[[nodiscard]] const Type* find_type(std::string_view name);
[[nodiscard]] std::span<const Type> types();

// Tables by class, model_<class>.cc.
extern const Shape kCustomSdo, kCustomSro, kCustomSco;  // common properties only
extern const Shape kExternalReference, kKillChainPhase, kGranularMarking;

// A predefined extension of observables (§6), model_extension.cc.
struct PredefinedExtension {
  std::string_view name;
  std::string_view host;
  const Shape* shape = nullptr;
};
[[nodiscard]] const PredefinedExtension* find_extension(std::string_view name);
[[nodiscard]] std::span<const PredefinedExtension> extensions();

// Whether the standard names this relationship (appendix B); true if one of the types is not of the standard.
[[nodiscard]] bool known_relationship(std::string_view source, std::string_view verb, std::string_view target);

}  // namespace entente::stix::internal
