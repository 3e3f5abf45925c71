// An object's text is destroyed: no file of the node holds an octet of it, and the log still replays to the same
// tables.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "json/json.h"
#include "store/store.h"

namespace entente::store {
namespace {

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/entente-destroy-XXXXXX";
    path = mkdtemp(name);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  [[nodiscard]] std::vector<std::string> files_with(const std::string& octets) const {
    std::vector<std::string> out;
    for (const auto& e : std::filesystem::recursive_directory_iterator(path)) {
      if (!e.is_regular_file()) continue;
      std::ifstream in(e.path(), std::ios::binary);
      const std::string all((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      if (all.find(octets) != std::string::npos) out.push_back(e.path().filename());
    }
    return out;
  }
};

struct Node {
  Store store;
  std::unique_ptr<log::Log> log;
  explicit Node(const std::string& dir, Clock& clock, Metrics& metrics) {
    auto opened = log::open_rocks({dir}, store, clock, metrics);
    EXPECT_TRUE(opened.ok());
    log = std::move(*opened);
    store.attach(*log);
  }
  std::vector<std::string> check() {
    Store fresh;
    auto findings = log->check(fresh, nullptr);
    EXPECT_TRUE(findings.ok());
    return *findings;
  }
};

std::string object(const std::string& id, const std::string& secret) {
  return R"({"type":"note","spec_version":"2.1","id":"note--)" + id +
         R"(","created":"2027-01-01T00:00:00Z","modified":"2027-01-01T00:00:00Z","content":")" + secret + R"("})";
}

void add(Node& node, const Uuid& collection, const std::string& text) {
  const auto doc = json::parse(text);
  const auto summary = stix::summarize(doc->root());
  ASSERT_TRUE(summary.ok());
  Change change;
  change.add(collection, *summary, text);
  ASSERT_TRUE(node.store.commit_wait(std::move(change)).ok());
}

TEST(Destroy, LeavesNoOctetInAnyFileAndTheLogReplaysToTheSameTables) {
  const Folder folder;
  SystemClock clock;
  Metrics metrics;
  const Uuid c = random_uuid(), d = random_uuid();
  const std::string secret = hex(random_bytes(40)), other = hex(random_bytes(40));
  const std::string id = "note--11111111-1111-4111-8111-111111111111";
  {
    Node node(folder.path, clock, metrics);
    add(node, c, object(id.substr(6), secret));
    add(node, c, object("22222222-2222-4222-8222-222222222222", other));
    ASSERT_TRUE(node.store.scrub(1, 2).ok());
  }
  Node node(folder.path, clock, metrics);
  const auto rows = node.store.find(c, id);
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 1U);
  ASSERT_FALSE(folder.files_with(secret).empty()) << "the test would see nothing";
  Change change;
  change.share(d, rows->front());
  ASSERT_TRUE(node.store.commit_wait(std::move(change)).ok());
  Change gone;
  gone.destroy(rows->front());
  gone.remove(c, id, rows->front().version);
  ASSERT_TRUE(node.store.commit_wait(std::move(gone)).ok());
  ASSERT_TRUE(node.store.scrub(rows->front().item.seq, rows->front().item.seq).ok());
  EXPECT_THAT(folder.files_with(secret), testing::IsEmpty());
  EXPECT_FALSE(folder.files_with(other).empty());
  EXPECT_THAT(node.check(), testing::IsEmpty());
  // Where it was shown to others there is a row without text.
  const auto shown = node.store.find(d, id);
  ASSERT_TRUE(shown.ok());
  ASSERT_EQ(shown->size(), 1U);
  const auto raw = node.store.raw(shown->front());
  ASSERT_FALSE(raw.ok());
  EXPECT_EQ(raw.error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(node.store.find(c, id)->empty());
}

TEST(Destroy, OfWhatIsNotInTheLogIsRefused) {
  const Folder folder;
  SystemClock clock;
  Metrics metrics;
  Node node(folder.path, clock, metrics);
  Row row;
  row.item = {7, 0};
  Change change;
  change.destroy(row);
  EXPECT_FALSE(node.store.commit_wait(std::move(change)).ok());
  EXPECT_EQ(node.store.last_seq(), 0U);
}

}  // namespace
}  // namespace entente::store
