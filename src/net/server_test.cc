#include <atomic>
#include <mutex>
#include <vector>

#include <gmock/gmock.h>

#include "net/internal/test_peer.h"

namespace entente::net {
namespace {

using namespace internal;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class PlainServer : public ::testing::Test {
 protected:
  void run(Handler handler = echo) { server_ = start(options_, std::move(handler), metrics_); }
  // One exchange of raw octets; the server is expected to close.
  std::string talk(const std::string& text) {
    RawPeer peer(server_->port());
    EXPECT_TRUE(peer.say(text));
    std::string heard = peer.hear_all();
    EXPECT_TRUE(peer.ended()) << "the server did not close after: " << text;
    return heard;
  }
  std::unique_ptr<Client> client(ClientOptions o = {}) {
    o.url = "http://127.0.0.1:" + std::to_string(server_->port());
    auto c = connect_to(o);
    EXPECT_TRUE(c.ok());
    return std::move(c).value();
  }

  Metrics metrics_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

TEST_F(PlainServer, AnswersAndKeepsTheConnection) {
  run();
  auto c = client();
  for (int i = 0; i < 5; ++i) {
    auto r = c->send({.method = "POST", .path = "/a/b?x=1", .body = "hello"}, 5s);
    ASSERT_TRUE(r.ok()) << r.error().text();
    EXPECT_EQ(r->status, 200);
    EXPECT_EQ(r->body, "POST /a/b?x=1 hello");
    EXPECT_EQ(r->header("content-TYPE"), "text/plain");
    EXPECT_THAT(std::string(r->header("date")), HasSubstr("GMT"));
  }
  EXPECT_EQ(connections(metrics_), 1u);
}

TEST_F(PlainServer, HeadHasLengthButNoBody) {
  run();
  const std::string heard = talk("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(heard, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(heard, HasSubstr("Content-Length: 9\r\n"));  // "HEAD /x? "
  EXPECT_TRUE(heard.ends_with("\r\n\r\n"));
  auto c = client();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(c->send({.method = "HEAD", .path = "/x"}, 5s).value().body, "");
}

TEST_F(PlainServer, Http10ClosesUnlessAsked) {
  run();
  EXPECT_THAT(talk("GET /old HTTP/1.0\r\n\r\n"), HasSubstr("GET /old?"));
  RawPeer peer(server_->port());
  peer.say("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(peer.hear_until("/1?"), HasSubstr("Connection: keep-alive"));
  peer.say("GET /2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(peer.hear_until("/2?"), HasSubstr("200 OK"));
}

TEST_F(PlainServer, PipelinedRequestsAreAnsweredInOrder) {
  // Later requests are answered sooner by the handler; the order on the wire must hold.
  std::vector<std::thread> threads;
  std::mutex mutex;
  run([&](Request r, Reply reply) {
    const std::scoped_lock lock(mutex);
    threads.emplace_back([r = std::move(r), reply = std::move(reply)] {
      std::this_thread::sleep_for(r.path == "/0" ? 50ms : 1ms);
      echo(r, reply);
    });
  });
  RawPeer peer(server_->port());
  std::string all;
  for (int i = 0; i < 20; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  peer.say(all);
  const std::string heard = peer.hear_until("/19?");
  size_t at = 0;
  for (int i = 0; i < 20; ++i) {
    const size_t found = heard.find("GET /" + std::to_string(i) + "?", at);
    ASSERT_NE(found, std::string::npos) << i;
    at = found;
  }
  server_.reset();
  for (auto& t : threads) t.join();
}

TEST_F(PlainServer, ChunkedBodiesAndTrailers) {
  run([](Request r, const Reply& reply) {
    Response out;
    out.body = r.body + "|" + std::string(r.header("X-Trailer"));
    reply(std::move(out));
  });
  EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nX-Trailer: evil\r\n\r\n"),
              HasSubstr("\r\n\r\nhello!|"));
  // The same, an octet at a time.
  RawPeer peer(server_->port());
  for (const char c :
       std::string("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")) {
    peer.say({&c, 1});
  }
  EXPECT_THAT(peer.hear_until("hello|"), HasSubstr("200 OK"));
}

TEST_F(PlainServer, ExpectContinue) {
  options_.max_body_bytes = 1000;
  run();
  RawPeer peer(server_->port());
  peer.say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(peer.hear_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.say("abc");
  EXPECT_THAT(peer.hear_until("abc"), HasSubstr("200 OK"));
  EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\nContent-Length: 1\r\n\r\n"),
              StartsWith("HTTP/1.1 417 "));
}

// RFC 9112 §6, §11.2: a message whose end two readers could see differently is refused, and the connection with it.
TEST_F(PlainServer, SmugglingIsRefused) {
  std::atomic<int> smuggled{0};
  run([&](Request r, const Reply& reply) {
    if (r.path == "/smuggled") ++smuggled;
    echo(std::move(r), reply);
  });
  const std::string tail = "\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string& fields : {
           std::string("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
           std::string("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
           std::string("Content-Length: 5\r\nContent-Length: 6\r\n"),
           std::string("Content-Length: 5\r\nContent-Length: 5\r\n"),
           std::string("Content-Length: 5, 5\r\n"),
           std::string("Content-Length: +5\r\n"),
           std::string("Content-Length: -1\r\n"),
           std::string("Content-Length: 0x5\r\n"),
           std::string("Content-Length: 99999999999999999999999\r\n"),
           std::string("Content-Length: \r\n"),
           std::string("Transfer-Encoding: xchunked\r\n"),
           std::string("Transfer-Encoding: chunked, identity\r\n"),
           std::string("Transfer-Encoding: gzip, chunked\r\n"),
           std::string("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
           std::string("Transfer-Encoding : chunked\r\n"),
           std::string("Transfer-Encoding: \vchunked\r\n"),
           std::string("Content-Length : 5\r\n"),
           std::string("Host: b\r\n"),
       }) {
    const std::string heard = talk(start + fields + tail);
    EXPECT_THAT(heard, ::testing::AnyOf(StartsWith("HTTP/1.1 400 "), StartsWith("HTTP/1.1 501 "))) << fields;
    EXPECT_EQ(count_of(heard, "HTTP/1.1 "), 1u) << fields;
  }
  EXPECT_EQ(smuggled, 0);
}

TEST_F(PlainServer, BadRequestsGet400AndAreClosed) {
  run();
  for (const std::string& text : {
           std::string("GARBAGE\r\n\r\n"),
           std::string("GET /\r\n\r\n"),
           std::string("GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
           std::string("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\n\r\n"),
           std::string("GET nopath HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: a\r\nX: a\x01z\r\n\r\n"),
           std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n"),
           std::string("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
           std::string("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
           std::string("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"),
           std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n"),
       }) {
    EXPECT_THAT(talk(text), StartsWith("HTTP/1.1 400 ")) << text;
  }
  EXPECT_THAT(talk("\r\n\r\nGET /fine HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), HasSubstr("200 OK"));
  EXPECT_THAT(talk("GET http://a.example/abs?q HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              HasSubstr("GET /abs?q"));
}

TEST_F(PlainServer, RandomOctetsDoNotHurt) {
  options_.header_timeout = 300ms;
  run();
  uint64_t seed = 88172645463325252u;
  for (int round = 0; round < 50; ++round) {
    std::string noise;
    if (round % 2 == 1) noise = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 3000; ++i) {
      seed ^= seed << 13;
      seed ^= seed >> 7;
      seed ^= seed << 17;
      noise += static_cast<char>(seed);
    }
    RawPeer peer(server_->port());
    peer.say(noise);
    peer.shut();
    peer.hear_all();
    EXPECT_TRUE(peer.ended());
  }
  EXPECT_TRUE(client()->send({.path = "/"}, 5s).ok());
}

TEST_F(PlainServer, DroppedReplyAndExceptionAre500) {
  run([](Request r, Reply reply) {
    if (r.path == "/throw") throw std::runtime_error("no");
    if (r.path == "/drop") return;
    if (r.path == "/twice") {
      reply({.status = 201, .headers = {}, .body = "first"});
      reply({.status = 202, .headers = {}, .body = "second"});
    }
    if (r.path == "/inject") {
      reply({.status = 200,
             .headers = {{"X-A", "1\r\nX-Evil: 1"}, {"X Bad", "1"}, {"Content-Length", "999"}},
             .body = "b"});
    }
    if (r.path == "/odd") reply({.status = 99, .headers = {}, .body = ""});
  });
  auto c = client();
  EXPECT_EQ(c->send({.path = "/throw"}, 5s).value().status, 500);
  EXPECT_EQ(c->send({.path = "/drop"}, 5s).value().status, 500);
  EXPECT_EQ(c->send({.path = "/odd"}, 5s).value().status, 500);
  auto twice = c->send({.path = "/twice"}, 5s);
  EXPECT_EQ(twice.value().body, "first");
  auto inject = c->send({.path = "/inject"}, 5s);
  EXPECT_EQ(inject.value().header("X-Evil"), "");
  EXPECT_EQ(inject.value().body, "b");
  EXPECT_EQ(connections(metrics_), 1u);  // none of this cost the connection
}

TEST_F(PlainServer, RepliesFromOtherThreadsLater) {
  std::vector<std::thread> threads;
  std::mutex mutex;
  run([&](Request r, Reply reply) {
    const std::scoped_lock lock(mutex);
    threads.emplace_back([r = std::move(r), reply = std::move(reply)]() mutable {
      std::this_thread::sleep_for(20ms);
      echo(std::move(r), reply);
    });
  });
  std::vector<std::thread> clients;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      auto c = client();
      for (int k = 0; k < 5; ++k) {
        auto r = c->send({.path = "/" + std::to_string(i * 10 + k)}, 5s);
        if (r.ok() && r->body == "GET /" + std::to_string(i * 10 + k) + "? ") ++good;
      }
    });
  }
  for (auto& t : clients) t.join();
  EXPECT_EQ(good, 40);
  server_.reset();
  for (auto& t : threads) t.join();
}

// A long poll whose client leaves must not hold its connection, and its late reply must be harmless.
TEST_F(PlainServer, LongPollNoticesThatTheClientLeft) {
  std::mutex mutex;
  std::vector<Reply> held;
  run([&](const Request&, Reply reply) {
    const std::scoped_lock lock(mutex);
    held.push_back(std::move(reply));
  });
  {
    RawPeer peer(server_->port());
    peer.say("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(eventually([&] {
      const std::scoped_lock lock(mutex);
      return held.size() == 1;
    }));
    peer.reset();
  }
  EXPECT_TRUE(eventually([&] { return connections(metrics_) == 0; }, 2s));
  const std::scoped_lock lock(mutex);
  for (const auto& r : held) r({});
  held.clear();
}

TEST_F(PlainServer, HalfClosedClientStillGetsItsAnswer) {
  std::vector<std::thread> threads;
  run([&](Request r, Reply reply) {
    threads.emplace_back([r = std::move(r), reply = std::move(reply)] {
      std::this_thread::sleep_for(100ms);
      echo(r, reply);
    });
  });
  RawPeer peer(server_->port());
  peer.say("GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
  peer.shut();
  EXPECT_THAT(peer.hear_all(), HasSubstr("GET /half?"));
  server_.reset();
  for (auto& t : threads) t.join();
}

TEST_F(PlainServer, RepliesOutliveTheServer) {
  std::mutex mutex;
  std::vector<Reply> held;
  run([&](const Request&, Reply reply) {
    const std::scoped_lock lock(mutex);
    held.push_back(std::move(reply));
  });
  RawPeer peer(server_->port());
  peer.say("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] {
    const std::scoped_lock lock(mutex);
    return held.size() == 1;
  }));
  server_.reset();
  held[0]({});
  held.clear();
  peer.hear_all();
  EXPECT_TRUE(peer.ended());
}

TEST_F(PlainServer, StopDrains) {
  std::atomic<bool> in_handler{false};
  std::vector<std::thread> threads;
  run([&](Request r, Reply reply) {
    in_handler = true;
    threads.emplace_back([r = std::move(r), reply = std::move(reply)] {
      std::this_thread::sleep_for(200ms);
      echo(r, reply);
    });
  });
  RawPeer idle(server_->port());
  RawPeer busy(server_->port());
  busy.say("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return in_handler.load(); }));
  const auto begin = std::chrono::steady_clock::now();
  const uint16_t port = server_->port();
  server_->stop(5s);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, 100ms);
  EXPECT_LT(took, 4500ms);
  const std::string heard = busy.hear_all();
  EXPECT_THAT(heard, HasSubstr("GET /busy?"));
  EXPECT_THAT(heard, HasSubstr("Connection: close"));
  EXPECT_EQ(idle.hear_all(), "");
  EXPECT_TRUE(idle.ended());
  EXPECT_FALSE(RawPeer(port).ok());
  for (auto& t : threads) t.join();
}

TEST_F(PlainServer, StopEndsALongPollAtTheDeadline) {
  std::vector<Reply> held;
  std::atomic<bool> in_handler{false};
  run([&](const Request&, Reply reply) {
    held.push_back(std::move(reply));
    in_handler = true;
  });
  RawPeer peer(server_->port());
  peer.say("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return in_handler.load(); }));
  const auto begin = std::chrono::steady_clock::now();
  server_->stop(200ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  peer.hear_all();
  EXPECT_TRUE(peer.ended());
}

TEST_F(PlainServer, ThousandConnections) {
  run();
  std::vector<RawPeer> peers;
  for (int i = 0; i < 1000; ++i) {
    peers.emplace_back(server_->port());
    ASSERT_TRUE(peers.back().ok()) << i;
  }
  ASSERT_TRUE(eventually([&] { return connections(metrics_) == 1000; }));
  for (auto& p : peers) p.say("GET /k HTTP/1.1\r\nHost: a\r\n\r\n");
  for (auto& p : peers) ASSERT_THAT(p.hear_until("/k?"), HasSubstr("200 OK"));
  peers.clear();
  EXPECT_TRUE(eventually([&] { return connections(metrics_) == 0; }));
}

TEST_F(PlainServer, PlainHttpAbsentAddressIsAnError) {
  options_.address = "not an address";
  EXPECT_FALSE(serve(options_, echo, metrics_).ok());
  options_.address = "192.0.2.77";
  auto r = serve(options_, echo, metrics_);
  ASSERT_FALSE(r.ok());
  EXPECT_THAT(r.error().text(), HasSubstr("192.0.2.77"));
}

}  // namespace
}  // namespace entente::net
