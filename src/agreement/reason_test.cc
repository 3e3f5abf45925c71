// Every reason code is produced by the decision for its own rule, and the decision produces no other (release.md §6).
#include "agreement/reason.h"

#include <algorithm>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement/decide.h"
#include "agreement/random_case.h"
#include "agreement/testing.h"

namespace entente::agreement {
namespace {

using json::Node;
using testing::Case;
using testing::CaseObject;

// One indicator of ours for JP under one agreement that gives it.
Case plain() {
  Case c;
  c.my_identity = "identity--00000000-0000-4000-8000-000000000001";
  State s = testing::in_force(testing::sample(
      testing::sample_node({"IN", "JP"}, "bilateral", "urn:uuid:00000000-0000-5000-8000-000000000001")));
  c.keys[s.agreement_id] = std::string(32, 'k');
  c.states.push_back(std::move(s));
  CaseObject o;
  o.originator = "IN";
  o.node = Node::object();
  o.node.set("type", "indicator")
      .set("spec_version", "2.1")
      .set("id", "indicator--00000000-0000-4000-8000-000000000002")
      .set("created", "2027-01-01T00:00:00.000Z")
      .set("modified", "2027-01-01T00:00:00.000Z")
      .set("pattern", "[domain-name:value = 'c2.example']")
      .set("pattern_type", "stix")
      .set("valid_from", "2027-01-01T00:00:00Z");
  Node marks = Node::array();
  marks.push(stix::tlp_id(stix::Tlp::kGreen));
  o.node.set("object_marking_refs", std::move(marks));
  c.objects.push_back(std::move(o));
  c.write_raw();
  return c;
}

std::set<std::string> codes_of(const std::vector<Decision>& decisions) {
  std::set<std::string> out;
  for (const Decision& d : decisions)
    for (const Reason& r : d.reasons) out.insert(std::string(r.code));
  return out;
}
using Codes = std::set<std::string>;

TEST(ReasonCodes, NothingButThePermitForAPlainCase) { EXPECT_EQ(codes_of(plain().decide_all()), Codes{"PERMIT"}); }

TEST(ReasonCodes, RareOnesEachForItsOwnRule) {
  Case none = plain();
  none.states.clear();
  EXPECT_EQ(codes_of(none.decide_all()), Codes{"NO_AGREEMENT"});

  Case keyless = plain();
  for (Party& p : keyless.states[0].document->parties)
    if (p.party == "JP") std::erase_if(p.keys, [](const KeyRecord& k) { return k.role == KeyRole::kNode; });
  EXPECT_EQ(codes_of(keyless.decide_all()), Codes{"PARTY_KEY_UNKNOWN"});
  Case late = plain();  // the key's window is over, the agreement is not
  for (Party& p : late.states[0].document->parties)
    for (KeyRecord& k : p.keys)
      if (k.role == KeyRole::kNode && p.party == "JP") k.not_after = late.at;
  EXPECT_EQ(codes_of(late.decide_all()), Codes{"PARTY_KEY_UNKNOWN"});

  const Case unseen = plain();
  Inputs in = unseen.inputs();
  in.unwitnessed[unseen.states[0].agreement_id] = "no witness for five hours";
  EXPECT_EQ(codes_of(decide(unseen.graph(), in)), Codes{"UNWITNESSED"});

  Case host = plain();
  host.states[0].projects.push_back({"port-1", "host asked", {"consent of the host LK"}});
  Node labels = Node::array();
  labels.push("entente-project:port-1");
  host.objects[0].node.set("labels", std::move(labels));
  host.write_raw();
  EXPECT_EQ(codes_of(host.decide_all()), Codes{"HOST_CONSENT"});
  host.states[0].projects[0].stage = "open";
  EXPECT_EQ(codes_of(host.decide_all()), Codes{"PROJECT_SCOPE"});
}

// AIS consent NONE: the content goes, the submitter is not named.
TEST(ReasonCodes, WhoMayNotBeNamedIsNotNamed) {
  Case c = plain();
  const std::string marking = "marking-definition--00000000-0000-4000-8000-000000000003";
  const std::string creator = "identity--00000000-0000-4000-8000-000000000004";
  Node marks = Node::array();
  marks.push(stix::tlp_id(stix::Tlp::kGreen));
  marks.push(marking);
  c.objects[0].node.set("created_by_ref", creator).set("object_marking_refs", std::move(marks));
  const auto add = [&c](Node n) {
    CaseObject o;
    o.originator = "IN";
    o.node = std::move(n);
    c.objects.push_back(std::move(o));
  };
  add(Node::object()
          .set("type", "marking-definition")
          .set("spec_version", "2.1")
          .set("id", marking)
          .set("created", "2027-01-01T00:00:00.000Z")
          .set("definition_type", "statement")
          .set("definition", Node::object().set("statement", "ais-marking:AISConsent=\"NONE\"")));
  add(Node::object()
          .set("type", "identity")
          .set("spec_version", "2.1")
          .set("id", creator)
          .set("created", "2027-01-01T00:00:00.000Z")
          .set("modified", "2027-01-01T00:00:00.000Z")
          .set("name", "Harbour Works"));
  c.write_raw();
  const auto all = c.decide_all();
  ASSERT_EQ(all[0].verdict, Verdict::kRedacted);
  EXPECT_EQ(all[0].bytes.find(creator), std::string::npos) << all[0].bytes;
  EXPECT_NE(all[0].bytes.find(c.my_identity), std::string::npos);
  EXPECT_TRUE(codes_of(all).contains("REPORTER_ANONYMISED"));
}

TEST(ReasonCodes, PeopleLookFirstWhereTheOperatorSaysSo) {
  Case c = plain();
  c.policy.review_types = {"indicator"};
  EXPECT_EQ(codes_of(c.decide_all()), Codes{"REVIEW_REQUIRED"});
  Inputs in = c.inputs();
  in.approved = {"indicator--00000000-0000-4000-8000-000000000002 2027-01-01T00:00:00.000Z"};
  EXPECT_EQ(codes_of(decide(c.graph(), in)), Codes{"PERMIT"});
  in.approved = {"indicator--00000000-0000-4000-8000-000000000002 2026-01-01T00:00:00.000Z"};
  EXPECT_EQ(codes_of(decide(c.graph(), in)), Codes{"REVIEW_REQUIRED"}) << "another version was approved";
  c.policy.review_types.clear();
  c.policy.review_from = Tlp::kAmber;
  EXPECT_EQ(codes_of(c.decide_all()), Codes{"PERMIT"}) << "green is below amber";
  c.policy.review_from = Tlp::kGreen;
  EXPECT_EQ(codes_of(c.decide_all()), Codes{"REVIEW_REQUIRED"});
}

TEST(ReasonCodes, TheTableIsWhatTheDecisionSays) {
  std::set<std::string> seen = {"NO_AGREEMENT", "PARTY_KEY_UNKNOWN", "UNWITNESSED", "HOST_CONSENT"};  // the test above
  // Said by the release stage and the ledger: exchange_test and review_test.
  seen.insert({"RECALL_TOMBSTONE", "LOG_FAILED"});
  for (uint64_t seed = 1; seed <= 1500; ++seed) seen.merge(codes_of(testing::random_case(seed).decide_all()));
  std::set<std::string> table;
  for (const ReasonCode& r : reason_codes()) {
    EXPECT_TRUE(table.insert(std::string(r.code)).second) << r.code << " stands twice";
    EXPECT_FALSE(r.meaning.empty()) << r.code;
    EXPECT_TRUE(r.note || !r.remedy.empty()) << r.code << " says nothing of what would change it";
  }
  std::vector<std::string> unknown, never;
  std::ranges::set_difference(seen, table, std::back_inserter(unknown));
  std::ranges::set_difference(table, seen, std::back_inserter(never));
  EXPECT_THAT(unknown, ::testing::IsEmpty()) << "not in the table";
  EXPECT_THAT(never, ::testing::IsEmpty()) << "nothing produces it";
  EXPECT_EQ(reason_code("NO_SUCH_CODE"), nullptr);
}

}  // namespace
}  // namespace entente::agreement
