// Where a person's Ed25519 key is and how it signs: a PEM file, a PEM file under a passphrase (PKCS #8, PBES2 with
// scrypt and AES-256-CBC: `openssl pkey` reads it), or a PKCS #11 token, whose key never leaves it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/result.h"

namespace entente {

// Not thread-safe.
class SigningKey {
 public:
  virtual ~SigningKey() = default;
  [[nodiscard]] virtual const PublicKey& public_key() const = 0;
  // 64 octets, checked against the public key before they are given out.
  [[nodiscard]] virtual Result<std::string> sign(std::string_view message) = 0;
};

// Asked at most once, only where a passphrase or PIN is needed; `what` names the file or token. Wiped by the callee.
using AskSecret = std::function<Result<std::string>(const std::string& what)>;

// `where`: a file, or "pkcs11:token=…;object=…?module-path=…[&pin-source=FILE]" (RFC 7512; of its attributes only
// these). The text of errors never holds a secret.
[[nodiscard]] Result<std::unique_ptr<SigningKey>> open_signing_key(const std::string& where, const AskSecret& ask);

// Writes the key under a passphrase, mode 0600. kConflict if the file is there.
[[nodiscard]] Status save_encrypted(const SecretKey& key, const std::string& path, std::string_view passphrase);

// Makes a key on the token under the URI's object name; kConflict if there is one already.
[[nodiscard]] Result<PublicKey> make_token_key(const std::string& uri, const AskSecret& ask);

}  // namespace entente
