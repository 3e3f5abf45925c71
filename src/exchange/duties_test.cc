// Duties and the score: both parties compute the same octets from the same ledgers, and the ledgers say what happened.
#include "exchange/duties.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/score.h"
#include "exchange/two_nodes.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

using agreement::Duty;
using agreement::DutyState;
using json::Node;
using ::testing::HasSubstr;

#define ASSERT_OK(...)                             \
  do {                                             \
    const auto& ok_r = (__VA_ARGS__);              \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

constexpr int64_t kMinuteUs = 60'000'000;
constexpr int64_t kHourUs = 60 * kMinuteUs;

Node level(const char* id, const char* act, Node trigger, const char* within, const char* clock) {
  Node n = Node::object();
  n.set("id", id).set("art", "3(3)").set("act", act).set("trigger", std::move(trigger)).set("within", within);
  return n.set("clock", clock).set("hours", "24x7");
}

class Duties : public ::testing::Test {
 protected:
  Duties() : world({"IN", "JP"}) {}
  void begin() {
    ASSERT_OK(world.open());
    const std::string plain = world.document({"IN", "JP"}, text);
    const auto doc = json::parse(plain);
    Node n = Node::from(doc->root());
    Node levels = Node::array();
    levels.push(level("sla-critical", "release", Node::object().set("severity", "critical"), "PT30M", "committed"));
    levels.push(level("sla-routine", "release", Node::object().set("any", true), "PT24H", "committed"));
    levels.push(level("sla-ack", "acknowledge", Node::object().set("received", true), "PT5M", "received"));
    levels.push(level("sla-consent", "answer", Node::object().set("request", "onward"), "PT4H", "received"));
    levels.push(level("sla-claim", "answer", Node::object().set("request", "false-positive"), "PT2H", "received"));
    levels.push(level("sla-joint", "answer", Node::object().set("joint_case", true), "PT1H", "received"));
    n.set("service_levels", std::move(levels));
    Node measure = Node::array();
    measure.push("released_objects");
    measure.push("sightings_returned");
    n.set("reciprocity",
          Node::object().set("art", "3(5)").set("measure", measure).set("window", "P30D").set("consequence", "report"));
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, json::canonical(n)));
  }
  Between now(const std::string& party) {
    return between_now(*world[party].context, text.id, party == "IN" ? "JP" : "IN", *parse_period("P30D"));
  }
  DutySheet sheet(const std::string& party) {
    auto s = duty_sheet(*world[party].context, world[party].exchange->instruments(), now(party));
    EXPECT_TRUE(s.ok()) << (s.ok() ? "" : s.error().text());
    return *std::move(s);
  }
  // The same question to both: the entries that both hold.
  void both_agree() {
    Between question = now("IN");
    const Between other = now("JP");
    question.a_entries = std::min(question.a_entries, other.a_entries);
    question.b_entries = std::min(question.b_entries, other.b_entries);
    std::string first, score_first;
    for (const char* party : {"IN", "JP"}) {
      const auto s = duty_sheet(*world[party].context, world[party].exchange->instruments(), question);
      ASSERT_OK(s);
      const auto sc = score(*world[party].context, world[party].exchange->instruments(), question);
      ASSERT_OK(sc);
      if (first.empty()) {
        first = s->text();
        score_first = sc->text();
      }
      EXPECT_EQ(s->text(), first);
      EXPECT_EQ(sc->text(), score_first);
    }
  }
  Score score_at(const std::string& party) {
    auto s = score(*world[party].context, world[party].exchange->instruments(), now(party));
    EXPECT_TRUE(s.ok()) << (s.ok() ? "" : s.error().text());
    return *std::move(s);
  }
  static std::string with(const std::string& object, const char* name, Node value) {
    Node n = Node::from(json::parse(object)->root());
    return json::write(n.set(name, std::move(value)));
  }
  static std::string id_of(const std::string& object) {
    const auto doc = json::parse(object);
    return std::string(json::find_string(doc->root(), "id").value_or(""));
  }
  agreement::SignedAct signed_step(const std::string& party, const std::string& kind, Node body,
                                   const std::string& prev = {}) {
    TestNode& n = world[party];
    agreement::Act a{kind,           text.id, n.exchange->instruments().state(text.id)->document->hash,
                     prev,           party,   world.clock.now(),
                     std::move(body)};
    return {a, {agreement::sign_act(a, party + "/authority/1", n.acting.authority1)}};
  }
  std::vector<Duty> of(const std::string& party, const std::string& which) {
    std::vector<Duty> out;
    for (const Duty& d : sheet(party).duties)
      if (d.level == which) out.push_back(d);
    return out;
  }
  World world;
  Text text;
};

