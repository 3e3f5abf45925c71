// What a third party gave goes on with its consent, and comes back when the consent does: three nodes, walked end to
// end. JP originates, IN holds, AU receives; two agreements, JP with IN and IN with AU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/consents.h"
#include "exchange/onward_use.h"
#include "exchange/recall.h"
#include "exchange/two_nodes.h"
#include "exchange/wire.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

using agreement::OnwardStage;
using json::Node;
using ::testing::HasSubstr;

#define ASSERT_OK(...)                             \
  do {                                             \
    const auto& ok_r = (__VA_ARGS__);              \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

constexpr int64_t kHourUs = 3'600'000'000;

class Consents : public ::testing::Test {
 protected:
  Consents() : world({"AU", "IN", "JP"}) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, in_jp)));
    ASSERT_OK(world.bring_into_force({"AU", "IN"}, world.document({"AU", "IN"}, au_in)));
  }
  // Publishes at JP and lets it arrive; returns its id.
  std::string from_japan(const std::string& name) {
    const std::string object = make_indicator(name, world.clock.now());
    EXPECT_TRUE(world["JP"].publish({object}).ok());
    EXPECT_TRUE(world.settle().ok());
    return id_of(object);
  }
  static std::string id_of(const std::string& object) {
    const auto doc = json::parse(object);
    return std::string(json::find_string(doc->root(), "id").value_or(""));
  }
  Status step(const std::string& party, const std::string& kind, Node body, const std::string& prev = {},
              const std::string& agreement_id = {}) {
    TestNode& n = world[party];
    agreement::Act a;
    a.kind = kind;
    a.agreement_id = agreement_id.empty() ? in_jp.id : agreement_id;
    a.party = party;
    a.effective_at = world.clock.now();
    a.text_version = n.exchange->instruments().state(a.agreement_id)->document->hash;
    a.prev_act = prev;
    a.body = std::move(body);
    agreement::SignedAct s{a, {agreement::sign_act(a, party + "/authority/1", n.acting.authority1)}};
    last_text = s.text();
    auto done = n.exchange->submit_act(last_text);
    world.clock.advance_us(1'000'000);
    if (!done.ok()) return std::move(done).error();
    return {};
  }
  static Node terms(const agreement::OnwardTerms& t) {
    Node n = Node::object();
    n.set("originator", t.originator).set("holder", t.holder).set("object", t.object).set("version", t.version);
    if (t.version != "*") n.set("sha256", t.sha256);
    n.set("recipient", t.recipient).set("purpose", t.purpose);
    return n;
  }
  // IN asks for what it holds.
  Status ask(const std::string& object, bool every_version = false, const std::string& to = "AU") {
    TRY(const auto askable, world["IN"].exchange->consents().askable(object));
    if (askable.empty()) return make_error(ErrorKind::kNotFound, "IN does not hold it", object);
    agreement::OnwardTerms t = askable.front().terms;
    if (every_version) t.version = "*";
    t.recipient = to;
    t.purpose = askable.front().purposes.front();
    CHECK_OK(step("IN", "onward_ask", terms(t)));
    return world.settle();
  }
  agreement::Onward request(const std::string& at, const std::string& object) {
    for (auto& o : world[at].exchange->consents().requests())
      if (o.asked.object == object) return o;
    return {};
  }
  Status answer(const std::string& object, const std::string& kind, int64_t lasts_us = 24 * kHourUs) {
    const agreement::Onward o = request("JP", object);
    Node body = Node::object().set("originator", "JP").set("holder", "IN");
    if (kind == "onward_give") body = terms(o.asked).set("until", to_text(world.clock.now().plus_us(lasts_us)));
    body.set("request", o.id);
    if (kind == "onward_deny") body.set("reason", "source at risk");
    const auto last = o.last_step.find("JP");
    CHECK_OK(step("JP", kind, std::move(body), last == o.last_step.end() ? "" : last->second));
    return world.settle();
  }
  // What AU has of an object, newest last.
  std::vector<store::Row> at_au(const std::string& object) {
    return world["AU"].store->find(received(au_in.id, "IN", "AU"), object).value();
  }
  // Leaves of a kind in a party's ledger, for this recipient.
  size_t leaves(const std::string& party, const std::string& kind, const std::string& to,
                const std::string& agreement) {
    const auto all = world[party].store->read("leaf/" + bare_uuid(agreement), 0, 1000).value();
    size_t n = 0;
    for (const auto& text : all) {
      const auto leaf = ledger::parse_leaf(text);
      if (leaf->kind == kind && leaf->recipient == to) ++n;
    }
    return n;
  }
  World world;
  Text in_jp, au_in;
  std::string last_text;
};

