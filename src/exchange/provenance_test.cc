// What a partner gave stays the partner's, whoever hands it in (release.md §3 step 5). JP originates, IN holds, AU
// would receive; two agreements, JP with IN and IN with AU.
#include "exchange/provenance.h"

#include <gmock/gmock.h>

#include "exchange/two_nodes_for_test.h"
#include "json/node.h"

namespace entente::exchange {
namespace {

using json::Node;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Provenance : public ::testing::Test {
 protected:
  Provenance() : world({"AU", "IN", "JP"}) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, in_jp)));
    ASSERT_OK(world.bring_into_force({"AU", "IN"}, world.document({"AU", "IN"}, au_in)));
  }
  Node from_japan(const std::string& name) {
    const std::string text = make_indicator(name, world.clock.now(), "green", identity_id("JP"));
    give(text);
    return node(text);
  }
  void give(const std::string& text) {
    const auto status = world["JP"].publish({text});
    ASSERT_OK(status);
    ASSERT_EQ(status->success, 1U);
    ASSERT_OK(world.settle());
  }
  static Node node(const std::string& text) { return Node::from(json::parse(text)->root()); }
  // "" if IN's people may publish it; else what they are told.
  std::string refused(const Node& object) {
    const auto status = world["IN"].publish({json::write(object)});
    if (!status.ok()) return status.error().text();
    EXPECT_TRUE(world.settle().ok());
    return status->failures.empty() ? std::string() : status->failures.front().message;
  }
  uint64_t at_au() { return world["AU"].store->count(received(au_in.id, "IN", "AU")); }
  World world;
  Text in_jp, au_in;
};

TEST_F(Provenance, APartnersObjectIsNotPublishedAsOwn) {
  Node object = from_japan("orcon.example");
  EXPECT_THAT(refused(object), AllOf(HasSubstr("ORIGINATOR_CONSENT"), HasSubstr("JP gave under " + in_jp.id),
                                     HasSubstr("entente consent ask " + std::string(object.string_at("id")))));
  EXPECT_EQ(at_au(), 0U);
}

TEST_F(Provenance, NorIsANewVersionOfIt) {
  Node object = from_japan("orcon.example");
  object.set("modified", to_text(world.clock.now().plus_us(5'000'000))).set("name", "ours, they say");
  EXPECT_THAT(refused(object), HasSubstr("it stays JP's"));
  EXPECT_EQ(at_au(), 0U);
}

TEST_F(Provenance, NorIsItsContentUnderANewIdWithOtherMarks) {
  Node object = from_japan("orcon.example");
  const std::string id(object.string_at("id"));
  object.set("id", "indicator--" + random_uuid().text());
  object.set("modified", to_text(world.clock.now().plus_us(5'000'000)));
  object.set("object_marking_refs", Node(Node::List{Node(stix::tlp_id(stix::Tlp::kClear))}));
  object.set("created_by_ref", identity_id("IN"));
  EXPECT_THAT(refused(object), HasSubstr("the content of " + id + " under another id"));
  EXPECT_EQ(at_au(), 0U);
  // Two who saw the same name wrote two statements: only the very words of the partner's are the partner's.
  EXPECT_EQ(refused(node(make_indicator("orcon.example", world.clock.now(), "green"))), "");
  EXPECT_EQ(at_au(), 1U);
}

TEST_F(Provenance, WhatWasHereFirstStaysOurs) {
  const std::string text = make_indicator("first.example", world.clock.now());
  ASSERT_OK(world["IN"].publish({text}));
  give(text);  // both have it from a third
  ASSERT_EQ(world["IN"].store->count(received(in_jp.id, "JP", "IN")), 1U);
  Node next = node(text);
  next.set("modified", to_text(world.clock.now().plus_us(5'000'000)));
  EXPECT_EQ(refused(next), "");
  EXPECT_EQ(at_au(), 2U);
}

// An address is nobody's: whoever names it gives it this id.
TEST_F(Provenance, AnObservableThatItsContentNamesMayBeStatedByAll) {
  Node name = Node::object().set("type", "domain-name").set("spec_version", "2.1").set("value", "seen.example");
  const auto id = stix::deterministic_id(json::parse(json::write(name))->root());
  ASSERT_TRUE(id.has_value());
  name.set("id", *id);
  give(json::write(name));
  EXPECT_EQ(refused(name), "");
  EXPECT_EQ(at_au(), 1U);
}

TEST_F(Provenance, AMarkIsUsedByAllAndRedefinedByNone) {
  Node mark = Node::object().set("type", "marking-definition").set("spec_version", "2.1");
  mark.set("id", "marking-definition--" + random_uuid().text()).set("created", to_text(world.clock.now()));
  mark.set("definition_type", "statement");
  mark.set("definition", Node::object().set("statement", "Copyright, Cyber Office of Japan"));
  Node bearer = node(make_indicator("marked.example", world.clock.now()));
  Node::List marks = bearer.find("object_marking_refs")->list();
  marks.emplace_back(mark.string_at("id"));
  bearer.set("object_marking_refs", Node(marks));
  ASSERT_OK(world["JP"].publish({json::write(mark), json::write(bearer)}));
  ASSERT_OK(world.settle());
  ASSERT_FALSE(world["IN"].store->find(received(in_jp.id, "JP", "IN"), mark.string_at("id"))->empty());
  EXPECT_EQ(refused(mark), "");
  Node other = mark;
  other.set("id", mark.string_at("id")).set("definition", Node::object().set("statement", "Free for all"));
  // Ours by now, and one version of one id has one content.
  EXPECT_NE(refused(other), "");
}

// A store of an earlier version has no list of partners' ids: its rows say whose they are.
TEST_F(Provenance, WithoutTheListOfIdsRowsAreAsked) {
  Node object = from_japan("orcon.example");
  store::Change change;
  change.erase(kTheirsSpace, "ids");
  change.erase(kTheirsSpace, "id " + std::string(object.string_at("id")));
  ASSERT_TRUE(world["IN"].store->commit_wait(std::move(change)).ok());
  object.set("modified", to_text(world.clock.now().plus_us(5'000'000))).set("name", "ours, they say");
  EXPECT_THAT(refused(object), HasSubstr("it stays JP's"));
}

TEST_F(Provenance, AfterARestartItIsKnownAsBefore) {
  Node object = from_japan("orcon.example");
  ASSERT_OK(world["IN"].reopen());
  EXPECT_THAT(refused(object), HasSubstr("it stays JP's"));
  object.set("id", "indicator--" + random_uuid().text());
  EXPECT_THAT(refused(object), HasSubstr("under another id"));
}

}  // namespace
}  // namespace entente::exchange
