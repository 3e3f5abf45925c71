// The counters of a decoder by name: what was not understood, with a sentence that says so, and the rest.
#pragma once

#include <cstdint>
#include <span>

#include "packet/decode.h"

namespace entente::packet {

struct CounterName {
  const char* name;  // as in status.json
  uint64_t Counters::* value;
  const char* not_read;  // behind a number: "packets are …"; nullptr where nothing is lost
};
// All of them, in the order of Counters.
[[nodiscard]] std::span<const CounterName> counter_names();

}  // namespace entente::packet
