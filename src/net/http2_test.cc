// One HTTP/2 connection without a socket: against nghttp2's client where the peer is honest, against frames made by
// hand where it is not.
#include "net/internal/http2.h"

#include <algorithm>
#include <cstring>
#include <map>

#include <gmock/gmock.h>
#include <nghttp2/nghttp2.h>

#include "net/internal/test_peer.h"

namespace entente::net::internal {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload = {}) {
  std::string out;
  for (const int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift & 0xff);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift & 0xff);
  return out.append(payload);
}

// :method GET, :scheme https, :path /, :authority "a": static table and one literal (RFC 7541 Appendix A).
const std::string kGet =
    "\x82\x87\x84\x01\x01"
    "a";

// The error code of a GOAWAY among these frames; -1 if there is none.
int64_t goaway(std::string_view octets) {
  while (octets.size() >= 9) {
    const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(octets[i])); };
    const size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (octets.size() < 9 + size) break;
    if (byte(3) == 7) return byte(13) << 24 | byte(14) << 16 | byte(15) << 8 | byte(16);
    octets.remove_prefix(9 + size);
  }
  return -1;
}

// An honest client, joined to a session by two strings.
class Peer {
 public:
  struct Answer {
    int status = 0;
    Headers headers;
    std::string body;
    bool closed = false;
    uint32_t error = 0;
  };

  explicit Peer(const Http2Limits& limits, bool reads_bodies = true) : server(limits, 0) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* f, const uint8_t* n, size_t ns, const uint8_t* v,
                      size_t vs, uint8_t, void* user) {
          Answer& a = static_cast<Peer*>(user)->answers[f->hd.stream_id];
          const std::string name(reinterpret_cast<const char*>(n), ns);
          const std::string value(reinterpret_cast<const char*>(v), vs);
          if (name == ":status") {
            a.status = std::stoi(value);
          } else {
            a.headers.emplace_back(name, value);
          }
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
          static_cast<Peer*>(user)->answers[id].body.append(reinterpret_cast<const char*>(data), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t error, void* user) {
          Answer& a = static_cast<Peer*>(user)->answers[id];
          a.closed = true;
          a.error = error;
          return 0;
        });
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    if (!reads_bodies) nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_client_new2(&client, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(client, 0, nullptr, 0);
    pump();
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { nghttp2_session_del(client); }

  int32_t ask(Headers fields, std::optional<std::string> body = std::nullopt) {
    Headers all{{":method", body ? "POST" : "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", "a"}};
    for (auto& [n, v] : fields) {
      const auto it = std::ranges::find(all, n, &std::pair<std::string, std::string>::first);
      if (it != all.end()) {
        it->second = v;
      } else {
        all.emplace_back(n, v);
      }
    }
    std::vector<nghttp2_nv> nv;
    for (auto& [n, v] : all) {
      nv.push_back({reinterpret_cast<uint8_t*>(n.data()), reinterpret_cast<uint8_t*>(v.data()), n.size(), v.size(), 0});
    }
    nghttp2_data_provider provider{};
    if (body) {
      bodies.push_back(std::make_unique<std::string>(*std::move(body)));
      provider.source.ptr = bodies.back().get();
      provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* to, size_t size, uint32_t* flags,
                                  nghttp2_data_source* source, void*) -> ssize_t {
        auto& text = *static_cast<std::string*>(source->ptr);
        const size_t n = std::min(size, text.size());
        std::memcpy(to, text.data(), n);
        text.erase(0, n);
        if (text.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(n);
      };
    }
    return nghttp2_submit_request(client, nullptr, nv.data(), nv.size(), body ? &provider : nullptr, nullptr);
  }

  // Moves octets both ways until nothing moves.
  void pump() {
    for (bool moved = true; moved;) {
      moved = false;
      const uint8_t* data = nullptr;
      ssize_t n = 0;
      while ((n = nghttp2_session_mem_send(client, &data)) > 0) {
        server.feed({reinterpret_cast<const char*>(data), static_cast<size_t>(n)}, now);
        moved = true;
      }
      most_held = std::max(most_held, server.held());
      std::string out;
      server.pull(out, 1u << 20, now);
      if (!out.empty()) {
        if (goaway(out) >= 0) last_goaway = goaway(out);
        nghttp2_session_mem_recv(client, reinterpret_cast<const uint8_t*>(out.data()), out.size());
        moved = true;
      }
    }
  }

  std::vector<Http2Session::Ready> requests() {
    std::vector<Http2Session::Ready> out;
    while (auto r = server.next_request()) out.push_back(*std::move(r));
    return out;
  }

  int64_t now = 0;
  Http2Session server;
  nghttp2_session* client = nullptr;
  std::map<int32_t, Answer> answers;
  std::vector<std::unique_ptr<std::string>> bodies;
  size_t most_held = 0;
  int64_t last_goaway = -1;
};