TEST_F(Consents, AnObjectGoesOnWithConsentAndComesBackWithIt) {
  const std::string id = from_japan("orcon.example");
  const std::string other = from_japan("other.example");
  EXPECT_TRUE(at_au(id).empty()) << "silence is no consent";
  ASSERT_OK(ask(id));
  EXPECT_EQ(request("JP", id).stage, OnwardStage::kAsked) << "the request reached the originator";
  EXPECT_TRUE(at_au(id).empty());
  ASSERT_OK(answer(id, "onward_give"));
  EXPECT_EQ(request("IN", id).stage, OnwardStage::kGiven);
  ASSERT_EQ(at_au(id).size(), 1U);
  EXPECT_FALSE(at_au(id).back().revoked);
  EXPECT_TRUE(at_au(other).empty()) << "a consent names its object";
  ASSERT_OK(answer(id, "onward_withdraw"));
  ASSERT_EQ(at_au(id).size(), 2U);
  EXPECT_TRUE(at_au(id).back().revoked) << "a tombstone follows what went";
  const std::string tombstone = world["AU"].store->raw(at_au(id).back()).value();
  EXPECT_THAT(tombstone, ::testing::Not(HasSubstr("orcon.example")));
  // Both ledgers have a leaf for each step, for the other of the two and for nobody else.
  EXPECT_EQ(leaves("IN", "consent", "JP", in_jp.id), 3U);
  EXPECT_EQ(leaves("JP", "consent", "IN", in_jp.id), 3U);
  EXPECT_EQ(leaves("AU", "consent", "IN", au_in.id), 0U);
  // What was withdrawn does not come back by a new consent to the same version.
  world.clock.advance_us(kHourUs);
  ASSERT_OK(world.settle());
  EXPECT_EQ(at_au(id).size(), 2U);
}

TEST_F(Consents, AConsentThatIsOverTakesBackWhatWentUnderIt) {
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  ASSERT_OK(answer(id, "onward_give", kHourUs));
  ASSERT_EQ(at_au(id).size(), 1U);
  world.clock.advance_us(2 * kHourUs);
  ASSERT_OK(world.settle());
  EXPECT_EQ(request("IN", id).stage, OnwardStage::kExpired);
  ASSERT_EQ(at_au(id).size(), 2U);
  EXPECT_TRUE(at_au(id).back().revoked);
  const auto counts = world["IN"].exchange->releaser().counts().at({au_in.id, "AU"});
  EXPECT_EQ(counts.reasons.at("RECALL_TOMBSTONE"), 1U);
  bool said = false;
  const auto decisions = world["IN"].store->read("decisions", 0, 1000);
  for (const auto& d : *decisions) said = said || d.find("CONSENT_EXPIRED") != std::string::npos;
  EXPECT_TRUE(said) << "the private record names the rule";
}

TEST_F(Consents, ADenialLetsNothingGo) {
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  ASSERT_OK(answer(id, "onward_deny"));
  EXPECT_EQ(request("IN", id).stage, OnwardStage::kDenied);
  EXPECT_EQ(request("IN", id).reason, "source at risk");
  EXPECT_TRUE(at_au(id).empty());
}

TEST_F(Consents, ALaterVersionNeedsAConsentOfItsOwn) {
  const std::string object = make_indicator("orcon.example", world.clock.now());
  const std::string id = id_of(object);
  ASSERT_OK(world["JP"].publish({object}));
  ASSERT_OK(world.settle());
  ASSERT_OK(ask(id));
  ASSERT_OK(answer(id, "onward_give"));
  ASSERT_EQ(at_au(id).size(), 1U);
  world.clock.advance_us(kHourUs);
  const auto changed = [&](const char* name) {
    Node n = Node::from(json::parse(object)->root());
    n.set("modified", to_text(world.clock.now())).set("name", name);
    return json::write(n);
  };
  ASSERT_OK(world["JP"].publish({changed("second")}));
  ASSERT_OK(world.settle());
  ASSERT_EQ(at_au(id).size(), 1U) << "the first version stays, the second does not go";
  EXPECT_FALSE(at_au(id).back().revoked);
  // Its originator's recall goes on whatever was consented to.
  ASSERT_OK(world["JP"].exchange->recall(id, "wrong"));
  ASSERT_OK(world.settle());
  EXPECT_TRUE(at_au(id).back().revoked);
}

