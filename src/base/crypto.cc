// SHA*_Init, _Update and _Final are deprecated in OpenSSL 3, yet they take several pieces without an allocation and
// without looking a digest up on every call, as EVP does.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/crypto.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/files.h"

namespace entente {
namespace {

struct FreePkey {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
};
struct FreeBio {
  void operator()(BIO* p) const { BIO_free_all(p); }
};
using Pkey = std::unique_ptr<EVP_PKEY, FreePkey>;
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;
using Bio = std::unique_ptr<BIO, FreeBio>;

const unsigned char* octets(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
unsigned char* octets(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }

// A seed of 32 octets is always a key; only exhausted memory gets here.
[[noreturn]] void give_up(const char* what) {
  std::fputs(what, stderr);
  std::fputc('\n', stderr);
  std::abort();
}

void need_sodium() {
  static const bool ready = sodium_init() >= 0;
  if (!ready) give_up("entente: libsodium does not start");
}

Pkey secret_pkey(std::string_view seed) {
  Pkey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(seed), seed.size()));
  if (!key) give_up("entente: out of memory in Ed25519");
  return key;
}

// y of the points of order 1, 2, 4 and 8, little-endian without the sign bit. p and p+1 are the second encodings of 0
// and 1.
constexpr std::array<std::string_view, 7> kSmallOrder = {
    std::string_view("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                     "\x00\x00\x00\x00\x00\x00\x00\x00",
                     32),
    std::string_view("\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                     "\x00\x00\x00\x00\x00\x00\x00\x00",
                     32),
    std::string_view("\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39"
                     "\xb1\x38\x02\x88\x6d\x53\xfc\x05",
                     32),
    std::string_view("\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6"
                     "\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
                     32),
    std::string_view("\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                     "\xff\xff\xff\xff\xff\xff\xff\x7f",
                     32),
    std::string_view("\xed\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                     "\xff\xff\xff\xff\xff\xff\xff\x7f",
                     32),
    std::string_view("\xee\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                     "\xff\xff\xff\xff\xff\xff\xff\x7f",
                     32),
};
// L = 2^252 + 27742317777372353535851937790883648493, little-endian.
constexpr std::string_view kOrder(
    "\xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x10",
    32);
constexpr std::string_view kField = kSmallOrder[5];  // p = 2^255 - 19

std::string without_sign(std::string_view point) {
  std::string out(point);
  out[31] = static_cast<char>(out[31] & 0x7f);
  return out;
}

// Little-endian numbers of equal length; public values only, so not constant in time.
bool less(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend(),
                                      [](char x, char y) { return static_cast<uint8_t>(x) < static_cast<uint8_t>(y); });
}

bool small_order(std::string_view point) {
  const std::string y = without_sign(point);
  return std::any_of(kSmallOrder.begin(), kSmallOrder.end(), [&](std::string_view bad) { return y == bad; });
}

bool canonical_point(std::string_view point) { return less(without_sign(point), kField); }

Error errno_error(const char* what, const std::string& path) {
  return make_error(errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo,
                    std::string(what) + ": " + std::strerror(errno), path);
}

}  // namespace

Digest sha256(std::string_view bytes) { return sha256({bytes}); }

Digest sha256(std::initializer_list<std::string_view> pieces) {
  Digest d;
  SHA256_CTX c;
  SHA256_Init(&c);
  for (const auto piece : pieces) SHA256_Update(&c, piece.data(), piece.size());
  SHA256_Final(d.data(), &c);
  return d;
}

std::string sha256_hex(std::string_view bytes) { return hex(view(sha256(bytes))); }

std::array<uint8_t, 20> sha1(std::string_view bytes) {
  std::array<uint8_t, 20> d{};
  SHA_CTX c;
  SHA1_Init(&c);
  SHA1_Update(&c, bytes.data(), bytes.size());
  SHA1_Final(d.data(), &c);
  return d;
}

Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  Digest d{};
  unsigned int n = 0;
  static const EVP_MD* const digest = EVP_sha256();
  // A null key pointer would mean "the key of last time".
  const char none = 0;
  if (HMAC(digest, key.empty() ? &none : key.data(), static_cast<int>(key.size()), octets(bytes), bytes.size(),
           d.data(), &n) == nullptr) {
    give_up("entente: out of memory in HMAC");
  }
  return d;
}

std::string_view view(const Digest& d) { return {reinterpret_cast<const char*>(d.data()), d.size()}; }

