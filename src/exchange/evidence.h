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
    // The same with a salt of its own, and the record kept beside it, so that the leaf can be opened by its index.
    // `kept`: "" or where else the record lies, "SEQUENCE NUMBER": a row that has it as its member "record".
    Result<Added> add_kept_leaf(std::string_view agreement_id, std::string_view version, std::string_view kind,
                                std::string_view recipient, std::string_view record, std::string_view kept = {});
    // A leaf over random octets that nothing opens.
    Result<Added> add_blind_leaf(std::string_view agreement_id, std::string_view version, std::string_view kind);
    // The signed head of the private log with everything that was committed to it.
    Result<std::string> private_note();
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
  // What opens a leaf: kNotFound if its record is not kept by index (acts, releases and receipts lie where they were
  // sent from).
  struct Opening {
    std::string leaf, salt, record;
  };
  [[nodiscard]] Result<Opening> opening(std::string_view agreement_id, uint64_t index) const;
  // Leaf and salt alone.
  [[nodiscard]] Result<Opening> salt_of(std::string_view agreement_id, uint64_t index) const;
  [[nodiscard]] Result<ledger::Proof> inclusion(std::string_view agreement_id, uint64_t index, uint64_t size) const;
  // The newest signed head; kNotFound if there is no such ledger (or its disk failed).
  [[nodiscard]] Result<std::string> note(std::string_view agreement_id) const;
  // The newest one of padded size; kNotFound until there is one.
  [[nodiscard]] Result<std::string> padded_note(std::string_view agreement_id) const;
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
    std::string padded;     // newest signed head whose size is a multiple of Config::pad_to
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
