// The stream finds what the evaluator finds, at the observation that completes it, whatever else is resident.
#include "pattern/stream.h"

#include <map>

#include <gtest/gtest.h>

#include "json/node.h"
#include "pattern/random_case_for_test.h"

namespace entente::pattern {
namespace {

using json::Node;

// The observed-data of a random case one by one, each with the objects it lists.
std::vector<std::string> pieces(const std::string& text) {
  const auto doc = json::parse(text);
  const Node all = Node::from(doc->root());
  std::vector<std::string> out;
  for (const Node& o : all.list()) {
    if (o.string_at("type") != "observed-data") continue;
    std::string piece = json::write(o);
    for (const Node& ref : o.find("object_refs")->list()) {
      for (const Node& target : all.list()) {
        if (target.string_at("id") == ref.string()) piece += "," + json::write(target);
      }
    }
    out.push_back(piece);
  }
  return out;
}

std::string list(const std::vector<std::string>& parts) {
  std::string s = "[";
  for (const auto& p : parts) s += (s.size() > 1 ? "," : "") + p;
  return s + "]";
}

TEST(PatternStream, FindsWhatTheEvaluatorFinds) {
  size_t matches = 0;
  size_t checks = 0;
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    RandomCase random(seed + 5'000'000);
    const bool simple = seed % 3 != 0;
    const auto parts = pieces(random.data(random.number(3, 8), simple));
    // More than one pattern resident, some of them come or go on the way.
    struct Resident {
      Matcher matcher;
      std::vector<std::pair<uint64_t, std::string>> pending;  // what is not used up
    };
    std::map<uint64_t, Resident> resident;
    PatternStream stream({.lateness = kAlways / 4});
    uint64_t next = 1;
    const auto add = [&] {
      const std::string text =
          simple ? random.pattern(random.number(0, 2), true) : random.pattern(random.number(0, 1), false);
      const auto p = Pattern::parse(text);
      ASSERT_TRUE(p.ok()) << text;
      const auto m = Matcher::compile(*p);
      ASSERT_TRUE(m.ok()) << text;
      ASSERT_TRUE(stream.add(next, *m).ok()) << text;
      resident.emplace(next++, Resident{*m, {}});
    };
    for (int i = 0; i < 4; ++i) add();
    for (const auto& part : parts) {
      if (random.one_in(4)) add();
      if (random.one_in(4) && !resident.empty()) {
        ASSERT_TRUE(stream.remove(resident.begin()->first));
        resident.erase(resident.begin());
      }
      auto one = Observations::read("[" + part + "]", {.only = &stream.symbols()});
      ASSERT_TRUE(one.ok());
      std::vector<StreamMatch> found;
      const uint64_t number = stream.push(*one, found);
      std::map<uint64_t, std::vector<uint64_t>> by_pattern;
      for (const auto& m : found) by_pattern[m.pattern] = m.observed;
      ASSERT_EQ(by_pattern.size(), found.size()) << "one match a pattern and observation at most";
      for (auto& [id, r] : resident) {
        r.pending.emplace_back(number, part);
        std::vector<std::string> texts;
        for (const auto& p : r.pending) texts.push_back(p.second);
        const auto all = Observations::read(list(texts));
        ASSERT_TRUE(all.ok());
        const auto expected = r.matcher.match(*all);
        ASSERT_NE(expected.outcome, Outcome::kLimit);
        ++checks;
        ASSERT_EQ(by_pattern.contains(id), expected.outcome == Outcome::kMatched) << "seed " << seed << "\n"
                                                                                  << list(texts);
        if (expected.outcome != Outcome::kMatched) continue;
        ++matches;
        // What it names is a binding by itself, and is used up.
        std::vector<std::string> named;
        for (const uint64_t n : by_pattern[id]) {
          const auto it = std::find_if(r.pending.begin(), r.pending.end(), [&](const auto& p) { return p.first == n; });
          ASSERT_NE(it, r.pending.end()) << "seed " << seed << ": was used up before";
          named.push_back(it->second);
          r.pending.erase(it);
        }
        const auto only = Observations::read(list(named));
        EXPECT_EQ(r.matcher.match(*only).outcome, Outcome::kMatched) << "seed " << seed;
      }
    }
    EXPECT_EQ(stream.stats().dropped + stream.stats().undecided + stream.stats().late, 0U);
  }
  EXPECT_GT(matches, checks / 20);
}

TEST(PatternStream, MatchAllSaysWhatMatchSays) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    RandomCase random(seed + 9'000'000);
    const bool simple = seed % 2 == 0;
    const auto data = Observations::read(random.data(random.number(1, 5), simple));
    ASSERT_TRUE(data.ok());
    std::vector<Matcher> matchers;
    for (int i = 0; i < 20; ++i) {
      const auto p = Pattern::parse(simple ? random.pattern(random.number(0, 2), true)
                                           : random.pattern(random.number(0, 1), false));
      matchers.push_back(*Matcher::compile(*p));
    }
    const auto together = match_all(matchers, *data);
    for (size_t i = 0; i < matchers.size(); ++i) {
      const auto alone = matchers[i].match(*data);
      ASSERT_EQ(together[i].outcome, alone.outcome) << "seed " << seed << " pattern " << i;
      if (alone.outcome == Outcome::kMatched && alone.witness.size() != 1) {
        EXPECT_EQ(together[i].witness, alone.witness) << "seed " << seed << " pattern " << i;
      }
    }
  }
}

