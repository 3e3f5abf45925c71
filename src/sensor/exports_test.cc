#include "sensor/exports.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "json/json.h"
#include "sensor/world_for_test.h"

namespace entente::sensor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

// A world whose leases are exported. Names are leased as they come, as with a zone.
struct Exporting : World {
  explicit Exporting(ExportsOptions o = options(), std::string token = "") {
    core->use_names(names);
    ready();
    auto made = Exports::start(std::move(o), std::move(token), *core, clock, files);
    EXPECT_TRUE(made.ok()) << made.error().text();
    exports = std::move(*made);
  }
  static ExportsOptions options() {
    ExportsOptions o;
    for (const char* form : {"text", "csv", "zeek", "suricata", "rpz", "nft"})
      o.forms.push_back(*parse_export_wish(form));
    o.dir = "/out";
    return o;
  }
  std::string file(const std::string& name) {
    const auto text = files.read("/out/" + name);
    return text.ok() ? *text : "";
  }
  bool within(const std::function<bool()>& fn) {
    for (int i = 0; i < 300; ++i) {
      if (fn()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
  net::Response get(const std::string& path, net::Headers headers = {}) {
    net::Request r;
    r.path = path;
    r.headers = std::move(headers);
    return exports->answer(r);
  }
  ExportedNames names;
  std::unique_ptr<Exports> exports;
};

TEST(Exports, ALeaseIsInEveryFileAndGoesWithARecall) {
  Exporting w;
  EXPECT_EQ(w.file("addresses.txt"), "# entente: 0 entries\n");
  w.page({Sample{}.text(), Sample{.number = 2, .pattern = "[domain-name:value = 'evil.example']"}.text()});
  ASSERT_TRUE(w.within([&] { return w.file("addresses.txt") == "# entente: 1 entries\n198.51.100.7\n"; }));
  ASSERT_TRUE(w.within([&] { return w.file("manifest.json").find("\"entries\": 2") != std::string::npos; }));
  EXPECT_EQ(w.file("names.txt"), "# entente: 1 entries\nevil.example\n");
  EXPECT_THAT(w.file("leases.csv"), HasSubstr("198.51.100.7,address,drop,JP,"));
  EXPECT_THAT(w.file("entente.intel"), HasSubstr("evil.example\tIntel::DOMAIN\tentente-JP\tshared by JP"));
  EXPECT_THAT(w.file("rpz.zone"), HasSubstr("evil.example CNAME ."));
  EXPECT_THAT(w.file("entente.nft"), HasSubstr("198.51.100.7 timeout "));
  // What protects stands in the packet filter as well.
  EXPECT_THAT(w.file("entente.nft"), HasSubstr("203.0.113.53"));
  w.page({Sample{.version = 2, .revoked = true}.text()});
  ASSERT_TRUE(w.within([&] { return w.file("addresses.txt") == "# entente: 0 entries\n"; }));
  EXPECT_EQ(w.file("names.txt"), "# entente: 1 entries\nevil.example\n");
}

TEST(Exports, WhatTheGuardRefusesIsInNoFile) {
  Exporting w;
  w.page(
      {Sample{.number = 3, .pattern = "[ipv4-addr:value = '203.0.113.53']"}.text(), Sample{}.text(),
       Sample{.number = 4, .pattern = "[ipv4-addr:value = '198.51.100.8']", .marking = std::string(kPapAmber)}.text()});
  ASSERT_TRUE(w.within([&] { return w.file("addresses.txt").find("198.51.100.7") != std::string::npos; }));
  EXPECT_THAT(w.file("leases.csv"), Not(HasSubstr("203.0.113.53")));
  EXPECT_THAT(w.file("leases.csv"), Not(HasSubstr("198.51.100.8")));  // counts only
}

TEST(Exports, WhatIsProtectedLaterGoesFromEveryFile) {
  Exporting w;
  w.page({Sample{}.text()});
  ASSERT_TRUE(w.within([&] { return w.file("addresses.txt").find("198.51.100.7") != std::string::npos; }));
  w.core->protect(*enforce::parse_target("198.51.100.0/24"), "a person");
  EXPECT_TRUE(w.within([&] { return w.file("addresses.txt").find("198.51.100.7") == std::string::npos; }));
}

TEST(Exports, WhoHasTheFileIsToldThatNothingChanged) {
  Exporting w;
  const auto first = w.get("/addresses.txt");
  ASSERT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "# entente: 0 entries\n");
  const std::string etag(first.header("ETag"));
  const auto again = w.get("/addresses.txt", {{"If-None-Match", "\"other\", W/" + etag}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.body, "");
  EXPECT_EQ(again.header("ETag"), etag);
  w.page({Sample{}.text()});
  ASSERT_TRUE(w.within([&] { return w.get("/addresses.txt", {{"If-None-Match", etag}}).status == 200; }));
  EXPECT_EQ(w.get("/nothing").status, 404);
  EXPECT_EQ(w.get("/../state/leases.jsonl").status, 404);
  net::Request put;
  put.method = "PUT";
  put.path = "/addresses.txt";
  EXPECT_EQ(w.exports->answer(put).status, 405);
}

TEST(Exports, WithoutTheTokenNothingIsRead) {
  Exporting w(Exporting::options(), "secret");
  EXPECT_EQ(w.get("/addresses.txt").status, 401);
  EXPECT_EQ(w.get("/addresses.txt", {{"Authorization", "Bearer secreT"}}).status, 401);
  EXPECT_EQ(w.get("/addresses.txt", {{"Authorization", "Bearer secret"}}).status, 200);
  EXPECT_EQ(w.get("/addresses.txt", {{"Authorization", "Basic " + base64("anybody:secret")}}).status, 200);
  EXPECT_EQ(w.get("/addresses.txt", {{"Authorization", "Basic " + base64("secret")}}).status, 401);
}

TEST(Exports, OverPlainHttpOnlyOnLoopbackAndElsewhereOnlyWithAToken) {
  World w;
  ExportsOptions o = Exporting::options();
  o.listen = "0.0.0.0:0";
  const auto plain = Exports::start(o, "secret", *w.core, w.clock, w.files);
  ASSERT_FALSE(plain.ok());
  EXPECT_THAT(plain.error().text(), HasSubstr("plain HTTP"));
  o.cert_file = "/tls.crt";
  const auto open = Exports::start(o, "", *w.core, w.clock, w.files);
  ASSERT_FALSE(open.ok());
  EXPECT_THAT(open.error().text(), HasSubstr("token_file"));
}

TEST(Exports, AFullExportSaysWhatItLeftOut) {
  ExportsOptions o = Exporting::options();
  o.forms = {*parse_export_wish("text:2")};
  Exporting w(std::move(o));
  std::vector<std::string> page;
  for (int i = 1; i <= 5; ++i)
    page.push_back(Sample{.number = i, .pattern = "[ipv4-addr:value = '198.51.100." + std::to_string(i) + "']"}.text());
  w.page(page);
  ASSERT_TRUE(w.within([&] { return w.file("manifest.json").find("\"left_out\": 3") != std::string::npos; }));
  EXPECT_THAT(w.file("addresses.txt"), HasSubstr("2 entries; 3 more were left out, this export holds 2"));
  EXPECT_THAT(w.file("manifest.json"), HasSubstr("198.51.100.5"));
  EXPECT_THAT(w.file("text.left-out.csv"), HasSubstr("198.51.100.4,address,drop,JP"));
  // With room again the list of what was left out goes.
  for (int i = 1; i <= 4; ++i)
    w.page({Sample{.number = i,
                   .pattern = "[ipv4-addr:value = '198.51.100." + std::to_string(i) + "']",
                   .version = 2,
                   .revoked = true}
                .text()});
  EXPECT_TRUE(w.within([&] { return !w.files.exists("/out/text.left-out.csv"); }));
  EXPECT_THAT(w.file("addresses.txt"), HasSubstr("1 entries\n198.51.100.5\n"));
}

TEST(Exports, ADiskThatIsFullIsSaidAndSurvivedAndWhatIsServedGoesOn) {
  Exporting w;
  w.files.fail_at(0);
  w.page({Sample{}.text()});
  ASSERT_TRUE(w.within([&] { return w.get("/addresses.txt").body.find("198.51.100.7") != std::string::npos; }));
  ASSERT_TRUE(w.within([&] { return json::write(w.exports->status()).find("\"error\"") != std::string::npos; }));
  w.files.kill();  // there is room again
  w.clock.advance_us(2'000'000);
  EXPECT_TRUE(w.within([&] { return w.file("addresses.txt").find("198.51.100.7") != std::string::npos; }));
  EXPECT_TRUE(w.within([&] { return json::write(w.exports->status()).find("\"error\"") == std::string::npos; }));
}

TEST(Exports, TheManifestSaysUntilWhenToUseTheFilesAndGoesOnSayingIt) {
  Exporting w;
  const auto until = [&] {
    const std::string text = w.file("manifest.json");
    const auto doc = json::parse(text);
    return doc.ok() ? std::string(json::find_string(doc->root(), "use_until").value_or("")) : "";
  };
  const std::string first = until();
  EXPECT_EQ(first, to_text(w.clock.now().plus_us(300'000'000)));
  w.clock.advance_us(20'000'000);
  EXPECT_TRUE(w.within([&] { return until() != first; }));
}

// Fail open for readers that know of no deadline: what is over is in no list, and when it is not known any more what is
// in force, the lists over HTTP are empty.
TEST(Exports, WhatIsOverGoesThoughNobodyEndsItAndAfterTheDeadlineListsAreEmpty) {
  Exporting w;
  w.page({Sample{}.text()});
  const auto listed = [&] { return w.get("/addresses.txt").body.find("198.51.100.7") != std::string::npos; };
  ASSERT_TRUE(w.within(listed));
  w.clock.advance_us(w.config.ttl_us);  // and no tick
  EXPECT_TRUE(w.within([&] { return !listed() && w.file("addresses.txt") == "# entente: 0 entries\n"; }));

  Exporting v;
  v.page({Sample{}.text(), Sample{.number = 2, .pattern = "[domain-name:value = 'evil.example']"}.text()});
  ASSERT_TRUE(v.within([&] { return v.get("/names.txt").body.find("evil") != std::string::npos; }));
  v.exports->stop();  // as if its thread hung
  EXPECT_THAT(v.get("/addresses.txt").body, HasSubstr("198.51.100.7"));
  const std::string etag(v.get("/addresses.txt").header("ETag"));
  v.clock.advance_us(Exporting::options().hold_us + 1'000'000);
  for (const char* name : {"/addresses.txt", "/names.txt", "/leases.csv", "/entente.intel", "/entente-names.lst",
                           "/rpz.zone", "/entente.nft"}) {
    const auto got = v.get(name, {{"If-None-Match", etag}});
    EXPECT_EQ(got.status, 200) << name;
    EXPECT_THAT(got.body, Not(HasSubstr("evil"))) << name;
    EXPECT_THAT(got.body, Not(HasSubstr("198.51.100.7"))) << name;
  }
  EXPECT_EQ(v.get("/addresses.txt").body, "# entente: 0 entries\n");
  EXPECT_THAT(v.get("/manifest.json").body, HasSubstr("use_until"));
}

TEST(Exports, AtStopTheFilesStayUnlessTheConfigurationClearsThem) {
  for (const bool clear : {false, true}) {
    ExportsOptions o = Exporting::options();
    o.clear_at_stop = clear;
    Exporting w(std::move(o));
    w.page({Sample{}.text()});
    ASSERT_TRUE(w.within([&] { return w.file("addresses.txt").find("198.51.100.7") != std::string::npos; }));
    w.exports->stop();
    EXPECT_EQ(w.file("addresses.txt").find("198.51.100.7") == std::string::npos, clear);
  }
}

TEST(Exports, AFormOrCapacityThatIsNoneIsRefused) {
  EXPECT_TRUE(parse_export_wish("nft:20000").ok());
  EXPECT_EQ(parse_export_wish("nft:20000")->capacity, 20000u);
  for (const char* wrong : {"snort", "nft:0", "nft:x", "nft:", "text:99999999"})
    EXPECT_FALSE(parse_export_wish(wrong).ok());
}

}  // namespace
}  // namespace entente::sensor
