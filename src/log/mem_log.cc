#include "log/mem_log.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>

#include <fmt/format.h>

#include "log/internal/checker.h"
#include "log/internal/committer.h"

namespace entente::log {
namespace {

constexpr size_t kMaxGroupBytes = 8u << 20;
constexpr size_t kChunk = 256;

Error absent() { return make_error(ErrorKind::kNotFound, "no such key"); }

struct StoredEntry {
  Time first_time;
  uint32_t slots = 1;
  std::string header;
  std::vector<std::string> items;
};

// Every version of every key, so that a view costs nothing and sees its own moment. Nothing is ever collected: tests
// are short.
class Versions {
 public:
  void put(Table table, std::string_view key, std::optional<std::string> value, uint64_t at) {
    auto& rows = tables_[table];
    auto it = rows.find(key);
    if (it == rows.end()) it = rows.emplace(std::string(key), std::vector<Version>()).first;
    it->second.push_back({at, std::move(value)});
  }
  [[nodiscard]] const std::string* get(Table table, std::string_view key, uint64_t at) const {
    const auto t = tables_.find(table);
    if (t == tables_.end()) return nullptr;
    const auto it = t->second.find(key);
    return it == t->second.end() ? nullptr : seen(it->second, at);
  }
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  // Up to kChunk pairs from `from` (exclusive if `after`) to `to`.
  void forward(Table table, std::string_view from, bool after, std::string_view to, uint64_t at, Pairs& out) const {
    const auto t = tables_.find(table);
    if (t == tables_.end()) return;
    for (auto it = after ? t->second.upper_bound(from) : t->second.lower_bound(from); it != t->second.end(); ++it) {
      if (!to.empty() && std::string_view(it->first) >= to) return;
      if (const std::string* v = seen(it->second, at)) out.emplace_back(it->first, *v);
      if (out.size() == kChunk) return;
    }
  }
  void backward(Table table, std::string_view from, std::string_view to, uint64_t at, size_t limit, Pairs& out) const {
    const auto t = tables_.find(table);
    if (t == tables_.end()) return;
    auto it = to.empty() ? t->second.end() : t->second.lower_bound(to);
    while (it != t->second.begin() && out.size() < limit) {
      --it;
      if (std::string_view(it->first) < from) return;
      if (const std::string* v = seen(it->second, at)) out.emplace_back(it->first, *v);
    }
  }

 private:
  struct Version {
    uint64_t at;
    std::optional<std::string> value;
  };
  static const std::string* seen(const std::vector<Version>& versions, uint64_t at) {
    for (auto v = versions.rbegin(); v != versions.rend(); ++v) {
      if (v->at <= at) return v->value ? &*v->value : nullptr;
    }
    return nullptr;
  }
  std::map<Table, std::map<std::string, std::vector<Version>, std::less<>>> tables_;
};

}  // namespace

struct MemDisk {
  mutable std::shared_mutex mutex;
  std::vector<std::shared_ptr<const StoredEntry>> entries;
  std::set<std::pair<uint64_t, uint32_t>> damaged;
};

namespace {

struct Shared {
  std::shared_ptr<MemDisk> disk;
  mutable std::shared_mutex mutex;
  Versions tables;
  uint64_t moment = 0;  // counts groups

  Result<std::shared_ptr<const StoredEntry>> entry(uint64_t seq) const {
    const std::shared_lock lock(disk->mutex);
    if (seq == 0 || seq > disk->entries.size()) {
      return make_error(ErrorKind::kCorrupt, fmt::format("record {} is missing", seq));
    }
    return disk->entries[seq - 1];
  }
  bool damaged(uint64_t seq, uint32_t index) const {
    const std::shared_lock lock(disk->mutex);
    return disk->damaged.contains({seq, index});
  }
};

Error checksum(uint64_t seq, uint32_t index) {
  return make_error(ErrorKind::kCorrupt, fmt::format("record {} item {}: checksum does not match", seq, index));
}

class MemView final : public View {
 public:
  MemView(std::shared_ptr<const Shared> shared, uint64_t moment) : shared_(std::move(shared)), moment_(moment) {}

  Result<std::string> get(Table table, std::string_view key) const override {
    const std::shared_lock lock(shared_->mutex);
    const std::string* v = shared_->tables.get(table, key, moment_);
    if (v == nullptr) return absent();
    return *v;
  }

  // In chunks, so that fn runs without the lock and may read again.
  Status scan(Table table, std::string_view from, std::string_view to,
              const std::function<bool(std::string_view, std::string_view)>& fn) const override {
    std::string next(from);
    Versions::Pairs chunk;
    for (bool after = false;; after = true) {
      chunk.clear();
      {
        const std::shared_lock lock(shared_->mutex);
        shared_->tables.forward(table, next, after, to, moment_, chunk);
      }
      for (const auto& [k, v] : chunk) {
        if (!fn(k, v)) return {};
      }
      if (chunk.size() < kChunk) return {};
      next = chunk.back().first;
    }
  }

