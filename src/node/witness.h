// A neutral witness: a process of its own, with its own key and folder, that cosigns heads of the logs it was told of
// (C2SP tlog-witness). It knows nothing of agreements, parties or STIX, and sees sizes and hashes alone. A university
// or another CERT runs it, so that two parties cannot rewrite all of their history together (docs/format/ledger.md).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace entente::node {

struct WitnessLog {
  std::string origin;
  std::vector<std::string> keys;  // Ed25519, 64 hex digits; several while a log changes its key
};
struct WitnessConfig {
  std::string dir, name, listen;
  std::vector<WitnessLog> logs;
};

struct WitnessMade {
  std::string public_hex;  // what goes into an agreement's ledger.witnesses
  std::string spki;        // what a node pins
};
// Makes DIR/witness.toml, keys/witness.pem, keys/tls.*. A folder that is not empty is refused.
[[nodiscard]] Result<WitnessMade> init_witness(const std::string& dir, const std::string& name,
                                               const std::string& listen);
[[nodiscard]] Result<WitnessConfig> load_witness(const std::string& dir);
// Adds a log, or a key of one. A running witness takes it with SIGHUP.
[[nodiscard]] Status add_witness_log(const std::string& dir, const std::string& origin, const std::string& key);

// The newest heads that it cosigned.
struct WitnessHead {
  std::string origin;
  std::string note;  // "" = none yet
};
[[nodiscard]] Result<std::vector<WitnessHead>> witness_heads(const std::string& dir);

// Serves POST /add-checkpoint until SIGTERM or SIGINT; SIGHUP reads the list of logs again. One JSON line
// {"event":"ready","name","url","public"} on standard output when it serves.
[[nodiscard]] Result<int> run_witness(const std::string& dir);

}  // namespace entente::node
