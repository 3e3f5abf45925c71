#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ledger/log_test_util.h"

namespace entente::ledger {
namespace {

// One log of several full and partial tiles, also partials of older checkpoints; shared, since every test works on a
// copy of one file.
class AuditTest : public testing::Test {
 protected:
  void SetUp() override {
    auto log = open_test_log(files_).value();
    for (const uint64_t n : {5u, 600u, 20u, 3u}) ASSERT_TRUE(log->append(test_entries(log->size(), n)).ok());
    ASSERT_TRUE(audit_test_log(files_).ok) << audit_test_log(files_).problem;
  }
  // Puts `bytes` into a file for the time of one audit.
  AuditReport with(const std::string& path, const std::string& bytes) {
    Files& f = files_;
    const std::string before = f.read(path).value();
    EXPECT_TRUE(f.write_atomic(path, bytes).ok());
    auto report = audit_test_log(files_);
    EXPECT_TRUE(f.write_atomic(path, before).ok());
    return report;
  }
  // Which entry an octet of a bundle belongs to (with its length before it).
  static uint64_t entry_at(const std::string& path, size_t offset) {
    const size_t slash = path.find("/tile/entries/") + 14;
    uint64_t i = std::stoull(path.substr(slash, 3)) * 256;
    for (size_t end = 2 + test_entry(i).size(); offset >= end; end += 2 + test_entry(i).size()) ++i;
    return i;
  }
  MemFiles files_;
};

TEST_F(AuditTest, AnyAlteredOctetOfAnyFileIsFoundAndItsEntryNamed) {
  const auto paths = files_below(files_, kTestDir);
  ASSERT_GT(paths.size(), 10u);
  unsigned state = 12345;
  for (const auto& path : paths) {
    const std::string bytes = files_.read(path).value();
    // Every octet of a small file, a sample of the larger ones; the flipped bits vary.
    const size_t step = bytes.size() < 400 ? 1 : bytes.size() / 150;
    for (size_t at = 0; at < bytes.size(); at += step) {
      state = state * 1664525 + 1013904223;
      std::string bad = bytes;
      bad[at] = static_cast<char>(bad[at] ^ (1 + (state >> 16) % 255));
      const auto report = with(path, bad);
      ASSERT_FALSE(report.ok) << path << " octet " << at;
      ASSERT_FALSE(report.problem.empty());
      if (path.find("/tile/entries/") != std::string::npos) {
        ASSERT_TRUE(report.bad_entry) << path << " octet " << at << ": " << report.problem;
        ASSERT_EQ(*report.bad_entry, entry_at(path, at)) << path << " octet " << at << ": " << report.problem;
      } else {
        ASSERT_FALSE(report.bad_entry) << path << " octet " << at << ": " << report.problem;
      }
    }
  }
}

TEST_F(AuditTest, ShortenedLengthenedAndMissingFilesAreFound) {
  for (const auto& path : files_below(files_, kTestDir)) {
    const std::string bytes = files_.read(path).value();
    EXPECT_FALSE(with(path, bytes.substr(0, bytes.size() - 1)).ok) << path;
    EXPECT_FALSE(with(path, bytes + "x").ok) << path;
    EXPECT_FALSE(with(path, "").ok) << path;
    if (path.find(".p/") != std::string::npos && path.find("/tile/1/") == std::string::npos && !path.ends_with("/116"))
      continue;
    Files& f = files_;
    ASSERT_TRUE(f.remove(path).ok());
    EXPECT_FALSE(audit_test_log(files_).ok) << path;
    ASSERT_TRUE(f.write_atomic(path, bytes).ok());
  }
  EXPECT_TRUE(audit_test_log(files_).ok);
}

// Whoever owns the disk but not the key: exchanges an entry and makes all hashes above fit.
TEST_F(AuditTest, AnEntryExchangedTogetherWithItsHashesIsFound) {
  MemFiles forged;
  Files& f = forged;
  auto log = open_test_log(forged).value();
  auto entries = test_entries(0, 628);
  entries[300] = "forged";
  ASSERT_TRUE(log->append(entries).ok());
  ASSERT_TRUE(f.write_atomic(kTestDir + "/checkpoint", files_.read(kTestDir + "/checkpoint").value()).ok());
  EXPECT_FALSE(audit_test_log(forged).ok);
  // Only the bundle and its own tile, so that the level above still tells where.
  for (const char* name : {"/tile/entries/001", "/tile/0/001"})
    ASSERT_TRUE(static_cast<Files&>(files_).write_atomic(kTestDir + name, forged.read(kTestDir + name).value()).ok());
  const auto report = audit_test_log(files_);
  EXPECT_FALSE(report.ok);
  EXPECT_EQ(report.bad_entry, 256u) << report.problem;
}

TEST_F(AuditTest, OtherKeyOrOriginFails) {
  EXPECT_FALSE(audit(files_, kTestDir, kTestOrigin, SecretKey::generate().public_key()).ok);
  EXPECT_FALSE(audit(files_, kTestDir, "entente/other", test_key().public_key()).ok);
  EXPECT_FALSE(audit(files_, "nowhere", kTestOrigin, test_key().public_key()).ok);
}

}  // namespace
}  // namespace entente::ledger
