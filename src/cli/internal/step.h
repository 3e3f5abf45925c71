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

// Fills in the text that binds the party, its keys and the quorum that the step asks for. Not signed yet.
Result<SigningRequest> prepare(agreement::Act act, const node::NodeConfig& config, NodeClient& client);
// For signers without a network: writes the act on a file, and says what is missing. And back: the act that the file
// holds, if it is of this kind ("": any) and its signatures are there.
Result<int> export_request(bool as_json, const SigningRequest& request, const std::string& file);
Result<SigningRequest> read_signed(const std::string& file, const std::string& kind);
// As 'agreement ACT --export' and '--import'.
struct OnFile {
  std::string export_to, import_from;
  void add_options(CLI::App& command);
};

// Fills in the text that binds the party, collects the signatures that the step's quorum asks for, and gives it to the
// node. `keys`: files or pkcs11:…; none: those in the node's folder. The hash of the act.
Result<std::string> sign_and_send(agreement::Act act, const node::NodeConfig& config, NodeClient& client,
                                  const std::vector<std::string>& keys, const Secrets& secrets);

}  // namespace entente::cli
