// Two and three nodes in one process: what DESIGN.md's way of the data promises, walked end to end over real envelopes,
// acts and ledgers. Recalls, acts, accounts and dishonest partners have files of their own.
#include "exchange/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/recall.h"
#include "exchange/two_nodes_for_test.h"
#include "exchange/wire.h"
#include "ledger/tile_log.h"

namespace entente::exchange {
namespace {

TEST_F(TwoNodes, NothingFlowsBeforeTheAgreementIsInForce) {
  ASSERT_OK(world["JP"].publish({make_indicator("early.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 0U);
  // Signed is not in force: the partner's question is refused with the rule and what is missing.
  const std::string doc_text = world.document({"IN", "JP"}, text);
  const auto doc = json::parse(doc_text);
  json::Node body = json::Node::object();
  body.set("document", json::Node::from(doc->root()));
  ASSERT_OK(world.act("IN", "propose", text.id, body));
  ASSERT_OK(world.carry_acts());
  for (const char* kind : {"initial", "sign"}) {
    for (const char* p : {"IN", "JP"}) {
      ASSERT_OK(world.act(p, kind, text.id));
      ASSERT_OK(world.carry_acts());
    }
  }
  const auto state = world["JP"].exchange->instruments().state(text.id);
  const auto client = world["JP"].client(world["IN"].spki);
  const auto page = client->objects(agreement_root(*state->document), "to-in", {});
  ASSERT_FALSE(page.ok());
  const auto plan = world["JP"].exchange->releaser().plan({make_indicator("x.example", world.clock.now())}, "IN");
  ASSERT_OK(plan);
  ASSERT_EQ((*plan)[0].decision.verdict, agreement::Verdict::kWithheld);
  EXPECT_EQ((*plan)[0].decision.reasons.front().code, "NOT_YET_IN_FORCE");
}

TEST_F(TwoNodes, AnIndicatorReachesThePartnerWithManifestReceiptAndProof) {
  in_force();
  std::vector<std::string> objects;
  for (int i = 0; i < 2500; ++i)
    objects.push_back(
        make_indicator("p" + std::to_string(i) + ".example", world.clock.now(), "green", identity_id("JP")));
  const auto status = world["JP"].publish(objects);
  ASSERT_OK(status);
  EXPECT_EQ(status->success, 2500U);
  ASSERT_OK(world.settle());
  // 2,500 and the identity that they name as their creator.
  EXPECT_EQ(got(), 2501U);
  // Octets arrive as they were published.
  std::set<std::string> sent(objects.begin(), objects.end());
  store::Query q;
  q.limit = 10'000;
  const auto page = world["IN"].store->page(received(text.id, "JP", "IN"), q);
  ASSERT_OK(page);
  size_t equal = 0;
  ASSERT_OK(world["IN"].store->raw(
      page->rows, [&](size_t, std::string_view raw) { equal += sent.contains(std::string(raw)) ? 1 : 0; }));
  EXPECT_EQ(equal, 2500U);
  // Receipts are back, and each release was found in the partner's ledger.
  EXPECT_GE(world["JP"].exchange->receiver().receipts(text.id, "IN"), 3U);
  const auto mirror = world["IN"].exchange->mirrors().health(text.id, "JP");
  EXPECT_FALSE(mirror.conflict);
  EXPECT_GE(mirror.verified, 3U);
  EXPECT_EQ(world["IN"].exchange->receiver().health("JP").refused, 0U);
}

TEST_F(TwoNodes, AboveTheCeilingIsWithheldAndNamed) {
  in_force();
  ASSERT_OK(world["JP"].publish(
      {make_indicator("red.example", world.clock.now(), "red"), make_indicator("green.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 1U);
  const auto counts = world["JP"].exchange->releaser().counts();
  const auto& c = counts.at({text.id, "IN"});
  EXPECT_EQ(c.withheld, 1U);
  EXPECT_EQ(c.reasons.count("ABOVE_CEILING"), 1U);
  // The private record says why; the partner's view does not even show a gap in the manifest.
  const auto decisions = world["JP"].store->read("decisions", 0, 10);
  ASSERT_OK(decisions);
  EXPECT_THAT(*decisions, ::testing::Contains(::testing::HasSubstr("ABOVE_CEILING")));
}

TEST_F(TwoNodes, ASuspensionStopsTheFlowAndAResumptionDecidesTheBacklog) {
  in_force();
  json::Node body = json::Node::object();
  body.set("scope", "whole").set("reason", "test");
  ASSERT_OK(world.act("IN", "suspend", text.id, body));
  ASSERT_OK(world.carry_acts());
  ASSERT_OK(world["JP"].publish({make_indicator("late.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 0U);
  ASSERT_OK(world.act("IN", "resume", text.id));
  ASSERT_OK(world.carry_acts());
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 1U);
}

TEST_F(TwoNodes, ASightingGoesBackToTheOriginator) {
  in_force();
  const std::string indicator = make_indicator("seen.example", world.clock.now());
  ASSERT_OK(world["JP"].publish({indicator}));
  ASSERT_OK(world.settle());
  const auto doc = json::parse(indicator);
  const std::string at = to_text(world.clock.now());
  const std::string sighting =
      R"({"type":"sighting","spec_version":"2.1","id":"sighting--)" + random_uuid().text() + R"(","created":")" + at +
      R"(","modified":")" + at + R"(","sighting_of_ref":")" + std::string(*json::find_string(doc->root(), "id")) +
      R"(","count":3,"object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]})";
  ASSERT_OK(world["IN"].publish({sighting}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got("JP", "IN"), 1U);
  EXPECT_EQ(got("IN", "JP"), 1U);  // the indicator itself is not sent back
}

TEST_F(TwoNodes, RestartsLoseAndRepeatNothing) {
  in_force();
  for (int round = 0; round < 4; ++round) {
    std::vector<std::string> objects;
    for (int i = 0; i < 700; ++i)
      objects.push_back(
          make_indicator("r" + std::to_string(round) + "-" + std::to_string(i) + ".example", world.clock.now()));
    ASSERT_OK(world["JP"].publish(objects));
    world["JP"].release_all();
    // One page only, cut in the middle of a release, then both go down.
    world["IN"].context->config.pull_page = 333;
    const auto client = world["JP"].client(world["IN"].spki);
    ASSERT_OK(world["IN"].exchange->receiver().pull_objects(*client, "JP", text.id, 0));
    world["IN"].crash_files();
    world["JP"].crash_files();
    ASSERT_OK(world["IN"].reopen());
    ASSERT_OK(world["JP"].reopen());
  }
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 2800U);
  EXPECT_EQ(world["IN"].exchange->receiver().health("JP").refused, 0U);
}

TEST(ThreeNodes, WhatOnePartnerGaveIsNotPassedOnWithoutConsent) {
  World world({"AU", "IN", "JP"});
  ASSERT_OK(world.open());
  Text in_jp;
  Text au_in;
  ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, in_jp)));
  ASSERT_OK(world.bring_into_force({"AU", "IN"}, world.document({"AU", "IN"}, au_in)));
  ASSERT_OK(world["JP"].publish({make_indicator("orcon.example", world.clock.now())}));
  ASSERT_OK(world["IN"].publish({make_indicator("own.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(world["IN"].store->count(received(in_jp.id, "JP", "IN")), 1U);
  EXPECT_EQ(world["AU"].store->count(received(au_in.id, "IN", "AU")), 1U);
  const auto counts = world["IN"].exchange->releaser().counts();
  EXPECT_EQ(counts.at({au_in.id, "AU"}).reasons.count("ORIGINATOR_CONSENT"), 1U);
}

// Attack 11: the clock is set back. Nothing goes out and nothing is passed over; it goes when the clock is right again.
TEST_F(TwoNodes, AClockSetBackStopsTheFlowAndLosesNothing) {
  in_force();
  world.clock.advance_us(int64_t{7200} * 1'000'000);  // so that the agreement is in force at the wrong time as well
  ASSERT_OK(world["JP"].publish({make_indicator("a.example", world.clock.now())}));
  world.clock.advance_us(-int64_t{3600} * 1'000'000);
  world["JP"].release_all();
  const auto plan = world["JP"].exchange->releaser().plan({make_indicator("x.example", world.clock.now())}, "IN");
  ASSERT_OK(plan);
  EXPECT_EQ((*plan)[0].decision.reasons.front().code, "CLOCK_UNSAFE");
  EXPECT_EQ(world["JP"].store->count(released(text.id, "JP", "IN")), 0U);
  world.clock.advance_us(int64_t{3600} * 1'000'000);
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 1U);
}

// Two parties in a group and a pair: an object goes once, by the instrument that governs it.
TEST(ThreeNodes, AnObjectGoesOnceByTheInstrumentThatGoverns) {
  World world({"AU", "IN", "JP"});
  ASSERT_OK(world.open());
  Text pair;
  pair.types = {"indicator", "identity", "marking-definition"};
  Text group;
  group.ceiling = "green";
  ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, pair)));
  ASSERT_OK(world.bring_into_force({"AU", "IN", "JP"}, world.document({"AU", "IN", "JP"}, group)));
  ASSERT_OK(world["JP"].publish({make_indicator("one.example", world.clock.now(), "green"),
                                 make_indicator("two.example", world.clock.now(), "amber")}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(world["IN"].store->count(received(pair.id, "JP", "IN")), 2U) << "lex specialis: the pair";
  EXPECT_EQ(world["IN"].store->count(received(group.id, "JP", "IN")), 0U);
  EXPECT_EQ(world["AU"].store->count(received(group.id, "JP", "AU")), 1U) << "above the group's ceiling";
}

}  // namespace
}  // namespace entente::exchange
