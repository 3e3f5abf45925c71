#include "agreement/draft.h"

#include <initializer_list>
#include <utility>

#include "agreement/document.h"

namespace entente::agreement {
namespace {

using json::Node;

Node object(std::initializer_list<std::pair<const char*, Node>> members) {
  Node n = Node::object();
  for (const auto& [k, v] : members) n.set(k, v);
  return n;
}

Node texts(const std::vector<std::string>& items) {
  Node n = Node::array();
  for (const auto& s : items) n.push(s);
  return n;
}

Node roles(std::initializer_list<std::pair<const char*, Node>> r) { return object({{"roles", object(r)}}); }

Node articles() {
  struct Article {
    const char* art;
    const char* title;
    const char* machine;
  };
  constexpr Article kArticles[] = {{"1", "Purpose and scope", "enforced"},
                                   {"2", "Points of contact", "enforced"},
                                   {"3", "Exchange of information", "enforced"},
                                   {"4", "Use and permitted actions", "enforced"},
                                   {"5", "Confidentiality and third parties", "enforced"},
                                   {"6", "Protection of victims and personal data", "enforced"},
                                   {"7", "Joint response", "evidenced"},
                                   {"8", "Supply chain integrity", "evidenced"},
                                   {"9", "Projects in third countries", "enforced"},
                                   {"10", "Capacity building", "human"},
                                   {"11", "Costs", "human"},
                                   {"13", "Differences", "evidenced"},
                                   {"14", "Start, amendment, suspension, end", "enforced"}};
  Node n = Node::array();
  for (const auto& a : kArticles) n.push(object({{"art", a.art}, {"title", a.title}, {"machine", a.machine}}));
  return n;
}

Node flows(const Draft& d, const std::vector<std::string>& codes) {
  const std::vector<std::string> types = !d.types.empty() ? d.types
                                                          : std::vector<std::string>{"indicator",
                                                                                     "malware",
                                                                                     "attack-pattern",
                                                                                     "infrastructure",
                                                                                     "campaign",
                                                                                     "intrusion-set",
                                                                                     "tool",
                                                                                     "course-of-action",
                                                                                     "relationship",
                                                                                     "sighting",
                                                                                     "report",
                                                                                     "grouping",
                                                                                     "note",
                                                                                     "identity",
                                                                                     "marking-definition",
                                                                                     "ipv4-addr",
                                                                                     "ipv6-addr",
                                                                                     "domain-name",
                                                                                     "url",
                                                                                     "file",
                                                                                     "email-addr",
                                                                                     "x509-certificate",
                                                                                     "autonomous-system",
                                                                                     "observed-data"};
  const Node permit = object({{"id", "ioc"},
                              {"art", "3(1)"},
                              {"effect", "permit"},
                              {"from", texts(codes)},
                              {"to", texts(codes)},
                              {"sectors", texts({"*"})},
                              {"object_types", texts(types)},
                              {"tlp_floor", d.floor},
                              {"tlp_ceiling", d.ceiling},
                              {"unmarked", d.unmarked}});
  const Node forbid = object({{"id", "no-raw-pii"},
                              {"art", "6(1)"},
                              {"effect", "forbid"},
                              {"from", texts({"*"})},
                              {"to", texts({"*"})},
                              {"sectors", texts({"*"})},
                              {"object_types", texts({"user-account", "mac-addr"})},
                              {"tlp_floor", "clear"},
                              {"tlp_ceiling", "red"},
                              {"unmarked", "withhold"}});
  return Node(Node::List{permit, forbid});
}

Node protections() {
  return Node(Node::List{object({{"id", "strip-victim"},
                                 {"art", "6(1)"},
                                 {"match", object({{"type", "identity"}, {"role", "victim"}})},
                                 {"method", "generalise"},
                                 {"keep", texts({"type", "identity_class", "sectors"})},
                                 {"unless", "victim-consent"}}),
                         object({{"id", "victim-ip"},
                                 {"art", "6(2)"},
                                 {"match", object({{"type", texts({"ipv4-addr", "ipv6-addr"})}, {"role", "victim"}})},
                                 {"method", "remove"}}),
                         object({{"id", "reporter"},
                                 {"art", "6(3)"},
                                 {"match", object({{"property", "created_by_ref"}, {"not_in", "public-authorities"}})},
                                 {"method", "replace"},
                                 {"with", "releasing-party-identity"}})});
}

Node signing() {
  return object({{"act", object({{"sign", roles({{"plenipotentiary", 1}, {"authority", 1}})},
                                 {"amend", roles({{"plenipotentiary", 1}, {"authority", 1}})},
                                 {"narrow", roles({{"authority", 1}})},
                                 {"resume", roles({{"authority", 2}})},
                                 {"consent_onward", roles({{"authority", 1}})},
                                 {"consent_onward_red", roles({{"authority", 2}})},
                                 {"key_rotate", roles({{"authority", 2}})},
                                 {"key_revoke", roles({{"authority", 1}})}})}});
}

Node duration() {
  return object({{"art", "14"},
                 {"start", object({{"rule", "on_last_notification"}, {"delay", "P0D"}})},
                 {"provisional", false},
                 {"term", "P5Y"},
                 {"renewal", object({{"mode", "tacit"}, {"period", "P5Y"}, {"opt_out_notice", "P6M"}})},
                 {"suspension", object({{"by", "any_party"},
                                        {"notice", "PT0S"},
                                        {"scope", texts({"whole", "flow", "sector"})},
                                        {"consultation_within", "P30D"},
                                        {"max", "P180D"}})},
                 {"withdrawal", object({{"notice", "P6M"}})},
                 {"survives", texts({"5", "6"})}});
}

}  // namespace

Node draft_document(const Draft& d) {
  std::vector<std::string> codes;
  std::string witnesses;
  bool exercise = false;  // by the keys of the parties
  for (const auto& p : d.parties) {
    codes.emplace_back(p.string_at("party"));
    std::string witness = codes.back() + "/witness/1";
    if (const Node* keys = p.find("keys"); keys != nullptr && keys->is_array()) {
      for (const auto& k : keys->list()) {
        if (k.string_at("role") != "witness") continue;
        witness = k.string_at("kid");
        exercise = exercise || is_exercise_kid(witness);
      }
    }
    witnesses += (witnesses.empty() ? "" : ",") + witness;
  }
  Node n = Node::object();
  n.set("schema", "entente-agreement/1").set("agreement_id", d.agreement_id).set("version", 1).set("prev", Node());
  n.set("level", codes.size() > 2 ? "group" : "bilateral").set("title", object({{"en", d.title}}));
  if (exercise) n.set("exercise", true);
  n.set("instrument", object({{"kind", "memorandum"},
                              {"legally_binding", false},
                              {"domestic_law_prevails", true},
                              {"registration", Node()}}));
  n.set("authentic_texts", Node(Node::List{object({{"lang", "en"},
                                                   {"media_type", "text/plain; charset=utf-8"},
                                                   {"sha256", d.text_sha256},
                                                   {"bytes", d.text_bytes},
                                                   {"authentic", true},
                                                   {"prevails", true}})}));
  n.set("articles", articles()).set("parties", Node(d.parties)).set("signing", signing());
  n.set("scope",
        object({{"art", "1"},
                {"sectors", texts({"cybersecurity", "it-infrastructure", "5g", "ai"})},
                {"purposes", texts({"cyber-defence", "incident-response", "vulnerability-mitigation"})},
                {"forbidden_purposes", texts({"offensive-operation", "commercial-resale", "immigration", "taxation"})},
                {"pillars", Node(Node::List{object({{"id", "information-sharing"}, {"lead", Node()}})})}}));
  n.set("flows", flows(d, codes));
  n.set("actions", object({{"art", "4"},
                           {"default_pap", d.default_pap},
                           {"max_auto_pap", "green"},
                           {"auto_block_requires", object({{"min_confidence", 80},
                                                           {"pap", "green"},
                                                           {"indicator_type", texts({"malicious-activity"})},
                                                           {"max_block_days", 30},
                                                           {"never_block", "party allow-list"}})},
                           {"never", texts({"counter-intrusion", "exploit", "scan-foreign-network"})}}));
  n.set("originator_control",
        object({{"art", "5(2)"},
                {"rule", "consent"},
                {"silence_means", "no"},
                {"domestic_onward", object({{"to", "designated_recipients"}, {"tlp_max", "amber+strict"}})},
                {"third_party_states", Node::array()},
                {"derivatives", "join_of_sources"},
                {"downgrade", "originator_only"},
                {"source_may_require_anonymity", true}}));
  n.set("protection", protections());
  n.set("retention",
        object({{"art", "5(4)"},
                {"max_days", object({{"clear", Node()}, {"green", 1825}, {"amber", 730}, {"amber+strict", 365}})},
                {"on_end", "delete_unless_open_case"},
                {"deletion_receipt", "PT72H"}}));
  n.set("service_levels", Node(Node::List{object({{"id", "sla-routine"},
                                                  {"art", "3(3)"},
                                                  {"trigger", object({{"any", true}})},
                                                  {"act", "release"},
                                                  {"within", "PT24H"},
                                                  {"clock", "committed"},
                                                  {"hours", "24x7"}}),
                                          object({{"id", "sla-claim"},
                                                  {"art", "3(3)"},
                                                  {"trigger", object({{"request", "false-positive"}})},
                                                  {"act", "answer"},
                                                  {"within", "PT24H"},
                                                  {"clock", "received"},
                                                  {"hours", "24x7"}})}));
  n.set("duration", duration());
  n.set("amendment", object({{"art", "14(3)"}, {"main", "all_parties"}, {"annex_contacts_keys", "unilateral_notice"}}));
  // A group grows by invitation; who joins may take part in less, never in more.
  const bool group = codes.size() > 2;
  n.set("accession", object({{"art", "14(5)"},
                             {"open_to", group ? texts({"invited"}) : Node::array()},
                             {"consent", "all_parties"},
                             {"delay", "P30D"},
                             {"back_access", false}}))
      .set("declarations", object({{"reservations", group ? "narrowing_only" : "none"}}));
  n.set("differences",
        object({{"art", "13"}, {"method", "consultation"}, {"start_within", "P30D"}, {"evidence", "ledger_openings"}}));
  n.set("ledger", object({{"hash", "sha-256"},
                          {"format", "c2sp-tlog-tiles"},
                          {"max_checkpoint_age", "PT60S"},
                          {"quorum", "all(" + witnesses + ")"},
                          {"unwitnessed_grace", "PT4H"},
                          {"private_anchor", "PT1H"}}));
  return n;
}

}  // namespace entente::agreement
