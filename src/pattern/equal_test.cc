#include "pattern/equal.h"

#include <map>

#include <gtest/gtest.h>

#include "pattern/evaluate.h"
#include "pattern/random_case_for_test.h"

namespace entente::pattern {
namespace {

bool equal(const std::string& a, const std::string& b) {
  const auto x = Pattern::parse(a);
  const auto y = Pattern::parse(b);
  if (!x.ok() || !y.ok()) {
    ADD_FAILURE() << a << "\n" << b;
    return false;
  }
  return surely_equal(*x, *y);
}

TEST(PatternEqual, WhatIsWrittenOtherwise) {
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{
           {"[a:b = 1 AND a:c = 2]", "[a:c = 2 AND a:b = 1]"},
           {"[a:b = 1 OR a:b = 2]", "[a:b IN (2, 1.0)]"},
           {"[a:b IN (1)]", "[a:b = 1]"},
           {"[a:b NOT = 1]", "[a:b != 1]"},
           {"[a:b NOT IN (1, 2)]", "[a:b != 2 AND a:b != 1]"},
           {"[a:b NOT < 1]", "[a:b >= 1]"},
           {"[a:b = 1 OR a:b = 1]", "[a:b = 1]"},
           {"[a:b = 1 OR (a:b = 1 AND a:c = 2)]", "[a:b = 1]"},
           {"[a:b = 1 AND (a:c = 2 OR a:d = 3)]", "[(a:b = 1 AND a:d = 3) OR (a:c = 2 AND a:b = 1)]"},
           {"[a:b = 1 OR c:d = 2]", "[c:d = 2] OR [a:b = 1]"},
           {"[a:b = 1] AND [a:b = 2]", "[a:b = 2] AND [a:b = 1]"},
           {"[a:b = 1] AND [a:b = 1]", "[a:b = 1] REPEATS 2 TIMES"},
           {"([a:b = 1] AND [a:c = 1]) REPEATS 2 TIMES", "[a:b = 1] REPEATS 2 TIMES AND [a:c = 1] REPEATS 2 TIMES"},
           {"[a:b = 1] WITHIN 5 SECONDS", "[a:b = 1]"},
           {"([a:b = 1] FOLLOWEDBY [a:b = 2]) FOLLOWEDBY [a:b = 3]",
            "[a:b = 1] FOLLOWEDBY ([a:b = 2] FOLLOWEDBY [a:b = 3])"},
           {"[a:b = t'2026-01-01T00:00:00Z']", "[a:b = t'2026-01-01T00:00:00.00Z']"},
           {"[a:b_bin = b'QQ==']", "[a:b_bin = h'41']"},
           {"[a:b ISSUBSET '198.51.100.7/24']", "[a:b ISSUBSET '198.51.100.0/24']"},
           {"[a:b IN ()] OR [a:c = 1]", "[a:c = 1]"},
           {"[a:b = 1 AND c:d = 1]", "[a:b IN ()]"},
       }) {
    EXPECT_TRUE(equal(a, b)) << a << "\n" << b;
  }
}

TEST(PatternEqual, WhatIsNotTheSame) {
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{
           {"[a:b = 1]", "[a:b = 2]"},
           {"[a:b = 1]", "[a:b = '1']"},
           {"[a:b = 1]", "[a:b = true]"},
           {"[a:b = 1 AND a:c = 2]", "[a:b = 1] AND [a:c = 2]"},
           {"[a:b = 1] AND [a:b = 1]", "[a:b = 1]"},
           {"[a:b = 1] FOLLOWEDBY [a:b = 2]", "[a:b = 2] FOLLOWEDBY [a:b = 1]"},
           {"[a:b[*] NOT IN (1, 2)]", "[a:b[*] != 1 AND a:b[*] != 2]"},
           {"[a:b_bin NOT < 'x']", "[a:b_bin >= 'x']"},
           {"[a:b = 1] REPEATS 2 TIMES WITHIN 5 SECONDS", "[a:b = 1] WITHIN 5 SECONDS REPEATS 2 TIMES"},
           {"[a:b LIKE 'x']", "[a:b = 'x']"},
           {"[a:b = '{[]}'] FOLLOWEDBY [a:b = 1]", "[a:b = '{[]}'] FOLLOWEDBY [a:b = 2]"},
           {"[a:b = 'x AND a:c = 1']", "[a:b = 'x' AND a:c = 1]"},
       }) {
    EXPECT_FALSE(equal(a, b)) << a << "\n" << b;
  }
}

// Patterns with one normal form answer alike over whatever data.
TEST(PatternEqual, EqualFormsMatchTheSame) {
  RandomCase random(11);
  std::vector<Observations> worlds;
  for (int i = 0; i < 40; ++i) worlds.push_back(*Observations::read(random.data(random.number(1, 5), i % 2 == 0)));
  size_t pairs = 0;
  for (const bool simple : {true, false}) {
    std::map<std::string, Pattern> first;
    for (int i = 0; i < 6000; ++i) {
      const std::string text = simple ? random.pattern(random.number(0, 2), true) : "[" + random.comparison(1) + "]";
      const auto p = Pattern::parse(text);
      ASSERT_TRUE(p.ok()) << text;
      const auto form = normal_form(*p);
      if (!form) continue;
      const auto [it, added] = first.emplace(*form, *p);
      if (added || it->second.print() == p->print()) continue;
      ++pairs;
      const auto a = Matcher::compile(it->second);
      const auto b = Matcher::compile(*p);
      for (const auto& world : worlds) {
        ASSERT_EQ(a->match(world).outcome, b->match(world).outcome) << it->second.print() << "\n" << p->print();
      }
    }
  }
  EXPECT_GT(pairs, 200U);
}

TEST(PatternEqual, LargeOnesAreNotKnown) {
  std::string s = "[(a:b = 1 OR a:c = 1)";
  for (int i = 0; i < 30; ++i) s += " AND (a:b = " + std::to_string(i) + " OR a:c = " + std::to_string(i) + ")";
  EXPECT_FALSE(equal(s + "]", s + "]"));
}

}  // namespace
}  // namespace entente::pattern
