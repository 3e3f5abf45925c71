// Recalls down to the enforcers: what sensors say becomes a signed answer of their node, who is gone is late and not
// forgotten, and whom the object was passed on to is in the answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/exchange.h"
#include "exchange/recall.h"
#include "exchange/two_nodes.h"

namespace entente::exchange {
namespace {

#define ASSERT_OK(...)                             \
  do {                                             \
    const auto& ok_r = (__VA_ARGS__);              \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

constexpr const char* kGateway = "11111111-1111-4111-8111-111111111111";
constexpr const char* kResolver = "22222222-2222-4222-8222-222222222222";
constexpr int64_t kSecond = 1'000'000;

std::string id_of(const std::string& object) {
  const auto doc = json::parse(object);
  return std::string(*json::find_string(doc->root(), "id"));
}

class Recall : public ::testing::Test {
 protected:
  explicit Recall(std::vector<std::string> parties = {"IN", "JP"}) : parties_(std::move(parties)), world(parties_) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force(parties_, world.document(parties_, text)));
  }
  std::string publish(const std::string& name, const std::string& by = "JP") {
    const std::string indicator = make_indicator(name, world.clock.now());
    EXPECT_TRUE(world[by].publish({indicator}).ok());
    EXPECT_TRUE(world.settle().ok());
    return id_of(indicator);
  }
  // The sensor lives; `applied`: up to now.
  Status hello(const char* sensor, const std::string& enforcers, bool applied = false, const std::string& at = "IN") {
    std::string positions;
    if (applied)
      positions =
          '"' + received(text.id, "JP", at).text() + R"(":")" + to_text(world.clock.now().plus_us(kSecond)) + '"';
    return world[at].exchange->sensors().report(
        "person sensor gw", std::string(R"({"sensor":")") + sensor + R"(","mode":"block","enforcers":[)" + enforcers +
                                R"(],"applied":{)" + positions + R"(},"recalled":[]})");
  }
  // What it says of the recall of this object. `places`: as in the API.
  Status says(const char* sensor, const std::string& id, const std::string& enforcers, const std::string& places) {
    const auto rows = world["IN"].store->find(received(text.id, "JP", "IN"), id);
    if (!rows.ok() || rows->empty()) return invalid("the sensor's node does not have it");
    return world["IN"].exchange->sensors().report(
        "person sensor gw", std::string(R"({"sensor":")") + sensor + R"(","mode":"block","enforcers":[)" + enforcers +
                                R"(],"applied":{},"recalled":[{"collection":")" + received(text.id, "JP", "IN").text() +
                                R"(","id":")" + id + R"(","version":")" + rows->back().version + R"(","received":")" +
                                to_text(world.clock.now()) + R"(","leases":1,"also":0,"enforcers":[)" + places +
                                "]}]}");
  }
  std::string gone(const char* name) {
    return std::string(R"({"name":")") + name + R"(","withdrawn":")" + to_text(world.clock.now()) + R"("})";
  }
  Holder holder(const std::string& id, const std::string& of = "IN", const std::string& by = "JP") {
    const auto all = recall_status(*world[by].context, world[by].exchange->instruments(), id);
    EXPECT_TRUE(all.ok());
    for (const auto& h : *all)
      if (h.party == of) return h;
    ADD_FAILURE() << of << " is not named";
    return {};
  }
  void wait_and_settle(int64_t seconds = 3) {
    world.clock.advance_us(seconds * kSecond);
    ASSERT_OK(world.settle());
    ASSERT_OK(world.settle());
  }

  const std::vector<std::string> parties_;
  World world;
  Text text;
};

TEST_F(Recall, WithoutSensorsTheNodeAnswersAtOnce) {
  const std::string id = publish("fp.example");
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  ASSERT_OK(world.settle());
  const Holder h = holder(id);
  EXPECT_TRUE(h.withdrawn());
  ASSERT_TRUE(h.answer);
  EXPECT_TRUE(h.complete());
  EXPECT_EQ(h.answer->own.enforcers, 0U);
  EXPECT_TRUE(h.answer->own.received);
  EXPECT_EQ(h.late_us(world.clock.now()), 0);
}

TEST_F(Recall, TheAnswerCountsEnforcersAndSaysWhyOneStillHolds) {
  const std::string id = publish("fp.example");
  ASSERT_OK(hello(kGateway, R"("nftables","xdp")"));
  ASSERT_OK(hello(kResolver, R"("rpz")"));
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  ASSERT_OK(world.settle());
  EXPECT_FALSE(holder(id).answer) << "patience: an answer that is not complete waits for more";
  wait_and_settle();
  Holder h = holder(id);
  ASSERT_TRUE(h.answer);
  EXPECT_FALSE(h.complete());
  EXPECT_EQ(h.answer->own.told, 0U);
  EXPECT_EQ(h.answer->own.sensors, 2U);
  EXPECT_EQ(h.answer->own.enforcers, 3U);
  EXPECT_EQ(h.answer->own.late.size(), 2U);

  ASSERT_OK(says(kGateway, id, R"("nftables","xdp")",
                 gone("nftables") + R"(,{"name":"xdp","held":"the map cannot be written"})"));
  ASSERT_OK(says(kResolver, id, R"("rpz")", gone("rpz")));
  wait_and_settle();
  h = holder(id);
  ASSERT_TRUE(h.answer);
  EXPECT_EQ(h.answer->number, 2U);
  EXPECT_EQ(h.answer->own.told, 2U);
  EXPECT_EQ(h.answer->own.withdrawn, 2U);
  ASSERT_EQ(h.answer->own.late.size(), 1U);
  EXPECT_EQ(h.answer->own.late[0].enforcer, "xdp");
  EXPECT_EQ(h.answer->own.late[0].why, "the map cannot be written");
  EXPECT_EQ(h.answer->own.late[0].sensor.size(), 8U) << "a mark, not a name";
  EXPECT_FALSE(h.complete());

  ASSERT_OK(says(kGateway, id, R"("nftables","xdp")", gone("nftables") + "," + gone("xdp")));
  ASSERT_OK(world.settle());
  ASSERT_OK(world.settle());
  h = holder(id);
  EXPECT_TRUE(h.complete());
  EXPECT_EQ(h.answer->own.withdrawn, 3U);
  EXPECT_EQ(h.answer->own.leases, 2U);
  EXPECT_TRUE(h.answer->own.late.empty());
  // Each answer is a leaf of the answering party's ledger, and was found there.
  EXPECT_FALSE(world["JP"].exchange->mirrors().health(text.id, "IN").conflict);
}

TEST_F(Recall, ASensorThatIsGoneIsLateUntilAPersonTakesItOut) {
  const std::string id = publish("fp.example");
  ASSERT_OK(hello(kGateway, R"("nftables")"));
  world.clock.advance_us(int64_t{40} * 86'400 * kSecond);
  ASSERT_OK(world["IN"].reopen());  // the book is kept
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  ASSERT_OK(world.settle());
  wait_and_settle(120);
  Holder h = holder(id);
  ASSERT_TRUE(h.answer);
  ASSERT_EQ(h.answer->own.late.size(), 1U);
  EXPECT_TRUE(h.answer->own.late[0].last_heard);
  ASSERT_TRUE(h.due);
  EXPECT_GT(h.late_us(world.clock.now()), 50 * kSecond) << "a minute was the aim";
  const auto sensors = world["IN"].exchange->sensors().sensors();
  ASSERT_EQ(sensors.size(), 1U);
  EXPECT_FALSE(world["IN"].exchange->sensors().forget("gw/another").ok());
  ASSERT_OK(world["IN"].exchange->sensors().forget(sensors[0].name));
  wait_and_settle();
  EXPECT_TRUE(holder(id).complete());
}

TEST_F(Recall, APositionPastTheRecallAnswersForIt) {
  const std::string id = publish("fp.example");
  ASSERT_OK(hello(kGateway, R"("nftables")"));
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  ASSERT_OK(world.settle());
  ASSERT_OK(hello(kGateway, R"("nftables")", true));
  ASSERT_OK(world.settle());
  ASSERT_OK(world.settle());
  EXPECT_TRUE(holder(id).complete());
  EXPECT_EQ(holder(id).answer->own.withdrawn, 1U);
}

TEST_F(Recall, AnAnswerGoesWhileTheAgreementIsSuspended) {
  const std::string id = publish("fp.example");
  ASSERT_OK(
      world.act("IN", "suspend", text.id, json::Node::object().set("scope", "whole").set("reason", "consultation")));
  ASSERT_OK(world.carry_acts());
  ASSERT_FALSE(world["JP"].exchange->instruments().state(text.id)->live("IN", "JP"));
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  wait_and_settle();
  EXPECT_TRUE(holder(id).complete());
}

TEST_F(Recall, AnAnswerThatAnotherSignedOrThatChangedIsRefused) {
  RecallAnswer a;
  a.agreement = text.id;
  a.from = "IN";
  a.to = "JP";
  a.object = "indicator--" + random_uuid().text();
  a.own.party = "IN";
  a.own.received = world.clock.now();
  a.own.sensors = a.own.told = 1;
  a.own.enforcers = a.own.withdrawn = 2;
  a.own.complete = true;
  a.id = std::string(kRecallAnswerType) + "--" + random_uuid().text();
  a.salt = random_bytes(32);
  ledger::Leaf leaf;
  leaf.agreement = text.id;
  leaf.at = world.clock.now();
  leaf.by = "IN/node/1";
  leaf.kind = kRecallAnswerLeaf;
  leaf.recipient = "JP";
  leaf.commitment = ledger::commit_to(a.salt, a.record());
  a.leaf = leaf.text();
  const SecretKey key = SecretKey::generate();
  a.signature = sign_recall_answer(a, key);
  const auto read = [](const RecallAnswer& x) {
    const auto doc = json::parse(recall_answer_object(x));
    return parse_recall_answer(doc->root());
  };
  const auto same = read(a);
  ASSERT_OK(same);
  EXPECT_TRUE(recall_answer_signed(*same, key.public_key()));
  EXPECT_FALSE(recall_answer_signed(*same, SecretKey::generate().public_key()));
  RecallAnswer other = a;
  other.own.leases = 7;
  EXPECT_FALSE(read(other).ok()) << "the leaf commits to what was said";
  other = a;
  other.own.withdrawn = 1;  // of 2, and called complete
  leaf.commitment = ledger::commit_to(a.salt, other.record());
  other.leaf = leaf.text();
  EXPECT_FALSE(read(other).ok());
  other = a;
  other.own.party = "AU";
  leaf.commitment = ledger::commit_to(a.salt, other.record());
  other.leaf = leaf.text();
  EXPECT_FALSE(read(other).ok()) << "nobody answers for another";
}

TEST_F(Recall, ARecallNamesWhomItReachesNotWhoOnceHadIt) {
  const std::string first = make_indicator("fp.example", world.clock.now());
  const std::string id = id_of(first);
  ASSERT_OK(world["JP"].publish({first}));
  ASSERT_OK(world.settle());
  // A newer version above the ceiling takes it back.
  auto doc = json::parse(first);
  json::Node stricter = json::Node::from(doc->root());
  stricter.set("modified", to_text(world.clock.now().plus_us(kSecond)));
  json::Node marks = json::Node::array();
  marks.push(std::string(stix::tlp_id(stix::Tlp::kRed)));
  stricter.set("object_marking_refs", std::move(marks));
  ASSERT_OK(world["JP"].publish({json::write(stricter)}));
  ASSERT_OK(world.settle());
  world.clock.advance_us(2 * kSecond);
  const auto recalled = world["JP"].exchange->recall(id, "false positive");
  ASSERT_OK(recalled);
  EXPECT_THAT(recalled->reaches, ::testing::IsEmpty()) << "IN gave it back before";
}

TEST_F(Recall, ASensorThatDoesNotSpeakTheWordIsRefused) {
  auto& book = world["IN"].exchange->sensors();
  for (const char* body : {"{}", R"({"sensor":"x","mode":"block"})",
                           R"({"sensor":"11111111-1111-4111-8111-111111111111","mode":"aggressive"})",
                           R"({"sensor":"11111111-1111-4111-8111-111111111111","mode":"block","enforcers":[""]})",
                           R"({"sensor":"11111111-1111-4111-8111-111111111111","mode":"block","applied":{"x":"now"}})",
                           R"({"sensor":"11111111-1111-4111-8111-111111111111","mode":"block","recalled":[{}]})"})
    EXPECT_FALSE(book.report("person sensor gw", body).ok()) << body;
  EXPECT_TRUE(book.sensors().empty());
}

class GroupRecall : public Recall {
 protected:
  GroupRecall() : Recall({"AU", "IN", "JP"}) {}
};

TEST_F(GroupRecall, WhoWithdrewIsReachedAndAnswers) {
  const std::string id = publish("fp.example");
  ASSERT_OK(world.act("AU", "withdraw", text.id));
  ASSERT_OK(world.carry_acts());
  world.clock.advance_us(int64_t{400} * 86'400 * kSecond);  // the notice runs out
  ASSERT_FALSE(world["JP"].exchange->instruments().state(text.id)->live("AU", "JP"));
  const auto recalled = world["JP"].exchange->recall(id, "false positive");
  ASSERT_OK(recalled);
  EXPECT_THAT(recalled->reaches, ::testing::ElementsAre("AU", "IN"));
  wait_and_settle();
  EXPECT_TRUE(holder(id, "AU").complete());
  EXPECT_TRUE(holder(id, "IN").complete());
}

// What IN passed on to AU: AU's answer is part of IN's, and IN is not done before AU is.
TEST_F(GroupRecall, OnwardRecipientsAreInTheAnswer) {
  const std::string pair_id = "urn:uuid:" + random_uuid().text();
  Text pair = text;
  pair.id = pair_id;
  ASSERT_OK(world.bring_into_force({"AU", "IN"}, world.document({"AU", "IN"}, pair)));
  const std::string id = publish("fp.example");
  // As with consent: the object in IN's collection for AU, with a manifest of its own making.
  auto& in = world["IN"];
  const auto rows = in.store->find(received(text.id, "JP", "IN"), id);
  ASSERT_OK(rows);
  store::Change change;
  change.share(released(pair_id, "IN", "AU"), rows->back());
  ASSERT_OK(in.store->commit_wait(std::move(change)));
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  ASSERT_OK(world.settle());
  wait_and_settle();
  const Holder h = holder(id, "IN");
  ASSERT_TRUE(h.answer);
  ASSERT_EQ(h.answer->onward.size(), 1U);
  EXPECT_EQ(h.answer->onward[0].party, "AU");
  EXPECT_EQ(h.answer->onward[0].via, "IN");
  EXPECT_EQ(h.complete(), h.answer->onward[0].complete);
}

}  // namespace
}  // namespace entente::exchange
