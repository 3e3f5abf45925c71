#include "net/internal/coding.h"

#include <gmock/gmock.h>
#include <zlib.h>
#include <zstd.h>

#include "net/internal/test_peer.h"

namespace entente::net::internal {
namespace {

Coding wanted(std::string text) { return wanted_coding({{"Accept", "x"}, {"Accept-Encoding", std::move(text)}}); }

TEST(Coding, ByWeight) {  // RFC 9110 §12.5.3
  const std::pair<const char*, Coding> cases[] = {
      {"", Coding::kIdentity},
      {"gzip", Coding::kGzip},
      {"GZIP", Coding::kGzip},
      {"x-gzip", Coding::kGzip},
      {"zstd", Coding::kZstd},
      {"gzip, deflate, br, zstd", Coding::kZstd},
      {"gzip;q=1.0, zstd;q=0.5", Coding::kGzip},
      {"zstd ; q=0.5 , gzip;Q=0.501", Coding::kGzip},
      {"gzip;q=0", Coding::kIdentity},
      {"gzip;q=0.000", Coding::kIdentity},
      {"*", Coding::kGzip},
      {"*;q=0", Coding::kIdentity},
      {"gzip;q=0, *", Coding::kIdentity},
      {"identity", Coding::kIdentity},
      {"identity, gzip;q=0.5", Coding::kIdentity},
      {"identity;q=0.5, gzip", Coding::kGzip},
      {"br", Coding::kIdentity},
      {"gzip;q=2", Coding::kIdentity},
      {"gzip;q=x", Coding::kIdentity},
      {"gzip;q=0.1234", Coding::kIdentity},
      {"gzip;level=9", Coding::kIdentity},
      {",,gzip,", Coding::kGzip},
  };
  for (const auto& [text, coding] : cases) EXPECT_EQ(wanted(text), coding) << text;
  EXPECT_EQ(wanted_coding({}), Coding::kIdentity);
  EXPECT_EQ(wanted_coding({{"accept-encoding", "br"}, {"Accept-Encoding", "zstd"}}), Coding::kZstd);
}

std::string unzstd(const std::string& in) {
  std::string out(8u << 20, '\0');
  const size_t n = ZSTD_decompress(out.data(), out.size(), in.data(), in.size());
  out.resize(ZSTD_isError(n) != 0 ? 0 : n);
  return out;
}

std::string ungzip(const std::string& in) {
  z_stream z{};
  EXPECT_EQ(inflateInit2(&z, 15 + 16), Z_OK);
  std::string out(8u << 20, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - z.avail_out);
  inflateEnd(&z);
  return out;
}

TEST(Coding, WhatWasCodedIsWhatWasGiven) {
  std::string text;
  for (int i = 0; text.size() < 3u << 20; ++i) text += std::to_string(i * 2654435761u) + ",";
  for (const size_t size : {size_t{1024}, size_t{65536}, text.size()}) {
    for (const Coding coding : {Coding::kGzip, Coding::kZstd}) {
      const std::string body = text.substr(0, size);
      Response r{200, {{"ETag", "\"a\""}}, body};
      Encoder e(coding);
      for (size_t at = 0; at < size; at += 10'000) {
        ASSERT_TRUE(e.add(std::string_view(body).substr(at, 10'000), at + 10'000 >= size));
      }
      e.finish(r);
      EXPECT_EQ(r.header("Content-Encoding"), coding_name(coding));
      EXPECT_EQ(r.header("ETag"), "W/\"a\"");
      EXPECT_LT(r.body.size(), size);
      EXPECT_EQ(coding == Coding::kGzip ? ungzip(r.body) : unzstd(r.body), body);
    }
  }
}

class CodingServer : public ::testing::Test {
 protected:
  CodingServer() {
    server_ = start(
        {},
        [this](const Request& r, const Reply& reply) {
          Response a{200, {{"ETag", "\"v1\""}}, r.path == "/short" ? "short" : page_};
          a.compressible = r.path != "/secret";
          reply(std::move(a));
        },
        metrics_);
    ClientOptions o;
    o.url = "http://127.0.0.1:" + std::to_string(server_->port());
    client_ = connect_to(o).value();
  }
  Response ask(const std::string& path, const std::string& accept, Headers more = {}, std::string body = {}) {
    if (!accept.empty()) more.emplace_back("Accept-Encoding", accept);
    auto r = client_->send({.method = body.empty() ? "GET" : "POST", .path = path, .headers = more, .body = body}, 5s);
    EXPECT_TRUE(r.ok());
    return r.ok() ? *r : Response{};
  }
  std::string page_ = [] {
    std::string s;
    for (int i = 0; i < 20'000; ++i) s += "{\"id\":\"indicator--" + std::to_string(i) + "\"},";
    return s;
  }();
  Metrics metrics_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(CodingServer, OnlyWhatIsMarkedAndLongEnough) {
  const Response zstd = ask("/", "gzip, zstd");
  EXPECT_EQ(zstd.header("Content-Encoding"), "zstd");
  EXPECT_EQ(zstd.header("Vary"), "Accept-Encoding");
  EXPECT_EQ(zstd.header("ETag"), "W/\"v1\"");
  EXPECT_EQ(unzstd(zstd.body), page_);
  EXPECT_EQ(ungzip(ask("/", "gzip").body), page_);
  const Response plain = ask("/", "");
  EXPECT_EQ(plain.header("Content-Encoding"), "");
  EXPECT_EQ(plain.header("Vary"),
            "Accept-Encoding");  // a cache must not give this to who wants it coded, nor the other way
  EXPECT_EQ(plain.header("ETag"), "\"v1\"");
  EXPECT_EQ(plain.body, page_);
  EXPECT_EQ(ask("/short", "gzip").body, "short");
  const Response secret = ask("/secret", "gzip, zstd");  // BREACH: its maker did not say that it may be coded
  EXPECT_EQ(secret.header("Content-Encoding"), "");
  EXPECT_EQ(secret.header("Vary"), "");
  EXPECT_EQ(secret.body, page_);
}

TEST_F(CodingServer, CodedRequestsAreRefused) {  // RFC 9110 §15.5.16: and the answer says what is taken
  for (const char* coding : {"gzip", "zstd", "br", "gzip, gzip", ""}) {
    const Response r = ask("/", "", {{"Content-Encoding", coding}}, "\x1f\x8b bomb");
    EXPECT_EQ(r.status, 415) << coding;
    EXPECT_EQ(r.header("Accept-Encoding"), "identity");
  }
  EXPECT_EQ(ask("/", "", {{"Content-Encoding", "Identity"}}, "x").status, 200);
}

}  // namespace
}  // namespace entente::net::internal
