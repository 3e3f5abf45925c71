// The release decision by example, rule by rule. The invariants over random cases are in invariants_test.cc.
#include "agreement/decide.h"

#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement/random_case.h"
#include "agreement/reading_for_test.h"
#include "agreement/testing.h"

namespace entente::agreement {
namespace {

using json::Node;
using testing::bytes_of;
using testing::Case;
using testing::CaseObject;
using testing::goes;
using testing::has_code;
using testing::parsed;
using testing::random_case;
using testing::text_of;

struct One {
  Node doc = testing::sample_node();
  Case c;
  One() {
    c.my_identity = "identity--00000000-0000-4000-8000-00000000000a";
    c.keys["urn:uuid:00000000-0000-5000-8000-000000000001"] = std::string(32, 'k');
  }
  CaseObject& add(std::string_view json_text, const std::string& originator = "IN") {
    CaseObject o;
    o.raw = std::string(json_text);
    o.originator = originator;
    o.node = parsed(json_text);
    c.objects.push_back(std::move(o));
    return c.objects.back();
  }
  std::vector<Decision> decide_all() {
    c.states = {testing::in_force(testing::sample(doc))};
    return c.decide_all();
  }
};

std::string sdo(const std::string& type, int n, const std::string& more) {
  return fmt::format(
      R"({{"type":"{0}","spec_version":"2.1","id":"{0}--00000000-0000-4000-8000-{1:012}","created":"2027-01-01T00:00:00.000Z","modified":"2027-01-01T00:00:00.000Z"{2}}})",
      type, n, more.empty() ? "" : "," + more);
}
std::string id_of(const std::string& type, int n) { return fmt::format("{}--00000000-0000-4000-8000-{:012}", type, n); }
std::string marked(Tlp t) { return fmt::format(R"("object_marking_refs":["{}"])", stix::tlp_id(t)); }

TEST(Decide, VictimByTargetsIsGeneralisedAndNamedNowhere) {
  One one;
  one.doc.set("protection", testing::protection_nodes());
  one.add(sdo(
      "identity", 1,
      R"("name":"Zephyrine Bank","identity_class":"organization","sectors":["5g"],"contact_information":"help@bank.example")"));
  one.add(sdo("malware", 2, R"("name":"m","is_family":false)"));
  one.add(sdo("relationship", 3,
              R"("relationship_type":"targets","source_ref":")" + id_of("malware", 2) + R"(","target_ref":")" +
                  id_of("identity", 1) + "\""));
  one.add(sdo("note", 4, R"("content":"hits ZEPHYRINE BANK","object_refs":[")" + id_of("malware", 2) + R"("])"));
  one.add(sdo("note", 5, R"("content":"hits nobody","object_refs":[")" + id_of("identity", 1) + R"("])"));
  const auto d = one.decide_all();
  ASSERT_EQ(d[0].verdict, Verdict::kRedacted);
  EXPECT_TRUE(has_code(d[0], "VICTIM_STRIPPED"));
  const Node out = parsed(d[0].bytes);
  EXPECT_EQ(out.string_at("identity_class"), "organization");
  EXPECT_EQ(out.find("contact_information"), nullptr);
  EXPECT_EQ(out.string_at("created_by_ref"), one.c.my_identity);
  EXPECT_EQ(d[1].verdict, Verdict::kReleased);
  EXPECT_EQ(d[2].verdict, Verdict::kRedacted);
  EXPECT_EQ(parsed(d[2].bytes).string_at("target_ref"), d[0].id);
  EXPECT_EQ(d[3].verdict, Verdict::kWithheld);
  EXPECT_TRUE(has_code(d[3], "TEXT_MENTIONS_WITHHELD"));
  EXPECT_EQ(d[4].verdict, Verdict::kRedacted);
}

// Found by the oracle: a text of two lines, taken out of a victim, stood in another object.
TEST(Decide, WhatIsTakenOutOfAVictimIsFoundThoughItHasSeveralLines) {
  One one;
  one.doc.set("protection", testing::protection_nodes());
  one.add(sdo("identity", 1,
              R"("name":"Zephyrine Bank","identity_class":"organization","roles":["victim"],)"
              R"("contact_information":"Pier 7\nNorth Harbour")"));
  one.add(sdo("note", 2,
              R"("content":"send it to:\nPier 7\nNorth Harbour\n","object_refs":[")" + id_of("identity", 1) + R"("])"));
  one.add(sdo("note", 3,
              R"("content":"send it to Pier 7, North Harbour","object_refs":[")" + id_of("identity", 1) + R"("])"));
  const auto d = one.decide_all();
  ASSERT_TRUE(has_code(d[0], "VICTIM_STRIPPED"));
  EXPECT_TRUE(has_code(d[1], "TEXT_MENTIONS_WITHHELD"));
  EXPECT_EQ(d[2].verdict, Verdict::kRedacted);
}

// A blank behind a name is a slip of whoever typed it, not another name.
TEST(Decide, ANameIsFoundWithoutTheBlanksAroundIt) {
  One one;
  one.doc.set("protection", testing::protection_nodes());
  one.add(sdo("identity", 1, R"("name":" Zephyrine Bank\n","identity_class":"organization","roles":["victim"])"));
  one.add(sdo("note", 2, R"("content":"at Zephyrine Bank.","object_refs":[")" + id_of("identity", 1) + R"("])"));
  // Who bears the same name openly, without the blank, tells no secret by it.
  one.add(sdo("malware", 3, R"("name":"Opal ","is_family":false,)" + marked(Tlp::kRed)));
  one.add(sdo("malware", 4, R"("name":"Opal","is_family":false,)" + marked(Tlp::kGreen)));
  const auto d = one.decide_all();
  EXPECT_TRUE(has_code(d[1], "TEXT_MENTIONS_WITHHELD"));
  EXPECT_EQ(d[2].verdict, Verdict::kWithheld);
  EXPECT_EQ(d[3].verdict, Verdict::kReleased);
}

class Disguise : public ::testing::TestWithParam<std::string> {};
TEST_P(Disguise, IsSeenThrough) {
  One one;
  one.add(
      R"({"type":"domain-name","id":"domain-name--00000000-0000-4000-8000-000000000001","value":"secret-host.example","object_marking_refs":[")" +
      std::string(stix::tlp_id(Tlp::kRed)) + R"("]})");
  one.add(
      R"({"type":"domain-name","id":"domain-name--00000000-0000-4000-8000-000000000002","value":"bücher-laden.example","object_marking_refs":[")" +
      std::string(stix::tlp_id(Tlp::kRed)) + R"("]})");
  one.add(sdo(
      "indicator", 3,
      R"("pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z","pattern":"[a:b = 'x)" + GetParam() + R"(y']")"));
  const auto d = one.decide_all();
  EXPECT_EQ(d[0].verdict, Verdict::kWithheld);
  EXPECT_TRUE(has_code(d[2], "TEXT_MENTIONS_WITHHELD"));
}
INSTANTIATE_TEST_SUITE_P(All, Disguise,
                         ::testing::Values(" secret-host.example ", " SECRET-Host.Example ", " secret-host[.]example ",
                                           " hxxp://secret-host(dot)example/ ", " \\u0073ecret-host.exampl\\u0065 ",
                                           " " + base64("secret-host.example") + " ",
                                           " " + base64("a secret-host.example b") + " ",
                                           base64url("\xff\xfe>secret-host.example"), " secret%2Dhost%2Eexample ",
                                           " xn--bcher-laden-thb.example ",
                                           "domain-name--00000000-0000-4000-8000-000000000001",
                                           "DOMAIN-NAME--00000000-0000-4000-8000-000000000001"));

