// Collects the signatures of an act: which keys its quorum asks for, where they are, and the file on which an act
// travels to people whose keys are on a machine without a network.
#pragma once

#include <string>
#include <vector>

#include "agreement/act.h"
#include "base/signing_key.h"

namespace CLI {
class App;
}

namespace entente::cli {

// Where secrets come from: a file, ENTENTE_PASSPHRASE, or the terminal.
struct Secrets {
  std::string file;
  void add_options(CLI::App& command);
  [[nodiscard]] AskSecret ask() const;
};

// An act on its way between signers (docs/format/acts.md, "Signing request").
struct SigningRequest {
  agreement::SignedAct act;
  std::map<std::string, int> quorum;       // role -> count
  std::vector<agreement::KeyRecord> keys;  // the party's, so that a signer is told under which name it signs
  std::string title;                       // of the agreement
  [[nodiscard]] std::string text() const;  // JSON, laid out for people
  static Result<SigningRequest> parse(std::string_view text, const std::string& where);
};

// Signs with each of `where` (files or token URIs). A key that is none of the party's, or signed already, is an error.
Status sign_with(SigningRequest& request, const std::vector<std::string>& where, const AskSecret& ask);
// Signs with the keys of the folder, DIR/keys/{plenipotentiary,authority}*.pem, until the quorum is full.
Status sign_from_folder(SigningRequest& request, const std::string& folder, const AskSecret& ask);
// "role authority: 1 of 2" for each role that is not full yet; empty: ready to be submitted.
[[nodiscard]] std::vector<std::string> missing(const SigningRequest& request);

}  // namespace entente::cli
