#include "detect/seeded_hash.h"

#include "detect/internal/hash.h"

namespace entente::detect {

uint64_t seeded_hash(std::string_view octets) { return hash_bytes(hash_seed(), octets); }

}  // namespace entente::detect
