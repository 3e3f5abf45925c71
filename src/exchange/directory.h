// Who may come in: accounts (argon2id), tokens, partners' nodes. All of it is in the store's settings, so in the log.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/throttle.h"
#include "exchange/context.h"

namespace entente::exchange {

enum class Role : uint8_t { kAnalyst, kPublisher, kReleaseOfficer, kLiaison, kSensor, kAuditor, kAdmin };
[[nodiscard]] std::string_view to_text(Role role);
[[nodiscard]] std::optional<Role> parse_role(std::string_view text);

// What a token leaves of its role; it never adds to it. As made by default it leaves all.
struct Scope {
  bool read_only = false;
  std::vector<std::string> collections;  // of the local root, by alias or id: only these, and nothing but TAXII
};
// "" = all; else "read-only" or "read-write", then the collections.
[[nodiscard]] std::string to_text(const Scope& scope);
[[nodiscard]] Scope parse_scope(std::string_view text);

// Somebody of the party's own people or tools.
struct Person {
  std::string name;
  Role role = Role::kAnalyst;
  Scope scope{};
};

struct Peer {
  std::string party;
  std::string url;
  std::vector<std::string>
      spki;  // SHA-256 hex of the partner's TLS keys: how its node is known before an agreement pins it
};

// Thread-safe.
class Directory {
 public:
  explicit Directory(Context& context);

  Status add_account(std::string_view name, Role role, std::string_view password);
  Status remove_account(std::string_view name);
  [[nodiscard]] std::vector<Person> accounts() const;

  // The token is returned once and only its hash is kept. days 0 = without end. `given`: use this text instead of a new
  // one (init).
  Result<std::string> new_token(std::string_view name, Role role, int days, std::string given = {},
                                const Scope& scope = {});
  Status revoke_token(std::string_view name);
  struct Token {
    std::string name;
    Role role;
    std::string expires;  // "" = never
    Scope scope;
  };
  [[nodiscard]] std::vector<Token> tokens() const;

  // Value of an Authorization header. kUnauthenticated says nothing about what was wrong with it. kUnavailable: this
  // address (`remote`, "host:port") has guessed too often and must wait. Only guesses at passwords are counted, by
  // address and never by account: nobody can lock an account for its owner, and who has a token, a certificate or has
  // logged in before is not touched.
  Result<Person> authenticate(std::string_view authorization, std::string_view remote = {});
  // Can authenticate() answer without working out a password hash (50 ms)?
  [[nodiscard]] bool is_quick(std::string_view authorization) const;

  Status put_peer(const Peer& peer);
  [[nodiscard]] std::vector<Peer> peers() const;
  [[nodiscard]] std::optional<Peer> peer(std::string_view party) const;
  [[nodiscard]] std::optional<std::string> party_of(std::string_view spki) const;

 private:
  Result<Person> check_basic(std::string_view user, std::string_view password);
  Result<Person> check_token(std::string_view token);

  Context& cx_;
  // Verified passwords, by HMAC of the header under a key of this process: argon2id costs some 50 ms and must not be
  // paid per request.
  std::string cache_key_;
  struct Cached {
    Person person;
    int64_t until_us;
  };
  Throttle guesses_{0.2, 20};  // twenty wrong passwords at once, then one in five seconds
  mutable std::mutex mutex_;
  std::map<std::string, Cached> verified_;
  // Tokens that were looked up, by hash. Every request has one, and looking it up again is a sixth of a small answer.
  struct KnownToken {
    Person person;
    std::optional<Time> expires;
  };
  std::map<std::string, KnownToken, std::less<>> known_tokens_;
  uint64_t revocations_ = 0;  // a token read before one is not remembered after it
  std::string decoy_hash_;
};

}  // namespace entente::exchange
