// What a fuzz target demands of what it calls, beside not crashing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Named by libFuzzer.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);  // NOLINT(readability-identifier-naming)

namespace entente::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void demand(bool holds, const char* rule) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: broken: %s\n", rule);
  std::abort();
}

// The first octet of an input chooses among the ways a target can go; the rest is what is read.
inline unsigned choice(std::string_view& input) {
  if (input.empty()) return 0;
  const auto c = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  return c;
}

}  // namespace entente::fuzz
