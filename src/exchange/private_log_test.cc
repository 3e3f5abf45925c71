// The private log and what binds it to the ledgers that partners hold: every decision and every act of an operator is a
// leaf, leaves that are opened later were anchored before, and a partner is told that it has all, but not how much it
// was not given.
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/evidence_package.h"
#include "exchange/exchange.h"
#include "exchange/reconcile.h"
#include "exchange/two_nodes.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

#define ASSERT_OK(...)                             \
  do {                                             \
    const auto& ok_r = (__VA_ARGS__);              \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

constexpr int64_t kMinuteUs = 60'000'000;

class PrivateLogs : public ::testing::Test {
 protected:
  PrivateLogs() : world({"IN", "JP"}) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, text)));
  }
  void hour() {
    world.clock.advance_us(61 * kMinuteUs);
    for (const char* party : {"IN", "JP"}) {
      world[party].exchange->tick();
      world[party].release_all();
      world[party].exchange->tick();
    }
    ASSERT_OK(world.settle());
  }
  std::vector<std::string> leaves(const std::string& party, const std::string& log) {
    auto r = world[party].store->read("leaf/" + log, 0, 100'000);
    return r.ok() ? *r : std::vector<std::string>{};
  }
  std::vector<ledger::Leaf> of_kind(const std::string& party, const std::string& log, std::string_view kind) {
    std::vector<ledger::Leaf> out;
    for (const auto& t : leaves(party, log))
      if (auto l = ledger::parse_leaf(t); l.ok() && l->kind == kind) out.push_back(*std::move(l));
    return out;
  }
  std::string pair() { return bare_uuid(text.id); }
  // What is opened of the private log, by index.
  std::vector<std::pair<uint64_t, json::Document>> records(const std::string& party, std::string_view kind) {
    std::vector<std::pair<uint64_t, json::Document>> out;
    const auto all = leaves(party, "private");
    for (uint64_t i = 0; i < all.size(); ++i) {
      if (ledger::parse_leaf(all[i])->kind != kind) continue;
      const auto o = world[party].exchange->evidence().opening(kPrivateLog, i);
      EXPECT_TRUE(o.ok()) << o.error().text();
      EXPECT_EQ(ledger::commit_to(o->salt, o->record), ledger::parse_leaf(o->leaf)->commitment);
      out.emplace_back(i, *json::parse(o->record));
    }
    return out;
  }
  // How many objects are withheld from IN, as an inspector counts it who was given every private leaf.
  size_t withheld_by_leaves() {
    std::set<std::pair<std::string, std::string>> out;
    for (const auto& [_, doc] : records("JP", "decision")) {
      const auto list = json::find_array(doc.root(), "decisions");
      if (!list) continue;
      for (const json::Value d : *list) {
        const std::pair key(std::string(*json::find_string(d, "id")), std::string(*json::find_string(d, "version")));
        if (json::find_string(d, "verdict") == "withheld")
          out.insert(key);
        else
          out.erase(key);
      }
    }
    return out.size();
  }
  World world;
  Text text;
};

