// What every log must do, asked of both engines: order, times, refusal, views, replay, check.
#include "log/log.h"

#include <atomic>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "log/internal/codec.h"
#include "log/internal/crc32c.h"
#include "log/internal/overlay.h"
#include "log/mem_log.h"
#include "log/testing.h"

namespace entente::log {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

enum class Engine { kMem, kRocks };

class LogTest : public testing::TestWithParam<Engine> {
 protected:
  LogTest() { open(); }
  ~LogTest() override { log_.reset(); }

  void open() {
    if (GetParam() == Engine::kRocks) {
      auto opened = open_rocks({dir_.path}, projector_, clock_, metrics_);
      ASSERT_TRUE(opened.ok()) << opened.error().text();
      log_ = *std::move(opened);
    } else {
      auto opened = MemLog::open(disk_, projector_, clock_);
      ASSERT_TRUE(opened.ok()) << opened.error().text();
      disk_ = (*opened)->disk();
      mem_ = opened->get();
      log_ = *std::move(opened);
    }
  }
  void restart() {
    log_.reset();
    open();
  }
  Result<Committed> append(std::string header, std::vector<std::string> items = {}, uint32_t slots = 0) {
    return log_->append_wait({std::move(header), std::move(items), slots});
  }
  std::vector<std::string> check() {
    LineProjector fresh;
    auto found = log_->check(fresh, nullptr);
    return found.ok() ? *found : std::vector<std::string>{found.error().text()};
  }
  std::vector<std::string> rows(Table table = 1, std::string_view from = {}, std::string_view to = {}) {
    std::vector<std::string> out;
    EXPECT_TRUE(log_->view()
                    ->scan(table, from, to,
                           [&](std::string_view k, std::string_view v) {
                             out.push_back(fmt::format("{}={}", k, v));
                             return true;
                           })
                    .ok());
    return out;
  }

  TempDir dir_;
  LineProjector projector_;
  ManualClock clock_{Time{1'000'000}};
  Metrics metrics_;
  std::shared_ptr<MemDisk> disk_;
  MemLog* mem_ = nullptr;
  std::unique_ptr<Log> log_;
};

TEST_P(LogTest, NumbersAreDenseAndTimesRiseAcrossClockStepsAndRestarts) {
  int64_t last = 0;
  uint64_t seq = 0;
  std::mt19937 random(7);
  for (int i = 0; i < 60; ++i) {
    const auto items = std::vector<std::string>(random() % 4, "x");
    const auto slots = static_cast<uint32_t>(random() % 6);
    const auto c = append("put a b", items, slots);
    ASSERT_TRUE(c.ok());
    EXPECT_EQ(c->seq, ++seq);
    EXPECT_GT(c->first_time.us, last);
    last = c->first_time.us + std::max<int64_t>({1, slots, static_cast<int64_t>(items.size())}) - 1;
    EXPECT_EQ(log_->last_time().us, last);
    EXPECT_EQ(log_->last_seq(), seq);
    clock_.advance_us(static_cast<int64_t>(random() % 3) - 1);
    if (i % 20 == 10) clock_.advance_us(-500'000);
    if (i % 15 == 14) restart();
  }
  EXPECT_THAT(check(), IsEmpty());
}

TEST_P(LogTest, RefusedRecordLeavesNothingAndTakesNoNumber) {
  ASSERT_TRUE(append("put a 1").ok());
  const auto refused = append("put a 2;put c 9;erase a;fail", {"x", "y"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kConflict);
  const auto next = append("put b 1");
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->seq, 2u);
  EXPECT_THAT(rows(), ElementsAre("a=1", "b=1"));
  EXPECT_THAT(check(), IsEmpty());
}

TEST_P(LogTest, RecordsSeeEarlierOnesOfTheSameGroup) {
  // Queued together while the committer is busy with the first: still each sees what the one before wrote.
  std::vector<std::string> outcomes;
  std::mutex mutex;
  std::condition_variable all;
  for (int i = 0; i < 200; ++i) {
    log_->append({i % 7 == 3 ? "count n;fail" : "count n", {}, 0}, [&](Result<Committed> c) {
      const std::lock_guard lock(mutex);
      outcomes.push_back(c.ok() ? c->outcome : "refused");
      all.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  all.wait(lock, [&] { return outcomes.size() == 200; });
  int n = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i], i % 7 == 3 ? "refused" : std::to_string(++n)) << i;
  }
}

TEST_P(LogTest, AnswersComeInOrderAndTheGroupAfterThem) {
  std::vector<uint64_t> seen;
  std::atomic<uint64_t> told = 0;
  std::atomic<bool> early = false;
  log_->on_commit([&](uint64_t seq) {
    if (seen.empty() || seen.back() != seq) early = true;
    told = seq;
  });
  for (int i = 0; i < 100; ++i) {
    log_->append({"put a b", {}, 0}, [&](Result<Committed> c) {
      if (c.ok()) seen.push_back(c->seq);  // the committer's thread only
    });
  }
  while (told != 100) std::this_thread::yield();
  EXPECT_FALSE(early);
  ASSERT_EQ(seen.size(), 100u);
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], i + 1);
}

