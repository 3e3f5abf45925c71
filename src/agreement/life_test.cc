// The life of an agreement after its signature: transitions 5 and 7–12 of agreement.md §3.2, accession (§3.3), pillars
// (§3.4) and projects (§3.5), with the invariants 27–30 of release.md §9 that concern them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement/decide.h"
#include "agreement/story_for_test.h"

namespace entente::agreement {
namespace {

using json::Node;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kDay;
using testing::key_node;
using testing::kHour;
using testing::kSecond;
using testing::kT0;
using ::testing::Not;
using testing::sample;
using testing::sample_node;
using ::testing::SizeIs;
using testing::Story;
using testing::texts;

Time after(int64_t us) { return kT0.plus_us(us); }

Document group(const std::function<void(Node&)>& change = [](Node&) {}) {
  Node n = sample_node({"AU", "IN", "JP"}, "group");
  change(n);
  return sample(n);
}

std::string why(const State& s) { return s.refused.empty() ? "" : s.refused.front().why; }

bool has_key(const State& s, const std::string& kid, Time at) {
  const KeyRecord* k = s.document->key(kid);
  return k != nullptr && k->not_before <= at && at < k->not_after;
}

// ---- annex_notice (7a)

TEST(AnnexNotice, ANewKeyCountsADayLater) {
  Story s(sample(sample_node()));
  s.begin();
  Node body = Node::object().set("add", Node(Node::List{key_node("IN/authority/3", "authority")}));
  body.set("tls_add", texts({sha256_hex("new tls")}));
  s.act("IN", "annex_notice", after(kHour), body, {"IN/authority/1", "IN/authority/2", "IN/authority/3"});
  const Time from = after(kHour + kDay);
  EXPECT_FALSE(has_key(s.at(from.plus_us(-1)), "IN/authority/3", from.plus_us(-1)));
  EXPECT_TRUE(has_key(s.at(from), "IN/authority/3", from));
  EXPECT_THAT(s.at(from).document->party("IN")->tls_spki_sha256, SizeIs(2));
  EXPECT_EQ(s.at(from).document->hash, s.doc.hash) << "the text is the one that was signed";
  Story early = s;
  early.act("IN", "suspend", from.plus_us(-1), Node::object(), {"IN/authority/3"});
  EXPECT_TRUE(early.at(from).live("IN", "JP"));
  s.act("IN", "suspend", from, Node::object(), {"IN/authority/3"});
  EXPECT_FALSE(s.at(from).live("IN", "JP"));
}

TEST(AnnexNotice, NeedsTwoAuthoritiesAndTheNewKey) {
  Node body = Node::object().set("add", Node(Node::List{key_node("IN/node/2", "node")}));
  for (const auto& kids : std::vector<std::vector<std::string>>{{"IN/authority/1", "IN/node/2"},
                                                                {"IN/authority/1", "IN/authority/2"},
                                                                {"IN/authority/1", "JP/authority/1", "IN/node/2"}}) {
    Story s(sample(sample_node()));
    s.begin().act("IN", "annex_notice", after(kHour), body, kids);
    const Time t = after(3 * kDay);
    EXPECT_FALSE(has_key(s.at(t), "IN/node/2", t));
    EXPECT_THAT(s.at(t).refused, SizeIs(1));
    EXPECT_TRUE(s.at(t).live("IN", "JP"));
  }
}

TEST(AnnexNotice, RefusesWhatIsNotItsOwn) {
  const std::vector<Node> bodies = {
      Node::object(),
      Node::object().set("surprise", 1),
      Node::object().set("add", Node(Node::List{key_node("JP/node/2", "node")})),
      Node::object().set("add", Node(Node::List{key_node("IN/node/1", "node")})),
      Node::object().set("add", Node(Node::List{key_node("IN/plenipotentiary/2", "plenipotentiary")})),
      Node::object().set("revoke", Node(Node::List{Node::object().set("kid", "JP/node/1")})),
      Node::object().set("tls_revoke", texts({sha256_hex("JP")}))};
  for (const Node& body : bodies) {
    Story s(sample(sample_node()));
    s.begin().act("IN", "annex_notice", after(kHour), body,
                  {"IN/authority/1", "IN/authority/2", "JP/node/2", "IN/node/1", "IN/plenipotentiary/2"});
    const State at = s.at(after(3 * kDay));
    EXPECT_THAT(at.refused, SizeIs(1)) << json::write(body);
    EXPECT_EQ(at.document->party("IN")->keys.size(), 6u) << json::write(body);
    EXPECT_EQ(at.document->party("IN")->tls_spki_sha256.size(), 1u);
  }
}

TEST(AnnexNotice, ARevocationWorksAtOnceByOnePersonAndWhatWasSignedBeforeStands) {
  Story s(sample(sample_node()));
  s.begin();
  s.act("IN", "suspend", after(kHour), Node::object(), {"IN/authority/2", "IN/authority/1"});
  Node gone = Node::object().set("revoke", Node(Node::List{Node::object().set("kid", "IN/authority/2")}));
  s.act("IN", "annex_notice", after(2 * kHour), gone, {"IN/authority/1"});
  EXPECT_TRUE(has_key(s.at(after(2 * kHour - 1)), "IN/authority/2", after(2 * kHour - 1)));
  EXPECT_FALSE(has_key(s.at(after(2 * kHour)), "IN/authority/2", after(2 * kHour)));
  EXPECT_TRUE(has_key(s.at(after(2 * kHour)), "IN/authority/2", after(kHour))) << "old signatures can be checked";
  EXPECT_FALSE(s.at(after(3 * kDay)).live("IN", "JP")) << "the suspension stands";
  // A claim to have signed before the revocation is of no use: the chain says what came first.
  s.act("IN", "resume", after(kHour + 1), Node::object(), {"IN/authority/1", "IN/authority/2"});
  EXPECT_FALSE(s.at(after(3 * kHour)).live("IN", "JP"));
  EXPECT_THAT(why(s.at(after(3 * kHour))), HasSubstr("quorum"));
}

TEST(AnnexNotice, WhatADistrustedKeyDidSinceSuspendsUntilTwoConfirm) {
  Story s(sample(sample_node()));
  s.begin();
  s.act("JP", "suspend", after(kHour), Node::object(), {"JP/authority/1", "JP/authority/2"});
  const std::string trusted = s.last["JP"];
  s.act("JP", "resume", after(2 * kHour));
  ASSERT_TRUE(s.at(after(2 * kHour)).live("IN", "JP"));
  Node add = Node::object().set("add", Node(Node::List{key_node("JP/authority/3", "authority")}));
  s.act("JP", "annex_notice", after(3 * kHour), add, {"JP/authority/1", "JP/authority/2", "JP/authority/3"});
  Node gone = Node::object().set(
      "revoke",
      Node(Node::List{Node::object().set("kid", "JP/authority/2").set("last_act", trusted).set("last_index", 7)}));
  s.act("JP", "annex_notice", after(30 * kHour), gone, {"JP/authority/1"});
  EXPECT_TRUE(s.at(after(30 * kHour - 1)).live("IN", "JP"));
  EXPECT_FALSE(s.at(after(30 * kHour)).live("IN", "JP"));
  s.act("JP", "resume", after(31 * kHour), Node::object(), {"JP/authority/1", "JP/authority/3"});
  EXPECT_TRUE(s.at(after(31 * kHour)).live("IN", "JP"));
}

TEST(AnnexNotice, ATextCannotBringBackARevokedKeyNorPutKeysIntoAMouth) {
  Story s(sample(sample_node()));
  s.begin();
  // JP proposes a version 2 with a key of its own under IN's name, and "accepts" it for IN.
  const Document forged = s.propose("JP", s.doc, after(kHour), [](Node& n) {
    for (Node& k : n.find("parties")->list()[0].find("keys")->list())
      k.set("public", testing::key_of("forged/" + std::string(k.string_at("kid"))).public_key().to_hex());
  });
  s.act("JP", "amend", after(kHour), Node::object(), {}, &forged);
  Act a{"amend", s.doc.agreement_id, forged.hash, s.last["IN"], "IN", after(kHour), Node::object()};
  SignedAct by_thief{a, {}};
  for (auto kid : {"IN/plenipotentiary/1", "IN/authority/1"})
    by_thief.sigs.push_back(sign_act(a, kid, testing::key_of(std::string("forged/") + kid)));
  s.acts.push_back(by_thief);
  const State st = s.at(after(2 * kHour));
  EXPECT_EQ(st.between("IN", "JP")->hash, s.doc.hash);
  EXPECT_TRUE(st.live("IN", "JP")) << "nor does the attempt harm";
}

// ---- apply_provisionally (5)

Document pending(bool allowed = true) {
  return sample([&] {
    Node n = sample_node();
    n.find("duration")->set("start", Node::object().set("rule", "on_last_notification")).set("provisional", allowed);
    n.find("flows")->push(testing::flow_node("more", "3(2)", true, {"report"}, "green", "amber", "withhold"));
    n.find("flows")->push(testing::flow_node("never", "5", false, {"user-account"}, "clear", "red", "withhold"));
    return n;
  }());
}

TEST(Provisional, OnlyBetweenThoseThatMadeItAndOnlyTheListedFlows) {
  Story s(pending());
  s.begin();
  s.act("IN", "apply_provisionally", after(kHour), Node::object().set("flows", texts({"all", "more"})));
  EXPECT_EQ(s.at(after(kHour)).by_party.at("IN"), StateKind::kProvisional);
  EXPECT_EQ(s.at(after(kHour)).kind, StateKind::kSigned);
  EXPECT_FALSE(s.at(after(kHour)).live("IN", "JP"));
  s.act("JP", "apply_provisionally", after(2 * kHour), Node::object().set("flows", texts({"more"})));
  State at = s.at(after(2 * kHour));
  EXPECT_EQ(at.kind, StateKind::kProvisional);
  EXPECT_TRUE(at.live("IN", "JP"));
  EXPECT_TRUE(at.bound("IN", "JP"));
  EXPECT_TRUE(at.permits("more", "IN", "JP"));
  EXPECT_FALSE(at.permits("all", "IN", "JP"));
  EXPECT_EQ(at.provisional_since.at("JP"), after(2 * kHour));
  // One party ends it at once, with one key.
  Story ended = s;
  ended.act("JP", "end_provisional", after(3 * kHour));
  EXPECT_FALSE(ended.at(after(3 * kHour)).live("IN", "JP"));
  EXPECT_TRUE(ended.at(after(3 * kHour - 1)).live("IN", "JP"));
  Story left = s;
  left.act("IN", "withdraw", after(3 * kHour));
  EXPECT_FALSE(left.at(after(3 * kHour)).live("IN", "JP")) << "who will leave applies nothing in advance";
  s.act("IN", "notify_completed", after(4 * kHour));
  s.act("JP", "notify_completed", after(5 * kHour));
  at = s.at(after(5 * kHour));
  EXPECT_EQ(at.kind, StateKind::kInForce);
  EXPECT_TRUE(at.permits("all", "IN", "JP"));
}

TEST(Provisional, OnlyIfTheTextAllowsItAndForFlowsThatItPermits) {
  Story s(pending(false));
  s.begin().act("IN", "apply_provisionally", after(kHour), Node::object().set("flows", texts({"all"})));
  EXPECT_THAT(why(s.at(after(kHour))), HasSubstr("no provisional application"));
  for (const Node& body : {Node::object(), Node::object().set("flows", texts({"nothing"})),
                           Node::object().set("flows", texts({"all", "never"}))}) {
    Story t(pending());
    t.begin().all("apply_provisionally", after(kHour), body);
    EXPECT_FALSE(t.at(after(kHour)).live("IN", "JP")) << json::write(body);
    EXPECT_THAT(t.at(after(kHour)).refused, SizeIs(2));
  }
}

// ---- amend (7)

void ceiling(Node& n, const char* to) { n.find("flows")->list()[0].set("tlp_ceiling", to); }

TEST(Amend, TheOldTextGovernsUntilAllAcceptedAndTheNewOneStarts) {
  Story s(sample(sample_node()));
  s.begin();
  const Document v2 = s.propose("IN", s.doc, after(kDay), [](Node& n) {
    ceiling(n, "amber");
    n.find("duration")->set("start", Node::object().set("rule", "on_last_signature").set("delay", "P10D"));
  });
  EXPECT_THAT(s.at(after(kDay)).refused, IsEmpty());
  s.act("IN", "amend", after(2 * kDay), Node::object(), {}, &v2);
  EXPECT_EQ(s.at(after(20 * kDay)).between("IN", "JP")->hash, s.doc.hash);
  EXPECT_THAT(s.at(after(20 * kDay)).waiting_for, Contains(HasSubstr("acceptance of version 2")));
  s.act("JP", "amend", after(3 * kDay), Node::object(), {}, &v2);
  const Time start = after(13 * kDay);
  EXPECT_EQ(s.at(start.plus_us(-1)).document->hash, s.doc.hash);
  EXPECT_EQ(s.at(start).document->hash, v2.hash);
  EXPECT_EQ(s.at(start).between("JP", "IN")->hash, v2.hash);
  EXPECT_EQ(s.at(start).kind, StateKind::kInForce);
  EXPECT_EQ(s.at(start).start, kT0) << "the instrument is the same";
}

TEST(Amend, WhoHasNotAcceptedStaysUnderTheOldText) {
  Story s(group());
  s.begin();
  const Document v2 = s.propose("IN", s.doc, after(kDay), [](Node& n) { ceiling(n, "green"); });
  for (auto p : {"IN", "JP"}) s.act(p, "amend", after(2 * kDay), Node::object(), {}, &v2);
  const State at = s.at(after(3 * kDay));
  EXPECT_EQ(at.between("IN", "JP")->hash, v2.hash);
  EXPECT_EQ(at.between("AU", "JP")->hash, s.doc.hash);
  EXPECT_EQ(at.document->hash, s.doc.hash) << "what all share";
  EXPECT_TRUE(at.live("AU", "JP"));
  // A decision says which text it rests on, and goes by it.
  const std::string raw =
      R"({"type":"indicator","id":"indicator--00000000-0000-4000-8000-000000000001","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","pattern":"[domain-name:value = 'x.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","object_marking_refs":["marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"]})";
  const GraphObject o{raw, "JP", "", Tlp::kClear, true, kT0, true, false, {}};
  for (auto [to, verdict] : {std::pair{"IN", Verdict::kWithheld}, std::pair{"AU", Verdict::kReleased}}) {
    const Inputs in{"JP", to, after(3 * kDay), true, {&at, 1}, {}, {}, {}, {}, {}, {}};
    const auto d = decide({&o, 1}, in);
    EXPECT_EQ(d[0].verdict, verdict) << to;
    EXPECT_EQ(d[0].reasons.at(0).version, verdict == Verdict::kReleased ? s.doc.hash : v2.hash);
  }
  s.act("AU", "amend", after(4 * kDay), Node::object(), {}, &v2);
  EXPECT_EQ(s.at(after(4 * kDay)).between("AU", "JP")->hash, v2.hash);
}

TEST(Amend, OnlyTheNextVersionOfTheSameParties) {
  const std::vector<std::function<void(Node&)>> wrong = {
      [](Node& n) { n.set("version", 3); }, [](Node& n) { n.set("prev", sha256_hex("another")); },
      [](Node& n) { n.set("level", "group"); },
      [](Node& n) { n.set("parties", sample_node({"AU", "IN", "JP"}).find("parties")->list()); }};
  for (const auto& change : wrong) {
    Story s(sample(sample_node()));
    s.begin();
    const Document v2 = s.propose("IN", s.doc, after(kDay), change);
    for (auto p : {"IN", "JP"}) s.act(p, "amend", after(2 * kDay), Node::object(), {}, &v2);
    const State at = s.at(after(3 * kDay));
    EXPECT_EQ(at.document->hash, s.doc.hash);
    EXPECT_TRUE(at.live("IN", "JP"));
    EXPECT_THAT(at.refused, SizeIs(2));
  }
}

// ---- correct_error (7b)

TEST(Correct, ChangesWhatPeopleReadAndNothingElse) {
  auto correct = [](const std::function<void(Node&)>& change, std::vector<std::string> said) {
    Story s(sample(sample_node()));
    s.begin();
    const Document v2 = s.propose("IN", s.doc, after(kDay), change);
    for (auto p : {"IN", "JP"})
      s.act(p, "correct_error", after(2 * kDay), Node::object().set("corrected", texts(said)), {}, &v2);
    return std::pair(s.at(after(2 * kDay)), v2.hash);
  };
  auto title = [](Node& n) { n.set("title", Node::object().set("en", "Sample, corrected")); };
  auto [good, hash] = correct(title, {"/title"});
  EXPECT_EQ(good.document->hash, hash);
  EXPECT_THAT(good.refused, IsEmpty());
  auto [silent, x] = correct(title, {"/articles"});
  EXPECT_NE(silent.document->hash, x);
  EXPECT_THAT(why(silent), HasSubstr("/title/en"));
  auto [rules, y] = correct([](Node& n) { ceiling(n, "green"); }, {"/flows"});
  EXPECT_NE(rules.document->hash, y);
  EXPECT_THAT(why(rules), HasSubstr("machine rules"));
  auto [wider, z] = correct([&](Node& n) { title(n), n.find("actions")->set("default_pap", "clear"); }, {"/title"});
  EXPECT_NE(wider.document->hash, z);
}

// ---- suspension (8, 9)

TEST(Suspend, OnePersonAloneSuspendsForADay) {
  Story s(sample(sample_node()));
  s.begin().act("JP", "suspend", after(kHour));
  EXPECT_FALSE(s.at(after(kHour + kDay - 1)).live("IN", "JP"));
  EXPECT_THAT(s.at(after(kHour)).waiting_for, Contains(HasSubstr("second person of JP")));
  EXPECT_TRUE(s.at(after(kHour + kDay)).live("IN", "JP")) << "it lapsed";
  Story renewed = s;
  renewed.act("JP", "suspend", after(20 * kHour));
  EXPECT_FALSE(renewed.at(after(20 * kHour + kDay - 1)).live("IN", "JP"));
  EXPECT_TRUE(renewed.at(after(20 * kHour + kDay)).live("IN", "JP"));
  Story confirmed = s;
  confirmed.act("JP", "suspend", after(kDay), Node::object(), {"JP/authority/2"});
  EXPECT_FALSE(confirmed.at(after(400 * kDay)).live("IN", "JP"));
  EXPECT_THAT(confirmed.at(after(2 * kDay)).waiting_for, IsEmpty());
  Story late = s;
  late.act("JP", "suspend", after(kHour + kDay), Node::object(), {"JP/authority/2"});
  EXPECT_TRUE(late.at(after(3 * kDay)).live("IN", "JP")) << "the first had lapsed: a new one, of one person";
}

TEST(Suspend, AfterMutualSuspensionAllResume) {
  Story s(sample(sample_node()));
  s.begin();
  for (auto p : {"IN", "JP"})
    s.act(p, "suspend", after(kHour), Node::object(),
          {std::string(p) + "/authority/1", std::string(p) + "/authority/2"});
  s.act("IN", "resume", after(2 * kHour));
  EXPECT_FALSE(s.at(after(2 * kHour)).live("IN", "JP"));
  s.act("JP", "resume", after(3 * kHour), Node::object(), {"JP/authority/1"});
  EXPECT_FALSE(s.at(after(3 * kHour)).live("IN", "JP")) << "one key does not resume";
  s.last["JP"] = s.acts[s.acts.size() - 3].act.hash();
  for (const SignedAct& a : s.acts)
    if (a.act.party == "JP" && a.act.kind == "suspend") s.last["JP"] = a.act.hash();
  s.acts.pop_back();
  s.act("JP", "resume", after(3 * kHour));
  EXPECT_TRUE(s.at(after(3 * kHour)).live("IN", "JP"));
}

TEST(Suspend, AFlowThatAPartyClaimsToDifferIsFrozen) {  // agreement.md §4.1, rule 3
  Story s(sample(sample_node()));
  s.begin().act("JP", "claim_mismatch", after(kHour), Node::object().set("flow", "all"));
  const State at = s.at(after(90 * kDay));
  EXPECT_TRUE(at.live("IN", "JP"));
  EXPECT_FALSE(at.permits("all", "IN", "JP"));
}

TEST(Breach, AClaimIsKeptAndChangesNothing) {  // transition 12
  Story s(sample(sample_node()));
  s.begin().act("JP", "claim_breach", after(kHour), Node::object().set("openings", texts({"x"})));
  const State at = s.at(after(kHour));
  EXPECT_EQ(at.kind, StateKind::kInForce);
  EXPECT_THAT(at.refused, IsEmpty());
  EXPECT_THAT(at.unsure, IsEmpty());
  EXPECT_EQ(at.last_act.at("JP"), s.last["JP"]);
}

// ---- the end (10, 11)

Document renewing(const std::vector<std::string>& parties = {"IN", "JP"}) {
  Node n = sample_node(parties, parties.size() > 2 ? "group" : "bilateral");
  n.find("duration")->set("term", "P100D").set("survives", texts({"5", "6"}));
  n.find("duration")
      ->set("renewal", Node::object().set("mode", "tacit").set("period", "P50D").set("opt_out_notice", "P30D"));
  n.find("flows")->push(testing::flow_node("no-accounts", "6(1)", false, {"user-account"}, "clear", "red", "withhold"));
  n.find("flows")->push(testing::flow_node("no-malware", "3", false, {"malware"}, "clear", "red", "withhold"));
  return sample(n);
}

TEST(End, NoRenewalBeforeTheOptOutDate) {
  Story s(renewing());
  s.begin();
  EXPECT_TRUE(s.at(after(100 * kDay)).live("IN", "JP")) << "it renews itself";
  Story in_time = s, late = s;
  in_time.act("JP", "no_renewal", after(70 * kDay - 1));
  late.act("JP", "no_renewal", after(70 * kDay));
  EXPECT_EQ(in_time.at(after(80 * kDay)).kind, StateKind::kEnding);
  EXPECT_EQ(in_time.at(after(80 * kDay)).end, after(100 * kDay));
  EXPECT_TRUE(in_time.at(after(100 * kDay - 1)).live("IN", "JP"));
  EXPECT_EQ(in_time.at(after(100 * kDay)).kind, StateKind::kExpired);
  EXPECT_TRUE(late.at(after(150 * kDay - 1)).live("IN", "JP")) << "too late for this term: it ends with the next";
  EXPECT_FALSE(late.at(after(150 * kDay)).live("IN", "JP"));
  Story group_of_three(renewing({"AU", "IN", "JP"}));
  group_of_three.begin().act("JP", "no_renewal", after(kDay));
  const State at = group_of_three.at(after(100 * kDay));
  EXPECT_EQ(at.by_party.at("JP"), StateKind::kExpired);
  EXPECT_TRUE(at.live("AU", "IN"));
  Story fixed(sample(sample_node()));
  fixed.begin().act("JP", "no_renewal", after(kDay));
  EXPECT_THAT(why(fixed.at(after(kDay))), HasSubstr("does not renew itself"));
}

TEST(End, ByConsentOfAllOnOneDate) {
  Story s(group());
  s.begin();
  const Node date = Node::object().set("at", to_text(after(10 * kDay)));
  s.act("AU", "end_by_consent", after(kDay), date);
  s.act("IN", "end_by_consent", after(kDay), date);
  EXPECT_TRUE(s.at(after(20 * kDay)).live("IN", "JP"));
  EXPECT_THAT(s.at(after(2 * kDay)).waiting_for, Contains(HasSubstr("consent of JP to the end")));
  Story other = s;
  other.act("JP", "end_by_consent", after(2 * kDay), Node::object());
  EXPECT_TRUE(other.at(after(20 * kDay)).live("IN", "JP")) << "JP named another date";
  s.act("JP", "end_by_consent", after(2 * kDay), date);
  EXPECT_EQ(s.at(after(10 * kDay - 1)).kind, StateKind::kEnding);
  EXPECT_EQ(s.at(after(10 * kDay)).kind, StateKind::kTerminated);
}

TEST(End, WhatSurvivesStays) {
  Story s(renewing());
  s.begin().act("JP", "no_renewal", after(kDay));
  const State over = s.at(after(200 * kDay));
  EXPECT_FALSE(over.bound("IN", "JP"));
  EXPECT_TRUE(over.survives("IN", "JP", "6(1)"));
  EXPECT_TRUE(over.survives("IN", "JP", "5"));
  EXPECT_FALSE(over.survives("IN", "JP", "3"));
  EXPECT_FALSE(s.at(after(50 * kDay)).survives("IN", "US", "6(1)"));
  // Another agreement permits everything: what the ended one forbids and keeps is still forbidden.
  const State open = testing::in_force(
      sample(sample_node({"IN", "JP"}, "bilateral", "urn:uuid:00000000-0000-5000-8000-000000000002")));
  const std::vector<State> both = {over, open};
  const std::string account =
      R"({"type":"user-account","spec_version":"2.1","id":"user-account--00000000-0000-4000-8000-000000000001","user_id":"u"})";
  const std::string malware =
      R"({"type":"malware","spec_version":"2.1","id":"malware--00000000-0000-4000-8000-000000000001","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","is_family":false})";
  std::vector<GraphObject> graph(2);
  graph[0] = {account, "IN", "", Tlp::kClear, true, kT0, true, false, {}};
  graph[1] = {malware, "IN", "", Tlp::kClear, true, kT0, true, false, {}};
  const Inputs in{"IN", "JP", after(200 * kDay), true, both, {}, {}, {}, {}, {}, {}};
  const auto d = decide(graph, in);
  EXPECT_EQ(d[0].verdict, Verdict::kWithheld);
  EXPECT_EQ(d[0].reasons.at(0).code, "FORBIDDEN_BY_ARTICLE");
  EXPECT_EQ(d[1].verdict, Verdict::kReleased) << "article 3 does not survive";
}

TEST(End, NothingSurvivesWhatNeverBegan) {
  Node n = pending().node;
  n.find("duration")->set("survives", texts({"5"}));
  Story s(sample(n));
  s.begin();
  for (auto p : {"IN", "JP"}) s.act(p, "withdraw", after(kHour));
  EXPECT_EQ(s.at(after(90 * kDay)).kind, StateKind::kTerminated);
  EXPECT_FALSE(s.at(after(90 * kDay)).survives("IN", "JP", "5"));
}

// ---- accession (§3.3)

struct Joining {
  Story s;
  std::string request;
  explicit Joining(const std::function<void(Node&)>& change = [](Node&) {})
      : s(group([&](Node& n) {
          n.set("accession", Node::object().set("open_to", texts({"invited"})).set("delay", "P10D"));
          n.set("declarations", Node::object().set("reservations", "narrowing_only"));
          n.find("flows")->push(testing::flow_node("more", "3(2)", true, {"report"}, "green", "amber", "withhold"));
          change(n);
        })) {
    s.begin();
    s.act("US", "request_accession", after(kDay), Node::object().set("party", testing::party_node("US")),
          {"US/authority/1"});
    request = s.last["US"];
  }
  void consent(const std::string& p) { s.act(p, "consent_accession", after(2 * kDay), body()); }
  void deposit(Node more = Node::object()) {
    more.set("request", request);
    s.act("US", "deposit_accession", after(3 * kDay), more, {"US/plenipotentiary/1"});
  }
  Node body() const { return Node::object().set("request", request); }
};

TEST(Accession, EachMemberConsentsAndTheCandidateDeposits) {
  Joining j;
  for (auto p : {"AU", "IN"}) j.consent(p);
  j.deposit();
  EXPECT_FALSE(j.s.at(after(90 * kDay)).live("US", "AU"));
  EXPECT_THAT(j.s.at(after(4 * kDay)).waiting_for, Contains(HasSubstr("consent of JP to the accession of US")));
  j.s.act("JP", "consent_accession", after(5 * kDay), j.body());
  const Time start = after(15 * kDay);
  EXPECT_FALSE(j.s.at(start.plus_us(-1)).live("US", "AU"));
  const State at = j.s.at(start);
  for (auto p : {"AU", "IN", "JP"}) EXPECT_TRUE(at.live("US", p)) << p;
  EXPECT_EQ(at.joined.at("US"), start);
  ASSERT_NE(at.document->party("US"), nullptr) << "its keys are pinned now";
  EXPECT_EQ(at.document->hash, j.s.doc.hash);
  EXPECT_THAT(at.refused, IsEmpty());
  // It is a member like the others: it may suspend, and withdraw.
  j.s.act("US", "suspend", after(20 * kDay), Node::object(), {"US/authority/1", "US/authority/2"});
  EXPECT_FALSE(j.s.at(after(20 * kDay)).live("US", "AU"));
  EXPECT_TRUE(j.s.at(after(20 * kDay)).live("IN", "AU"));
}

TEST(Accession, ToAnAmendedText) {
  Joining j;
  const Document v2 = j.s.propose("IN", j.s.doc, after(kDay), [](Node& n) { ceiling(n, "amber"); });
  for (auto p : {"AU", "IN", "JP"}) j.s.act(p, "amend", after(kDay), Node::object(), {}, &v2);
  Story late = j.s;
  late.act("FR", "request_accession", after(2 * kDay), Node::object().set("party", testing::party_node("FR")),
           {"FR/authority/1"}, &v2);
  const Node request = Node::object().set("request", late.last["FR"]);
  for (auto p : {"AU", "IN", "JP"}) late.act(p, "consent_accession", after(3 * kDay), request, {}, &v2);
  late.act("FR", "deposit_accession", after(4 * kDay), request, {"FR/plenipotentiary/1"}, &v2);
  const State at = late.at(after(20 * kDay));
  EXPECT_TRUE(at.live("FR", "IN"));
  EXPECT_EQ(at.between("FR", "IN")->hash, v2.hash);
}

TEST(Accession, NoBackAccess) {  // invariant 30
  Joining j;
  for (auto p : {"AU", "IN", "JP"}) j.consent(p);
  j.deposit();
  const Time start = after(13 * kDay);
  const State at = j.s.at(after(20 * kDay));
  ASSERT_EQ(at.joined.at("US"), start);
  const std::string raw =
      R"({"type":"malware","spec_version":"2.1","id":"malware--00000000-0000-4000-8000-000000000001","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","is_family":false})";
  for (auto to : {"US", "JP"})
    for (auto [when, old] : {std::pair{start.plus_us(-1), true}, std::pair{start, false}}) {
      const GraphObject o{raw, "IN", "", Tlp::kClear, true, when, true, false, {}};
      const Inputs in{"IN", to, after(20 * kDay), true, {&at, 1}, {}, {}, {}, {}, {}, {}};
      const auto d = decide({&o, 1}, in);
      EXPECT_EQ(d[0].verdict == Verdict::kWithheld, old && to == std::string("US")) << to;
    }
}

TEST(Accession, DeclarationsOnlyNarrow) {
  Joining j;
  for (auto p : {"AU", "IN", "JP"}) j.consent(p);
  j.deposit(Node::object().set("declarations", Node::object().set("flows", texts({"more"}))));
  const State at = j.s.at(after(20 * kDay));
  EXPECT_TRUE(at.permits("more", "US", "IN"));
  EXPECT_FALSE(at.permits("all", "US", "IN"));
  EXPECT_FALSE(at.permits("all", "IN", "US"));
  EXPECT_TRUE(at.permits("all", "IN", "JP"));
  Joining wide;
  for (auto p : {"AU", "IN", "JP"}) wide.consent(p);
  wide.deposit(Node::object().set("declarations", Node::object().set("flows", texts({"all", "everything"}))));
  EXPECT_FALSE(wide.s.at(after(20 * kDay)).live("US", "IN"));
  EXPECT_THAT(why(wide.s.at(after(20 * kDay))), HasSubstr("only narrows"));
}

TEST(Accession, AnObjectionClosesWhatIsBetweenTheTwo) {
  Joining j;
  for (auto p : {"AU", "IN", "JP"}) j.consent(p);
  j.deposit();
  j.s.act("JP", "object", after(30 * kDay), Node::object().set("party", "US"));
  const State at = j.s.at(after(30 * kDay));
  EXPECT_FALSE(at.live("US", "JP"));
  EXPECT_TRUE(at.bound("US", "JP"));
  EXPECT_TRUE(at.live("US", "IN"));
}

TEST(Accession, WhoIsNotAPartyDoesNothingElse) {
  Joining j;
  for (auto kind : {"suspend", "withdraw", "notify_completed", "end_by_consent", "sign", "claim_mismatch"})
    j.s.act("US", kind, after(2 * kDay), Node::object(), {"US/plenipotentiary/1", "US/authority/1", "US/authority/2"});
  const State at = j.s.at(after(3 * kDay));
  EXPECT_TRUE(at.live("AU", "IN"));
  EXPECT_THAT(at.refused, SizeIs(6));
  EXPECT_FALSE(at.by_party.contains("US"));
  // Another that calls itself US cannot get in the way.
  Joining rival;
  Act a{"request_accession", rival.s.doc.agreement_id, rival.s.doc.hash, "", "US", after(kDay), Node::object()};
  Node block = testing::party_node("US");
  for (Node& k : block.find("keys")->list())
    k.set("public", testing::key_of("rival/" + std::string(k.string_at("kid"))).public_key().to_hex());
  a.body.set("party", block);
  SignedAct s{a, {}};
  s.sigs.push_back(sign_act(a, "US/authority/1", testing::key_of("rival/US/authority/1")));
  rival.s.acts.push_back(s);
  for (auto p : {"AU", "IN", "JP"}) rival.consent(p);
  rival.deposit();
  EXPECT_TRUE(rival.s.at(after(20 * kDay)).live("US", "IN"));
  EXPECT_EQ(rival.s.at(after(20 * kDay)).document->key("US/authority/1")->public_hex,
            testing::key_of("US/authority/1").public_key().to_hex());
}

TEST(Accession, OnlyToAnAgreementThatIsOpen) {
  Joining closed([](Node& n) { n.set("accession", Node::object().set("open_to", Node::array())); });
  for (auto p : {"AU", "IN", "JP"}) closed.consent(p);
  closed.deposit();
  EXPECT_FALSE(closed.s.at(after(20 * kDay)).live("US", "IN"));
}

// ---- pillars (§3.4)

TEST(Initiative, PillarsAndItsLimits) {
  Node n = sample_node({"AU", "IN", "JP"}, "initiative");
  n.find("scope")->set("pillars", Node(Node::List{Node::object().set("id", "ports")}));
  Story s(sample(n));
  s.begin();
  const Node ports = Node::object().set("pillar", "ports");
  s.act("IN", "join_pillar", after(kHour), ports);
  s.act("JP", "join_pillar", after(kHour), ports);
  const Node lead = Node::object().set("pillar", "ports").set("lead", "JP");
  s.act("JP", "lead_pillar", after(2 * kHour), lead);
  EXPECT_EQ(s.at(after(2 * kHour)).pillars.at("ports").lead, "") << "IN has not consented";
  s.act("IN", "lead_pillar", after(3 * kHour), lead);
  EXPECT_EQ(s.at(after(3 * kHour)).pillars.at("ports").lead, "JP");
  s.act("AU", "lead_pillar", after(3 * kHour), lead);
  EXPECT_THAT(why(s.at(after(3 * kHour))), HasSubstr("join_pillar first"));
  s.act("JP", "leave_pillar", after(4 * kHour), ports);
  EXPECT_EQ(s.at(after(4 * kHour)).pillars.at("ports").lead, "");
  const State at = s.at(after(4 * kHour));
  EXPECT_FALSE(may(Action::kBlock, {Pap::kClear, 100, {"malicious-activity"}}, at).allowed);
  auto verdict = [&](const std::string& type, const char* marking) {
    const std::string raw =
        R"({"type":")" + type + R"(","spec_version":"2.1","id":")" + type +
        R"(--00000000-0000-4000-8000-000000000001","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"n","object_marking_refs":["marking-definition--)" +
        marking + R"("]})";
    const GraphObject o{raw, "IN", "", Tlp::kClear, true, kT0, true, false, {}};
    const Inputs in{"IN", "JP", after(4 * kHour), true, {&at, 1}, {}, {}, {}, {}, {}, {}};
    return decide({&o, 1}, in)[0].verdict;
  };
  const char* green = "bab4a63c-aed9-4cf5-a766-dfca5abac2bb";
  const char* amber = "55d920b0-5e8b-4f79-9ee9-91f868d9b421";
  EXPECT_EQ(verdict("course-of-action", green), Verdict::kReleased);
  EXPECT_EQ(verdict("course-of-action", amber), Verdict::kWithheld);
  EXPECT_EQ(verdict("identity", green), Verdict::kWithheld);
}

