// What only the embedded engine can meet: another process, damage on the disk, a full disk, a newer projector.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log/internal/codec.h"
#include "log/internal/rocks_db.h"
#include "log/log.h"
#include "log/testing.h"

namespace entente::log {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct Fixture {
  TempDir dir;
  ManualClock clock{Time{1'000'000}};
  Metrics metrics;
  LineProjector projector;

  Result<std::unique_ptr<Log>> open() { return open_rocks({dir.path}, projector, clock, metrics); }
  // Random octets, so that compression leaves enough of them to damage.
  void fill(int records) {
    auto log = open();
    ASSERT_TRUE(log.ok());
    std::mt19937 random(1);
    for (int i = 0; i < records; ++i) {
      std::string item(500, ' ');
      for (auto& c : item) c = static_cast<char>(random());
      ASSERT_TRUE((*log)->append_wait({fmt::format("put k{} {};count n", i, random()), {item, item}, 0}).ok());
    }
  }
  // From the write-ahead log into table files.
  void settle() {
    auto db = RocksDb::open({dir.path});
    ASSERT_TRUE(db.ok());
    ASSERT_TRUE((*db)->db().Flush(rocksdb::FlushOptions(), (*db)->records()).ok());
    ASSERT_TRUE((*db)->db().Flush(rocksdb::FlushOptions(), (*db)->table(1)).ok());
  }
  // Writes into the engine's own tables behind the log's back.
  template <class F>
  void tamper(F change) {
    auto db = RocksDb::open({dir.path});
    ASSERT_TRUE(db.ok());
    change(**db);
  }
  [[nodiscard]] std::vector<std::filesystem::path> files(const std::string& extension) const {
    std::vector<std::filesystem::path> out;
    for (const auto& e : std::filesystem::directory_iterator(dir.path)) {
      if (e.path().extension() == extension && e.file_size() > 0) out.push_back(e.path());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
};

void flip(const std::filesystem::path& file, std::uintmax_t at) {
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  f.seekg(static_cast<std::streamoff>(at));
  const int c = f.get();
  f.seekp(static_cast<std::streamoff>(at));
  f.put(static_cast<char>(c ^ 0x55));
}

TEST(RocksLog, SecondOpenerIsToldToStopTheFirst) {
  Fixture x;
  const auto first = x.open();
  ASSERT_TRUE(first.ok());
  LineProjector other;
  const auto second = open_rocks({x.dir.path}, other, x.clock, x.metrics);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(second.error().text(), HasSubstr("stop the other node"));
}

TEST(RocksLog, UnwritableFolderIsAnError) {
  Fixture x;
  std::ofstream(x.dir.path + "/file") << "x";
  const auto r = open_rocks({x.dir.path + "/file/data"}, x.projector, x.clock, x.metrics);
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().kind, ErrorKind::kIo);
}

TEST(RocksLog, NewProjectorVersionBuildsTheTablesAnew) {
  Fixture x;
  x.fill(20);
  x.tamper([](RocksDb& db) { ASSERT_TRUE(db.db().Put({}, db.table(1), "old", "layout").ok()); });
  LineProjector newer(2);
  const auto log = open_rocks({x.dir.path}, newer, x.clock, x.metrics);
  ASSERT_TRUE(log.ok());
  EXPECT_FALSE((*log)->view()->get(1, "old").ok());
  EXPECT_EQ(*(*log)->view()->get(1, "n"), "20");
  LineProjector fresh(2);
  EXPECT_THAT(*(*log)->check(fresh, nullptr), IsEmpty());
}

TEST(RocksLog, TablesThatLagAreCaughtUp) {
  Fixture x;
  x.fill(20);
  x.tamper([](RocksDb& db) {
    ASSERT_TRUE(db.drop_tables().ok());
    ASSERT_TRUE(db.db().Delete({}, db.meta(), "state").ok());
  });
  const auto log = x.open();
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(*(*log)->view()->get(1, "n"), "20");
  EXPECT_EQ((*log)->append_wait({"count n", {}, 0})->seq, 21u);
}

TEST(RocksLog, ALogShorterThanItsTablesIsCorrupt) {
  Fixture x;
  x.fill(3);
  x.tamper([](RocksDb& db) {
    ASSERT_TRUE(db.db().Delete({}, db.records(), header_key(3)).ok());
    for (uint32_t i = 0; i < 2; ++i) ASSERT_TRUE(db.db().Delete({}, db.records(), item_key(3, i)).ok());
  });
  const auto log = x.open();
  ASSERT_FALSE(log.ok());
  EXPECT_EQ(log.error().kind, ErrorKind::kCorrupt);
}

TEST(RocksLog, CheckNamesWhatIsWrong) {
  Fixture x;
  x.fill(5);
  x.tamper([](RocksDb& db) {
    ASSERT_TRUE(db.db().Put({}, db.table(1), "k2", "altered").ok());
    ASSERT_TRUE(db.db().Put({}, db.records(), item_key(2, 0), "altered").ok());
    ASSERT_TRUE(db.db().Delete({}, db.records(), item_key(4, 1)).ok());
  });
  const auto log = x.open();
  ASSERT_TRUE(log.ok());
  LineProjector fresh;
  const auto found = (*log)->check(fresh, nullptr);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 3u);
  EXPECT_THAT((*found)[0], HasSubstr("record 2 item 0: checksum"));
  EXPECT_THAT((*found)[1], HasSubstr("record 4 item 1 is missing"));
  EXPECT_THAT((*found)[2], HasSubstr("table 1 key 6b32: has another value"));
  EXPECT_EQ((*log)->replay(1, [](const Entry&) { return true; }).error().kind, ErrorKind::kCorrupt);
  const std::vector<View::ItemRef> want = {{2, 0}};
  EXPECT_EQ((*log)->view()->items(want, [](size_t, std::string_view) {}).error().kind, ErrorKind::kCorrupt);
}

TEST(RocksLog, GapInTheLogIsFoundAndTablesAreNotTrusted) {
  Fixture x;
  x.fill(5);
  x.tamper([](RocksDb& db) { ASSERT_TRUE(db.db().Delete({}, db.records(), header_key(3)).ok()); });
  const auto log = x.open();
  ASSERT_TRUE(log.ok());
  LineProjector fresh;
  const auto found = (*log)->check(fresh, nullptr);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 2u);
  EXPECT_THAT((*found)[0], HasSubstr("record 3"));
  EXPECT_THAT((*found)[1], HasSubstr("not compared"));
}

