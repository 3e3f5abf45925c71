#include "ledger/tile_log.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include "base/bytes.h"
#include "ledger/log_test_util.h"

namespace entente::ledger {
namespace {

// C2SP tlog-tiles, "Merkle Tree" and "Log Entries".
TEST(TilePath, IsThatOfTheSpecification) {
  EXPECT_EQ(tile_path(0, 0, 256), "tile/0/000");
  EXPECT_EQ(tile_path(0, 1234067, 256), "tile/0/x001/x234/067");
  EXPECT_EQ(tile_path(1, 273, 112), "tile/1/273.p/112");
  EXPECT_EQ(tile_path(-1, 1000, 17), "tile/entries/x001/000.p/17");
  EXPECT_EQ(tile_path(7, 999999, 256), "tile/7/x999/999");
}

TEST(TileLog, GrowsAndReadsBack) {
  MemFiles files;
  auto log = open_test_log(files).value();
  EXPECT_EQ(log->root(), empty_root());
  EXPECT_TRUE(audit_test_log(files).ok);
  uint64_t size = 0;
  for (const uint64_t n : {1u, 1u, 3u, 250u, 1u, 1u, 255u, 256u, 1000u, 65u}) {
    EXPECT_EQ(log->append(test_entries(size, n)).value(), size);
    size += n;
    ASSERT_EQ(log->size(), size);
    ASSERT_EQ(log->root(), test_root(size));
    const auto c =
        open_checkpoint(files.read(kTestDir + "/checkpoint").value(), kTestOrigin, test_key().public_key()).value();
    EXPECT_EQ(c.size, size);
    EXPECT_EQ(c.root, log->root());
    const auto report = audit_test_log(files);
    ASSERT_TRUE(report.ok) << report.problem;
    EXPECT_EQ(report.entries, size);
    // What was closed and opened goes on the same.
    if (n % 2 == 0) log = open_test_log(files).value();
  }
  for (uint64_t i = 0; i < size; ++i) ASSERT_EQ(log->entry(i).value(), test_entry(i));
  EXPECT_EQ(log->entry(size).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(log->append({}).value(), size);
}

TEST(TileLog, FilesAreThoseOfTheSpecification) {
  MemFiles files;
  auto log = open_test_log(files).value();
  ASSERT_TRUE(log->append(test_entries(0, 1)).ok());
  ASSERT_TRUE(log->append(test_entries(1, 257)).ok());
  EXPECT_EQ(files_below(files, kTestDir),
            (std::vector<std::string>{kTestDir + "/checkpoint", kTestDir + "/tile/0/000", kTestDir + "/tile/0/001.p/2",
                                      kTestDir + "/tile/1/000.p/1", kTestDir + "/tile/entries/000",
                                      kTestDir + "/tile/entries/001.p/2"}));
  std::string bundle;
  std::string tile;
  for (uint64_t i = 256; i < 258; ++i) {
    put_u16(bundle, static_cast<uint16_t>(test_entry(i).size()));
    bundle += test_entry(i);
    tile += view(leaf_hash(test_entry(i)));
  }
  EXPECT_EQ(files.read(kTestDir + "/tile/entries/001.p/2").value(), bundle);
  EXPECT_EQ(files.read(kTestDir + "/tile/0/001.p/2").value(), tile);
  EXPECT_EQ(files.read(kTestDir + "/tile/1/000.p/1").value(), std::string(view(test_root(256))));
}

TEST(TileLog, RefusesBadEntriesAndStaysUsable) {
  MemFiles files;
  auto log = open_test_log(files).value();
  EXPECT_EQ(log->append(std::vector<std::string>{"a", ""}).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(log->append(std::vector<std::string>{std::string(65536, 'x')}).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(log->append(std::vector<std::string>(65537, "x")).error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(log->append(std::vector<std::string>{std::string(65535, 'x')}).value(), 0u);
  EXPECT_EQ(log->entry(0).value().size(), 65535u);
}

TEST(TileLog, ProofsVerify) {
  MemFiles files;
  auto log = open_test_log(files).value();
  std::vector<std::pair<uint64_t, Hash>> old;
  for (const uint64_t n : {1u, 4u, 251u, 1u, 600u, 66000u % 5000u, 7u}) {
    ASSERT_TRUE(log->append(test_entries(log->size(), n)).ok());
    old.emplace_back(log->size(), log->root());
  }
  for (uint64_t i = 0; i < log->size(); i += 13)
    ASSERT_TRUE(
        verify_inclusion(leaf_hash(test_entry(i)), i, log->size(), log->prove_inclusion(i).value(), log->root()))
        << i;
  for (const auto& [size, root] : old)
    EXPECT_TRUE(verify_consistency(size, root, log->size(), log->root(), log->prove_consistency(size).value())) << size;
  EXPECT_TRUE(log->prove_consistency(0).value().empty());
  EXPECT_EQ(log->prove_inclusion(log->size()).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(log->prove_consistency(log->size() + 1).error().kind, ErrorKind::kNotFound);
}

TEST(TileLog, ReachesTheSecondTileLevelAndTheNextFolder) {
  MemFiles files;
  auto log = open_test_log(files).value();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(log->append(test_entries(log->size(), 45'000)).ok());
  EXPECT_EQ(log->size(), 270'000u);
  EXPECT_TRUE(files.exists(kTestDir + "/tile/entries/x001/000"));
  EXPECT_TRUE(files.exists(kTestDir + "/tile/2/000.p/4"));
  EXPECT_EQ(log->root(), test_root(270'000));
  EXPECT_TRUE(verify_inclusion(leaf_hash(test_entry(77'777)), 77'777, log->size(), log->prove_inclusion(77'777).value(),
                               log->root()));
  const auto report = audit_test_log(files);
  EXPECT_TRUE(report.ok) << report.problem;
  EXPECT_EQ(open_test_log(files).value()->root(), log->root());
}

// Fails every writing operation in turn, then loses power or only the process, opens again and looks.
class EveryFault : public testing::TestWithParam<bool> {};

TEST_P(EveryFault, LosesNothingThatWasAcknowledged) {
  const std::vector<uint64_t> groups = {1, 2, 252, 1, 3, 700, 1, 40};
  int operations = 0;
  {
    MemFiles files;
    auto log = open_test_log(files).value();
    uint64_t at = 0;
    for (const uint64_t n : groups) at = log->append(test_entries(at, n)).value() + n;
    operations = files.writes();
  }
  for (int fault = 0; fault <= operations; ++fault) {
    MemFiles files;
    files.fail_at(fault);
    uint64_t acknowledged = 0;
    if (auto log = open_test_log(files); log.ok()) {
      for (const uint64_t n : groups) {
        const auto first = (*log)->append(test_entries(acknowledged, n));
        if (!first.ok()) {
          EXPECT_EQ((*log)->append(test_entries(acknowledged, 1)).error().kind, ErrorKind::kUnavailable)
              << "it must not sign a second history";
          break;
        }
        ASSERT_EQ(*first, acknowledged);
        acknowledged += n;
      }
    }
    GetParam() ? files.crash() : files.kill();

    auto log = open_test_log(files);
    ASSERT_TRUE(log.ok()) << fault << ": " << log.error().text();
    ASSERT_GE((*log)->size(), acknowledged) << fault;
    ASSERT_EQ((*log)->root(), test_root((*log)->size())) << fault;
    for (uint64_t i = 0; i < acknowledged; ++i) ASSERT_EQ((*log)->entry(i).value(), test_entry(i));
    auto report = audit_test_log(files);
    ASSERT_TRUE(report.ok) << fault << ": " << report.problem;
    ASSERT_TRUE((*log)->append(test_entries((*log)->size(), 300)).ok());
    ASSERT_EQ((*log)->root(), test_root((*log)->size()));
    report = audit_test_log(files);
    ASSERT_TRUE(report.ok) << fault << ": " << report.problem;
    files.crash();
    report = audit_test_log(files);
    ASSERT_TRUE(report.ok) << fault << " after a second crash: " << report.problem;
  }
}
INSTANTIATE_TEST_SUITE_P(PowerOrProcess, EveryFault, testing::Bool());

// A disk that acknowledged a sync and lost hash tiles all the same: they come back from the entries.
TEST(TileLog, HashTilesComeBackFromTheEntries) {
  MemFiles files;
  {
    auto log = open_test_log(files).value();
    ASSERT_TRUE(log->append(test_entries(0, 1000)).ok());
  }
  for (const auto& path : files_below(files, kTestDir)) {
    if (path.find("/tile/entries/") == std::string::npos && !path.ends_with("/checkpoint")) {
      ASSERT_TRUE(files.remove(path).ok());
    }
  }
  EXPECT_FALSE(audit_test_log(files).ok);
  auto log = open_test_log(files);
  ASSERT_TRUE(log.ok()) << log.error().text();
  EXPECT_TRUE(audit_test_log(files).ok) << audit_test_log(files).problem;
}

TEST(TileLog, LostEntriesOrCheckpointAreCorruptAndNotBegunAnew) {
  MemFiles files;
  {
    auto log = open_test_log(files).value();
    ASSERT_TRUE(log->append(test_entries(0, 10)).ok());
  }
  const std::string bundle = kTestDir + "/tile/entries/000.p/10";
  const std::string text = files.read(bundle).value();
  ASSERT_TRUE(files.remove(bundle).ok());
  EXPECT_EQ(open_test_log(files).error().kind, ErrorKind::kCorrupt);
  Files& f = files;
  ASSERT_TRUE(f.write_atomic(bundle, text.substr(0, text.size() - 1)).ok());
  EXPECT_EQ(open_test_log(files).error().kind, ErrorKind::kCorrupt);
  ASSERT_TRUE(f.write_atomic(bundle, text).ok());
  EXPECT_TRUE(open_test_log(files).ok());
  EXPECT_EQ(TileLog::open(files, kTestDir, kTestOrigin, SecretKey::generate()).error().kind, ErrorKind::kDenied);
  EXPECT_EQ(TileLog::open(files, kTestDir, "entente/other", test_key()).error().kind, ErrorKind::kDenied);
  ASSERT_TRUE(files.remove(kTestDir + "/checkpoint").ok());
  EXPECT_EQ(open_test_log(files).error().kind, ErrorKind::kCorrupt);
}

TEST(ReadEntries, GivesARangeAndStopsWhenTold) {
  MemFiles files;
  auto log = open_test_log(files).value();
  ASSERT_TRUE(log->append(test_entries(0, 600)).ok());
  uint64_t next = 250;
  EXPECT_TRUE(read_entries(files, kTestDir, 250, 600, [&](uint64_t i, std::string_view e) {
                EXPECT_EQ(i, next++);
                EXPECT_EQ(e, test_entry(i));
                return true;
              }).ok());
  EXPECT_EQ(next, 600u);
  int calls = 0;
  EXPECT_TRUE(read_entries(files, kTestDir, 0, 600, [&](uint64_t, std::string_view) { return ++calls < 3; }).ok());
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(read_entries(files, kTestDir, 0, UINT64_MAX, [](uint64_t, std::string_view) { return true; }).error().kind,
            ErrorKind::kNotFound);
  EXPECT_TRUE(read_entries(files, kTestDir, 5, 5, [](uint64_t, std::string_view) { return true; }).ok());
}

RC_GTEST_PROP(ReadEntries, AnyBundleIsAnswered, (const std::string& bytes)) {
  MemFiles files;
  Files& f = files;
  RC_ASSERT(f.make_dirs(kTestDir + "/tile/entries").ok());
  RC_ASSERT(f.write_atomic(kTestDir + "/tile/entries/000", bytes).ok());
  size_t total = 0;
  (void)read_entries(files, kTestDir, 0, 256, [&](uint64_t, std::string_view e) {
    total += e.size();
    return true;
  }).ok();
  RC_ASSERT(total <= bytes.size());
}

TEST(TileLog, WorksOnTheRealFileSystem) {
  PosixFiles files;
  const std::string dir = testing::TempDir() + "entente-ledger-" + std::to_string(::getpid());
  {
    auto log = TileLog::open(files, dir, kTestOrigin, test_key()).value();
    for (const uint64_t n : {1u, 2u, 300u, 1u}) ASSERT_TRUE(log->append(test_entries(log->size(), n)).ok());
  }
  auto log = TileLog::open(files, dir, kTestOrigin, test_key()).value();
  EXPECT_EQ(log->root(), test_root(304));
  EXPECT_TRUE(audit(files, dir, kTestOrigin, test_key().public_key()).ok);
  std::filesystem::remove_all(dir);
}

TEST(ProofText, ReadsBackAndVerifiesOffline) {
  MemFiles files;
  auto log = open_test_log(files).value();
  ASSERT_TRUE(log->append(test_entries(0, 777)).ok());
  const std::string text =
      write_proof(500, log->entry(500).value(), log->prove_inclusion(500).value(), log->checkpoint());
  const auto p = read_proof(text).value();
  const auto c = open_checkpoint(p.checkpoint_note, kTestOrigin, test_key().public_key()).value();
  EXPECT_TRUE(verify_inclusion(leaf_hash(p.entry), p.index, c.size, p.proof, c.root));
  EXPECT_EQ(write_proof(p.index, p.entry, p.proof, p.checkpoint_note), text);
  // Whatever is altered, the text is refused or proves nothing.
  for (size_t i = 0; i < text.size(); ++i) {
    std::string bad = text;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    const auto q = read_proof(bad);
    if (!q.ok()) continue;
    const auto d = open_checkpoint(q->checkpoint_note, kTestOrigin, test_key().public_key());
    ASSERT_FALSE(d.ok() && verify_inclusion(leaf_hash(q->entry), q->index, d->size, q->proof, d->root)) << i;
  }
  EXPECT_FALSE(read_proof(text.substr(0, text.find("\n\n"))).ok());
  EXPECT_FALSE(read_proof("").ok());
}

}  // namespace
}  // namespace entente::ledger
