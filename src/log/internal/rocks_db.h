// The RocksDB behind the embedded log: column families, options and errors. `log` holds the records, one family per
// projector table (made when it is first written) its rows, the default family what belongs to both.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <rocksdb/db.h>

#include "base/result.h"
#include "log/log.h"

namespace entente::log {

[[nodiscard]] Error rocks_error(const rocksdb::Status& status, std::string_view where);

inline rocksdb::Slice slice(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view view(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

class RocksDb {
 public:
  struct Options {
    std::string dir;
    size_t cache_bytes = 64u << 20;
  };
  static Result<std::shared_ptr<RocksDb>> open(const Options& options);
  ~RocksDb();
  RocksDb(const RocksDb&) = delete;
  RocksDb& operator=(const RocksDb&) = delete;

  [[nodiscard]] rocksdb::DB& db() const { return *db_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* meta() const { return meta_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* records() const { return records_; }
  // nullptr if nothing was ever written to it.
  [[nodiscard]] rocksdb::ColumnFamilyHandle* table(Table table) const {
    return tables_[table].load(std::memory_order_acquire);
  }
  // The committer's thread only.
  Result<rocksdb::ColumnFamilyHandle*> make_table(Table table);
  // Everything that is only in memory is written out, so that the write-ahead log holds nothing of it any more; and the
  // records in this range of keys are written anew, without what was replaced.
  Status rewrite_records(std::string_view from, std::string_view to);
  // All tables become empty. Before anyone reads.
  Status drop_tables();
  [[nodiscard]] const std::string& dir() const { return options_.dir; }

 private:
  explicit RocksDb(Options options) : options_(std::move(options)) {}
  [[nodiscard]] rocksdb::ColumnFamilyOptions family_options(bool records) const;

  Options options_;
  std::unique_ptr<rocksdb::DB> db_;
  std::shared_ptr<rocksdb::Cache> cache_;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  rocksdb::ColumnFamilyHandle* records_ = nullptr;
  std::array<std::atomic<rocksdb::ColumnFamilyHandle*>, 256> tables_{};
};

}  // namespace entente::log
