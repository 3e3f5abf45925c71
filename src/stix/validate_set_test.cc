// Rules over several objects: each broken once, in both orders of arrival where order is open, and the memory bound.
#include "stix/validate_set.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "json/node.h"
#include "stix/internal/circles.h"
#include "stix/internal/content_hash.h"

namespace entente::stix {
namespace {

using json::Node;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string uuid(int n) {
  std::string digits = std::to_string(n);
  return "00000000-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits;
}

std::string object(const std::string& type, int n, const std::string& modified, const std::string& more = "") {
  return R"({"type":")" + type + R"(","spec_version":"2.1","id":")" + type + "--" + uuid(n) +
         R"(","created":"2020-01-01T00:00:00.000Z","modified":")" + modified + "\"" + more + "}";
}

// "code object pointer" of every finding.
std::vector<std::string> run(const std::vector<std::string>& texts, const SetValidator::Options& options = {},
                             bool* complete = nullptr) {
  SetValidator set(options);
  std::vector<SetFinding> found;
  for (const auto& text : texts) {
    const auto document = json::parse(text);
    EXPECT_TRUE(document.ok()) << text;
    if (document.ok()) set.add(document->root(), text, found);
  }
  set.finish(found);
  if (complete != nullptr) *complete = set.complete();
  std::vector<std::string> out;
  for (const auto& f : found) {
    out.push_back(std::string(f.finding.code) + " " + f.object + " " + f.finding.pointer);
  }
  return out;
}

std::vector<std::string> backwards(std::vector<std::string> v) {
  std::reverse(v.begin(), v.end());
  return v;
}

const std::string kEarly = "2020-01-01T00:00:00.000Z";
const std::string kLate = "2021-01-01T00:00:00.000Z";
const std::string kTool = "tool--" + uuid(1);

TEST(Set, VersionsOfOneObjectAreNoFinding) {
  const std::vector<std::string> fine = {object("tool", 1, kEarly), object("tool", 1, kLate), object("tool", 2, kEarly),
                                         object("indicator", 1, kEarly)};
  EXPECT_THAT(run(fine), IsEmpty());
  EXPECT_THAT(run(backwards(fine)), IsEmpty());
}

TEST(Set, S21AVersionAfterTheRevocationIsReportedInAnyOrder) {
  const std::vector<std::string> objects = {object("tool", 1, kEarly, R"(,"revoked":true)"), object("tool", 1, kLate)};
  EXPECT_THAT(run(objects), ElementsAre("S21-after-revocation " + kTool + " /modified"));
  EXPECT_THAT(run(backwards(objects)), ElementsAre("S21-after-revocation " + kTool + " /revoked"));
  // The revocation itself as the last version is what the standard wants.
  const std::vector<std::string> fine = {object("tool", 1, kEarly), object("tool", 1, kLate, R"(,"revoked":true)")};
  EXPECT_THAT(run(fine), IsEmpty());
  EXPECT_THAT(run(backwards(fine)), IsEmpty());
}

TEST(Set, S22SameVersionWithOtherContentIsAnErrorAndS42TheSameAgainAWarning) {
  const std::string one = object("tool", 1, kEarly, R"(,"name":"a","labels":["x","y"])");
  EXPECT_THAT(run({one, object("tool", 1, kEarly, R"(,"name":"b","labels":["x","y"])")}),
              ElementsAre("S22-version-content " + kTool + " /modified"));
  EXPECT_THAT(run({one, object("tool", 1, kEarly, R"(,"name":"a","labels":["y","x"])")}),
              ElementsAre("S22-version-content " + kTool + " /modified"));
  // Another order of members, other white space, another way to write the same instant of nothing else.
  EXPECT_THAT(run({one, object("tool", 1, kEarly, R"( , "labels" : [ "x", "\u0079" ], "name":"a")")}),
              ElementsAre("S42-duplicate " + kTool + " "));
  // Times are compared as instants.
  EXPECT_THAT(run({one, object("tool", 1, "2020-01-01T00:00:00.0000Z", R"(,"name":"b")")}),
              ElementsAre("S22-version-content " + kTool + " /modified"));
}

TEST(Set, S23ObservablesMayChangeAndMarkingsMayNot) {
  const std::string id = "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4";
  const std::string a = R"({"type":"ipv4-addr","id":")" + id + R"(","value":"198.51.100.3"})";
  const std::string b = R"({"type":"ipv4-addr","id":")" + id + R"(","value":"198.51.100.3","defanged":true})";
  EXPECT_THAT(run({a, b}), IsEmpty());
  EXPECT_THAT(run({a, a}), ElementsAre("S42-duplicate " + id + " "));
  const auto marking = [](const std::string& text) {
    return R"({"type":"marking-definition","spec_version":"2.1","id":"marking-definition--)" + uuid(1) +
           R"(","created":"2020-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":")" +
           text + "\"}}";
  };
  EXPECT_THAT(run({marking("a"), marking("b")}),
              ElementsAre("S22-version-content marking-definition--" + uuid(1) + " /id"));
}

