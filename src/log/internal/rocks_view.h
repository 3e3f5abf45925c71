// Reading the embedded log: views for everyone, the base of the committer, and entries in order.
#pragma once

#include <memory>

#include "log/internal/overlay.h"
#include "log/internal/rocks_db.h"

namespace entente::log {

class RocksView final : public View {
 public:
  explicit RocksView(std::shared_ptr<RocksDb> db);
  ~RocksView() override;
  RocksView(const RocksView&) = delete;
  RocksView& operator=(const RocksView&) = delete;

  Result<std::string> get(Table table, std::string_view key) const override;
  Status scan(Table table, std::string_view from, std::string_view to,
              const std::function<bool(std::string_view, std::string_view)>& fn) const override;
  Status scan_back(Table table, std::string_view from, std::string_view to,
                   const std::function<bool(std::string_view, std::string_view)>& fn) const override;
  Status items(std::span<const ItemRef> want, const std::function<void(size_t, std::string_view)>& fn) const override;

  // Entries from `from` on. Of the two ways to meet damage: `fn` gets only what is whole; `damage` (if given) is told
  // of an item or gap and the entry is still passed on with an empty item in its place; without `damage` the first one
  // ends it with kCorrupt.
  Status entries(uint64_t from, const std::function<bool(const Entry&)>& fn,
                 const std::function<void(const Error&)>& damage) const;

  // Sequence number and end of time of the last record; 0 if there is none.
  struct Last {
    uint64_t seq = 0;
    Time time;
  };
  [[nodiscard]] Result<Last> last() const;
  [[nodiscard]] Result<std::optional<std::string>> meta(std::string_view key) const;

 private:
  [[nodiscard]] rocksdb::ReadOptions options() const;
  [[nodiscard]] std::unique_ptr<rocksdb::Iterator> iterator(rocksdb::ColumnFamilyHandle* family) const;
  Status run(std::span<const ItemRef> want, size_t from, size_t to, std::unique_ptr<rocksdb::Iterator>& it,
             const std::function<void(size_t, std::string_view)>& fn) const;
  Status points(std::span<const ItemRef> want, size_t from, size_t to,
                const std::function<void(size_t, std::string_view)>& fn) const;

  std::shared_ptr<RocksDb> db_;
  const rocksdb::Snapshot* snapshot_;
};

// Tables as they are now.
[[nodiscard]] Result<std::optional<std::string>> rocks_get(const RocksDb& db, Table table, std::string_view key);
[[nodiscard]] Result<std::optional<std::pair<std::string, std::string>>> rocks_last_before(const RocksDb& db,
                                                                                           Table table,
                                                                                           std::string_view from,
                                                                                           std::string_view to);

}  // namespace entente::log