bool equal_ct(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(size_t n) {
  std::string out(n, '\0');
  constexpr size_t kAtOnce = 1u << 20;
  for (size_t at = 0; at < n; at += kAtOnce) {
    if (RAND_bytes(octets(out) + at, static_cast<int>(std::min(kAtOnce, n - at))) != 1)
      give_up("entente: the system has no random octets");
  }
  return out;
}

Result<PublicKey> PublicKey::from_hex(std::string_view text) {
  auto raw = unhex(text);
  if (!raw.ok() || raw->size() != 32) return invalid("an Ed25519 public key is 64 hex digits");
  need_sodium();
  if (small_order(*raw)) return invalid("Ed25519 public key of small order", {}, "ask for a key made by entente init");
  // On the curve, canonical, and in the group that real keys are in.
  if (!canonical_point(*raw) || crypto_core_ed25519_is_valid_point(octets(*raw)) != 1) {
    return invalid("not a point of the Ed25519 curve in canonical form", {}, "check the key with its owner");
  }
  return PublicKey{*std::move(raw)};
}

std::string PublicKey::to_hex() const { return hex(raw); }

SecretKey SecretKey::generate() {
  SecretKey k;
  k.seed_ = random_bytes(32);
  return k;
}

Result<SecretKey> SecretKey::from_seed(std::string_view seed32) {
  if (seed32.size() != 32) return invalid("an Ed25519 seed is 32 octets");
  SecretKey k;
  k.seed_ = seed32;
  return k;
}

SecretKey::~SecretKey() { OPENSSL_cleanse(seed_.data(), seed_.size()); }

Result<SecretKey> SecretKey::load(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno_error("cannot open the key file", path);
  std::string text(16 * 1024, '\0');
  struct stat st{};
  const bool seen = ::fstat(fd, &st) == 0;
  const ssize_t n = seen ? ::read(fd, text.data(), text.size()) : -1;
  const Error failed = errno_error("cannot read the key file", path);
  ::close(fd);
  if (n < 0) return failed;
  if ((st.st_mode & 077) != 0)
    return make_error(ErrorKind::kDenied, "the key file is open to others", path,
                      "chmod 600 it, and think about who read it");
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(n)));
  // No passphrase is asked for: an encrypted file is an error, not a question on the terminal.
  const Pkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
  OPENSSL_cleanse(text.data(), text.size());
  size_t length = 32;
  SecretKey out;
  out.seed_.resize(32);
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_private_key(key.get(), octets(out.seed_), &length) != 1) {
    return invalid("not an Ed25519 key in PKCS #8 PEM", path);
  }
  return out;
}

std::string SecretKey::pem() const {
  const Pkey key = secret_pkey(seed_);
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    give_up("entente: out of memory in PEM");
  char* data = nullptr;
  const long n = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(n)};
}

Status SecretKey::save(const std::string& path) const {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST)
    return make_error(ErrorKind::kConflict, "the key file exists already", path,
                      "keys are never overwritten: move it away first");
  if (fd < 0) return errno_error("cannot make the key file", path);
  std::string text = pem();
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const Error failed = errno_error("cannot write the key file", path);
  OPENSSL_cleanse(text.data(), text.size());
  ::close(fd);
  if (!written) return failed;
  return sync_parent(path);
}

PublicKey SecretKey::public_key() const {
  const Pkey key = secret_pkey(seed_);
  PublicKey out{std::string(32, '\0')};
  size_t n = 32;
  if (EVP_PKEY_get_raw_public_key(key.get(), octets(out.raw), &n) != 1) give_up("entente: Ed25519 public key");
  return out;
}

std::string SecretKey::sign(std::string_view message) const {
  const Pkey key = secret_pkey(seed_);
  const Context c(EVP_MD_CTX_new());
  std::string out(64, '\0');
  size_t n = out.size();
  if (!c || EVP_DigestSignInit(c.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(c.get(), octets(out), &n, octets(message), message.size()) != 1) {
    give_up("entente: Ed25519 signature");
  }
  return out;
}

bool verify(const PublicKey& key, std::string_view message, std::string_view signature) {
  if (key.raw.size() != 32 || signature.size() != 64) return false;
  const auto r = signature.substr(0, 32);
  const auto s = signature.substr(32);
  if (!less(s, kOrder) || small_order(r) || small_order(key.raw) || !canonical_point(key.raw)) return false;
  const Pkey pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(key.raw), 32));
  const Context c(EVP_MD_CTX_new());
  return pkey && c && EVP_DigestVerifyInit(c.get(), nullptr, nullptr, nullptr, pkey.get()) == 1 &&
         EVP_DigestVerify(c.get(), octets(signature), 64, octets(message), message.size()) == 1;
}

std::string hash_password(std::string_view password) {
  need_sodium();
  std::array<char, crypto_pwhash_STRBYTES> out{};
  if (crypto_pwhash_str_alg(out.data(), password.data(), password.size(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                            crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13) != 0) {
    give_up("entente: out of memory in argon2id");
  }
  return out.data();
}

bool check_password(std::string_view hash, std::string_view password) {
  need_sodium();
  const std::string text(hash);  // libsodium reads up to the zero
  return text.size() < crypto_pwhash_STRBYTES && text.starts_with(crypto_pwhash_STRPREFIX) &&
         crypto_pwhash_str_verify(text.c_str(), password.data(), password.size()) == 0;
}

}  // namespace entente
