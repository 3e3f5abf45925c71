// The embedded log: RocksDB holds the records and the projector's tables, and one synced batch commits both (DESIGN.md
// §4).
#include <filesystem>

#include <fmt/format.h>
#include <rocksdb/write_batch.h>

#include "base/bytes.h"
#include "base/log.h"
#include "log/internal/checker.h"
#include "log/internal/codec.h"
#include "log/internal/committer.h"
#include "log/internal/rocks_db.h"
#include "log/internal/rocks_view.h"
#include "log/log.h"

namespace entente::log {
namespace {

constexpr uint32_t kFormat = 1;
constexpr std::string_view kStateKey = "state";
constexpr size_t kReplayFlushBytes = 8u << 20;
constexpr size_t kMaxMemScratch = 64u << 20;

// Kept in the same batch as what it tells of.
struct State {
  uint64_t applied = 0;  // the tables have everything up to this record
  uint32_t projector = 0;
};

std::string encode(const State& s) {
  std::string out;
  put_u32(out, kFormat);
  put_u64(out, s.applied);
  put_u32(out, s.projector);
  return out;
}

Status put_tables(RocksDb& db, const Overlay& writes, rocksdb::WriteBatch& batch) {
  for (const auto& [table, rows] : writes.tables()) {
    if (rows.empty()) continue;
    TRY(auto* family, db.make_table(table));
    for (const auto& [key, value] : rows) {
      const rocksdb::Status s = value ? batch.Put(family, key, *value) : batch.Delete(family, key);
      if (!s.ok()) return rocks_error(s, db.dir());
    }
  }
  return {};
}

class RocksScratch final : public Scratch {
 public:
  static Result<std::unique_ptr<Scratch>> make(const std::string& dir) {
    std::error_code ignored;
    std::filesystem::remove_all(dir, ignored);
    TRY(auto db, RocksDb::open({dir, 32u << 20}));
    return std::unique_ptr<Scratch>(new RocksScratch(std::move(db), dir));
  }
  ~RocksScratch() override {
    db_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    return rocks_get(*db_, table, key);
  }
  Result<std::optional<std::pair<std::string, std::string>>> last_before(Table table, std::string_view from,
                                                                         std::string_view to) const override {
    return rocks_last_before(*db_, table, from, to);
  }
  Status write(const Overlay& writes) override {
    rocksdb::WriteBatch batch;
    CHECK_OK(put_tables(*db_, writes, batch));
    rocksdb::WriteOptions o;
    o.disableWAL = true;
    const rocksdb::Status s = db_->db().Write(o, &batch);
    if (!s.ok()) return rocks_error(s, dir_);
    return {};
  }

  [[nodiscard]] std::unique_ptr<Cursor> open(Table table) const override {
    return std::make_unique<RocksCursor>(*db_, table);
  }
  [[nodiscard]] size_t bytes() const override { return 0; }

 private:
  RocksScratch(std::shared_ptr<RocksDb> db, std::string dir) : db_(std::move(db)), dir_(std::move(dir)) {}

  class RocksCursor final : public Cursor {
   public:
    RocksCursor(const RocksDb& db, Table table) : dir_(db.dir()) {
      if (auto* family = db.table(table); family != nullptr) {
        it_.reset(db.db().NewIterator(rocksdb::ReadOptions(), family));
        it_->SeekToFirst();
      }
    }
    bool next(std::string_view& key, std::string_view& value) override {
      if (!it_) return false;
      if (started_) it_->Next();
      started_ = true;
      if (!it_->Valid()) return false;
      key = log::view(it_->key());
      value = log::view(it_->value());
      return true;
    }
    [[nodiscard]] Status status() const override {
      if (it_ && !it_->status().ok()) return rocks_error(it_->status(), dir_);
      return {};
    }

   private:
    std::unique_ptr<rocksdb::Iterator> it_;
    std::string dir_;
    bool started_ = false;
  };

