// FIRST IEP 2.0, ACS 3.0, AIS consent and PAP as marking definitions. The texts are in the form of the examples of
// OASIS cti-stix-common-objects.
#include "stix/marking_policy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace entente::stix {
namespace {

std::optional<MarkingPolicy> read(const std::string& members) {
  const auto doc = json::parse(
      R"({"type":"marking-definition","spec_version":"2.1","id":"marking-definition--da05d443-ad8d-46fc-abf5-31d3d00290f1",)"
      R"("created":"2024-01-10T14:52:41.853Z",)" +
      members + "}");
  EXPECT_TRUE(doc.ok()) << members;
  return policy_of_definition(doc->root());
}

std::string iep(const std::string& actions, const std::string& attribution, const std::string& more = {}) {
  return fmt::format(
      R"("name":"IEP","extensions":{{"extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a":{{)"
      R"("extension_type":"property-extension","encrypt_in_transit":"may","permitted_actions":"{}",)"
      R"("affected_party_notifications":"may","tlp":"amber","provider_attribution":"{}","unmodified_resale":"must-not",)"
      R"("iep_id":"0224bfdf-ea3a-49c3-96f6-66d908bb1845","iep_version":2.0,"description":"a policy",)"
      R"("start_date":"2022-10-01T00:00:00Z"{}}}}})",
      actions, attribution, more);
}

std::string acs(const std::string& control, const std::string& defaults = "privdefault=permit&sharedefault=permit",
                const std::string& more = {}) {
  return fmt::format(R"("extensions":{{"extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce":{{)"
                     R"("extension_type":"property-extension","identifier":"isa:guide.19001.ACS3-1","name":"case",)"
                     R"("create_date_time":"2018-05-27T14:10:26.723Z","responsible_entity_custodian":"USA.DHS",)"
                     R"("policy_reference":"urn:isa:policy:acs:ns:v3.0?{}","control_set":{{{}}}{}}}}})",
                     defaults, control, more);
}

TEST(Iep, ActionsBecomePapAndTlpIsKept) {
  const std::pair<const char*, Pap> kActions[] = {{"none", Pap::kRed},
                                                  {"contact-for-instruction", Pap::kRed},
                                                  {"internally-visible-actions", Pap::kRed},
                                                  {"externally-visible-indirect-actions", Pap::kAmber},
                                                  {"externally-visible-direct-actions", Pap::kClear}};
  for (const auto& [actions, pap] : kActions) {
    const auto p = read(iep(actions, "may"));
    ASSERT_TRUE(p.has_value()) << actions;
    EXPECT_EQ(p->pap, pap) << actions;
    EXPECT_EQ(p->tlp, Tlp::kAmber);
    EXPECT_TRUE(excludes(*p, "JP").empty());
  }
  EXPECT_EQ(read(iep("none", "must-not"))->attribution, Attribution::kMustNot);
  EXPECT_EQ(read(iep("none", "must"))->attribution, Attribution::kMust);
}

TEST(Iep, WhatIsNotUnderstoodIsNoPolicy) {
  EXPECT_FALSE(read(iep("whatever-you-like", "may")).has_value());
  EXPECT_FALSE(read(iep("none", "perhaps")).has_value());
  EXPECT_FALSE(read(iep("none", "may", R"(,"must_be_burnt":true)")).has_value());
  EXPECT_FALSE(read(iep("none", "may", R"(,"end_date":"soon")")).has_value());
  EXPECT_TRUE(read(iep("none", "may", R"(,"end_date":"2030-01-01T00:00:00Z")"))->until.has_value());
  std::string two = iep("none", "may");
  two.replace(two.find("\"extensions\":{"), 14, R"("extensions":{"extension-definition--1":{},)");
  EXPECT_FALSE(read(two).has_value()) << "a second extension may say anything";
}

TEST(Acs, UseCasesOfTheSpecification) {
  const auto secret =
      read(acs(R"("classification":"TS","entity":["GOV","CTR","MIL"])", "privdefault=deny&sharedefault=deny"));
  ASSERT_TRUE(secret.has_value());
  EXPECT_NE(excludes(*secret, "JP"), "");
  const auto released = read(acs(R"("classification":"U","formal_determination":["PUBREL"])"));
  EXPECT_EQ(excludes(*released, "JP"), "");
  EXPECT_TRUE(for_network_defence(*released, "JP"));
  // Law enforcement data: the sensitivity LES is not understood here, so nobody gets it.
  EXPECT_FALSE(
      read(acs(R"("classification":"U","sensitivity":["LES"],"permitted_organizations":["USA.USG"])")).has_value());
}

TEST(Acs, CountriesOrganisationsAndEntities) {
  const auto japan = read(acs(R"("classification":"U","permitted_nationalities":["JPN","USA"])"));
  EXPECT_EQ(excludes(*japan, "JP"), "");
  EXPECT_NE(excludes(*japan, "IN"), "");
  EXPECT_NE(excludes(*japan, "XX"), "") << "no country";
  const auto nisc = read(acs(R"("classification":"U","permitted_organizations":["JPN.NISC"])"));
  EXPECT_EQ(excludes(*nisc, "JP"), "");
  EXPECT_NE(excludes(*nisc, "US"), "");
  EXPECT_NE(excludes(*read(acs(R"("classification":"U","entity":["CTR"])")), "JP"), "") << "contractors only";
  EXPECT_NE(excludes(*read(acs(R"("classification":"U","shareability":["NCC"])")), "JP"), "");
}

TEST(Acs, DenialsBeatPermitsAndDefaultsFillTheRest) {
  const std::string open = R"("classification":"U")";
  EXPECT_NE(excludes(*read(acs(open, "privdefault=permit&sharedefault=deny")), "JP"), "");
  EXPECT_EQ(excludes(*read(acs(open, "privdefault=permit&sharedefault=deny")), "US"), "");
  EXPECT_EQ(excludes(*read(acs(open, "privdefault=permit&sharedefault=deny",
                               R"(,"further_sharing":[{"rule_effect":"permit","sharing_scope":["FOREIGNGOV"]}])")),
                     "JP"),
            "");
  const auto rules = read(acs(open, "privdefault=permit&sharedefault=permit",
                              R"(,"access_privilege":[{"privilege_action":"ALL","rule_effect":"permit"},)"
                              R"({"privilege_action":"NETDEF","privilege_scope":{"permitted_nationalities":["JPN"]},)"
                              R"("rule_effect":"deny"},{"privilege_action":"IDSRC","rule_effect":"deny"}])"));
  ASSERT_TRUE(rules.has_value());
  EXPECT_FALSE(for_network_defence(*rules, "JP"));
  EXPECT_TRUE(for_network_defence(*rules, "IN"));
  EXPECT_EQ(attribution_to(*rules, "IN"), Attribution::kMustNot);
}

TEST(Ais, ConsentIsAboutNamingTheSubmitter) {
  const auto consent = [](const std::string& whose) {
    return read(R"("definition_type":"statement","definition":{"statement":"ais-marking:AISConsent=\")" + whose +
                R"(\""})");
  };
  EXPECT_EQ(attribution_to(*consent("EVERYONE"), "JP"), Attribution::kMay);
  EXPECT_EQ(attribution_to(*consent("USG"), "JP"), Attribution::kMustNot);
  EXPECT_EQ(attribution_to(*consent("USG"), "US"), Attribution::kMay);
  EXPECT_EQ(attribution_to(*consent("NONE"), "US"), Attribution::kMustNot);
  EXPECT_FALSE(consent("SOME").has_value());
}

TEST(PapExtension, IsReadAloneOnly) {
  const auto pap = [](const std::string& members) {
    const auto doc = json::parse(R"({"type":"marking-definition",)" + members + "}");
    return pap_of_definition(doc->root());
  };
  const std::string id = R"("extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b")";
  EXPECT_EQ(pap(R"("extensions":{)" + id + R"(:{"extension_type":"property-extension","pap":"green"}})"), Pap::kGreen);
  EXPECT_EQ(pap(R"("extensions":{)" + id + R"(:{"extension_type":"property-extension","pap":"blue"}})"), std::nullopt);
  EXPECT_EQ(pap(R"("extensions":{)" + id + R"(:{"extension_type":"property-extension","pap":"green","x":1}})"),
            std::nullopt);
  EXPECT_EQ(pap(R"("definition_type":"statement","definition":{"statement":"PAP:GREEN"},"extensions":{"x":{}})"),
            std::nullopt)
      << "an extension beside the statement may say anything";
}

}  // namespace
}  // namespace entente::stix
