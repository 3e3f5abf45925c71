// Many node hashes at once. A proof that goes through a leaf tile needs nearly all of its 255 inner nodes, and they are
// independent of each other level by level: two at a time keep the SHA instructions of one core busy, which OpenSSL's
// one-message interface cannot. Where the processor has none, node_hash() does the work.
#pragma once

#include <cstddef>

#include "ledger/merkle.h"

namespace entente::ledger {

// out[i] = node_hash(in[2i], in[2i+1]). `out` may be `in`.
void hash_pairs(const Hash* in, size_t pairs, Hash* out);

}  // namespace entente::ledger
