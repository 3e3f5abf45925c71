// Whose signatures fill a quorum, and how a party's notices (agreement.md §3.2, 7a) change its keys.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/act.h"

namespace entente::agreement::internal {

inline constexpr int64_t kNoticeDelayUs = int64_t{24} * 3600 * 1'000'000;  // what a notice adds counts a day later

// A signature that verifies with a key valid for it. A person is a custodian where one is recorded, else a key.
struct Good {
  std::string public_hex, person;
  KeyRole role = KeyRole::kNode;
};
using Roles = std::map<std::string, int>;

// `ignored` gets "; key K is …" for each signature that does not count.
[[nodiscard]] std::vector<Good> good_signatures(const SignedAct& act, const Party& party, std::string* ignored);
// Roles that stay empty when every person takes one seat at most.
[[nodiscard]] std::vector<std::string> empty_seats(const Roles& roles, std::span<const Good> good);
[[nodiscard]] Status check_signatures(const SignedAct& act, const Party& party, const Roles& roles);

struct Notice {
  Time when;
  std::vector<KeyRecord> add;
  struct Revoked {
    std::string public_hex, kid;
    std::string last_act;  // hash of the party's last act that is still trusted; "" = all before the notice are
  };
  std::vector<Revoked> revoke;
  std::vector<std::string> tls_add, tls_revoke;
  std::optional<json::Node> contacts;
};

// A body that only takes away needs the quorum of a revocation and works at once.
[[nodiscard]] bool only_revokes(const json::Node& body);
// `present`: the party as its earlier notices left it. New keys must have signed the act too (proof of possession).
[[nodiscard]] Result<Notice> read_notice(const SignedAct& act, Time when, const Party& present);

// The keys that may sign the party's next act: what was added counts from a day after its notice, what was revoked is
// gone whatever date the act claims.
[[nodiscard]] Party signing_party(const Party& base, std::span<const Notice> notices);
// The party as it stands for others at `at`: a revoked key ends with its revocation, so what it signed before can be
// checked.
[[nodiscard]] Party effective_party(const Party& base, std::span<const Notice> notices, Time at);

}  // namespace entente::agreement::internal