TEST_P(LogTest, ViewsStandStill) {
  ASSERT_TRUE(append("put a 1;put b 1").ok());
  const auto before = log_->view();
  ASSERT_TRUE(append("put a 2;erase b;put c 1").ok());
  EXPECT_EQ(*before->get(1, "a"), "1");
  EXPECT_EQ(*before->get(1, "b"), "1");
  EXPECT_EQ(before->get(1, "c").error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(rows(), ElementsAre("a=2", "c=1"));
}

TEST_P(LogTest, ScansGoBothWaysWithinBounds) {
  std::string header;
  for (int i = 0; i < 600; ++i) header += fmt::format("put k{:03} {};", i, i);
  ASSERT_TRUE(append(header).ok());
  EXPECT_EQ(rows().size(), 600u);
  EXPECT_THAT(rows(1, "k100", "k103"), ElementsAre("k100=100", "k101=101", "k102=102"));
  EXPECT_THAT(rows(9), IsEmpty());
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"", ""}, {"k010", "k500"}, {"k5", ""}}) {
    auto forward = rows(1, from, to);
    std::vector<std::string> back;
    ASSERT_TRUE(log_->view()
                    ->scan_back(1, from, to,
                                [&](std::string_view k, std::string_view v) {
                                  back.push_back(fmt::format("{}={}", k, v));
                                  return true;
                                })
                    .ok());
    std::reverse(back.begin(), back.end());
    EXPECT_EQ(forward, back) << from << ' ' << to;
  }
  int calls = 0;
  ASSERT_TRUE(log_->view()->scan(1, {}, {}, [&](std::string_view, std::string_view) { return ++calls < 3; }).ok());
  EXPECT_EQ(calls, 3);
}

TEST_P(LogTest, ItemsInAnyOrder) {
  std::vector<View::ItemRef> all;
  std::vector<std::string> text;
  for (uint64_t seq = 1; seq <= 20; ++seq) {
    std::vector<std::string> items;
    for (uint32_t i = 0; i < seq % 5; ++i) {
      items.push_back(fmt::format("{}/{}", seq, i));
      all.push_back({seq, i});
      text.push_back(items.back());
    }
    ASSERT_TRUE(append("put a b", items).ok());
  }
  std::mt19937 random(3);
  for (int round = 0; round < 30; ++round) {
    std::vector<size_t> order(all.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (round > 0) {
      for (int swaps = 0; swaps < round; ++swaps)
        std::swap(order[random() % order.size()], order[random() % order.size()]);
    }
    std::vector<View::ItemRef> want;
    for (const size_t i : order) want.push_back(all[i]);
    std::vector<std::string> got;
    ASSERT_TRUE(log_->view()
                    ->items(want,
                            [&](size_t at, std::string_view octets) {
                              EXPECT_EQ(at, got.size());
                              got.emplace_back(octets);
                            })
                    .ok());
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(got[i], text[order[i]]);
  }
  const std::vector<View::ItemRef> none = {{1, 1}};
  EXPECT_EQ(log_->view()->items(none, [](size_t, std::string_view) {}).error().kind, ErrorKind::kCorrupt);
}

TEST_P(LogTest, ReplayGivesWhatWasAppended) {
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(
        append(fmt::format("put k{} v", i), std::vector<std::string>(static_cast<size_t>(i % 3), std::to_string(i)))
            .ok());
  }
  restart();
  uint64_t next = 5;
  ASSERT_TRUE(log_->replay(5,
                           [&](const Entry& e) {
                             EXPECT_EQ(e.seq, next++);
                             EXPECT_EQ(e.header, fmt::format("put k{} v", e.seq - 1));
                             EXPECT_EQ(e.items.size(), (e.seq - 1) % 3);
                             for (const auto& item : e.items) EXPECT_EQ(item, std::to_string(e.seq - 1));
                             return true;
                           })
                  .ok());
  EXPECT_EQ(next, 31u);
}