// STIX 2.1 §6.16: an account without any property of its own is none. Found by the property of invariant 12.
TEST(Decide, WhatIsNotStixAnyMoreWithoutAPartStaysHere) {
  size_t whole = 0;
  for (uint64_t seed = 1; seed < 1500; ++seed) {
    const Case c = random_case(seed);
    for (const Decision& d : c.decide_all()) {
      if (text_of(c.objects[d.object].node, "type") != "user-account" || !goes(d)) continue;
      const Node out = parsed(bytes_of(c, d));
      EXPECT_FALSE(text_of(out, "account_login").empty()) << bytes_of(c, d);
      ++whole;
    }
  }
  EXPECT_GT(whole, 10U);
}

// STIX 2.1 §4.14. Found by half a million random cases: the observable may be of somebody's own type.
TEST(Decide, ObservedDataWithoutItsLastObservableStaysHere) {
  for (const char* observable : {"file", "x-custom"}) {
    One one;
    one.add(sdo("sighting", 1, R"("sighting_of_ref":")" + id_of("malware", 3) + "\"," + marked(Tlp::kGreen)));
    one.add(sdo("observed-data", 2,
                R"("first_observed":"2027-01-01T00:00:00Z","last_observed":"2027-01-01T00:00:00Z","number_observed":1,)"
                R"("object_refs":[")" +
                    id_of("sighting", 1) + R"(",")" + id_of(observable, 4) + R"("],)" + marked(Tlp::kGreen)));
    one.add(sdo("malware", 3, R"("name":"m","is_family":false,)" + marked(Tlp::kGreen)));
    const auto d = one.decide_all();
    EXPECT_EQ(d[0].verdict, Verdict::kReleased);
    EXPECT_EQ(d[1].verdict, Verdict::kWithheld) << observable;
    EXPECT_TRUE(has_code(d[1], "EMPTY_CONTAINER")) << observable;
  }
}