TEST_F(Consents, AConsentToEveryVersionCoversTheNextOnes) {
  const std::string object = make_indicator("orcon.example", world.clock.now());
  const std::string id = id_of(object);
  ASSERT_OK(world["JP"].publish({object}));
  ASSERT_OK(world.settle());
  ASSERT_OK(ask(id, true));
  ASSERT_OK(answer(id, "onward_give"));
  world.clock.advance_us(kHourUs);
  Node n = Node::from(json::parse(object)->root());
  n.set("modified", to_text(world.clock.now())).set("name", "second");
  ASSERT_OK(world["JP"].publish({json::write(n)}));
  ASSERT_OK(world.settle());
  ASSERT_EQ(at_au(id).size(), 2U);
  EXPECT_FALSE(at_au(id).back().revoked);
  ASSERT_OK(answer(id, "onward_withdraw"));
  EXPECT_TRUE(at_au(id).back().revoked);
}

TEST_F(Consents, WhatIsDerivedFromTwoOriginatorsNeedsBothConsents) {
  // AU receives; JP and US are the sources.
  World four({"AU", "IN", "JP", "US"});
  ASSERT_OK(four.open());
  Text jp, us, au;
  ASSERT_OK(four.bring_into_force({"IN", "JP"}, four.document({"IN", "JP"}, jp)));
  ASSERT_OK(four.bring_into_force({"IN", "US"}, four.document({"IN", "US"}, us)));
  ASSERT_OK(four.bring_into_force({"AU", "IN"}, four.document({"AU", "IN"}, au)));
  const std::string a = make_indicator("a.example", four.clock.now());
  const std::string b = make_indicator("b.example", four.clock.now());
  ASSERT_OK(four["JP"].publish({a}));
  ASSERT_OK(four["US"].publish({b}));
  ASSERT_OK(four.settle());
  const std::string own = make_indicator("c.example", four.clock.now());
  std::vector<std::string> published = {own};
  for (const auto& source : {a, b}) {
    Node r = Node::object();
    r.set("type", "relationship").set("spec_version", "2.1").set("id", "relationship--" + random_uuid().text());
    r.set("created", to_text(four.clock.now())).set("modified", to_text(four.clock.now()));
    r.set("relationship_type", "derived-from").set("source_ref", id_of(own)).set("target_ref", id_of(source));
    published.push_back(json::write(r));
  }
  ASSERT_OK(four["IN"].publish(published));
  ASSERT_OK(four.settle());
  const auto at_au = [&] { return four["AU"].store->find(received(au.id, "IN", "AU"), id_of(own)).value(); };
  EXPECT_TRUE(at_au().empty());
  const auto consent = [&](const std::string& from, const Text& text, const std::string& object, bool give) {
    TestNode& in = four["IN"];
    TestNode& n = four[from];
    const auto sign = [&](TestNode& by, const std::string& kind, Node body, const std::string& prev) {
      agreement::Act act{kind,           text.id,  by.exchange->instruments().state(text.id)->document->hash,
                         prev,           by.party, four.clock.now(),
                         std::move(body)};
      agreement::SignedAct s{act, {agreement::sign_act(act, by.party + "/authority/1", by.acting.authority1)}};
      four.clock.advance_us(1'000'000);
      EXPECT_TRUE(by.exchange->submit_act(s.text()).ok());
      EXPECT_TRUE(four.settle().ok());
      return act.hash();
    };
    if (give) {
      auto t = in.exchange->consents().askable(object).value().front().terms;
      t.recipient = "AU";
      t.purpose = in.exchange->consents().askable(object).value().front().purposes.front();
      const std::string id = sign(in, "onward_ask", terms(t), "");
      sign(n, "onward_give", terms(t).set("request", id).set("until", to_text(four.clock.now().plus_us(24 * kHourUs))),
           id);
    } else {
      for (const auto& o : n.exchange->consents().requests())
        sign(n, "onward_withdraw", Node::object().set("originator", from).set("holder", "IN").set("request", o.id),
             o.last_step.at(from));
    }
  };
  consent("JP", jp, id_of(a), true);
  EXPECT_TRUE(at_au().empty()) << "one of two is not enough";
  consent("US", us, id_of(b), true);
  ASSERT_EQ(at_au().size(), 1U);
  consent("JP", jp, id_of(a), false);
  ASSERT_EQ(at_au().size(), 2U);
  EXPECT_TRUE(at_au().back().revoked) << "and one withdrawn takes back what was derived";
}

