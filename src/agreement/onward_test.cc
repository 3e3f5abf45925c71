// Consents to onward release: who may take which step, that giving takes both parties and taking away one, and that
// everybody who holds the same steps computes the same consents.
#include "agreement/onward.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement/story_for_test.h"

namespace entente::agreement {
namespace {

using json::Node;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kDay;
using testing::kHour;
using testing::kSecond;
using testing::kT0;
using testing::sample;
using testing::sample_node;
using ::testing::SizeIs;
using testing::Story;
using testing::texts;

constexpr const char* kObject = "indicator--00000000-0000-4000-8000-000000000001";
constexpr const char* kVersion = "2027-01-01T00:00:00.000Z";
const std::string kOctets(64, 'a');
const Time kAt = kT0.plus_us(kHour);         // the request
const Time kUntil = kT0.plus_us(10 * kDay);  // the end of the consent

// JP originated the object, IN holds it and asks for AU, which is no party.
struct Case : Story {
  explicit Case(Node text = sample_node({"IN", "JP"}), Node more = Node::object()) : Story(sample(std::move(text))) {
    begin();
    id = ask(kAt, std::move(more)).act.hash();
  }
  static Node terms() {
    Node n = parties();
    n.set("object", kObject).set("version", kVersion).set("sha256", kOctets).set("recipient", "AU");
    return n.set("purpose", "cyber-defence");
  }
  static Node parties() { return Node::object().set("originator", "JP").set("holder", "IN"); }
  SignedAct& ask(Time at, Node more = Node::object()) {
    Node body = terms();
    for (const auto& [name, value] : more.members()) body.set(name, value);
    if (body.string_at("version") == "*") body = without(std::move(body), "sha256");
    return step("IN", "onward_ask", at, std::move(body), "");
  }
  static Node without(const Node& n, std::string_view name) {
    Node out = Node::object();
    for (const auto& [k, v] : n.members())
      if (k != name) out.set(k, v);
    return out;
  }
  SignedAct& give(Time at, Node more = Node::object(), std::vector<std::string> kids = {}) {
    Node body = terms();
    body.set("request", id).set("until", to_text(kUntil));
    for (const auto& [name, value] : more.members()) body.set(name, value);
    if (body.string_at("version") == "*") body = without(std::move(body), "sha256");
    return next("JP", "onward_give", at, std::move(body), std::move(kids));
  }
  SignedAct& deny(Time at) {
    return next("JP", "onward_deny", at, parties().set("request", id).set("reason", "source at risk"));
  }
  SignedAct& withdraw(const std::string& party, Time at) {
    return next(party, "onward_withdraw", at, parties().set("request", id));
  }
  SignedAct& next(const std::string& party, const std::string& kind, Time at, Node body,
                  std::vector<std::string> kids = {}) {
    const auto it = tip.find(party);
    return step(party, kind, at, std::move(body), it == tip.end() ? id : it->second, std::move(kids));
  }
  SignedAct& step(const std::string& party, const std::string& kind, Time at, Node body, const std::string& prev,
                  std::vector<std::string> kids = {}) {
    Act a{kind, doc.agreement_id, doc.hash, prev, party, at, std::move(body)};
    if (kind != "onward_ask") tip[party] = a.hash();
    SignedAct s{std::move(a), {}};
    if (kids.empty()) kids.push_back(party + "/authority/1");
    for (const auto& kid : kids) testing::Signer::sign(s, kid);
    acts.push_back(std::move(s));
    return acts.back();
  }
  [[nodiscard]] std::vector<Onward> all(Time t) const {
    return OnwardHistory(doc.agreement_id, acts).at(Story::at(t), t);
  }
  [[nodiscard]] Onward at(Time t) const {
    const auto found = all(t);
    return found.empty() ? Onward{} : found.front();
  }
  [[nodiscard]] std::vector<Consent> consents(Time t) const { return consents_of(all(t)); }
  // The last step as a node that holds the others would take it.
  [[nodiscard]] std::string refused() const {
    const Status s = admissible(acts.back(), std::span(acts).first(acts.size() - 1), acts.back().act.effective_at);
    return s.ok() ? "" : s.error().text();
  }
  std::string id;
  std::map<std::string, std::string> tip;
};

TEST(Onward, SilenceIsNoConsent) {
  const Case c;
  EXPECT_EQ(c.at(kAt).stage, OnwardStage::kAsked);
  EXPECT_THAT(c.consents(kAt.plus_us(100 * kDay)), IsEmpty());
}

TEST(Onward, AConsentNamesObjectVersionRecipientPurposeEndAndAgreement) {
  Case c;
  c.give(kAt.plus_us(kHour));
  EXPECT_EQ(c.refused(), "");
  const auto got = c.consents(kAt.plus_us(kHour));
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].originator, "JP");
  EXPECT_EQ(got[0].recipient, "AU");
  EXPECT_EQ(got[0].object_id, kObject);
  EXPECT_EQ(got[0].version, kVersion);
  EXPECT_EQ(got[0].purpose, "cyber-defence");
  EXPECT_EQ(got[0].agreement, c.doc.agreement_id);
  EXPECT_EQ(got[0].valid_from, kAt.plus_us(kHour));
  EXPECT_EQ(got[0].valid_until, kUntil);
  EXPECT_THAT(c.consents(kAt.plus_us(kHour - 1)), IsEmpty()) << "before it was given";
}