// One flipped octet anywhere in the table files: opening, replaying or checking says so, or it hit nothing that is
// used; never a crash and never other data.
TEST(RocksLog, FlippedOctetsInTableFilesAreFoundOrHarmless) {
  Fixture whole;
  whole.fill(60);
  whole.settle();
  std::mt19937 random(2);
  const size_t files = whole.files(".sst").size();
  ASSERT_GT(files, 0u);
  int noticed = 0;
  for (int round = 0; round < 24; ++round) {
    Fixture x;
    std::filesystem::copy(whole.dir.path, x.dir.path, std::filesystem::copy_options::recursive);
    const auto file = x.files(".sst")[random() % files];
    flip(file, random() % std::filesystem::file_size(file));
    auto log = x.open();
    if (!log.ok()) {
      EXPECT_EQ(log.error().kind, ErrorKind::kCorrupt) << log.error().text();
      ++noticed;
      continue;
    }
    LineProjector fresh;
    const auto found = (*log)->check(fresh, nullptr);
    uint64_t seen = 0;
    const auto replayed = (*log)->replay(1, [&](const Entry& e) {
      EXPECT_EQ(e.seq, ++seen);
      EXPECT_EQ(e.items.size(), 2u);
      EXPECT_EQ(e.items[0], e.items[1]);
      return true;
    });
    if (!found.ok() || !found->empty() || !replayed.ok()) ++noticed;
    if (replayed.ok()) {
      EXPECT_EQ(seen, 60u);
    } else {
      EXPECT_EQ(replayed.error().kind, ErrorKind::kCorrupt);
    }
  }
  EXPECT_GT(noticed, 12);
}

// A write-ahead log damaged before its end must not pass as a shorter one: those records were acknowledged.
TEST(RocksLog, DamageInTheWriteAheadLogIsNotAShorterLog) {
  Fixture x;
  x.fill(40);
  const auto files = x.files(".log");
  ASSERT_FALSE(files.empty());
  flip(files.back(), std::filesystem::file_size(files.back()) / 2);
  const auto log = x.open();
  ASSERT_FALSE(log.ok());
  EXPECT_EQ(log.error().kind, ErrorKind::kCorrupt);
}

// A torn last write, as a power cut leaves it: everything before it is there.
TEST(RocksLog, TornTailIsCutOff) {
  Fixture x;
  x.fill(10);
  const auto files = x.files(".log");
  ASSERT_FALSE(files.empty());
  std::filesystem::resize_file(files.back(), std::filesystem::file_size(files.back()) - 100);
  const auto log = x.open();
  ASSERT_TRUE(log.ok()) << log.error().text();
  EXPECT_EQ((*log)->last_seq(), 9u);
  LineProjector fresh;
  EXPECT_THAT(*(*log)->check(fresh, nullptr), IsEmpty());
}

// In a child, because the limit on file sizes is the process's.
TEST(RocksLog, FullDiskRefusesAppendsAndLosesNothing) {
  Fixture x;
  x.fill(5);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    auto log = x.open();
    if (!log.ok()) _exit(10);
    const rlimit small{200'000, 200'000};
    if (setrlimit(RLIMIT_FSIZE, &small) != 0) _exit(11);
    const std::string big(50'000, 'x');
    uint64_t last = 5;
    int i = 0;
    for (; i < 20; ++i) {
      const auto r = (*log)->append_wait({"count n", {big}, 0});
      if (!r.ok()) {
        if (r.error().kind != ErrorKind::kIo) _exit(12);
        break;
      }
      last = r->seq;
    }
    if (i == 20) _exit(13);                                       // it never failed
    if ((*log)->append_wait({"count n", {}, 0}).ok()) _exit(14);  // and it must go on refusing
    if ((*log)->last_seq() != last) _exit(15);
    if (!(*log)->replay(1, [](const Entry&) { return true; }).ok()) _exit(16);  // reading works
    _exit(static_cast<int>(100 + last));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_GE(WEXITSTATUS(status), 100) << "step " << WEXITSTATUS(status);
  const auto log = x.open();
  ASSERT_TRUE(log.ok()) << log.error().text();
  EXPECT_GE((*log)->last_seq(), static_cast<uint64_t>(WEXITSTATUS(status) - 100));
  LineProjector fresh;
  EXPECT_THAT(*(*log)->check(fresh, nullptr), IsEmpty());
}

}  // namespace
}  // namespace entente::log