// ---- projects (§3.5)

Node project_node(const std::string& host = "LK", bool host_takes_part = true) {
  Node p = Node::object();
  p.set("project_id", "port-1").set("title", "Ports").set("host", host).set("host_consent", "required");
  p.set("participants", host_takes_part ? texts({"IN", "JP", host}) : texts({"IN", "JP"}));
  p.set("sectors", texts({"5g"})).set("object_types", texts({"indicator"})).set("tlp_floor", "amber");
  p.set("tlp_ceiling", "amber").set("art", "7").set("not_before", to_text(kT0));
  p.set("not_after", to_text(after(300 * kDay))).set("parties", Node(Node::List{testing::party_node(host)}));
  return p;
}

struct Works {
  Story s{sample(sample_node())};
  Node block;
  explicit Works(Node b = project_node()) : block(std::move(b)) { s.begin(); }
  Node name() const { return Node::object().set("project", "port-1"); }
  void ask(const std::string& p) { s.act(p, "open_project", after(kDay), Node::object().set("project", block)); }
  void host() {
    s.act("LK", "host_consent", after(2 * kDay), name().set("sha256", sha256_hex(json::canonical(block))),
          {"LK/authority/1"});
  }
  State at(Time t) const {
    auto all = History(s.doc.agreement_id, s.acts, {}).projects_at(t);
    return all.empty() ? State{} : all.front();
  }
  std::string stage(Time t) const {
    const State st = s.at(t);
    return st.projects.empty() ? "" : st.projects.front().stage;
  }
};