TEST(Onward, AConsentEndsAtItsEnd) {
  Case c;
  c.give(kAt.plus_us(kHour));
  EXPECT_EQ(c.at(kUntil.plus_us(-1)).stage, OnwardStage::kGiven);
  EXPECT_EQ(c.at(kUntil).stage, OnwardStage::kExpired);
  EXPECT_THAT(c.consents(kUntil), SizeIs(1)) << "the decision says that there was one: CONSENT_EXPIRED";
}

TEST(Onward, ARequestThatNobodyAnsweredEndsToo) {
  const Case c(sample_node({"IN", "JP"}), Node::object().set("until", to_text(kUntil)));
  EXPECT_EQ(c.at(kUntil).stage, OnwardStage::kExpired);
}

TEST(Onward, GivingTakesTheQuorumOfTheText) {
  Node text = sample_node({"IN", "JP"});
  Node signing = *text.find("signing");
  Node acts = *signing.find("act");
  acts.set("consent_onward", testing::roles({{"authority", 2}}));
  text.set("signing", Node::object().set("act", acts));
  Case one(text);
  one.give(kAt.plus_us(kHour));
  EXPECT_THAT(one.refused(), HasSubstr("authority"));
  EXPECT_THAT(one.consents(kAt.plus_us(kHour)), IsEmpty());
  Case two(text);
  two.give(kAt.plus_us(kHour), Node::object(), {"JP/authority/1", "JP/authority/2"});
  EXPECT_EQ(two.refused(), "");
  EXPECT_THAT(two.consents(kAt.plus_us(kHour)), SizeIs(1));
  two.deny(kAt.plus_us(2 * kHour));
  EXPECT_EQ(two.refused(), "") << "one key takes away";
  EXPECT_THAT(two.consents(kAt.plus_us(2 * kHour)), IsEmpty());
}

TEST(Onward, KeysOfOtherRolesAndPartiesDoNotSign) {
  for (const char* kid : {"JP/node/1", "JP/log/1", "JP/plenipotentiary/1", "IN/authority/1"}) {
    Case c;
    c.give(kAt.plus_us(kHour), Node::object(), {kid});
    EXPECT_NE(c.refused(), "") << kid;
    EXPECT_THAT(c.consents(kAt.plus_us(kHour)), IsEmpty()) << kid;
  }
}

TEST(Onward, AByteChangedAfterSigningHasNoEffect) {
  Case c;
  SignedAct& given = c.give(kAt.plus_us(kHour));
  given.act.body.set("until", to_text(kUntil.plus_us(kDay)));
  EXPECT_NE(c.refused(), "");
  EXPECT_THAT(c.consents(kAt.plus_us(kHour)), IsEmpty());
}