TEST(Set, S20CreatedAndS22CreatorStayTheSame) {
  std::string other = object("tool", 1, kLate);
  other.replace(other.find(kEarly), kEarly.size(), "2019-01-01T00:00:00.000Z");
  EXPECT_THAT(run({object("tool", 1, kEarly), other}), ElementsAre("S20-created " + kTool + " /created"));
  const auto by = [](int n) { return R"(,"created_by_ref":"identity--)" + uuid(n) + "\""; };
  EXPECT_THAT(run({object("tool", 1, kEarly, by(7)), object("tool", 1, kLate, by(8))}),
              ElementsAre("S22-creator " + kTool + " /created_by_ref"));
  EXPECT_THAT(run({object("tool", 1, kEarly, by(7)), object("tool", 1, kLate, by(7))}), IsEmpty());
}

std::string marked(int n, const std::vector<int>& by, bool granular = false) {
  std::string refs;
  for (const int m : by) {
    const std::string id = "\"marking-definition--" + uuid(m) + "\"";
    refs += (refs.empty() ? "" : ",") + (granular ? R"({"marking_ref":)" + id + R"(,"selectors":["name"]})" : id);
  }
  return R"({"type":"marking-definition","id":"marking-definition--)" + uuid(n) + R"(","name":"x",")" +
         (granular ? "granular_markings" : "object_marking_refs") + "\":[" + refs + "]}";
}

TEST(Set, S30MarkingsInACircleAreReportedAndChainsAreNot) {
  EXPECT_THAT(run({marked(1, {2}), marked(2, {3}), marked(3, {4})}), IsEmpty());
  const auto circle = [](int n) { return "S30-circular-marking marking-definition--" + uuid(n) + " "; };
  EXPECT_THAT(run({marked(1, {2}), marked(2, {3}), marked(3, {1}), marked(4, {1}), marked(5, {6})}),
              UnorderedElementsAre(circle(1), circle(2), circle(3)));
  EXPECT_THAT(run({marked(1, {2}, true), marked(2, {1})}), UnorderedElementsAre(circle(1), circle(2)));
}

std::string translated(const std::string& contents, const std::string& more = "") {
  return object("language-content", 9, kEarly,
                R"(,"object_ref":")" + kTool + R"(","contents":{"de":)" + contents + "}" + more);
}

TEST(Set, S39ATranslationHasTheShapeOfItsOriginalInAnyOrder) {
  const std::string original =
      object("tool", 1, kEarly,
             R"(,"name":"a","aliases":["x","y"],"confidence":5,"kill_chain_phases":[{"kill_chain_name":"k"}])");
  const std::string id = "language-content--" + uuid(9);
  const auto both = [&](const std::string& contents, const std::vector<std::string>& pointers) {
    std::vector<std::string> wanted;
    for (const auto& p : pointers) wanted.push_back("S39-translation " + id + " /contents/de" + p);
    const std::vector<std::string> objects = {original, translated(contents)};
    EXPECT_EQ(run(objects), wanted) << contents;
    EXPECT_EQ(run(backwards(objects)), wanted) << contents;
  };
  both(R"({"name":"b","aliases":["x",""],"unknown":[1]})", {});
  both(R"({"kill_chain_phases":[{"kill_chain_name":"b"}]})", {});
  both(R"({"kill_chain_phases":[""]})", {});
  both(R"({"name":["b"]})", {"/name"});
  both(R"({"aliases":"x"})", {"/aliases"});
  both(R"({"aliases":["x"]})", {"/aliases"});
  both(R"({"aliases":["x",{"a":"b"}]})", {"/aliases/1"});
  both(R"({"kill_chain_phases":[{"kill_chain_name":["b"]}]})", {"/kill_chain_phases/0/kill_chain_name"});
  both(R"({"confidence":"five"})", {"/confidence"});
}

TEST(Set, S39ObjectModifiedNamesAVersionThatIsThere) {
  const std::string original = object("tool", 1, kEarly, R"(,"name":"a")");
  const std::string right = translated(R"({"name":["b"]})", R"(,"object_modified":")" + kEarly + "\"");
  const std::string wrong = translated(R"({"name":["b"]})", R"(,"object_modified":")" + kLate + "\"");
  const std::string id = "language-content--" + uuid(9);
  for (const auto& objects : {std::vector{original, right}, std::vector{right, original}}) {
    EXPECT_THAT(run(objects), ElementsAre("S39-translation " + id + " /contents/de/name"));
  }
  for (const auto& objects : {std::vector{original, wrong}, std::vector{wrong, original}}) {
    EXPECT_THAT(run(objects), ElementsAre("S39-object-modified " + id + " /object_modified"));
  }
  EXPECT_THAT(run({wrong}), IsEmpty());  // the object may be elsewhere
}

