// The node's ordered log: the truth. Everything else in the node is a projection of it that can be deleted and
// replayed.
//
// A record is a header and items (octets both). One committer thread takes what is waiting, gives each record its
// sequence number and each item its time, lets the projector write its tables, and makes all of it durable with ONE
// synced atomic batch (group commit). RocksLog is the embedded engine; MemLog is for tests, with faults. A Kafka engine
// later stands behind the same interface.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"

namespace entente::log {

struct Record {
  std::string header;
  std::vector<std::string> items;
  // How many microseconds of time this record reserves; at least one, and at least one per item. A projector that dates
  // more things than items (store: `share` puts a row without an item) asks for more, so that every date stays unique
  // over the whole log.
  uint32_t slots = 0;
};

// A record as committed. It owns the times first_time + 0 … first_time + max(1, items, slots) - 1 microseconds; times
// are unique and strictly increasing over the whole log, also across restarts and clock steps.
struct Entry {
  uint64_t seq = 0;  // 1, 2, 3, …
  Time first_time;
  uint32_t slots = 1;
  std::string_view header;
  std::span<const std::string> items;
};

struct Committed {
  uint64_t seq = 0;
  Time first_time;
  std::string outcome;  // what the projector said
};

// Tables of the projector: ordered octet keys. Small numbers, fixed by the projector; part of the on-disk format.
using Table = uint8_t;

// A consistent read view. Cheap to make. Thread-safe.
class View {
 public:
  virtual ~View() = default;
  virtual Result<std::string> get(Table table, std::string_view key) const = 0;  // kNotFound
  // Calls fn(key, value) in key order from `from` (inclusive) while it returns true and keys stay below `to`
  // (exclusive; "" = end).
  virtual Status scan(Table table, std::string_view from, std::string_view to,
                      const std::function<bool(std::string_view, std::string_view)>& fn) const = 0;
  virtual Status scan_back(
      Table table, std::string_view from, std::string_view to,
      const std::function<bool(std::string_view, std::string_view)>& fn) const = 0;  // from `to` (exclusive) down
  // Items of the log. `want` may be in any order; consecutive ones are read sequentially. fn gets the position in
  // `want` and the octets.
  struct ItemRef {
    uint64_t seq = 0;
    uint32_t index = 0;
  };
  virtual Status items(std::span<const ItemRef> want,
                       const std::function<void(size_t, std::string_view)>& fn) const = 0;
};

// What a projector reads and writes while it applies one entry. Reads see the writes of earlier entries of the same
// group.
class Batch {
 public:
  virtual ~Batch() = default;
  virtual Result<std::string> get(Table table, std::string_view key) const = 0;
  // Last key < `to` and >= `from`, with its value; kNotFound.
  virtual Result<std::pair<std::string, std::string>> last_before(Table table, std::string_view from,
                                                                  std::string_view to) const = 0;
  virtual void put(Table table, std::string_view key, std::string_view value) = 0;
  virtual void erase(Table table, std::string_view key) = 0;
  // The octets of an item of the log are destroyed with this write: it reads as no octets from then on, also in a
  // replay. So tables must never depend on octets of items. The one thing in the log that is ever changed.
  virtual void destroy(const View::ItemRef& item) = 0;
};

// Deterministic: the same entries give the same tables, to the octet. No clock, no randomness.
class Projector {
 public:
  virtual ~Projector() = default;
  // An error refuses this record alone: nothing of it is committed. `outcome` goes to who appended it.
  virtual Status apply(const Entry& entry, Batch& batch, std::string& outcome) = 0;
  // Changes when the tables that it makes of the same entries do: a log opened with another version builds them anew.
  [[nodiscard]] virtual uint32_t version() const { return 1; }
};

class Log {
 public:
  virtual ~Log() = default;
  using Done = std::function<void(Result<Committed>)>;
  // Thread-safe. `done` runs on the committer's thread after the batch is durable, in commit order: keep it short,
  // never block in it.
  virtual void append(Record record, Done done) = 0;
  // The same, waiting.
  Result<Committed> append_wait(Record record);

  [[nodiscard]] virtual uint64_t last_seq() const = 0;
  [[nodiscard]] virtual Time last_time() const = 0;
  [[nodiscard]] virtual std::shared_ptr<const View> view() const = 0;
  // Called on the committer's thread after each group with the last sequence number. Set before the first append.
  virtual void on_commit(std::function<void(uint64_t)> fn) = 0;
  // Entries from `from` on, in order, with items; fn returns false to stop. kCorrupt if a sequence number is missing or
  // a checksum is wrong.
  virtual Status replay(uint64_t from, const std::function<bool(const Entry&)>& fn) const = 0;
  // Items that were destroyed among these records leave the files too: until then their octets may stand in old ones.
  // Takes as long as rewriting these records does.
  virtual Status scrub(uint64_t from_seq, uint64_t to_seq) = 0;
  // Applies the whole log to empty tables in memory or a scratch folder and compares with the live ones. Returns
  // findings; empty = equal.
  virtual Result<std::vector<std::string>> check(
      Projector& projector, const std::function<void(uint64_t done, uint64_t of)>& progress) const = 0;
};

struct RocksOptions {
  std::string dir;
  size_t max_group_bytes = 8u << 20;
  size_t cache_bytes = 64u << 20;
};
// Opens or creates; replays what the projector lacks. The projector and clock must outlive the log. kIo, kCorrupt,
// kConflict (another process has it).
[[nodiscard]] Result<std::unique_ptr<Log>> open_rocks(const RocksOptions& options, Projector& projector, Clock& clock,
                                                      Metrics& metrics);

// In memory, synchronous committer thread of the same semantics. `fail_next(n)`-style faults are in mem_log.h.
[[nodiscard]] std::unique_ptr<Log> make_mem_log(Projector& projector, Clock& clock);

}  // namespace entente::log