TEST(Onward, OnlyTheOriginatorGivesAndDenies) {
  for (const char* kind : {"onward_give", "onward_deny"}) {
    Case c;
    Node body = Node::object().set("request", c.id);
    const bool give = std::string_view(kind) == "onward_give";
    const Node rest = give ? Case::terms() : Case::parties();
    for (const auto& [k, v] : rest.members()) body.set(k, v);
    if (give) body.set("until", to_text(kUntil));
    if (!give) body.set("reason", "no");
    c.next("IN", kind, kAt.plus_us(kHour), body);
    EXPECT_THAT(c.refused(), HasSubstr("only the originator")) << kind;
    EXPECT_THAT(c.consents(kAt.plus_us(kHour)), IsEmpty());
  }
}

TEST(Onward, AConsentDoesNotGoBeyondTheRequest) {
  const Node none = Node::object();
  const std::vector<std::pair<Node, std::string>> cases = {
      {Node::object().set("object", "indicator--00000000-0000-4000-8000-000000000002"), "another object"},
      {Node::object().set("recipient", "US"), "another object, party or purpose"},
      {Node::object().set("purpose", "law-enforcement"), "another object, party or purpose"},
      {Node::object().set("version", "*"), "versions that were not asked for"},
      {Node::object().set("version", "2028-01-01T00:00:00.000Z"), "versions that were not asked for"},
      {Node::object().set("sha256", std::string(64, 'b')), "other octets"},
      {Node::object().set("until", to_text(kUntil.plus_us(1))), "lasts longer"},
      {Node::object().set("until", to_text(kAt)), "its end is past"},
  };
  for (const auto& [more, why] : cases) {
    Case c(sample_node({"IN", "JP"}), Node::object().set("until", to_text(kUntil)));
    c.give(kAt.plus_us(kHour), more);
    EXPECT_THAT(c.refused(), HasSubstr(why));
    EXPECT_THAT(c.consents(kAt.plus_us(kHour)), IsEmpty()) << why;
  }
}

TEST(Onward, AConsentToLaterVersionsIsAskedForAsSuchAndMayBeNarrowed) {
  Case wide(sample_node({"IN", "JP"}), Node::object().set("version", "*"));
  wide.give(kAt.plus_us(kHour), Node::object().set("version", "*"));
  EXPECT_EQ(wide.refused(), "");
  EXPECT_EQ(wide.consents(kAt.plus_us(kHour)).at(0).version, "*");
  Case narrow(sample_node({"IN", "JP"}), Node::object().set("version", "*"));
  narrow.give(kAt.plus_us(kHour));
  EXPECT_EQ(narrow.refused(), "");
  EXPECT_EQ(narrow.consents(kAt.plus_us(kHour)).at(0).version, kVersion);
}

TEST(Onward, EitherWithdrawsAloneAndNothingComesBack) {
  for (const char* party : {"IN", "JP"}) {
    Case c;
    c.give(kAt.plus_us(kHour));
    c.withdraw(party, kAt.plus_us(2 * kHour));
    EXPECT_EQ(c.refused(), "");
    EXPECT_EQ(c.at(kAt.plus_us(2 * kHour)).stage, OnwardStage::kWithdrawn);
    c.give(kAt.plus_us(3 * kHour));
    EXPECT_THAT(c.refused(), HasSubstr("takes a new request"));
    EXPECT_THAT(c.consents(kAt.plus_us(4 * kHour)), IsEmpty());
  }
}

TEST(Onward, ADenialIsAnAnswerAndStays) {
  Case c;
  c.deny(kAt.plus_us(kHour));
  const Onward o = c.at(kAt.plus_us(kHour));
  EXPECT_EQ(o.stage, OnwardStage::kDenied);
  EXPECT_EQ(o.reason, "source at risk");
  EXPECT_EQ(o.answered_at, kAt.plus_us(kHour));
  c.give(kAt.plus_us(2 * kHour));
  EXPECT_THAT(c.refused(), HasSubstr("takes a new request"));
}

