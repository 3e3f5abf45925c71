// A 64-bit hash for tables whose keys strangers choose: seeded per process, so that nobody can aim at a bucket. Not for
// what is kept or sent. Pure within a process; thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace entente::detect {

[[nodiscard]] uint64_t seeded_hash(std::string_view octets);

}  // namespace entente::detect
