#include "pattern/symbols.h"

namespace entente::pattern {

Suffix suffix_of(std::string_view name) {
  if (name.ends_with("_ref")) return Suffix::kRef;
  if (name.ends_with("_refs")) return Suffix::kRefs;
  if (name.ends_with("_bin")) return Suffix::kBin;
  if (name.ends_with("_hex")) return Suffix::kHex;
  return Suffix::kNone;
}

Symbols::Symbols(const Symbols& other) {
  for (Symbol s = 1; s < other.size(); ++s) add(other.name(s));
}

Symbols& Symbols::operator=(const Symbols& other) {
  if (this != &other) *this = Symbols(other);
  return *this;
}

Symbol Symbols::add(std::string_view name) {
  if (const Symbol known = find(name); known != 0) return known;
  const auto s = static_cast<Symbol>(names_.size());
  by_name_.emplace(names_.emplace_back(name), s);
  suffixes_.push_back(suffix_of(name));
  return s;
}

Symbol Symbols::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? 0 : it->second;
}

}  // namespace entente::pattern
