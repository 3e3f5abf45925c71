#include "agreement/internal/stix_rules.h"

#include <gtest/gtest.h>

namespace entente::agreement::internal {
namespace {

TEST(StixRules, RequiredPropertiesStayAndOptionalOnesMayGo) {
  EXPECT_FALSE(is_removable("identity", "name"));
  EXPECT_TRUE(is_removable("identity", "contact_information"));
  EXPECT_FALSE(is_removable("report", "object_refs"));
  EXPECT_TRUE(is_removable("sighting", "where_sighted_refs"));
  EXPECT_FALSE(is_removable("relationship", "source_ref"));
  EXPECT_FALSE(is_removable("indicator", "valid_until")) << "without it the indicator would claim more";
  EXPECT_FALSE(is_removable("indicator", "granular_markings"));
  EXPECT_FALSE(is_removable("x-custom", "anything"));
  EXPECT_TRUE(is_sco_type("file"));
  EXPECT_FALSE(is_sco_type("malware"));
  EXPECT_TRUE(may_be_observable("file"));
  EXPECT_TRUE(may_be_observable("x-custom"));
  EXPECT_FALSE(may_be_observable("sighting"));
  EXPECT_TRUE(is_standard_word("malware"));
  EXPECT_FALSE(is_standard_word("acme"));
}

}  // namespace
}  // namespace entente::agreement::internal
