// S41: patterns of indicators as rules of validation.
#include "pattern/indicator.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace entente::pattern