  std::shared_ptr<RocksDb> db_;
  std::string dir_;
};

class RocksLog final : public Committer {
 public:
  RocksLog(std::shared_ptr<RocksDb> db, const RocksOptions& options, Projector& projector, Clock& clock,
           Metrics& metrics)
      : Committer(projector, clock, options.max_group_bytes),
        db_(std::move(db)),
        clock_(clock),
        records_(metrics.counter("entente_log_records_total", "Records committed")),
        items_(metrics.counter("entente_log_items_total", "Items committed")),
        groups_(metrics.counter("entente_log_groups_total", "Synced batches")),
        commit_time_(metrics.histogram("entente_log_commit_seconds", "Time to make one group durable")) {}
  ~RocksLog() override { stop(); }

  Status open() {
    const RocksView at(db_);
    TRY(const RocksView::Last last, at.last());
    TRY(const auto stored, at.meta(kStateKey));
    State state{0, projector().version()};
    if (stored) {
      ByteReader r(*stored);
      const uint32_t format = r.u32();
      State found{r.u64(), r.u32()};
      if (!r.done() || format != kFormat) {
        return make_error(ErrorKind::kUnsupported, fmt::format("the log has format {}", format), db_->dir(),
                          "open it with the version that wrote it");
      }
      if (found.applied > last.seq) {
        return make_error(ErrorKind::kCorrupt,
                          fmt::format("the tables know record {} but the log ends at {}", found.applied, last.seq),
                          db_->dir(), "restore the node from a backup");
      }
      if (found.projector == state.projector) {
        state = found;
      } else {
        say_info("log: tables are of version {}, this is {}: building them anew", found.projector, state.projector);
        CHECK_OK(db_->drop_tables());
      }
    } else if (last.seq == 0) {
      CHECK_OK(write_state(state));
    } else {
      CHECK_OK(db_->drop_tables());
    }
    if (state.applied < last.seq) CHECK_OK(catch_up(at, state, last.seq));
    start(last.seq, last.time);
    return {};
  }

  [[nodiscard]] std::shared_ptr<const View> view() const override { return std::make_shared<RocksView>(db_); }

  Status replay(uint64_t from, const std::function<bool(const Entry&)>& fn) const override {
    return RocksView(db_).entries(from, fn, nullptr);
  }

  Result<std::vector<std::string>> check(Projector& fresh,
                                         const std::function<void(uint64_t, uint64_t)>& progress) const override {
    const RocksView at(db_);
    uint64_t live = 0;
    db_->db().GetIntProperty(db_->records(), "rocksdb.estimate-live-data-size", &live);
    std::unique_ptr<Scratch> scratch = make_mem_scratch();
    if (live > kMaxMemScratch) {
      TRY(scratch, RocksScratch::make(db_->dir() + "/check"));
    }
    Checker checker(fresh, std::move(scratch));
    auto last = at.last();
    const uint64_t of = last.ok() ? last->seq : last_seq();
    Status applied;
    uint64_t done = 0;
    const Status read = at.entries(
        1,
        [&](const Entry& e) {
          applied = checker.apply(e);
          done = e.seq;
          if (progress) progress(e.seq, of);
          return applied.ok();
        },
        [&](const Error& damage) { checker.finding(damage.text()); });
    CHECK_OK(applied);
    if (!read.ok() || !last.ok() || done != of) {
      checker.finding(!read.ok() ? read.error().text() : fmt::format("the log ends at record {} of {}", done, of));
      checker.stop_comparing();
    }
    CHECK_OK(checker.compare(at));
    return std::move(checker).take();
  }

  Status scrub(uint64_t from_seq, uint64_t to_seq) override {
    return db_->rewrite_records(header_key(from_seq), header_key(to_seq + 1));
  }

