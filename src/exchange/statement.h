// A statement that one party's node makes to another and answers for: a record in canonical JSON, to which a leaf of
// its ledger commits under a salt, signed together with that leaf. What it says is for its kind to know
// (exchange/returns.h). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"
#include "json/json.h"
#include "json/node.h"

namespace entente::exchange {

struct StatementKind {
  std::string_view type;    // of the STIX object: "x-entente-return"
  std::string_view leaf;    // kind of the leaf
  std::string_view domain;  // what the signature begins with: "entente/return/v1"
  std::string_view what;    // in sentences: "the statement of what is handed back"
};

struct Statement {
  std::string id;                   // TYPE--uuid
  std::string agreement, from, to;  // from = who makes it and signs
  Time at;
  std::string salt;  // 32 octets
  uint64_t leaf_index = 0;
  std::string leaf, kid, signature;
};

// The members that every record has; the kind adds its own and writes it canonically.
[[nodiscard]] json::Node statement_record(const Statement& s);
[[nodiscard]] std::string statement_object(const StatementKind& kind, const Statement& s, std::string_view record);
// Checks shape, and that the leaf commits to the record, and gives the record back; the caller checks that it is
// canonical, and the signature with the key that it knows.
struct StatementRead {
  std::string record;
  json::Document doc;
};
[[nodiscard]] Result<StatementRead> parse_statement(const StatementKind& kind, const json::Value& object, Statement& s);
[[nodiscard]] std::string sign_statement(const StatementKind& kind, const Statement& s, std::string_view record,
                                         const SecretKey& key);
[[nodiscard]] bool statement_signed(const StatementKind& kind, const Statement& s, std::string_view record,
                                    const PublicKey& key);

}  // namespace entente::exchange
