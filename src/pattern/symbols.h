// Names of types and properties as numbers, so that a step of a path is a comparison of two integers.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace entente::pattern {

using Symbol = uint32_t;  // 0: not known

// What the ending of a property name says of its value (STIX 2.1 §2.6, §2.9, §9.6.4).
enum class Suffix : uint8_t { kNone, kRef, kRefs, kBin, kHex };
[[nodiscard]] Suffix suffix_of(std::string_view name);

// Not thread-safe while names are added; find() and the rest are.
class Symbols {
 public:
  Symbols() = default;
  Symbols(const Symbols& other);
  Symbols& operator=(const Symbols& other);
  Symbols(Symbols&&) noexcept = default;
  Symbols& operator=(Symbols&&) noexcept = default;
  ~Symbols() = default;

  Symbol add(std::string_view name);
  [[nodiscard]] Symbol find(std::string_view name) const;
  [[nodiscard]] Suffix suffix(Symbol s) const { return suffixes_[s]; }
  [[nodiscard]] std::string_view name(Symbol s) const { return names_[s]; }
  [[nodiscard]] size_t size() const { return names_.size(); }

 private:
  std::deque<std::string> names_{""};
  std::vector<Suffix> suffixes_{Suffix::kNone};
  std::unordered_map<std::string_view, Symbol> by_name_;  // views into names_
};

}  // namespace entente::pattern
