#include "base/signing_key.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/internal/pkcs11.h"

namespace entente {
namespace {

// 16 MiB for each guess: the most that OpenSSL grants to a PEM file.
constexpr uint64_t kScryptN = 16384;
constexpr uint64_t kScryptR = 8;
constexpr uint64_t kScryptP = 4;

template <class T, void (*F)(T*)>
struct Free {
  void operator()(T* p) const { F(p); }
};
using Pkey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using Info = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Free<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>>;
using Encrypted = std::unique_ptr<X509_SIG, Free<X509_SIG, X509_SIG_free>>;
struct FreeBio {
  void operator()(BIO* p) const { BIO_free_all(p); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

Error system_error(const char* what, const std::string& path) {
  return make_error(errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo,
                    std::string(what) + ": " + std::strerror(errno), path);
}

class FileKey final : public SigningKey {
 public:
  explicit FileKey(SecretKey key) : key_(std::move(key)), public_(key_.public_key()) {}
  [[nodiscard]] const PublicKey& public_key() const override { return public_; }
  [[nodiscard]] Result<std::string> sign(std::string_view message) override { return key_.sign(message); }

 private:
  SecretKey key_;
  PublicKey public_;
};

// The first line says whether a passphrase is needed.
Result<bool> is_encrypted(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error("cannot open the key file", path);
  std::string head(64, '\0');
  const ssize_t n = ::read(fd, head.data(), head.size());
  struct stat st{};
  const bool seen = ::fstat(fd, &st) == 0;
  ::close(fd);
  if (n < 0 || !seen) return system_error("cannot read the key file", path);
  if ((st.st_mode & 077) != 0)
    return make_error(ErrorKind::kDenied, "the key file is open to others", path,
                      "chmod 600 it, and think about who read it");
  return head.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----");
}

Result<SecretKey> decrypt(const std::string& path, const AskSecret& ask) {
  TRY(std::string passphrase, ask("passphrase of " + path));
  const Bio bio(BIO_new_file(path.c_str(), "r"));
  const Pkey key(bio ? PEM_read_bio_PrivateKey(
                           bio.get(), nullptr,
                           [](char* out, int size, int, void* secret) {
                             const auto& text = *static_cast<const std::string*>(secret);
                             if (text.size() > static_cast<size_t>(size)) return -1;
                             std::copy(text.begin(), text.end(), out);
                             return static_cast<int>(text.size());
                           },
                           &passphrase)
                     : nullptr);
  OPENSSL_cleanse(passphrase.data(), passphrase.size());
  std::string seed(32, '\0');
  size_t length = seed.size();
  if (!key) return make_error(ErrorKind::kDenied, "the key file does not open with this passphrase", path);
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_private_key(key.get(), reinterpret_cast<unsigned char*>(seed.data()), &length) != 1)
    return invalid("not an Ed25519 key", path);
  auto out = SecretKey::from_seed(seed);
  OPENSSL_cleanse(seed.data(), seed.size());
  return out;
}

Result<std::string> encrypted_pem(const SecretKey& key, std::string_view passphrase) {
  const auto broken = [] { return make_error(ErrorKind::kInternal, "OpenSSL cannot encrypt the key"); };
  std::string plain = key.pem();
  const Bio in(BIO_new_mem_buf(plain.data(), static_cast<int>(plain.size())));
  const Pkey pkey(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  OPENSSL_cleanse(plain.data(), plain.size());
  const Info info(pkey ? EVP_PKEY2PKCS8(pkey.get()) : nullptr);
  if (!info) return broken();
  X509_ALGOR* how = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 0, nullptr, kScryptN, kScryptR, kScryptP);
  if (how == nullptr) return broken();
  const Encrypted sealed(PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()), info.get(), how));
  if (!sealed) {
    X509_ALGOR_free(how);
    return broken();
  }
  const Bio out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8(out.get(), sealed.get()) != 1) return broken();
  char* data = nullptr;
  const long n = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<size_t>(n));
}

}  // namespace

Result<std::unique_ptr<SigningKey>> open_signing_key(const std::string& where, const AskSecret& ask) {
  if (where.starts_with("pkcs11:")) {
    TRY(const internal::TokenUri uri, internal::parse_token_uri(where));
    return internal::open_token_key(uri, ask);
  }
  TRY(const bool encrypted, is_encrypted(where));
  auto key = encrypted ? decrypt(where, ask) : SecretKey::load(where);
  if (!key.ok()) return std::move(key).error();
  return std::unique_ptr<SigningKey>(std::make_unique<FileKey>(std::move(*key)));
}

Status save_encrypted(const SecretKey& key, const std::string& path, std::string_view passphrase) {
  if (passphrase.empty()) return invalid("an empty passphrase protects nothing", path);
  if (passphrase.size() > 1000) return invalid("a passphrase has at most 1000 octets", path);
  TRY(const std::string text, encrypted_pem(key, passphrase));
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST)
    return make_error(ErrorKind::kConflict, "the key file exists already", path,
                      "keys are never overwritten: move it away first");
  if (fd < 0) return system_error("cannot make the key file", path);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const Error failed = system_error("cannot write the key file", path);
  ::close(fd);
  if (!written) return failed;
  return {};
}

Result<PublicKey> make_token_key(const std::string& uri, const AskSecret& ask) {
  if (!uri.starts_with("pkcs11:")) return invalid("a token's key is named by a URI", uri, "pkcs11:token=…;object=…");
  TRY(const internal::TokenUri parsed, internal::parse_token_uri(uri));
  return internal::generate_token_key(parsed, ask);
}

}  // namespace entente