TEST(Decide, UnrelatedTextIsNoMention) {
  One one;
  one.add(sdo("malware", 1, R"("name":"Ant","is_family":false,)" + marked(Tlp::kRed)));
  one.add(sdo("malware", 2, R"("name":"malware","is_family":false,)" + marked(Tlp::kRed)));
  one.add(sdo("malware", 3, R"("name":"Other","is_family":false,"description":"an important merchant")"));
  one.add(sdo("malware", 4, R"("name":"Other2","is_family":false,"description":"like ant, yes")"));
  const auto d = one.decide_all();
  EXPECT_EQ(d[2].verdict, Verdict::kReleased);
  EXPECT_EQ(d[3].verdict, Verdict::kWithheld);
}

TEST(Decide, ANameThatIsGivenElsewhereIsNoSecret) {
  One one;
  one.add(
      sdo("indicator", 1,
          R"("name":"Phishing page","pattern":"[a:b=1]","pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z",)" +
              marked(Tlp::kRed)));
  one.add(
      sdo("indicator", 2,
          R"("name":"Phishing page","pattern":"[a:b=2]","pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z")"));
  const auto d = one.decide_all();
  EXPECT_EQ(d[0].verdict, Verdict::kWithheld);
  EXPECT_EQ(d[1].verdict, Verdict::kReleased);
}

TEST(Decide, ANameOfAnotherKindOfThingStaysSecret) {
  One one;
  one.add(sdo("malware", 1, R"("name":"SecretBird","is_family":true,)" + marked(Tlp::kRed)));
  for (int i = 2; i < 5; ++i)
    one.add(
        sdo("indicator", i,
            R"("name":"SecretBird","pattern":"[a:b=1]","pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z")"));
  const auto d = one.decide_all();
  for (size_t i = 0; i < d.size(); ++i) EXPECT_EQ(d[i].verdict, Verdict::kWithheld) << i;
}

TEST(Decide, PartAboveTheCeilingIsTakenOut) {
  One one;
  const std::string red(stix::tlp_id(Tlp::kRed));
  one.add(sdo("malware", 1,
              R"("name":"m","is_family":false,"description":"secret","granular_markings":[{"marking_ref":")" + red +
                  R"(","selectors":["description"]}])"));
  one.add(sdo("malware", 2,
              R"("name":"n","is_family":false,"description":"secret","granular_markings":[{"marking_ref":")" + red +
                  R"(","selectors":["name"]}])"));
  const auto d = one.decide_all();
  ASSERT_EQ(d[0].verdict, Verdict::kRedacted);
  EXPECT_TRUE(has_code(d[0], "PROPERTY_REDACTED"));
  EXPECT_EQ(d[0].bytes.find("secret"), std::string::npos);
  EXPECT_EQ(d[0].bytes.find("granular_markings"), std::string::npos);
  EXPECT_EQ(d[0].bytes.find(red), std::string::npos);
  EXPECT_TRUE(has_code(d[1], "ABOVE_CEILING"));
}

TEST(Decide, KnownObjectsResolveUnderTheIdThatTheRecipientHas) {
  One one;
  one.add(sdo("malware", 1, R"("name":"m","is_family":false)"), "JP").known = true;
  one.add(sdo("note", 2, R"("content":"x","object_refs":[")" + id_of("malware", 1) + R"("])"));
  auto d = one.decide_all();
  EXPECT_EQ(d[0].verdict, Verdict::kKnown);
  EXPECT_EQ(d[1].verdict, Verdict::kReleased);
  auto graph = one.c.graph();
  const std::string sent = id_of("malware", 99);
  graph[0].sent_id = sent;
  d = decide(graph, one.c.inputs());
  ASSERT_EQ(d[1].verdict, Verdict::kRedacted);
  EXPECT_THAT(d[1].bytes, ::testing::HasSubstr(sent));
}

// A hold on a victim must not free the texts that name it, for one who has the victim without its name.
TEST(Decide, WhoHasAVictimWithoutItsNameIsNotToldTheNameAfterAHold) {
  for (const bool held : {false, true}) {
    One one;
    one.doc.set("protection", testing::protection_nodes());
    CaseObject& victim = one.add(
        sdo("identity", 1,
            R"("name":"Zephyrine Bank","identity_class":"organization","roles":["victim"],)" + marked(Tlp::kGreen)));
    victim.known = true;
    one.add(
        sdo("malware", 2, R"("name":"m1","is_family":false,"description":"at Zephyrine Bank",)" + marked(Tlp::kGreen)));
    if (held) one.c.holds.push_back({id_of("identity", 1), "NATIONAL_HOLD", std::nullopt});
    EXPECT_EQ(one.decide_all()[1].verdict, Verdict::kWithheld) << held;
    one.c.objects[0].originator = "JP";  // its own: it knows the name
    one.c.objects[0].node = parsed(one.c.objects[0].raw);
    EXPECT_EQ(one.decide_all()[1].verdict, Verdict::kReleased) << held;
  }
}

