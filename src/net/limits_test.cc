// Those who send too much, too slowly, or too often lose their own connection, and nobody else notices.
#include <atomic>
#include <vector>

#include <gmock/gmock.h>

#include "net/internal/test_peer.h"

namespace entente::net {
namespace {

using namespace internal;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LimitsTest : public ::testing::Test {
 protected:
  void run(Handler handler = echo) { server_ = start(options_, std::move(handler), metrics_); }
  std::unique_ptr<Client> client(ClientOptions o = {}) {
    o.url = "http://127.0.0.1:" + std::to_string(server_->port());
    return connect_to(o).value();
  }
  Metrics metrics_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

TEST_F(LimitsTest, HeaderBytes) {
  options_.max_header_bytes = 4096;
  run();
  for (const size_t step : {size_t{8192}, size_t{100}}) {  // at once, and field by field
    RawPeer peer(server_->port());
    peer.say("GET / HTTP/1.1\r\nHost: a\r\n");
    for (size_t sent = 0; sent < 8192; sent += step) peer.say("X-A: " + std::string(step - 7, 'x') + "\r\n");
    peer.say("\r\n");
    EXPECT_THAT(peer.hear_all(), StartsWith("HTTP/1.1 431 ")) << step;
  }
  RawPeer line(server_->port());
  line.say("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n");
  EXPECT_THAT(line.hear_all(), StartsWith("HTTP/1.1 431 "));
  RawPeer fits(server_->port());
  fits.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: " + std::string(3000, 'x') + "\r\n\r\n");
  EXPECT_THAT(fits.hear_all(), HasSubstr("200 OK"));
}

TEST_F(LimitsTest, BodyBytesKnownAndChunked) {
  options_.max_body_bytes = 1000;
  run();
  const auto plain = [&](size_t n) {
    RawPeer peer(server_->port());
    peer.say("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " + std::to_string(n) + "\r\n\r\n" +
             std::string(n, 'b'));
    return peer.hear_all();
  };
  const auto chunked = [&](size_t n) {
    RawPeer peer(server_->port());
    peer.say("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < n / 100; ++i) peer.say("64\r\n" + std::string(100, 'c') + "\r\n");
    if (n % 100 == 1) peer.say("1\r\nc\r\n");
    peer.say("0\r\n\r\n");
    return peer.hear_all();
  };
  EXPECT_THAT(plain(1000), HasSubstr("200 OK"));
  EXPECT_THAT(plain(1001), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(chunked(1000), HasSubstr("200 OK"));
  EXPECT_THAT(chunked(1001), StartsWith("HTTP/1.1 413 "));
}

TEST_F(LimitsTest, EndlessChunkExtensionsAndTrailers) {
  run();
  for (const char* start : {"5;x=", "0\r\nX: "}) {
    RawPeer peer(server_->port());
    peer.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(start));
    peer.say(std::string(100'000, 'e'));
    EXPECT_THAT(peer.hear_all(), StartsWith("HTTP/1.1 400 ")) << start;
  }
}

TEST_F(LimitsTest, ConnectionsInAllAndPerAddress) {
  options_.max_connections = 10;
  options_.max_connections_per_address = 4;
  run();
  std::vector<RawPeer> peers;
  for (int i = 0; i < 6; ++i) peers.emplace_back(server_->port());
  peers[4].hear_all(2s);
  EXPECT_TRUE(peers[4].ended());
  EXPECT_EQ(connections(metrics_), 4u);
  peers.clear();
  ASSERT_TRUE(eventually([&] { return connections(metrics_) == 0; }));
  EXPECT_TRUE(client()->send({.path = "/"}, 5s).ok());  // the count comes down again
}

TEST_F(LimitsTest, SlowHeaderSlowBodyAndIdle) {
  options_.header_timeout = 200ms;
  options_.body_timeout = 300ms;
  options_.idle_timeout = 250ms;
  run();
  RawPeer header(server_->port());
  std::atomic<bool> stop{false};
  std::thread drip([&] {  // one octet at a time does not move the deadline
    header.say("GET / HTTP/1.1\r\nX: ");
    while (!stop && header.say("y")) std::this_thread::sleep_for(20ms);
  });
  RawPeer body(server_->port());
  body.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
  RawPeer idle(server_->port());
  EXPECT_THAT(header.hear_all(3s), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(body.hear_all(3s), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(idle.hear_all(3s), "");
  EXPECT_TRUE(header.ended() && body.ended() && idle.ended());
  stop = true;
  drip.join();
}

TEST_F(LimitsTest, WriteTimeoutCountsProgressNotTotal) {
  options_.write_timeout = 300ms;
  const std::string big(8u << 20, 'z');
  run([&](const Request&, const Reply& reply) { reply({200, {}, big}); });
  RawPeer stuck(server_->port(), 4096);
  stuck.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  RawPeer slow(server_->port(), 4096);
  slow.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  // The slow one reads for a good while longer than the time-out, with pauses below it, and gets all.
  size_t got = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (got < big.size() && !slow.ended()) {
    got += slow.hear([](const std::string& s) { return s.size() > (1u << 20); }, 2s).size();
    if (std::chrono::steady_clock::now() - begin < 900ms) std::this_thread::sleep_for(100ms);
  }
  EXPECT_GE(got, big.size());
  EXPECT_GT(std::chrono::steady_clock::now() - begin, 600ms);
  EXPECT_TRUE(eventually([&] { return connections(metrics_) == 0; }));  // the stuck one is gone
}

TEST_F(LimitsTest, SlowReadersDoNotSlowOthers) {
  const std::string big(735'000, 'z');
  run([&](const Request& r, const Reply& reply) { reply({200, {}, r.path == "/big" ? big : "small"}); });
  std::vector<RawPeer> slow;
  for (int i = 0; i < 200; ++i) {
    slow.emplace_back(server_->port(), 4096);
    slow.back().say("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  auto c = client();
  ASSERT_TRUE(c->send({.path = "/small"}, 5s).ok());
  std::chrono::nanoseconds worst{0};
  for (int i = 0; i < 100; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(c->send({.path = "/small"}, 5s).ok());
    worst = std::max<std::chrono::nanoseconds>(worst, std::chrono::steady_clock::now() - begin);
  }
  EXPECT_LT(worst, 50ms);
  EXPECT_EQ(connections(metrics_), 201u);
}

TEST_F(LimitsTest, ClientTimeoutCancelAndBodyLimit) {
  std::mutex mutex;
  std::vector<Reply> held;
  run([&](const Request& r, Reply reply) {
    if (r.path == "/big") return reply({200, {}, std::string(10'000, 'x')});
    const std::scoped_lock lock(mutex);
    held.push_back(std::move(reply));
  });
  auto c = client();
  auto late = c->send({.path = "/wait"}, 100ms);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::kUnavailable);
  std::thread other([&] {
    std::this_thread::sleep_for(100ms);
    c->cancel();
  });
  const auto begin = std::chrono::steady_clock::now();
  auto r = c->send({.path = "/wait"}, 20s);
  EXPECT_FALSE(r.ok());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  other.join();
  EXPECT_FALSE(c->send({.path = "/big"}, 5s).ok());  // for good
  ClientOptions small;
  small.max_body_bytes = 9999;
  auto too_large = client(small)->send({.path = "/big"}, 5s);
  ASSERT_FALSE(too_large.ok());
  EXPECT_EQ(too_large.error().kind, ErrorKind::kTooLarge);
  server_.reset();
}

TEST_F(LimitsTest, ClientRetriesAClosedConnectionOnce) {
  options_.idle_timeout = 150ms;
  run();
  auto c = client();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(c->send({.path = "/"}, 5s).ok());
    std::this_thread::sleep_for(400ms);  // the server has closed it meanwhile
  }
  EXPECT_TRUE(
      c->send({.method = "POST", .path = "/", .body = "x"}, 5s).ok());  // seen as closed before anything was sent
}

TEST_F(LimitsTest, ClientReadsARefusalWhileItStillSends) {
  options_.max_body_bytes = 1000;
  run();
  auto r = client()->send({.method = "POST", .path = "/", .body = std::string(30u << 20, 'x')}, 10s);
  ASSERT_TRUE(r.ok()) << r.error().text();
  EXPECT_EQ(r->status, 413);
}

TEST_F(LimitsTest, ClientRefusesBrokenServers) {
  // A server of canned octets on a raw socket.
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  socklen_t size = sizeof a;
  getsockname(listener, reinterpret_cast<sockaddr*>(&a), &size);
  const std::pair<std::string, bool> answers[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", true},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nshort", false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", false},
      {"garbage", false},
      {"", false},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", false},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n", false},
  };
  std::thread server([&] {
    for (const auto& [text, good] : answers) {
      const int fd = accept(listener, nullptr, nullptr);
      char buffer[4096];
      [[maybe_unused]] ssize_t n = recv(fd, buffer, sizeof buffer, 0);
      n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      ::shutdown(fd, SHUT_WR);
      while (recv(fd, buffer, sizeof buffer, 0) > 0) {
      }
      close(fd);
    }
  });
  for (const auto& [text, good] : answers) {
    ClientOptions o;
    o.url = "http://127.0.0.1:" + std::to_string(ntohs(a.sin_port));
    auto r = connect_to(o).value()->send({.path = "/"}, 5s);
    EXPECT_EQ(r.ok(), good) << text.substr(0, 80);
  }
  server.join();
  close(listener);
  for (const char* url :
       {"ftp://a", "https://", "http://example.com", "https://user@a/", "https://a:x", "https://[::1", ""}) {
    ClientOptions o;
    o.url = url;
    o.system_ca = true;
    EXPECT_FALSE(connect_to(o).ok()) << url;
  }
}

// Tens of megabytes are for those who are known; the others learn at once what it takes.
TEST_F(LimitsTest, WhoIsNotKnownSendsLittle) {
  options_.free_body_bytes = 100'000;
  std::atomic<int> asked = 0;
  options_.known = [&](const Request& head) {
    ++asked;
    EXPECT_EQ(head.body, "");
    EXPECT_FALSE(head.remote.empty());
    return head.header("Authorization") == "me";
  };
  run([](Request r, const Reply& reply) {
    Response out{r.header("Authorization") == "me" ? 200 : 401, {}, std::to_string(r.body.size())};
    reply(std::move(out));
  });
  const auto post = [&](size_t n, const std::string& who, bool chunked) {
    RawPeer peer(server_->port());
    peer.say("POST / HTTP/1.1\r\nHost: a\r\nAuthorization: " + who + "\r\n" +
             (chunked ? std::string("Transfer-Encoding: chunked\r\n\r\n")
                      : "Content-Length: " + std::to_string(n) + "\r\n\r\n"));
    for (size_t i = 0; i < n; i += 10'000) {
      if (chunked) peer.say("2710\r\n");
      if (!peer.say(std::string(10'000, 'b'))) break;
      if (chunked) peer.say("\r\n");
    }
    if (chunked) peer.say("0\r\n\r\n");
    return peer.hear([](const std::string& s) { return s.find("\r\n\r\n") != s.npos && !s.ends_with("\r\n\r\n"); });
  };
  for (const bool chunked : {false, true}) {
    EXPECT_THAT(post(5'000'000, "me", chunked), ::testing::EndsWith("\r\n\r\n5000000"));
    EXPECT_THAT(post(100'000, "you", chunked),
                ::testing::AllOf(StartsWith("HTTP/1.1 401 "), ::testing::EndsWith("100000")));
    EXPECT_THAT(post(5'000'000, "you", chunked),
                ::testing::AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("Connection: close"),
                                 ::testing::EndsWith("\r\n\r\n0")));
  }
  EXPECT_EQ(asked, 4) << "once for each that grew";
}

// What all bodies together may take is bounded, whoever sends them; small ones go through even then.
TEST_F(LimitsTest, BodiesTogether) {
  options_.free_body_bytes = 100'000;
  options_.max_held_bytes = 1'000'000;
  run();
  const auto begin = [&](size_t n) {
    auto peer = std::make_unique<RawPeer>(server_->port());
    peer->say("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 900000\r\n\r\n" +
              std::string(n, 'b'));
    return peer;
  };
  auto first = begin(800'000);
  ASSERT_TRUE(eventually([&] { return metrics_.gauge("entente_http_held_bytes", "").value() == 800'000; }));
  auto second = begin(300'000);
  EXPECT_THAT(second->hear_until("\r\n\r\n"),
              ::testing::AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: ")));
  second.reset();
  EXPECT_EQ(client()->send({.method = "POST", .path = "/", .body = std::string(90'000, 's')}, 5s).value().status, 200);
  first->say(std::string(100'000, 'b'));
  EXPECT_THAT(first->hear_all(), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(eventually([&] { return metrics_.gauge("entente_http_held_bytes", "").value() == 0; }));
}

}  // namespace
}  // namespace entente::net
