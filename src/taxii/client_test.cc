#include "taxii/client.h"

#include <filesystem>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/metrics.h"
#include "taxii/internal/memory_backend.h"
#include "taxii/server.h"

namespace entente::taxii {
namespace {

using internal::MemoryBackend;
using namespace std::chrono_literals;

struct World {
  explicit World(size_t default_limit = 1000) {
    Options o;
    o.cursor_key = std::string(32, 'k');
    o.default_limit = default_limit;
    service = std::make_unique<Service>(backend, o, clock);
  }
  net::Handler handler() {
    return [this](net::Request r, net::Reply reply) { service->handle(std::move(r), std::move(reply)); };
  }
  Client client() { return {net::make_local_client(handler(), ""), "Basic eDp5"}; }
  MemoryBackend backend;
  ManualClock clock{Time{1'790'000'000'000'000}};
  std::unique_ptr<Service> service;
};

// A server of canned answers, for the deviations that the field shows.
Client against(std::function<net::Response(const net::Request&)> f) {
  return {
      net::make_local_client([f = std::move(f)](const net::Request& r, const net::Reply& reply) { reply(f(r)); }, ""),
      ""};
}
net::Response canned(std::string body, int status = 200, net::Headers headers = {}) {
  return {status, std::move(headers), std::move(body)};
}

TEST(TaxiiClient, WalksTheWholeServer) {
  World w;
  Client c = w.client();
  auto d = c.discover();
  ASSERT_TRUE(d.ok()) << d.error().text();
  EXPECT_EQ(d->roots, std::vector<std::string>{"/local/"});
  EXPECT_EQ(d->default_root, "/local/");
  auto list = c.collections("/local/");
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->size(), 4u);
  const std::string a = MemoryBackend::indicator(1);
  const std::string b = MemoryBackend::indicator(2);
  auto status = c.add("/local/", "main", {a, b});
  ASSERT_TRUE(status.ok()) << status.error().text();
  EXPECT_TRUE(status->complete);
  EXPECT_EQ(status->success, 2u);
  EXPECT_EQ(status->successes.size(), 2u);
  auto got = c.objects("/local/", "main", {});
  ASSERT_TRUE(got.ok()) << got.error().text();
  EXPECT_EQ((*got)->objects, (std::vector<std::string_view>{a, b}));
  EXPECT_TRUE((*got)->last);
}

// T42, T44, T47, T80: whichever way a client pages, and whatever is added meanwhile, it gets every object exactly once.
RC_GTEST_PROP(TaxiiClient, PagingLosesAndRepeatsNothing, ()) {
  World w;
  Client c = w.client();
  int made = 0;
  const auto add = [&](int n) {
    for (int i = 0; i < n; ++i) w.backend.put(MemoryBackend::indicator(made++));
  };
  add(*rc::gen::inRange(0, 30));
  std::vector<std::string> seen;
  std::optional<Time> after;
  std::string next;
  for (int step = 0; step < 200; ++step) {
    Client::Get get;
    get.added_after = after;
    get.next = next;
    get.limit = *rc::gen::inRange<size_t>(1, 9);
    auto page = c.objects("/local/", "main", get);
    RC_ASSERT(page.ok());
    for (const auto o : (*page)->objects) seen.emplace_back(o);
    const bool use_next = *rc::gen::arbitrary<bool>();
    if ((*page)->more && use_next) {
      next = (*page)->next;
    } else {
      next.clear();
      if ((*page)->last) after = (*page)->last;
    }
    const bool done = !(*page)->more;
    if (step < 20) {
      add(*rc::gen::inRange(0, 4));
    } else if (done && static_cast<int>(seen.size()) >= made) {
      break;
    }
  }
  RC_ASSERT(static_cast<int>(seen.size()) == made);
  for (int i = 0; i < made; ++i) RC_ASSERT(seen[static_cast<size_t>(i)] == MemoryBackend::indicator(i));
}

TEST(TaxiiClient, T79_SplitsAtTheRootsLimit) {
  World w;
  w.backend.max_content = 700;
  Client c = w.client();
  std::vector<std::string> raw;
  for (int i = 0; i < 20; ++i) raw.push_back(MemoryBackend::indicator(i));
  auto status = c.add("/local/", "main", {raw.begin(), raw.end()});
  ASSERT_TRUE(status.ok()) << status.error().text();
  EXPECT_EQ(status->success, 20u);
  EXPECT_GT(w.backend.posted.size(), 3u);
  for (const auto& body : w.backend.posted) EXPECT_LE(body.size(), 700u);
}

TEST(TaxiiClient, T79_PollsAPendingStatus) {
  World w;
  w.backend.pending_once = true;
  Client c = w.client();
  const std::string a = MemoryBackend::indicator(1);
  auto status = c.add("/local/", "main", {a});
  ASSERT_TRUE(status.ok()) << status.error().text();
  EXPECT_TRUE(status->complete);
  EXPECT_EQ(status->success, 1u);
}

TEST(TaxiiClient, T80_PagesThatDoNotAdvanceAreAnError) {
  Client loops = against([](const net::Request&) { return canned(R"({"more":true,"objects":[{"id":"a"}]})"); });
  EXPECT_FALSE(loops.objects("/r/", "c", {}).ok());
  Client same =
      against([](const net::Request&) { return canned(R"({"more":true,"next":"x","objects":[{"id":"a"}]})"); });
  EXPECT_TRUE(same.objects("/r/", "c", {}).ok());
  Client::Get again;
  again.next = "x";
  EXPECT_FALSE(same.objects("/r/", "c", again).ok());
  Client stuck = against([](const net::Request&) {
    return canned(R"({"more":true,"objects":[{"id":"a"}]})", 200,
                  {{"X-TAXII-Date-Added-Last", "2026-01-01T00:00:00.000000Z"}});
  });
  Client::Get later;
  EXPECT_TRUE(stuck.objects("/r/", "c", later).ok());
  later.added_after = parse_time("2026-01-01T00:00:00Z").value();
  EXPECT_FALSE(stuck.objects("/r/", "c", later).ok());
}

// medallion keeps one cursor for all pages and moves it on itself.
TEST(TaxiiClient, T80_OneCursorForAllPagesIsNoCircleWhilePagesDiffer) {
  int asked = 0;
  Client c = against([&](const net::Request&) {
    const std::string id = std::to_string(std::min(++asked, 3));
    return canned(R"({"more":true,"next":"x","objects":[{"id":")" + id + R"("}]})");
  });
  Client::Get get;
  EXPECT_TRUE(c.objects("/r/", "c", get).ok());
  get.next = "x";
  EXPECT_TRUE(c.objects("/r/", "c", get).ok());
  EXPECT_TRUE(c.objects("/r/", "c", get).ok());
  EXPECT_FALSE(c.objects("/r/", "c", get).ok());  // the third page again
}

// R11: what failed for now is asked again, a bounded number of times; a POST only where the server said that it did
// nothing.
TEST(TaxiiClient, RetriesAreBoundedAndPostsAreNotRepeatedWithoutNeed) {
  int asked = 0;
  int good_after = 0;
  int refuse_with = 503;
  Client c = against([&](const net::Request& r) {
    ++asked;
    if (asked <= good_after) return canned("{}", refuse_with, {{"Retry-After", "0"}});
    if (r.method == "POST") return canned(R"({"id":"1","status":"complete","total_count":0})", 202);
    return canned(R"({"title":"t"})");
  });
  c.set_retries({.times = 3, .first = 1ms});
  const auto tries = [&](int bad, int status, bool post) {
    asked = 0;
    good_after = bad;
    refuse_with = status;
    return post ? c.post("/r/", "{}", "application/json").ok() && asked == bad + 1
                : c.discover().ok() && asked == bad + 1;
  };
  for (const int status : {429, 500, 502, 503}) EXPECT_TRUE(tries(3, status, false)) << status;
  EXPECT_FALSE(tries(4, 503, false));
  EXPECT_EQ(asked, 4);
  EXPECT_FALSE(tries(1, 404, false));
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(tries(2, 429, true));
  (void)tries(1, 500, true);
  EXPECT_EQ(asked, 1);
}

TEST(TaxiiClient, T81_OtherOriginsAreLeftOut) {
  Client c = against([](const net::Request&) {
    return canned(
        R"({"title":"t","default":"https://evil.example/x/","api_roots":["/good/","//evil.example/x/","https://evil.example/x/","../up/","/q/?a=b","/slashless"]})");
  });
  auto d = c.discover();
  ASSERT_TRUE(d.ok());
  EXPECT_EQ(d->roots, (std::vector<std::string>{"/good/", "/slashless/"}));
  EXPECT_EQ(d->default_root, "");
}

TEST(TaxiiClient, T82_ToleratesWhatServersDo) {
  Client c = against([](const net::Request& r) -> net::Response {
    if (r.method == "POST")
      return canned(R"({"id":"x","status":"complete","total_count":1,"success_count":1,"failure_count":null})", 200);
    if (r.path.ends_with("/collections/"))
      return canned(R"({"collections":[{"id":"not-a-uuid","title":null,"can_read":null}]})");
    return canned(R"({"objects":[],"unknown":[1,2]})", 206, {{"X-TAXII-Date-Added-Last", "undefined"}});
  });
  auto page = c.objects("/r/", "c", {});
  ASSERT_TRUE(page.ok()) << page.error().text();
  EXPECT_TRUE((*page)->objects.empty());
  EXPECT_FALSE((*page)->last);
  EXPECT_EQ(c.collections("/r/").value().at(0).id, "not-a-uuid");
  EXPECT_EQ(c.add("/r/", "c", {"{}"}).value().success, 1u);
  Client times = against([](const net::Request&) {
    return canned("{}", 200, {{"X-TAXII-Date-Added-Last", "2026-01-01T01:00:00.123+01:00"}});
  });
  EXPECT_EQ(to_text(*times.objects("/r/", "c", {}).value()->last), "2026-01-01T00:00:00.123000Z");
}

TEST(TaxiiClient, BrokenAnswersAreErrors) {
  for (const char* body : {"", "{", "[]", "nonsense", R"({"objects":[1,2})", R"({"a":1,"a":2})", "{}x", "\xff"}) {
    Client c = against([body](const net::Request&) { return canned(body); });
    EXPECT_FALSE(c.objects("/r/", "c", {}).ok()) << body;
  }
  Client many = against([](const net::Request&) { return canned(R"({"objects":[1,2,3]})"); });
  Client::Get two;
  two.limit = 2;
  EXPECT_FALSE(many.objects("/r/", "c", two).ok());
}

TEST(TaxiiClient, ErrorsCarryKindAndText) {
  const std::pair<int, ErrorKind> cases[] = {{401, ErrorKind::kUnauthenticated}, {403, ErrorKind::kDenied},
                                             {404, ErrorKind::kNotFound},        {413, ErrorKind::kTooLarge},
                                             {429, ErrorKind::kUnavailable},     {503, ErrorKind::kUnavailable},
                                             {301, ErrorKind::kInvalid},         {422, ErrorKind::kInvalid}};
  for (const auto& [status, kind] : cases) {
    Client c = against([s = status](const net::Request&) { return canned(R"({"title":"Sorry\u001b[2J"})", s); });
    auto r = c.objects("/r/", "c", {});
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(r.error().kind, kind) << status;
    EXPECT_THAT(r.error().what, ::testing::HasSubstr("Sorry"));
    EXPECT_EQ(r.error().what.find('\x1b'), std::string::npos);
  }
}

TEST(TaxiiClient, CancelEndsALongPoll) {
  World w;
  Client c = w.client();
  Client::Get get;
  get.wait_seconds = 60;
  std::thread other([&] {
    while (w.backend.waiting() == 0) std::this_thread::sleep_for(1ms);
    c.cancel();
  });
  const auto begin = std::chrono::steady_clock::now();
  auto r = c.objects("/local/", "main", get);
  other.join();
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().kind, ErrorKind::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  w.backend.time_out();
}

TEST(TaxiiClient, OverRealTlsWithPinnedKeys) {
  std::string dir = (std::filesystem::temp_directory_path() / "entente-taxii-XXXXXX").string();
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  const auto server_key = net::make_certificate(dir + "/s.crt", dir + "/s.key", "server", {}, 30);
  const auto client_key = net::make_certificate(dir + "/c.crt", dir + "/c.key", "client", {}, 30);
  ASSERT_TRUE(server_key.ok() && client_key.ok());
  World w(10);
  Metrics metrics;
  net::ServerOptions so;
  so.cert_file = dir + "/s.crt";
  so.key_file = dir + "/s.key";
  std::string seen;
  auto server = net::serve(
      so,
      [&](net::Request r, net::Reply reply) {
        seen = r.peer_spki;
        w.service->handle(std::move(r), std::move(reply));
      },
      metrics);
  ASSERT_TRUE(server.ok());
  net::ClientOptions co;
  co.url = "https://localhost:" + std::to_string((*server)->port());
  co.cert_file = dir + "/c.crt";
  co.key_file = dir + "/c.key";
  co.pin_spki_sha256 = {*server_key};
  auto transport = net::connect_to(co);
  ASSERT_TRUE(transport.ok()) << transport.error().text();
  Client c(std::move(*transport), "");
  for (int i = 0; i < 25; ++i) w.backend.put(MemoryBackend::indicator(i));
  size_t total = 0;
  std::string next;
  do {
    Client::Get get;
    get.next = next;
    auto page = c.objects("/local/", "main", get);
    ASSERT_TRUE(page.ok()) << page.error().text();
    total += (*page)->objects.size();
    next = (*page)->next;
  } while (!next.empty());
  EXPECT_EQ(total, 25u);
  EXPECT_EQ(seen, *client_key);
  (*server)->stop(0ms);
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace entente::taxii