// A dishonest one: says what it likes and reads all.
struct Raw {
  explicit Raw(const Http2Limits& limits = {}) : server(limits, 0) {
    say(std::string(kPreface) + frame(4, 0, 0));
    say(frame(4, 1, 0));
  }
  bool say(std::string_view octets) {
    alive = server.feed(octets, now) && alive;
    server.pull(heard, SIZE_MAX, now);
    return alive;
  }
  int64_t now = 0;
  Http2Session server;
  std::string heard;
  bool alive = true;
};

TEST(Http2, RequestsAndAnswers) {
  Peer p({});
  const int32_t get = p.ask({{":path", "/a/b?x=1&y"}, {"accept", "text/plain"}, {"cookie", "a=1"}});
  const int32_t post = p.ask({{":path", "/c"}}, "hello");
  const int32_t head = p.ask({{":method", "HEAD"}});
  p.pump();
  auto got = p.requests();
  ASSERT_EQ(got.size(), 3u);
  std::ranges::sort(got, {}, &Http2Session::Ready::stream);
  EXPECT_EQ(got[0].stream, get);
  EXPECT_EQ(got[0].request.method, "GET");
  EXPECT_EQ(got[0].request.path, "/a/b");
  EXPECT_EQ(got[0].request.query, "x=1&y");
  EXPECT_EQ(got[0].request.header("Host"), "a");
  EXPECT_EQ(got[0].request.header("ACCEPT"), "text/plain");
  EXPECT_EQ(got[1].request.body, "hello");
  p.server.answer(post, {202, {{"X-Thing", "v"}, {"Connection", "close"}, {"Bad\r\n", "x"}}, "done"}, kDate, 0);
  p.server.answer(get, {304, {{"ETag", "\"1\""}}, "never sent"}, kDate, 0);
  p.server.answer(head, {200, {}, "12345"}, kDate, 0);
  p.pump();
  EXPECT_EQ(p.answers[post].status, 202);
  EXPECT_EQ(p.answers[post].body, "done");
  EXPECT_THAT(p.answers[post].headers,
              ::testing::ElementsAre(std::pair("x-thing", "v"), std::pair("content-length", "4"),
                                     std::pair("date", std::string(kDate))));
  EXPECT_EQ(p.answers[get].status, 304);
  EXPECT_EQ(p.answers[get].body, "");
  EXPECT_EQ(p.answers[head].body, "");
  EXPECT_THAT(p.answers[head].headers, ::testing::Contains(std::pair("content-length", "5")));  // RFC 9110 §9.3.2
  for (const int32_t id : {get, post, head}) EXPECT_TRUE(p.answers[id].closed && p.answers[id].error == 0) << id;
  EXPECT_FALSE(p.server.busy());
  EXPECT_EQ(p.server.held(), 0u);
}

