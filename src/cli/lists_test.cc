// Lists turned into indicators: what is in them can be looked for, ids are stable, and what is no entry is named.
#include "cli/internal/lists.h"

#include <set>

#include <gtest/gtest.h>

#include "base/files.h"
#include "cli/demo/figures.h"
#include "cli/internal/table.h"
#include "pattern/pattern.h"
#include "stix/validate.h"

namespace entente::cli {
namespace {

ListOptions options(const std::string& as) {
  ListOptions o;
  o.as = as;
  o.creator = "identity--9a285ed1-a8a0-57e0-84e3-f0afcad7b8da";
  o.at = *parse_time("2026-01-01T00:00:00Z");
  return o;
}

std::string member(const std::string& object, const char* name) {
  const auto doc = json::parse(object);
  return doc.ok() ? std::string(json::find_string(doc->root(), name).value_or("")) : "";
}

TEST(Lists, EveryKindBecomesValidStixThatCanBeLookedFor) {
  const std::pair<const char*, const char*> cases[] = {
      {"domains", "login.phish.example"},
      {"addresses", "203.0.113.7"},
      {"addresses", "203.0.113.0/24"},
      {"addresses", "2001:db8::7"},
      {"urls", "http://phish.example/a?b='c'"},
      {"emails", "a@phish.example"},
      {"hashes", "d41d8cd98f00b204e9800998ecf8427e"},
      {"hashes", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
      {"hashes", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"phishing-json", "nodot"}};
  for (const auto& [as, value] : cases) {
    const auto object = indicator_for(value, options(as));
    ASSERT_TRUE(object.ok()) << value << ": " << object.error().text();
    const auto doc = json::parse(*object);
    ASSERT_TRUE(doc.ok());
    std::vector<stix::Finding> findings;
    EXPECT_TRUE(stix::validate(doc->root(), {.strict = true, .warnings = false}, findings)) << *object;
    const auto parsed = pattern::Pattern::parse(member(*object, "pattern"));
    ASSERT_TRUE(parsed.ok()) << *object;
    EXPECT_FALSE(pattern::equality_atoms(*parsed).any_of.empty()) << *object;
  }
}

TEST(Lists, IdsAreOfPartyAndPatternNotOfTime) {
  ListOptions later = options("domains");
  later.at = later.at.plus_us(86'400'000'000);
  ListOptions other = options("domains");
  other.creator = "identity--00000000-0000-4000-8000-000000000001";
  const auto id = [](const std::string& value, const ListOptions& o) { return member(*indicator_for(value, o), "id"); };
  EXPECT_EQ(id("a.example", options("domains")), id("a.example", later));
  EXPECT_EQ(id("A.example", options("domains")), id("a.example", later));
  EXPECT_NE(id("a.example", options("domains")), id("a.example", other));
  EXPECT_NE(id("a.example", options("domains")), id("b.example", options("domains")));
}

TEST(Lists, CommentsBlanksAndDoublesAreNoEntries) {
  const auto list =
      indicators_of("# reported\r\n\r\nb.example\r\n a.example # twice\na.example\n\n", options("domains"));
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->size(), 2U);
}

TEST(Lists, WhatIsNoEntryIsNamed) {
  const std::pair<const char*, const char*> cases[] = {{"domains", "http://a.example/"},
                                                       {"domains", "nodot"},
                                                       {"hashes", "zz"},
                                                       {"hashes", "abcd"},
                                                       {"addresses", "300.1.2.3"}};
  for (const auto& [as, value] : cases) {
    const auto list = indicators_of(std::string("\n") + value + "\n", options(as));
    EXPECT_FALSE(list.ok()) << as << " " << value;
  }
  EXPECT_FALSE(indicators_of("{\"blacklist\":", options("phishing-json")).ok());
  EXPECT_FALSE(indicators_of("{}", options("phishing-json")).ok());
}

TEST(Lists, ThePublishedDataSetIsReadWhole) {
  PosixFiles files;
  const auto text = files.read(std::string(ENTENTE_SOURCE_DIR) + "/build/data/phishing.json");
  if (!text.ok()) GTEST_SKIP() << "no data set: tools/setup demo fetches it";
  const auto list = indicators_of(*text, options("phishing-json"));
  ASSERT_TRUE(list.ok()) << list.error().text();
  EXPECT_EQ(list->size(), 13'752U);
}

TEST(Table, NumbersAreGrouped) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
}

TEST(Table, WidthCountsCharactersNotOctets) { EXPECT_EQ(display_width("a…ü"), 3U); }

TEST(Percentile, IsNearestRank) {
  EXPECT_EQ(demo::percentile({}, 50), 0);
  EXPECT_EQ(demo::percentile({3, 1, 2}, 50), 2);
  EXPECT_EQ(demo::percentile({3, 1, 2}, 99), 3);
  EXPECT_EQ(demo::percentile({5}, 1), 5);
}

TEST(Figures, AreHonestAboutWhatWasNotRun) {
  const demo::Figures nothing;
  const auto n = nothing.to_json();
  for (const char* name :
       {"shared_to_blocked_ms", "detected", "leased", "packets_dropped", "sightings_returned", "recalled_lease_gone"}) {
    ASSERT_NE(n.find(name), nullptr) << name;
    EXPECT_TRUE(n.find(name)->is_null()) << name;
  }
  EXPECT_FALSE(nothing.shortcomings().empty());
}

}  // namespace
}  // namespace entente::cli
