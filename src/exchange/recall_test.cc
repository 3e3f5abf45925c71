// What went is taken back: every recipient is told, whatever became of the agreement.
#include "exchange/recall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/two_nodes_for_test.h"
#include "exchange/wire.h"
#include "ledger/tile_log.h"

namespace entente::exchange {
namespace {

TEST_F(TwoNodes, ARecallReachesWhoReceived) {
  in_force();
  const std::string indicator = make_indicator("fp.example", world.clock.now());
  ASSERT_OK(world["JP"].publish({indicator}));
  ASSERT_OK(world.settle());
  const auto doc = json::parse(indicator);
  const std::string id(*json::find_string(doc->root(), "id"));
  const auto recalled = world["JP"].exchange->recall(id, "false positive");
  ASSERT_OK(recalled);
  EXPECT_THAT(recalled->reaches, ::testing::ElementsAre("IN"));
  ASSERT_OK(world.settle());
  const auto rows = world["IN"].store->find(received(text.id, "JP", "IN"), id);
  ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_TRUE(rows->back().revoked);
  // The partner may not recall what is not its own.
  EXPECT_FALSE(world["IN"].exchange->recall(id, "").ok());
}

// release.md §3 step 12: the duty to take back outlives the agreement; nothing else flows. Its end is signed by both.
TEST_F(TwoNodes, ARecallGoesAfterTheEndOfTheAgreement) {
  in_force();
  const std::string indicator = make_indicator("fp.example", world.clock.now());
  const auto doc = json::parse(indicator);
  const std::string id(*json::find_string(doc->root(), "id"));
  ASSERT_OK(world["JP"].publish({indicator}));
  ASSERT_OK(world.settle());
  const auto before = recall_status(*world["JP"].context, world["JP"].exchange->instruments(), id);
  ASSERT_OK(before);
  ASSERT_EQ(before->size(), 1U);
  EXPECT_FALSE(before->front().sent);
  world.clock.advance_us(int64_t{6} * 366 * 86'400'000'000);  // past its term, renewals are by agreement
  const auto s = world["JP"].exchange->instruments().state(text.id);
  if (s->kind == agreement::StateKind::kInForce) {  // it renewed itself: withdraw, and let the notice run
    ASSERT_OK(world.act("IN", "withdraw", text.id));
    ASSERT_OK(world.carry_acts());
    world.clock.advance_us(int64_t{2} * 366 * 86'400'000'000);
  }
  ASSERT_FALSE(world["JP"].exchange->instruments().state(text.id)->live("IN", "JP"));
  ASSERT_OK(world["JP"].publish({make_indicator("late.example", world.clock.now())}));
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  ASSERT_OK(world.settle());
  const auto rows = world["IN"].store->find(received(text.id, "JP", "IN"), id);
  ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_TRUE(rows->back().revoked);
  EXPECT_EQ(got(), 2U);  // the object and its recall, and nothing that came after the end
}

// Each earlier holder's node signs for the recall; who has not is named.
TEST_F(TwoNodes, ARecallIsAnsweredByEveryHolder) {
  in_force();
  const std::string indicator = make_indicator("fp.example", world.clock.now());
  const auto doc = json::parse(indicator);
  const std::string id(*json::find_string(doc->root(), "id"));
  ASSERT_OK(world["JP"].publish({indicator}));
  ASSERT_OK(world.settle());
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  world["JP"].release_all();
  const auto status = [&] { return recall_status(*world["JP"].context, world["JP"].exchange->instruments(), id); };
  const auto sent = status();
  ASSERT_OK(sent);
  ASSERT_EQ(sent->size(), 1U);
  EXPECT_TRUE(sent->front().sent);
  EXPECT_FALSE(sent->front().answered);
  ASSERT_OK(world.settle());
  const auto done = status();
  ASSERT_OK(done);
  EXPECT_TRUE(done->front().withdrawn());
  EXPECT_EQ(done->front().party, "IN");
  EXPECT_FALSE(recall_status(*world["IN"].context, world["IN"].exchange->instruments(), id).ok());  // not its own
}

// release.md §3 step 12: a newer version that may not go takes back the one that went, and the receiver takes that.
TEST_F(TwoNodes, AVersionThatMayNotGoTakesBackTheOneThatWent) {
  in_force();
  const std::string first = make_indicator("turned-red.example", world.clock.now());
  ASSERT_OK(world["JP"].publish({first}));
  ASSERT_OK(world.settle());
  const auto doc = json::parse(first);
  json::Node second = json::Node::from(doc->root());
  const std::string id(second.string_at("id"));
  second.set("modified", to_text(world.clock.now().plus_us(5'000'000)));
  second.set("object_marking_refs", json::Node(json::Node::List{json::Node(stix::tlp_id(stix::Tlp::kRed))}));
  ASSERT_OK(world["JP"].publish({json::write(second)}));
  ASSERT_OK(world.settle());
  const auto rows = world["IN"].store->find(received(text.id, "JP", "IN"), id);
  ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_TRUE(rows->back().revoked);
  const auto raw = world["IN"].store->raw(rows->back());
  ASSERT_OK(raw);
  EXPECT_THAT(*raw, ::testing::Not(::testing::HasSubstr("turned-red")));
  EXPECT_EQ(world["IN"].exchange->receiver().health("JP").refused, 0U);
  const auto counts = world["JP"].exchange->releaser().counts();
  EXPECT_EQ(counts.at({text.id, "IN"}).reasons.at("RECALL_TOMBSTONE"), 1U);
}

// release.md §3 step 12 and §7: a recall always goes; and nothing else does, and nothing is lost by it.
TEST_F(TwoNodes, ARecallGoesWhileTheAgreementIsSuspended) {
  in_force();
  std::vector<std::string> indicators, ids;
  for (const char* name : {"one.example", "two.example", "three.example"}) {
    indicators.push_back(make_indicator(name, world.clock.now()));
    const auto doc = json::parse(indicators.back());
    ids.emplace_back(*json::find_string(doc->root(), "id"));
  }
  ASSERT_OK(world["JP"].publish({indicators[0], indicators[1]}));
  ASSERT_OK(world.settle());
  const auto rows = [&](const std::string& id) { return *world["IN"].store->find(received(text.id, "JP", "IN"), id); };
  ASSERT_EQ(rows(ids[0]).size(), 1U);

  json::Node body = json::Node::object();
  body.set("scope", "whole").set("reason", "test");
  ASSERT_OK(world.act("IN", "suspend", text.id, body));
  // Released by JP before the act has reached it.
  ASSERT_OK(world["JP"].publish({indicators[2]}));
  world["JP"].release_all();
  ASSERT_OK(world.carry_acts());
  const auto recalled = world["JP"].exchange->recall(ids[0], "false positive");
  ASSERT_OK(recalled);
  EXPECT_THAT(recalled->reaches, ::testing::ElementsAre("IN"));
  ASSERT_OK(world["JP"].publish({make_indicator("late.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(world["JP"].store->find(released(text.id, "JP", "IN"), ids[0])->size(), 2U) << "put out";
  ASSERT_EQ(rows(ids[0]).size(), 2U);
  EXPECT_TRUE(rows(ids[0]).back().revoked);
  EXPECT_EQ(rows(ids[1]).size(), 1U);
  EXPECT_EQ(rows(ids[2]).size(), 0U) << "taken although the agreement is suspended";
  EXPECT_EQ(got(), 3U) << "two objects and a recall";

  ASSERT_OK(world.act("IN", "resume", text.id));
  ASSERT_OK(world.carry_acts());
  ASSERT_OK(world.settle());
  EXPECT_EQ(rows(ids[0]).size(), 2U) << "the recall is told once";
  EXPECT_EQ(rows(ids[2]).size(), 1U) << "what came before the suspension was known is not lost";
  EXPECT_EQ(got(), 5U);
  EXPECT_EQ(world["JP"].store->find(released(text.id, "JP", "IN"), ids[0])->size(), 2U);
  // Everything that went was acknowledged, and the ledgers agree.
  const auto health = world["IN"].exchange->receiver().health("JP");
  EXPECT_EQ(health.refused, 0U);
  EXPECT_FALSE(world["IN"].exchange->mirrors().health(text.id, "JP").conflict);
}

}  // namespace
}  // namespace entente::exchange
