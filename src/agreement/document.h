// The agreement's document, format entente-agreement/1 (docs/format, spec of the schema in document.cc): closed,
// checked, typed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"
#include "json/node.h"
#include "stix/marking.h"

namespace entente::agreement {

using stix::Pap;
using stix::Tlp;

// Keys of exercises have names of their own, "IN/exercise-node/1", and a name is part of what a signature covers: what
// was signed in an exercise says so for ever, and what was signed outside one never does.
[[nodiscard]] bool is_exercise_kid(std::string_view kid);

enum class KeyRole : uint8_t { kPlenipotentiary, kAuthority, kNode, kLog, kWitness };
[[nodiscard]] std::string_view to_text(KeyRole role);

struct KeyRecord {
  std::string kid;  // "IN/authority/1"
  KeyRole role = KeyRole::kNode;
  std::string alg;  // "Ed25519"
  std::string public_hex;
  std::optional<PublicKey>
      key;  // absent if the octets are no point of the curve (placeholders): such a key verifies nothing
  Time not_before, not_after;  // [not_before, not_after)
  std::string
      custodian;  // optional hash of the person who holds the key: two keys of one custodian count once in a quorum
};

struct Party {
  std::string party;  // "IN"
  std::string name;   // English display name, else the code
  std::vector<KeyRecord> keys;
  std::vector<std::string> tls_spki_sha256;
  json::Node contacts;  // list, as written
};

struct Flow {
  std::string id;
  std::string art;
  bool permit = true;
  std::vector<std::string> from, to, sectors, object_types;  // "*" = any
  Tlp floor = Tlp::kClear;
  Tlp ceiling = Tlp::kClear;
  std::optional<Tlp> unmarked;  // absent = withhold
};

struct Actions {
  std::string art;
  Pap default_pap = Pap::kAmber;
  Pap max_auto_pap = Pap::kGreen;
  bool block_allowed = false;  // auto_block_requires is present and `block` is not in never[]
  int min_confidence = 0;
  Pap block_pap = Pap::kGreen;               // block needs the object's PAP to be this or looser
  std::vector<std::string> indicator_types;  // empty = any
  int max_block_days = 0;                    // 0 = not stated
  std::vector<std::string> never;
};

struct Protection {
  std::string id, art, method;  // remove | generalise | replace | pseudonymise
  json::Node match;             // as written; internal/protection.* interprets it
  std::vector<std::string> keep;
  std::string unless, with;
};

enum class Level : uint8_t { kProject, kBilateral, kGroup, kInitiative };  // in order of lex specialis

// A whole, valid document. `node` is the JSON it came from, for what is not typed here.
struct Document {
  std::string agreement_id;  // "urn:uuid:…"
  int64_t version = 1;
  std::string prev;       // "" or sha256 hex
  std::string hash;       // SHA-256 (hex) of the canonical text: the text_version of acts
  std::string canonical;  // JCS octets
  Level level = Level::kBilateral;
  bool exercise = false;  // binds exercise keys alone; nodes that are not of an exercise refuse it, and the other way
  std::string title;      // English, else any
  std::vector<Party> parties;
  std::vector<std::string> sectors;
  std::map<std::string, std::map<std::string, int>> quorum;  // act kind -> role -> count
  std::map<std::string, std::string> articles;               // art -> enforced|evidenced|human
  std::vector<Flow> flows;
  Actions actions;
  std::vector<Protection> protections;
  std::string onward_rule;  // consent | marking | never
  std::string onward_art;
  std::string start_rule;  // on_last_signature | on_last_notification | on_nth_notification | fixed_date
  int start_n = 0;
  Period start_delay;
  std::optional<Time> start_date;
  std::optional<Period> term;  // absent = without end
  bool tacit_renewal = false;
  Period renewal_period;
  Period withdrawal_notice;
  std::vector<std::string> suspension_scopes;  // whole flow sector party
  std::string duration_art;
  Period opt_out_notice;                       // no_renewal is made at least so long before the end of a term
  bool provisional = false;                    // may be applied provisionally
  std::vector<std::string> survives;           // articles whose duties stay after the end
  std::vector<std::string> pillars;            // ids of an initiative's pillars
  std::vector<std::string> accession_open_to;  // "invited", "*" or party codes; empty: nobody may accede
  Period accession_delay;
  bool narrowing_declarations = false;  // a party may declare that it takes fewer flows
  json::Node node;

  [[nodiscard]] const Party* party(std::string_view code) const;
  [[nodiscard]] const KeyRecord* key(std::string_view kid, const Party** owner = nullptr) const;
};

struct Problem {
  std::string pointer;  // JSON pointer
  std::string message;  // which rule, and what would change it
};

inline constexpr size_t kMaxDocumentBytes = 4u << 20;

// Strict JSON, closed schema, semantic checks 1–10 of agreement.md §4.3; on failure all problems, not the first.
[[nodiscard]] Result<Document> parse_document(std::string_view text, std::vector<Problem>* problems = nullptr);
[[nodiscard]] Result<Document> document_from(json::Node node, std::vector<Problem>* problems = nullptr);
// A key record by itself, as a notice adds it.
[[nodiscard]] Result<KeyRecord> key_from(const json::Node& node);
// A party block by itself, as `entente init` writes it and a candidate sends it.
[[nodiscard]] Result<Party> party_from(const json::Node& node);

// Check 11: the human texts that are bound by hash. `texts`: language -> octets. One problem per text that is missing
// or differs.
[[nodiscard]] std::vector<Problem> check_texts(const Document& doc, const std::map<std::string, std::string>& texts);

}  // namespace entente::agreement