TEST(Http2, ASmallAnswerDoesNotWaitBehindAPage) {
  Peer p({});
  const int32_t page = p.ask({});
  const int32_t small = p.ask({});
  p.pump();
  p.requests();
  p.server.answer(page, {200, {}, std::string(1u << 20, 'p')}, kDate, 0);
  p.server.answer(small, {200, {}, "small"}, kDate, 0);
  std::string out;
  p.server.pull(out, 40'000, 0);
  nghttp2_session_mem_recv(p.client, reinterpret_cast<const uint8_t*>(out.data()), out.size());
  EXPECT_TRUE(p.answers[small].closed);
  EXPECT_FALSE(p.answers[page].closed);
  p.pump();
  EXPECT_EQ(p.answers[page].body.size(), 1u << 20);
}

TEST(Http2, AnAnswerInPieces) {
  Http2Limits limits;
  Peer p(limits);
  std::vector<int32_t> streams;
  const std::string text = numbered(700'000);
  for (int i = 0; i < 4; ++i) streams.push_back(p.ask({}));
  p.pump();
  ASSERT_EQ(p.requests().size(), 4u);
  const std::vector<std::vector<size_t>> sizes{{}, {0, 1, 0, 65'536, 100'000}, {16'384, 16'384, 0}, {300'000}};
  for (size_t i = 0; i < 4; ++i) {
    Response r{200, {}, i == 1 ? "front" : ""};
    r.rest = std::make_shared<Pieces>(text, sizes[i], i == 3);
    p.server.answer(streams[i], std::move(r), kDate, 0);
  }
  p.pump();
  for (size_t i = 0; i < 4; ++i) {
    const Peer::Answer& a = p.answers[streams[i]];
    EXPECT_EQ(a.status, 200);
    EXPECT_TRUE(a.closed);
    if (i == 3) {  // RFC 9113 §8.1.1: broken off, and the client can tell
      EXPECT_NE(a.error, 0u);
      continue;
    }
    EXPECT_EQ(a.error, 0u);
    EXPECT_TRUE(a.body == (i == 1 ? "front" + text : text)) << i;
  }
  EXPECT_EQ(p.server.held(), 0u);
}

TEST(Http2, RefusalsByStatus) {
  Http2Limits limits;
  limits.header_bytes = 1000;
  limits.body_bytes = 1000;
  Peer p(limits);
  const std::map<int32_t, int> wanted{
      {p.ask({{"x", std::string(1500, 'x')}}), 431},
      {p.ask({}, std::string(1001, 'b')), 413},
      {p.ask({{"content-length", "2000"}}, std::string(2000, 'x')), 413},
      {p.ask({{":path", "no-slash"}}), 400},
      {p.ask({{":path", "/a b"}}), 400},
      {p.ask({{"host", "other"}}), 400},
      {p.ask({{"expect", "a-miracle"}}, "x"), 417},
  };
  const int32_t fits = p.ask({{"host", "a"}}, std::string(1000, 'b'));
  p.pump();
  const auto got = p.requests();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].stream, fits);
  for (const auto& [id, status] : wanted) {
    EXPECT_TRUE(p.answers[id].closed) << id;
    // What is no HTTP at all nghttp2 resets itself (RFC 9113 §8.1.1).
    if (status == 400 && p.answers[id].error == NGHTTP2_PROTOCOL_ERROR) continue;
    EXPECT_EQ(p.answers[id].status, status) << id;
    EXPECT_EQ(p.answers[id].error, static_cast<uint32_t>(NGHTTP2_NO_ERROR)) << id;
  }
  EXPECT_EQ(p.last_goaway, -1);  // the connection goes on
}

TEST(Http2, UploadsTakeTurnsWhenMuchIsHeld) {
  Http2Limits limits;
  limits.held_bodies = 1u << 20;
  Peer p(limits);
  std::vector<int32_t> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(p.ask({}, std::string(3u << 20, static_cast<char>('a' + i))));
  for (int round = 0; round < 1000 && !p.answers[ids.back()].closed; ++round) {
    p.pump();
    for (auto& r : p.requests()) {
      EXPECT_EQ(r.request.body.size(), 3u << 20);
      p.server.answer(r.stream, {202, {}, {}}, kDate, 0);
    }
  }
  for (const int32_t id : ids) EXPECT_EQ(p.answers[id].status, 202) << id;
  // 60 MiB went through; held were never more than the limit, the oldest body and a window for each of the others.
  EXPECT_LE(p.most_held, (1u << 20) + (3u << 20) + 20 * 256 * 1024);
}

TEST(Http2, WhoIsNotKnownSendsLittle) {
  Http2Limits limits;
  limits.free_body_bytes = 100'000;
  limits.known = [](const Request& head) { return head.header("authorization") == "me"; };
  Peer p(limits);
  const int32_t mine = p.ask({{"authorization", "me"}}, std::string(3u << 20, 'a'));
  const int32_t yours = p.ask({{"authorization", "you"}}, std::string(3u << 20, 'b'));
  std::map<int32_t, size_t> got;
  for (int round = 0; round < 100; ++round) {
    p.pump();
    for (auto& r : p.requests()) {
      got[r.stream] = r.request.body.size();
      p.server.answer(r.stream, {r.stream == mine ? 202 : 401, {}, {}}, kDate, 0);
    }
  }
  EXPECT_EQ(got[mine], 3u << 20);
  EXPECT_EQ(got[yours], 0u);
  EXPECT_EQ(p.answers[mine].status, 202);
  EXPECT_EQ(p.answers[yours].status, 401);
  EXPECT_TRUE(p.answers[yours].closed);
  EXPECT_LT(p.most_held, (3u << 20) + (1u << 20));
}

TEST(Http2, ABudgetOfAllConnections) {
  Budget held(2u << 20);
  Http2Limits limits;
  limits.held = &held;
  {
    Peer one(limits);
    Peer two(limits);
    const int32_t large = one.ask({}, std::string(1'900'000, 'a'));
    one.pump();
    const int32_t refused = two.ask({}, std::string(1'900'000, 'b'));
    const int32_t small = two.ask({}, std::string(10'000, 'c'));
    two.pump();
    EXPECT_EQ(two.answers[refused].status, 503);
    for (auto& r : two.requests()) two.server.answer(r.stream, {200, {}, {}}, kDate, 0);
    two.pump();
    EXPECT_EQ(two.answers[small].status, 200);
    for (auto& r : one.requests()) one.server.answer(r.stream, {202, {}, {}}, kDate, 0);
    one.pump();
    EXPECT_EQ(one.answers[large].status, 202);
    EXPECT_EQ(held.held(), 0u);
    // Answers that wait for their reader count too.
    Peer slow(limits, false);
    for (int i = 0; i < 3; ++i) slow.ask({});
    slow.pump();
    for (auto& r : slow.requests()) slow.server.answer(r.stream, {200, {}, std::string(1u << 20, 'x')}, kDate, 0);
    EXPECT_GE(held.held(), 3u << 20);
    slow.ask({});
    slow.pump();
    EXPECT_TRUE(slow.requests().empty()) << "no further request while more than the budget waits";
  }
  EXPECT_EQ(held.held(), 0u) << "what ended connections held is given back";
}

TEST(Http2, ASlowUploadGets408AndOthersGoOn) {
  Http2Limits limits;
  limits.body_timeout = 1000ms;
  Raw r(limits);
  r.say(frame(1, 4, 1,
              "\x83\x87\x84\x01\x01"
              "a"));  // POST, and then nothing
  EXPECT_EQ(r.server.deadline(), 1000);
  r.now = 999;
  r.server.expire(r.now);
  EXPECT_TRUE(r.server.busy());
  r.now = 1000;
  r.server.expire(r.now);
  r.say("");
  EXPECT_FALSE(r.server.busy());
  EXPECT_EQ(r.server.counts().answers[4], 1u);
  EXPECT_TRUE(r.say(frame(1, 5, 3, kGet)));
  EXPECT_TRUE(r.server.next_request());
}

TEST(Http2, AHeadThatDoesNotEndAndAnIdleConnection) {
  Http2Limits limits;
  limits.header_timeout = 500ms;
  limits.idle_timeout = 2000ms;
  Raw head(limits);
  head.say(frame(1, 0, 1, kGet));  // no END_HEADERS
  EXPECT_EQ(head.server.deadline(), 500);
  head.now = 500;
  head.server.expire(500);
  head.say("");
  EXPECT_TRUE(head.server.over());
  Raw idle(limits);
  EXPECT_EQ(idle.server.deadline(), 2000);
  idle.now = 1900;
  idle.say(frame(6, 0, 0, "12345678"));  // a PING keeps nothing open
  EXPECT_EQ(idle.server.deadline(), 2000);
  idle.server.expire(2000);
  idle.say("");
  EXPECT_EQ(goaway(idle.heard), 0);
  EXPECT_TRUE(idle.server.over());
  Http2Session silent(limits, 0);  // no preface at all
  EXPECT_EQ(silent.deadline(), 500);
}

TEST(Http2, ResetRequestsCostNothingAndThenTheConnection) {  // CVE-2023-44487
  Raw r;
  std::string burst;
  uint32_t id = 1;
  for (int i = 0; i < 50; ++i, id += 2)
    burst += frame(1, 5, id, kGet) + frame(3, 0, id, std::string_view("\0\0\0\x8", 4));
  EXPECT_TRUE(r.say(burst));
  EXPECT_FALSE(r.server.next_request());  // all gone before anything was done for them
  int rounds = 0;
  int begun = 0;
  while (r.alive && rounds < 10'000) {
    r.say(frame(1, 5, id, kGet));
    begun += r.server.next_request() ? 1 : 0;
    r.say(frame(3, 0, id, std::string_view("\0\0\0\x8", 4)));
    id += 2;
    ++rounds;
  }
  EXPECT_LE(begun, 60);
  EXPECT_EQ(r.server.take_gone().size(), static_cast<size_t>(begun));
  EXPECT_EQ(goaway(r.heard), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_TRUE(r.server.counts().calmed);
}

TEST(Http2, FloodsEndTheConnection) {
  const std::pair<const char*, std::string> floods[] = {
      {"SETTINGS", frame(4, 0, 0)},
      {"SETTINGS with values", frame(4, 0, 0, std::string_view("\0\x4\0\1\0\0", 6))},
      {"PING", frame(6, 0, 0, "12345678")},
      {"PING ACK", frame(6, 1, 0, "12345678")},
      {"PRIORITY", frame(2, 0, 3, std::string_view("\0\0\0\0\x10", 5))},
      {"WINDOW_UPDATE", frame(8, 0, 0, std::string_view("\0\0\0\1", 4))},
      {"empty DATA", frame(0, 0, 1)},
      {"padding alone", frame(0, 8, 1, std::string_view("\3\0\0\0", 4))},
      {"HEADERS over the stream limit, or broken", frame(1, 4, 1, "\x82")},
  };
  for (const auto& [name, octets] : floods) {
    Raw r;
    r.say(frame(1, 4, 1,
                "\x83\x87\x84\x01\x01"
                "a"));  // an upload that stays open
    size_t sent = 0;
    while (r.alive && sent < 5000) {
      r.say(octets);
      ++sent;
    }
    EXPECT_LE(sent, 1010u) << name;
    EXPECT_GE(goaway(r.heard), NGHTTP2_PROTOCOL_ERROR) << name;
    EXPECT_LT(r.heard.size(), 64u * 1024) << name;
    EXPECT_TRUE(r.server.over()) << name;
  }
}

TEST(Http2, TimeAndAnswersRefillTheBudget) {
  Raw r;
  for (int second = 0; second < 600; ++second) {  // ten pings a second, for ten minutes
    r.now = second * 1000;
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(r.say(frame(6, 0, 0, "12345678"))) << second;
  }
  Peer p({});
  for (int i = 0; i < 200; ++i) {  // 200 MiB of answers, and the window updates that they need, in no time
    const int32_t id = p.ask({});
    p.pump();
    p.requests();
    p.server.answer(id, {200, {}, std::string(1u << 20, 'x')}, kDate, 0);
    p.pump();
    ASSERT_TRUE(p.answers[id].closed) << i;
    p.answers.erase(id);
  }
}

TEST(Http2, ContinuationsWithoutEnd) {
  Raw r;
  r.say(frame(1, 0, 1, kGet));
  size_t sent = 0;
  while (r.alive && sent < 1000) {
    r.say(frame(9, 0, 1,
                "\x40\x01"
                "x\x01"
                "y"));
    ++sent;
  }
  EXPECT_LE(sent, 20u);
  EXPECT_TRUE(r.server.over());
}

TEST(Http2, AHeaderBombIsNotUnpacked) {
  Raw r;
  // A field of 4,000 octets goes into the table (RFC 7541 §6.2.1), then each octet stands for it again.
  std::string block = kGet +
                      "\x40\x01"
                      "x\x7f\xa1\x1e" +
                      std::string(4000, 'v') + std::string(12'000, '\xbe');
  r.say(frame(1, 5, 1, block));
  EXPECT_FALSE(r.alive);
  EXPECT_EQ(goaway(r.heard), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_FALSE(r.server.next_request());
}

TEST(Http2, WhoDoesNotReadIsNotServedMore) {
  Http2Limits limits;
  limits.held_answers = 1u << 20;
  limits.write_timeout = 1000ms;
  Peer p(limits, false);  // never opens its windows
  for (int i = 0; i < 50; ++i) p.ask({});
  p.pump();
  size_t served = 0;
  while (auto r = p.server.next_request()) {
    p.server.answer(r->stream, {200, {}, std::string(700'000, 'x')}, kDate, 0);
    ++served;
  }
  EXPECT_EQ(served, 2u);  // the limit is looked at before each, so one may go over it
  p.pump();
  EXPECT_LE(p.server.held(), 2u << 20);
  p.now = 1000;
  p.server.expire(1000);
  p.pump();
  EXPECT_EQ(p.server.held(), 0u);  // reset
  EXPECT_EQ(p.answers[1].error, static_cast<uint32_t>(NGHTTP2_CANCEL));
  EXPECT_TRUE(p.server.next_request());
}

TEST(Http2, AnOctetNowAndThenIsNoProgress) {
  Http2Limits limits;
  limits.write_timeout = 1000ms;
  Raw r(limits);
  r.say(frame(4, 0, 0, std::string_view("\0\4\0\0\0\0", 6)));  // a window of nothing for each stream
  r.say(frame(1, 5, 1, kGet));
  ASSERT_TRUE(r.server.next_request());
  r.server.answer(1, {200, {}, std::string(100'000, 'x')}, kDate, 0);
  for (int64_t t = 0; t < 1000; t += 100) {
    r.now = t;
    r.say(frame(8, 0, 1, std::string_view("\0\0\0\1", 4)));
  }
  EXPECT_EQ(r.server.deadline(), 1000);
  r.server.expire(1000);
  r.say("");
  EXPECT_FALSE(r.server.busy());
}

TEST(Http2, ResetsThatWaitForAReaderAreBounded) {
  Http2Session server({}, 0);
  std::string in = std::string(kPreface) + frame(4, 0, 0);
  server.feed(in, 0);
  uint32_t id = 1;
  size_t fed = 0;
  // Never pulls: the peer does not read. What is over the stream limit is refused by a frame each.
  while (!server.congested() && fed < 100'000 && server.feed(frame(1, 5, id, kGet), 0)) {
    id += 2;
    ++fed;
  }
  EXPECT_LT(fed, 1300u);
}

TEST(Http2, DrainingFinishesWhatWasBegun) {
  Peer p({});
  const int32_t held = p.ask({});  // a long poll
  p.pump();
  ASSERT_EQ(p.requests().size(), 1u);
  p.server.drain();
  p.pump();
  EXPECT_EQ(p.last_goaway, 0);
  EXPECT_FALSE(p.server.over());
  p.server.answer(held, {200, {}, "late"}, kDate, 0);
  p.pump();
  EXPECT_EQ(p.answers[held].body, "late");
  EXPECT_TRUE(p.server.over());
}

TEST(Http2, AGivenUpRequestIsTold) {
  Peer p({});
  const int32_t id = p.ask({});
  p.pump();
  ASSERT_EQ(p.requests().size(), 1u);
  nghttp2_submit_rst_stream(p.client, 0, id, NGHTTP2_CANCEL);
  p.pump();
  EXPECT_THAT(p.server.take_gone(), ::testing::ElementsAre(id));
  p.server.answer(id, {200, {}, "too late"}, kDate, 0);
  p.pump();
  EXPECT_FALSE(p.server.busy());
}

TEST(Http2, NotHttp2) {
  Http2Session s({}, 0);
  EXPECT_FALSE(s.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0));
  std::string out;
  s.pull(out, 1000, 0);
  EXPECT_EQ(goaway(out), NGHTTP2_PROTOCOL_ERROR);
  EXPECT_TRUE(s.over());
}

}  // namespace
}  // namespace entente::net::internal
