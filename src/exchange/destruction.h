// Destroys what a partner gave when its term is over (exchange/retention.h): the text goes from the store and out of
// the log, the manifest that named it too once nothing of it is left; the partner gets a signed receipt, the ledger a
// leaf, sensors a tombstone that makes them drop what they have. What a hold keeps stays, and the receipt says so.
// Where the text says `on_end: return` it is handed back first (exchange/returns.h).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "exchange/context.h"
#include "exchange/evidence.h"
#include "exchange/instruments.h"
#include "exchange/retention.h"
#include "exchange/returns.h"
#include "store/store.h"

namespace entente::exchange {

// RowMeta::by of the tombstone that stands where an object was destroyed: it is this node's own, and goes to nobody.
inline constexpr std::string_view kDestroyedBy = "destroyed";
// Store space, of receipts that came: "AGREEMENT PARTY ID" -> time at which the party destroyed what we gave it.
inline constexpr std::string_view kPartnerDestroyedSpace = "partner-destroyed";

struct Retained {  // one version of one object that a partner gave
  std::string agreement, peer;
  store::Row row;
  std::string tlp;
  Term term;
  std::optional<ReturnEntry> handed_back;  // by this statement
};

struct Destroyed {
  uint64_t objects = 0, held = 0, manifests = 0, receipts = 0;
  uint64_t handed_back = 0, waiting = 0;  // objects: now; earlier, and not confirmed yet
};

// Thread-safe.
class Destruction {
 public:
  Destruction(Context& context, Instruments& instruments, Evidence& evidence, std::function<void(const Uuid&)> notify);
  // What is kept and has a term, or only what is over (held or not), oldest first; at most so many.
  [[nodiscard]] Result<std::vector<Retained>> list(bool over_only, size_t most) const;
  // Destroys all that is due now.
  Result<Destroyed> run();
  // Each hour, off the caller's thread.
  void tick();
  void wake() { woken_ = true; }  // a confirmation came: at the next tick

 private:
  using Rows = std::vector<Retained>;
  Status visit(bool over_only,
               const std::function<Result<bool>(const agreement::State&, const Terms&, Rows)>& fn) const;
  Status destroy(const agreement::State& state, const Terms& terms, const Rows& due, const Rows& held, Destroyed& done);
  // Of what is over under a text that says `return`: leaves in `due` what may go, and hands the rest back.
  Status hand_back(const agreement::State& state, const Terms& terms, Rows& due, Destroyed& done);
  Status say_return(const agreement::State& state, const Terms& terms, const Rows& fresh, Rows& due, Destroyed& done);
  void count_returned(const Rows& due, store::Change& change) const;
  Status scrub();

  Context& cx_;
  Instruments& instruments_;
  Evidence& evidence_;
  std::function<void(const Uuid&)> notify_;
  std::mutex running_;
  std::atomic<bool> posted_{false}, woken_{false};
  std::atomic<int64_t> ran_us_;  // steady
};

}  // namespace entente::exchange
