#include "net/internal/tls.h"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/crypto.h"

namespace entente::net::internal {
namespace {

// Decides by key alone: the certificate is only the envelope of a key that TLS proves possession of.
int verify_by_key(X509_STORE_CTX* store, void* arg) {
  const auto* tls = static_cast<const TlsContext*>(arg);
  const std::string spki = spki_sha256(X509_STORE_CTX_get0_cert(store));
  bool ok = !spki.empty();
  if (ok && tls->accept) {
    try {
      ok = tls->accept(spki);
    } catch (...) {
      ok = false;
    }
  }
  X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
  return ok ? 1 : 0;
}

// RFC 7301: our order counts. `arg` is not null where HTTP/2 is wanted.
int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_len, const unsigned char* in, unsigned in_len,
                void* arg) {
  static constexpr unsigned char kBoth[] = "\x02h2\x08http/1.1";
  constexpr size_t kH2 = 3;
  const unsigned char* ours = arg != nullptr ? kBoth : kBoth + kH2;
  const auto size = static_cast<unsigned>(sizeof kBoth - 1 - (arg != nullptr ? 0 : kH2));
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_len, ours, size, in, in_len) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Result<std::shared_ptr<TlsContext>> common(const SSL_METHOD* method) {
  auto tls = std::make_shared<TlsContext>();
  tls->ctx.reset(SSL_CTX_new(method));
  SSL_CTX* ctx = tls->ctx.get();
  if (ctx == nullptr) return make_error(ErrorKind::kInternal, ssl_error_text("cannot make a TLS context"));
  const bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
                  // TLS 1.2: what is left when RFC 7540 Appendix A is taken out (TAXII 2.1 §8.2.2).
                  SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
                  SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1;
  if (!ok) return make_error(ErrorKind::kInternal, ssl_error_text("cannot set up TLS"));
  uint64_t flags =
      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
#ifdef SSL_OP_ENABLE_KTLS
  flags |= SSL_OP_ENABLE_KTLS;  // where the kernel has it, records are sealed there
#endif
  SSL_CTX_set_options(ctx, flags);
  SSL_CTX_set_max_early_data(ctx, 0);
  // Idle connections give their record buffers back. A write tells of each record, so that time-outs can see progress,
  // and may be repeated from another address.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ctx, 1);
  return tls;
}

Status use_own_certificate(SSL_CTX* ctx, const std::string& cert_file, const std::string& key_file) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(ctx, cert_file.c_str()) != 1) {
    return make_error(ErrorKind::kIo, "cannot read certificate: " + ssl_error_text("bad PEM"), cert_file);
  }
  if (SSL_CTX_use_PrivateKey_file(ctx, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return make_error(ErrorKind::kIo, "cannot use private key: " + ssl_error_text("bad PEM"), key_file);
  }
  if (SSL_CTX_check_private_key(ctx) != 1) {
    return invalid("private key does not belong to the certificate", key_file);
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<TlsContext>> server_tls(const std::string& cert_file, const std::string& key_file,
                                               AcceptKey accept, bool http2) {
  TRY(auto tls, common(TLS_server_method()));
  SSL_CTX* ctx = tls->ctx.get();
  CHECK_OK(use_own_certificate(ctx, cert_file, key_file));
  tls->accept = std::move(accept);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(ctx, verify_by_key, tls.get());
  SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, http2 ? tls.get() : nullptr);
  static constexpr unsigned char kSessions[] = "entente";
  SSL_CTX_set_session_id_context(ctx, kSessions, sizeof kSessions - 1);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);  // tickets only: no memory per client
  SSL_CTX_set_num_tickets(ctx, 1);
  return tls;
}

Result<std::shared_ptr<TlsContext>> client_tls(const ClientOptions& options) {
  TRY(auto tls, common(TLS_client_method()));
  SSL_CTX* ctx = tls->ctx.get();
  if (!options.cert_file.empty()) CHECK_OK(use_own_certificate(ctx, options.cert_file, options.key_file));
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_default_read_buffer_len(ctx, 64 * 1024);
  if (!options.pin_spki_sha256.empty()) {
    std::vector<std::string> pins;
    for (const auto& pin : options.pin_spki_sha256) pins.push_back(ascii_lower(pin));
    tls->accept = [pins = std::move(pins)](const std::string& spki) {
      return std::ranges::find(pins, spki) != pins.end();
    };
    SSL_CTX_set_cert_verify_callback(ctx, verify_by_key, tls.get());
    return tls;
  }
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
  if (!options.ca_file.empty()) {
    if (SSL_CTX_load_verify_locations(ctx, options.ca_file.c_str(), nullptr) != 1) {
      return make_error(ErrorKind::kIo, "cannot read CA certificates: " + ssl_error_text("bad PEM"), options.ca_file);
    }
  } else if (options.system_ca) {
    SSL_CTX_set_default_verify_paths(ctx);
  } else {
    return invalid("nothing to check the server against", options.url, "give a pin, a CA file or the system's store");
  }
  return tls;
}

SslPtr new_server_ssl(const TlsContext& tls, int fd) {
  SslPtr ssl(SSL_new(tls.ctx.get()));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), fd) != 1) return nullptr;
  SSL_set_accept_state(ssl.get());
  return ssl;
}

SslPtr new_client_ssl(const TlsContext& tls, int fd, const std::string& host) {
  SslPtr ssl(SSL_new(tls.ctx.get()));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), fd) != 1) return nullptr;
  unsigned char address[16];
  const bool is_address =
      inet_pton(AF_INET, host.c_str(), address) == 1 || inet_pton(AF_INET6, host.c_str(), address) == 1;
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
  } else {
    // The macro SSL_set_tlsext_host_name casts constness away; so does this, in view.
    SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str()));
    SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl.get(), host.c_str());
  }
  SSL_set_connect_state(ssl.get());
  return ssl;
}

bool speaks_http2(const SSL* ssl) {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  return size == 2 && std::memcmp(name, "h2", 2) == 0;
}

std::string spki_sha256(X509* certificate) {
  if (certificate == nullptr) return {};
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return {};
  std::string out = sha256_hex({reinterpret_cast<const char*>(der), static_cast<size_t>(size)});
  OPENSSL_free(der);
  return out;
}

std::string peer_spki_sha256(const SSL* ssl) { return spki_sha256(SSL_get0_peer_certificate(ssl)); }

std::string ssl_error_text(const char* fallback) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return fallback;
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fallback;
}

}  // namespace entente::net::internal
