// S43 and S44 against the text of the checklist, where it is at hand: every term, in its order, and nothing more.
#include "stix/internal/vocabulary.h"

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace entente::stix::internal {
namespace {

std::string specification() {
  std::ifstream in(std::string(ENTENTE_SPEC_DIR) + "/stix-2.1.md");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Vocabulary, OpenOnesAreThoseOfTheChecklist) {
  const std::string text = specification();
  if (text.empty()) GTEST_SKIP() << "the checklist is absent";
  std::map<std::string, std::string> listed;  // name → terms
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t end = line.find("-ov: ");
    if (!line.starts_with("  - ") || end == std::string::npos) continue;
    listed[line.substr(4, end - 1)] = line.substr(end + 5);
  }
  ASSERT_GE(listed.size(), 20U);
  for (const auto* v : {&kAccountType,    &kAttackMotivation,   &kAttackResourceLevel,    &kGroupingContext,
                        &kHashAlgorithm,  &kIdentityClass,      &kImplementationLanguage, &kIndicatorType,
                        &kIndustrySector, &kInfrastructureType, &kMalwareCapabilities,    &kMalwareResult,
                        &kMalwareType,    &kPatternType,        &kProcessorArchitecture,  &kRegion,
                        &kReportType,     &kThreatActorType,    &kThreatActorRole,        &kThreatActorSophistication,
                        &kToolType,       &kWindowsPebinaryType}) {
    EXPECT_EQ(listed[std::string(v->name)], v->terms) << v->name;
    listed.erase(std::string(v->name));
  }
  for (const auto& [name, terms] : listed) ADD_FAILURE() << name << " is not in the model: " << terms;
}

TEST(Vocabulary, ClosedOnesAreThoseOfTheChecklist) {
  const std::string text = specification();
  if (text.empty()) GTEST_SKIP() << "the checklist is absent";
  for (const auto* v : {&kEncryptionAlgorithm, &kAddressFamily, &kSocketType, &kOpinion, &kIntegrityLevel,
                        &kRegistryDatatype, &kServiceStartType, &kServiceType, &kServiceStatus}) {
    EXPECT_NE(text.find("`" + std::string(v->terms) + "`"), std::string::npos) << v->name;
  }
}

}  // namespace
}  // namespace entente::stix::internal
