// Answers in pieces: whatever the sizes of the pieces, the client has the body whole; and nobody makes the server hold
// more than a piece of it.
#include <algorithm>
#include <atomic>
#include <random>

#include <gmock/gmock.h>
#include <zlib.h>

#include "net/internal/coding.h"
#include "net/internal/test_peer.h"

namespace entente::net {
namespace {

using namespace internal;
using ::testing::HasSubstr;
using ::testing::Not;

Response in_pieces(std::string front, std::string text, std::vector<size_t> sizes) {
  Response r;
  r.body = std::move(front);
  r.rest = std::make_shared<Pieces>(std::move(text), std::move(sizes));
  return r;
}

class Rest : public ::testing::Test {
 protected:
  void run(Handler handler, bool tls = false) {
    if (tls) {
      ASSERT_TRUE(make_certificate(dir_ / "c.pem", dir_ / "k.pem", "a", {}, 1).ok());
      options_.cert_file = dir_ / "c.pem";
      options_.key_file = dir_ / "k.pem";
    }
    server_ = start(options_, std::move(handler), metrics_);
  }
  std::unique_ptr<Client> client() {
    ClientOptions o;
    const bool tls = !options_.cert_file.empty();
    o.url = (tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(server_->port());
    o.ca_file = options_.cert_file;
    return connect_to(o).value();
  }

  TempDir dir_;
  Metrics metrics_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

TEST_F(Rest, WhateverThePiecesTheBodyIsWhole) {
  for (const bool tls : {false, true}) {
    Response next;
    run([&](Request, const Reply& reply) { reply(next); }, tls);
    auto c = client();
    std::mt19937 random(7);
    for (int i = 0; i < 60; ++i) {
      constexpr size_t kEdge = 256 * 1024;
      const size_t total = i % 4 == 0 ? kEdge - 8 + random() % 17 : random() % 1'200'000;
      const std::string text = numbered(total);
      const size_t front = total == 0 ? 0 : random() % (1 + total / (1 + random() % 8));
      std::vector<size_t> sizes;
      for (int k = 0; k < 40; ++k) sizes.push_back(random() % 3 == 0 ? random() % 10 : random() % 120'000);
      next = in_pieces(text.substr(0, front), text.substr(front), sizes);
      auto r = c->send({.path = "/"}, 10s);
      ASSERT_TRUE(r.ok()) << r.error().text();
      ASSERT_EQ(r->body.size(), total);
      ASSERT_TRUE(r->body == text) << "another text of " << total << " octets";
      if (total < kEdge) {
        ASSERT_EQ(r->header("Content-Length"), std::to_string(total));
      }
    }
    EXPECT_EQ(connections(metrics_), 1u) << "an answer in pieces must not cost the connection";
    server_.reset();
  }
}

TEST_F(Rest, Http10AndHeadAndCodings) {
  const std::string text = numbered(900'000);
  run([&](Request, const Reply& reply) {
    Response r = in_pieces("", text, {1000, 300'000});
    r.compressible = true;
    reply(std::move(r));
  });
  {
    RawPeer old(server_->port());
    old.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string heard = old.hear_all();
    EXPECT_TRUE(old.ended()) << "the end of the connection is the end of the body";
    const std::string head = heard.substr(0, heard.find("\r\n\r\n"));
    EXPECT_THAT(head, Not(HasSubstr("chunked")));
    EXPECT_THAT(head, Not(HasSubstr("Content-Length")));
    EXPECT_TRUE(heard.ends_with("\r\n\r\n" + text));
  }
  {
    RawPeer head(server_->port());
    head.say("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(head.hear_all().ends_with("\r\n\r\n"));
  }
  auto r = client()->send({.path = "/", .headers = {{"Accept-Encoding", "gzip"}}}, 5s);
  ASSERT_TRUE(r.ok()) << r.error().text();
  EXPECT_EQ(r->header("Content-Encoding"), "gzip");
  std::string plain(text.size() + 1, '\0');
  z_stream z{};
  ASSERT_EQ(inflateInit2(&z, 15 + 16), Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(r->body.data());
  z.avail_in = static_cast<uInt>(r->body.size());
  z.next_out = reinterpret_cast<Bytef*>(plain.data());
  z.avail_out = static_cast<uInt>(plain.size());
  EXPECT_EQ(inflate(&z, Z_FINISH), Z_STREAM_END);
  plain.resize(z.total_out);
  inflateEnd(&z);
  EXPECT_TRUE(plain == text);
}

// RFC 9112 §8: an answer that ends before its last chunk is incomplete, and the client can tell.
TEST_F(Rest, WhatBreaksInTheMiddleIsNotTakenForWhole) {
  run([&](Request r, const Reply& reply) {
    Response out;
    const bool late = r.path == "/late";
    out.rest =
        std::make_shared<Pieces>(numbered(900'000), late ? std::vector<size_t>{300'000} : std::vector<size_t>{}, true);
    reply(std::move(out));
  });
  EXPECT_FALSE(client()->send({.path = "/late"}, 5s).ok());
  auto early = client()->send({.path = "/early"}, 5s);  // nothing had been said yet
  ASSERT_TRUE(early.ok()) << early.error().text();
  EXPECT_EQ(early->status, 500);
}

// A reader that stops must not make the server read ahead; when it goes, the source goes.
TEST_F(Rest, AReaderThatStopsHoldsOnePieceOnly) {
  struct Endless final : BodySource {
    explicit Endless(std::atomic<size_t>& n, std::atomic<int>& a) : made(n), alive(a) { ++alive; }
    Endless(const Endless&) = delete;
    Endless& operator=(const Endless&) = delete;
    ~Endless() override { --alive; }
    Result<bool> next(std::string& out) override {
      out.append(50'000, 'x');
      made += 50'000;
      return true;
    }
    std::atomic<size_t>& made;
    std::atomic<int>& alive;
  };
  std::atomic<size_t> made = 0;
  std::atomic<int> alive = 0;
  std::atomic<size_t> told = 0;
  options_.served = [&](const Served& s) { told = s.octets; };
  run([&](Request, const Reply& reply) {
    Response r;
    r.rest = std::make_shared<Endless>(made, alive);
    reply(std::move(r));
  });
  RawPeer peer(server_->port(), 16 * 1024);
  peer.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  peer.hear_until("200 OK");
  size_t before = 0;
  ASSERT_TRUE(eventually([&] {
    std::this_thread::sleep_for(100ms);
    return std::exchange(before, made.load()) == made.load();
  })) << "it goes on making";
  EXPECT_LT(made.load(), 16u << 20);  // what the kernel's buffers took, and a piece
  EXPECT_EQ(told.load(), 0u);
  peer.reset();
  EXPECT_TRUE(eventually([&] { return alive == 0; }));
  EXPECT_TRUE(eventually([&] { return told == made; })) << "the access log has what was made";
}

// The coders of slow readers are counted: who comes when all are taken has the answer uncoded.
TEST(CodedRest, PlacesAreBounded) {
  CoderPlaces places(1);
  const auto fresh = [] {
    Response r = in_pieces("abc", numbered(100'000), {});
    r.compressible = true;
    return r;
  };
  Response one = fresh();
  Response two = fresh();
  EXPECT_TRUE(code_rest(one, Coding::kZstd, places));
  EXPECT_FALSE(code_rest(two, Coding::kZstd, places));
  EXPECT_EQ(two.header("Content-Encoding"), "");
  EXPECT_EQ(two.body, "abc");
  one.rest.reset();
  EXPECT_TRUE(code_rest(two, Coding::kZstd, places));
}

}  // namespace
}  // namespace entente::net
