// An evidence package (docs/format/evidence.md): one file that shows, to anybody who has the text of the agreement,
// what was given, acknowledged, claimed or contradicted, in both directions, and that it stands in ledgers which
// witnesses signed. The same form opens single leaves of the private log to an inspector. Made by a node, checked by
// anybody.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "exchange/exchange.h"

namespace entente::exchange {

inline constexpr std::string_view kEvidenceFormat = "entente-evidence/1";
inline constexpr size_t kMaxPackageBytes = 256u << 20;

struct EvidenceRequest {
  std::string agreement, with;
  // "all", "object" (a STIX id), "claim" (hash of a claim_breach act, or its beginning), "conflict" (value: the party
  // whose ledger it is), "private" (leaves of the private log).
  std::string kind = "all";
  std::string value;
  std::vector<uint64_t> leaves;
};

// Canonical JSON, signed with the node's key. kNotFound: nothing of that kind; kUnavailable: a private leaf is not
// anchored yet.
[[nodiscard]] Result<std::string> make_evidence(Exchange& exchange, const EvidenceRequest& request);

// What a package shows. `problems` empty: every part verifies.
struct EvidenceReport {
  std::vector<std::string> problems;  // "the record of entry 12 of IN is not what its leaf commits to"
  std::vector<std::string> facts;     // "entry 12 of the ledger of IN: release to JP, 2027-01-15T05:12:00Z"
  std::string agreement, text_sha256, made_by, made_at, about;
  [[nodiscard]] bool ok() const { return problems.empty(); }
};
// Needs nothing but the package. It trusts the text of the agreement that the package holds: whoever checks compares
// `text_sha256` with the text that was signed, or gives it (`expected_text`, "" = not given). kInvalid: no package.
[[nodiscard]] Result<EvidenceReport> check_evidence(std::string_view package, std::string_view expected_text = {});

}  // namespace entente::exchange
