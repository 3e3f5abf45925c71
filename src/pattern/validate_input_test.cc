// The whole of an input: what is counted, what is reported where, what is left out on request.
#include "pattern/validate_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace entente::pattern {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string tool(const std::string& more) {
  return R"({"type":"tool","spec_version":"2.1","id":"tool--00000000-0000-4000-8000-000000000001",)"
         R"("created":"2020-01-01T00:00:00.000Z","modified":"2020-01-01T00:00:00.000Z")" +
         more + "}";
}

// "line code pointer"; a line of 0 for what is said late.
std::vector<std::string> run(const std::string& text, InputSummary& summary, const InputOptions& options = {}) {
  std::vector<std::string> out;
  auto r = validate_input(stix::read_text(text, 64), options, [&](const ObjectReport& report) {
    for (const auto& f : *report.findings) {
      out.push_back(std::to_string(report.line) + " " + std::string(f.code) + " " + f.pointer);
    }
  });
  EXPECT_TRUE(r.ok());
  if (r.ok()) summary = *r;
  return out;
}

TEST(ValidateInput, ReportsEveryObjectWithItsLineAndCounts) {
  InputSummary s;
  const std::string good = tool(R"(,"name":"a")");
  EXPECT_THAT(run(good + "\n{\"type\":\n" + tool("") + "\n" + good, s),
              ElementsAre("2 S1-json ", "3 S12-required /name", "3 S22-version-content /modified", "4 S42-duplicate "));
  EXPECT_EQ(s.objects, 4U);
  EXPECT_EQ(s.invalid, 2U);
  EXPECT_EQ(s.errors, 3U);
  EXPECT_EQ(s.warnings, 1U);
  EXPECT_FALSE(s.valid());
  EXPECT_TRUE(s.complete);
}

TEST(ValidateInput, DisabledCodesDoNotCount) {
  InputSummary s;
  InputOptions o;
  o.disabled = {"S12-required"};
  EXPECT_THAT(run(tool(""), s, o), IsEmpty());
  EXPECT_TRUE(s.valid());
  o = {};
  o.whole_set = false;
  EXPECT_THAT(run(tool(R"(,"name":"a")") + "\n" + tool(R"(,"name":"b")"), s, o), IsEmpty());
}

TEST(ValidateInput, BundlesAreCheckedThemselvesAndPatternsToo) {
  InputSummary s;
  const std::string bundle = R"({"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000001",)";
  EXPECT_THAT(run(bundle + R"("spec_version":"2.0","objects":[]})", s),
              testing::UnorderedElementsAre("1 S15-unknown-property /spec_version", "1 S2-empty-list /objects"));
  EXPECT_EQ(s.objects, 0U);
  EXPECT_FALSE(s.valid());
  const std::string indicator =
      R"({"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-000000000001",)"
      R"("created":"2020-01-01T00:00:00.000Z","modified":"2020-01-01T00:00:00.000Z","pattern":"[x","pattern_type":"stix",)"
      R"("valid_from":"2020-01-01T00:00:00Z"})";
  EXPECT_THAT(run(bundle + R"("objects":[)" + indicator + "]}", s), ElementsAre("1 S41-pattern /pattern"));
  EXPECT_THAT(run(R"({"objects":[]})", s), IsEmpty());
}

TEST(ValidateInput, WhatShowsLaterIsSaidLater) {
  InputSummary s;
  const std::string text = std::string(
      R"({"type":"language-content","spec_version":"2.1","id":"language-content--00000000-0000-4000-8000-000000000001",)"
      R"("created":"2020-01-01T00:00:00.000Z","modified":"2020-01-01T00:00:00.000Z",)"
      R"("object_ref":"tool--00000000-0000-4000-8000-000000000001","contents":{"de":{"name":["a"]}}})");
  EXPECT_THAT(run(text + "\n" + tool(R"(,"name":"a")"), s), ElementsAre("0 S39-translation /contents/de/name"));
  EXPECT_EQ(s.late_errors, 1U);
  EXPECT_EQ(s.invalid, 0U);
  EXPECT_FALSE(s.valid());
}

}  // namespace
}  // namespace entente::pattern