TEST(Onward, ARequestForAThirdPartyOnly) {
  for (const char* to : {"IN", "JP"}) {
    Case c;
    c.ask(kAt.plus_us(kHour), Node::object().set("recipient", to));
    EXPECT_THAT(c.refused(), HasSubstr("third party")) << to;
  }
}

TEST(Onward, APurposeOutsideTheAgreementIsRefused) {
  Case c;
  c.ask(kAt.plus_us(kHour), Node::object().set("purpose", "marketing"));
  EXPECT_THAT(c.refused(), HasSubstr("no purpose of the agreement"));
}

TEST(Onward, AnAgreementThatAllowsNoOnwardReleaseCarriesNoRequest) {
  Node text = sample_node({"IN", "JP"});
  text.set("originator_control", Node::object().set("art", "5(2)").set("rule", "never").set("silence_means", "no"));
  Case c(text);
  EXPECT_THAT(c.refused(), HasSubstr("allows no onward release (article 5(2))"));
  c.give(kAt.plus_us(kHour));
  EXPECT_THAT(c.consents(kAt.plus_us(kHour)), IsEmpty());
}

TEST(Onward, AStepUnderAnotherAgreementIsNoStepHere) {
  Case c;
  Case other(sample_node({"IN", "JP"}, "bilateral", "urn:uuid:00000000-0000-5000-8000-000000000002"));
  SignedAct given = c.give(kAt.plus_us(kHour));
  EXPECT_THAT(other.consents(kAt.plus_us(kHour)), IsEmpty());
  other.acts.push_back(given);  // as it is: of another agreement
  EXPECT_THAT(other.consents(kAt.plus_us(kHour)), IsEmpty());
  given.act.agreement_id = other.doc.agreement_id;  // relabelled: its signature does not fit
  given.act.text_version = other.doc.hash;
  other.acts.back() = given;
  EXPECT_NE(other.refused(), "");
  EXPECT_THAT(other.consents(kAt.plus_us(kHour)), IsEmpty());
  // Signed anew, about a request that this agreement does not know.
  other.acts.pop_back();
  other.give(kAt.plus_us(kHour), Node::object().set("request", c.id));
  EXPECT_THAT(other.refused(), HasSubstr("no such request is known under this agreement"));
}

TEST(Onward, AReplayedConsentIsTheSameConsent) {
  Case c;
  const SignedAct given = c.give(kAt.plus_us(kHour));
  c.withdraw("JP", kAt.plus_us(2 * kHour));
  c.acts.push_back(given);
  EXPECT_EQ(c.at(kAt.plus_us(3 * kHour)).stage, OnwardStage::kWithdrawn);
}

TEST(Onward, WhatARevokedKeyGaveIsNotGivenWhateverDateItClaims) {
  Case c;
  c.give(kAt.plus_us(kHour));
  EXPECT_THAT(c.consents(kAt.plus_us(5 * kHour)), SizeIs(1));
  c.act("JP", "annex_notice", kAt.plus_us(6 * kHour),
        Node::object().set("revoke", Node(Node::List{Node::object().set("kid", "JP/authority/1")})),
        {"JP/authority/2"});
  EXPECT_THAT(c.consents(kAt.plus_us(6 * kHour)), IsEmpty());
  EXPECT_THAT(c.at(kAt.plus_us(6 * kHour)).refused.at(0).why, HasSubstr("no longer its party's"));
  c.give(kAt.plus_us(2 * kHour), Node::object(), {"JP/authority/1"});  // dated back
  EXPECT_THAT(c.consents(kAt.plus_us(7 * kHour)), IsEmpty());
  c.tip["JP"] = c.acts[c.acts.size() - 3].act.hash();
  c.acts.pop_back();
  c.give(kAt.plus_us(8 * kHour), Node::object(), {"JP/authority/2"});
  EXPECT_THAT(c.consents(kAt.plus_us(8 * kHour)), SizeIs(1)) << "with another key";
}

