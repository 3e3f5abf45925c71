// Handing back, where a text says `on_end: return`: before the holder destroys what a partner gave, it states row by
// row what it holds of it, in a form that the originator can check against its own manifests, and the originator's
// node answers (docs/format/exchange.md, x-entente-return). Only a confirmation, or three quarters of the text's
// `deletion_receipt` without one, lets the destruction go on (exchange/destruction.h).
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exchange/context.h"
#include "exchange/evidence.h"
#include "exchange/instruments.h"
#include "exchange/retention.h"
#include "exchange/statement.h"
#include "exchange/wire.h"
#include "store/store.h"

namespace entente::exchange {

inline constexpr StatementKind kReturn = {"x-entente-return", "return", "entente/return/v1",
                                          "the statement of what is handed back"};
inline constexpr StatementKind kReturnAnswer = {"x-entente-return-answer", "return_answer", "entente/return-answer/v1",
                                                "the answer to what was handed back"};

// What the holder holds. It names no object: rows of manifests, and of each a digest over the octets that are really
// there, under the manifest's secret salt: who has the manifest can compute it, nobody can guess it.
struct Return : Statement {
  std::string article;
  struct Rows {
    std::string manifest;        // id
    std::vector<uint32_t> rows;  // of its list, ascending
    std::string digest;          // hex; return_digest()
    bool operator==(const Rows&) const = default;
  };
  std::vector<Rows> rows;
  [[nodiscard]] std::string record() const;
  [[nodiscard]] uint64_t objects() const;
};
// Of rows and the SHA-256 (hex) of their octets.
[[nodiscard]] std::string return_digest(std::string_view object_salt,
                                        const std::vector<std::pair<uint32_t, std::string>>& rows);
[[nodiscard]] Result<Return> parse_return(const json::Value& object);

// The originator's word on one statement.
struct ReturnAnswer : Statement {
  std::string about;                 // id of the statement
  std::string leaf_sha256;           // of its leaf, hex
  std::vector<std::string> differs;  // manifests of which the holder holds other octets; empty = confirmed
  [[nodiscard]] std::string record() const;
};
[[nodiscard]] Result<ReturnAnswer> parse_return_answer(const json::Value& object);

// Store space: id of a statement -> how far it is, at both ends.
inline constexpr std::string_view kReturnSpace = "return";
// Store space at the holder: returned_key -> id of the statement that handed it back ("-": no manifest names it).
inline constexpr std::string_view kReturnedSpace = "returned";
[[nodiscard]] std::string returned_key(const Context& context, std::string_view agreement_id, std::string_view peer,
                                       const store::Row& row);

enum class ReturnState : uint8_t { kWaiting, kConfirmed, kDiffers };
struct ReturnEntry {
  std::string id;     // of the statement
  bool ours = false;  // this node handed it back
  std::string agreement, peer;
  uint64_t objects = 0, destroyed = 0;
  Time at;                     // of the statement
  std::optional<Time> lapses;  // ours: without a confirmation it is destroyed from then on; absent = never
  ReturnState state = ReturnState::kWaiting;
  std::optional<Time> answered;
  uint64_t differs = 0;  // manifests
  bool lapsed = false;   // what was destroyed went without a confirmation
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool may_go(Time now) const { return state == ReturnState::kConfirmed || (lapses && *lapses <= now); }
  // "waiting" "confirmed" "differs" "overdue" "unconfirmed", and "destroyed" for what was confirmed and is gone.
  [[nodiscard]] std::string_view word(Time now) const;
};
[[nodiscard]] Result<ReturnEntry> parse_return_entry(const std::string& id, std::string_view text);
[[nodiscard]] Result<std::vector<ReturnEntry>> returns(const store::Store& store);  // oldest first

// Thread-safe. Answers, at the originator; tells the destruction when a confirmation came, at the holder.
class ReturnDesk {
 public:
  ReturnDesk(Context& context, Instruments& instruments, Evidence& evidence, std::function<void(const Uuid&)> notify,
             std::function<void()> confirmed)
      : cx_(context),
        instruments_(instruments),
        evidence_(evidence),
        notify_(std::move(notify)),
        confirmed_(std::move(confirmed)) {}
  void wake() { poked_ = true; }
  void tick();
  // How many were answered. What tick() does in its time.
  Result<size_t> look();

 private:
  Result<bool> answer(const ReturnEntry& entry);

  Context& cx_;
  Instruments& instruments_;
  Evidence& evidence_;
  std::function<void(const Uuid&)> notify_;
  std::function<void()> confirmed_;
  std::mutex looking_;
  std::atomic<bool> poked_{true}, posted_{false};
};

// Does the row of a manifest stand for this row of the store?
[[nodiscard]] bool names(const Listed& listed, const store::Row& row);
// Calls `fn` with each manifest of what `peer` gave this party.
Status visit_manifests(const Context& context, const std::string& agreement_id, const std::string& peer,
                       const std::function<Status(const store::Row&, const Manifest&)>& fn);

}  // namespace entente::exchange
