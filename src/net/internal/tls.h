// OpenSSL contexts for server and client, and names of keys. Everything about TLS policy stands here.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <openssl/ssl.h>

#include "base/result.h"
#include "net/http.h"

namespace entente::net::internal {

struct SslFree {
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;
using SslCtxPtr = std::unique_ptr<SSL_CTX, SslFree>;
using X509Ptr = std::unique_ptr<X509, SslFree>;
using PkeyPtr = std::unique_ptr<EVP_PKEY, SslFree>;

using AcceptKey = std::function<bool(const std::string& spki_sha256)>;

// A context that remembers what its verification needs. Contexts are shared by connections and outlive a reload.
struct TlsContext {
  SslCtxPtr ctx;
  AcceptKey accept;  // null: the library's PKIX check (client), or every key (server)
};

// TLS 1.2 and 1.3, ECDHE with AEAD only, no 0-RTT, no renegotiation (TAXII 2.1 §8.2.2). Asks for a client certificate
// and does not insist.
Result<std::shared_ptr<TlsContext>> server_tls(const std::string& cert_file, const std::string& key_file,
                                               AcceptKey accept, bool http2);
Result<std::shared_ptr<TlsContext>> client_tls(const ClientOptions& options);

// A connection's TLS state on a socket; nullptr if memory is short. For clients `host` is put into SNI and, with PKIX,
// checked.
SslPtr new_server_ssl(const TlsContext& tls, int fd);
SslPtr new_client_ssl(const TlsContext& tls, int fd, const std::string& host);

bool speaks_http2(const SSL* ssl);                 // what ALPN agreed on (RFC 7301)
std::string spki_sha256(X509* certificate);        // 64 hex; "" if it has no key we can read
std::string peer_spki_sha256(const SSL* ssl);      // "" without certificate
std::string ssl_error_text(const char* fallback);  // empties OpenSSL's error queue of this thread

}  // namespace entente::net::internal