TEST_F(Consents, AWithdrawalReachesWhoReceivedWhileTheAgreementIsSuspended) {
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  ASSERT_OK(answer(id, "onward_give"));
  ASSERT_EQ(at_au(id).size(), 1U);
  ASSERT_OK(world.act("AU", "suspend", au_in.id));
  ASSERT_OK(world.settle());
  ASSERT_OK(answer(id, "onward_withdraw"));
  EXPECT_TRUE(at_au(id).back().revoked);
}

TEST_F(Consents, NothingNewGoesOnWhileTheAgreementItCameUnderIsSuspended) {
  const std::string id = from_japan("orcon.example");
  const std::string second = from_japan("second.example");
  ASSERT_OK(ask(id));
  ASSERT_OK(ask(second));
  ASSERT_OK(answer(id, "onward_give"));
  ASSERT_EQ(at_au(id).size(), 1U);
  ASSERT_OK(world.act("JP", "suspend", in_jp.id));
  ASSERT_OK(answer(second, "onward_give"));
  EXPECT_TRUE(at_au(second).empty());
  EXPECT_FALSE(at_au(id).back().revoked) << "what went stays: its consent stands";
  ASSERT_OK(world.act("JP", "resume", in_jp.id));
  ASSERT_OK(world.settle());
  EXPECT_EQ(at_au(second).size(), 1U);
}

TEST_F(Consents, AConsentDoesNotChain) {
  // AU has it from IN, and asks IN to let it go on to US: not IN's to give.
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  ASSERT_OK(answer(id, "onward_give"));
  const auto askable = world["AU"].exchange->consents().askable(id).value();
  ASSERT_EQ(askable.size(), 1U);
  agreement::OnwardTerms t = askable.front().terms;
  t.recipient = "US";
  t.purpose = askable.front().purposes.front();
  ASSERT_OK(step("AU", "onward_ask", terms(t), {}, au_in.id));
  ASSERT_OK(world.settle());
  const auto requests = world["IN"].exchange->consents().requests();
  const auto it = std::find_if(requests.begin(), requests.end(), [](const auto& o) { return o.holder() == "AU"; });
  ASSERT_NE(it, requests.end());
  const Status s =
      step("IN", "onward_give",
           terms(t).set("request", it->id).set("until", to_text(world.clock.now().plus_us(kHourUs))), it->id, au_in.id);
  ASSERT_FALSE(s.ok());
  EXPECT_THAT(s.error().text(), HasSubstr("a consent does not chain"));
}

TEST_F(Consents, AThirdPartyLearnsOfNoRequest) {
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  EXPECT_EQ(world["AU"].exchange->consents().requests().size(), 0U);
  EXPECT_EQ(request("JP", id).asked.recipient, "AU");
  // Another partner that carries one in is not believed to be concerned.
  auto s = world["JP"].exchange->submit_act(last_text, "AU");
  EXPECT_FALSE(s.ok());
}

// Also where all three are parties of one agreement: who asked whom for what is nobody else's business.
TEST_F(Consents, InAGroupOnlyTheTwoConcernedAreTold) {
  Text group;
  ASSERT_OK(world.bring_into_force({"AU", "IN", "JP"}, world.document({"AU", "IN", "JP"}, group)));
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  auto act = agreement::parse_signed_act(last_text);
  ASSERT_OK(act);
  act->act.agreement_id = group.id;
  EXPECT_THAT(world["IN"].exchange->instruments().audience(*act), ::testing::ElementsAre("IN", "JP"));
  act->act.kind = "suspend";
  EXPECT_THAT(world["IN"].exchange->instruments().audience(*act), ::testing::ElementsAre("AU", "IN", "JP"));
}