TEST(Decide, NewIdsAreStableForOneAgreementAndUnlinkableBetweenTwo) {
  auto redacted_id = [](const std::string& key) {
    One one;
    one.c.keys.begin()->second = key;
    one.add(sdo("note", 1,
                R"("content":"x","object_refs":[")" + id_of("malware", 7) + R"(",")" + id_of("note", 2) + R"("])"));
    one.add(sdo("note", 2, R"("content":"x","object_refs":[")" + one.c.my_identity + R"("])"));
    return one.decide_all()[0].id;
  };
  EXPECT_EQ(redacted_id("a"), redacted_id("a"));
  EXPECT_NE(redacted_id("a"), redacted_id("b"));
  EXPECT_NE(redacted_id("a"), id_of("note", 1));
}

TEST(Decide, GovernedByTheMostSpecialInstrument) {
  One one;
  one.add(sdo("malware", 1, R"("name":"m","is_family":false)"));
  const char* names[] = {"initiative", "group", "bilateral", "project"};
  for (int i = 0; i < 4; ++i)
    one.c.states.push_back(testing::in_force(testing::sample(testing::sample_node(
        {"IN", "JP"}, names[i], fmt::format("urn:uuid:00000000-0000-5000-8000-00000000000{}", i + 1)))));
  auto d = one.c.decide_all();
  EXPECT_EQ(d[0].agreement.str().back(), '4');
  one.c.states.pop_back();
  d = one.c.decide_all();
  EXPECT_EQ(d[0].agreement.str().back(), '3');
}

TEST(Decide, UnreadableObjectsAreWithheld) {
  One one;
  for (auto raw : {"", "{", "[]", "{\"type\":\"malware\"}", "{\"id\":\"x\"}", "{\"type\":1,\"id\":2}", "\xff"}) {
    CaseObject o;
    o.raw = raw;
    o.originator = "IN";
    one.c.objects.push_back(std::move(o));
  }
  for (const Decision& d : one.decide_all()) EXPECT_TRUE(has_code(d, "REVIEW_REQUIRED"));
}

TEST(Tombstone, SaysNothingButThatItIsGone) {
  const std::string raw = sdo("indicator", 1, R"("name":"secret","pattern":"[a:b=1]","object_marking_refs":["x"])");
  const std::string t = tombstone(raw, "indicator--sent", "2027-02-02T00:00:00.000Z");
  const Node n = parsed(t);
  for (const auto& [name, value] : n.members())
    EXPECT_TRUE(name == "type" || name == "spec_version" || name == "id" || name == "created" || name == "modified" ||
                name == "revoked")
        << name;
  EXPECT_EQ(n.string_at("id"), "indicator--sent");
  EXPECT_EQ(n.string_at("modified"), "2027-02-02T00:00:00.000Z");
  EXPECT_TRUE(n.find("revoked")->boolean());
}

TEST(May, BlockNeedsEveryCondition) {
  State s = testing::in_force(testing::sample(testing::sample_node()));
  const Handling good{Pap::kGreen, 90, {"malicious-activity"}};
  EXPECT_TRUE(may(Action::kBlock, good, s).allowed);
  EXPECT_EQ(may(Action::kBlock, good, s).article, "4");
  auto refused = [&s](const Handling& h) {
    return !may(Action::kBlock, h, s).allowed && may(Action::kMonitor, h, s).allowed;
  };
  EXPECT_TRUE(refused({Pap::kAmber, 90, {"malicious-activity"}}));
  EXPECT_TRUE(refused({std::nullopt, 90, {"malicious-activity"}})) << "the default of the agreement is amber";
  EXPECT_TRUE(refused({Pap::kGreen, 79, {"malicious-activity"}}));
  EXPECT_TRUE(refused({Pap::kGreen, std::nullopt, {"malicious-activity"}}));
  EXPECT_TRUE(refused({Pap::kGreen, 90, {"benign"}}));
  EXPECT_TRUE(refused({Pap::kGreen, 90, {}}));
  s.kind = StateKind::kSuspended;
  EXPECT_TRUE(refused(good));
  EXPECT_FALSE(may(Action::kMonitor, good, State{}).allowed);
}

}  // namespace
}  // namespace entente::agreement
