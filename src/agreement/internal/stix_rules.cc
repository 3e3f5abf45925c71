#include "agreement/internal/stix_rules.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace entente::agreement::internal {
namespace {

struct Rule {
  bool sco = false;
  // Required, or one of a group of which some member is required (kept whole: simpler, and never wider).
  std::vector<std::string_view> fixed;
};

// STIX 2.1 §4–§7; a property that is absent here and in kCommon is optional.
const std::unordered_map<std::string_view, Rule>& rules() {
  static const std::unordered_map<std::string_view, Rule> kRules = {
      {"attack-pattern", {false, {"name"}}},
      {"campaign", {false, {"name"}}},
      {"course-of-action", {false, {"name"}}},
      {"grouping", {false, {"context", "object_refs"}}},
      {"identity", {false, {"name"}}},
      {"incident", {false, {"name"}}},
      {"indicator",
       {false, {"pattern", "pattern_type", "pattern_version", "valid_from", "valid_until", "indicator_types"}}},
      {"infrastructure", {false, {"name"}}},
      {"intrusion-set", {false, {"name"}}},
      {"location", {false, {"region", "country", "latitude", "longitude", "precision"}}},
      {"malware", {false, {"is_family", "name"}}},
      {"malware-analysis", {false, {"product", "result", "analysis_sco_refs"}}},
      {"note", {false, {"content", "object_refs"}}},
      {"observed-data", {false, {"first_observed", "last_observed", "number_observed", "objects", "object_refs"}}},
      {"opinion", {false, {"opinion", "object_refs"}}},
      {"report", {false, {"name", "published", "object_refs"}}},
      {"threat-actor", {false, {"name"}}},
      {"tool", {false, {"name"}}},
      {"vulnerability", {false, {"name"}}},
      {"relationship", {false, {"relationship_type", "source_ref", "target_ref"}}},
      {"sighting", {false, {"sighting_of_ref", "count"}}},
      {"marking-definition", {false, {"definition_type", "definition", "name"}}},
      {"language-content", {false, {"object_ref", "object_modified", "contents"}}},
      {"extension-definition",
       {false, {"name", "schema", "version", "extension_types", "extension_properties", "created_by_ref"}}},
      {"artifact", {true, {"payload_bin", "url", "hashes", "encryption_algorithm"}}},
      {"autonomous-system", {true, {"number"}}},
      {"directory", {true, {"path", "path_enc"}}},
      {"domain-name", {true, {"value"}}},
      {"email-addr", {true, {"value"}}},
      {"email-message", {true, {"is_multipart", "body", "body_multipart"}}},
      {"file", {true, {"hashes", "name", "name_enc"}}},
      {"ipv4-addr", {true, {"value"}}},
      {"ipv6-addr", {true, {"value"}}},
      {"mac-addr", {true, {"value"}}},
      {"mutex", {true, {"name"}}},
      {"network-traffic", {true, {"protocols", "src_ref", "dst_ref", "end", "is_active"}}},
      {"process", {true, {}}},
      {"software", {true, {"name"}}},
      {"url", {true, {"value"}}},
      {"user-account", {true, {}}},
      {"windows-registry-key", {true, {}}},
      {"x509-certificate", {true, {}}},
  };
  return kRules;
}

constexpr std::array<std::string_view, 11> kCommon = {
    "type",       "id",       "spec_version",        "created",           "modified", "revoked",
    "extensions", "defanged", "object_marking_refs", "granular_markings", "lang"};

}  // namespace

bool is_standard_type(std::string_view type) { return rules().contains(type); }

bool is_sco_type(std::string_view type) {
  auto it = rules().find(type);
  return it != rules().end() && it->second.sco;
}

bool may_be_observable(std::string_view type) { return is_sco_type(type) || !is_standard_type(type); }

bool is_removable(std::string_view type, std::string_view property) {
  auto it = rules().find(type);
  if (it == rules().end()) return false;
  if (std::find(kCommon.begin(), kCommon.end(), property) != kCommon.end()) return false;
  return std::find(it->second.fixed.begin(), it->second.fixed.end(), property) == it->second.fixed.end();
}

bool is_standard_word(std::string_view w) {
  static const std::unordered_set<std::string_view> kWords = [] {
    std::unordered_set<std::string_view> words = {"description",
                                                  "labels",
                                                  "confidence",
                                                  "aliases",
                                                  "roles",
                                                  "sectors",
                                                  "identity_class",
                                                  "contact_information",
                                                  "external_references",
                                                  "source_name",
                                                  "external_id",
                                                  "kill_chain_phases",
                                                  "kill_chain_name",
                                                  "phase_name",
                                                  "indicator_types",
                                                  "malware_types",
                                                  "created_by_ref",
                                                  "statement",
                                                  "stix",
                                                  "hashes",
                                                  "md5",
                                                  "sha-1",
                                                  "sha-256",
                                                  "sha-512",
                                                  "individual",
                                                  "group",
                                                  "system",
                                                  "organization",
                                                  "class",
                                                  "unknown",
                                                  "victim",
                                                  "targets",
                                                  "indicates",
                                                  "uses",
                                                  "related-to",
                                                  "derived-from",
                                                  "malicious-activity",
                                                  "true",
                                                  "false",
                                                  "null",
                                                  "content",
                                                  "abstract",
                                                  "authors",
                                                  "summary",
                                                  "first_seen",
                                                  "last_seen",
                                                  "where_sighted_refs",
                                                  "observed_data_refs",
                                                  "definition",
                                                  "marking_ref"};
    for (const auto& [type, rule] : rules()) {
      words.insert(type);
      words.insert(rule.fixed.begin(), rule.fixed.end());
    }
    words.insert(kCommon.begin(), kCommon.end());
    return words;
  }();
  return kWords.contains(w);
}

}  // namespace entente::agreement::internal
