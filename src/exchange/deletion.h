// The receipt of a destruction (docs/format/exchange.md, x-entente-deletion): which rows of which manifests this party
// holds no more, or lawfully holds on. It names no object: what it says is plain to who has the manifest, and to nobody
// else. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"
#include "json/json.h"

namespace entente::exchange {

inline constexpr std::string_view kDeletionType = "x-entente-deletion";
inline constexpr std::string_view kDeletionLeaf = "deletion";

struct Deletion {
  std::string id;  // x-entente-deletion--uuid
  std::string agreement, from, to;
  std::string article;
  Time at;
  struct Rows {
    std::string manifest;        // id
    std::vector<uint32_t> rows;  // of its list, ascending
    std::string why;             // of what is destroyed: "730 days at tlp:amber"; of what is kept: "legal hold"
    bool operator==(const Rows&) const = default;
  };
  std::vector<Rows> destroyed, kept;
  std::string salt;  // 32 octets
  uint64_t leaf_index = 0;
  std::string leaf, kid, signature;

  [[nodiscard]] std::string record() const;
};
[[nodiscard]] std::string deletion_object(const Deletion& d);
[[nodiscard]] Result<Deletion> parse_deletion(const json::Value& object);
[[nodiscard]] std::string sign_deletion(const Deletion& d, const SecretKey& key);
[[nodiscard]] bool deletion_signed(const Deletion& d, const PublicKey& key);

}  // namespace entente::exchange