// ledger.md §1: all decisions, also those to give, are leaves of the private log; the ones to give name their leaf.
TEST_F(PrivateLogs, EveryDecisionIsALeaf) {
  ASSERT_OK(world["JP"].publish(
      {make_indicator("given.example", world.clock.now()), make_indicator("kept.example", world.clock.now(), "red")}));
  ASSERT_OK(world.settle());
  const auto decisions = records("JP", "decision");
  ASSERT_EQ(decisions.size(), 1U);
  const auto given = json::find(decisions[0].second.root(), "given");
  ASSERT_TRUE(given);
  const auto releases = leaves("JP", pair());
  const auto index = static_cast<uint64_t>(*json::find_int(*given, "leaf"));
  EXPECT_EQ(sha256_hex(releases.at(index)), json::find_string(*given, "leaf_sha256").value_or(""));
  EXPECT_EQ(withheld_by_leaves(), 1U);
  // Where nothing is withheld, too.
  ASSERT_OK(world["JP"].publish({make_indicator("also-given.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(records("JP", "decision").size(), 2U);
}

TEST_F(PrivateLogs, AnOperatorsActIsALeafBeforeItIsDoneAndHoldsNoSecret) {
  auto& log = world["IN"].exchange->private_log();
  ASSERT_OK(log.operator_act("person admin a", "POST", "/api/v1/accounts",
                             R"({"name":"x","password":"hunter2","more":[{"token":"ent_1"}]})"));
  const auto found = records("IN", "operator");
  ASSERT_EQ(found.size(), 1U);
  const std::string body(*json::find_string(found[0].second.root(), "body"));
  EXPECT_EQ(body, R"({"more":[{}],"name":"x"})");
  EXPECT_EQ(*json::find_string(found[0].second.root(), "by"), "person admin a");
  // What the node is set to is a leaf when it changes, not at every start.
  const json::Node keys = json::Node::object().set("node", "k1");
  for (const int tlp : {1, 1, 2, 2}) ASSERT_OK(log.set_to(json::Node::object().set("max_tlp", tlp), keys));
  EXPECT_EQ(records("IN", "config").size(), 2U);
  EXPECT_EQ(records("IN", "key").size(), 1U);
  // A disk that takes nothing: nothing is done.
  world["IN"].files.crash();
}

TEST_F(PrivateLogs, AnAnchorStandsInEachPairLogHourlyAndWhenAConflictComes) {
  hour();
  const size_t first = of_kind("IN", pair(), "anchor").size();
  ASSERT_GE(first, 1U);
  for (int i = 0; i < 10; ++i) {
    world.clock.advance_us(kMinuteUs);
    world["IN"].exchange->tick();
  }
  EXPECT_EQ(of_kind("IN", pair(), "anchor").size(), first);  // nothing is due
  hour();
  EXPECT_EQ(of_kind("IN", pair(), "anchor").size(), first + 1);
  EXPECT_GE(of_kind("IN", "private", "clock").size(), 2U);
  (void)world["IN"].exchange->mirrors().accuse(text.id, "JP", "two heads", "a", "b").ok();
  world.clock.advance_us(kMinuteUs / 60);
  world["IN"].exchange->tick();
  EXPECT_EQ(of_kind("IN", pair(), "anchor").size(), first + 2);
  ASSERT_OK(world["IN"].reopen());
  world.clock.advance_us(kMinuteUs);
  world["IN"].exchange->tick();
  EXPECT_EQ(of_kind("IN", pair(), "anchor").size(), first + 2);  // a restart is no reason
}

// A leaf with a wrong time would be a false statement to the partner.
TEST_F(PrivateLogs, ANodeWhoseClockWasSetBackAnchorsNothing) {
  hour();
  const size_t before = of_kind("IN", pair(), "anchor").size();
  world.clock.set(world.clock.now().plus_us(-30 * kMinuteUs));  // the agreement has begun all the same
  world["IN"].exchange->tick();
  // Not even what would not wait for the hour.
  (void)world["IN"].exchange->mirrors().accuse(text.id, "JP", "two heads", "a", "b").ok();
  world.clock.advance_us(kMinuteUs / 60);
  world["IN"].exchange->tick();
  EXPECT_EQ(of_kind("IN", pair(), "anchor").size(), before);
}

// The partner hears that it has all, at a time that says nothing of what is withheld; how much that is stands in a
// commitment that an inspector can open and count after.
TEST_F(PrivateLogs, APartnerIsToldThatItHasAllAndNotHowMuchIsWithheld) {
  ASSERT_OK(world["JP"].publish({make_indicator("a.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  const size_t told = of_kind("JP", pair(), "entitled").size();
  // Five that stay here: no leaf comes of them before the hour.
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK(world["JP"].publish({make_indicator("r" + std::to_string(i) + ".example", world.clock.now(), "red")}));
    world.clock.advance_us(2 * kMinuteUs);
    world["JP"].release_all();
  }
  const size_t quiet = of_kind("JP", pair(), "entitled").size();
  EXPECT_LE(quiet, told + 1);  // for the one that was sent
  hour();
  const auto all = leaves("JP", pair());
  uint64_t last = 0;
  for (uint64_t i = 0; i < all.size(); ++i)
    if (auto l = ledger::parse_leaf(all[i]); l.ok() && l->kind == "entitled" && l->recipient == "IN") last = i;
  ASSERT_GT(last, 0U);
  const auto e = world["JP"].exchange->private_log().entitlement(text.id, "IN");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->leaf, last);
  EXPECT_EQ(e->withheld, 5U);
  const auto o = world["JP"].exchange->evidence().opening(text.id, last);
  ASSERT_OK(o);
  const auto doc = json::parse(o->record);
  EXPECT_EQ(json::find_int(doc->root(), "withheld"), 5);
  EXPECT_EQ(withheld_by_leaves(), 5U);
  // Both ends compute up to which leaf the sender says so.
  const auto at = [&](const std::string& party) {
    const auto n = entries_held(*world[party].context, text.id, "JP");
    const auto m = entries_held(*world[party].context, text.id, "IN");
    return reconcile(*world[party].context, *world[party].exchange->instruments().state(text.id), "JP", "IN", n, m);
  };
  ASSERT_OK(world.settle());
  const auto here = at("IN");
  ASSERT_OK(here);
  EXPECT_EQ(here->entitled_upto, last);
  EXPECT_EQ(here->text().find("withheld"), std::string::npos);
}

// What a hold kept back and then went is withheld no longer, by the leaves and by the number alike.
TEST_F(PrivateLogs, WhatComesBackIsWithheldNoLonger) {
  const std::string object = make_indicator("held.example", world.clock.now());
  const std::string id(*json::find_string(json::parse(object)->root(), "id"));
  ASSERT_OK(world["JP"].exchange->hold(id, true));
  ASSERT_OK(world["JP"].publish({object}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(withheld_by_leaves(), 1U);
  ASSERT_OK(world["JP"].exchange->hold(id, false));
  ASSERT_OK(world.settle());
  EXPECT_EQ(world["IN"].store->find(received(text.id, "JP", "IN"), id)->size(), 1U);
  EXPECT_EQ(withheld_by_leaves(), 0U);
  hour();
  EXPECT_EQ(world["JP"].exchange->private_log().entitlement(text.id, "IN")->withheld, 0U);
}

// An inspector is given single private leaves; they were written before the anchor that a witness signed.
TEST_F(PrivateLogs, OpenedLeavesWereAnchoredBefore) {
  ASSERT_OK(world["JP"].publish({make_indicator("kept.example", world.clock.now(), "red")}));
  ASSERT_OK(world.settle());
  const uint64_t leaf = records("JP", "decision").back().first;
  EvidenceRequest rq{text.id, "", "private", "", {leaf}};
  const auto early = make_evidence(*world["JP"].exchange, rq);
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().kind, ErrorKind::kUnavailable);
  hour();
  ASSERT_OK(world.settle());
  const auto made = make_evidence(*world["JP"].exchange, rq);
  ASSERT_OK(made);
  const auto report = check_evidence(*made);
  ASSERT_OK(report);
  EXPECT_TRUE(report->ok()) << report->problems.front();
  EXPECT_THAT(report->facts, ::testing::Contains(::testing::HasSubstr("witnessed by")));
  // One that was written after the fact: no anchor covers it.
  const uint64_t next = leaves("JP", "private").size();
  ASSERT_OK(world["JP"].exchange->private_log().operator_act("p", "POST", "/x", "{}"));
  rq.leaves = {next};
  const auto late = make_evidence(*world["JP"].exchange, rq);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::kUnavailable) << late.error().text();
}

}  // namespace
}  // namespace entente::exchange
