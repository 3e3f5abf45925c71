#include "log/internal/rocks_view.h"

#include <algorithm>

#include <fmt/format.h>
#include <rocksdb/perf_level.h>

#include "log/internal/codec.h"

namespace entente::log {
namespace {

// Runs shorter than this are fetched by key: seeking an iterator costs about as much as so many lookups.
constexpr size_t kShortRun = 4;
constexpr size_t kPointsAtOnce = 64;
constexpr size_t kMaxItemCount = 1u << 20;

Error absent() { return make_error(ErrorKind::kNotFound, "no such key"); }

Error missing(std::string_view key) {
  return make_error(ErrorKind::kCorrupt, describe(key) + " is missing", {}, "restore the node from a backup");
}

}  // namespace

RocksView::RocksView(std::shared_ptr<RocksDb> db) : db_(std::move(db)), snapshot_(db_->db().GetSnapshot()) {
  // RocksDB counts its steps per thread, some for each row, and nobody reads that.
  static thread_local const bool kQuiet = (rocksdb::SetPerfLevel(rocksdb::kDisable), true);
  (void)kQuiet;
}
RocksView::~RocksView() { db_->db().ReleaseSnapshot(snapshot_); }

rocksdb::ReadOptions RocksView::options() const {
  rocksdb::ReadOptions o;
  o.snapshot = snapshot_;
  return o;
}

std::unique_ptr<rocksdb::Iterator> RocksView::iterator(rocksdb::ColumnFamilyHandle* family) const {
  return std::unique_ptr<rocksdb::Iterator>(db_->db().NewIterator(options(), family));
}

Result<std::string> RocksView::get(Table table, std::string_view key) const {
  auto* family = db_->table(table);
  if (family == nullptr) return absent();
  rocksdb::PinnableSlice value;
  const rocksdb::Status s = db_->db().Get(options(), family, slice(key), &value);
  if (s.IsNotFound()) return absent();
  if (!s.ok()) return rocks_error(s, db_->dir());
  return value.ToString();
}

Status RocksView::scan(Table table, std::string_view from, std::string_view to,
                       const std::function<bool(std::string_view, std::string_view)>& fn) const {
  auto* family = db_->table(table);
  if (family == nullptr) return {};
  const auto it = iterator(family);
  for (it->Seek(slice(from)); it->Valid(); it->Next()) {
    const std::string_view key = view(it->key());
    if (!to.empty() && key >= to) break;
    if (!fn(key, view(it->value()))) break;
  }
  if (!it->status().ok()) return rocks_error(it->status(), db_->dir());
  return {};
}

Status RocksView::scan_back(Table table, std::string_view from, std::string_view to,
                            const std::function<bool(std::string_view, std::string_view)>& fn) const {
  auto* family = db_->table(table);
  if (family == nullptr) return {};
  const auto it = iterator(family);
  if (to.empty()) {
    it->SeekToLast();
  } else {
    it->SeekForPrev(slice(to));
    if (it->Valid() && view(it->key()) == to) it->Prev();
  }
  for (; it->Valid(); it->Prev()) {
    const std::string_view key = view(it->key());
    if (key < from || !fn(key, view(it->value()))) break;
  }
  if (!it->status().ok()) return rocks_error(it->status(), db_->dir());
  return {};
}

Status RocksView::items(std::span<const ItemRef> want, const std::function<void(size_t, std::string_view)>& fn) const {
  std::unique_ptr<rocksdb::Iterator> it;
  size_t alone = 0;  // [alone, i) waits to be fetched by key
  size_t i = 0;
  while (i < want.size()) {
    size_t end = i + 1;
    while (end < want.size()) {
      const bool next = want[end].seq == want[end - 1].seq && want[end].index == want[end - 1].index + 1;
      const bool first_of_next = want[end].seq == want[end - 1].seq + 1 && want[end].index == 0;
      if (!next && !first_of_next) break;
      ++end;
    }
    if (end - i >= kShortRun) {
      CHECK_OK(points(want, alone, i, fn));
      CHECK_OK(run(want, i, end, it, fn));
      alone = end;
    }
    i = end;
  }
  return points(want, alone, want.size(), fn);
}

Status RocksView::run(std::span<const ItemRef> want, size_t from, size_t to, std::unique_ptr<rocksdb::Iterator>& it,
                      const std::function<void(size_t, std::string_view)>& fn) const {
  if (!it) it = iterator(db_->records());
  for (size_t i = from; i < to; ++i) {
    const std::string key = item_key(want[i].seq, want[i].index);  // short enough to need no memory
    // Between the last item of a record and the first of the next lies a header, and maybe items that nobody asked for.
    for (int near = 0; near < 4 && i > from && it->Valid() && view(it->key()) < key; ++near) it->Next();
    if (i == from || !it->Valid() || view(it->key()) != key) it->Seek(key);
    if (!it->status().ok()) return rocks_error(it->status(), db_->dir());
    if (!it->Valid() || view(it->key()) != key) return missing(key);
    TRY(const std::string_view octets, decode_item(key, view(it->value())));
    fn(i, octets);
  }
  return {};
}

Status RocksView::points(std::span<const ItemRef> want, size_t from, size_t to,
                         const std::function<void(size_t, std::string_view)>& fn) const {
  std::vector<std::string> keys;
  std::vector<rocksdb::Slice> slices;
  std::vector<rocksdb::PinnableSlice> values(std::min(kPointsAtOnce, to - from));
  std::vector<rocksdb::Status> statuses(values.size());
  for (size_t begin = from; begin < to; begin += kPointsAtOnce) {
    const size_t n = std::min(kPointsAtOnce, to - begin);
    keys.clear();
    slices.clear();
    for (size_t i = begin; i < begin + n; ++i) keys.push_back(item_key(want[i].seq, want[i].index));
    for (const auto& k : keys) slices.emplace_back(k);
    for (auto& v : values) v.Reset();
    db_->db().MultiGet(options(), db_->records(), n, slices.data(), values.data(), statuses.data());
    for (size_t i = 0; i < n; ++i) {
      if (statuses[i].IsNotFound()) return missing(keys[i]);
      if (!statuses[i].ok()) return rocks_error(statuses[i], db_->dir());
      TRY(const std::string_view octets, decode_item(keys[i], view(values[i])));
      fn(begin + i, octets);
    }
  }
  return {};
}

Status RocksView::entries(uint64_t from, const std::function<bool(const Entry&)>& fn,
                          const std::function<void(const Error&)>& damage) const {
  rocksdb::ReadOptions o = options();
  o.fill_cache = false;
  o.readahead_size = 1u << 20;
  const std::unique_ptr<rocksdb::Iterator> it(db_->db().NewIterator(o, db_->records()));
  uint64_t seq = std::max<uint64_t>(from, 1);
  std::string header_value;
  std::vector<std::string> items;
  for (it->Seek(header_key(seq)); it->Valid();) {
    const std::string key = header_key(seq);
    if (view(it->key()) != key) return missing(key);
    header_value = view(it->value());
    TRY(const StoredHeader h, decode_header(key, header_value));
    if (h.item_count > kMaxItemCount) return missing(key);
    items.resize(h.item_count);
    it->Next();
    for (uint32_t i = 0; i < h.item_count; ++i) {
      const std::string item = item_key(seq, i);
      items[i].clear();
      std::optional<Error> problem;
      if (!it->Valid() || view(it->key()) != item) {
        if (!it->status().ok()) return rocks_error(it->status(), db_->dir());
        problem = missing(item);
      } else {
        auto octets = decode_item(item, view(it->value()));
        if (octets.ok()) {
          items[i] = *octets;
        } else {
          problem = octets.error();
        }
        it->Next();
      }
      if (problem) {
        if (!damage) return *problem;
        damage(*problem);
      }
    }
    if (!fn({seq, h.first_time, h.slots, h.header, items})) return {};
    ++seq;
  }
  if (!it->status().ok()) return rocks_error(it->status(), db_->dir());
  return {};
}

Result<RocksView::Last> RocksView::last() const {
  const auto it = iterator(db_->records());
  it->SeekToLast();
  if (!it->status().ok()) return rocks_error(it->status(), db_->dir());
  if (!it->Valid()) return Last{};
  const auto at = parse_record_key(view(it->key()));
  if (!at)
    return make_error(ErrorKind::kCorrupt, describe(view(it->key())), db_->dir(), "restore the node from a backup");
  const std::string key = header_key(at->seq);
  if (at->index) it->Seek(key);
  if (!it->Valid() || view(it->key()) != key) return missing(key);
  TRY(const StoredHeader h, decode_header(key, view(it->value())));
  return Last{at->seq, h.first_time.plus_us(static_cast<int64_t>(h.slots) - 1)};
}

Result<std::optional<std::string>> RocksView::meta(std::string_view key) const {
  std::string value;
  const rocksdb::Status s = db_->db().Get(options(), db_->meta(), slice(key), &value);
  if (s.IsNotFound()) return std::optional<std::string>();
  if (!s.ok()) return rocks_error(s, db_->dir());
  return std::optional(std::move(value));
}

Result<std::optional<std::string>> rocks_get(const RocksDb& db, Table table, std::string_view key) {
  auto* family = db.table(table);
  if (family == nullptr) return std::optional<std::string>();
  rocksdb::PinnableSlice value;
  const rocksdb::Status s = db.db().Get(rocksdb::ReadOptions(), family, slice(key), &value);
  if (s.IsNotFound()) return std::optional<std::string>();
  if (!s.ok()) return rocks_error(s, db.dir());
  return std::optional(value.ToString());
}

Result<std::optional<std::pair<std::string, std::string>>> rocks_last_before(const RocksDb& db, Table table,
                                                                             std::string_view from,
                                                                             std::string_view to) {
  using Found = std::optional<std::pair<std::string, std::string>>;
  auto* family = db.table(table);
  if (family == nullptr) return Found();
  const std::unique_ptr<rocksdb::Iterator> it(db.db().NewIterator(rocksdb::ReadOptions(), family));
  if (to.empty()) {
    it->SeekToLast();
  } else {
    it->SeekForPrev(slice(to));
    if (it->Valid() && view(it->key()) == to) it->Prev();
  }
  if (!it->status().ok()) return rocks_error(it->status(), db.dir());
  if (!it->Valid() || view(it->key()) < from) return Found();
  return Found(std::pair(it->key().ToString(), it->value().ToString()));
}

}  // namespace entente::log