TEST(Onward, AForkIsNotTrustedAndADenialStandsWhereverItHangs) {
  Case c;
  c.give(kAt.plus_us(kHour));
  const std::string first = c.tip["JP"];
  c.tip.erase("JP");  // beside the first
  c.give(kAt.plus_us(kHour), Node::object().set("until", to_text(kUntil.plus_us(-kDay))));
  EXPECT_EQ(c.at(kAt.plus_us(2 * kHour)).stage, OnwardStage::kVoid);
  EXPECT_THAT(c.at(kAt.plus_us(2 * kHour)).doubt, HasSubstr("two steps after the same one"));
  EXPECT_THAT(c.consents(kAt.plus_us(2 * kHour)), IsEmpty());
  c.tip["JP"] = std::string(64, '0');  // after a step that nobody has
  c.deny(kAt.plus_us(3 * kHour));
  EXPECT_EQ(c.at(kAt.plus_us(3 * kHour)).stage, OnwardStage::kDenied);
}

TEST(Onward, AnUnknownMemberMakesAStepNobodys) {
  Case c;
  c.give(kAt.plus_us(kHour), Node::object().set("silently", true));
  EXPECT_THAT(c.refused(), HasSubstr("silently"));
  EXPECT_THAT(c.consents(kAt.plus_us(kHour)), IsEmpty());
}

TEST(Onward, StepsConcernTwoPartiesAndNobodyElse) {
  Case c;
  EXPECT_THAT(onward_parties(c.give(kAt.plus_us(kHour)).act), ElementsAre("IN", "JP"));
  EXPECT_FALSE(c.doc.hash.empty());
  // And change nothing of the agreement itself.
  EXPECT_EQ(c.Story::at(kAt.plus_us(kHour)).kind, StateKind::kInForce);
  EXPECT_THAT(c.Story::at(kAt.plus_us(kHour)).refused, IsEmpty());
}

// ---- what the decision makes of a consent

// IN decides whether an indicator of JP's, received under `inbound`, goes to AU under an agreement of IN and AU.
std::vector<std::string> codes_with(const Consent& consent, Node outbound_text) {
  const Document inbound = sample(sample_node());
  const Document outbound = sample(std::move(outbound_text));
  const std::vector<State> states = {testing::in_force(inbound), testing::in_force(outbound)};
  const std::string raw = std::string(R"({"type":"indicator","spec_version":"2.1","id":")") + kObject +
                          R"(","created":")" + kVersion + R"(","modified":")" + kVersion +
                          R"(","pattern":"[domain-name:value = 'a.example']","pattern_type":"stix","valid_from":")" +
                          kVersion + "\"}";
  GraphObject object;
  object.raw = raw;
  object.originator = "JP";
  object.received_under = inbound.agreement_id;
  const std::vector<Consent> consents = {consent};
  Inputs in;
  in.me = "IN";
  in.recipient = "AU";
  in.at = kAt;
  in.instruments = states;
  in.consents = consents;
  const auto decisions = decide(std::span(&object, 1), in);
  std::vector<std::string> out;
  for (const Reason& r : decisions.at(0).reasons) out.emplace_back(r.code);
  return out;
}
constexpr const char* kOutbound = "urn:uuid:00000000-0000-5000-8000-000000000002";
Node outbound() { return sample_node({"AU", "IN"}, "bilateral", kOutbound); }
Consent consent() {
  Consent c{"JP", "AU", kObject, kVersion, kT0, kUntil};
  c.agreement = sample_node().string_at("agreement_id");
  c.purpose = "cyber-defence";
  return c;
}

