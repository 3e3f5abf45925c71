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

// Of every kind, with validity, through all folds: what is given is what was added, to the last member.
TEST(Live, WhatIsGivenIsWhatWasAddedOfEveryKind) {
  struct Known {
    Indicator indicator;
    pattern::Atom atom;
  };
  const auto observe = [](const pattern::Atom& a) -> std::pair<ObservableKind, std::string> {
    switch (a.kind) {
      case AtomKind::kIpv4:
        return {ObservableKind::kIpv4, a.value};
      case AtomKind::kIpv6:
        return {ObservableKind::kIpv6, a.value};
      case AtomKind::kCidr4:
        return {ObservableKind::kIpv4, a.value.substr(0, a.value.rfind('.')) + ".77"};
      case AtomKind::kDomainBelow:
        return {ObservableKind::kDomain, "x." + a.value};
      case AtomKind::kUrl:
        return {ObservableKind::kUrl, a.value};
      case AtomKind::kMd5:
        return {ObservableKind::kHash, a.value};
      case AtomKind::kEmail:
        return {ObservableKind::kEmail, a.value};
      default:
        return {ObservableKind::kDomain, a.value};
    }
  };
  std::mt19937 random(7);
  const auto atom = [&](int n) -> pattern::Atom {
    const std::string text = std::to_string(n), octet = std::to_string(n % 250);
    switch (n % 8) {
      case 0:
        return {AtomKind::kIpv4, "192.0.2." + octet, {}};
      case 1:
        return {AtomKind::kIpv6, "2001:db8::" + octet, {}};
      case 2:
        return {AtomKind::kCidr4, "10." + octet + ".0.0/24", {}};
      case 3:
        return {AtomKind::kDomainBelow, "b" + text + ".example", {}};
      case 4:
        return {AtomKind::kUrl, "http://h" + text + ".example/a", {}};
      case 5:
        return {AtomKind::kMd5, std::string(32 - text.size(), 'a') + text, {}};
      case 6:
        return {AtomKind::kEmail, "u" + text + "@example.org", {}};
      default:
        return {AtomKind::kDomain, "d" + text + ".example", {}};
    }
  };
  Live live;
  std::map<std::string, Known> model;
  const char* ids[] = {"indicator--00000000-0000-4000-8000-", "indicator--", "other "};
  for (int step = 0; step < 6000; ++step) {
    const int n = static_cast<int>(random() % 900);
    std::string id = ids[n % 3] + std::string(12 - std::to_string(n).size(), '0') + std::to_string(n);
    if (n % 3 == 1) id += std::string(static_cast<size_t>(n), 'x');  // up to far beyond what a packed id can hold
    if (random() % 5 == 0) {
      live.remove(id);
      model.erase(id);
      continue;
    }
    Known k{.indicator = {.id = id,
                          .pattern = "[pattern " + std::to_string(random() % 100) + "]",
                          .version = "v" + std::to_string(random() % 50),
                          .valid_from = {static_cast<int64_t>(random() % 3) * 100},
                          .valid_until = {random() % 2 == 0 ? INT64_MAX : 150},
                          .confidence = static_cast<int>(random() % 102) - 1,
                          .tag = static_cast<uint32_t>(random())},
            .atom = atom(static_cast<int>(random() % 900))};
    live.add(k.indicator, {k.atom});
    model[id] = std::move(k);
  }
  const auto compare = [&] {
    EXPECT_EQ(live.size(), model.size());
    for (const Time at : {Time{50}, Time{120}, Time{1000}}) {
      for (const auto& [id, k] : model) {
        const auto [kind, text] = observe(k.atom);
        size_t found = 0;
        live.match({kind, text, {}}, at, [&](const Indicator& i, AtomKind atom_kind) {
          ASSERT_TRUE(model.contains(i.id)) << i.id;
          const Known& expected = model[i.id];
          EXPECT_EQ(i.pattern, expected.indicator.pattern);
          EXPECT_EQ(i.version, expected.indicator.version);
          EXPECT_EQ(i.valid_from, expected.indicator.valid_from);
          EXPECT_EQ(i.valid_until, expected.indicator.valid_until);
          EXPECT_EQ(i.confidence, expected.indicator.confidence);
          EXPECT_EQ(i.tag, expected.indicator.tag);
          EXPECT_EQ(atom_kind, expected.atom.kind);
          EXPECT_TRUE(at >= i.valid_from && at < i.valid_until);
          found += i.id == id ? 1 : 0;
        });
        const bool valid = at >= k.indicator.valid_from && at < k.indicator.valid_until;
        EXPECT_EQ(found, valid ? 1u : 0u) << id << " " << text;
      }
    }
  };
  compare();
  live.settle();
  compare();
}

TEST(Live, AnIndicatorTakesLittleMemory) {
  Live live;
  char id[64];
  for (int i = 0; i < 50'000; ++i) {
    std::snprintf(id, sizeof id, "indicator--%08x-0000-4000-8000-%012x", i * 7919, i);
    live.add({.id = id, .pattern = "[domain-name:value = '" + domain_of(i) + "']", .tag = static_cast<uint32_t>(i)},
             {{AtomKind::kDomain, domain_of(i), {}}});
  }
  live.settle();
  EXPECT_LT(live.memory_bytes(), 90u * 50'000);
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
