// What a party answers when something is recalled (docs/format/exchange.md, x-entente-recall-answer): signed by its
// node and bound to a leaf of its ledger. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"
#include "json/json.h"
#include "json/node.h"

namespace entente::exchange {

inline constexpr std::string_view kRecallAnswerType = "x-entente-recall-answer";
inline constexpr std::string_view kRecallAnswerLeaf = "recall_answer";
inline constexpr size_t kMostLate = 100;    // named one by one; the counts are of all
inline constexpr size_t kMostOnward = 100;  // parties

// What became of copies of the object's text.
struct Copies {
  std::string state = "none";  // none | kept | held | purged
  std::string why;             // "retention", "legal hold", …
  std::string article;
  std::optional<Time> until;  // kept: when they go; purged: when they went
  bool operator==(const Copies&) const = default;
};

struct Late {
  std::string sensor;    // a mark that tells it from others
  std::string enforcer;  // "" = the sensor as a whole
  std::string why;
  std::optional<Time> last_heard;
  bool operator==(const Late&) const = default;
};

// How far one party is.
struct RecallPart {
  std::string party, via;          // via: who passed it on to this party; "" = the recalling party itself
  std::optional<Time> received;    // the recall, by its node; absent: has not signed for it
  uint64_t told = 0, sensors = 0;  // sensors that answered, of those registered
  uint64_t withdrawn = 0, enforcers = 0;
  uint64_t leases = 0, also = 0;  // ended by it; targets of them that other objects still block
  std::vector<Late> late;
  Copies copies;
  bool complete = false;  // nothing more to come, also of those it passed the object on to
  bool operator==(const RecallPart&) const = default;
};

struct RecallAnswer {
  std::string id;  // x-entente-recall-answer--uuid
  std::string agreement, from, to;
  std::string object, version;  // as the asking party sent them: id, and version of the recall
  uint64_t number = 0;          // 1, 2, …: a later one replaces the earlier
  Time at;
  RecallPart own;
  std::vector<RecallPart> onward;
  std::string salt;  // 32 octets
  uint64_t leaf_index = 0;
  std::string leaf;
  std::string kid, signature;

  [[nodiscard]] std::string record() const;  // JCS text that the leaf commits to
};
// The part as JSON: in the record, and for the API.
[[nodiscard]] json::Node recall_part_node(const RecallPart& part);
[[nodiscard]] std::string recall_answer_object(const RecallAnswer& a);
// Checks shape, and that the leaf commits to the record; the signature is checked by who knows the key.
[[nodiscard]] Result<RecallAnswer> parse_recall_answer(const json::Value& object);
[[nodiscard]] std::string sign_recall_answer(const RecallAnswer& a, const SecretKey& key);
[[nodiscard]] bool recall_answer_signed(const RecallAnswer& a, const PublicKey& key);

}  // namespace entente::exchange
