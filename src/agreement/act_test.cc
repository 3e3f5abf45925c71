// The wire form of acts, their signatures and quorums (agreement.md §3.7; threat-model.md rows 4 to 7 and 9).
#include "agreement/act.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "agreement/testing.h"
#include "json/json.h"

namespace entente::agreement {
namespace {

using json::Node;
using testing::key_of;
using testing::sample;
using testing::sample_node;
using testing::Signer;

constexpr Time kStart{1'800'000'000'000'000};

Act some_act(const Document& doc, std::string kind = "suspend") {
  return {std::move(kind),
          doc.agreement_id,
          doc.hash,
          "",
          "IN",
          kStart,
          Node::object().set("reason", "test").set("scope", "whole")};
}

TEST(Act, CanonicalTextIsAsDocumented) {
  Act a{"suspend",
        "urn:uuid:1",
        std::string(64, 'a'),
        "",
        "IN",
        Time{1'800'000'000'123'456},
        Node::object().set("z", 1).set("b", "é")};
  EXPECT_EQ(a.canonical(),
            "{\"agreement_id\":\"urn:uuid:1\",\"body\":{\"b\":\"é\",\"z\":1},\"effective_at\":\"2027-01-15T08:00:00."
            "123456Z\",\"kind\":\"suspend\","
            "\"party\":\"IN\",\"prev_act\":\"\",\"text_version\":\"" +
                std::string(64, 'a') + "\"}");
  EXPECT_EQ(a.hash(), sha256_hex(a.canonical()));
}

TEST(Act, SignatureIsADetachedJwsOverTheCanonicalText) {
  const auto doc = sample(sample_node());
  const Act a = some_act(doc);
  const Signature s = sign_act(a, "IN/authority/1", key_of("IN/authority/1"));
  EXPECT_EQ(unbase64url(s.jws_protected).value(),
            R"({"alg":"Ed25519","kid":"IN/authority/1","typ":"entente-act+jws"})");
  EXPECT_TRUE(
      verify(key_of("IN/authority/1").public_key(), s.jws_protected + "." + base64url(a.canonical()), s.signature));
}

TEST(Act, TextRoundTrips) {
  Signer signer(sample(sample_node()));
  for (const SignedAct& a : signer.until_signed(kStart)) {
    auto back = parse_signed_act(a.text());
    ASSERT_TRUE(back.ok()) << back.error().text();
    EXPECT_EQ(back->text(), a.text());
    EXPECT_EQ(back->act.hash(), a.act.hash());
    EXPECT_EQ(back->sigs.size(), a.sigs.size());
  }
}

TEST(Act, TextDoesNotDependOnTheOrderOfSignatures) {
  Signer signer(sample(sample_node()));
  auto a = signer.act("IN", "sign", kStart);
  auto b = a;
  std::swap(b.sigs[0], b.sigs[1]);
  EXPECT_EQ(a.text(), b.text());
}

// Everything that is not the one canonical text is refused.
TEST(Act, OtherTextsAreRefused) {
  Signer signer(sample(sample_node()));
  const auto a = signer.act("IN", "suspend", kStart);
  const std::string text = a.text();
  auto refused = [](std::string t, const char* what) { EXPECT_FALSE(parse_signed_act(t).ok()) << what; };
  refused(" " + text, "white space");
  refused(text + "\n", "line feed");
  refused(text.substr(0, text.size() - 1), "cut");
  auto replaced = [&text](const std::string& from, const std::string& to) {
    std::string t = text;
    const size_t at = t.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return t.replace(at, from.size(), to);
  };
  refused(replaced("\"kind\":\"suspend\"", "\"kind\":\"suspend\",\"kind\":\"resume\""), "duplicate name");
  refused(replaced("\"kind\":\"suspend\"", "\"kind\":\"susp\\u0065nd\""), "needless escape");
  refused(replaced(".000000Z", "Z"), "other form of the time");
  refused(replaced(".000000Z", ".000000+00:00"), "offset");
  refused(replaced("\"body\":{}", "\"body\":{\"x\":1.5}"), "fraction");
  refused(replaced("\"body\":{}", "\"body\":[]"), "body is no object");
  refused(replaced("\"body\":{}", "\"body\":{},\"extra\":1"), "unknown member");
  refused(replaced("\"prev_act\":\"\"", "\"prev_act\":null"), "null prev");
  refused(replaced("\"prev_act\":\"\"", "\"prev_act\":\"abc\""), "short prev");
  refused(replaced("{\"act\":", "{\"a\":1,\"act\":"), "unknown member at the top");
}

// threat-model.md 6: alg confusion, none, embedded keys.
TEST(Act, HeaderAllowList) {
  Signer signer(sample(sample_node()));
  const auto a = signer.act("IN", "suspend", kStart);
  auto with_header = [&a](const std::string& header) {
    SignedAct b = a;
    b.sigs[0].jws_protected = base64url(header);
    return parse_signed_act(b.text());
  };
  EXPECT_TRUE(with_header(R"({"alg":"Ed25519","kid":"IN/authority/1","typ":"entente-act+jws"})").ok());
  for (auto header :
       {R"({"alg":"EdDSA","kid":"IN/authority/1","typ":"entente-act+jws"})",
        R"({"alg":"none","kid":"IN/authority/1","typ":"entente-act+jws"})",
        R"({"alg":"HS256","kid":"IN/authority/1","typ":"entente-act+jws"})",
        R"({"alg":"Ed25519","kid":"IN/authority/1"})", R"({"alg":"Ed25519","kid":"IN/authority/1","typ":"JWT"})",
        R"({"alg":"Ed25519","typ":"entente-act+jws"})",
        R"({"alg":"Ed25519","jwk":{},"kid":"IN/authority/1","typ":"entente-act+jws"})",
        R"({"alg":"Ed25519","crit":["b64"],"kid":"IN/authority/1","typ":"entente-act+jws"})",
        R"({"alg":"Ed25519","jku":"https://x","kid":"IN/authority/1","typ":"entente-act+jws"})",
        R"({"alg":"Ed25519","kid":"IN/authority/1","typ":"entente-act+jws","x5u":"https://x"})",
        R"({"kid":"IN/authority/1","alg":"Ed25519","typ":"entente-act+jws"})",
        R"({ "alg":"Ed25519","kid":"IN/authority/1","typ":"entente-act+jws"})",
        R"({"alg":"Ed25519","alg":"none","kid":"IN/authority/1","typ":"entente-act+jws"})", "", "x", "[]"})
    EXPECT_FALSE(with_header(header).ok()) << header;
}

TEST(Act, SignatureLengthIsChecked) {
  Signer signer(sample(sample_node()));
  auto a = signer.act("IN", "suspend", kStart);
  a.sigs[0].signature.pop_back();
  EXPECT_FALSE(parse_signed_act(a.text()).ok());
}

TEST(Quorum, IsWhatTheDocumentSays) {
  const auto doc = sample(sample_node());
  const Signer signer(doc);
  for (auto kind : {"propose", "initial", "sign", "notify_completed", "certify_start", "suspend", "resume", "withdraw",
                    "abandon", "amend"})
    EXPECT_TRUE(check_quorum(signer.signed_by_quorum(some_act(doc, kind)), doc).ok()) << kind;
  EXPECT_FALSE(check_quorum(signer.signed_by_quorum(some_act(doc, "dance")), doc).ok());
}

TEST(Quorum, EverySignatureOfItIsNeeded) {
  const auto doc = sample(sample_node());
  const Signer signer(doc);
  for (auto kind : {"propose", "initial", "sign", "notify_completed", "suspend", "resume"}) {
    const auto whole = signer.signed_by_quorum(some_act(doc, kind));
    for (size_t i = 0; i < whole.sigs.size(); ++i) {
      auto less = whole;
      less.sigs.erase(less.sigs.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_FALSE(check_quorum(less, doc).ok()) << kind << " without " << whole.sigs[i].kid;
    }
  }
}

TEST(Quorum, WrongRolePartyOrRepetitionDoNotCount) {
  const auto doc = sample(sample_node());
  auto with = [&doc](const char* kind, std::initializer_list<const char*> kids) {
    SignedAct a{some_act(doc, kind), {}};
    for (auto kid : kids) Signer::sign(a, kid);
    return check_quorum(a, doc).ok();
  };
  EXPECT_TRUE(with("suspend", {"IN/authority/1"}));
  EXPECT_TRUE(with("suspend", {"IN/node/1", "IN/authority/2"})) << "a signature too many does no harm";
  EXPECT_FALSE(with("suspend", {"IN/node/1"}));
  EXPECT_FALSE(with("suspend", {"IN/plenipotentiary/1"}));
  EXPECT_FALSE(with("suspend", {"JP/authority/1"})) << "keys of another party";
  EXPECT_FALSE(with("suspend", {"IN/authority/9"}));
  EXPECT_FALSE(with("resume", {"IN/authority/1", "IN/authority/1"})) << "one key counts once";
  EXPECT_TRUE(with("resume", {"IN/authority/1", "IN/authority/2"}));
  EXPECT_FALSE(with("sign", {"IN/authority/1", "IN/authority/2"}));
  EXPECT_FALSE(with("sign", {"IN/plenipotentiary/1", "JP/authority/1"}));
}

TEST(Quorum, TwoKeysOfOneCustodianCountOnce) {  // threat-model.md 9
  auto node = sample_node();
  auto& keys = node.find("parties")->list()[0].find("keys")->list();
  keys[0].set("custodian", "c1");
  keys[1].set("custodian", "c1");
  keys[2].set("custodian", "c2");
  const auto doc = sample(node);
  auto with = [&doc](const char* kind, std::initializer_list<const char*> kids) {
    SignedAct a{some_act(doc, kind), {}};
    for (auto kid : kids) Signer::sign(a, kid);
    return check_quorum(a, doc).ok();
  };
  EXPECT_FALSE(with("sign", {"IN/plenipotentiary/1", "IN/authority/1"})) << "one person, two keys";
  EXPECT_TRUE(with("sign", {"IN/plenipotentiary/1", "IN/authority/2"}));
  EXPECT_TRUE(with("sign", {"IN/plenipotentiary/1", "IN/authority/1", "IN/authority/2"}))
      << "the second person fills the seat";
  EXPECT_TRUE(with("resume", {"IN/authority/1", "IN/authority/2"}));
}

TEST(Quorum, KeysCountOnlyWhileTheyAreValid) {
  auto node = sample_node();
  auto& key = node.find("parties")->list()[0].find("keys")->list()[1];
  key.set("not_before", to_text(kStart)).set("not_after", to_text(kStart.plus_us(10)));
  const auto doc = sample(node);
  auto at = [&doc](Time t) {
    Act a = some_act(doc);
    a.effective_at = t;
    SignedAct s{a, {}};
    Signer::sign(s, "IN/authority/1");
    return check_quorum(s, doc).ok();
  };
  EXPECT_FALSE(at(kStart.plus_us(-1)));
  EXPECT_TRUE(at(kStart));
  EXPECT_TRUE(at(kStart.plus_us(9)));
  EXPECT_FALSE(at(kStart.plus_us(10)));
}

// Invariant 35: an act with any byte changed has no effect: it is not read, or its quorum is not filled, or it is the
// same act.
RC_GTEST_PROP(Act, AnyByteChangedHasNoEffect, ()) {
  static const auto doc = sample(sample_node());
  static const auto whole = [] {
    Signer s(doc);
    return s.act("IN", "resume", kStart, Node::object().set("scope", "whole").set("reason", "over"));
  }();
  static const std::string text = whole.text();
  std::string changed = text;
  const auto at = *rc::gen::inRange<size_t>(0, text.size());
  const auto bit = *rc::gen::inRange(0, 8);
  changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
  auto back = parse_signed_act(changed);
  const bool effect = back.ok() && check_quorum(*back, doc).ok();
  RC_ASSERT(!effect);
}

// threat-model.md 4: the same signatures on an act for another agreement, text, kind, party, time or predecessor.
TEST(Act, SignaturesDoNotCarryOver) {
  const auto doc = sample(sample_node());
  const auto other = sample(sample_node({"IN", "JP"}, "bilateral", "urn:uuid:00000000-0000-5000-8000-000000000002"));
  const Signer signer(doc);
  const auto good = signer.signed_by_quorum(some_act(doc));
  ASSERT_TRUE(check_quorum(good, doc).ok());
  auto a = good;
  a.act.agreement_id = other.agreement_id;
  EXPECT_FALSE(check_quorum(a, doc).ok());
  EXPECT_FALSE(check_quorum(a, other).ok());
  a = good;
  a.act.text_version = other.hash;
  EXPECT_FALSE(check_quorum(a, other).ok());
  a = good;
  a.act.kind = "withdraw";
  EXPECT_FALSE(check_quorum(a, doc).ok());
  a = good;
  a.act.prev_act = std::string(64, '0');
  EXPECT_FALSE(check_quorum(a, doc).ok());
  a = good;
  a.act.effective_at.us += 1;
  EXPECT_FALSE(check_quorum(a, doc).ok());
  a = good;
  a.act.body.set("scope", Node::object().set("flow", "all"));
  EXPECT_FALSE(check_quorum(a, doc).ok());
}

}  // namespace
}  // namespace entente::agreement
