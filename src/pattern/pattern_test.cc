#include "pattern/pattern.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pattern/internal/ast.h"

namespace entente::pattern {
namespace {

using ::testing::HasSubstr;

std::string printed(std::string_view text) {
  const auto p = Pattern::parse(text);
  return p.ok() ? p->print() : "ERROR " + p.error().text();
}

Error error_of(std::string_view text) {
  const auto p = Pattern::parse(text);
  return p.ok() ? Error{ErrorKind::kInternal, "parsed: " + p->print(), "", ""} : p.error();
}

TEST(PatternParse, KeepsCanonicalTextAsItIs) {
  for (const std::string_view text : {
           "[ipv4-addr:value = '198.51.100.3']",
           "[file:hashes.'SHA-256' = 'aec0']",
           "[a:b = 1 AND a:c != 2.5 OR a:d < t'2020-01-01T00:00:00Z']",
           "[a:b = 1 AND (a:c = 2 OR a:d = 3)]",
           "[EXISTS a:b.c[3].d[*]] OR [NOT EXISTS a:b]",
           "[a:b NOT IN ('x', 'y')]",
           "[a:b IN ()]",
           "[a:b NOT LIKE '%x_'] FOLLOWEDBY [a:b MATCHES '\\\\d+']",
           "[a:b ISSUBSET '10.0.0.0/8' OR a:b ISSUPERSET '10.0.0.1']",
           "[a:b_hex = h'00ff' OR a:b_bin = b'AAE=']",
           "[a:b = true] REPEATS 5 TIMES WITHIN 300 SECONDS",
           "([a:b = 1] REPEATS 2 TIMES) REPEATS 2 TIMES",
           "([a:b = 1] AND [a:b = 2]) WITHIN 0.5 SECONDS",
           "[a:b = 1] AND ([a:b = 2] OR [a:b = 3]) FOLLOWEDBY [a:b = 4]",
           "[a:b = 1] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00.5Z'",
       }) {
    EXPECT_EQ(printed(text), text);
  }
}

TEST(PatternParse, NormalisesSpellings) {
  EXPECT_EQ(printed("[ a:b==1 ]"), "[a:b = 1]");
  EXPECT_EQ(printed("[a:b<>'x']"), "[a:b != 'x']");
  EXPECT_EQ(printed("(([a:b=1]))"), "[a:b = 1]");
  EXPECT_EQ(printed("[((a:b=1))]"), "[a:b = 1]");
  EXPECT_EQ(printed("([a:b=1]) REPEATS 2 TIMES"), "[a:b = 1] REPEATS 2 TIMES");
  EXPECT_EQ(printed("[a:'b'=1]"), "[a:b = 1]");
  EXPECT_EQ(printed("[a:b=.5]"), "[a:b = 0.5]");
  EXPECT_EQ(printed("[a:b=h'00FF']"), "[a:b = h'00ff']");
  EXPECT_EQ(printed("[a:b /* c */ = // d\n 1]"), "[a:b = 1]");
  EXPECT_EQ(printed("[a:b\u00a0=\u20031\u3000]"), "[a:b = 1]");  // white space of Unicode, §9.2
}

TEST(PatternParse, AndBindsTighterThanOrAndFollowedbyLoosest) {
  const auto p = Pattern::parse("[a:b=1] OR [a:b=2] AND [a:b=3] FOLLOWEDBY [a:b=4]");
  ASSERT_TRUE(p.ok());
  const auto& root = p->ast().root;
  ASSERT_EQ(root.kind, Observation::Kind::kFollowedBy);
  ASSERT_EQ(root.children[0].kind, Observation::Kind::kOr);
  EXPECT_EQ(root.children[0].children[1].kind, Observation::Kind::kAnd);
  const auto q = Pattern::parse("[a:b=1 OR a:b=2 AND a:b=3]");
  ASSERT_TRUE(q.ok());
  EXPECT_EQ(q->ast().root.comparison.kind, Comparison::Kind::kOr);
  EXPECT_EQ(q->ast().root.comparison.children[1].kind, Comparison::Kind::kAnd);
}

TEST(PatternParse, QualifierBelongsToTheUnitBeforeIt) {
  const auto p = Pattern::parse("[a:b=1] AND [a:b=2] REPEATS 5 TIMES");
  ASSERT_TRUE(p.ok());
  const auto& root = p->ast().root;
  ASSERT_EQ(root.kind, Observation::Kind::kAnd);
  EXPECT_TRUE(root.qualifiers.empty());
  EXPECT_TRUE(root.children[0].qualifiers.empty());
  EXPECT_EQ(root.children[1].qualifiers.size(), 1U);
}

TEST(PatternParse, EscapesAreOnlyQuoteAndBackslash) {
  const auto p = Pattern::parse(R"([a:b = 'it\'s C:\\x'])");
  ASSERT_TRUE(p.ok());
  EXPECT_EQ(p->ast().root.comparison.test.constants[0].text, R"(it's C:\x)");
  EXPECT_EQ(error_of(R"([a:b = 'a\n'])").where, "1:10");
  EXPECT_EQ(quote(R"(it's C:\x)"), R"('it\'s C:\\x')");
}

// Each wrong text, where the error is, and a word of the message.
TEST(PatternParse, ErrorsSayWhereAndWhatWasExpected) {
  struct Case {
    std::string_view text, where, says;
  };
  for (const auto& c : {
           Case{"", "1:1", "[ or ("},
           Case{"[a:b = 1", "1:9", "AND, OR or ]"},
           Case{"[a:b 1]", "1:6", "NOT, =, !=, <"},
           Case{"[a:b LIKE 1]", "1:11", "a string"},
           Case{"[a:b = 'x]", "1:8", "not closed"},
           Case{"[a = 1]", "1:4", "expected :"},
           Case{"[a-b.c = 1]", "1:5", "expected :"},
           Case{"[a:b-c = 1]", "1:4", "'b-c'"},
           Case{"[a:b = 1] FOLLOWEDBY", "1:21", "[ or ("},
           Case{"[a:b = 1] garbage", "1:11", "the end of the pattern"},
           Case{"[a:b = 1]\n  AND [a:b ~ 2]", "2:12", "unexpected character"},
           Case{"[a:b = 'é'] x", "1:13", "unexpected \"x\""},
           Case{"[a:b = t'2020-02-30T00:00:00Z']", "1:8", "not a timestamp"},
           Case{"[a:b = t'2020-02-01t00:00:00Z']", "1:8", "not a timestamp"},
           Case{"[a:b = h'0']", "1:8", "even number"},
           Case{"[a:b = b'']", "1:8", "base64"},
           Case{"[a:b = 1.]", "1:8", "ends in a dot"},
           Case{"[a:b = 01]", "1:8", "leading zeros"},
           Case{"[a:b = 99999999999999999999]", "1:8", "out of range"},
           Case{"[a:b < true]", "1:8", "no order"},
           Case{"[a:b IN (1, 'x')]", "1:13", "different types"},
           Case{"[NOT a:b = 1]", "1:6", "EXISTS"},
           Case{"[NOT (a:b = 1)]", "1:6", "EXISTS"},
           Case{"[a:b = 1] WITHIN 0 SECONDS", "1:18", "more than 0"},
           Case{"[a:b = 1] REPEATS 0 TIMES", "1:19", "at least 1"},
           Case{"[a:b = 1] REPEATS 1.5 TIMES", "1:19", "an integer"},
           Case{"[a:b = 1] REPEATS 2 TIMES REPEATS 2 TIMES", "1:27", "twice"},
           Case{"[a:b = 1] WITHIN 2 SECONDS REPEATS 2 TIMES WITHIN 2 SECONDS", "1:44", "twice"},
           Case{"[a:b = 1] START '2020' STOP t'2020-01-01T00:00:00Z'", "1:17", "a timestamp"},
           Case{"[a:b = 1] and [a:b = 2]", "1:11", "AND"},
           Case{"[a:b[x] = 1]", "1:6", "* or an integer"},
           Case{"[a:b = \"x\"]", "1:8", "single quotes"},
           Case{"[a:b = 1 /* ]", "1:10", "comment"},
       }) {
    const Error e = error_of(c.text);
    EXPECT_EQ(e.where, c.where) << c.text << ": " << e.text();
    EXPECT_THAT(e.text(), HasSubstr(std::string(c.says))) << c.text;
  }
}

TEST(PatternParse, PlusIsReadWithAWarning) {
  const auto p = Pattern::parse("[a:b = +5]");
  ASSERT_TRUE(p.ok());
  EXPECT_EQ(p->print(), "[a:b = 5]");
  ASSERT_EQ(p->warnings().size(), 1U);
  EXPECT_THAT(p->warnings()[0], HasSubstr("1:8"));
}

TEST(PatternParse, IsBoundedInSizeAndDepth) {
  const auto nested = [](size_t n) { return std::string(n, '(') + "[a:b = 1]" + std::string(n, ')'); };
  EXPECT_TRUE(Pattern::parse(nested(64)).ok());
  EXPECT_THAT(error_of(nested(65)).what, HasSubstr("nested"));
  EXPECT_THAT(error_of("[" + std::string(30'000, '(')).what, HasSubstr("nested"));
  EXPECT_EQ(error_of("[a:b = '" + std::string(70'000, 'x') + "']").kind, ErrorKind::kTooLarge);
  EXPECT_THAT(error_of("[a:b = '\xff']").what, HasSubstr("UTF-8"));
}

}  // namespace
}  // namespace entente::pattern
