// To whom was this given? For what surfaces where it should not be (ledger.md §7, onward transfer): every manifest that
// lists an id, as it was sent or as we know it, or these octets. Ids that were rewritten for one recipient, and objects
// that were made for one (canaries), name it alone.
#pragma once

#include <string>
#include <vector>

#include "exchange/exchange.h"

namespace entente::exchange {

struct Given {
  std::string agreement, to;
  std::string id, version, sha256;  // as sent
  Time at;
  uint64_t leaf = 0;  // of the pair log
  std::string article, tlp;
  bool tombstone = false;
};
// `what`: a STIX id, or the SHA-256 (hex) of an object's octets. Reads all manifests that were sent.
[[nodiscard]] Result<std::vector<Given>> trace(Exchange& exchange, const std::string& what);

}  // namespace entente::exchange