TEST(Project, OpensOnlyWithTheHostsOwnAct) {
  Works w;
  w.ask("IN");
  EXPECT_EQ(w.stage(after(kDay)), "proposed");
  w.ask("JP");
  EXPECT_EQ(w.stage(after(kDay)), "host asked");
  EXPECT_FALSE(w.at(after(kDay)).live("IN", "JP"));
  w.host();
  EXPECT_EQ(w.stage(after(2 * kDay)), "open");
  const State at = w.at(after(2 * kDay));
  EXPECT_TRUE(at.live("IN", "JP"));
  EXPECT_TRUE(at.live("IN", "LK"));
  EXPECT_NE(at.document->party("LK"), nullptr);
  EXPECT_THAT(w.s.at(after(2 * kDay)).refused, IsEmpty());
  EXPECT_EQ(w.stage(after(300 * kDay)), "closed");
  EXPECT_FALSE(w.at(after(300 * kDay)).live("IN", "LK"));
}

// The host and a candidate sign for the first time under whatever version is in force then.
TEST(Project, OpensUnderAnAmendedText) {
  Works w;
  const Document v2 = w.s.propose("IN", w.s.doc, after(kHour), [](Node& n) { ceiling(n, "amber"); });
  for (auto p : {"IN", "JP"}) w.s.act(p, "amend", after(2 * kHour), Node::object(), {}, &v2);
  for (auto p : {"IN", "JP"}) w.s.act(p, "open_project", after(kDay), Node::object().set("project", w.block), {}, &v2);
  w.s.act("LK", "host_consent", after(2 * kDay), w.name().set("sha256", sha256_hex(json::canonical(w.block))),
          {"LK/authority/1"}, &v2);
  EXPECT_EQ(w.stage(after(2 * kDay)), "open");
  EXPECT_TRUE(w.at(after(2 * kDay)).live("IN", "LK"));
}