TEST_F(Duties, ReleasesAndReceiptsKeepTheirLevels) {
  begin();
  ASSERT_OK(world["JP"].publish({make_indicator("a.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  const auto acks = of("IN", "sla-ack");
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].obligor, "IN");
  EXPECT_EQ(acks[0].state, DutyState::kMet);
  const auto releases = of("JP", "sla-routine");
  ASSERT_EQ(releases.size(), 1U);
  EXPECT_EQ(releases[0].obligor, "JP");
  EXPECT_EQ(releases[0].state, DutyState::kMet);
  both_agree();
}

TEST_F(Duties, AReceiptThatDoesNotComeIsOverdueAtBoth) {
  begin();
  ASSERT_OK(world["JP"].publish({make_indicator("a.example", world.clock.now())}));
  world["JP"].release_all();  // and IN is away
  const auto client = world["JP"].client(world["IN"].spki);
  ASSERT_OK(world["IN"].exchange->mirrors().check(*client, "JP", text.id));
  world.clock.advance_us(6 * kMinuteUs);
  EXPECT_EQ(of("JP", "sla-ack").at(0).state, DutyState::kOverdue);
  ASSERT_OK(world["JP"].exchange->duties().look());
  EXPECT_EQ(world["JP"].exchange->duties().counts().at(0).theirs_overdue, 1U);
  EXPECT_EQ(world["JP"].exchange->duties().counts().at(0).ours_overdue, 0U);
  ASSERT_OK(world.settle());
  EXPECT_EQ(of("JP", "sla-ack").at(0).state, DutyState::kLate);
  EXPECT_EQ(of("IN", "sla-ack").at(0).state, DutyState::kLate);
  // Who was late says so in its own ledger, once; the other can open what it says.
  for (int i = 0; i < 2; ++i) ASSERT_OK(world["IN"].exchange->duties().look());
  ASSERT_OK(world.settle());
  EXPECT_EQ(score_at("JP").parties.at("IN").breaches_admitted, 1U);
  const std::string record = breach_record(text.id, of("JP", "sla-ack").at(0));
  const std::string commitment = ledger::commit_to(breach_salt(record), record);
  const auto leaves = world["JP"].store->read("mirror/" + bare_uuid(text.id) + "/IN", 0, 1000);
  EXPECT_TRUE(std::any_of(leaves->begin(), leaves->end(),
                          [&](const auto& l) { return ledger::parse_leaf(l)->commitment == commitment; }));
  both_agree();
}

TEST_F(Duties, WhatWaitsForPeopleKeepsItsClockFromWhenItWasCommitted) {
  agreement::Policy policy;
  policy.review_types = {"indicator"};
  policy.review_persons = 1;
  world["JP"].policy = policy;
  begin();
  const std::string object =
      with(make_indicator("a.example", world.clock.now()), "labels", Node(Node::List{Node("severity:critical")}));
  ASSERT_OK(world["JP"].publish({object}));
  ASSERT_OK(world.settle());
  const Time committed = world.clock.now();
  // The sender sees the clock run; its ledger has the leaf that started it.
  const auto state = world["JP"].exchange->instruments().state(text.id);
  auto waiting = waiting_duties(*world["JP"].context, *state, "IN", world.clock.now());
  ASSERT_OK(waiting);
  ASSERT_EQ(waiting->size(), 1U);
  EXPECT_EQ(waiting->at(0).level, "sla-critical");
  EXPECT_EQ(waiting->at(0).state, DutyState::kOpen);
  world.clock.advance_us(kHourUs);
  waiting = waiting_duties(*world["JP"].context, *state, "IN", world.clock.now());
  EXPECT_EQ(waiting->at(0).state, DutyState::kOverdue);
  ASSERT_OK(world["JP"].exchange->approve(id_of(object), "IN", "person release-officer aiko"));
  ASSERT_OK(world.settle());
  for (const char* party : {"IN", "JP"}) {
    const auto d = of(party, "sla-critical");
    ASSERT_EQ(d.size(), 1U) << party;
    EXPECT_EQ(d[0].state, DutyState::kLate) << "an hour, and half an hour was allowed";
    EXPECT_LE(d[0].started, committed);
  }
  both_agree();
}

TEST_F(Duties, WithoutTheLeafThatShowsItNobodyHasToBelieveSinceWhen) {
  begin();
  ASSERT_OK(world["JP"].publish({make_indicator("a.example", world.clock.now())}));
  world.clock.advance_us(kMinuteUs);
  ASSERT_OK(world.settle());
  Between question = now("IN");
  const auto x = Exchanged::read(*world["IN"].context, world["IN"].exchange->instruments(), question);
  ASSERT_OK(x);
  ASSERT_EQ(x->sent().size(), 1U);
  SentManifest sent = x->sent().front();
  ASSERT_EQ(sent.manifest.committed.size(), 1U);
  ASSERT_EQ(sent.manifest.commits.size(), 1U);
  EXPECT_EQ(x->committed(sent, 0), sent.manifest.committed[0]);
  sent.manifest.committed[0] = sent.manifest.committed[0].plus_us(-kHourUs);
  EXPECT_EQ(x->committed(sent, 0), sent.leaf.at) << "outside what the leaf says";
  sent = x->sent().front();
  sent.manifest.commits[0].count += 1;
  EXPECT_EQ(x->committed(sent, 0), sent.leaf.at) << "another record than the leaf's";
  sent = x->sent().front();
  sent.manifest.version = 1;
  EXPECT_EQ(x->committed(sent, 0), sent.leaf.at) << "a manifest whose leaf does not bind them";
}

TEST_F(Duties, AnOnwardRequestIsAnsweredInTime) {
  begin();
  const std::string object = make_indicator("a.example", world.clock.now());
  ASSERT_OK(world["JP"].publish({object}));
  ASSERT_OK(world.settle());
  const auto terms = world["IN"].exchange->consents().askable(id_of(object)).value().front().terms;
  Node body = Node::object();
  body.set("originator", "JP").set("holder", "IN").set("object", terms.object).set("version", terms.version);
  body.set("sha256", terms.sha256).set("recipient", "AU").set("purpose", "cyber-defence");
  const auto ask = signed_step("IN", "onward_ask", body);
  ASSERT_OK(world["IN"].exchange->submit_act(ask.text()));
  ASSERT_OK(world.settle());
  EXPECT_EQ(of("IN", "sla-consent").at(0).state, DutyState::kOpen);
  EXPECT_EQ(of("IN", "sla-consent").at(0).obligor, "JP");
  world.clock.advance_us(3 * kHourUs);
  ASSERT_OK(world["JP"].exchange->duties().look());
  EXPECT_EQ(world["JP"].exchange->duties().counts().at(0).ours_soon, 1U);
  const auto deny = signed_step(
      "JP", "onward_deny",
      Node::object().set("originator", "JP").set("holder", "IN").set("request", ask.act.hash()).set("reason", "no"),
      ask.act.hash());
  ASSERT_OK(world["JP"].exchange->submit_act(deny.text()));
  ASSERT_OK(world.settle());
  for (const char* party : {"IN", "JP"}) EXPECT_EQ(of(party, "sla-consent").at(0).state, DutyState::kMet) << party;
  both_agree();
}

TEST_F(Duties, AClaimIsAnsweredOrOverdue) {
  begin();
  const std::string object = make_indicator("a.example", world.clock.now());
  ASSERT_OK(world["JP"].publish({object}));
  ASSERT_OK(world.settle());
  const auto carrier = [&](const char* type, Node extension) {
    Node n = Node::object();
    n.set("type", type).set("spec_version", "2.1").set("id", std::string(type) + "--" + random_uuid().text());
    n.set("created", to_text(world.clock.now())).set("modified", to_text(world.clock.now()));
    n.set("content", "see extension").set("object_refs", Node(Node::List{Node(id_of(object))}));
    n.set("object_marking_refs", Node(Node::List{Node(stix::tlp_id(stix::Tlp::kGreen))}));
    extension.set("extension_type", "property-extension").set("indicator", id_of(object)).set("agreement", text.id);
    extension.set("claimant", "IN").set("originator", "JP").set("reason", "our mail relay");
    n.set("extensions",
          Node::object().set("extension-definition--7f0a3c52-5d0e-4c1b-9a44-2b8f6f1d0c9e", std::move(extension)));
    return json::write(n);
  };
  const std::string claim = carrier("note", Node::object().set("claim", "false-positive"));
  ASSERT_OK(world["IN"].publish({claim}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(of("JP", "sla-claim").at(0).state, DutyState::kOpen);
  EXPECT_EQ(of("JP", "sla-claim").at(0).obligor, "JP");
  world.clock.advance_us(3 * kHourUs);
  EXPECT_EQ(of("IN", "sla-claim").at(0).state, DutyState::kOverdue);
  ASSERT_OK(
      world["JP"].publish({carrier("note", Node::object().set("answer", "withdrawn").set("answers", id_of(claim)))}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(of("IN", "sla-claim").at(0).state, DutyState::kLate);
  EXPECT_EQ(score_at("JP").parties.at("IN").claims_withdrawn, 1U);
  EXPECT_EQ(score_at("JP").parties.at("IN").claims_open, 0U);
  both_agree();
}

TEST_F(Duties, AProposalOfAJointActionIsAnsweredOrOverdue) {
  begin();
  const std::string object = make_indicator("a.example", world.clock.now());
  ASSERT_OK(world["JP"].publish({object}));
  ASSERT_OK(world.settle());
  Node measure = Node::object();
  measure.set("id", "m1").set("indicator", id_of(object)).set("version", to_text(world.clock.now())).set("do", "drop");
  Node body = Node::object();
  body.set("title", "t")
      .set("measures", Node(Node::List{measure}))
      .set("t0", to_text(world.clock.now().plus_us(kHourUs)));
  body.set("until", to_text(world.clock.now().plus_us(9 * kHourUs)));
  ASSERT_OK(world["JP"].exchange->submit_act(signed_step("JP", "joint_propose", body).text()));
  ASSERT_OK(world.settle());
  std::vector<Duty> mine;
  for (const Duty& d : of("IN", "sla-joint"))
    if (d.obligor == "IN") mine.push_back(d);
  ASSERT_EQ(mine.size(), 1U);
  EXPECT_EQ(mine[0].state, DutyState::kOpen);
  world.clock.advance_us(2 * kHourUs);
  ASSERT_OK(world.settle());
  both_agree();
}

TEST_F(Duties, TheScoreCountsWhatCameBack) {
  begin();
  const std::string a = make_indicator("a.example", world.clock.now());
  const std::string b = make_indicator("b.example", world.clock.now());
  ASSERT_OK(world["JP"].publish({a, b}));
  ASSERT_OK(world.settle());
  Node s = Node::object();
  s.set("type", "sighting").set("spec_version", "2.1").set("id", "sighting--" + random_uuid().text());
  s.set("created", to_text(world.clock.now())).set("modified", to_text(world.clock.now()));
  s.set("sighting_of_ref", id_of(a)).set("count", 7);
  s.set("object_marking_refs", Node(Node::List{Node(stix::tlp_id(stix::Tlp::kGreen))}));
  ASSERT_OK(world["IN"].publish({json::write(s)}));
  ASSERT_OK(world.settle());
  ASSERT_OK(world["JP"].exchange->recall(id_of(b), "wrong"));
  ASSERT_OK(world.settle());
  const Score sheet = score_at("JP");
  EXPECT_EQ(sheet.article, "3(5)");
  EXPECT_EQ(sheet.consequence, "report");
  const PartyScore& jp = sheet.parties.at("JP");
  const PartyScore& in = sheet.parties.at("IN");
  EXPECT_EQ(jp.released.at("indicator"), 3U) << "two, and the revoked version of one";
  EXPECT_EQ(jp.acknowledged, jp.releases);
  EXPECT_EQ(in.sightings_returned, 1U);
  EXPECT_EQ(in.objects_seen, 1U);
  EXPECT_EQ(in.hits_reported, 7U);
  EXPECT_EQ(jp.sightings_returned, 0U);
  EXPECT_TRUE(jp.median_release_delay_us);
  EXPECT_GT(jp.duties.at("sla-routine").met, 0U);
  both_agree();
}

// Random work at both, random pauses and absences: whatever both hold, both compute the same octets.
TEST_F(Duties, TheSameLedgersGiveTheSameOctetsAtBothEnds) {
  begin();
  std::mt19937 r(11);
  const auto die = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(r); };
  std::vector<std::string> ids;
  for (int round = 0; round < 25; ++round) {
    const char* party = die(2) ? "IN" : "JP";
    switch (die(4)) {
      case 0:
        if (!ids.empty())
          (void)world["JP"].exchange->recall(ids[static_cast<size_t>(die(static_cast<int>(ids.size())))], "x").ok();
        break;
      case 1:
        world.clock.advance_us((1 + die(120)) * kMinuteUs);
        break;
      case 2:
        ASSERT_OK(world[party].exchange->duties().look());
        break;
      default: {
        const std::string o = make_indicator("n" + std::to_string(round) + ".example", world.clock.now());
        ASSERT_OK(world[party].publish({o}));
        if (party == std::string("JP")) ids.push_back(id_of(o));
      }
    }
    if (die(3) == 0) world[die(2) ? "IN" : "JP"].release_all();
    if (die(2)) ASSERT_OK(world.settle());
    if (die(3) == 0) both_agree();
  }
  ASSERT_OK(world.settle());
  both_agree();
}

TEST_F(Duties, WhatIsNotHeldIsNotGuessed) {
  begin();
  Between more = now("IN");
  more.b_entries += 1;
  const auto s = duty_sheet(*world["IN"].context, world["IN"].exchange->instruments(), more);
  ASSERT_FALSE(s.ok());
  EXPECT_EQ(s.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace entente::exchange
