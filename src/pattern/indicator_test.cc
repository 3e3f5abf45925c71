// S41: patterns of indicators as rules of validation.
#include "pattern/indicator.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pattern/internal/plain.h"
#include "pattern/pattern.h"

namespace entente::pattern {
namespace {

std::string found(const std::string& members, bool warnings = true) {
  const auto document = json::parse("{" + members + "}");
  EXPECT_TRUE(document.ok()) << members;
  std::vector<stix::Finding> out;
  bool errors = false;
  const bool ok = validate_pattern(document->root(), {.warnings = warnings}, out);
  std::string text;
  for (const auto& f : out) {
    errors = errors || f.level == stix::Finding::Level::kError;
    text += std::string(f.code) + " " + f.pointer + ";";
    bool listed = false;
    for (const auto& c : stix::codes()) listed = listed || (c.code == f.code && c.level == f.level);
    EXPECT_TRUE(listed) << f.code << " is not in the table of codes";
  }
  EXPECT_EQ(ok, !errors);
  return text;
}

TEST(IndicatorPattern, OnlyPatternsOfTypeStixAreParsed) {
  const std::string stix = R"("type":"indicator","pattern_type":"stix","pattern":)";
  EXPECT_EQ(found(stix + R"("[file:size = 1]")"), "");
  EXPECT_EQ(found(stix + R"("[file:size = ]")"), "S41-pattern /pattern;");
  EXPECT_EQ(found(stix + R"("[file:size = +1]")"), "S41-pattern-form /pattern;");
  EXPECT_EQ(found(stix + R"("[file:size = +1]")", false), "");
  EXPECT_EQ(found(R"("type":"indicator","pattern_type":"yara","pattern":"rule x")"), "");
  EXPECT_EQ(found(R"("type":"tool","pattern_type":"stix","pattern":"x")"), "");
  EXPECT_EQ(found(R"("type":"indicator","pattern_type":"stix")"), "");
}

// What the quick way takes, the parser takes, without a word.
TEST(Indicator, PlainlyValidIsValid) {
  const std::vector<std::string> plain = {
      "[domain-name:value = 'a.example']",
      "[file:hashes.'SHA-256' = '00' OR file:hashes.MD5 = '11' OR url:value='http://a.example/?q=%20']",
      "[ x-y:a_b.c.'d e' = '' ]", "[network-traffic:dst_ref.value = '198.51.100.7']"};
  EXPECT_TRUE(plainly_valid(plain[0]));
  EXPECT_TRUE(plainly_valid(plain[1]));
  EXPECT_TRUE(plainly_valid(plain[2]));
  for (const char* text : {"", "[", "[]", "[a:b = 'c'", "[a:b = 'c'] ", "[a:b = 'c' OR]", "[a:b = 'c' ORd:e = 'f']",
                           "[true:b = 'c']", "[AND:b = 'c']", "[a:EXISTS = 'c']", "[a:false = 'c']", "[a:b-c = 'd']",
                           "[a:b = '\\x']", "[a:b = 'c']]", "[a:'' = 'c']", "[a:b.'' = 'c']"})
    EXPECT_FALSE(plainly_valid(text) && !Pattern::parse(text).ok()) << text;
  std::mt19937_64 r(1);
  size_t taken = 0;
  const std::string letters = "[]:='.-_ ORabtrue01\\\n*(\xc3";
  for (int i = 0; i < 300'000; ++i) {
    std::string text = plain[r() % plain.size()];
    for (uint64_t n = r() % 4; n > 0; --n) {
      const size_t at = r() % text.size();
      switch (r() % 3) {
        case 0:
          text[at] = letters[r() % letters.size()];
          break;
        case 1:
          text.insert(at, 1, letters[r() % letters.size()]);
          break;
        default:
          text.erase(at, 1 + r() % 3);
      }
      if (text.empty()) text = "[";
    }
    if (!plainly_valid(text)) continue;
    ++taken;
    const auto parsed = Pattern::parse(text);
    ASSERT_TRUE(parsed.ok()) << text << " " << parsed.error().text();
    ASSERT_TRUE(parsed->warnings().empty()) << text;
  }
  EXPECT_GT(taken, 50'000U);
  EXPECT_LT(taken, 250'000U);
}

}  // namespace
}  // namespace entente::pattern