TEST(Project, StaysInsideItsParent) {  // check 5 and invariant 29
  const std::vector<std::function<void(Node&)>> wrong = {
      [](Node& p) { p.set("sectors", texts({"finance"})); }, [](Node& p) { p.set("tlp_ceiling", "red"); },
      [](Node& p) { p.set("art", "9"); }, [](Node& p) { p.set("participants", texts({"IN", "LK"})); },
      [](Node& p) { p.set("not_after", to_text(kT0)); }};
  for (const auto& change : wrong) {
    Node block = project_node();
    change(block);
    Works w(block);
    w.ask("IN");
    w.ask("JP");
    EXPECT_FALSE(w.s.at(after(kDay)).refused.empty()) << json::write(block);
    EXPECT_NE(w.stage(after(kDay)), "host asked");
  }
}

TEST(Project, ParentSuspendedStopsItBetweenTheParentsOnly) {
  Works w;
  w.ask("IN");
  w.ask("JP");
  w.host();
  w.s.act("IN", "suspend", after(3 * kDay), Node::object(), {"IN/authority/1", "IN/authority/2"});
  const State at = w.at(after(3 * kDay));
  EXPECT_FALSE(at.live("IN", "JP"));
  EXPECT_TRUE(at.live("JP", "LK"));
}