TEST(Onward, TheDecisionTakesAConsentForItsAgreementPurposeVersionAndRecipient) {
  EXPECT_THAT(codes_with(consent(), outbound()), ElementsAre("PERMIT"));
  Consent c = consent();
  c.agreement = kOutbound;
  EXPECT_THAT(codes_with(c, outbound()), ElementsAre("ORIGINATOR_CONSENT")) << "given under another agreement";
  c = consent();
  c.version = "2026-01-01T00:00:00.000Z";
  EXPECT_THAT(codes_with(c, outbound()), ElementsAre("ORIGINATOR_CONSENT"));
  c = consent();
  c.recipient = "US";
  EXPECT_THAT(codes_with(c, outbound()), ElementsAre("ORIGINATOR_CONSENT"));
  c = consent();
  c.valid_until = kAt;
  EXPECT_THAT(codes_with(c, outbound()), ElementsAre("CONSENT_EXPIRED"));
}

TEST(Onward, AConsentForAPurposeThatTheOtherAgreementLacksOpensNothing) {
  Node text = outbound();
  text.set("scope", Node::object()
                        .set("sectors", texts({"5g"}))
                        .set("purposes", texts({"vulnerability-mitigation"}))
                        .set("forbidden_purposes", Node::array()));
  EXPECT_THAT(codes_with(consent(), text), ElementsAre("PURPOSE"));
}

// The same steps in any order and in several copies give the same consents; without the holder's request, or without
// the originator's word, there are none (widen together); any step more of taking away leaves no more than before.
TEST(Onward, SameStepsSameConsentsInAnyOrder) {
  std::mt19937 r(7);
  const auto die = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(r); };
  for (int round = 0; round < 200; ++round) {
    Case c(sample_node({"IN", "JP"}), die(2) ? Node::object().set("version", "*") : Node::object());
    const size_t before = c.acts.size() - 1;
    Time at = kAt;
    for (int i = die(5); i > 0; --i) {
      at = at.plus_us((1 + die(5)) * kHour);
      switch (die(6)) {
        case 0:
          c.deny(at);
          break;
        case 1:
          c.withdraw(die(2) ? "IN" : "JP", at);
          break;
        default:
          c.give(at, Node::object().set("until", to_text(at.plus_us((1 + die(48)) * kHour))));
      }
      if (die(8) == 0) c.tip.erase("JP");
    }
    const Time then = kAt.plus_us(die(60) * kHour);
    const auto print = [&](const std::vector<SignedAct>& acts) {
      std::string out;
      for (const Onward& o : OnwardHistory(c.doc.agreement_id, acts).at(c.Story::at(then), then)) {
        out += o.id + " " + std::string(to_text(o.stage)) + " " + o.doubt;
        for (const Consent& k : consents_of(std::span(&o, 1)))
          out += " " + k.version + to_text(k.valid_from) + to_text(k.valid_until);
      }
      return out;
    };
    auto acts = c.acts;
    const std::string want = print(acts);
    std::shuffle(acts.begin(), acts.end(), r);
    acts.push_back(acts[static_cast<size_t>(die(static_cast<int>(acts.size())))]);
    EXPECT_EQ(print(acts), want);
    OnwardHistory grown(c.doc.agreement_id, {});
    for (const auto& a : acts) grown = grown.with(a);
    EXPECT_EQ(consents_of(grown.at(c.Story::at(then), then)).size(), c.consents(then).size());
    std::vector<SignedAct> alone;
    for (size_t i = before; i < c.acts.size(); ++i)
      if (c.acts[i].act.party == (round % 2 ? "IN" : "JP")) alone.push_back(c.acts[i]);
    EXPECT_THAT(consents_of(OnwardHistory(c.doc.agreement_id, alone).at(c.Story::at(then), then)), IsEmpty());
    const auto live = [&] {
      const auto all = c.consents(then);
      return std::count_if(all.begin(), all.end(), [&](const Consent& k) { return then < k.valid_until; });
    };
    const auto had = live();
    c.withdraw(die(2) ? "IN" : "JP", kAt.plus_us(die(60) * kHour));
    EXPECT_LE(live(), had);
  }
}

}  // namespace
}  // namespace entente::agreement
