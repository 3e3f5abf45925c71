// Acts among nodes: forks, gaps, renewals, documents that a partner sends.
#include "exchange/instruments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/two_nodes_for_test.h"
#include "exchange/wire.h"
#include "ledger/leaf.h"
#include "ledger/tile_log.h"

namespace entente::exchange {
namespace {

class ThreeParties : public ::testing::Test {
 protected:
  ThreeParties() : world({"AU", "IN", "JP"}) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force({"AU", "IN", "JP"}, world.document({"AU", "IN", "JP"}, text)));
  }
  // An act of JP's authorities, made beside its node: as if two of its people had not spoken to each other.
  agreement::SignedAct loose(const std::string& kind, const std::string& prev, const char* reason) {
    agreement::Act a;
    a.kind = kind;
    a.agreement_id = text.id;
    a.text_version = world["JP"].exchange->instruments().state(text.id)->document->hash;
    a.prev_act = prev;
    a.party = "JP";
    a.effective_at = world.clock.now();
    a.body = json::Node::object().set("reason", reason);
    agreement::SignedAct s{a, {}};
    s.sigs.push_back(agreement::sign_act(a, "JP/authority/1", world["JP"].acting.authority1));
    s.sigs.push_back(agreement::sign_act(a, "JP/authority/2", world["JP"].acting.authority2));
    return s;
  }
  std::string last(const std::string& party) {
    return world["JP"].exchange->instruments().state(text.id)->last_act.at(party);
  }
  bool live(const std::string& at, const std::string& a, const std::string& b) {
    return world[at].exchange->instruments().state(text.id)->live(a, b);
  }
  World world;
  Text text;
};

// Attack 12 of the threat model, for acts: JP shows IN one act and AU another after the same one.
TEST_F(ThreeParties, AForkThatEachSawHalfOfReachesAllAndNarrows) {
  const auto one = loose("claim_breach", last("JP"), "one");
  const auto two = loose("claim_breach", last("JP"), "two");
  ASSERT_OK(world["IN"].exchange->submit_act(one.text(), "JP"));
  ASSERT_OK(world["AU"].exchange->submit_act(two.text(), "JP"));
  EXPECT_TRUE(live("IN", "IN", "JP"));
  ASSERT_OK(world.carry_acts());
  for (const char* at : {"AU", "IN", "JP"}) {
    EXPECT_FALSE(live(at, "IN", "JP")) << at;
    EXPECT_TRUE(live(at, "AU", "IN")) << at;
    EXPECT_THAT(world[at].exchange->instruments().state(text.id)->unsure, ::testing::Contains("the chain of JP forks"));
  }
}

TEST_F(ThreeParties, AnActBeforeItsPredecessorNarrowsUntilThatArrives) {
  const auto first = loose("claim_breach", last("JP"), "first");
  const auto second = loose("claim_breach", first.act.hash(), "second");
  ASSERT_OK(world["IN"].exchange->submit_act(second.text(), "JP"));
  EXPECT_FALSE(live("IN", "IN", "JP"));
  ASSERT_OK(world["JP"].publish({make_indicator("later.example", world.clock.now())}));
  ASSERT_OK(world["IN"].exchange->submit_act(first.text(), "JP"));
  EXPECT_TRUE(live("IN", "IN", "JP"));
  EXPECT_EQ(world["IN"].exchange->instruments().state(text.id)->last_act.at("JP"), second.act.hash());
}

// An act whose effect the receiver's state does not allow keeps its place in the chain, or the two would part for ever.
TEST_F(ThreeParties, AnActWithoutEffectIsKeptInTheChain) {
  const auto idle = loose("resume", last("JP"), "nothing is suspended");
  EXPECT_FALSE(world["JP"].exchange->submit_act(idle.text()).ok()) << "own people are told";
  ASSERT_OK(world["IN"].exchange->submit_act(idle.text(), "JP"));
  const auto next = loose("suspend", idle.act.hash(), "then this");
  ASSERT_OK(world["IN"].exchange->submit_act(next.text(), "JP"));
  EXPECT_FALSE(live("IN", "IN", "JP"));
}

TEST_F(ThreeParties, WhatNobodySignedIsNotKept) {
  auto half = loose("resume", last("JP"), "one person");
  half.sigs.pop_back();
  const size_t before = world["IN"].exchange->instruments().acts(text.id).size();
  const auto r = world["IN"].exchange->submit_act(half.text(), "JP");
  ASSERT_FALSE(r.ok());
  EXPECT_THAT(r.error().text(), ::testing::HasSubstr("quorum"));
  auto elsewhere = loose("suspend", last("JP"), "x");
  elsewhere.act.agreement_id = "urn:uuid:" + random_uuid().text();
  EXPECT_FALSE(world["IN"].exchange->submit_act(elsewhere.text(), "JP").ok());
  EXPECT_EQ(world["IN"].exchange->instruments().acts(text.id).size(), before);
  EXPECT_TRUE(live("IN", "IN", "JP"));
}

TEST_F(TwoNodes, AnActWithAByteChangedHasNoEffect) {
  in_force();
  auto acts = world["JP"].exchange->instruments().acts(text.id);
  for (const auto& a : acts) {
    std::string t = a.text();
    const size_t at = t.find("\"effective_at\":\"2027");
    ASSERT_NE(at, std::string::npos);
    t[at + 19] = '9';
    const auto r = world["JP"].exchange->submit_act(t, "IN");
    EXPECT_FALSE(r.ok());
  }
}