TEST_P(LogTest, ManyThreadsLoseNothing) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) EXPECT_TRUE(append(fmt::format("put {}.{} v;count n", t, i), {"x"}).ok());
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(log_->last_seq(), 200u);
  EXPECT_EQ(rows().size(), 201u);
  EXPECT_EQ(*log_->view()->get(1, "n"), "200");
  EXPECT_THAT(check(), IsEmpty());
}

TEST_P(LogTest, CommitterMustNotWaitForItself) {
  std::atomic<int> kind = -1;
  log_->append({"put a b", {}, 0}, [&](Result<Committed>) { kind = static_cast<int>(append("put a c").error().kind); });
  while (kind < 0) std::this_thread::yield();
  EXPECT_EQ(kind, static_cast<int>(ErrorKind::kInternal));
}

TEST_P(LogTest, TooLargeARecordIsRefused) {
  const auto r = append("put a b", {}, 1u << 21);
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().kind, ErrorKind::kTooLarge);
  EXPECT_TRUE(append("put a b").ok());
}

INSTANTIATE_TEST_SUITE_P(Engines, LogTest, testing::Values(Engine::kMem, Engine::kRocks),
                         [](const auto& engine) { return engine.param == Engine::kMem ? "Mem" : "Rocks"; });

TEST(MemLogFaults, FailedGroupStoresNothingAndLaterOnesWork) {
  LineProjector projector;
  ManualClock clock{Time{1}};
  auto log = *MemLog::open(nullptr, projector, clock);
  log->fail_next(1);
  EXPECT_EQ(log->append_wait({"put a 1", {}, 0}).error().kind, ErrorKind::kIo);
  EXPECT_EQ(log->append_wait({"count n", {}, 0})->seq, 1u);
  EXPECT_FALSE(log->view()->get(1, "a").ok());
  log->break_disk();
  EXPECT_FALSE(log->append_wait({"put a 1", {}, 0}).ok());
  EXPECT_FALSE(log->append_wait({"put a 1", {}, 0}).ok());
  EXPECT_EQ(log->last_seq(), 1u);
}

TEST(MemLogFaults, CheckNamesTableAndKey) {
  LineProjector projector;
  ManualClock clock{Time{1}};
  auto log = *MemLog::open(nullptr, projector, clock);
  ASSERT_TRUE(log->append_wait({"put a 1;put b 1;put c 1", {"x"}, 0}).ok());
  log->tamper(1, "a", "2");
  log->tamper(1, "b", "");
  log->tamper(1, "d", "new");
  log->damage(1, 0);
  LineProjector fresh;
  const auto found = log->check(fresh, nullptr);
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(*found, ElementsAre("record 1 item 0: checksum does not match",
                                  "table 1 key 61: has another value than the log gives",
                                  "table 1 key 62: missing; the log has it", "table 1 key 64: not in the log"));
}

TEST(MemLogFaults, ClosingAnswersWhatWaits) {
  LineProjector projector;
  ManualClock clock{Time{1}};
  auto log = *MemLog::open(nullptr, projector, clock);
  log->pause();
  std::atomic<int> answered = 0;
  for (int i = 0; i < 10; ++i) log->append({"put a 1", {}, 0}, [&](Result<Committed>) { ++answered; });
  log.reset();
  EXPECT_EQ(answered, 10);
}

