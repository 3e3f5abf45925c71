// Hashes, MACs, random octets, Ed25519 and password hashing: thin faces of OpenSSL and libsodium. All functions are
// thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace entente {

using Digest = std::array<uint8_t, 32>;

[[nodiscard]] Digest sha256(std::string_view bytes);
// One pass over several pieces, e.g. {"\x01", left, right}.
[[nodiscard]] Digest sha256(std::initializer_list<std::string_view> pieces);
[[nodiscard]] std::string sha256_hex(std::string_view bytes);
[[nodiscard]] std::array<uint8_t, 20> sha1(std::string_view bytes);
[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view bytes);
[[nodiscard]] std::string_view view(const Digest& d);

// Constant time in the content (not in the length).
[[nodiscard]] bool equal_ct(std::string_view a, std::string_view b);

// Cryptographically random octets; aborts the process if the system has none.
[[nodiscard]] std::string random_bytes(size_t n);

// Ed25519 public key, 32 raw octets.
struct PublicKey {
  std::string raw;
  bool operator==(const PublicKey&) const = default;
  // Refuses what is not a canonical point of the curve, is of small order (agreement.md §3.7) or has a part of small
  // order.
  static Result<PublicKey> from_hex(std::string_view text);
  [[nodiscard]] std::string to_hex() const;
};

// Ed25519 secret key: the 32-octet seed. Wiped when destroyed; never printed.
class SecretKey {
 public:
  static SecretKey generate();
  static Result<SecretKey> from_seed(std::string_view seed32);
  // PKCS #8 PEM file, mode 0600; refuses a file that others can read.
  static Result<SecretKey> load(const std::string& path);
  [[nodiscard]] Status save(const std::string& path) const;  // refuses to overwrite

  SecretKey(const SecretKey&) = default;
  SecretKey(SecretKey&&) noexcept = default;
  SecretKey& operator=(const SecretKey&) = default;
  SecretKey& operator=(SecretKey&& other) noexcept {  // swaps, so that the old seed is wiped with `other`
    seed_.swap(other.seed_);
    return *this;
  }
  ~SecretKey();

  [[nodiscard]] PublicKey public_key() const;
  [[nodiscard]] std::string sign(std::string_view message) const;  // 64 octets
  [[nodiscard]] std::string pem() const;

 private:
  SecretKey() = default;
  std::string seed_;
};

// RFC 8032 cofactorless as OpenSSL does it; rejects S >= L and small-order A and R, so that two nodes never disagree.
[[nodiscard]] bool verify(const PublicKey& key, std::string_view message, std::string_view signature);

// argon2id (libsodium, interactive limits): a self-describing string that contains salt and parameters.
[[nodiscard]] std::string hash_password(std::string_view password);
[[nodiscard]] bool check_password(std::string_view hash, std::string_view password);

}  // namespace entente