TEST(Set, WarningsAreLeftOutOnRequest) {
  const std::string one = object("tool", 1, kEarly);
  EXPECT_THAT(run({one, one}, {.warnings = false}), IsEmpty());
}

TEST(Set, MemoryIsBoundedAndForgettingIsSaid) {
  SetValidator::Options small{.memory = 64 << 10};
  std::vector<std::string> objects;
  for (int i = 0; i < 20'000; ++i) objects.push_back(object("tool", i, kEarly));
  objects.push_back(objects.back());  // near: still found
  objects.push_back(objects.front());
  bool complete = true;
  EXPECT_THAT(run(objects, small, &complete), ElementsAre("S42-duplicate tool--" + uuid(19'999) + " "));
  EXPECT_FALSE(complete);
  EXPECT_EQ(run(objects, {}, &complete).size(), 2U);
  EXPECT_TRUE(complete);
}

TEST(Set, WhatIsNoObjectIsPassedOver) {
  EXPECT_THAT(run({"[]", "5", "{}", R"({"type":5,"id":[]})", R"({"type":"tool","id":"x","modified":7})"}), IsEmpty());
}

RC_GTEST_PROP(Circles, AgreeWithReachability, ()) {
  const int n = *rc::gen::inRange(1, 9);
  std::vector<std::vector<bool>> edge(n, std::vector<bool>(n));
  internal::Graph graph;
  for (int i = 0; i < n; ++i) {
    auto& to = graph[std::to_string(i)];
    for (int k = 0; k < n; ++k) {
      edge[i][k] = *rc::gen::inRange(0, 4) == 0;
      if (edge[i][k]) to.push_back(std::to_string(k));
    }
    to.push_back("nobody");
  }
  auto reach = edge;
  for (int k = 0; k < n; ++k) {
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j) reach[i][j] = reach[i][j] || (reach[i][k] && reach[k][j]);
    }
  }
  std::set<std::pair<std::string, std::string>> together, wanted;
  for (const auto& group : internal::circles(graph)) {
    for (const auto& a : group) {
      for (const auto& b : group) together.emplace(a, b);
    }
  }
  for (int i = 0; i < n; ++i) {
    for (int k = 0; k < n; ++k) {
      if (i == k || !reach[i][k] || !reach[k][i]) continue;
      wanted.emplace(std::to_string(i), std::to_string(k));
      wanted.emplace(std::to_string(i), std::to_string(i));
    }
  }
  RC_ASSERT(together == wanted);
}

// Equal canonical texts have equal hashes, and the other way round as far as a test can see.
TEST(ContentHash, FollowsTheCanonicalText) {
  const std::vector<std::string> texts = {"{}",
                                          "[]",
                                          "[[]]",
                                          "[{}]",
                                          "\"\"",
                                          "0",
                                          "-0",
                                          "0.0",
                                          "1",
                                          "1.0",
                                          "10e-1",
                                          "true",
                                          "false",
                                          "null",
                                          "\"1\"",
                                          R"({"a":1,"b":2})",
                                          R"({"b":2,"a":1.0})",
                                          R"({"a":2,"b":1})",
                                          R"({"a":{"b":1}})",
                                          R"({"b":{"a":1}})",
                                          "[1,2]",
                                          "[2,1]",
                                          "[[1],2]",
                                          "[1,[2]]",
                                          R"(["a","b"])",
                                          R"(["ab"])",
                                          R"("\u0061")",
                                          "\"a\""};
  for (const auto& a : texts) {
    for (const auto& b : texts) {
      const auto x = json::parse(a), y = json::parse(b);
      ASSERT_TRUE(x.ok() && y.ok());
      EXPECT_EQ(json::canonical(x->root()) == json::canonical(y->root()),
                internal::content_hash(x->root(), 7) == internal::content_hash(y->root(), 7))
          << a << " " << b;
    }
  }
}

TEST(Speed, SetOfIndicators) {
  std::vector<json::Document> documents;
  std::vector<std::string> texts;
  for (int i = 0; i < 10'000; ++i) {
    texts.push_back(object("indicator", i, kEarly, R"(,"name":")" + std::string(450, 'n') + "\""));
    auto d = json::parse(texts.back());
    ASSERT_TRUE(d.ok());
    documents.push_back(*std::move(d));
  }
  SetValidator set;
  std::vector<SetFinding> out;
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < texts.size(); ++i) set.add(documents[i].root(), texts[i], out);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(out.empty());
  std::cout << "set: " << static_cast<double>(texts.size()) / took.count() << " objects/s\n";
}

}  // namespace
}  // namespace entente::stix
