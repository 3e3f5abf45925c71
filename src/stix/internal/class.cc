#include "stix/internal/class.h"

#include <algorithm>
#include <array>

namespace entente::stix::internal {
namespace {

struct Entry {
  std::string_view type;
  Class cls;
};

// Sorted by type.
constexpr std::array kTypes = {
    Entry{"artifact", Class::kSco},
    Entry{"attack-pattern", Class::kSdo},
    Entry{"autonomous-system", Class::kSco},
    Entry{"campaign", Class::kSdo},
    Entry{"course-of-action", Class::kSdo},
    Entry{"directory", Class::kSco},
    Entry{"domain-name", Class::kSco},
    Entry{"email-addr", Class::kSco},
    Entry{"email-message", Class::kSco},
    Entry{"extension-definition", Class::kExtension},
    Entry{"file", Class::kSco},
    Entry{"grouping", Class::kSdo},
    Entry{"identity", Class::kSdo},
    Entry{"incident", Class::kSdo},
    Entry{"indicator", Class::kSdo},
    Entry{"infrastructure", Class::kSdo},
    Entry{"intrusion-set", Class::kSdo},
    Entry{"ipv4-addr", Class::kSco},
    Entry{"ipv6-addr", Class::kSco},
    Entry{"language-content", Class::kLanguage},
    Entry{"location", Class::kSdo},
    Entry{"mac-addr", Class::kSco},
    Entry{"malware", Class::kSdo},
    Entry{"malware-analysis", Class::kSdo},
    Entry{"marking-definition", Class::kMarking},
    Entry{"mutex", Class::kSco},
    Entry{"network-traffic", Class::kSco},
    Entry{"note", Class::kSdo},
    Entry{"observed-data", Class::kSdo},
    Entry{"opinion", Class::kSdo},
    Entry{"process", Class::kSco},
    Entry{"relationship", Class::kSro},
    Entry{"report", Class::kSdo},
    Entry{"sighting", Class::kSro},
    Entry{"software", Class::kSco},
    Entry{"threat-actor", Class::kSdo},
    Entry{"tool", Class::kSdo},
    Entry{"url", Class::kSco},
    Entry{"user-account", Class::kSco},
    Entry{"vulnerability", Class::kSdo},
    Entry{"windows-registry-key", Class::kSco},
    Entry{"x509-certificate", Class::kSco},
};
static_assert(std::is_sorted(kTypes.begin(), kTypes.end(), [](auto& a, auto& b) { return a.type < b.type; }));

}  // namespace

std::optional<Class> class_of(std::string_view type) {
  const auto at = std::lower_bound(kTypes.begin(), kTypes.end(), type, [](auto& e, auto t) { return e.type < t; });
  if (at == kTypes.end() || at->type != type) return std::nullopt;
  return at->cls;
}

}  // namespace entente::stix::internal