TEST(Project, MembersSeeOnlyWhatIsLabelledForIt) {  // invariant 29
  Works w;
  w.ask("IN");
  w.ask("JP");
  w.host();
  const std::vector<State> all = {w.s.at(after(3 * kDay)), w.at(after(3 * kDay))};
  auto indicator = [](const std::string& labels) {
    return R"({"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-000000000001","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","pattern":"[domain-name:value = 'x.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","sectors":["5g"],)" +
           labels + R"("object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]})";
  };
  auto decision = [&](const std::string& raw, const char* to, Time committed = after(2 * kDay)) {
    const GraphObject o{raw, "IN", "", Tlp::kClear, true, committed, true, false, {}};
    const Inputs in{"IN", to, after(3 * kDay), true, all, {}, {}, {}, {}, {}, {}};
    return decide({&o, 1}, in)[0];
  };
  const std::string tagged = indicator(R"("labels":["entente-project:port-1"],)");
  EXPECT_EQ(decision(indicator(""), "LK").verdict, Verdict::kWithheld) << "the parent's data does not fall down";
  EXPECT_EQ(decision(tagged, "LK").verdict, Verdict::kReleased);
  EXPECT_EQ(decision(tagged, "LK", after(2 * kDay - 1)).verdict, Verdict::kWithheld) << "before it was open";
  EXPECT_EQ(decision(tagged, "JP").verdict, Verdict::kReleased);
  EXPECT_EQ(decision(tagged, "JP").agreement, all[1].agreement_id) << "by the project's own flow";
  EXPECT_EQ(decision(indicator(""), "JP").agreement, all[0].agreement_id);
  EXPECT_EQ(decision(indicator(R"("labels":["entente-project:port-2"],)"), "LK").reasons.at(0).code, "PROJECT_SCOPE");
}

