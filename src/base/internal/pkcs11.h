// One Ed25519 key on a PKCS #11 token (v2.40 with the EdDSA mechanism of v3.0). The module is loaded by its path; its
// headers are seen by pkcs11.cc only.
#pragma once

#include <memory>
#include <string>

#include "base/signing_key.h"

namespace entente::internal {

struct TokenUri {
  std::string token, object, module_path, pin_file;
};
[[nodiscard]] Result<TokenUri> parse_token_uri(const std::string& uri);

[[nodiscard]] Result<std::unique_ptr<SigningKey>> open_token_key(const TokenUri& uri, const AskSecret& ask);
[[nodiscard]] Result<PublicKey> generate_token_key(const TokenUri& uri, const AskSecret& ask);

}  // namespace entente::internal
