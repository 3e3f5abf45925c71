// The pattern parser: what it accepts prints to a text that it accepts as the same pattern, with the same atoms.
#include "pattern/pattern.h"

#include <string>

#include "fuzz/property.h"

using namespace entente;
using fuzz::demand;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto first = pattern::Pattern::parse(text);
  if (!first.ok()) {
    demand(!first.error().where.empty(), "an error names its place");
    return 0;
  }
  const std::string printed = first->print();
  // Printing may lengthen (escapes, parentheses); the limit of 64 KiB is the reader's.
  if (printed.size() > 60'000) return 0;
  const auto second = pattern::Pattern::parse(printed);
  demand(second.ok(), "what is printed is read");
  demand(second->print() == printed, "printing is stable");
  const auto a = pattern::equality_atoms(*first);
  const auto b = pattern::equality_atoms(*second);
  demand(a.complete == b.complete && a.any_of.size() == b.any_of.size(), "the same atoms from both");
  for (size_t i = 0; i < a.any_of.size(); ++i) {
    demand(a.any_of[i].kind == b.any_of[i].kind && a.any_of[i].value == b.any_of[i].value, "the same atom from both");
  }
  return 0;
}
