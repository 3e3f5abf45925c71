#include "net/internal/tls.h"

#include <array>
#include <atomic>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include "net/internal/test_peer.h"
#include "net/internal/transport.h"

namespace entente::net {
namespace {

using namespace internal;
using ::testing::HasSubstr;

std::string slurp(const std::string& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

class Tls : public ::testing::Test {
 protected:
  void SetUp() override {
    server_spki_ = make("server");
    client_spki_ = make("client");
    options_.cert_file = dir_ / "server.crt";
    options_.key_file = dir_ / "server.key";
  }
  std::string make(const std::string& name) {
    auto spki = make_certificate(dir_ / (name + ".crt"), dir_ / (name + ".key"), name, {}, 30);
    EXPECT_TRUE(spki.ok()) << (spki.ok() ? "" : spki.error().text());
    return spki.ok() ? *spki : "";
  }
  void run() {
    server_ = start(
        options_, [](const Request& r, const Reply& reply) { reply({200, {}, r.peer_spki + "|" + r.body}); }, metrics_);
  }
  ClientOptions pinned() {
    ClientOptions o;
    o.url = "https://localhost:" + std::to_string(server_->port());
    o.pin_spki_sha256 = {server_spki_};
    return o;
  }
  ClientOptions mutual(const std::string& name = "client") {
    ClientOptions o = pinned();
    o.cert_file = dir_ / (name + ".crt");
    o.key_file = dir_ / (name + ".key");
    return o;
  }
  static Result<Response> once(const ClientOptions& o) {
    TRY(auto c, connect_to(o));
    return c->send({.method = "GET", .path = "/"}, 5s);
  }
  // A handshake with OpenSSL's own client set up by `f`; its protocol and cipher, or "" if it failed.
  std::string handshake(const std::function<void(SSL_CTX*)>& f) {
    SslCtxPtr ctx(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(ctx.get(), 0);
    f(ctx.get());
    const RawPeer peer(server_->port());
    SslPtr ssl(SSL_new(ctx.get()));
    SSL_set_fd(ssl.get(), peer.fd());
    if (SSL_connect(ssl.get()) != 1) return "";
    return std::string(SSL_get_version(ssl.get())) + " " + SSL_get_cipher_name(ssl.get());
  }

  TempDir dir_;
  Metrics metrics_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
  std::string server_spki_, client_spki_;
};

TEST_F(Tls, VersionsAndSuites) {  // TAXII 2.1 §8.2.2
  run();
  EXPECT_THAT(handshake([](SSL_CTX*) {}), HasSubstr("TLSv1.3"));
  EXPECT_THAT(handshake([](SSL_CTX* c) { SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION); }),
              HasSubstr("TLSv1.2 ECDHE"));
  EXPECT_EQ(handshake([](SSL_CTX* c) {
              SSL_CTX_set_min_proto_version(c, TLS1_VERSION);
              SSL_CTX_set_max_proto_version(c, TLS1_1_VERSION);
            }),
            "");
  for (const char* weak :
       {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"}) {
    EXPECT_EQ(handshake([&](SSL_CTX* c) {
                SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION);
                EXPECT_EQ(SSL_CTX_set_cipher_list(c, weak), 1);
              }),
              "")
        << weak;
  }
}

TEST_F(Tls, ClientKeyReachesTheHandler) {
  run();
  EXPECT_EQ(once(mutual()).value().body, client_spki_ + "|");
  EXPECT_EQ(once(pinned()).value().body, "|");  // a client without certificate may come in
}

TEST_F(Tls, UnknownClientKeyIsRefused) {
  std::atomic<int> asked{0};
  options_.accept_spki = [&](const std::string& spki) {
    ++asked;
    return spki == client_spki_;
  };
  run();
  make("other");
  EXPECT_TRUE(once(mutual()).ok());
  auto refused = once(mutual("other"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
  EXPECT_TRUE(once(pinned()).ok());
  EXPECT_GE(asked, 2);
}

TEST_F(Tls, WrongPinIsRefusedBeforeAnythingIsSent) {
  run();
  ClientOptions o = pinned();
  o.pin_spki_sha256 = {client_spki_};
  auto r = once(o);
  ASSERT_FALSE(r.ok());
  EXPECT_THAT(r.error().text(), HasSubstr("pinned"));
  o.pin_spki_sha256 = {client_spki_, server_spki_};
  EXPECT_TRUE(once(o).ok());
  std::ranges::transform(o.pin_spki_sha256[1], o.pin_spki_sha256[1].begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  EXPECT_TRUE(once(o).ok());
}

TEST_F(Tls, CaFileAndName) {
  run();
  ClientOptions o = pinned();
  o.pin_spki_sha256.clear();
  EXPECT_FALSE(connect_to(o).ok());  // nothing to check against
  o.ca_file = dir_ / "server.crt";
  auto r = once(o);
  EXPECT_TRUE(r.ok()) << r.error().text();
  o.url = "https://127.0.0.1:" + std::to_string(server_->port());
  r = once(o);
  EXPECT_TRUE(r.ok()) << r.error().text();
  o.url = "https://127.0.0.2:" + std::to_string(server_->port());  // not in the certificate, and nobody there either
  EXPECT_FALSE(once(o).ok());
  o.url = pinned().url;
  o.ca_file = dir_ / "client.crt";
  r = once(o);
  ASSERT_FALSE(r.ok());
  EXPECT_THAT(r.error().text(), HasSubstr("certificate"));
  o.ca_file.clear();
  o.system_ca = true;
  EXPECT_FALSE(once(o).ok());
}

TEST_F(Tls, BigBodiesBothWays) {
  run();
  auto c = connect_to(mutual()).value();
  for (const size_t size : {size_t{1}, size_t{16 * 1024}, size_t{735'000}, size_t{20} << 20}) {
    std::string body(size, 'x');
    for (size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i * 31 % 26);
    auto r = c->send({.method = "POST", .path = "/", .body = body}, 30s);
    ASSERT_TRUE(r.ok()) << r.error().text();
    EXPECT_TRUE(r->body == client_spki_ + "|" + body) << size;
  }
}

TEST_F(Tls, SlowHandshakeIsEnded) {
  options_.handshake_timeout = 200ms;
  run();
  RawPeer silent(server_->port());
  EXPECT_TRUE(once(pinned()).ok());
  silent.hear_all(3s);
  EXPECT_TRUE(silent.ended());
  RawPeer plain(server_->port());
  plain.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  plain.hear_all(3s);
  EXPECT_TRUE(plain.ended());
}

TEST_F(Tls, ReloadTakesTheNewCertificate) {
  run();
  auto kept = connect_to(pinned()).value();
  ASSERT_TRUE(kept->send({.path = "/"}, 5s).ok());
  const std::string fresh = make("server");
  ASSERT_NE(fresh, server_spki_);
  ASSERT_TRUE(server_->reload_certificate().ok());
  EXPECT_TRUE(kept->send({.path = "/"}, 5s).ok());  // connections that stand are not disturbed
  EXPECT_FALSE(once(pinned()).ok());
  server_spki_ = fresh;
  EXPECT_TRUE(once(pinned()).ok());
  std::filesystem::remove(options_.key_file);
  EXPECT_FALSE(server_->reload_certificate().ok());
  EXPECT_TRUE(once(pinned()).ok());  // a failed reload changes nothing
}

// A resumed session skips certificate verification; the key must be asked about all the same.
TEST_F(Tls, ResumptionDoesNotOutliveTheKeysAcceptance) {
  std::atomic<bool> accepted{true};
  options_.accept_spki = [&](const std::string&) { return accepted.load(); };
  run();
  SslCtxPtr ctx(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_use_certificate_file(ctx.get(), (dir_ / "client.crt").c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_use_PrivateKey_file(ctx.get(), (dir_ / "client.key").c_str(), SSL_FILETYPE_PEM);
  SSL_SESSION* session = nullptr;
  const auto exchange = [&](bool& reused) {
    const RawPeer peer(server_->port());
    SslPtr ssl(SSL_new(ctx.get()));
    SSL_set_fd(ssl.get(), peer.fd());
    if (session != nullptr) SSL_set_session(ssl.get(), session);
    if (SSL_connect(ssl.get()) != 1) return false;
    reused = SSL_session_reused(ssl.get()) == 1;
    const std::string request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    if (SSL_write(ssl.get(), request.data(), static_cast<int>(request.size())) <= 0) return false;
    std::array<char, 4096> buffer;
    const bool answered = SSL_read(ssl.get(), buffer.data(), buffer.size()) > 0;
    if (session != nullptr) SSL_SESSION_free(session);
    session = SSL_get1_session(ssl.get());
    SSL_shutdown(ssl.get());
    return answered;
  };
  bool reused = false;
  ASSERT_TRUE(exchange(reused));
  ASSERT_TRUE(exchange(reused));
  EXPECT_TRUE(reused);
  accepted = false;
  EXPECT_FALSE(exchange(reused));
  SSL_SESSION_free(session);
}

TEST(Certificate, SpkiAndFiles) {
  TempDir dir;
  const auto spki =
      make_certificate(dir / "a.crt", dir / "a.key", "node.example", {"10.1.2.3", "::1", "other.example"}, 10);
  ASSERT_TRUE(spki.ok()) << spki.error().text();
  EXPECT_EQ(spki->size(), 64u);
  EXPECT_EQ(certificate_spki(dir / "a.crt").value(), *spki);
  const auto mode = std::filesystem::status(dir / "a.key").permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_THAT(slurp(dir / "a.key"), HasSubstr("BEGIN PRIVATE KEY"));
  const auto again = make_certificate(dir / "b.crt", dir / "b.key", "node.example", {}, 10);
  EXPECT_NE(*again, *spki);
  EXPECT_FALSE(make_certificate(dir / "c.crt", dir / "c.key", "x", {"a,IP:1.2.3.4"}, 10).ok());
  EXPECT_FALSE(make_certificate(dir / "c.crt", dir / "c.key", "", {}, 10).ok());
  EXPECT_FALSE(make_certificate(dir / "c.crt", dir / "c.key", "x", {}, 0).ok());
  EXPECT_FALSE(make_certificate(dir / "none/c.crt", dir / "none/c.key", "x", {}, 1).ok());
  EXPECT_FALSE(certificate_spki(dir / "a.key").ok());
  EXPECT_FALSE(certificate_spki(dir / "absent").ok());
}

}  // namespace
}  // namespace entente::net
