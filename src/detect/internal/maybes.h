// Many questions to one Bloom filter, with the widest instructions of this processor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "detect/hunt.h"
#include "detect/internal/bloom.h"

namespace entente::detect {

// yes[i]: filter.maybe(hashes[i]). Worth its call only if the filter's lines were prefetched.
using Maybes = void (*)(const Bloom& filter, const uint64_t* hashes, size_t count, uint8_t* yes);
[[nodiscard]] Maybes maybes(Kernel kernel);

}  // namespace entente::detect