  Status scan_back(Table table, std::string_view from, std::string_view to,
                   const std::function<bool(std::string_view, std::string_view)>& fn) const override {
    std::string end(to);
    Versions::Pairs chunk;
    while (true) {
      chunk.clear();
      {
        const std::shared_lock lock(shared_->mutex);
        shared_->tables.backward(table, from, end, moment_, kChunk, chunk);
      }
      for (const auto& [k, v] : chunk) {
        if (!fn(k, v)) return {};
      }
      if (chunk.size() < kChunk || chunk.back().first.empty()) return {};
      end = chunk.back().first;
    }
  }

  Status items(std::span<const ItemRef> want, const std::function<void(size_t, std::string_view)>& fn) const override {
    for (size_t i = 0; i < want.size(); ++i) {
      const auto [seq, index] = want[i];
      TRY(const auto entry, shared_->entry(seq));
      if (index >= entry->items.size()) {
        return make_error(ErrorKind::kCorrupt, fmt::format("record {} item {} is missing", seq, index));
      }
      if (shared_->damaged(seq, index)) return checksum(seq, index);
      fn(i, entry->items[index]);
    }
    return {};
  }

 private:
  std::shared_ptr<const Shared> shared_;
  uint64_t moment_;
};

}  // namespace

class MemLog::Engine final : public Committer {
 public:
  Engine(std::shared_ptr<MemDisk> disk, Projector& projector, Clock& clock)
      : Committer(projector, clock, kMaxGroupBytes), shared_(std::make_shared<Shared>()) {
    shared_->disk = std::move(disk);
  }
  ~Engine() override {
    resume();
    stop();
  }

  Status open() {
    Time last;
    const uint64_t count = last_on_disk();
    Overlay overlay(base());
    for (uint64_t seq = 1; seq <= count; ++seq) {
      TRY(const auto e, shared_->entry(seq));
      std::string outcome;
      CHECK_OK(projector().apply({seq, e->first_time, e->slots, e->header, e->items}, overlay, outcome));
      overlay.keep();
      last = e->first_time.plus_us(e->slots - 1);
    }
    store(overlay);
    start(count, last);
    return {};
  }

  [[nodiscard]] std::shared_ptr<const View> view() const override {
    const std::shared_lock lock(shared_->mutex);
    return std::make_shared<MemView>(shared_, shared_->moment);
  }

  Status replay(uint64_t from, const std::function<bool(const Entry&)>& fn) const override {
    const uint64_t count = last_on_disk();
    for (uint64_t seq = std::max<uint64_t>(from, 1); seq <= count; ++seq) {
      TRY(const auto e, shared_->entry(seq));
      for (uint32_t i = 0; i < e->items.size(); ++i) {
        if (shared_->damaged(seq, i)) return checksum(seq, i);
      }
      if (!fn({seq, e->first_time, e->slots, e->header, e->items})) break;
    }
    return {};
  }

  Result<std::vector<std::string>> check(Projector& fresh,
                                         const std::function<void(uint64_t, uint64_t)>& progress) const override {
    Checker checker(fresh, make_mem_scratch());
    std::shared_ptr<const View> at;
    uint64_t count = 0;
    {
      // No group ends between the two: both are of one moment.
      const std::lock_guard lock(write_mutex_);
      at = view();
      count = last_on_disk();
    }
    for (uint64_t seq = 1; seq <= count; ++seq) {
      TRY(const auto e, shared_->entry(seq));
      for (uint32_t i = 0; i < e->items.size(); ++i) {
        if (shared_->damaged(seq, i)) checker.finding(checksum(seq, i).text());
      }
      CHECK_OK(checker.apply({seq, e->first_time, e->slots, e->header, e->items}));
      if (progress) progress(seq, count);
    }
    CHECK_OK(checker.compare(*at));
    return std::move(checker).take();
  }

  Status scrub(uint64_t, uint64_t) override { return {}; }

  void fail_next(int n) {
    const std::lock_guard lock(fault_mutex_);
    fail_ = n;
  }
  void break_disk() {
    const std::lock_guard lock(fault_mutex_);
    broken_ = true;
  }
  void pause() {
    const std::lock_guard lock(fault_mutex_);
    paused_ = true;
  }
  void resume() {
    {
      const std::lock_guard lock(fault_mutex_);
      paused_ = false;
    }
    resumed_.notify_all();
  }
  void damage(uint64_t seq, uint32_t index) {
    const std::lock_guard lock(shared_->disk->mutex);
    shared_->disk->damaged.insert({seq, index});
  }
  void tamper(Table table, std::string_view key, std::string_view value) {
    const std::lock_guard lock(shared_->mutex);
    shared_->tables.put(table, key, value.empty() ? std::nullopt : std::optional<std::string>(value), shared_->moment);
  }
  [[nodiscard]] std::shared_ptr<MemDisk> disk() const { return shared_->disk; }

