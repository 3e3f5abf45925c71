// One ledger leaf (docs/format): a small JCS object whose sensitive content is a salted commitment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace entente::ledger {

struct Leaf {
  std::string agreement;  // urn:uuid:…
  Time at;
  std::string agreement_version;           // sha256 hex
  std::string by;                          // kid of the writer
  std::string kind;                        // act release receipt refuse recall action sighting …
  std::string prev;                        // sha256 hex of this writer's previous leaf; "" for the first
  std::string recipient;                   // "JP" or ""
  std::string commitment;                  // 64 hex
  [[nodiscard]] std::string text() const;  // JCS, ≤ 4 KiB
};
[[nodiscard]] Result<Leaf> parse_leaf(std::string_view text);

// SHA-256("entente/leaf/v1" ‖ salt ‖ record): hex. Salt is 32 octets.
[[nodiscard]] std::string commit_to(std::string_view salt, std::string_view record);

// One salted digest per object so that one can be opened without the rest: SHA-256("entente/object/v1" ‖ salt ‖ id ‖ 0
// ‖ version ‖ 0 ‖ sha256(bytes)).
[[nodiscard]] std::string object_commitment(std::string_view salt, std::string_view id, std::string_view version,
                                            const std::string& bytes_sha256_hex);

}  // namespace entente::ledger
