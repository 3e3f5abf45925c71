// What an originator is told when an object of its goes on under its consent (docs/format/exchange.md,
// x-entente-onward-use): which consent, which version, to whom, when. Signed by the holder's node, and a leaf of the
// holder's ledger, so that a use that was not told can be shown afterwards, and one that was told not be denied.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"
#include "json/json.h"
#include "store/store.h"

namespace entente::exchange {

inline constexpr std::string_view kOnwardUseType = "x-entente-onward-use";
inline constexpr std::string_view kOnwardUseLeaf = "consent_used";
// Store space, at holder and originator: "REQUEST VERSION" -> when it went.
inline constexpr std::string_view kOnwardUsedSpace = "onward-used";

struct OnwardUse {
  std::string id;                   // x-entente-onward-use--uuid
  std::string agreement, from, to;  // that the object came under; from = holder, to = originator
  std::string request;              // of the consent
  std::string object, version;      // as the originator gave it; version "" for what has none
  std::string recipient;
  Time at;
  std::string salt;  // 32 octets
  uint64_t leaf_index = 0;
  std::string leaf, kid, signature;

  [[nodiscard]] std::string record() const;  // JCS text that the leaf commits to
};
[[nodiscard]] std::string onward_use_object(const OnwardUse& u);
// Checks shape, and that the leaf commits to the record; the signature is checked by who knows the key.
[[nodiscard]] Result<OnwardUse> parse_onward_use(const json::Value& object);
[[nodiscard]] std::string sign_onward_use(const OnwardUse& u, const SecretKey& key);
[[nodiscard]] bool onward_use_signed(const OnwardUse& u, const PublicKey& key);

void note_use(store::Change& change, const OnwardUse& u);
// Of one request, by version: version and time.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> uses_of(const store::Store& store,
                                                                       std::string_view request);

}  // namespace entente::exchange
