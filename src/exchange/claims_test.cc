// False-positive claims: they go to the originator and nobody else, run against the agreement's clock, and their
// answers come back.
#include "exchange/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exchange/names.h"
#include "exchange/two_nodes.h"

namespace entente::exchange {
namespace {

#define ASSERT_OK(expr)                            \
  do {                                             \
    const auto& ok_r = (expr);                     \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

class Dispute : public ::testing::Test {
 protected:
  explicit Dispute(const std::vector<std::string>& parties = {"IN", "JP"}) : world(parties), parties_(parties) {}
  void open(const std::string& within = "PT4H") {
    ASSERT_OK(world.open());
    const auto doc = json::parse(world.document(parties_, text));
    json::Node n = json::Node::from(doc->root());
    json::Node level = json::Node::object();
    level.set("id", "sla-claim").set("art", "3(3)").set("act", "answer").set("within", within);
    level.set("trigger", json::Node::object().set("request", "false-positive"));
    level.set("clock", "received").set("hours", "24x7");
    if (!within.empty()) n.set("service_levels", json::Node(json::Node::List{level}));
    if (within.empty()) n.set("service_levels", json::Node::array());
    ASSERT_OK(world.bring_into_force(parties_, json::canonical(n)));
    const std::string indicator = make_indicator("fp.example", world.clock.now());
    id = *json::find_string(json::parse(indicator)->root(), "id");
    ASSERT_OK(world["JP"].publish({indicator}));
    ASSERT_OK(world.settle());
  }
  Claim only(const std::string& node) {
    const auto all = world[node].exchange->claims();
    EXPECT_TRUE(all.ok() && all->size() == 1U) << node;
    return all.ok() && !all->empty() ? all->front() : Claim{};
  }
  Result<Claim> claim(const std::string& reason = "the tax office") {
    return world["IN"].exchange->claim(id, "", reason, 1234, "person analyst asha");
  }
  void later(int hours) { world.clock.advance_us(int64_t{hours} * 3'600'000'000); }
  World world;
  Text text;
  std::vector<std::string> parties_;
  std::string id;
};

// What was said and has not gone names the rule that keeps it back, and what would change that.
TEST_F(Dispute, WhatIsNotSentYetSaysWhy) {
  open();
  const auto made = claim();
  ASSERT_OK(made);
  EXPECT_THAT(only("IN").waits_for, testing::HasSubstr("not decided yet"));
  ASSERT_OK(world["IN"].exchange->hold(made->id, true));
  ASSERT_OK(world.settle());
  EXPECT_FALSE(only("IN").sent);
  EXPECT_THAT(only("IN").waits_for, testing::AllOf(testing::HasSubstr("NATIONAL_HOLD: held back by a person"),
                                                   testing::HasSubstr("entente hold --lift")));
  ASSERT_OK(world["IN"].exchange->hold(made->id, false));
  ASSERT_OK(world.settle());
  EXPECT_TRUE(only("IN").sent);
  EXPECT_EQ(only("IN").waits_for, "");
  EXPECT_EQ(only("JP").waits_for, "") << "it is not theirs";
  const auto answered =
      world["JP"].exchange->answer_claim(made->id, false, "seen by three of us", "person release-officer aiko");
  ASSERT_OK(answered);
  ASSERT_OK(world["JP"].exchange->hold(answered->answer_id, true));
  ASSERT_OK(world.settle());
  EXPECT_THAT(only("JP").waits_for, testing::HasSubstr("NATIONAL_HOLD"));
  EXPECT_TRUE(only("IN").open());
  ASSERT_OK(world["JP"].exchange->hold(answered->answer_id, false));
  ASSERT_OK(world.settle());
  EXPECT_EQ(only("JP").waits_for, "");
  EXPECT_EQ(only("IN").answer, "upheld");
}

TEST_F(Dispute, AClaimReachesItsOriginatorAndTheAnswerComesBack) {
  open();
  ASSERT_OK(claim());
  EXPECT_FALSE(only("IN").sent) << "nothing has gone yet";
  EXPECT_FALSE(only("IN").due);
  ASSERT_OK(world.settle());
  const Claim got = only("JP");
  EXPECT_EQ(got.claimant, "IN");
  EXPECT_EQ(got.of, id);
  EXPECT_EQ(got.reason, "the tax office");
  EXPECT_EQ(got.hits, 1200U) << "not what exactly a sensor saw";
  ASSERT_TRUE(got.due);
  EXPECT_EQ(got.due->us - got.at.us, 4LL * 3'600'000'000);
  ASSERT_TRUE(only("IN").due);
  EXPECT_FALSE(only("IN").overdue(world.clock.now()));
  later(5);
  EXPECT_TRUE(only("IN").overdue(world.clock.now()));
  EXPECT_TRUE(only("JP").overdue(world.clock.now()));
  EXPECT_FALSE(world["JP"].exchange->answer_claim(got.id, false, "", "person release-officer aiko").ok())
      << "what stands needs a reason";
  ASSERT_OK(world["JP"].exchange->answer_claim(got.id, false, "seen by three of us", "person release-officer aiko"));
  EXPECT_EQ(world["JP"].exchange->answer_claim(got.id, true, "", "person release-officer aiko").error().kind,
            ErrorKind::kConflict);
  ASSERT_OK(world.settle());
  const Claim answered = only("IN");
  EXPECT_EQ(answered.answer, "upheld");
  EXPECT_EQ(answered.answer_reason, "seen by three of us");
  EXPECT_FALSE(answered.overdue(world.clock.now()));
  EXPECT_FALSE(world["IN"].store->find(received(text.id, "JP", "IN"), id)->back().revoked);
  ASSERT_OK(world["IN"].reopen());
  EXPECT_EQ(only("IN").answer, "upheld");
}

TEST_F(Dispute, WithdrawingRecallsInTheSameStep) {
  open();
  ASSERT_OK(claim());
  ASSERT_OK(world.settle());
  ASSERT_OK(world["JP"].exchange->answer_claim(only("JP").id, true, "our mistake", "person release-officer aiko"));
  ASSERT_OK(world.settle());
  EXPECT_EQ(only("IN").answer, "withdrawn");
  EXPECT_TRUE(world["IN"].store->find(received(text.id, "JP", "IN"), id)->back().revoked);
  EXPECT_FALSE(claim("again").ok()) << "it is recalled already";
}

TEST_F(Dispute, ClaimedTwiceItIsOneClaim) {
  open();
  const auto first = claim();
  ASSERT_OK(first);
  const auto second = claim("another reason");
  ASSERT_OK(second);
  EXPECT_EQ(first->id, second->id);
  EXPECT_EQ(second->reason, "the tax office");
  ASSERT_OK(world.settle());
  EXPECT_EQ(only("JP").id, first->id);
}

TEST_F(Dispute, OnlyWhatAPartnerGaveIsClaimedAndOnlyItsOriginatorAnswers) {
  open();
  const std::string own = make_indicator("own.example", world.clock.now());
  ASSERT_OK(world["IN"].publish({own}));
  const std::string own_id(*json::find_string(json::parse(own)->root(), "id"));
  EXPECT_EQ(world["IN"].exchange->claim(own_id, "", "x", 0, "a").error().kind, ErrorKind::kDenied);
  EXPECT_EQ(world["IN"].exchange->claim("indicator--" + random_uuid().text(), "", "x", 0, "a").error().kind,
            ErrorKind::kNotFound);
  EXPECT_FALSE(claim("").ok()) << "a reason is needed";
  const auto made = claim();
  ASSERT_OK(made);
  EXPECT_EQ(world["IN"].exchange->answer_claim(made->id, true, "", "a").error().kind, ErrorKind::kDenied);
  EXPECT_FALSE(world["JP"].exchange->answer_claim("note--nothing", true, "", "a").ok());
}

TEST_F(Dispute, TheCarrierIsWhatTheAgreementLetsThrough) {
  text.types = {"indicator", "identity", "marking-definition", "sighting", "domain-name"};
  open("");
  const auto made = claim();
  ASSERT_OK(made);
  EXPECT_TRUE(made->id.starts_with("sighting--"));
  ASSERT_OK(world.settle());
  EXPECT_EQ(only("JP").reason, "the tax office");
  EXPECT_FALSE(only("JP").due) << "the agreement sets no time";
  const auto row = world["JP"].store->find(received(text.id, "IN", "JP"), made->id);
  ASSERT_OK(row);
  ASSERT_EQ(row->size(), 1U);
  EXPECT_THAT(*world["JP"].store->raw(row->front()), ::testing::HasSubstr("\"count\":0"));
}

TEST_F(Dispute, WhereNoFlowCarriesItTheClaimIsRefusedWithTheSentence) {
  text.types = {"indicator", "identity", "marking-definition"};
  open();
  const auto made = claim();
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.error().text(), ::testing::HasSubstr("no flow of the agreement carries"));
}

// A partner that lies: about what it never had, or in another's name.
TEST_F(Dispute, AClaimAboutWhatWasNotGivenIsNone) {
  open();
  const std::string now = to_text(world.clock.now());
  for (const auto& of : std::vector<std::string>{"indicator--" + random_uuid().text(), id}) {
    const std::string claimant = of == id ? "US" : "IN";
    const std::string forged =
        R"({"type":"note","spec_version":"2.1","id":"note--)" + random_uuid().text() + R"(","created":")" + now +
        R"(","modified":")" + now + R"(","content":"x","object_refs":[")" + id +
        R"("],"extensions":{"extension-definition--7f0a3c52-5d0e-4c1b-9a44-2b8f6f1d0c9e":{"extension_type":"property-extension","claim":"false-positive","indicator":")" +
        of + R"(","version":"1","agreement":")" + text.id + R"(","claimant":")" + claimant +
        R"(","originator":"JP","reason":"x"}}})";
    ASSERT_OK(world["IN"].publish({forged}));
  }
  ASSERT_OK(world.settle());
  EXPECT_GE(world["JP"].store->count(received(text.id, "IN", "JP")), 1U) << "the objects came";
  EXPECT_TRUE(world["JP"].exchange->claims()->empty());
}

class DisputeOfThree : public Dispute {
 protected:
  DisputeOfThree() : Dispute({"AU", "IN", "JP"}) {}
};

TEST_F(DisputeOfThree, AClaimGoesToTheOriginatorAndNobodyElse) {
  open();
  ASSERT_OK(claim());
  ASSERT_OK(world.settle());
  EXPECT_EQ(only("JP").claimant, "IN");
  EXPECT_TRUE(world["AU"].exchange->claims()->empty());
  EXPECT_EQ(world["AU"].store->count(received(text.id, "IN", "AU")), 0U);
}

}  // namespace
}  // namespace entente::exchange
