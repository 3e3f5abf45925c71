// Marking definitions that carry a policy of their own: FIRST IEP 2.0 (extension-definition--762e2e97…), ACS 3.0 as US
// agencies and AIS use it (extension-definition--3a65884d…), and the AIS consent as MISP writes it
// (`ais-marking:AISConsent="…"`). What is read here is only what a release between states needs; a definition with
// anything in it that is not understood here is not read at all, so that it counts as unknown and withholds.
// Sources: OASIS cti-stix-common-objects, iep-marking-definition-762 and acs-marking-definition-3a6; CISA AIS terms.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "stix/marking.h"

namespace entente::stix {

enum class Attribution : uint8_t { kMay, kMust, kMustNot };

// Who a rule of ACS is about. An empty list of countries or organisations names all.
struct AcsScope {
  std::vector<std::string> countries;      // three letters, or "ALL"
  std::vector<std::string> organizations;  // "JPN.NISC", "JPN", or "ALL"
  bool governments = true;                 // entity: absent, or GOV is among them
  bool communities = false;                // shareability: named communities only, which no party of an agreement is
};
struct AcsPrivilege {
  std::string action;  // DISPLAY, NETDEF, IDSRC, …, ALL
  bool permit = false;
  AcsScope scope;
};
struct AcsSharing {
  std::vector<std::string> scopes;  // FOREIGNGOV, organisations, …
  bool permit = false;
};
struct Acs {
  std::string classification;  // "U"
  bool public_release = false;
  AcsScope control;
  bool privileges_permitted = false, sharing_permitted = false;  // where no rule says otherwise
  std::vector<AcsPrivilege> privileges;
  std::vector<AcsSharing> sharing;
};

struct MarkingPolicy {
  std::string name;  // for people: "IEP 2.0 \"…\""
  std::optional<Tlp> tlp;
  std::optional<Pap> pap;
  std::optional<Time> from, until;  // in effect in [from, until)
  Attribution attribution = Attribution::kMay;
  bool named_to_us_only = false;  // AIS consent USG: the submitter may be named to the United States alone
  std::optional<Acs> acs;
};

// nullopt: none of these forms, or something in it is not understood.
[[nodiscard]] std::optional<MarkingPolicy> policy_of_definition(const json::Value& marking_definition);

// May this country (two letters) have what bears the marking? "" if so, else who may, in words.
[[nodiscard]] std::string excludes(const MarkingPolicy& policy, std::string_view country);
// May it use it to defend networks?
[[nodiscard]] bool for_network_defence(const MarkingPolicy& policy, std::string_view country);
// May it, must it, must it not be told whose it is?
[[nodiscard]] Attribution attribution_to(const MarkingPolicy& policy, std::string_view country);

}  // namespace entente::stix
