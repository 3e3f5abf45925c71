// Keys and self-signed certificates. Partners pin the key; the certificate only carries it.
#include <algorithm>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/crypto.h"
#include "base/files.h"
#include "net/http.h"
#include "net/internal/tls.h"

namespace entente::net {
namespace {

using internal::PkeyPtr;
using internal::ssl_error_text;
using internal::X509Ptr;

struct BioFree {
  void operator()(BIO* p) const { BIO_free(p); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;

std::string contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(std::max(size, 0L))};
}

bool is_address(const std::string& name) {
  unsigned char address[16];
  return inet_pton(AF_INET, name.c_str(), address) == 1 || inet_pton(AF_INET6, name.c_str(), address) == 1;
}

// A name that cannot smuggle a second entry into OpenSSL's list syntax.
bool is_host_name(const std::string& name) {
  return !name.empty() && name.size() <= 253 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '*';
  });
}

bool add_extension(X509* cert, int nid, const std::string& value) {
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, cert, cert, nullptr, nullptr, 0);
  X509_EXTENSION* ext = X509V3_EXT_conf_nid(nullptr, &ctx, nid, value.c_str());
  if (ext == nullptr) return false;
  const bool ok = X509_add_ext(cert, ext, -1) == 1;
  X509_EXTENSION_free(ext);
  return ok;
}

bool set_serial(X509* cert) {
  std::string octets = random_bytes(16);
  octets[0] = static_cast<char>((octets[0] & 0x3f) | 0x40);  // positive, and always 16 octets
  BIGNUM* number = BN_bin2bn(reinterpret_cast<const unsigned char*>(octets.data()), 16, nullptr);
  const bool ok = number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != nullptr;
  BN_free(number);
  return ok;
}

}  // namespace

Result<std::string> make_certificate(const std::string& cert_file, const std::string& key_file,
                                     const std::string& common_name, const std::vector<std::string>& alt_names,
                                     int days) {
  if (common_name.empty() || common_name.size() > 64) return invalid("a common name has 1 to 64 octets", common_name);
  if (days < 1 || days > 36'500) return invalid("validity must be 1 to 36500 days");
  std::vector<std::string> names{"localhost", "127.0.0.1"};
  for (const auto& name : alt_names) {
    if (!is_address(name) && !is_host_name(name)) return invalid("not a host name or address", name);
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  if (is_host_name(common_name) && std::ranges::find(names, common_name) == names.end()) names.push_back(common_name);
  std::string san;
  for (const auto& name : names)
    san += (san.empty() ? "" : ",") + std::string(is_address(name) ? "IP:" : "DNS:") + name;

  ERR_clear_error();
  const PkeyPtr key(EVP_EC_gen("P-256"));
  const X509Ptr cert(X509_new());
  if (key == nullptr || cert == nullptr) return make_error(ErrorKind::kInternal, ssl_error_text("cannot make a key"));
  X509_NAME* subject = X509_get_subject_name(cert.get());
  // A day of slack for clocks that disagree.
  const bool ok = X509_set_version(cert.get(), X509_VERSION_3) == 1 && set_serial(cert.get()) &&
                  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -86'400) != nullptr &&
                  X509_time_adj_ex(X509_getm_notAfter(cert.get()), days, 0, nullptr) != nullptr &&
                  X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                             reinterpret_cast<const unsigned char*>(common_name.data()),
                                             static_cast<int>(common_name.size()), -1, 0) == 1 &&
                  X509_set_issuer_name(cert.get(), subject) == 1 && X509_set_pubkey(cert.get(), key.get()) == 1 &&
                  add_extension(cert.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                  add_extension(cert.get(), NID_key_usage, "critical,digitalSignature") &&
                  add_extension(cert.get(), NID_ext_key_usage, "serverAuth,clientAuth") &&
                  add_extension(cert.get(), NID_subject_key_identifier, "hash") &&
                  add_extension(cert.get(), NID_subject_alt_name, san) &&
                  X509_sign(cert.get(), key.get(), EVP_sha256()) > 0;
  if (!ok) return make_error(ErrorKind::kInternal, ssl_error_text("cannot make a certificate"));

  const BioPtr cert_pem(BIO_new(BIO_s_mem()));
  const BioPtr key_pem(BIO_new(BIO_s_secmem()));
  if (cert_pem == nullptr || key_pem == nullptr || PEM_write_bio_X509(cert_pem.get(), cert.get()) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return make_error(ErrorKind::kInternal, ssl_error_text("cannot write PEM"));
  }
  PosixFiles files;
  std::string secret = contents(key_pem.get());
  const Status written = files.write_atomic(key_file, secret, 0600);
  OPENSSL_cleanse(secret.data(), secret.size());
  CHECK_OK(written);
  CHECK_OK(files.write_atomic(cert_file, contents(cert_pem.get()), 0644));
  return internal::spki_sha256(cert.get());
}

Result<std::string> certificate_spki(const std::string& cert_file) {
  PosixFiles files;
  TRY(const std::string text, files.read(cert_file));
  ERR_clear_error();
  const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(std::min<size_t>(text.size(), 1u << 20))));
  const X509Ptr cert(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (cert == nullptr) return invalid("no certificate in PEM", cert_file);
  return internal::spki_sha256(cert.get());
}

}  // namespace entente::net
