#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "detect/index.h"

namespace entente::detect {
namespace {

using pattern::AtomKind;

std::string id_of(int i) { return "indicator--" + std::to_string(i); }
std::string domain_of(int i) { return "d" + std::to_string(i) + ".example"; }

void add(Live& live, int id, int domain, Time from = {}, Time until = {INT64_MAX}) {
  live.add({.id = id_of(id), .valid_from = from, .valid_until = until}, {{AtomKind::kDomain, domain_of(domain), {}}});
}
std::multiset<std::string> ids(const Live& live, int domain, Time at = {1}) {
  std::multiset<std::string> out;
  live.match({ObservableKind::kDomain, domain_of(domain), {}}, at,
             [&](const Indicator& i, AtomKind) { out.insert(i.id); });
  return out;
}

// After any sequence of additions, replacements and removals the set answers as a plain map does.
RC_GTEST_PROP(Live, AnswersLikeAMapAtEveryMoment, ()) {
  Live live;
  std::map<int, int> model;
  const int steps = *rc::gen::inRange(1, 1500);
  std::mt19937 random(*rc::gen::arbitrary<uint32_t>());
  for (int s = 0; s < steps; ++s) {
    const int id = static_cast<int>(random() % 400), domain = static_cast<int>(random() % 50);
    if (random() % 4 == 0) {
      live.remove(id_of(id));
      model.erase(id);
    } else {
      add(live, id, domain);
      model[id] = domain;
    }
    if (random() % 16 == 0 || s + 1 == steps) {
      const int look = static_cast<int>(random() % 50);
      std::multiset<std::string> expected;
      for (const auto& [i, d] : model)
        if (d == look) expected.insert(id_of(i));
      RC_ASSERT(ids(live, look) == expected);
    }
  }
  RC_ASSERT(live.size() == model.size());
  live.settle();
  for (int look = 0; look < 50; ++look) {
    std::multiset<std::string> expected;
    for (const auto& [i, d] : model)
      if (d == look) expected.insert(id_of(i));
    RC_ASSERT(ids(live, look) == expected);
  }
}

TEST(Live, OnlyValidIndicatorsAreGiven) {
  Live live;
  add(live, 1, 1, {100}, {200});
  EXPECT_TRUE(ids(live, 1, {99}).empty());
  EXPECT_EQ(ids(live, 1, {100}).size(), 1u);
  EXPECT_EQ(ids(live, 1, {199}).size(), 1u);
  EXPECT_TRUE(ids(live, 1, {200}).empty());
}

TEST(Live, AHitMayChangeTheSet) {
  Live live;
  add(live, 1, 1);
  live.match({ObservableKind::kDomain, domain_of(1), {}}, {1}, [&](const Indicator& i, AtomKind) {
    live.remove(i.id);
    add(live, 2, 1);
    EXPECT_EQ(ids(live, 1), std::multiset<std::string>{id_of(2)});
  });
}

// Readers beside a writer: what is always there is always found, what was never there never, and what was added is
// found from then on. The thread sanitizer judges the rest.
TEST(Live, ReadersNeverMissWhatStaysWhileAWriterChangesTheRest) {
  Live live;
  constexpr int kStay = 50, kRounds = 3000;
  for (int i = 0; i < kStay; ++i) add(live, i, i);
  std::atomic<int> added{kStay - 1};
  std::atomic<bool> done{false};
  std::atomic<uint64_t> looks{0}, wrong{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&, r] {
      std::mt19937 random(static_cast<uint32_t>(r));
      while (!done.load()) {
        const int newest = added.load();
        const int stay = static_cast<int>(random() % kStay);
        if (ids(live, stay) != std::multiset<std::string>{id_of(stay)}) ++wrong;
        if (ids(live, newest).empty() && added.load() == newest) ++wrong;
        if (!ids(live, 1'000'000).empty()) ++wrong;
        ++looks;
      }
    });
  }
  for (int i = kStay; i < kStay + kRounds; ++i) {
    add(live, i, i);
    added.store(i);
    if (i > kStay + 20 && i % 2 == 0) live.remove(id_of(i - 20));
  }
  while (looks.load() < 100) std::this_thread::yield();
  done = true;
  for (auto& t : readers) t.join();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_GT(looks.load(), 0u);
}

}  // namespace
}  // namespace entente::detect