TEST_F(Consents, AForgedConsentIsRefusedOnArrival) {
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  const agreement::Onward o = request("JP", id);
  agreement::Act a{"onward_give",
                   in_jp.id,
                   world["IN"].exchange->instruments().state(in_jp.id)->document->hash,
                   o.id,
                   "JP",
                   world.clock.now(),
                   terms(o.asked).set("until", to_text(world.clock.now().plus_us(kHourUs))).set("request", o.id)};
  const agreement::SignedAct forged{a, {agreement::sign_act(a, "JP/authority/1", world["IN"].acting.authority1)}};
  const auto r = world["IN"].exchange->submit_act(forged.text(), "JP");
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().kind, ErrorKind::kDenied);
  ASSERT_OK(world.settle());
  EXPECT_TRUE(at_au(id).empty());
}

TEST_F(Consents, APlanSaysWhatWouldHaveToChange) {
  const std::string object = make_indicator("orcon.example", world.clock.now());
  const std::string id = id_of(object);
  ASSERT_OK(world["JP"].publish({object}));
  ASSERT_OK(world.settle());
  const auto why = [&] {
    const auto plan = world["IN"].exchange->releaser().plan({object}, "AU").value();
    const auto& d = plan.at(0).decision;
    return d.reasons.empty() ? std::string() : std::string(d.reasons.front().code) + " " + d.reasons.front().note;
  };
  EXPECT_THAT(why(), HasSubstr("ORIGINATOR_CONSENT ask JP"));
  EXPECT_THAT(why(), HasSubstr("entente consent ask " + id + " --to AU"));
  ASSERT_OK(ask(id));
  ASSERT_OK(answer(id, "onward_give", kHourUs));
  EXPECT_THAT(why(), HasSubstr("PERMIT"));
  world.clock.advance_us(2 * kHourUs);
  EXPECT_THAT(why(), HasSubstr("CONSENT_EXPIRED"));
}

TEST_F(Consents, ARestartForgetsNoConsent) {
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  ASSERT_OK(answer(id, "onward_give"));
  ASSERT_OK(world["IN"].reopen());
  ASSERT_OK(world["JP"].reopen());
  EXPECT_EQ(request("IN", id).stage, OnwardStage::kGiven);
  ASSERT_OK(answer(id, "onward_withdraw"));
  EXPECT_TRUE(at_au(id).back().revoked);
}

TEST_F(Consents, TheLeafOfAStepOpensForBothWithoutASalt) {
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  const std::string commitment = ledger::commit_to(act_salt(last_text), last_text);
  for (const char* party : {"IN", "JP"}) {
    bool found = false;
    const auto leaves_of = world[party].store->read("leaf/" + bare_uuid(in_jp.id), 0, 1000);
    for (const auto& text : *leaves_of) found = found || ledger::parse_leaf(text)->commitment == commitment;
    EXPECT_TRUE(found) << party;
  }
}

TEST_F(Consents, TheOriginatorLearnsThatItsConsentWasUsed) {
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id, true));
  const std::string request_id = request("JP", id).id;
  EXPECT_TRUE(uses_of(*world["JP"].store, request_id).empty()) << "asked is not used";
  ASSERT_OK(answer(id, "onward_give"));
  ASSERT_OK(world.settle());
  ASSERT_EQ(at_au(id).size(), 1U);
  const auto told = uses_of(*world["JP"].store, request_id);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].first, at_au(id)[0].version);
  EXPECT_EQ(told, uses_of(*world["IN"].store, request_id)) << "holder and originator say the same";
  EXPECT_EQ(leaves("IN", std::string(kOnwardUseLeaf), "JP", in_jp.id), 1U);
  EXPECT_EQ(leaves("IN", std::string(kOnwardUseLeaf), "AU", au_in.id), 0U) << "the third party hears of no consent";
  EXPECT_FALSE(world["JP"].exchange->mirrors().health(in_jp.id, "IN").conflict);
  EXPECT_EQ(world["JP"].exchange->receiver().health("IN").refused, 0U);
}