 private:
  [[nodiscard]] uint64_t last_on_disk() const {
    const std::shared_lock lock(shared_->disk->mutex);
    return shared_->disk->entries.size();
  }

  Status write_group(std::span<const Entry> entries, const Overlay& writes) override {
    {
      std::unique_lock lock(fault_mutex_);
      resumed_.wait(lock, [&] { return !paused_; });
      if (broken_ || fail_ > 0) {
        if (!broken_) --fail_;
        return make_error(ErrorKind::kIo, "no space left (a fault of the test)", {}, "free some space");
      }
    }
    const std::lock_guard write(write_mutex_);
    {
      const std::lock_guard lock(shared_->disk->mutex);
      for (const Entry& e : entries) {
        auto stored = std::make_shared<StoredEntry>();
        stored->first_time = e.first_time;
        stored->slots = e.slots;
        stored->header = e.header;
        stored->items.assign(e.items.begin(), e.items.end());
        shared_->disk->entries.push_back(std::move(stored));
      }
      for (const View::ItemRef& item : writes.destroyed()) {
        auto without = std::make_shared<StoredEntry>(*shared_->disk->entries.at(item.seq - 1));
        without->items.at(item.index).clear();
        shared_->disk->entries[item.seq - 1] = std::move(without);
      }
    }
    store(writes);
    return {};
  }
  [[nodiscard]] bool failure_is_final() const override {
    const std::lock_guard lock(fault_mutex_);
    return broken_;
  }

  void store(const Overlay& writes) {
    const std::lock_guard lock(shared_->mutex);
    ++shared_->moment;
    for (const auto& [table, rows] : writes.tables()) {
      for (const auto& [key, value] : rows) shared_->tables.put(table, key, value, shared_->moment);
    }
  }

  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    const std::shared_lock lock(shared_->mutex);
    const std::string* v = shared_->tables.get(table, key, shared_->moment);
    return v == nullptr ? std::optional<std::string>() : std::optional(*v);
  }
  Result<std::optional<std::pair<std::string, std::string>>> last_before(Table table, std::string_view from,
                                                                         std::string_view to) const override {
    using Found = std::optional<std::pair<std::string, std::string>>;
    Versions::Pairs found;
    const std::shared_lock lock(shared_->mutex);
    shared_->tables.backward(table, from, to, shared_->moment, 1, found);
    return found.empty() ? Found() : Found(std::move(found.front()));
  }

  std::shared_ptr<Shared> shared_;
  mutable std::mutex write_mutex_;
  mutable std::mutex fault_mutex_;
  std::condition_variable resumed_;
  int fail_ = 0;
  bool broken_ = false;
  bool paused_ = false;
};

MemLog::MemLog(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
MemLog::~MemLog() = default;

Result<std::unique_ptr<MemLog>> MemLog::open(std::shared_ptr<MemDisk> disk, Projector& projector, Clock& clock) {
  if (!disk) disk = std::make_shared<MemDisk>();
  auto engine = std::make_unique<Engine>(std::move(disk), projector, clock);
  CHECK_OK(engine->open());
  return std::unique_ptr<MemLog>(new MemLog(std::move(engine)));
}

std::shared_ptr<MemDisk> MemLog::disk() const { return engine_->disk(); }
void MemLog::fail_next(int n) { engine_->fail_next(n); }
void MemLog::break_disk() { engine_->break_disk(); }
void MemLog::pause() { engine_->pause(); }
void MemLog::resume() { engine_->resume(); }
void MemLog::damage(uint64_t seq, uint32_t index) { engine_->damage(seq, index); }
void MemLog::tamper(Table table, std::string_view key, std::string_view value) { engine_->tamper(table, key, value); }
void MemLog::append(Record record, Done done) { engine_->append(std::move(record), std::move(done)); }
uint64_t MemLog::last_seq() const { return engine_->last_seq(); }
Time MemLog::last_time() const { return engine_->last_time(); }
std::shared_ptr<const View> MemLog::view() const { return engine_->view(); }
void MemLog::on_commit(std::function<void(uint64_t)> fn) { engine_->on_commit(std::move(fn)); }
Status MemLog::replay(uint64_t from, const std::function<bool(const Entry&)>& fn) const {
  return engine_->replay(from, fn);
}
Status MemLog::scrub(uint64_t from_seq, uint64_t to_seq) { return engine_->scrub(from_seq, to_seq); }
Result<std::vector<std::string>> MemLog::check(Projector& projector,
                                               const std::function<void(uint64_t, uint64_t)>& progress) const {
  return engine_->check(projector, progress);
}

std::unique_ptr<Log> make_mem_log(Projector& projector, Clock& clock) {
  // A new disk is empty, so opening it cannot fail.
  return *MemLog::open(nullptr, projector, clock);
}

}  // namespace entente::log
