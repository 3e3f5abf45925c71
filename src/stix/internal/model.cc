#include "stix/internal/model.h"

#include <algorithm>
#include <array>

#include "stix/internal/class.h"
#include "stix/internal/model_types.h"

namespace entente::stix::internal {
namespace {

// Sorted by name.
constexpr std::array kTypes = {
    Type{"artifact", Class::kSco, &kArtifact},
    Type{"attack-pattern", Class::kSdo, &kAttackPattern},
    Type{"autonomous-system", Class::kSco, &kAutonomousSystem},
    Type{"bundle", Class::kCustom, &kBundle},
    Type{"campaign", Class::kSdo, &kCampaign},
    Type{"course-of-action", Class::kSdo, &kCourseOfAction},
    Type{"directory", Class::kSco, &kDirectory},
    Type{"domain-name", Class::kSco, &kDomainName},
    Type{"email-addr", Class::kSco, &kEmailAddr},
    Type{"email-message", Class::kSco, &kEmailMessage},
    Type{"extension-definition", Class::kExtension, &kExtensionDefinition},
    Type{"file", Class::kSco, &kFile},
    Type{"grouping", Class::kSdo, &kGrouping},
    Type{"identity", Class::kSdo, &kIdentity},
    Type{"incident", Class::kSdo, &kIncident},
    Type{"indicator", Class::kSdo, &kIndicator},
    Type{"infrastructure", Class::kSdo, &kInfrastructure},
    Type{"intrusion-set", Class::kSdo, &kIntrusionSet},
    Type{"ipv4-addr", Class::kSco, &kIpv4Addr},
    Type{"ipv6-addr", Class::kSco, &kIpv6Addr},
    Type{"language-content", Class::kLanguage, &kLanguageContent},
    Type{"location", Class::kSdo, &kLocation},
    Type{"mac-addr", Class::kSco, &kMacAddr},
    Type{"malware", Class::kSdo, &kMalware},
    Type{"malware-analysis", Class::kSdo, &kMalwareAnalysis},
    Type{"marking-definition", Class::kMarking, &kMarkingDefinition},
    Type{"mutex", Class::kSco, &kMutex},
    Type{"network-traffic", Class::kSco, &kNetworkTraffic},
    Type{"note", Class::kSdo, &kNote},
    Type{"observed-data", Class::kSdo, &kObservedData},
    Type{"opinion", Class::kSdo, &kOpinionObject},
    Type{"process", Class::kSco, &kProcess},
    Type{"relationship", Class::kSro, &kRelationship},
    Type{"report", Class::kSdo, &kReport},
    Type{"sighting", Class::kSro, &kSighting},
    Type{"software", Class::kSco, &kSoftware},
    Type{"threat-actor", Class::kSdo, &kThreatActor},
    Type{"tool", Class::kSdo, &kTool},
    Type{"url", Class::kSco, &kUrlObject},
    Type{"user-account", Class::kSco, &kUserAccount},
    Type{"vulnerability", Class::kSdo, &kVulnerability},
    Type{"windows-registry-key", Class::kSco, &kWindowsRegistryKey},
    Type{"x509-certificate", Class::kSco, &kX509Certificate},
};
static_assert(std::is_sorted(kTypes.begin(), kTypes.end(), [](auto& a, auto& b) { return a.name < b.name; }));

}  // namespace

const Type* find_type(std::string_view name) {
  const auto at = std::lower_bound(kTypes.begin(), kTypes.end(), name, [](auto& t, auto n) { return t.name < n; });
  return at != kTypes.end() && at->name == name ? &*at : nullptr;
}

std::span<const Type> types() { return kTypes; }

std::optional<Class> class_of(std::string_view type) {
  const Type* t = find_type(type);
  if (t == nullptr || t->cls == Class::kCustom) return std::nullopt;
  return t->cls;
}

}  // namespace entente::stix::internal
