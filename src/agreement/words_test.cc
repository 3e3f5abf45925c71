// A document in words: nothing changes unseen, the direction is right, the page holds what was written and no markup of
// it.
#include "agreement/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement/testing.h"

namespace entente::agreement {
namespace {

using json::Node;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::sample;
using testing::sample_node;
using testing::texts;

std::vector<Change> after(const std::function<void(Node&)>& change) {
  Node n = sample_node();
  n.set("protection", testing::protection_nodes());
  const Document a = sample(n);
  change(n);
  return changes(a, sample(n));
}
Node& flow(Node& n) { return n.find("flows")->list()[0]; }

TEST(Changes, OfTheSameTextThereAreNone) {
  EXPECT_THAT(after([](Node&) {}), IsEmpty());
  EXPECT_THAT(after([](Node& n) { n.set("version", 2).set("prev", sha256_hex("x")); }), IsEmpty());
}

TEST(Changes, SayWhatBecomesWiderAndNarrower) {
  struct Case {
    std::function<void(Node&)> change;
    const char* says;
    bool wider, narrower;
  };
  const std::vector<Case> cases = {
      {[](Node& n) { flow(n).set("tlp_ceiling", "green"); }, "at most: amber+strict becomes green", false, true},
      {[](Node& n) { flow(n).set("tlp_floor", "amber"); }, "green becomes amber", false, true},
      {[](Node& n) { flow(n).set("unmarked", "withhold"); }, "amber becomes withhold", false, true},
      {[](Node& n) { flow(n).set("object_types", texts({"indicator"})); }, "only indicator", false, true},
      {[](Node& n) { flow(n).set("effect", "forbid"); }, "forbidden now", false, true},
      {[](Node& n) {
         n.find("flows")->push(testing::flow_node("more", "3(2)", true, {"report"}, "green", "amber", "withhold"));
       },
       "permits report", true, false},
      {[](Node& n) { n.find("protection")->list().erase(n.find("protection")->list().begin()); }, "is gone", true,
       false},
      {[](Node& n) { n.find("actions")->find("auto_block_requires")->set("min_confidence", 50); },
       "confidence: 80 becomes 50", true, false},
      {[](Node& n) { n.find("signing")->find("act")->set("resume", testing::roles({{"authority", 3}})); },
       "signed by 3 authority; it was 2", false, true},
      {[](Node& n) { n.set("parties", sample_node({"AU", "IN", "JP"}).find("parties")->list()); }, "becomes a party",
       true, false}};
  for (const auto& c : cases) {
    const auto found = after(c.change);
    ASSERT_FALSE(found.empty()) << c.says;
    EXPECT_THAT(found, Contains(Field(&Change::sentence, HasSubstr(c.says))));
    EXPECT_THAT(found, Contains(Field(&Change::wider, c.wider)));
    EXPECT_THAT(found, Contains(Field(&Change::narrower, c.narrower)));
  }
}

// Every leaf of a document that can be changed and stay valid makes a difference that is said.
void leaves(Node& n, const std::string& at, std::vector<std::pair<std::string, Node*>>& out) {
  if (n.is_object())
    for (auto& [k, v] : n.members()) leaves(v, at + "/" + k, out);
  else if (n.is_array())
    for (size_t i = 0; i < n.list().size(); ++i) leaves(n.list()[i], at + "/" + std::to_string(i), out);
  else
    out.emplace_back(at, &n);
}

TEST(Changes, NothingChangesUnseen) {
  Node base = sample_node();
  base.set("protection", testing::protection_nodes());
  const Document a = sample(base);
  std::vector<std::pair<std::string, Node*>> all;
  leaves(base, "", all);
  size_t tried = 0;
  for (const auto& [at, leaf] : all) {
    if (at == "/version" || at == "/prev") continue;
    const Node old = *leaf;
    for (const Node& other : {Node("amber"), Node("changed"), Node(7), Node("2031-01-01T00:00:00Z"), Node(true),
                              Node(sha256_hex("other")), Node("P3D"), Node("4"), Node("remove")}) {
      if (other == old) continue;
      *leaf = other;
      if (auto b = document_from(base); b.ok()) {
        ++tried;
        EXPECT_FALSE(changes(a, *b).empty()) << at << " " << json::write(old) << " -> " << json::write(other);
      }
    }
    *leaf = old;
  }
  EXPECT_GT(tried, 100u);
}

TEST(Coverage, NamesTheRulesOfEachArticle) {
  Node n = sample_node();
  n.set("protection", testing::protection_nodes());
  const auto found = coverage(sample(n));
  ASSERT_EQ(found.size(), 9u);
  EXPECT_THAT(found[2].rules, Contains("flow all (3(1))"));
  EXPECT_THAT(found[5].rules, Contains("protection strip-victim (6(1))"));
  EXPECT_EQ(found[8].machine, "human");
  EXPECT_THAT(found[8].remark, HasSubstr("knows nothing"));
  EXPECT_THAT(found[0].remark, HasSubstr("no rule of this document"));
}

TEST(Coverage, ThirdPartyStatesAreForPeople) {
  Node n = sample_node();
  n.find("originator_control")->set("third_party_states", testing::texts({"AU", "US"}));
  const auto found = coverage(sample(n));
  EXPECT_THAT(found[4].remark, HasSubstr("third_party_states (AU, US) is for people"));
  EXPECT_THAT(coverage(sample(sample_node()))[4].remark, ::testing::Not(HasSubstr("third_party_states")));
}

TEST(Describe, InThreeLanguages) {
  Node n = sample_node();
  n.set("title", Node::object().set("en", "Sample").set("ja", "\u899a\u66f8"));
  const Document d = sample(n);
  EXPECT_EQ(describe(d, Language::kEnglish).title, "Sample");
  EXPECT_EQ(describe(d, Language::kJapanese).title, "\u899a\u66f8");
  EXPECT_EQ(describe(d, Language::kHindi).title, "Sample") << "what was not written is not invented";
  const auto en = describe(d, Language::kEnglish);
  for (const auto l : {Language::kJapanese, Language::kHindi}) {
    const auto page = describe(d, l);
    ASSERT_EQ(page.tables.size(), en.tables.size());
    for (size_t i = 0; i < page.tables.size(); ++i) {
      EXPECT_NE(page.tables[i].heading, en.tables[i].heading);
      ASSERT_EQ(page.tables[i].rows.size(), en.tables[i].rows.size());
      for (size_t k = 0; k < page.tables[i].columns.size(); ++k)
        EXPECT_NE(page.tables[i].columns[k], en.tables[i].columns[k]) << "a label was left in English";
    }
  }
}

TEST(Describe, HtmlHoldsNoMarkupOfTheDocument) {
  Node n = sample_node();
  n.set("title", Node::object().set("en", "<script>alert(1)</script> & \"more\""));
  const std::string html = to_html(describe(sample(n), Language::kEnglish), Language::kEnglish);
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;"));
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  EXPECT_THAT(html, HasSubstr("<html lang=\"en\">"));
}

// How the text was laid out is no difference (found by fuzzing).
TEST(Changes, TheOrderOfMembersIsNoDifference) {
  Node n = sample_node();
  n.set("protection", testing::protection_nodes());
  const Document as_written = sample(n);
  const auto canonical = parse_document(as_written.canonical);
  ASSERT_TRUE(canonical.ok());
  EXPECT_TRUE(changes(as_written, *canonical).empty());
}

}  // namespace
}  // namespace entente::agreement
