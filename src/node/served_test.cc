#include "node/internal/served.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace entente::node {
namespace {

TEST(Served, EndpointsAreFew) {
  const std::pair<const char*, const char*> cases[] = {
      {"/taxii2/", "discovery"},
      {"/taxii2", "discovery"},
      {"/local/", "root"},
      {"/agreements/in-jp-cyber/", "root"},
      {"/local/status/1/", "status"},
      {"/local/collections/", "collections"},
      {"/local/collections/x", "collection"},
      {"/local/collections/x/manifest/", "manifest"},
      {"/agreements/a/collections/x/objects", "objects"},
      {"/local/collections/x/objects/indicator--1/", "object"},
      {"/local/collections/x/objects/indicator--1/versions/", "versions"},
      {"/local/collections/x/objects/a/b/c/", "object"},
      {"/local/collectionsx", "other"},
      {"/local/collections/x/nothing/", "other"},
      {"/api/v1/status", "api"},
      {"/ledger/x/checkpoint", "ledger"},
      {"/metrics", "metrics"},
      {"/healthz", "health"},
      {"/whatever/the/caller/likes", "other"},
      {"*", "other"},
      {"", "other"},
  };
  for (const auto& [path, endpoint] : cases) EXPECT_EQ(endpoint_of(path), endpoint) << path;
}

TEST(Served, ALineIsOneLineWhateverIsAsked) {
  net::Served s{.method = "GET", .path = "/a\"b\nc", .remote = "127.0.0.1:1", .peer_spki = std::string(64, 'a')};
  s.who = "person admin x";
  s.version = 20;
  s.status = 404;
  const std::string line = access_line(s, Time{1'700'000'000'000'000});
  EXPECT_EQ(
      line,
      "{\"time\":\"2023-11-14T22:13:20.000000Z\",\"peer\":\"127.0.0.1:1\",\"key\":\"aaaaaaaaaaaaaaaa\",\"who\":"
      "\"person "
      "admin x\",\"method\":\"GET\",\"path\":\"/a\\\"b\\nc\",\"http\":\"2\",\"status\":404,\"octets\":0,\"us\":0}\n");
}

TEST(Served, ALogThatWasMovedAwayIsBegunAnew) {
  const auto dir = std::filesystem::temp_directory_path() / ("entente-served-" + std::to_string(getpid()));
  std::filesystem::create_directory(dir);
  const auto read = [&](const char* name) {
    std::ifstream in(dir / name);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  };
  auto log = AccessLog::open(dir / "access.log");
  ASSERT_TRUE(log.ok());
  (*log)->write("one\n");
  std::filesystem::rename(dir / "access.log", dir / "access.log.1");
  (*log)->write("two\n");
  ASSERT_TRUE((*log)->reopen().ok());
  (*log)->write("three\n");
  EXPECT_EQ(read("access.log.1"), "one\ntwo\n");
  EXPECT_EQ(read("access.log"), "three\n");
  EXPECT_FALSE(AccessLog::open(dir / "no" / "such" / "folder").ok());
  auto none = AccessLog::open("");
  ASSERT_TRUE(none.ok());
  (*none)->write("nowhere\n");
  std::filesystem::remove_all(dir);
}

TEST(Served, FiguresPerEndpoint) {
  Metrics metrics;
  net::Served s{.path = "/local/collections/x/objects/"};
  s.status = 200;
  s.duration_us = 100;
  count(metrics, s);
  count(metrics, s);
  s.status = 404;
  count(metrics, s);
  const std::string text = metrics.prometheus();
  EXPECT_NE(text.find("entente_http_endpoint_answers_total{endpoint=\"objects\",code=\"2xx\"} 2"), text.npos) << text;
  EXPECT_NE(text.find("entente_http_endpoint_answers_total{endpoint=\"objects\",code=\"4xx\"} 1"), text.npos);
  EXPECT_NE(text.find("entente_http_endpoint_seconds_count{endpoint=\"objects\"} 3"), text.npos);
}

}  // namespace
}  // namespace entente::node
