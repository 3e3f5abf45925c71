#include "stix/marking_policy.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"
#include "stix/internal/countries.h"
#include "stix/timestamp.h"

namespace entente::stix {
namespace {

constexpr std::string_view kIep = "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a";
constexpr std::string_view kAcs = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce";

using Names = std::vector<std::string_view>;

bool one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Only these members, so that nothing is passed over.
bool only(const json::Value& object, std::initializer_list<std::string_view> known) {
  return std::ranges::all_of(json::as_object(object), [&](const auto& m) { return one_of(m.key, known); });
}

// The one extension of a definition that has nothing else to say.
std::optional<json::Value> sole_extension(const json::Value& definition, std::string_view id) {
  const auto extensions = json::find_object(definition, "extensions");
  if (!extensions || extensions->size() != 1 || json::find(definition, "definition")) return std::nullopt;
  auto found = json::find(*json::find(definition, "extensions"), id);
  if (!found || !found->is_object() || json::find_string(*found, "extension_type") != "property-extension")
    return std::nullopt;
  return found;
}

// A time that is there must be readable.
bool read_time(const json::Value& object, std::string_view name, std::optional<Time>& out) {
  const auto member = json::find(object, name);
  if (!member) return true;
  const auto text = json::find_string(object, name);
  const auto time = text ? parse_timestamp(*text) : std::nullopt;
  if (!time) return false;
  out = time->cut();
  return true;
}

std::optional<Pap> pap_of_actions(std::string_view actions) {
  // PAP:GREEN is what a block needs. A block is seen by who is blocked, so only direct actions allow it; the passive
  // ones outside are those of PAP:AMBER.
  if (actions == "none" || actions == "contact-for-instruction" || actions == "internally-visible-actions")
    return Pap::kRed;
  if (actions == "externally-visible-indirect-actions") return Pap::kAmber;
  if (actions == "externally-visible-direct-actions") return Pap::kClear;
  return std::nullopt;
}

std::optional<MarkingPolicy> iep(const json::Value& definition) {
  const auto ext = sole_extension(definition, kIep);
  if (!ext || !only(*ext, {"extension_type", "encrypt_in_transit", "permitted_actions", "affected_party_notifications",
                           "tlp", "provider_attribution", "unmodified_resale", "iep_id", "iep_version", "policy_name",
                           "description", "start_date", "end_date"}))
    return std::nullopt;
  const auto text = [&](std::string_view name) { return json::find_string(*ext, name).value_or(""); };
  double version = 0;
  const auto stated = json::find(*ext, "iep_version");
  if (!stated || stated->get(version) != simdjson::SUCCESS || version != 2.0) return std::nullopt;
  MarkingPolicy p;
  p.name = fmt::format("IEP 2.0 \"{}\"", json::find_string(definition, "name").value_or(text("iep_id")));
  p.tlp = parse_tlp(text("tlp"));
  p.pap = pap_of_actions(text("permitted_actions"));
  const std::string_view attribution = text("provider_attribution");
  if (!p.tlp || !p.pap || !one_of(attribution, {"may", "must", "must-not"}) ||
      !one_of(text("encrypt_in_transit"), {"may", "must"}) ||
      !one_of(text("affected_party_notifications"), {"may", "must-not"}) ||
      !one_of(text("unmodified_resale"), {"may", "must-not"}) || text("start_date").empty() ||
      !read_time(*ext, "start_date", p.from) || !read_time(*ext, "end_date", p.until))
    return std::nullopt;
  p.attribution = attribution == "must"  ? Attribution::kMust
                  : attribution == "may" ? Attribution::kMay
                                         : Attribution::kMustNot;
  return p;
}

// A list of texts; false if it is something else.
bool read_list(const json::Value& object, std::string_view name, std::vector<std::string>& out) {
  const auto member = json::find(object, name);
  if (!member) return true;
  const auto list = json::find_array(object, name);
  if (!list) return false;
  const Names names = json::string_list(list);
  if (names.size() != list->size() || names.empty()) return false;
  out.assign(names.begin(), names.end());
  return true;
}

bool read_scope(const json::Value& object, AcsScope& out) {
  std::vector<std::string> entity, communities;
  if (!read_list(object, "permitted_nationalities", out.countries) ||
      !read_list(object, "permitted_organizations", out.organizations) || !read_list(object, "entity", entity) ||
      !read_list(object, "shareability", communities))
    return false;
  out.governments = entity.empty() || std::ranges::find(entity, "GOV") != entity.end() ||
                    std::ranges::find(entity, "ALL") != entity.end();
  out.communities = !communities.empty();
  return true;
}

bool read_effect(const json::Value& rule, bool& permit) {
  const auto effect = json::find_string(rule, "rule_effect").value_or("");
  permit = effect == "permit";
  return one_of(effect, {"permit", "deny"});
}

bool read_controls(const json::Value& control, Acs& acs) {
  if (!only(control, {"classification", "formal_determination", "permitted_nationalities", "permitted_organizations",
                      "entity", "shareability"}))
    return false;
  acs.classification = json::find_string(control, "classification").value_or("");
  std::vector<std::string> determinations;
  if (acs.classification.empty() || !read_list(control, "formal_determination", determinations)) return false;
  for (const auto& d : determinations) {
    if (!one_of(d, {"PUBREL", "AIS", "INFORMATION-DIRECTLY-RELATED-TO-CYBERSECURITY-THREAT", "PII-NOT-PRESENT",
                    "PII-NECESSARY-TO-UNDERSTAND-CYBERSECURITY-THREAT"}))
      return false;
    acs.public_release |= d == "PUBREL";
  }
  return read_scope(control, acs.control);
}

bool read_privileges(const json::Value& ext, Acs& acs) {
  const auto list = json::find_array(ext, "access_privilege");
  if (!list) return !json::find(ext, "access_privilege");
  for (const auto item : *list) {
    AcsPrivilege p;
    p.action = json::find_string(item, "privilege_action").value_or("");
    if (p.action.empty() || !read_effect(item, p.permit) ||
        !only(item, {"privilege_action", "privilege_scope", "rule_effect"}))
      return false;
    if (const auto scope = json::find(item, "privilege_scope");
        scope && (!only(*scope, {"permitted_nationalities", "permitted_organizations", "entity", "shareability"}) ||
                  !read_scope(*scope, p.scope)))
      return false;
    acs.privileges.push_back(std::move(p));
  }
  return true;
}

bool read_sharing(const json::Value& ext, Acs& acs) {
  const auto list = json::find_array(ext, "further_sharing");
  if (!list) return !json::find(ext, "further_sharing");
  for (const auto item : *list) {
    AcsSharing s;
    if (!only(item, {"sharing_scope", "rule_effect"}) || !read_effect(item, s.permit) ||
        !read_list(item, "sharing_scope", s.scopes) || s.scopes.empty())
      return false;
    acs.sharing.push_back(std::move(s));
  }
  return true;
}

std::optional<MarkingPolicy> acs(const json::Value& definition) {
  const auto ext = sole_extension(definition, kAcs);
  if (!ext || !only(*ext, {"extension_type", "identifier", "name", "create_date_time", "responsible_entity_custodian",
                           "responsible_entity_originator", "authority_reference", "policy_reference", "public_release",
                           "access_privilege", "further_sharing", "control_set"}))
    return std::nullopt;
  MarkingPolicy p;
  p.name = fmt::format("ACS 3.0 \"{}\"",
                       json::find_string(*ext, "name").value_or(json::find_string(*ext, "identifier").value_or("")));
  Acs& a = p.acs.emplace();
  constexpr std::string_view kPolicy = "urn:isa:policy:acs:ns:v3.0?privdefault=";
  const std::string_view reference = json::find_string(*ext, "policy_reference").value_or("");
  if (!reference.starts_with(kPolicy)) return std::nullopt;
  const std::string_view defaults = reference.substr(kPolicy.size());
  if (!one_of(defaults, {"permit&sharedefault=permit", "permit&sharedefault=deny", "deny&sharedefault=permit",
                         "deny&sharedefault=deny"}))
    return std::nullopt;
  a.privileges_permitted = defaults.starts_with("permit");
  a.sharing_permitted = defaults.ends_with("permit");
  const auto control = json::find(*ext, "control_set");
  if (!control || !read_controls(*control, a) || !read_privileges(*ext, a) || !read_sharing(*ext, a))
    return std::nullopt;
  return p;
}

// As MISP exports its taxonomy `ais-marking`.
std::optional<MarkingPolicy> ais(const json::Value& definition) {
  const auto body = json::find(definition, "definition");
  const auto statement = body ? json::find_string(*body, "statement") : std::nullopt;
  if (!statement || json::find_string(definition, "definition_type") != "statement" ||
      json::find(definition, "extensions"))
    return std::nullopt;
  MarkingPolicy p;
  p.name = *statement;
  if (*statement == "ais-marking:AISConsent=\"EVERYONE\"") return p;
  p.attribution = Attribution::kMustNot;
  if (*statement == "ais-marking:AISConsent=\"NONE\"") return p;
  p.named_to_us_only = true;
  if (*statement == "ais-marking:AISConsent=\"USG\"") return p;
  return std::nullopt;
}

bool names(const std::vector<std::string>& list, std::string_view country) {
  return std::ranges::any_of(list, [&](const std::string& x) {
    return x == "ALL" || x == country || (x.size() > 4 && x[3] == '.' && x.starts_with(country));
  });
}

bool covers(const AcsScope& s, std::string_view country) {
  return (s.countries.empty() || names(s.countries, country)) &&
         (s.organizations.empty() || names(s.organizations, country)) && s.governments && !s.communities;
}

// A denial reaches also who only might be meant.
bool touches(const AcsScope& s, std::string_view country) {
  return (s.countries.empty() || names(s.countries, country)) &&
         (s.organizations.empty() || names(s.organizations, country));
}

bool allowed(const Acs& acs, std::string_view action, std::string_view country) {
  bool permitted = acs.privileges_permitted;
  for (const AcsPrivilege& p : acs.privileges) {
    if (p.action != "ALL" && p.action != action) continue;
    if (!p.permit && touches(p.scope, country)) return false;
    permitted |= p.permit && covers(p.scope, country);
  }
  return permitted;
}

bool shared(const Acs& acs, std::string_view country) {
  bool permitted = acs.sharing_permitted;
  for (const AcsSharing& s : acs.sharing) {
    if (!names(s.scopes, country) && std::ranges::find(s.scopes, "FOREIGNGOV") == s.scopes.end()) continue;
    if (!s.permit) return false;
    permitted = true;
  }
  return permitted;
}

}  // namespace

std::optional<MarkingPolicy> policy_of_definition(const json::Value& marking_definition) {
  if (json::find_string(marking_definition, "type") != "marking-definition") return std::nullopt;
  if (auto p = ais(marking_definition)) return p;
  if (auto p = iep(marking_definition)) return p;
  return acs(marking_definition);
}

std::string excludes(const MarkingPolicy& policy, std::string_view country) {
  if (!policy.acs) return {};
  const Acs& a = *policy.acs;
  const std::string_view three = internal::three_letters(country);
  if (three.empty()) return "it names countries, and the recipient is none of ISO 3166-1";
  if (a.classification != "U") return fmt::format("it is classified {}", a.classification);
  if (a.public_release) return {};
  if (!covers(a.control, three))
    return fmt::format("it is for {} {} only", fmt::join(a.control.countries, ", "),
                       fmt::join(a.control.organizations, ", "));
  // The United States give to their own as the rules on access say; to others also by those on sharing.
  if (three != "USA" && !shared(a, three)) return "it may not be shared with foreign governments";
  if (!allowed(a, "DISPLAY", three)) return "nothing permits the recipient to read it";
  return {};
}

bool for_network_defence(const MarkingPolicy& policy, std::string_view country) {
  return !policy.acs || policy.acs->public_release || allowed(*policy.acs, "NETDEF", internal::three_letters(country));
}

Attribution attribution_to(const MarkingPolicy& policy, std::string_view country) {
  if (policy.named_to_us_only && country == "US") return Attribution::kMay;
  if (policy.acs && !policy.acs->public_release && !allowed(*policy.acs, "IDSRC", internal::three_letters(country)))
    return Attribution::kMustNot;
  return policy.attribution;
}

}  // namespace entente::stix