TEST_F(Consents, ANoticeOfAConsentThatWasNeverGivenIsRefused) {
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  // IN's node says that it went on, though JP has not answered.
  TestNode& in = world["IN"];
  const auto say = [&](const SecretKey& key) {
    OnwardUse u;
    u.id = std::string(kOnwardUseType) + "--" + random_uuid().text();
    u.agreement = in_jp.id;
    u.from = "IN";
    u.to = "JP";
    u.request = request("IN", id).id;
    u.object = id;
    u.recipient = "AU";
    u.at = world.clock.now();
    u.salt = random_bytes(32);
    ledger::Leaf leaf;
    leaf.agreement = u.agreement;
    leaf.agreement_version = sha256_hex("text");
    leaf.kind = kOnwardUseLeaf;
    leaf.recipient = u.to;
    leaf.by = "IN/node/1";
    leaf.at = u.at;
    leaf.commitment = ledger::commit_to(u.salt, u.record());
    u.leaf = leaf.text();
    u.kid = "IN/node/1";
    u.signature = sign_onward_use(u, key);
    const std::string text = onward_use_object(u);
    const auto doc = json::parse(text);
    store::Change change;
    change.add(released(in_jp.id, "IN", "JP"), *stix::summarize(doc->root()), text, RowMeta{}.text());
    ASSERT_OK(in.store->commit_wait(std::move(change)));
    ASSERT_OK(world["JP"].exchange->receiver().pull_objects(*in.client(world["JP"].spki), "IN", in_jp.id, 0));
  };
  say(in.context->node_key);
  EXPECT_EQ(world["JP"].exchange->receiver().health("IN").refused, 1U) << "no consent";
  ASSERT_OK(answer(id, "onward_give"));
  const auto before = uses_of(*world["JP"].store, request("JP", id).id);
  say(SecretKey::generate());
  EXPECT_EQ(world["JP"].exchange->receiver().health("IN").refused, 2U) << "another key";
  EXPECT_EQ(uses_of(*world["JP"].store, request("JP", id).id), before);
}

// AU has it from IN, and a sensor of AU's says nothing: JP, which has no agreement with AU, is told who it is.
TEST_F(Consents, AHolderInTheSecondRowThatDoesNotAnswerIsNamed) {
  const std::string id = from_japan("orcon.example");
  ASSERT_OK(ask(id));
  ASSERT_OK(answer(id, "onward_give"));
  ASSERT_EQ(at_au(id).size(), 1U);
  const auto sensor = [&](const std::string& recalled) {
    return world["AU"].exchange->sensors().report(
        "person sensor gw",
        R"({"sensor":"11111111-1111-4111-8111-111111111111","mode":"block","enforcers":["nftables"],)"
        R"("applied":{},"recalled":[)" +
            recalled + "]}");
  };
  ASSERT_OK(sensor(""));
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  const auto wait = [&] {
    for (int i = 0; i < 3; ++i) {
      world.clock.advance_us(3'000'000);
      ASSERT_OK(world.settle());
    }
  };
  const auto in_japan = [&] {
    const auto all = recall_status(*world["JP"].context, world["JP"].exchange->instruments(), id).value();
    const auto it = std::ranges::find(all, "IN", &Holder::party);
    return it == all.end() ? Holder{} : *it;
  };
  wait();
  ASSERT_TRUE(at_au(id).back().revoked);
  Holder h = in_japan();
  ASSERT_TRUE(h.answer);
  ASSERT_EQ(h.answer->onward.size(), 1U);
  EXPECT_EQ(h.answer->onward[0].party, "AU");
  EXPECT_EQ(h.answer->onward[0].via, "IN");
  EXPECT_FALSE(h.answer->onward[0].complete);
  ASSERT_FALSE(h.answer->onward[0].late.empty());
  EXPECT_EQ(h.answer->onward[0].late[0].why, "has not answered");
  EXPECT_FALSE(h.complete()) << "IN is not done before AU is";
  const std::string now = to_text(world.clock.now());
  ASSERT_OK(sensor(R"({"collection":")" + received(au_in.id, "IN", "AU").text() + R"(","id":")" + id +
                   R"(","version":")" + at_au(id).back().version + R"(","received":")" + now +
                   R"(","leases":0,"also":0,"enforcers":[{"name":"nftables","withdrawn":")" + now + R"("}]})"));
  wait();
  h = in_japan();
  ASSERT_EQ(h.answer->onward.size(), 1U);
  EXPECT_TRUE(h.answer->onward[0].complete);
  EXPECT_TRUE(h.complete());
}

}  // namespace
}  // namespace entente::exchange
