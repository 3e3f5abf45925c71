// Signed tree heads: C2SP tlog-checkpoint in a C2SP signed note (Ed25519).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/result.h"
#include "ledger/merkle.h"

namespace entente::ledger {

struct Checkpoint {
  std::string origin;  // "entente/in/6f1c0f0e-…"
  uint64_t size = 0;
  Hash root{};
};

[[nodiscard]] std::string sign_checkpoint(const Checkpoint& c, const SecretKey& log_key);
// Checks the signature by `log_key` under the name `origin`. Lines signed by others are allowed and ignored. kCorrupt /
// kDenied with reason.
[[nodiscard]] Result<Checkpoint> open_checkpoint(std::string_view note, std::string_view origin,
                                                 const PublicKey& log_key);
// What a checkpoint claims, with no signature looked at: to know whose key to ask for, and for a note that was verified
// when it was kept. kCorrupt.
[[nodiscard]] Result<Checkpoint> unverified_checkpoint(std::string_view note);

}  // namespace entente::ledger
