// Random patterns over random observations: the product and the obvious evaluator give the same answer, and what the
// product says is bound is a binding.
#include <cstdlib>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "pattern/evaluate.h"
#include "pattern/oracle_for_test.h"
#include "pattern/random_case_for_test.h"

namespace entente::pattern {
namespace {

struct Counted {
  int cases = 0, matched = 0;
};

// An empty text if all is well.
std::string check(uint64_t seed, bool simple, Counted& counted) {
  RandomCase random(seed);
  const std::string text = random.data(random.number(1, simple ? 6 : 3), simple);
  const std::string pattern_text =
      simple ? random.pattern(random.number(1, 3), true) : random.pattern(random.number(0, 1), false);
  const auto report = [&](const std::string& what) {
    return what + "\nseed " + std::to_string(seed) + "\n" + pattern_text + "\n" + text;
  };
  const auto pattern = Pattern::parse(pattern_text);
  if (!pattern.ok()) return report("does not parse: " + pattern.error().text());
  const auto data = Observations::read(text);
  if (!data.ok()) return report("does not read: " + data.error().text());
  const auto matcher = Matcher::compile(*pattern);
  if (!matcher.ok()) return report("does not compile: " + matcher.error().text());
  const auto result = matcher->match(*data);

  const auto doc = json::parse(text);
  const json::Node tree = json::Node::from(doc->root());
  const bool expected = oracle::matches(pattern->ast(), tree);
  ++counted.cases;
  counted.matched += expected ? 1 : 0;
  if (result.outcome == Outcome::kLimit) return report("limit reached");
  if ((result.outcome == Outcome::kMatched) != expected) return report(expected ? "not found" : "found what is none");
  if (expected) {
    oracle::Counts counts(data->all().size());
    for (const auto& b : result.witness) counts[b.observation] += static_cast<int>(b.times);
    if (!oracle::is_binding(pattern->ast(), tree, counts)) return report("the witness is no binding");
  }
  return "";
}

int cases(int usual) {
  const char* more = std::getenv("ENTENTE_PATTERN_CASES");
  return more == nullptr ? usual : std::atoi(more);
}

TEST(PatternOracle, BindingsOfRandomPatterns) {
  Counted counted;
  for (int i = 0; i < cases(20'000); ++i) {
    const auto wrong = check(static_cast<uint64_t>(i), true, counted);
    ASSERT_EQ(wrong, "");
  }
  // Both answers are common, or the cases would say little.
  EXPECT_GT(counted.matched, counted.cases / 10);
  EXPECT_LT(counted.matched, counted.cases * 9 / 10);
}

TEST(PatternOracle, ComparisonsOfRandomPatterns) {
  Counted counted;
  for (int i = 0; i < cases(20'000); ++i) {
    const auto wrong = check(static_cast<uint64_t>(i) + 1'000'000'000, false, counted);
    ASSERT_EQ(wrong, "");
  }
  EXPECT_GT(counted.matched, counted.cases / 10);
  EXPECT_LT(counted.matched, counted.cases * 9 / 10);
}

RC_GTEST_PROP(PatternOracle, AnySeed, (uint64_t seed)) {
  Counted counted;
  for (uint64_t i = 0; i < 10; ++i) {
    const auto wrong = check(seed + i, i % 2 == 0, counted);
    if (!wrong.empty()) RC_FAIL(wrong);
  }
}

}  // namespace
}  // namespace entente::pattern
