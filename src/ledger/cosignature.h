// What witnesses add to a checkpoint: C2SP tlog-cosignature, `cosignature/v1` (Ed25519). A cosignature says: at this
// time this was the head of that log, and it extends every head of it that I cosigned before. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"

namespace entente::ledger {

// The signature line of the witness `name` under the checkpoint `note`, whole seconds of `at`. kCorrupt: not a note.
[[nodiscard]] Result<std::string> cosign(std::string_view note, std::string_view name, const SecretKey& key, Time at);

struct Cosignature {
  std::string name;  // of the witness: its kid
  Time at;
  std::string line;  // as it stands in the note
};
// Those of `witnesses` (name -> key) that stand under the note and verify. A line of a known witness that does not
// verify is an error (kDenied): somebody forged it. kCorrupt: not a note.
[[nodiscard]] Result<std::vector<Cosignature>> cosignatures(std::string_view note,
                                                            const std::map<std::string, PublicKey>& witnesses);

// The quorum of an agreement: "all(A/witness/1,B/witness/1)" or "2 of (A/witness/1,…) excluding log owner".
struct Quorum {
  size_t needed = 0;
  std::vector<std::string> names;
  // Whether these witnesses are enough.
  [[nodiscard]] bool met(const std::vector<Cosignature>& have) const;
};
// For the log of `owner` (a party's code, before the slash of a name). kInvalid.
[[nodiscard]] Result<Quorum> parse_quorum(std::string_view text, std::string_view owner);

}  // namespace entente::ledger
