// Makes a node folder: configuration, keys, certificate, first token, and the party's block for agreement documents.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace entente::node {

struct InitOptions {
  std::string dir;
  std::string party;  // "IN"
  std::string name;   // "National CERT of India"
  std::string listen = "127.0.0.1:8443";
  bool exercise = false;               // keys and party block of an exercise
  std::vector<std::string> alt_names;  // further names and addresses for the certificate
};

struct InitResult {
  std::string dir, party;
  std::string url;
  std::string spki;  // SHA-256 of the TLS key: what partners pin
  std::string admin_token_file;
  std::string party_file;  // DIR/party.json
};

// kConflict if the folder already holds a node. Leaves nothing behind if it fails.
[[nodiscard]] Result<InitResult> init_node(const InitOptions& options, Clock& clock);

}  // namespace entente::node