// --- windows, bounds and order, by hand

class Feed {
 public:
  explicit Feed(const StreamOptions& options = {}) : stream(options) {}
  void add(uint64_t id, const std::string& text) {
    const auto p = Pattern::parse(text);
    ASSERT_TRUE(p.ok()) << p.error().text();
    ASSERT_TRUE(stream.add(id, *p).ok());
  }
  // The ids of patterns that match.
  std::vector<uint64_t> see(int64_t second, int64_t n) {
    Observations o({.only = &stream.symbols()});
    const Nanos t = static_cast<Nanos>(second) * 1'000'000'000;
    o.begin("", t, t);
    o.begin_object("x", "");
    o.property("n", n);
    o.end_object();
    o.end();
    EXPECT_TRUE(o.finish().ok());
    std::vector<StreamMatch> found;
    stream.push(o, found);
    std::vector<uint64_t> ids;
    for (const auto& m : found) ids.push_back(m.pattern);
    return ids;
  }
  PatternStream stream;
};

using Ids = std::vector<uint64_t>;
constexpr Nanos kSecond = 1'000'000'000;

TEST(PatternStream, ForgetsWhatWithinCannotReach) {
  Feed f({.lateness = 0});
  f.add(1, "([x:n = 1] FOLLOWEDBY [x:n = 2]) WITHIN 10 SECONDS");
  for (int64_t t = 0; t < 10'000; ++t) EXPECT_EQ(f.see(t, 1), Ids());
  EXPECT_LE(f.stream.stats().kept, 1024U);
  EXPECT_EQ(f.see(10'000, 2), Ids{1});
  EXPECT_EQ(f.see(20'000, 2), Ids());
  // Nothing more of this pattern, but time goes on: its memory is given back.
  for (int64_t t = 20'000; t < 20'100; ++t) f.see(t, 3);
  EXPECT_EQ(f.stream.stats().kept, 0U);
}

TEST(PatternStream, BoundedOutOfOrder) {
  Feed f({.lateness = 5 * kSecond});
  f.add(1, "([x:n = 1] FOLLOWEDBY [x:n = 2]) WITHIN 10 SECONDS");
  EXPECT_EQ(f.see(100, 2), Ids());
  EXPECT_EQ(f.see(96, 1), Ids{1});  // came later, was earlier
  EXPECT_EQ(f.stream.stats().late, 0U);
  EXPECT_EQ(f.see(200, 3), Ids());
  EXPECT_EQ(f.see(190, 3), Ids());
  EXPECT_EQ(f.stream.stats().late, 1U);
}

TEST(PatternStream, MemoryOfOnePatternIsBoundedAndSaysSo) {
  Feed f({.max_kept = 100});
  f.add(1, "[x:n = 1] FOLLOWEDBY [x:n = 2]");
  for (int64_t t = 0; t < 1000; ++t) f.see(t, 1);
  EXPECT_EQ(f.stream.stats().kept, 100U);
  EXPECT_EQ(f.stream.stats().dropped, 900U);
  EXPECT_EQ(f.see(1000, 2), Ids{1});
  const auto p = Pattern::parse("[x:n = 1] REPEATS 101 TIMES");
  const auto s = f.stream.add(2, *p);
  ASSERT_FALSE(s.ok());
  EXPECT_EQ(s.error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(f.stream.add(1, *Pattern::parse("[x:n = 1]")).error().kind, ErrorKind::kConflict);
}

TEST(PatternStream, AddAndRemoveManyTimes) {
  Feed f;
  f.add(1, "[x:n = 7]");
  for (uint64_t i = 2; i < 20'000; ++i) {
    f.add(i, "[x:n = " + std::to_string(i % 50) + " AND x:p" + std::to_string(i) + " = 1] OR [x:n IN (" +
                 std::to_string(i) + ", 3)]");
    ASSERT_TRUE(f.stream.remove(i));
    ASSERT_FALSE(f.stream.remove(i));
  }
  EXPECT_EQ(f.see(0, 7), Ids{1});
  EXPECT_EQ(f.see(0, 3), Ids());
  EXPECT_EQ(f.stream.stats().patterns, 1U);
}

TEST(PatternStream, SaysWhichBracketsNoValueAnchors) {
  Feed f;
  f.add(1, "[x:n != 5]");
  f.add(2, "[x:n != 5 AND x:n = 6]");
  f.add(3, "[x:n = 1 OR x:n LIKE 'a']");
  EXPECT_EQ(f.stream.stats().unanchored, 2U);
  EXPECT_EQ(f.see(0, 6), (Ids{1, 2}));
  EXPECT_TRUE(f.stream.remove(1));
  EXPECT_EQ(f.stream.stats().unanchored, 1U);
}

}  // namespace
}  // namespace entente::pattern
