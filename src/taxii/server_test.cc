// One test per number of the TAXII checklist (spec/taxii-2.1.md) that shows at the protocol's surface.
#include "taxii/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.h"
#include "taxii/internal/memory_backend.h"

namespace entente::taxii {
namespace {

using internal::MemoryBackend;
using net::Response;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kType = "application/taxii+json;version=2.1";
const std::string kBase = std::string("/local/collections/") + MemoryBackend::kCollection + "/";

class Taxii : public ::testing::Test {
 protected:
  Taxii() : clock_(Time{1'790'000'000'000'000}) { restart({}); }
  void restart(Options o) {
    o.cursor_key = std::string(32, 'k');
    service_ = std::make_unique<Service>(backend_, o, clock_);
    client_ = net::make_local_client(
        [this](net::Request r, net::Reply reply) { service_->handle(std::move(r), std::move(reply)); }, "");
  }
  Response ask(const std::string& method, const std::string& path, net::Headers headers = {{"Accept", kType}},
               std::string body = {}) {
    net::Request r;
    r.method = method;
    r.path = path;
    r.headers = std::move(headers);
    r.body = std::move(body);
    auto got = client_->send(r, 5s);
    EXPECT_TRUE(got.ok());
    return got.ok() ? *got : Response{};
  }
  Response get(const std::string& path) { return ask("GET", path); }
  Response post(const std::string& path, const std::string& body, const std::string& type = kType) {
    return ask("POST", path, {{"Accept", kType}, {"Content-Type", type}}, body);
  }
  static json::Document doc(const Response& r) {
    auto d = json::parse(r.body);
    EXPECT_TRUE(d.ok()) << r.body;
    return d.ok() ? std::move(d).value() : json::Document{};
  }
  static std::vector<std::string> ids(const Response& r) {
    const auto d = doc(r);
    std::vector<std::string> out;
    if (const auto list = json::find_array(d.root(), "objects")) {
      for (const auto o : *list) out.emplace_back(json::find_string(o, "id").value_or("?").substr(40));
    }
    return out;
  }
  static std::string next(const Response& r) {
    return std::string(json::find_string(doc(r).root(), "next").value_or(""));
  }

  MemoryBackend backend_;
  ManualClock clock_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<net::Client> client_;
};

TEST_F(Taxii, T5_UnauthenticatedIs401WithChallengeOnEveryPathAndMethod) {
  backend_.require_login = true;
  for (const char* method : {"GET", "POST", "DELETE", "PUT"}) {
    for (const std::string& path :
         {std::string("/taxii2/"), std::string("/local/"), kBase + "objects/", std::string("/local/nonsense/")}) {
      const auto r = ask(method, path);
      EXPECT_EQ(r.status, 401) << method << path;
      EXPECT_THAT(std::string(r.header("WWW-Authenticate")), HasSubstr("Basic"));
    }
  }
}

TEST_F(Taxii, T9_NoUserAgentIsNeeded) { EXPECT_EQ(get("/taxii2/").status, 200); }

TEST_F(Taxii, T10_WrongMethodIs405WithAllow) {
  const auto r = ask("PUT", kBase + "objects/");
  EXPECT_EQ(r.status, 405);
  EXPECT_EQ(r.header("Allow"), "GET, HEAD, POST");
  EXPECT_EQ(ask("POST", "/taxii2/").status, 405);
  EXPECT_EQ(ask("DELETE", kBase + "objects/").status, 405);
  EXPECT_EQ(ask("GE", kBase + "objects/").status, 405);
  EXPECT_EQ(ask("GET, HEAD", kBase + "objects/").status, 405);
}

TEST_F(Taxii, T13_EveryBodyHasTheMediaType) {
  for (const std::string& path :
       {std::string("/taxii2/"), std::string("/local/"), std::string("/local/collections/"), kBase, kBase + "objects/",
        kBase + "manifest/", std::string("/local/none/"), kBase + "objects/?limit=0"}) {
    EXPECT_EQ(get(path).header("Content-Type"), kType) << path;
  }
}

TEST_F(Taxii, T15_AcceptIsReadAsHttpReadsIt) {
  for (const char* good :
       {"application/taxii+json;version=2.1", "application/taxii+json", "Application/TAXII+JSON ; VERSION = 2.1",
        "application/taxii+json;version=\"2.1\"", "text/html, application/taxii+json;version=2.1;q=0.5",
        "application/taxii+json; version=2.1; charset=utf-8",
        "application/taxii+json;version=2.0, application/taxii+json;version=2.1", "*/*", "application/*",
        "application/json", "", "application/json, text/plain, */*",
        "application/taxii+json;version=2.1, application/stix+json;version=2.1"}) {
    EXPECT_EQ(ask("GET", "/taxii2/", {{"Accept", good}}).status, 200) << good;
  }
  EXPECT_EQ(ask("GET", "/taxii2/", {}).status, 200);  // T16
  EXPECT_EQ(ask("GET", "/taxii2/", {{"Accept", "text/html"}, {"accept", "application/taxii+json"}}).status, 200);
}

TEST_F(Taxii, T16_OtherRangesAre406) {
  for (const char* bad :
       {"application/taxii+json;version=2.0", "application/vnd.oasis.taxii+json; version=2.0", "text/html",
        "application/taxii+json;version=2.1;q=0", "application/taxii+json;q=0.000, */*", "nonsense", "*/*;q=0"}) {
    EXPECT_EQ(ask("GET", "/taxii2/", {{"Accept", bad}}).status, 406) << bad;
  }
}

TEST_F(Taxii, T15_ContentTypeOfPosts) {
  for (const char* good : {"application/taxii+json", "application/taxii+json;version=2.1",
                           "application/taxii+json; version=2.1", "APPLICATION/taxii+json; charset=utf-8"}) {
    EXPECT_EQ(post(kBase + "objects/", R"({"objects":[]})", good).status, 202) << good;
  }
  for (const char* bad : {"", "text/plain", "application/taxii+json;version=2.0", "application/json"}) {
    EXPECT_EQ(post(kBase + "objects/", R"({"objects":[]})", bad).status, 415) << bad;
  }
}

TEST_F(Taxii, T20_EmptyResultsHaveNoEmptyLists) {
  for (const std::string& path : {kBase + "objects/", kBase + "manifest/"}) {
    const auto r = get(path);
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.body.find('['), std::string::npos);
    EXPECT_GT(r.body.size(), 3u);  // R1b
    EXPECT_EQ(doc(r).root().get_object().size(), 0u);
  }
  backend_.no_collections = true;
  EXPECT_EQ(doc(get("/local/collections/")).root().get_object().size(), 0u);
  backend_.no_roots = true;
  EXPECT_FALSE(json::find_array(doc(get("/taxii2/")).root(), "api_roots"));
}

TEST_F(Taxii, T23_SlashlessFormsAreServed) {
  backend_.put(MemoryBackend::indicator(1));
  for (const std::string& path :
       {std::string("/taxii2"), std::string("/local"), std::string("/local/collections"),
        kBase.substr(0, kBase.size() - 1), kBase + "objects", kBase + "manifest", kBase + "objects?limit=1"}) {
    EXPECT_EQ(get(path).status, 200) << path;
  }
  for (const char* path : {"/taxii2x/", "/localx", "/local/collections//objects/", "/local/x/", "/agreements/a-b/",
                           "/local/collections/%/", "/local/a/b/c/d/e/f/g/"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
}

TEST_F(Taxii, T26_DefaultIsOneOfTheRoots) {
  const auto d = doc(get("/taxii2/"));
  EXPECT_EQ(json::find_string(d.root(), "title"), "Test");
  const auto roots = json::string_list(json::find_array(d.root(), "api_roots"));
  ASSERT_EQ(roots.size(), 1u);
  EXPECT_EQ(json::find_string(d.root(), "default"), roots[0]);
}

TEST_F(Taxii, T28_ApiRoot) {
  const auto d = doc(get("/local/"));
  EXPECT_EQ(json::string_list(json::find_array(d.root(), "versions")), std::vector<std::string_view>{kType});
  EXPECT_GT(json::find_int(d.root(), "max_content_length").value_or(0), 0);
}

TEST_F(Taxii, T29_LengthLimitIsExact) {
  std::string body = R"({"objects":[]})";
  body.resize(1000, ' ');
  backend_.max_content = 1000;
  EXPECT_EQ(post(kBase + "objects/", body).status, 202);
  EXPECT_EQ(post(kBase + "objects/", body + " ").status, 413);
}

TEST_F(Taxii, T32_RightsAreBooleansOfTheCaller) {
  const auto d = doc(get("/local/collections/"));
  const auto list = json::find_array(d.root(), "collections");
  ASSERT_TRUE(list);
  for (const auto c : *list) {
    EXPECT_TRUE(json::find_bool(c, "can_read"));
    EXPECT_TRUE(json::find_bool(c, "can_write"));
    EXPECT_TRUE(json::find_string(c, "title"));
  }
  EXPECT_EQ(json::find_string(doc(get(kBase)).root(), "id"), MemoryBackend::kCollection);
}

TEST_F(Taxii, T34_AliasWorksEverywhere) {
  backend_.put(MemoryBackend::indicator(1));
  const std::string id = "indicator--00000000-0000-4000-8000-000000000001/";
  for (const std::string& tail : {std::string(""), std::string("manifest/"), std::string("objects/"), "objects/" + id,
                                  "objects/" + id + "versions/"}) {
    EXPECT_EQ(get("/local/collections/main/" + tail).body, get(kBase + tail).body) << tail;
    EXPECT_EQ(get("/local/collections/main/" + tail).status, 200) << tail;
  }
  EXPECT_EQ(post("/local/collections/main/objects/", R"({"objects":[]})").status, 202);
}

TEST_F(Taxii, T35_NoReadingWithoutCanRead) {
  const std::string drop = std::string("/local/collections/") + MemoryBackend::kWriteOnly + "/";
  const std::string id = "objects/indicator--00000000-0000-4000-8000-000000000001/";
  for (const std::string& tail : {std::string("manifest/"), std::string("objects/"), id, id + "versions/"})
    EXPECT_EQ(get(drop + tail).status, 403);
  EXPECT_EQ(post(drop + "objects/", R"({"objects":[]})").status, 202);
  EXPECT_EQ(
      post(std::string("/local/collections/") + MemoryBackend::kReadOnly + "/objects/", R"({"objects":[]})").status,
      403);
}

TEST_F(Taxii, T38_DateHeadersAreThoseOfThePage) {
  const Time a = backend_.put(MemoryBackend::indicator(1));
  const Time b = backend_.put(MemoryBackend::indicator(2));
  backend_.put(MemoryBackend::indicator(3));
  const std::string object = kBase + "objects/indicator--00000000-0000-4000-8000-000000000002/";
  for (const std::string& path : {kBase + "objects/?limit=2", kBase + "manifest/?limit=2"}) {
    const auto r = get(path);
    EXPECT_EQ(r.header("X-TAXII-Date-Added-First"), to_text(a));
    EXPECT_EQ(r.header("X-TAXII-Date-Added-Last"), to_text(b));
  }
  EXPECT_EQ(get(object).header("X-TAXII-Date-Added-First"), to_text(b));
  EXPECT_EQ(get(object + "versions/").header("X-TAXII-Date-Added-Last"), to_text(b));
  EXPECT_EQ(get("/local/").header("X-TAXII-Date-Added-First"), "");
}

TEST_F(Taxii, T39_EmptyResultEchoesAddedAfterOrNothing) {
  EXPECT_EQ(get(kBase + "objects/").header("X-TAXII-Date-Added-Last"), "");
  const auto r = get(kBase + "objects/?added_after=2026-01-01T00:00:00Z");
  EXPECT_EQ(r.header("X-TAXII-Date-Added-First"), "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(r.header("X-TAXII-Date-Added-Last"), "2026-01-01T00:00:00.000000Z");
}

TEST_F(Taxii, T40_Limit) {
  for (int i = 0; i < 30; ++i) backend_.put(MemoryBackend::indicator(i));
  EXPECT_EQ(ids(get(kBase + "objects/?limit=7")).size(), 7u);
  EXPECT_EQ(ids(get(kBase + "objects/?limit=30")).size(), 30u);
  EXPECT_EQ(next(get(kBase + "objects/?limit=30")), "");
  EXPECT_EQ(ids(get(kBase + "objects/?limit=99999999999999999999999")).size(), 30u);
  for (const char* bad : {"0", "000", "-1", "1.5", "x", "", "+5", " 5", "5&limit=5", "%zz"}) {
    EXPECT_EQ(get(kBase + "objects/?limit=" + bad).status, 400) << bad;
  }
  restart({.cursor_key = {}, .default_limit = 10, .max_limit = 20, .max_wait_ms = 1000, .root_prefixes = {}});
  EXPECT_EQ(ids(get(kBase + "objects/")).size(), 10u);
  EXPECT_EQ(ids(get(kBase + "objects/?limit=1000")).size(), 20u);
}

TEST_F(Taxii, T41_MoreComesWithNextOnObjectsManifestAndVersions) {
  backend_.put(MemoryBackend::indicator(1));
  backend_.put(MemoryBackend::indicator(1, "2026-02-01T00:00:00.000Z"));
  backend_.put(MemoryBackend::indicator(2));
  const std::string object = kBase + "objects/indicator--00000000-0000-4000-8000-000000000001/";
  for (const std::string& path : {kBase + "objects/?limit=1", kBase + "manifest/?limit=1", object + "versions/?limit=1",
                                  object + "?limit=1&match[version]=all"}) {
    const auto d = doc(get(path));
    EXPECT_EQ(json::find_bool(d.root(), "more"), true) << path;
    const auto cursor = json::find_string(d.root(), "next");
    ASSERT_TRUE(cursor) << path;
    const auto second = get(path + "&next=" + std::string(*cursor));
    EXPECT_EQ(second.status, 200) << second.body;
    EXPECT_FALSE(json::find_bool(doc(second).root(), "more")) << path;
  }
}

// T42, T55: pages by next are parts of one answer. Which version is the last is not decided anew on each page.
TEST_F(Taxii, T42_PagesByNextAreOneAnswer) {
  for (const char* month : {"01", "03"})
    backend_.put(MemoryBackend::indicator(1, "2026-" + std::string(month) + "-01T00:00:00.000Z"));
  for (int i = 2; i < 9; ++i) backend_.put(MemoryBackend::indicator(i));
  backend_.put(MemoryBackend::indicator(1, "2026-02-01T00:00:00.000Z"));  // back-filled late
  backend_.put(MemoryBackend::indicator(9));
  for (const char* which : {"last", "first", "all", "first,last"}) {
    const std::string query = kBase + "manifest/?match[version]=" + which;
    const auto whole = ids(get(query));
    for (int limit = 1; limit < 6; ++limit) {
      std::vector<std::string> got;
      std::string cursor;
      do {
        const auto r = get(query + "&limit=" + std::to_string(limit) + (cursor.empty() ? "" : "&next=" + cursor));
        for (const auto& id : ids(r)) got.push_back(id);
        cursor = next(r);
      } while (!cursor.empty());
      EXPECT_EQ(got, whole) << which << " by " << limit;
    }
  }
}

TEST_F(Taxii, AKnownResourceIsNotSentAgain) {
  for (const std::string path : {"/taxii2/", "/local/", "/local/collections/", kBase.c_str()}) {
    const auto first = get(path);
    const std::string tag(first.header("ETag"));
    ASSERT_FALSE(tag.empty()) << path;
    for (const std::string& known : {tag, "\"x\", " + tag, "W/" + tag, std::string("*")}) {
      const auto again = ask("GET", path, {{"If-None-Match", known}});
      EXPECT_EQ(again.status, 304) << known;
      EXPECT_TRUE(again.body.empty());
      EXPECT_EQ(again.header("ETag"), tag);
    }
    EXPECT_EQ(ask("GET", path, {{"If-None-Match", "\"x\""}}).status, 200);
  }
  EXPECT_EQ(ask("GET", "/local/collections/none/", {{"If-None-Match", "*"}}).status, 404);
}

TEST_F(Taxii, RootsAreListedWhereTheClientAsked) {
  const auto roots = [&](const std::string& host) {
    const auto d = doc(ask("GET", "/taxii2/", {{"Host", host}}));
    return std::string(json::find_string(d.root(), "default").value_or(""));
  };
  EXPECT_EQ(roots("taxii.example:8443"), "https://taxii.example:8443/local/");
  EXPECT_EQ(roots("[2001:db8::1]:443"), "https://[2001:db8::1]:443/local/");
  for (const char* odd : {"", "a b", "evil.example/x", "a?b", "a#b", "a@b", "\"", "a\\b"})
    EXPECT_EQ(roots(odd), "/local/") << odd;
  restart({.cursor_key = {}, .public_origin = "https://public.example", .root_prefixes = {}});
  EXPECT_EQ(roots("inside:1"), "https://public.example/local/");
}

TEST_F(Taxii, T76_WhoAsksTooOftenWaitsAndNobodyElse) {
  restart({.cursor_key = {}, .requests_per_second = 0.5, .root_prefixes = {}});  // five at once
  int refused = 0;
  net::Response last;
  for (int i = 0; i < 8; ++i) {
    const auto r = ask("GET", "/taxii2/", {{"Authorization", "greedy"}});
    if (r.status == 429) {
      ++refused;
      last = r;
    }
  }
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(last.header("Retry-After"), "2");
  EXPECT_EQ(ask("GET", "/taxii2/", {{"Authorization", "modest"}}).status, 200);
}

TEST_F(Taxii, T43_ForeignOrGarbledCursorIs400) {
  for (int i = 0; i < 5; ++i) backend_.put(MemoryBackend::indicator(i));
  const std::string cursor = next(get(kBase + "objects/?limit=2"));
  EXPECT_EQ(get(kBase + "objects/?next=" + cursor).status, 200);
  EXPECT_EQ(get(kBase + "manifest/?next=" + cursor).status, 400);
  EXPECT_EQ(get(std::string("/local/collections/") + MemoryBackend::kReadOnly + "/objects/?next=" + cursor).status,
            400);
  for (size_t i = 0; i < cursor.size(); ++i) {
    std::string bad = cursor;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(get(kBase + "objects/?next=" + bad).status, 400) << i;
    EXPECT_EQ(get(kBase + "objects/?next=" + cursor.substr(0, i)).status, i == 0 ? 200 : 400) << i;
  }
}

TEST_F(Taxii, T44_CursorCarriesTheFiltersAndIsRepeatable) {
  for (int i = 0; i < 20; ++i) {
    std::string raw = MemoryBackend::indicator(i);
    if (i % 2 == 1) raw.replace(raw.find("indicator"), 9, "malware-x");
    backend_.put(raw);
  }
  const auto first = get(kBase + "objects/?limit=3&match[type]=indicator");
  const std::string cursor = next(first);
  const auto second = get(kBase + "objects/?limit=3&next=" + cursor);  // R2: filters not repeated
  EXPECT_EQ(ids(second).size(), 3u);
  EXPECT_EQ(second.body.find("malware-x"), std::string::npos);
  EXPECT_EQ(second.body, get(kBase + "objects/?limit=3&match%5Btype%5D=indicator&next=" + cursor).body);
  EXPECT_EQ(ids(get(kBase + "objects/?limit=1&next=" + cursor)).size(), 1u);
  EXPECT_EQ(get(kBase + "objects/?match[type]=malware-x&next=" + cursor).status, 400);
  EXPECT_EQ(get(kBase + "objects/?match[version]=all&next=" + cursor).status, 400);
  EXPECT_EQ(get(kBase + "objects/?match[version]=last&next=" + cursor).status, 200);
  EXPECT_EQ(get(kBase + "objects/?added_after=2000-01-01T00:00:00Z&next=" + cursor).status, 200);
}

TEST_F(Taxii, T46_AddedAfter) {
  const Time t = backend_.put(MemoryBackend::indicator(1));
  backend_.put(MemoryBackend::indicator(2));
  const std::string text = to_text(t);
  EXPECT_EQ(ids(get(kBase + "objects/?added_after=" + text)).size(), 1u);
  const std::string bare = text.substr(0, text.size() - 1);
  for (const std::string& same : {bare + "999Z", bare + "%2B00:00", bare + "+00:00", bare + "%2000:00"}) {
    EXPECT_EQ(ids(get(kBase + "objects/?added_after=" + same)).size(), 1u) << same;
  }
  for (const char* bad :
       {"", "yesterday", "2026-02-30T00:00:00Z", "2026-01-01", "1", "2026-01-01T00:00:00Z,2026-01-02T00:00:00Z",
        "2026-01-01T00:00:00Z&added_after=2026-01-01T00:00:00Z"}) {
    EXPECT_EQ(get(kBase + "objects/?added_after=" + bad).status, 400) << bad;
  }
}

TEST_F(Taxii, T48_MalformedFiltersAre400) {
  for (const char* bad : {"match[type]=", "match[type]=a,,b", "match[type]=a,%20b", "match[type]=a&match[type]=b",
                          "match%5Btype%5D=a&match[type]=b", "match[id]=,", "match[version]=all,last",
                          "match[version]=last,last", "match[version]=soon",
                          "match[version]=2026-01-01T00:00:01Z,2026-01-01T00:00:01.000Z", "match[spec_version]="}) {
    EXPECT_EQ(get(kBase + "objects/?" + bad).status, 400) << bad;
  }
}

TEST_F(Taxii, T49_UnknownParametersAreIgnored) {
  backend_.put(MemoryBackend::indicator(1));
  EXPECT_EQ(ids(get(kBase + "objects/?match[confidence]=high&colour=red&match[confidence]=low")).size(), 1u);
}

TEST_F(Taxii, T53_VersionFilters) {
  for (const char* v : {"2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"})
    backend_.put(MemoryBackend::indicator(1, v));
  const auto count = [&](const std::string& f) { return ids(get(kBase + "objects/?match[version]=" + f)).size(); };
  EXPECT_EQ(ids(get(kBase + "objects/")).size(), 1u);
  EXPECT_EQ(count("last"), 1u);
  EXPECT_EQ(count("first,last"), 2u);
  EXPECT_EQ(count("all"), 3u);
  EXPECT_EQ(count("first,2026-01-01T00:00:00Z"), 1u);  // T54: an instant, however written
  EXPECT_EQ(count("2026-02-01T00:00:00Z,2026-03-01T00:00:00.000000Z"), 2u);
  EXPECT_EQ(count("2027-02-01T00:00:00Z"), 0u);
}

TEST_F(Taxii, T55_LastIsByVersionNotByDateAdded) {
  backend_.put(MemoryBackend::indicator(1, "2026-03-01T00:00:00.000Z"));
  backend_.put(MemoryBackend::indicator(1, "2026-01-01T00:00:00.000Z"));
  EXPECT_THAT(get(kBase + "objects/").body, HasSubstr("2026-03-01"));
}

TEST_F(Taxii, T57_ManifestFiltersLookAtTheObject) {
  backend_.put(MemoryBackend::indicator(1));
  EXPECT_EQ(ids(get(kBase + "manifest/?match[type]=indicator")).size(), 1u);
  EXPECT_EQ(ids(get(kBase + "manifest/?match[type]=malware")).size(), 0u);
}

TEST_F(Taxii, T58_ManifestRecord) {
  const Time t = backend_.put(MemoryBackend::indicator(1));
  const auto d = doc(get(kBase + "manifest/"));
  const auto record = json::find_array(d.root(), "objects")->at(0).value();
  EXPECT_EQ(json::find_string(record, "date_added"), to_text(t));
  EXPECT_EQ(json::find_string(record, "version"), "2026-01-01T00:00:00.000Z");  // T22: echoed as received
  EXPECT_EQ(json::find_string(record, "media_type"), "application/stix+json;version=2.1");
}

TEST_F(Taxii, T59_VersionsListsAll) {
  backend_.put(MemoryBackend::indicator(1, "2026-03-01T00:00:00.000Z"));
  backend_.put(MemoryBackend::indicator(1, "2026-01-01T00:00:00.000Z"));
  const auto r = get(kBase + "objects/indicator--00000000-0000-4000-8000-000000000001/versions/");
  EXPECT_EQ(r.body, R"({"versions":["2026-03-01T00:00:00.000Z","2026-01-01T00:00:00.000Z"]})");
}

TEST_F(Taxii, T60_ObjectById) {
  backend_.put(MemoryBackend::indicator(1));
  const std::string path = kBase + "objects/indicator--00000000-0000-4000-8000-000000000001/";
  EXPECT_EQ(ids(get(path)).size(), 1u);
  EXPECT_EQ(get(kBase + "objects/indicator--00000000-0000-4000-8000-000000000009/").status, 404);
  const auto excluded = get(path + "?match[version]=2030-01-01T00:00:00Z");
  EXPECT_EQ(excluded.status, 200);
  EXPECT_TRUE(ids(excluded).empty());
}

TEST_F(Taxii, T62_T63_PostAnswers202WithStatus) {
  const auto r = post(kBase + "objects/", R"({"objects":[)" + MemoryBackend::indicator(1) + R"(,{"type":"x"}]})");
  EXPECT_EQ(r.status, 202);
  const auto d = doc(r);
  for (const char* count : {"total_count", "success_count", "failure_count", "pending_count"})
    EXPECT_TRUE(json::find_int(d.root(), count)) << count;
  EXPECT_EQ(json::find_int(d.root(), "total_count"), 2);
  EXPECT_EQ(json::find_array(d.root(), "successes")->size(), 1u);
  EXPECT_EQ(json::find_array(d.root(), "failures")->size(), 1u);
  EXPECT_FALSE(json::find_array(d.root(), "pendings"));
  const auto detail = json::find_array(d.root(), "failures")->at(0).value();
  EXPECT_TRUE(json::find_string(detail, "id"));
  EXPECT_NE(json::find_string(detail, "version").value_or(""), "");
}

TEST_F(Taxii, T67_WhatIsNoEnvelopeIs422) {
  EXPECT_EQ(post(kBase + "objects/", "not json").status, 422);
  EXPECT_EQ(post(kBase + "objects/", "").status, 422);
}

TEST_F(Taxii, T69_StatusIsOnlyForItsSubmitter) {
  const auto r = ask("POST", kBase + "objects/", {{"Accept", kType}, {"Content-Type", kType}, {"Authorization", "a"}},
                     R"({"objects":[]})");
  const std::string path = "/local/status/" + std::string(json::find_string(doc(r).root(), "id").value_or("")) + "/";
  EXPECT_EQ(ask("GET", path, {{"Authorization", "a"}}).status, 200);
  EXPECT_EQ(ask("GET", path, {{"Authorization", "b"}}).status, 404);
  EXPECT_EQ(get("/local/status/nothing/").status, 404);
}

TEST_F(Taxii, T70_DeleteRights) {
  backend_.put(MemoryBackend::indicator(1));
  const auto at = [](const char* collection) {
    return std::string("/local/collections/") + collection +
           "/objects/indicator--00000000-0000-4000-8000-000000000001/";
  };
  EXPECT_EQ(ask("DELETE", at(MemoryBackend::kClosed)).status, 404);
  EXPECT_EQ(ask("DELETE", at(MemoryBackend::kReadOnly)).status, 403);
  EXPECT_EQ(ask("DELETE", at(MemoryBackend::kWriteOnly)).status, 403);
  const auto done = ask("DELETE", at(MemoryBackend::kCollection));
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.body, "");  // T73
  EXPECT_EQ(done.header("Content-Type"), kType);
  EXPECT_EQ(get(at(MemoryBackend::kCollection)).status, 404);  // T72
  EXPECT_EQ(ask("DELETE", at(MemoryBackend::kCollection)).status, 404);
}

TEST_F(Taxii, T71_DeleteTakesTheLastVersionUnlessTold) {
  backend_.put(MemoryBackend::indicator(1, "2026-01-01T00:00:00.000Z"));
  backend_.put(MemoryBackend::indicator(1, "2026-02-01T00:00:00.000Z"));
  const std::string path = kBase + "objects/indicator--00000000-0000-4000-8000-000000000001/";
  EXPECT_EQ(ask("DELETE", path).status, 200);
  EXPECT_THAT(get(path).body, HasSubstr("2026-01-01"));
  EXPECT_EQ(ask("DELETE", path + "?match[version]=all").status, 200);
  EXPECT_EQ(get(path).status, 404);
}

TEST_F(Taxii, T74_ErrorResource) {
  const auto r = get("/local/nothing/");
  const auto d = doc(r);
  EXPECT_TRUE(json::find_string(d.root(), "title"));
  EXPECT_EQ(json::find_string(d.root(), "http_status"), "404");
}

TEST_F(Taxii, PreferWaitHoldsAnEmptyPageUntilSomethingComes) {
  const Time t = backend_.put(MemoryBackend::indicator(1));
  std::thread adder([&] {
    while (backend_.waiting() == 0) std::this_thread::sleep_for(1ms);
    backend_.put(MemoryBackend::indicator(2));
  });
  const auto r = ask("GET", kBase + "objects/?added_after=" + to_text(t), {{"Prefer", "respond-async, wait=20"}});
  adder.join();
  EXPECT_EQ(ids(r).size(), 1u);
  EXPECT_EQ(r.header("Preference-Applied"), "wait=20");
  EXPECT_EQ(backend_.last_wait_ms, 20'000);
  // What is there is given at once; a time-out gives the empty page; no preference, no waiting.
  EXPECT_EQ(ids(ask("GET", kBase + "objects/", {{"Prefer", "wait=20"}})).size(), 2u);
  std::thread clock([&] {
    while (backend_.waiting() == 0) std::this_thread::sleep_for(1ms);
    backend_.time_out();
  });
  EXPECT_TRUE(ids(ask("GET", kBase + "objects/?added_after=2090-01-01T00:00:00Z", {{"Prefer", "wait=86400"}})).empty());
  clock.join();
  EXPECT_EQ(backend_.last_wait_ms, 60'000);  // never longer than the server allows
  EXPECT_TRUE(ids(ask("GET", kBase + "objects/?added_after=2090-01-01T00:00:00Z", {{"Prefer", "wait=soon"}})).empty());
}

TEST_F(Taxii, HostileQueriesDoNotHurt) {
  backend_.put(MemoryBackend::indicator(1));
  for (const std::string& q :
       {std::string("%00"), std::string("match[id]=%00%ff"), std::string(8000, '&'), std::string(8000, '='),
        "match[id]=" + std::string(8000, ','), std::string("next=%F0%28%8C%28"), std::string("match[type]=%ff%fe"),
        std::string("added_after=99999-01-01T00:00:00Z")}) {
    const int status = get(kBase + "objects/?" + q).status;
    EXPECT_TRUE(status == 200 || status == 400) << q.substr(0, 40) << " " << status;
  }
}

}  // namespace
}  // namespace entente::taxii
