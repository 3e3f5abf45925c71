// Steps that are signed and sent in one go: joint actions and consents.
#pragma once

#include <string>
#include <vector>

#include "agreement/act.h"
#include "cli/internal/node_client.h"
#include "cli/internal/signing.h"
#include "node/config.h"

namespace entente::cli {

// "+PT10M" from now, or RFC 3339.
[[nodiscard]] Result<Time> moment(const std::string& text, Time now);

// Fills in the text that binds the party, collects the signatures that the step's quorum asks for, and gives it to the
// node. `keys`: files or pkcs11:…; none: those in the node's folder. The hash of the act.
Result<std::string> sign_and_send(agreement::Act act, const node::NodeConfig& config, NodeClient& client,
                                  const std::vector<std::string>& keys, const Secrets& secrets);

}  // namespace entente::cli
