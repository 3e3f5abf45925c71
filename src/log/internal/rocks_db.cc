#include "log/internal/rocks_db.h"

#include <filesystem>

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

namespace entente::log {
namespace {

constexpr const char* kRecordsFamily = "log";

std::string family_name(Table table) { return fmt::format("t{}", static_cast<unsigned>(table)); }

// 0..255 from "t0".."t255"; -1 otherwise.
int table_of(const std::string& family) {
  if (family.size() < 2 || family.size() > 4 || family[0] != 't') return -1;
  int n = 0;
  for (const char c : family.substr(1)) {
    if (c < '0' || c > '9') return -1;
    n = n * 10 + (c - '0');
  }
  return n < 256 && family_name(static_cast<Table>(n)) == family ? n : -1;
}

}  // namespace

Error rocks_error(const rocksdb::Status& status, std::string_view where) {
  const std::string text = status.ToString();
  if (status.IsCorruption()) {
    return make_error(ErrorKind::kCorrupt, text, std::string(where), "restore the node from a backup");
  }
  if (status.IsNoSpace()) return make_error(ErrorKind::kIo, text, std::string(where), "free some space and restart");
  return make_error(ErrorKind::kIo, text, std::string(where), "check the disk and restart");
}

rocksdb::ColumnFamilyOptions RocksDb::family_options(bool records) const {
  rocksdb::ColumnFamilyOptions o;
  o.compression = rocksdb::kLZ4Compression;
  o.level_compaction_dynamic_level_bytes = true;
  rocksdb::BlockBasedTableOptions t;
  t.block_cache = cache_;
  t.format_version = 5;
  if (records) {
    // Written once in key order and read in runs: large blocks, no filters; a point read finds its file by range alone.
    o.write_buffer_size = 64u << 20;
    t.block_size = 16u << 10;
  } else {
    // Random keys, most of which are asked for to learn that they are not there.
    o.write_buffer_size = 32u << 20;
    o.max_write_buffer_number = 3;
    o.memtable_prefix_bloom_size_ratio = 0.05;
    o.memtable_whole_key_filtering = true;
    t.block_size = 8u << 10;
    t.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    t.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  }
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(t));
  return o;
}

Result<std::shared_ptr<RocksDb>> RocksDb::open(const Options& options) {
  std::error_code failed;
  std::filesystem::create_directories(options.dir, failed);
  if (failed) {
    return make_error(ErrorKind::kIo, "cannot make the folder: " + failed.message(), options.dir,
                      "check the path and its rights");
  }
  auto self = std::shared_ptr<RocksDb>(new RocksDb(options));
  self->cache_ = rocksdb::NewLRUCache(options.cache_bytes);

  rocksdb::DBOptions o;
  o.create_if_missing = true;
  o.max_background_jobs = 2;
  o.bytes_per_sync = 1u << 20;
  o.max_total_wal_size = 256u << 20;  // bounds the time to open after a crash
  o.max_open_files = 2000;
  o.info_log_level = rocksdb::WARN_LEVEL;
  o.keep_log_file_num = 3;
  // A torn last write is dropped, it was never acknowledged; damage before it is an error and not a shorter log.
  o.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;

  std::vector<std::string> names;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(o, options.dir, &names);
  if (!listed.ok()) {
    // New, or damaged beyond listing: then opening it as new would fail, and must.
    if (std::filesystem::exists(options.dir + "/CURRENT")) return rocks_error(listed, options.dir);
    names = {rocksdb::kDefaultColumnFamilyName};
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.reserve(names.size());
  for (const auto& name : names) families.emplace_back(name, self->family_options(name == kRecordsFamily));

  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(o, options.dir, families, &handles, &db);
  if (!opened.ok()) {
    const std::string text = opened.ToString();
    if (opened.IsIOError() &&
        (text.find("/LOCK") != std::string::npos || text.find("lock hold") != std::string::npos)) {
      return make_error(ErrorKind::kConflict, "another process has the data folder open", options.dir,
                        "stop the other node first");
    }
    return rocks_error(opened, options.dir);
  }
  self->db_.reset(db);
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == rocksdb::kDefaultColumnFamilyName) {
      self->meta_ = handles[i];
    } else if (names[i] == kRecordsFamily) {
      self->records_ = handles[i];
    } else if (const int t = table_of(names[i]); t >= 0) {
      self->tables_[static_cast<size_t>(t)].store(handles[i], std::memory_order_release);
    } else {
      return make_error(ErrorKind::kUnsupported, fmt::format("unknown part \"{}\"", names[i]), options.dir,
                        "open it with the newer version that wrote it");
    }
  }
  if (self->records_ == nullptr) {
    const rocksdb::Status made = db->CreateColumnFamily(self->family_options(true), kRecordsFamily, &self->records_);
    if (!made.ok()) return rocks_error(made, options.dir);
  }
  return self;
}

Status RocksDb::rewrite_records(std::string_view from, std::string_view to) {
  std::vector<rocksdb::ColumnFamilyHandle*> all = {meta_, records_};
  for (auto& t : tables_) {
    if (auto* h = t.load(std::memory_order_acquire); h != nullptr) all.push_back(h);
  }
  rocksdb::FlushOptions flush;
  flush.wait = true;
  if (const rocksdb::Status s = db_->Flush(flush, all); !s.ok()) return rocks_error(s, options_.dir);
  rocksdb::CompactRangeOptions o;
  o.exclusive_manual_compaction = false;
  o.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  const rocksdb::Slice begin = slice(from);
  const rocksdb::Slice end = slice(to);
  if (const rocksdb::Status s = db_->CompactRange(o, records_, &begin, &end); !s.ok())
    return rocks_error(s, options_.dir);
  // Files that nobody reads any more go now, not at some later time.
  if (const rocksdb::Status s = db_->DisableFileDeletions(); !s.ok()) return rocks_error(s, options_.dir);
  if (const rocksdb::Status s = db_->EnableFileDeletions(true); !s.ok()) return rocks_error(s, options_.dir);
  return {};
}

RocksDb::~RocksDb() {
  if (!db_) return;
  for (auto& t : tables_) {
    if (auto* h = t.load(); h != nullptr) (void)db_->DestroyColumnFamilyHandle(h);
  }
  if (records_ != nullptr) (void)db_->DestroyColumnFamilyHandle(records_);
  if (meta_ != nullptr) (void)db_->DestroyColumnFamilyHandle(meta_);
  (void)db_->Close();
}

Result<rocksdb::ColumnFamilyHandle*> RocksDb::make_table(Table table) {
  if (auto* h = this->table(table); h != nullptr) return h;
  rocksdb::ColumnFamilyHandle* made = nullptr;
  const rocksdb::Status s = db_->CreateColumnFamily(family_options(false), family_name(table), &made);
  if (!s.ok()) return rocks_error(s, options_.dir);
  tables_[table].store(made, std::memory_order_release);
  return made;
}

Status RocksDb::drop_tables() {
  for (auto& t : tables_) {
    auto* h = t.load();
    if (h == nullptr) continue;
    const rocksdb::Status dropped = db_->DropColumnFamily(h);
    if (!dropped.ok()) return rocks_error(dropped, options_.dir);
    (void)db_->DestroyColumnFamilyHandle(h);
    t.store(nullptr);
  }
  return {};
}

}  // namespace entente::log
