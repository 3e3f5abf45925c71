// The relationships that the standard names (STIX 2.1 appendix B). Others are legal, and worth a warning.
#include <array>

#include "stix/internal/model.h"

namespace entente::stix::internal {
namespace {

struct Row {
  std::string_view source, verbs, targets;  // words
};

constexpr std::array kMatrix = {
    Row{"attack-pattern", "delivers", "malware"},
    Row{"attack-pattern", "targets", "identity location vulnerability"},
    Row{"attack-pattern", "uses", "malware tool"},
    Row{"campaign", "attributed-to", "intrusion-set threat-actor"},
    Row{"campaign", "compromises", "infrastructure"},
    Row{"campaign", "originates-from", "location"},
    Row{"campaign", "targets", "identity location vulnerability"},
    Row{"campaign", "uses", "attack-pattern infrastructure malware tool"},
    Row{"course-of-action", "investigates", "indicator"},
    Row{"course-of-action", "mitigates", "attack-pattern indicator malware tool vulnerability"},
    Row{"course-of-action", "remediates", "malware vulnerability"},
    Row{"domain-name", "resolves-to", "domain-name ipv4-addr ipv6-addr"},
    Row{"identity", "located-at", "location"},
    Row{"indicator", "indicates", "attack-pattern campaign infrastructure intrusion-set malware threat-actor tool"},
    Row{"indicator", "based-on", "observed-data"},
    Row{"infrastructure", "communicates-with", "infrastructure ipv4-addr ipv6-addr domain-name url"},
    Row{"infrastructure", "consists-of", "infrastructure observed-data @sco"},
    Row{"infrastructure", "controls", "infrastructure malware"},
    Row{"infrastructure", "delivers", "malware"},
    Row{"infrastructure", "has", "vulnerability"},
    Row{"infrastructure", "hosts", "tool malware"},
    Row{"infrastructure", "located-at", "location"},
    Row{"infrastructure", "uses", "infrastructure"},
    Row{"intrusion-set", "attributed-to", "threat-actor"},
    Row{"intrusion-set", "compromises hosts owns", "infrastructure"},
    Row{"intrusion-set", "originates-from", "location"},
    Row{"intrusion-set", "targets", "identity location vulnerability"},
    Row{"intrusion-set", "uses", "attack-pattern infrastructure malware tool"},
    Row{"ipv4-addr", "belongs-to", "autonomous-system"},
    Row{"ipv4-addr", "resolves-to", "mac-addr"},
    Row{"ipv6-addr", "belongs-to", "autonomous-system"},
    Row{"ipv6-addr", "resolves-to", "mac-addr"},
    Row{"malware", "authored-by", "threat-actor intrusion-set"},
    Row{"malware", "beacons-to exfiltrates-to", "infrastructure"},
    Row{"malware", "communicates-with", "ipv4-addr ipv6-addr domain-name url"},
    Row{"malware", "controls", "malware"},
    Row{"malware", "downloads drops", "malware tool file"},
    Row{"malware", "exploits", "vulnerability"},
    Row{"malware", "originates-from", "location"},
    Row{"malware", "targets", "identity infrastructure location vulnerability"},
    Row{"malware", "uses", "attack-pattern infrastructure malware tool"},
    Row{"malware", "variant-of", "malware"},
    Row{"malware-analysis", "characterizes av-analysis-of static-analysis-of dynamic-analysis-of", "malware"},
    Row{"threat-actor", "attributed-to impersonates", "identity"},
    Row{"threat-actor", "compromises hosts owns", "infrastructure"},
    Row{"threat-actor", "located-at", "location"},
    Row{"threat-actor", "targets", "identity location vulnerability"},
    Row{"threat-actor", "uses", "attack-pattern infrastructure malware tool"},
    Row{"tool", "delivers drops", "malware"},
    Row{"tool", "has", "vulnerability"},
    Row{"tool", "targets", "identity infrastructure location vulnerability"},
    Row{"tool", "uses", "infrastructure"},
};

}  // namespace

bool known_relationship(std::string_view source, std::string_view verb, std::string_view target) {
  const Type* from = find_type(source);
  const Type* to = find_type(target);
  if (from == nullptr || to == nullptr || verb == "related-to") return true;
  if (verb == "derived-from" || verb == "duplicate-of") return source == target;
  for (const auto& row : kMatrix) {
    if (row.source != source || !has_word(row.verbs, verb)) continue;
    if (has_word(row.targets, target) || (to->cls == Class::kSco && has_word(row.targets, "@sco"))) return true;
  }
  return false;
}

}  // namespace entente::stix::internal