// Writes over a base, some of them undone, against a plain map.
TEST(Overlay, ReadsAsTheTablesWillBe) {
  struct MapBase final : Base {
    std::map<std::string, std::string, std::less<>> rows;
    Result<std::optional<std::string>> get(Table, std::string_view key) const override {
      const auto it = rows.find(key);
      return it == rows.end() ? std::optional<std::string>() : std::optional(it->second);
    }
    Result<std::optional<std::pair<std::string, std::string>>> last_before(Table, std::string_view from,
                                                                           std::string_view to) const override {
      using Found = std::optional<std::pair<std::string, std::string>>;
      auto it = to.empty() ? rows.end() : rows.lower_bound(to);
      if (it == rows.begin() || std::string_view((--it)->first) < from) return Found();
      return Found(*it);
    }
  };
  std::mt19937 random(11);
  const auto key = [&] { return fmt::format("{:02}", random() % 12); };
  for (int round = 0; round < 300; ++round) {
    MapBase base;
    for (int i = 0; i < 6; ++i) base.rows[key()] = "base";
    auto want = base.rows;
    Overlay overlay(base);
    for (int record = 0; record < 4; ++record) {
      auto draft = want;
      for (int op = 0; op < 5; ++op) {
        const std::string k = key();
        if (random() % 2 == 0) {
          const std::string v = std::to_string(random());
          overlay.put(1, k, v);
          draft[k] = v;
        } else {
          overlay.erase(1, k);
          draft.erase(k);
        }
      }
      if (random() % 2 == 0) {
        overlay.keep();
        want = draft;
      } else {
        overlay.rollback();
      }
      for (int probe = 0; probe < 20; ++probe) {
        const std::string k = key();
        const auto got = overlay.get(1, k);
        ASSERT_EQ(got.ok(), want.contains(k));
        if (got.ok()) {
          ASSERT_EQ(*got, want[k]);
        }
        const std::string from = key();
        const std::string to = random() % 4 == 0 ? "" : key();
        auto it = to.empty() ? want.end() : want.lower_bound(to);
        const bool has = it != want.begin() && (--it)->first >= from;
        const auto last = overlay.last_before(1, from, to);
        ASSERT_EQ(last.ok(), has);
        if (has) {
          ASSERT_EQ(last->first, it->first);
        }
      }
    }
  }
}

TEST(Crc32c, KnownAnswerAndBothWaysAgree) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);  // the check value of the polynomial
  std::mt19937 random(5);
  std::string s;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(crc32c(s, 77), crc32c_portable(s, 77));
    s.push_back(static_cast<char>(random()));
  }
  for (int i = 0; i < 300; ++i) {  // around the sizes of the lanes too
    s.resize(i % 3 == 0 ? 768 * (1 + random() % 4) - 4 + random() % 9 : random() % 9000);
    for (auto& c : s) c = static_cast<char>(random());
    const auto seed = static_cast<uint32_t>(random());
    EXPECT_EQ(crc32c(s, seed), crc32c_portable(s, seed)) << s.size();
  }
}

TEST(Codec, AnyFlippedBitIsFound) {
  const std::string key = header_key(7);
  std::string value;
  encode_header(value, key, {Time{123}, 4, 2, "header"});
  const auto h = decode_header(key, value);
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(h->first_time.us, 123);
  EXPECT_EQ(h->slots, 4u);
  EXPECT_EQ(h->item_count, 2u);
  EXPECT_EQ(h->header, "header");
  for (size_t bit = 0; bit < value.size() * 8; ++bit) {
    std::string bad = value;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decode_header(key, bad).ok()) << bit;
  }
  EXPECT_FALSE(decode_header(header_key(8), value).ok());  // the right octets in the wrong place
  for (size_t n = 0; n < value.size(); ++n) EXPECT_FALSE(decode_header(key, std::string_view(value).substr(0, n)).ok());
}

}  // namespace
}  // namespace entente::log
