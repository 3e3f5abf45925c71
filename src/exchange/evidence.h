// The node's ledgers: a leaf per release, receipt, refusal, recall and act; written through the node's log, then to the
// tiles, and only then is what they prove visible to a partner (log, then send). Also the mirrors: partners' ledgers as
// we saw and checked them.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/context.h"
#include "ledger/leaf.h"
#include "ledger/tile_log.h"
#include "store/store.h"

namespace entente::exchange {

// The private log of all decisions has this in place of an agreement id.
inline constexpr std::string_view kPrivateLog = "private";

// Thread-safe. One transaction at a time.
class Evidence {
 public:
  explicit Evidence(Context& context) : cx_(context) {}
  // Opens the tile logs of all agreements and writes out what the store has and they lack.
  Status open(const std::vector<std::string>& agreement_ids);

  // One change with its leaves. Holds the ledger's lock from begin() to commit().
  class Transaction {
   public:
    store::Change change;
    // Adds the leaf to the change; returns its index and text. `record` is what the leaf commits to under `salt`.
    struct Added {
      uint64_t index = 0;
      std::string text;
    };
    Result<Added> add_leaf(std::string_view agreement_id, std::string_view version, std::string_view kind,
                           std::string_view recipient, std::string_view salt, std::string_view record);
    // Log, then tiles, then visible.
    Result<store::Outcome> commit() &&;

   private:
    friend class Evidence;
    explicit Transaction(Evidence& owner) : owner_(owner), lock_(owner.mutex_) {}
    Evidence& owner_;
    std::unique_lock<std::mutex> lock_;
    std::vector<std::string> touched_;
  };
  [[nodiscard]] Transaction begin() { return Transaction(*this); }

  // Rows of released collections up to here are proved by leaves on disk; nothing later may be shown.
  [[nodiscard]] Time visible_upto() const { return {visible_us_.load(std::memory_order_acquire)}; }
  // Tries again to write what a full disk held back. Cheap when there is nothing.
  Status settle();

  struct Head {
    uint64_t entries = 0;
    std::string root_hex;
  };
  [[nodiscard]] std::optional<Head> head(std::string_view agreement_id) const;
  // The newest signed head; kNotFound if there is no such ledger (or its disk failed).
  [[nodiscard]] Result<std::string> note(std::string_view agreement_id) const;
  [[nodiscard]] Result<ledger::Proof> consistency(std::string_view agreement_id, uint64_t old_size,
                                                  uint64_t size) const;
  [[nodiscard]] Result<ledger::Hash> root_at(std::string_view agreement_id, uint64_t size) const;
  // A static file of a ledger by its path ("checkpoint", "tile/0/000"); kNotFound.
  Result<std::string> file(std::string_view agreement_id, std::string_view path) const;
  [[nodiscard]] std::string dir(std::string_view agreement_id) const;

 private:
  struct Book {
    std::unique_ptr<ledger::TileLog> tiles;
    uint64_t next = 0;      // index of the next leaf in the store
    std::string prev_hash;  // SHA-256 hex of the newest leaf
  };
  Result<Book*> book(const std::string& agreement_id);
  Status write_out(const std::string& agreement_id, Book& book);
  Status reload(const std::string& agreement_id, Book& book);

  Context& cx_;
  mutable std::mutex mutex_;
  std::map<std::string, Book> books_;
  std::vector<std::string> behind_;  // agreements whose tiles lack leaves
  Time last_commit_;
  std::atomic<int64_t> visible_us_{0};
};

}  // namespace entente::exchange
