// HTTP as the layers above see it: plain values. Beast, Asio and TLS stay in this layer's sources.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"

namespace entente::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method = "GET";
  std::string path{};   // percent-encoded as received, without query
  std::string query{};  // without '?'
  Headers headers{};
  std::string body{};
  std::string remote{};     // "192.0.2.1:4711"
  std::string peer_spki{};  // SHA-256 (64 hex) of the client certificate's public key; "" without certificate.
                            // Possession was proved by TLS.
  [[nodiscard]] std::string_view header(std::string_view name) const;  // "" if absent; names compare without case
};

// Makes a body piece by piece, at the pace at which its client takes it; an answer then costs a piece of memory,
// however long it is. Not thread-safe; runs on I/O threads, so each piece is short work. Goes away when the body has
// been sent or nobody wants it any more.
class BodySource {
 public:
  BodySource() = default;
  BodySource(const BodySource&) = delete;
  BodySource& operator=(const BodySource&) = delete;
  virtual ~BodySource() = default;
  // Appends a piece of some tens of KiB to `out`; false: that was the last. After an error the answer is broken off, so
  // that the client cannot take it for whole.
  virtual Result<bool> next(std::string& out) = 0;
};

struct Response {
  int status = 200;
  Headers headers{};
  std::string body{};
  std::shared_ptr<BodySource> rest{};  // if set, what follows `body`; copies share it
  // May be sent as gzip or zstd to a client that asks for it. Not for answers that hold a secret beside text that
  // others choose: the length would tell of it (BREACH).
  bool compressible = false;
  std::string who{};  // whom it answers, for `served`; not sent
  [[nodiscard]] std::string_view header(std::string_view name) const;
  // Pulls from `rest` until there are `enough` octets of body, or the body is whole and `rest` empty.
  Status gather(size_t enough = SIZE_MAX);
};

// One answer, as ServerOptions::served is told of it.
struct Served {
  std::string method{};
  std::string path{};    // without the query, which may hold what is nobody's business
  std::string remote{};  // as in Request
  std::string peer_spki{};
  std::string who{};
  int version = 11;  // 10, 11, 20
  int status = 0;
  size_t octets = 0;        // of the body, as sent; of one that came in pieces, as far as it was made
  int64_t duration_us = 0;  // from the request's last octet until the answer stood ready
};