 private:
  // Applies what the tables lack.
  Status catch_up(const RocksView& at, State state, uint64_t last) {
    say_info("log: applying records {} to {}", state.applied + 1, last);
    Overlay overlay(base());
    Status status;
    const auto flush = [&](uint64_t seq) -> Status {
      rocksdb::WriteBatch batch;
      CHECK_OK(put_tables(*db_, overlay, batch));
      state.applied = seq;
      batch.Put(db_->meta(), slice(kStateKey), encode(state));
      overlay.clear();
      return write(batch, seq == last);
    };
    const Status read = at.entries(
        state.applied + 1,
        [&](const Entry& e) {
          std::string outcome;
          status = projector().apply(e, overlay, outcome);
          overlay.keep();
          if (status.ok() && (overlay.bytes() >= kReplayFlushBytes || e.seq == last)) status = flush(e.seq);
          return status.ok();
        },
        nullptr);
    CHECK_OK(read);
    return status;
  }

  Status write(rocksdb::WriteBatch& batch, bool sync) {
    rocksdb::WriteOptions o;
    o.sync = sync;
    const rocksdb::Status s = db_->db().Write(o, &batch);
    if (!s.ok()) return rocks_error(s, db_->dir());
    return {};
  }
  Status write_state(const State& state) {
    rocksdb::WriteBatch batch;
    batch.Put(db_->meta(), slice(kStateKey), encode(state));
    return write(batch, true);
  }

  Status write_group(std::span<const Entry> entries, const Overlay& writes) override {
    const int64_t began = clock_.steady_us();
    rocksdb::WriteBatch batch;
    std::string value;
    size_t items = 0;
    for (const Entry& e : entries) {
      std::string key = header_key(e.seq);
      encode_header(value, key, {e.first_time, e.slots, static_cast<uint32_t>(e.items.size()), e.header});
      rocksdb::Status s = batch.Put(db_->records(), key, value);
      for (uint32_t i = 0; s.ok() && i < e.items.size(); ++i) {
        key = item_key(e.seq, i);
        std::string crc;
        put_u32(crc, item_crc(key, e.items[i]));
        const rocksdb::Slice key_part(key);
        const std::array<rocksdb::Slice, 2> parts = {rocksdb::Slice(e.items[i]), rocksdb::Slice(crc)};
        s = batch.Put(db_->records(), rocksdb::SliceParts(&key_part, 1),
                      rocksdb::SliceParts(parts.data(), static_cast<int>(parts.size())));
      }
      if (!s.ok()) return rocks_error(s, db_->dir());
      items += e.items.size();
    }
    for (const View::ItemRef& item : writes.destroyed()) {
      const std::string key = item_key(item.seq, item.index);
      const rocksdb::Status s = batch.Put(db_->records(), key, destroyed_item(key, entries.back().seq));
      if (!s.ok()) return rocks_error(s, db_->dir());
    }
    CHECK_OK(put_tables(*db_, writes, batch));
    batch.Put(db_->meta(), slice(kStateKey), encode({entries.back().seq, projector().version()}));
    CHECK_OK(write(batch, true));
    records_.add(entries.size());
    items_.add(items);
    groups_.add();
    commit_time_.record_us(clock_.steady_us() - began);
    return {};
  }

  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    return rocks_get(*db_, table, key);
  }
  Result<std::optional<std::pair<std::string, std::string>>> last_before(Table table, std::string_view from,
                                                                         std::string_view to) const override {
    return rocks_last_before(*db_, table, from, to);
  }

  std::shared_ptr<RocksDb> db_;
  Clock& clock_;
  Counter& records_;
  Counter& items_;
  Counter& groups_;
  Histogram& commit_time_;
};

}  // namespace

Result<std::unique_ptr<Log>> open_rocks(const RocksOptions& options, Projector& projector, Clock& clock,
                                        Metrics& metrics) {
  TRY(auto db, RocksDb::open({options.dir, options.cache_bytes}));
  auto log = std::make_unique<RocksLog>(std::move(db), options, projector, clock, metrics);
  CHECK_OK(log->open());
  return std::unique_ptr<Log>(std::move(log));
}

}  // namespace entente::log