// Documents that say more than they may, twice, or under a name made to be mistaken: refused by the rule, and nothing
// is known of them afterwards, so nothing can flow by them.
TEST_F(TwoNodes, WrongDocumentsFromAPartnerAreRefusedByTheRule) {
  const auto good = json::parse(world.document({"IN", "JP"}, text));
  ASSERT_OK(good);
  struct Case {
    std::function<void(json::Node&)> change;
    const char* says;
  };
  const std::vector<Case> cases = {
      {[](json::Node& n) { n.set("surprise", 1); }, "surprise"},
      {[](json::Node& n) { n.find("parties")->list()[0].set("party", "\u0406N"); }, "two capital letters"},
      {[](json::Node& n) {
         n.find("parties")->list()[1].set("name", json::Node::object().set("en", "CERT of \u0406N"));
       },
       "look alike"},
      {[](json::Node& n) { n.find("flows")->list()[0].set("tlp_ceiling", "red"); }, "check 1"},
      {[](json::Node& n) { n.find("actions")->find("never")->list().clear(); }, "check 8"},
  };
  const auto offer = [&](json::Node node) {
    agreement::Act a;
    a.kind = "propose";
    a.agreement_id = text.id;
    a.text_version = sha256_hex(json::canonical(node));
    a.party = "JP";
    a.effective_at = world.clock.now();
    a.body = json::Node::object().set("document", std::move(node));
    agreement::SignedAct s{a, {agreement::sign_act(a, "JP/authority/1", world["JP"].acting.authority1)}};
    return s.text();
  };
  for (const auto& c : cases) {
    json::Node node = json::Node::from(good->root());
    c.change(node);
    const auto r = world["IN"].exchange->submit_act(offer(node), "JP");
    ASSERT_FALSE(r.ok()) << c.says;
    EXPECT_EQ(r.error().kind, ErrorKind::kDenied) << "so it is logged";
    EXPECT_THAT(r.error().text(), ::testing::HasSubstr(c.says));
    EXPECT_EQ(world["IN"].exchange->instruments().state(text.id), nullptr);
  }
  std::string twice = offer(json::Node::from(good->root()));
  const size_t at = twice.find("\"actions\":");
  ASSERT_NE(at, std::string::npos);
  twice.insert(at, "\"version\":2,");
  EXPECT_FALSE(world["IN"].exchange->submit_act(twice, "JP").ok());
  EXPECT_EQ(world["IN"].exchange->instruments().state(text.id), nullptr);
}

// Transition 11: a warning 90, 30 and 7 days before the last day to decline; a leaf when the term renewed itself.
TEST_F(TwoNodes, ATermThatRenewsItselfIsAnnouncedAndRecorded) {
  in_force();
  auto& in = world["IN"];
  const auto leaves = [&] {  // besides anchors and the like, which the clock alone makes
    uint64_t n = 0;
    const auto all = in.store->read("leaf/" + bare_uuid(text.id), 0, 10'000);
    for (const auto& l : *all) n += ledger::parse_leaf(l)->kind == "renewal" ? 1 : 0;
    return n;
  };
  const auto state = [&] { return in.exchange->instruments().state(text.id); };
  const Time end = *state()->end;
  const Time opt_out = subtract(end, state()->document->opt_out_notice);
  const auto go_to = [&](Time t) {
    world.clock.advance_us(t.us - world.clock.now().us);
    in.exchange->tick();
  };
  constexpr int64_t kDay = 86'400'000'000;
  in.exchange->tick();
  EXPECT_TRUE(in.exchange->renewals().warnings().empty());
  const uint64_t before = leaves();
  for (const int days : {90, 30, 7}) {
    go_to(opt_out.plus_us(-days * kDay - 120'000'000));
    const auto early = in.exchange->renewals().warnings();
    EXPECT_TRUE(early.empty() || early[0].days > days);
    go_to(opt_out.plus_us(-days * kDay));
    const auto now = in.exchange->renewals().warnings();
    ASSERT_EQ(now.size(), 1U) << days;
    EXPECT_EQ(now[0].days, days);
    EXPECT_EQ(now[0].opt_out, opt_out);
  }
  go_to(opt_out);
  EXPECT_TRUE(in.exchange->renewals().warnings().empty()) << "too late to say anything for this term";
  EXPECT_EQ(leaves(), before);
  go_to(end);
  EXPECT_EQ(state()->kind, agreement::StateKind::kInForce);
  EXPECT_EQ(leaves(), before + 1) << "the renewal is in the ledger";
  go_to(end.plus_us(kDay));
  ASSERT_OK(in.reopen());
  in.exchange->tick();
  EXPECT_EQ(leaves(), before + 1) << "once";
}

TEST_F(TwoNodes, ATermThatSomebodyDeclinedIsNotRenewed) {
  in_force();
  auto& in = world["IN"];
  in.exchange->tick();
  ASSERT_OK(world.act("IN", "no_renewal", text.id));
  const Time end = *in.exchange->instruments().state(text.id)->end;
  world.clock.advance_us(end.us - world.clock.now().us);
  in.exchange->tick();
  const auto all = in.store->read("leaf/" + bare_uuid(text.id), 0, 10'000);
  for (const auto& l : *all) EXPECT_NE(ledger::parse_leaf(l)->kind, "renewal");
  EXPECT_EQ(in.exchange->instruments().state(text.id)->kind, agreement::StateKind::kExpired);
}

}  // namespace
}  // namespace entente::exchange
