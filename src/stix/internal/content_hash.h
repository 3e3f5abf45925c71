// A hash of a JSON value as what it says, not as it is written: order of members, white space and escapes do not
// matter, order in lists does, and 1.0 is 1. Equal canonical texts (RFC 8785) have equal hashes. For finding equal
// objects, not for proofs.
#pragma once

#include <cstdint>
#include <string_view>

#include "json/json.h"

namespace entente::stix::internal {

[[nodiscard]] uint64_t text_hash(std::string_view text, uint64_t seed);
[[nodiscard]] uint64_t content_hash(const json::Value& value, uint64_t seed);

}  // namespace entente::stix::internal
