// State is computed from acts: the table of agreement.md §3.2, and invariants 21, 27, 28, 34 and 35 of release.md §9.
#include <algorithm>
#include <functional>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "agreement/act.h"
#include "agreement/testing.h"

namespace entente::agreement {
namespace {

using json::Node;
using testing::sample;
using testing::sample_node;
using testing::Signer;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDay = 86'400 * kSecond;
constexpr Time kT0{1'800'000'000 * kSecond};
constexpr Time kLater{kT0.us + 1000 * kSecond};

std::string id() { return std::string(sample_node().string_at("agreement_id")); }
State at(const std::vector<SignedAct>& acts, Time t) { return fold(id(), acts, t); }
State at(const std::vector<SignedAct>& acts, int64_t seconds) { return at(acts, kT0.plus_us(seconds * kSecond)); }

Node changed(const std::function<void(Node&)>& change, const std::vector<std::string>& parties = {"IN", "JP"}) {
  Node n = sample_node(parties, parties.size() > 2 ? "group" : "bilateral");
  change(n);
  return n;
}
Node with_start(const std::string& rule, const std::vector<std::string>& parties, const std::string& delay = "P0D",
                int n = 0) {
  return changed(
      [&](Node& d) {
        Node start = Node::object().set("rule", rule).set("delay", delay);
        if (n > 0) start.set("n", n);
        if (rule == "fixed_date") start.set("date", to_text(kT0.plus_us(kDay)));
        d.find("duration")->set("start", std::move(start));
      },
      parties);
}

TEST(Fold, WalksFromDraftToForce) {
  Signer signer(sample(sample_node()));
  const auto acts = signer.until_signed(kT0);  // propose, initial IN, initial JP, sign IN, sign JP
  ASSERT_EQ(acts.size(), 5u);
  EXPECT_EQ(at(acts, -1).kind, StateKind::kNone);
  EXPECT_EQ(at(acts, 0).kind, StateKind::kDraft);
  EXPECT_EQ(at(acts, 1).kind, StateKind::kDraft);
  EXPECT_EQ(at(acts, 2).kind, StateKind::kFinalised);
  EXPECT_EQ(at(acts, 3).kind, StateKind::kPartSigned);
  for (int64_t s = -1; s < 4; ++s) {
    EXPECT_FALSE(at(acts, s).live("IN", "JP")) << s;
    EXPECT_FALSE(at(acts, s).bound("IN", "JP")) << s;
  }
  const State s = at(acts, 4);
  EXPECT_EQ(s.kind, StateKind::kInForce);
  EXPECT_EQ(s.start, kT0.plus_us(4 * kSecond));
  EXPECT_FALSE(s.end);
  EXPECT_TRUE(s.live("IN", "JP"));
  EXPECT_TRUE(s.live("JP", "IN"));
  EXPECT_FALSE(s.live("IN", "IN"));
  EXPECT_FALSE(s.live("IN", "US"));
  EXPECT_THAT(s.refused, ::testing::IsEmpty());
  EXPECT_THAT(s.waiting_for, ::testing::IsEmpty());
  EXPECT_EQ(s.last_act.at("JP"), acts.back().act.hash());
  // The start is the first instant of the interval.
  EXPECT_EQ(at(acts, s.start->plus_us(-1)).kind, StateKind::kPartSigned);
}

TEST(Fold, SaysWhatItWaitsFor) {
  Signer signer(sample(sample_node()));
  auto acts = signer.until_signed(kT0);
  acts.resize(2);
  EXPECT_THAT(at(acts, kLater).waiting_for, ::testing::ElementsAre(::testing::HasSubstr("initials of JP")));
  acts = Signer(sample(sample_node())).until_signed(kT0);
  acts.resize(4);
  EXPECT_THAT(at(acts, kLater).waiting_for, ::testing::ElementsAre(::testing::HasSubstr("signature of JP")));
}

TEST(Fold, ALaterTextVoidsInitialsOfTheEarlier) {  // transition 2
  Signer first(sample(sample_node()));
  auto acts = first.until_signed(kT0);
  acts.resize(3);
  ASSERT_EQ(at(acts, kLater).kind, StateKind::kFinalised);
  const auto other = sample(changed([](Node& d) { d.set("title", Node::object().set("en", "Other")); }));
  Act a{"propose",
        other.agreement_id,
        other.hash,
        acts[2].act.hash(),
        "JP",
        kT0.plus_us(10 * kSecond),
        Node::object().set("document", other.node)};
  acts.push_back(Signer(other).signed_by_quorum(a));
  const State s = at(acts, kLater);
  EXPECT_EQ(s.kind, StateKind::kDraft);
  EXPECT_EQ(s.document->hash, other.hash);
}

TEST(Fold, StartOnLastNotification) {
  Signer signer(sample(with_start("on_last_notification", {"IN", "JP"}, "P30D")));
  auto acts = signer.until_signed(kT0);
  EXPECT_EQ(at(acts, kLater).kind, StateKind::kSigned);
  acts.push_back(signer.act("IN", "notify_completed", kT0.plus_us(kDay)));
  EXPECT_EQ(at(acts, kT0.plus_us(100 * kDay)).kind, StateKind::kSigned);
  acts.push_back(signer.act("JP", "notify_completed", kT0.plus_us(3 * kDay)));
  EXPECT_EQ(at(acts, kT0.plus_us(33 * kDay - 1)).kind, StateKind::kSigned);
  EXPECT_EQ(at(acts, kT0.plus_us(33 * kDay)).kind, StateKind::kInForce);
}

TEST(Fold, StartOnNthNotificationBindsOnlyThoseThatNotified) {
  Signer signer(sample(with_start("on_nth_notification", {"AU", "IN", "JP"}, "P1D", 2)));
  auto acts = signer.until_signed(kT0);
  acts.push_back(signer.act("AU", "notify_completed", kT0.plus_us(kDay)));
  acts.push_back(signer.act("JP", "notify_completed", kT0.plus_us(2 * kDay)));
  State s = at(acts, kT0.plus_us(3 * kDay));
  EXPECT_EQ(s.kind, StateKind::kInForce);
  EXPECT_TRUE(s.live("AU", "JP"));
  EXPECT_FALSE(s.live("AU", "IN"));
  acts.push_back(signer.act("IN", "notify_completed", kT0.plus_us(5 * kDay)));
  EXPECT_FALSE(at(acts, kT0.plus_us(6 * kDay - 1)).live("AU", "IN"));
  EXPECT_TRUE(at(acts, kT0.plus_us(6 * kDay)).live("AU", "IN"));
}

TEST(Fold, StartOnFixedDate) {
  Signer signer(sample(with_start("fixed_date", {"IN", "JP"})));
  const auto acts = signer.until_signed(kT0);
  EXPECT_EQ(at(acts, kT0.plus_us(kDay - 1)).kind, StateKind::kSigned);
  EXPECT_EQ(at(acts, kT0.plus_us(kDay)).kind, StateKind::kInForce);
}

TEST(Fold, CertificateWithAnotherDateBlocks) {  // transition 6
  Signer signer(sample(sample_node()));
  auto acts = signer.until_signed(kT0);
  acts.push_back(signer.act("JP", "certify_start", kT0.plus_us(5 * kSecond),
                            Node::object().set("start", to_text(kT0.plus_us(9 * kSecond)))));
  EXPECT_FALSE(at(acts, kLater).live("IN", "JP"));
  EXPECT_TRUE(at(acts, kLater).bound("IN", "JP"));
  acts.push_back(signer.act("JP", "certify_start", kT0.plus_us(6 * kSecond),
                            Node::object().set("start", to_text(kT0.plus_us(4 * kSecond)))));
  EXPECT_TRUE(at(acts, kLater).live("IN", "JP"));
}

TEST(Fold, TermIsAHalfOpenInterval) {  // invariant 21
  Signer signer(sample(changed([](Node& d) { d.find("duration")->set("term", "P10D"); })));
  const auto acts = signer.until_signed(kT0);
  const Time end = kT0.plus_us(4 * kSecond + 10 * kDay);
  EXPECT_EQ(at(acts, end.plus_us(-1)).kind, StateKind::kInForce);
  EXPECT_EQ(at(acts, end.plus_us(-1)).end, end);
  EXPECT_EQ(at(acts, end).kind, StateKind::kExpired);
  EXPECT_FALSE(at(acts, end).live("IN", "JP"));
  EXPECT_FALSE(at(acts, end).bound("IN", "JP"));
}

TEST(Fold, TacitRenewalMovesTheEnd) {
  Signer signer(sample(changed([](Node& d) {
    d.find("duration")->set("term", "P1Y");
    d.find("duration")->set("renewal", Node::object().set("mode", "tacit").set("period", "P1M"));
  })));
  const auto acts = signer.until_signed(kT0);
  const Time start = kT0.plus_us(4 * kSecond);
  EXPECT_EQ(at(acts, start).end, add(start, {12, 0}));
  EXPECT_EQ(at(acts, add(start, {12, 0})).end, add(start, {13, 0}));
  EXPECT_EQ(at(acts, add(start, {40 * 12, 0})).kind, StateKind::kInForce);
  EXPECT_EQ(at(acts, add(start, {40 * 12, 0})).end, add(start, {40 * 12 + 1, 0}));
}

TEST(Fold, OnePartySuspendsAtOnceAndItAloneResumes) {
  Signer signer(sample(sample_node()));
  auto acts = signer.until_signed(kT0);
  acts.push_back(signer.act("JP", "suspend", kT0.plus_us(10 * kSecond), Node::object().set("scope", "whole")));
  State s = at(acts, 10);
  EXPECT_EQ(s.kind, StateKind::kSuspended);
  EXPECT_EQ(s.by_party.at("JP"), StateKind::kSuspended);
  EXPECT_EQ(s.by_party.at("IN"), StateKind::kInForce);
  EXPECT_FALSE(s.live("IN", "JP"));
  EXPECT_TRUE(s.bound("IN", "JP")) << "forbids stay";
  EXPECT_TRUE(at(acts, 9).live("IN", "JP"));
  auto wrong = acts;
  wrong.push_back(signer.act("IN", "resume", kT0.plus_us(11 * kSecond)));
  EXPECT_FALSE(at(wrong, 20).live("IN", "JP")) << "the other party cannot resume for it";
  acts.push_back(signer.act("JP", "resume", kT0.plus_us(12 * kSecond)));
  EXPECT_TRUE(at(acts, 12).live("IN", "JP"));
}

TEST(Fold, SuspensionOfAFlowOrSectorIsNeverWiderThanAsked) {
  Signer signer(sample(sample_node()));
  auto acts = signer.until_signed(kT0);
  acts.push_back(signer.act("JP", "suspend", kT0.plus_us(10 * kSecond),
                            Node::object().set("scope", Node::object().set("flow", "all"))));
  acts.push_back(signer.act("IN", "suspend", kT0.plus_us(10 * kSecond),
                            Node::object().set("scope", Node::object().set("sector", "5g"))));
  State s = at(acts, kLater);
  EXPECT_TRUE(s.live("IN", "JP"));
  EXPECT_THAT(s.suspended_flows, ::testing::ElementsAre("all"));
  EXPECT_THAT(s.suspended_sectors, ::testing::ElementsAre("5g"));
  acts.push_back(signer.act("JP", "resume", kT0.plus_us(20 * kSecond),
                            Node::object().set("scope", Node::object().set("flow", "all"))));
  EXPECT_THAT(at(acts, kLater).suspended_flows, ::testing::IsEmpty());
  // What is not understood suspends the whole.
  for (Node scope : {Node("everything"), Node::object().set("flow", "nonesuch"),
                     Node::object().set("flow", "all").set("sector", "5g"), Node(), Node(3)}) {
    Signer other(sample(sample_node()));
    auto more = other.until_signed(kT0);
    more.push_back(other.act("JP", "suspend", kT0.plus_us(10 * kSecond), Node::object().set("scope", scope)));
    EXPECT_FALSE(at(more, kLater).live("IN", "JP")) << json::write(scope);
  }
}

TEST(Fold, WithdrawalRunsItsNoticeThenEnds) {
  Signer signer(sample(sample_node()));
  auto acts = signer.until_signed(kT0);
  acts.push_back(signer.act("IN", "withdraw", kT0.plus_us(kDay)));
  EXPECT_EQ(at(acts, kT0.plus_us(2 * kDay)).kind, StateKind::kEnding);
  EXPECT_TRUE(at(acts, kT0.plus_us(2 * kDay)).live("IN", "JP"));
  EXPECT_EQ(at(acts, kT0.plus_us(31 * kDay)).kind, StateKind::kTerminated);
  EXPECT_FALSE(at(acts, kT0.plus_us(31 * kDay)).live("IN", "JP"));
  EXPECT_TRUE(at(acts, kT0.plus_us(31 * kDay - 1)).live("IN", "JP"));
}

TEST(Fold, AGroupGoesOnWithoutTheOneThatLeaves) {
  Signer signer(sample(sample_node({"AU", "IN", "JP"}, "group")));
  auto acts = signer.until_signed(kT0);
  acts.push_back(signer.act("IN", "withdraw", kT0.plus_us(kDay)));
  State s = at(acts, kT0.plus_us(40 * kDay));
  EXPECT_EQ(s.kind, StateKind::kInForce);
  EXPECT_TRUE(s.live("AU", "JP"));
  EXPECT_FALSE(s.live("AU", "IN"));
  acts.push_back(signer.act("JP", "withdraw", kT0.plus_us(2 * kDay)));
  EXPECT_EQ(at(acts, kT0.plus_us(40 * kDay)).kind, StateKind::kTerminated);
}

TEST(Fold, AbandonBeforeSignatureOnly) {
  Signer signer(sample(sample_node()));
  auto acts = signer.until_signed(kT0);
  auto early = std::vector<SignedAct>(acts.begin(), acts.begin() + 3);
  Signer same(signer.document());
  early = same.until_signed(kT0);
  early.resize(1);
  Act a{"abandon", id(), signer.document().hash, early[0].act.hash(), "IN", kT0.plus_us(kSecond), Node::object()};
  early.push_back(same.signed_by_quorum(a));
  EXPECT_EQ(at(early, kLater).kind, StateKind::kAbandoned);
  acts.push_back(signer.act("JP", "abandon", kT0.plus_us(10 * kSecond)));
  EXPECT_EQ(at(acts, kLater).kind, StateKind::kInForce);
  EXPECT_EQ(at(acts, kLater).refused.size(), 1u);
}

TEST(Fold, KindsThatNobodyDefinedHaveNoEffect) {
  Signer signer(sample(sample_node()));
  auto acts = signer.until_signed(kT0);
  Act a{"annul", id(), signer.document().hash, acts.back().act.hash(), "JP", kT0.plus_us(10 * kSecond), Node::object()};
  SignedAct s{a, {}};
  for (auto kid : {"JP/plenipotentiary/1", "JP/authority/1", "JP/authority/2"}) Signer::sign(s, kid);
  acts.push_back(s);
  ASSERT_EQ(at(acts, kLater).refused.size(), 1u);
  EXPECT_THAT(at(acts, kLater).refused[0].why, ::testing::HasSubstr("unknown kind"));
  EXPECT_TRUE(at(acts, kLater).live("IN", "JP"));
}

TEST(Fold, AForkNarrows) {
  Signer signer(sample(sample_node()));
  auto acts = signer.until_signed(kT0);
  const std::string prev = acts.back().act.hash();
  for (auto reason : {"a", "b"}) {
    Act a{"claim_breach",
          id(),
          signer.document().hash,
          prev,
          "JP",
          kT0.plus_us(10 * kSecond),
          Node::object().set("reason", reason)};
    acts.push_back(signer.signed_by_quorum(a));
  }
  State s = at(acts, kLater);
  EXPECT_FALSE(s.live("IN", "JP"));
  EXPECT_EQ(s.refused.size(), 2u);
  EXPECT_EQ(s.last_act.at("JP"), prev);
  EXPECT_TRUE(at(acts, 9).live("IN", "JP")) << "before the fork nothing is in doubt";
}

TEST(Fold, AMissingActNarrowsUntilItArrives) {
  Signer signer(sample(sample_node()));
  auto acts = signer.until_signed(kT0);
  const auto missing = signer.act("JP", "suspend", kT0.plus_us(10 * kSecond));
  acts.push_back(signer.act("JP", "resume", kT0.plus_us(11 * kSecond)));
  EXPECT_FALSE(at(acts, kLater).live("IN", "JP"));
  acts.push_back(missing);
  EXPECT_TRUE(at(acts, kLater).live("IN", "JP"));
}

TEST(Fold, PinsKeepAPartyFromSigningForAnother) {
  // JP proposes a text in which it holds IN's keys, and "signs" for both.
  auto forged_node = sample_node();
  for (Node& k : forged_node.find("parties")->list()[0].find("keys")->list()) {
    k.set("public", testing::key_of("forged/" + std::string(k.string_at("kid"))).public_key().to_hex());
  }
  const auto forged = sample(forged_node);
  Signer signer(forged);
  auto acts = signer.until_signed(kT0);
  for (SignedAct& a : acts) {
    if (a.act.party != "IN") continue;
    for (Signature& s : a.sigs) s = sign_act(a.act, s.kid, testing::key_of("forged/" + s.kid));
  }
  Pins pins;
  for (auto kid : {"IN/plenipotentiary/1", "IN/authority/1", "IN/authority/2"})
    pins["IN"].insert(testing::key_of(kid).public_key().to_hex());
  ASSERT_TRUE(fold(id(), acts, kLater).live("IN", "JP")) << "without pins the document is all there is";
  const State s = fold(id(), acts, kLater, pins);
  EXPECT_EQ(s.kind, StateKind::kNone);
  EXPECT_FALSE(s.live("IN", "JP"));
  EXPECT_TRUE(fold(id(), Signer(sample(sample_node())).until_signed(kT0), kLater, pins).live("IN", "JP"));
}

TEST(Fold, TwoSignedTextsNarrow) {
  Signer first(sample(sample_node()));
  auto acts = first.until_signed(kT0);
  // The same parties' keys sign another text as well, in chains that continue the first.
  const auto other = sample(changed([](Node& d) { d.set("title", Node::object().set("en", "Other")); }));
  std::map<std::string, std::string> last = at(acts, kLater).last_act;
  auto add_act = [&](const std::string& party, const std::string& kind, int64_t second) {
    Act a{kind, other.agreement_id, other.hash, last[party], party, kT0.plus_us(second * kSecond), Node::object()};
    if (kind == "propose") a.body.set("document", other.node);
    last[party] = a.hash();
    acts.push_back(Signer(other).signed_by_quorum(a));
  };
  add_act("IN", "propose", 20);
  EXPECT_TRUE(at(acts, kLater).live("IN", "JP")) << "a proposal alone changes nothing";
  add_act("IN", "sign", 21);
  EXPECT_TRUE(at(acts, kLater).live("IN", "JP"));
  add_act("JP", "sign", 22);
  EXPECT_FALSE(at(acts, kLater).live("IN", "JP"));
}

TEST(Admissible, NamesTheRule) {
  Signer signer(sample(sample_node()));
  const auto acts = signer.until_signed(kT0);
  for (size_t i = 0; i < acts.size(); ++i) {
    const std::vector<SignedAct> known(acts.begin(), acts.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_TRUE(admissible(acts[i], known, kLater).ok()) << i;
    if (i > 0) {
      EXPECT_FALSE(admissible(acts[i], {}, kLater).ok()) << i;
    }
  }
  auto unsigned_act = acts[4];
  unsigned_act.sigs.pop_back();
  const std::vector<SignedAct> known(acts.begin(), acts.begin() + 4);
  auto status = admissible(unsigned_act, known, kLater);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().text(), ::testing::HasSubstr("quorum"));
  // Sign before every party has initialled.
  Signer other(sample(sample_node()));
  const auto all = other.until_signed(kT0);
  Act sign{"sign", id(), other.document().hash, all[1].act.hash(), "IN", kT0.plus_us(9 * kSecond), Node::object()};
  status = admissible(other.signed_by_quorum(sign), std::span(all).first(2), kLater);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().text(), ::testing::HasSubstr("initials"));
}

// ---- properties over random histories

const std::vector<std::string> kKinds = {"propose",       "initial", "sign",        "notify_completed",
                                         "certify_start", "suspend", "resume",      "withdraw",
                                         "abandon",       "amend",   "annex_notice"};

// Acts by `parties` in random order of kinds and times; sometimes with a broken chain.
std::vector<SignedAct> random_acts(Signer& signer, const std::vector<std::string>& parties, size_t most,
                                   int64_t from_second) {
  std::vector<SignedAct> out;
  const auto n = *rc::gen::inRange<size_t>(0, most + 1);
  int64_t second = from_second;
  for (size_t i = 0; i < n; ++i) {
    const auto kind = *rc::gen::elementOf(kKinds);
    const auto party = *rc::gen::elementOf(parties);
    second += *rc::gen::inRange<int64_t>(-2, 5);
    Node body = Node::object();
    if (kind == "certify_start") body.set("start", to_text(kT0.plus_us(4 * kSecond)));
    auto a = signer.act(party, kind, kT0.plus_us(second * kSecond), body);
    if (*rc::gen::inRange(0, 8) == 0) continue;  // lost: what follows it hangs in the air
    if (*rc::gen::inRange(0, 10) == 0 && !a.sigs.empty()) a.sigs.pop_back();
    out.push_back(std::move(a));
  }
  return out;
}

std::string summary(const State& s) {
  std::string out(to_text(s.kind));
  for (const auto& [party, kind] : s.by_party) out += fmt::format(" {}={}", party, to_text(kind));
  for (const auto& [party, hash] : s.last_act) out += fmt::format(" {}@{}", party, hash);
  for (const Refused& r : s.refused) out += fmt::format(" -{}:{}", r.act_hash, r.why);
  for (const auto& w : s.waiting_for) out += " ?" + w;
  for (const auto& w : s.unsure) out += " !" + w;
  if (s.start) out += to_text(*s.start);
  if (s.end) out += to_text(*s.end);
  if (s.document) out += s.document->hash;
  return out;
}

// Invariant 34 (in one process): the state does not depend on the order in which acts arrive, nor on copies.
RC_GTEST_PROP(Fold, OrderOfArrivalDoesNotMatter, ()) {
  static const auto doc = sample(sample_node());
  Signer signer(doc);
  auto acts = *rc::gen::arbitrary<bool>() ? signer.until_signed(kT0) : std::vector<SignedAct>{};
  for (auto& a : random_acts(signer, {"IN", "JP"}, 8, 5)) acts.push_back(std::move(a));
  const Time when = kT0.plus_us(*rc::gen::inRange<int64_t>(-1, 40) * kSecond);
  const std::string expected = summary(at(acts, when));
  auto order = *rc::gen::container<std::vector<uint32_t>>(acts.size(), rc::gen::arbitrary<uint32_t>());
  std::vector<size_t> index(acts.size());
  for (size_t i = 0; i < index.size(); ++i) index[i] = i;
  std::sort(index.begin(), index.end(),
            [&](size_t a, size_t b) { return std::tie(order[a], a) < std::tie(order[b], b); });
  std::vector<SignedAct> shuffled;
  for (size_t i : index) shuffled.push_back(acts[i]);
  if (!shuffled.empty()) shuffled.push_back(shuffled.front());
  RC_ASSERT(summary(at(shuffled, when)) == expected);
}

// Signatures of one act may arrive in parts.
TEST(Fold, SignaturesOfOneActAreGathered) {
  Signer signer(sample(sample_node()));
  auto acts = signer.until_signed(kT0);
  auto half = acts.back();
  acts.back().sigs.pop_back();
  half.sigs.erase(half.sigs.begin());
  EXPECT_EQ(at(acts, kLater).kind, StateKind::kPartSigned);
  acts.push_back(half);
  EXPECT_EQ(at(acts, kLater).kind, StateKind::kInForce);
}

// Invariant 28: acts of one party alone never enlarge what flows, whatever was there before.
RC_GTEST_PROP(Fold, OnePartyAloneNeverEnlarges, ()) {
  static const auto doc = sample(sample_node({"AU", "IN", "JP"}, "group"));
  Signer signer(doc);
  auto base = *rc::gen::inRange(0, 3) != 0 ? signer.until_signed(kT0) : std::vector<SignedAct>{};
  const auto lone = *rc::gen::elementOf(std::vector<std::string>{"AU", "IN", "JP"});
  // Others may have suspended; the lone party has no suspension of its own to lift.
  if (*rc::gen::arbitrary<bool>() && !base.empty())
    base.push_back(signer.act(lone == "IN" ? "JP" : "IN", "suspend", kT0.plus_us(5 * kSecond)));
  auto more = base;
  for (auto& a : random_acts(signer, {lone}, 6, 6)) more.push_back(std::move(a));
  const Time when = kT0.plus_us(*rc::gen::inRange<int64_t>(0, 60) * kSecond);
  const State before = at(base, when), after = at(more, when);
  for (auto a : {"AU", "IN", "JP"})
    for (auto b : {"AU", "IN", "JP"})
      if (after.live(a, b)) RC_ASSERT(before.live(a, b));
}

// Invariant 35: an act with an incomplete quorum, a wrong role or a changed byte leaves the state as it was.
RC_GTEST_PROP(Fold, BrokenActsHaveNoEffect, ()) {
  static const auto doc = sample(sample_node());
  Signer signer(doc);
  const auto all = signer.until_signed(kT0);
  auto base = std::vector<SignedAct>(
      all.begin(), all.begin() + static_cast<std::ptrdiff_t>(*rc::gen::inRange<size_t>(1, all.size())));
  SignedAct next = all[base.size()];
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      next.sigs.pop_back();
      break;
    case 1: {
      const std::string other = next.act.party == "IN" ? "JP" : "IN";
      next.sigs.clear();
      Signer::sign(next, other + "/plenipotentiary/1");
      Signer::sign(next, other + "/authority/1");
      break;
    }
    case 2: {
      next.sigs.clear();
      Signer::sign(next, next.act.party + "/node/1");
      Signer::sign(next, next.act.party + "/witness/1");
      break;
    }
    default: {
      std::string& sig = next.sigs.back().signature;
      const auto i = *rc::gen::inRange<size_t>(0, sig.size());
      sig[i] = static_cast<char>(sig[i] ^ (1 << *rc::gen::inRange(0, 8)));
    }
  }
  const State before = at(base, kLater);
  base.push_back(next);
  State after = at(base, kLater);
  RC_ASSERT(after.refused.size() == 1u);
  after.refused.clear();
  RC_ASSERT(summary(after) == summary(before));
}

// Partial delivery: if any act of a party is missing under one that is known, that party is narrow; never live by a
// gap.
RC_GTEST_PROP(Fold, GapsNarrow, ()) {
  static const auto doc = sample(sample_node());
  Signer signer(doc);
  auto acts = signer.until_signed(kT0);
  for (int i = 0; i < 4; ++i)
    acts.push_back(signer.act(i % 2 ? "IN" : "JP", i < 2 ? "suspend" : "resume", kT0.plus_us((10 + i) * kSecond)));
  RC_ASSERT(at(acts, kLater).live("IN", "JP"));
  std::vector<SignedAct> some;
  std::map<std::string, bool> gap;
  bool broken = false;
  for (const auto& a : acts) {
    if (*rc::gen::arbitrary<bool>()) {
      broken |= gap[a.act.party];
      some.push_back(a);
    } else {
      gap[a.act.party] = true;
    }
  }
  if (broken) RC_ASSERT(!at(some, kLater).live("IN", "JP"));
}

// Invariant 27: without every party's signature nothing is live at any time.
RC_GTEST_PROP(Fold, NothingIsLiveBeforeAllHaveSigned, ()) {
  static const auto doc = sample(sample_node());
  Signer signer(doc);
  const auto silent = *rc::gen::elementOf(std::vector<std::string>{"IN", "JP"});
  std::vector<SignedAct> acts = random_acts(signer, {"IN", "JP"}, 14, 0);
  std::erase_if(acts, [&](const SignedAct& a) { return a.act.party == silent && a.act.kind == "sign"; });
  for (int64_t s = 0; s < 60; s += 7) {
    RC_ASSERT(!at(acts, s).live("IN", "JP"));
    RC_ASSERT(!at(acts, s).bound("IN", "JP"));
  }
}

}  // namespace
}  // namespace entente::agreement