TEST(Project, NewcomersByConsentOfAllInTheirRole) {
  Works w;
  w.ask("IN");
  w.ask("JP");
  w.host();
  const Node join = w.name().set("party", testing::party_node("VN")).set("role", "observer");
  w.s.act("VN", "join_project", after(3 * kDay), join, {"VN/authority/1"});
  w.s.act("IN", "join_project", after(3 * kDay), join);
  w.s.act("JP", "join_project", after(3 * kDay), join);
  EXPECT_FALSE(w.at(after(3 * kDay)).live("IN", "VN")) << "the host takes part, so it is asked too";
  w.s.act("LK", "join_project", after(4 * kDay), join, {"LK/authority/1"});
  const State at = w.at(after(4 * kDay));
  ASSERT_TRUE(at.live("IN", "VN"));
  const auto& flow = at.document->flows.front();
  EXPECT_THAT(flow.to, Contains("VN"));
  EXPECT_THAT(flow.from, Not(Contains("VN"))) << "an observer gives nothing";
  EXPECT_EQ(at.joined.at("VN"), after(4 * kDay)) << "no back access: what was there before is not for it";
  EXPECT_EQ(at.joined.at("LK"), after(2 * kDay)) << "nor for anybody what was there before the host consented";
}

TEST(Project, AnyoneLeavesAndTheHostEndsIt) {
  Works w;
  w.ask("IN");
  w.ask("JP");
  w.host();
  Works left = w;
  left.s.act("IN", "close_project", after(3 * kDay), w.name());
  EXPECT_FALSE(left.at(after(3 * kDay)).live("IN", "JP"));
  left.s.act("JP", "close_project", after(4 * kDay), w.name());
  EXPECT_EQ(left.stage(after(4 * kDay)), "closed");
  w.s.act("LK", "close_project", after(3 * kDay), w.name(), {"LK/authority/1"});
  EXPECT_EQ(w.stage(after(3 * kDay)), "closed");
  EXPECT_FALSE(w.at(after(3 * kDay)).live("IN", "JP"));
}

}  // namespace
}  // namespace entente::agreement
