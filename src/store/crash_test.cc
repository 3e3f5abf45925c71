// kill -9 under load: whatever was acknowledged is there afterwards, and the tables are those of a replay.
#include <csignal>
#include <cstring>
#include <filesystem>
#include <random>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto.h"
#include "store/store.h"

namespace entente::store {
namespace {

constexpr const char* kDirVariable = "ENTENTE_TEST_CRASH_DIR";
constexpr int kPipe = 200;  // what the child writes acknowledgements to
const Uuid kCollection = name_uuid(Uuid{}, "crash");

// Written after the answer, in one write each: a pipe keeps them whole.
struct Ack {
  uint64_t seq;
  uint32_t index;
  char digest[32];
};

// Not a test: what the parent runs in another process, and kills.
TEST(CrashChild, DISABLED_CommitsUntilKilled) {
  const char* dir = std::getenv(kDirVariable);
  ASSERT_NE(dir, nullptr);
  SystemClock clock;
  Metrics metrics;
  Store store;
  auto log = log::open_rocks({dir}, store, clock, metrics);
  ASSERT_TRUE(log.ok()) << log.error().text();
  store.attach(**log);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      std::mt19937_64 random(std::random_device{}());
      while (true) {
        Change change;
        std::vector<std::string> raws;
        for (uint64_t n = random() % 5 + 1; n > 0; --n) {
          const std::string id = "indicator--" + random_uuid().text();
          std::string raw = fmt::format("{}{}", id, std::string(random() % 2000, 'x'));
          stix::Summary s;
          s.type = "indicator";
          s.id = id;
          s.spec_version = "2.1";
          s.version = "2026-01-01T00:00:00Z";
          s.version_time = {1767225600, 0};
          raws.push_back(raw);
          change.add(kCollection, s, std::move(raw));
        }
        change.append("leaves", fmt::format("{}", t));
        const auto outcome = store.commit_wait(std::move(change));
        if (!outcome.ok()) _exit(3);
        for (uint32_t i = 0; i < raws.size(); ++i) {
          Ack ack{};
          ack.seq = outcome->seq;
          ack.index = i;
          const Digest d = sha256(raws[i]);
          std::memcpy(ack.digest, d.data(), d.size());
          if (write(kPipe, &ack, sizeof ack) != sizeof ack) _exit(4);
        }
      }
    });
  }
  for (auto& t : threads) t.join();
}

pid_t start_child(const std::string& dir, int write_end) {
  const pid_t child = fork();
  if (child != 0) return child;
  dup2(write_end, kPipe);
  const int null = open("/dev/null", O_WRONLY);
  dup2(null, 1);
  setenv(kDirVariable, dir.c_str(), 1);
  execl("/proc/self/exe", "crash-child", "--gtest_filter=CrashChild.DISABLED_CommitsUntilKilled",
        "--gtest_also_run_disabled_tests", nullptr);
  _exit(127);
}

TEST(Crash, KilledUnderLoadLosesNothingAcknowledged) {
  std::string dir = std::filesystem::temp_directory_path() / "entente-crash-XXXXXX";
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  std::mt19937 random(std::random_device{}());
  std::vector<Ack> acks;
  size_t killed_under_load = 0;
  constexpr int kRounds = 22;
  for (int round = 0; round < kRounds; ++round) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = start_child(dir, ends[1]);
    ASSERT_GT(child, 0);
    close(ends[1]);
    const size_t before = acks.size();
    // Some while after the first acknowledgement; a few rounds at once, to hit the opening.
    std::thread killer;
    const auto delay = std::chrono::microseconds(random() % 120'000);
    if (round % 7 == 6)
      killer = std::thread([=] {
        std::this_thread::sleep_for(delay);
        kill(child, SIGKILL);
      });
    Ack ack{};
    while (read(ends[0], &ack, sizeof ack) == sizeof ack) {
      acks.push_back(ack);
      if (!killer.joinable())
        killer = std::thread([=] {
          std::this_thread::sleep_for(delay);
          kill(child, SIGKILL);
        });
    }
    close(ends[0]);
    if (killer.joinable()) killer.join();
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
    if (acks.size() > before) ++killed_under_load;

    SystemClock clock;
    Metrics metrics;
    Store store;
    auto log = log::open_rocks({dir}, store, clock, metrics);
    ASSERT_TRUE(log.ok()) << log.error().text();
    store.attach(**log);
    std::vector<log::View::ItemRef> want;
    want.reserve(acks.size());
    for (const auto& a : acks) want.push_back({a.seq, a.index});
    size_t same = 0;
    const auto read_all = (*log)->view()->items(want, [&](size_t i, std::string_view raw) {
      if (view(sha256(raw)) == std::string_view(acks[i].digest, 32)) ++same;
    });
    ASSERT_TRUE(read_all.ok()) << read_all.error().text();
    ASSERT_EQ(same, acks.size());
    ASSERT_EQ(store.length("leaves"), (*log)->last_seq());
    ASSERT_GE(store.count(kCollection), acks.size());
    if (round % 4 == 3 || round == kRounds - 1) {
      Store fresh;
      const auto found = (*log)->check(fresh, nullptr);
      ASSERT_TRUE(found.ok()) << found.error().text();
      ASSERT_THAT(*found, testing::IsEmpty());
    }
  }
  EXPECT_GE(killed_under_load, 15u);
  RecordProperty("acknowledged", static_cast<int>(acks.size()));
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace entente::store