// Answers one request, once, from any thread; also after the handler has returned (long poll). Dropping it without an
// answer sends 500.
using Reply = std::function<void(Response)>;
// Runs on an I/O thread: short work inline, waiting never. Exceptions become 500.
using Handler = std::function<void(Request, Reply)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;      // 0 = any free one
  int listening = -1;     // a socket that listens already (Supervisor::sockets); address and port are then its own
  std::string cert_file;  // PEM; empty = plain HTTP (tests and loopback metrics only)
  std::string key_file;
  bool http2 = true;         // offered by ALPN, so over TLS only; a client that does not ask for it gets HTTP/1.1
  size_t max_streams = 100;  // of one HTTP/2 connection at a time
  unsigned threads = 2;
  size_t max_connections = 16384;
  size_t max_connections_per_address = 0;  // 0 = no limit
  size_t max_header_bytes = 16 * 1024;
  size_t max_body_bytes = 64u << 20;
  // Of all connections together: bodies that are coming in or being worked on, and HTTP/2 answers that wait for their
  // reader. Above it a body that grows past free_body_bytes is refused with 503 and Retry-After, and an HTTP/2
  // connection is handed out one request at a time.
  size_t max_held_bytes = 1u << 30;
  // A body may grow so far whoever sends it; then `known` is asked, once, with the request's head. Who is not known is
  // answered at once: the handler gets the request without its body, and will say what it takes. On I/O threads, so
  // short and thread-safe; unset = everybody may go on.
  size_t free_body_bytes = 1u << 20;
  std::function<bool(const Request& head)> known;
  std::chrono::milliseconds handshake_timeout{10'000};
  std::chrono::milliseconds header_timeout{15'000};  // a request's first octet to the end of its headers
  std::chrono::milliseconds body_timeout{60'000};
  std::chrono::milliseconds idle_timeout{75'000};
  std::chrono::milliseconds write_timeout{60'000};  // no progress for so long ends the connection (HTTP/2: the stream)
  // Which client keys may finish the handshake; unset = every key (the application decides). A client without
  // certificate always may.
  std::function<bool(const std::string& spki_sha256)> accept_spki;
  // Told of each answer that a handler gave, when it stands ready, or of one in pieces when nobody wants more of it; on
  // I/O threads, so short and thread-safe. Requests
  // that were refused before they reached a handler are only counted.
  std::function<void(const Served&)> served;
};

class Server {
 public:
  virtual ~Server() = default;  // stops
  [[nodiscard]] virtual uint16_t port() const = 0;
  // Stops accepting, lets running requests finish until the deadline, closes.
  virtual void stop(std::chrono::milliseconds drain) = 0;
  virtual Status reload_certificate() = 0;
};
[[nodiscard]] Result<std::unique_ptr<Server>> serve(const ServerOptions& options, Handler handler, Metrics& metrics);

// One server as a client sees it. Keeps a connection alive between requests. Not thread-safe, but cancel() may be
// called from any thread.
class Client {
 public:
  virtual ~Client() = default;
  // `path` in the request may hold the query after '?' if `query` is empty. kUnavailable on connect, time-out, cancel;
  // kInvalid on a broken answer.
  virtual Result<Response> send(const Request& request, std::chrono::milliseconds timeout) = 0;
  virtual void cancel() = 0;  // ends a send that is waiting, now and for good
  [[nodiscard]] virtual std::string origin() const {
    return {};
  }  // "https://host:port", the port always written; "" if in memory
};

struct ClientOptions {
  std::string url;        // "https://host:port" (http:// only for loopback)
  std::string cert_file;  // own certificate for mutual TLS; may be empty
  std::string key_file;
  std::string ca_file;                       // PKIX check against it; or:
  std::vector<std::string> pin_spki_sha256;  // any one of these keys, nothing else is checked
  bool system_ca = false;                    // PKIX check against the system's store
  // "http://[USER:PASSWORD@]HOST:PORT": https goes through it by CONNECT (RFC 9110 §9.3.6), the TLS inside is checked
  // as without. "" = directly. Never used for loopback.
  std::string proxy;
  size_t max_body_bytes = 256u << 20;
  std::chrono::milliseconds connect_timeout{10'000};
};
// What https_proxy and no_proxy of the environment say for this URL; "" = directly, as to
// loopback always.
[[nodiscard]] std::string proxy_from_environment(const std::string& url);
[[nodiscard]] Result<std::unique_ptr<Client>> connect_to(
    const ClientOptions& options);  // lazily: connects at the first send

// In-memory transport: calls the handler directly, as if over TLS with this client key. For tests and simulation.
[[nodiscard]] std::unique_ptr<Client> make_local_client(Handler handler, std::string peer_spki);

// Percent-decoding; nullopt on a bad escape. '+' is left alone.
[[nodiscard]] std::optional<std::string> url_decode(std::string_view text);
[[nodiscard]] std::string url_encode(std::string_view text);
// Query pairs in order, decoded. nullopt on a bad escape.
[[nodiscard]] std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

// A new EC P-256 key and a self-signed certificate for it (CN and SAN names; 127.0.0.1 and localhost always among
// them), PEM files, key 0600. Returns the SHA-256 (64 hex) of its SubjectPublicKeyInfo, which is what agreements pin.
[[nodiscard]] Result<std::string> make_certificate(const std::string& cert_file, const std::string& key_file,
                                                   const std::string& common_name,
                                                   const std::vector<std::string>& alt_names, int days);
[[nodiscard]] Result<std::string> certificate_spki(const std::string& cert_file);

}  // namespace entente::net
