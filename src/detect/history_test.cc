// The past answers as a list of everything that was added would, whatever happens to process, disk and clock.
#include "detect/history.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "packet/address.h"

namespace entente::detect {
namespace {

using pattern::AtomKind;
using testing::ElementsAre;

constexpr int64_t kSecond = 1'000'000;
constexpr Time kNow{1'800'000'000'000'000};

struct Fact {
  Time time;
  ObservableKind kind;
  std::string text;
};

bool below(std::string_view name, std::string_view above) {
  return name.size() > above.size() && name.ends_with(above) && name[name.size() - above.size() - 1] == '.';
}

// Does the atom mean this value? Written down plainly.
bool means(const pattern::Atom& a, const Fact& f) {
  switch (a.kind) {
    case AtomKind::kIpv4:
      return f.kind == ObservableKind::kIpv4 && f.text == a.value;
    case AtomKind::kCidr4:
    case AtomKind::kCidr6: {
      if (f.kind != (a.kind == AtomKind::kCidr4 ? ObservableKind::kIpv4 : ObservableKind::kIpv6)) return false;
      const size_t slash = a.value.find('/');
      const auto block = *packet::parse_address(a.value.substr(0, slash)), seen = *packet::parse_address(f.text);
      for (size_t bit = 0; bit < std::stoul(a.value.substr(slash + 1)); ++bit)
        if (((block.b[bit / 8] ^ seen.b[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
      return true;
    }
    case AtomKind::kDomain:
      return f.kind == ObservableKind::kDomain && ascii_lower(f.text) == a.value;
    case AtomKind::kDomainTree:
      return f.kind == ObservableKind::kDomain &&
             (ascii_lower(f.text) == a.value || below(ascii_lower(f.text), a.value));
    case AtomKind::kDomainBelow:
      return f.kind == ObservableKind::kDomain && below(ascii_lower(f.text), a.value);
    default:
      return f.kind == ObservableKind::kHash && f.text == a.value;
  }
}

Fact random_fact(std::mt19937_64& r, int64_t at) {
  const auto n = [&](uint64_t below_it) { return std::to_string(r() % below_it); };
  switch (r() % 4) {
    case 3:
      return {Time{at}, ObservableKind::kIpv6, "2001:db" + n(3) + ":" + n(3) + ":" + n(3) + "::" + n(50)};
    case 0:
      return {Time{at}, ObservableKind::kIpv4, "10." + n(3) + "." + n(4) + "." + n(200)};
    case 1:
      return {Time{at}, ObservableKind::kDomain,
              (r() % 2 == 0 ? "Www." : "") + std::string("h") + n(50) + ".d" + n(9) + ".example"};
    default:
      return {Time{at}, ObservableKind::kHash, hex(std::string(16, static_cast<char>(r() % 200)))};
  }
}

std::vector<History::Question> questions() {
  std::vector<History::Question> out;
  const auto ask = [&](AtomKind kind, std::string value) {
    out.push_back({static_cast<uint32_t>(out.size()), {kind, std::move(value), {}}});
  };
  for (int i = 0; i < 20; ++i) ask(AtomKind::kIpv4, "10.1.2." + std::to_string(i * 7));
  ask(AtomKind::kCidr4, "10.2.3.0/24");
  for (const char* block :
       {"10.2.3.64/26", "10.1.0.0/16", "10.0.2.0/23", "10.0.0.0/8", "10.9.0.0/16", "10.2.9.0/24", "0.0.0.0/0"})
    ask(AtomKind::kCidr4, block);
  for (const char* block : {"2001:db1:2::/48", "2001:db1:2:1::/64", "2001:db1::/44", "2001:db0::/32",
                            "2001:db2:1:1::10/124", "2001:db1:2:0::/63", "2001::/16", "2001:db1:9::/48"})
    ask(AtomKind::kCidr6, block);
  for (const char* name : {"d3.example", "example", "d3.example.org", "x.d3.example"}) ask(AtomKind::kDomainTree, name);
  ask(AtomKind::kDomain, "h7.d3.example");
  ask(AtomKind::kDomainTree, "h7.d3.example");
  ask(AtomKind::kDomainBelow, "d4.example");
  ask(AtomKind::kDomainBelow, "4.example");  // no label boundary
  for (int i = 0; i < 20; ++i) ask(AtomKind::kMd5, hex(std::string(16, static_cast<char>(i * 11))));
  return out;
}

using Answer = std::map<uint32_t, std::tuple<uint64_t, int64_t, int64_t>>;  // count, first, last over all values

Answer answer(const History& history) {
  Answer out;
  for (const auto& h : history.find(questions())) {
    auto [at, fresh] = out.try_emplace(h.number, h.count, h.first.us, h.last.us);
    if (fresh) continue;
    auto& [count, first, last] = at->second;
    count += h.count;
    first = std::min(first, h.first.us);
    last = std::max(last, h.last.us);
  }
  return out;
}
Answer expected(const std::vector<Fact>& facts) {
  Answer out;
  for (const auto& q : questions())
    for (const auto& f : facts) {
      if (!means(q.atom, f)) continue;
      auto [at, fresh] = out.try_emplace(q.number, 0, f.time.us, f.time.us);
      auto& [count, first, last] = at->second;
      ++count;
      first = std::min(first, f.time.us);
      last = std::max(last, f.time.us);
    }
  return out;
}

std::unique_ptr<History> opened(Files& files, const HistoryOptions& options) {
  auto h = History::open("/history", files, options);
  EXPECT_TRUE(h.ok()) << (h.ok() ? "" : h.error().text());
  return h.ok() ? std::move(*h) : nullptr;
}

TEST(History, AnswersAsAListOfEverythingWould) {
  std::mt19937_64 r(1);
  MemFiles files;
  const HistoryOptions options{.segment_values = 700, .segment_seen = 3000, .map = false};
  auto history = opened(files, options);
  std::vector<Fact> facts;
  for (int i = 0; i < 20'000; ++i) {
    facts.push_back(random_fact(r, kNow.us + i * kSecond));
    history->add(facts.back().time, facts.back().kind, facts.back().text, "10.0.0.1", "192.0.2.1");
    if (i % 500 == 0) {
      ASSERT_TRUE(history->flush(facts.back().time).ok());
    }
  }
  EXPECT_GT(history->stats().segments, 5U);
  EXPECT_EQ(history->stats().seen, facts.size());
  EXPECT_EQ(answer(*history), expected(facts));
  ASSERT_TRUE(history->flush(facts.back().time).ok());
  // Also after a start, and to a reader beside the writer.
  EXPECT_EQ(answer(*opened(files, {.map = false, .write = false})), expected(facts));
  history.reset();
  EXPECT_EQ(answer(*opened(files, options)), expected(facts));
  // Segments of the first form, whose filters do not know what ranges are asked by.
  const auto names = files.list("/history");
  ASSERT_TRUE(names.ok());
  for (const auto& name : *names) {
    if (!name.ends_with(".seg")) continue;
    std::string text = *files.read("/history/" + name);
    text.replace(0, 8, "enthist1");
    ASSERT_TRUE(files.write_atomic("/history/" + name, text, 0600).ok());
  }
  const auto old = opened(files, options);
  EXPECT_EQ(old->stats().damaged, 0U);
  EXPECT_EQ(answer(*old), expected(facts));
}

TEST(History, AUrlIsFoundByItselfAndByItsHostAndASightNamesItsFlow) {
  MemFiles files;
  auto history = opened(files, {.map = false});
  history->add(kNow, ObservableKind::kUrl, "HTTP://Evil.Example:80/a?b#c", "10.0.0.5", "192.0.2.9");
  history->add(kNow.plus_us(kSecond), ObservableKind::kDomain, "not a name");
  const std::vector<History::Question> ask = {{1, {AtomKind::kUrl, "http://evil.example/a?b", {}}},
                                              {2, {AtomKind::kDomain, "evil.example", {}}}};
  const auto hits = history->find(ask);
  ASSERT_EQ(hits.size(), 2U);
  EXPECT_EQ(hits[0].value, "http://evil.example/a?b");
  EXPECT_EQ(hits[1].value, "evil.example");
  ASSERT_EQ(hits[0].sights.size(), 1U);
  EXPECT_EQ(hits[0].sights[0].src + ">" + hits[0].sights[0].dst, "10.0.0.5>192.0.2.9");
  EXPECT_TRUE(history->find(ask, kNow.plus_us(1)).empty());
}

// Whatever write fails, and however the process or the machine ends: what a flush said is kept, is kept, once.
TEST(History, NothingAcknowledgedIsLostOrDoubled) {
  for (int fail = 0; fail < 60; ++fail) {
    for (const bool power : {false, true}) {
      std::mt19937_64 r(5);
      MemFiles files;
      const HistoryOptions options{.segment_values = 40, .segment_seen = 100, .map = false};
      auto history = opened(files, options);
      std::vector<Fact> safe, at_risk;
      files.fail_at(fail);
      for (int i = 0; i < 300; ++i) {
        at_risk.push_back(random_fact(r, kNow.us + i));
        history->add(at_risk.back().time, at_risk.back().kind, at_risk.back().text);
        if (i % 9 != 0) continue;
        if (!history->flush(kNow).ok()) break;
        safe.insert(safe.end(), at_risk.begin(), at_risk.end());
        at_risk.clear();
      }
      history.reset();
      power ? files.crash() : files.kill();
      const auto again = opened(files, options);
      const auto stats = again->stats();
      // The write that failed may have reached the disk in part or whole.
      EXPECT_GE(stats.seen, safe.size()) << fail << power;
      EXPECT_LE(stats.seen, safe.size() + at_risk.size()) << fail << power;
      if (stats.seen == safe.size()) {
        EXPECT_EQ(answer(*again), expected(safe)) << fail << power;
      }
      // And it goes on.
      again->add(kNow, ObservableKind::kDomain, "later.example");
      ASSERT_TRUE(again->flush(kNow).ok());
    }
  }
}

TEST(History, AFullDiskCostsWhatDoesNotFitInMemoryAndNoMore) {
  std::mt19937_64 r(9);
  MemFiles files;
  const HistoryOptions options{.segment_values = 200, .segment_seen = 100'000, .map = false};
  auto history = opened(files, options);
  ASSERT_TRUE(history->flush(kNow).ok());
  files.fail_at(0);
  std::vector<Fact> facts;
  for (int i = 0; i < 150; ++i) {
    facts.push_back(random_fact(r, kNow.us + i));
    history->add(facts.back().time, facts.back().kind, facts.back().text);
    EXPECT_FALSE(history->flush(kNow).ok());
  }
  EXPECT_EQ(history->stats().lost, 0U);
  EXPECT_EQ(answer(*history), expected(facts));  // answered all the same
  files.fail_at(-1);
  files.kill();
  ASSERT_TRUE(history->flush(kNow).ok());
  history.reset();
  EXPECT_EQ(answer(*opened(files, options)), expected(facts));

  auto full = opened(files, options);
  files.fail_at(0);
  for (int i = 0; i < 1000; ++i) full->add(kNow, ObservableKind::kDomain, "n" + std::to_string(i) + ".example");
  EXPECT_FALSE(full->flush(kNow).ok());
  EXPECT_LE(full->stats().values, 400U);
  EXPECT_GT(full->stats().lost, 500U);
}

// What a failed write left behind in the journal hides nothing that is written after it.
TEST(History, AWriteThatFailedHalfwayIsRepairedBeforeTheNext) {
  std::mt19937_64 r(11);
  MemFiles files;
  const HistoryOptions options{.segment_values = 1000, .segment_seen = 100'000, .map = false};
  auto history = opened(files, options);
  std::vector<Fact> facts;
  const auto add = [&](int n) {
    for (int i = 0; i < n; ++i) {
      facts.push_back(random_fact(r, kNow.us + static_cast<int64_t>(facts.size())));
      history->add(facts.back().time, facts.back().kind, facts.back().text);
    }
  };
  add(20);
  ASSERT_TRUE(history->flush(kNow).ok());
  add(7);
  files.fail_at(0);
  EXPECT_FALSE(history->flush(kNow).ok());
  files.fail_at(-1);
  add(7);
  ASSERT_TRUE(history->flush(kNow).ok());
  history.reset();
  files.kill();
  EXPECT_EQ(answer(*opened(files, options)), expected(facts));
}

TEST(History, TheOldestGoesWhenThereIsTooMuchOrItIsTooOld) {
  MemFiles files;
  HistoryOptions options{.keep_us = 1000 * kSecond, .max_bytes = 40'000, .segment_values = 100, .map = false};
  auto history = opened(files, options);
  const auto fill = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      history->add(kNow.plus_us(i * kSecond), ObservableKind::kHash,
                   hex("0123456789ab" + std::to_string(1000 + i % 9000)));
      ASSERT_TRUE(history->flush(kNow.plus_us(i * kSecond)).ok());
      ASSERT_LE(history->stats().bytes, options.max_bytes + 20'000);
    }
  };
  fill(0, 2500);
  const auto stats = history->stats();
  EXPECT_LT(stats.seen, 2500U);
  EXPECT_GT(stats.from, kNow);
  // By age, one segment a minute.
  options.max_bytes = 1U << 30;
  history = opened(files, options);
  Time now = kNow.plus_us(2500 * kSecond);
  size_t before = history->stats().segments;
  for (int minute = 0; minute < 60; ++minute) {
    now = now.plus_us(60 * kSecond);
    ASSERT_TRUE(history->flush(now).ok());
    EXPECT_GE(history->stats().segments + 1, before);
    before = history->stats().segments;
  }
  EXPECT_EQ(before, 0U);
}

TEST(History, AClockThatJumpsForAMomentDoesNotEmptyIt) {
  MemFiles files;
  auto history = opened(files, {.keep_us = 1000 * kSecond, .segment_values = 100, .map = false});
  for (int i = 0; i < 1000; ++i) {
    history->add(kNow.plus_us(i), ObservableKind::kDomain, "n" + std::to_string(i) + ".example");
    ASSERT_TRUE(history->flush(kNow).ok());
  }
  const size_t before = history->stats().segments;
  ASSERT_GE(before, 9U);
  const Time year = kNow.plus_us(int64_t{365} * 86'400 * kSecond);
  for (int i = 0; i < 30; ++i) {
    history->add(year.plus_us(i * kSecond), ObservableKind::kDomain, "future.example");
    ASSERT_TRUE(history->flush(year.plus_us(i * kSecond)).ok());
  }
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(history->flush(kNow.plus_us(i * kSecond)).ok());
  EXPECT_GE(history->stats().segments + 1, before);
  // And what was seen meanwhile is found, at the time it was said to be.
  const std::vector<History::Question> ask = {{1, {AtomKind::kDomain, "future.example", {}}}};
  const auto hits = history->find(ask);
  ASSERT_EQ(hits.size(), 1U);
  EXPECT_EQ(hits[0].first, year);
}

TEST(History, DamagedFilesAreCountedAndTheRestIsRead) {
  MemFiles files;
  const HistoryOptions options{.segment_values = 50, .map = false};
  auto history = opened(files, options);
  std::vector<Fact> facts;
  std::mt19937_64 r(3);
  for (int i = 0; i < 400; ++i) {
    facts.push_back(random_fact(r, kNow.us + i));
    history->add(facts.back().time, facts.back().kind, facts.back().text);
    ASSERT_TRUE(history->flush(kNow).ok());
  }
  history.reset();
  const auto names = *files.list("/history");
  for (const auto& name : names) {
    const std::string path = "/history/" + name, good = *files.read(path);
    for (int i = 0; i < 40; ++i) {
      std::string bad = good;
      bad[r() % bad.size()] ^= static_cast<char>(1 + r() % 255);
      if (i % 4 == 0) bad.resize(r() % bad.size());
      ASSERT_TRUE(files.write_atomic(path, bad, 0644).ok());
      const auto again = History::open("/history", files, {.segment_values = 50, .map = false, .write = false});
      ASSERT_TRUE(again.ok());
      // Never more than there was, and nothing that was not there.
      const auto got = answer(**again), want = expected(facts);
      for (const auto& [number, one] : got) {
        ASSERT_TRUE(want.contains(number));
        EXPECT_LE(std::get<0>(one), std::get<0>(want.at(number)));
      }
    }
    ASSERT_TRUE(files.write_atomic(path, good, 0644).ok());
  }
}

TEST(History, OnARealDiskSegmentsAreMapped) {
  const std::string folder = std::filesystem::temp_directory_path() / ("entente_history_" + std::to_string(getpid()));
  PosixFiles files;
  std::vector<Fact> facts;
  std::mt19937_64 r(3);
  {
    auto history = History::open(folder, files, {.segment_values = 500});
    ASSERT_TRUE(history.ok());
    for (int i = 0; i < 5000; ++i) {
      facts.push_back(random_fact(r, kNow.us + i));
      (*history)->add(facts.back().time, facts.back().kind, facts.back().text);
      if (i % 100 == 99) {
        ASSERT_TRUE((*history)->flush(kNow).ok());
      }
    }
  }
  const auto again = History::open(folder, files, {.write = false});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(answer(**again), expected(facts));
  EXPECT_GT((*again)->stats().segments, 1U);
  std::filesystem::remove_all(folder);
}

// A real process, a real disk, kill -9 at any moment.
TEST(History, KilledItKeepsWhatItSaidItKept) {
  const std::string folder = std::filesystem::temp_directory_path() / ("entente_killed_" + std::to_string(getpid()));
  const HistoryOptions options{.segment_values = 300};
  uint64_t said = 0;
  for (int round = 0; round < 10; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      PosixFiles files;
      auto history = History::open(folder, files, options);
      uint64_t n = history.ok() ? (*history)->stats().seen : 0;
      for (; history.ok(); ++n) {
        (*history)->add(kNow.plus_us(static_cast<int64_t>(n)), ObservableKind::kDomain,
                        "n" + std::to_string(n) + ".example");
        if (n % 20 != 19) continue;
        const uint64_t kept = n + 1;
        if (!(*history)->flush(kNow).ok() || write(ends[1], &kept, sizeof kept) != sizeof kept) break;
      }
      _exit(1);
    }
    close(ends[1]);
    // Until it has said something; then for a while of its own in each round.
    for (int i = 0; i < 15 + round * 7 && read(ends[0], &said, sizeof said) == sizeof said;) ++i;
    kill(child, SIGKILL);
    while (read(ends[0], &said, sizeof said) == sizeof said) {
    }
    close(ends[0]);
    waitpid(child, nullptr, 0);
    PosixFiles files;
    const auto again = History::open(folder, files, {.write = false});
    ASSERT_TRUE(again.ok());
    const auto stats = (*again)->stats();
    ASSERT_GE(stats.seen, said);
    ASSERT_LE(stats.seen, said + 20);
    EXPECT_EQ(stats.values, stats.seen) << "something is there twice";
    std::vector<History::Question> ask;
    for (uint32_t n = 0; n < said; n += 7)
      ask.push_back({n, {AtomKind::kDomain, "n" + std::to_string(n) + ".example", {}}});
    EXPECT_EQ((*again)->find(ask).size(), ask.size());
  }
  EXPECT_GT(said, 1000U);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace entente::detect
