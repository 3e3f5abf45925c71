// Live: a few runs, each an immutable table over its rows. add() makes a run of one and folds it with runs of its size,
// so that it costs microseconds; a background thread folds the larger ones, so that a lookup asks a number of tables
// that grows with the logarithm of the size.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "detect/index.h"
#include "detect/internal/epoch.h"
#include "detect/internal/facts.h"
#include "detect/internal/table.h"

namespace entente::detect {
namespace {

constexpr size_t kFoldAtOnce = 256;  // runs that are smaller are folded by add() itself

struct Run {
  Table table;
  Facts facts;
  // Tombstones, a bit per row: removed or replaced.
  mutable std::vector<std::atomic<uint64_t>> gone;
  mutable size_t gone_count = 0;  // guarded by the writers' mutex

  Run(Table t, Facts f) : table(std::move(t)), facts(std::move(f)), gone(rows() / 64 + 1) {}
  [[nodiscard]] size_t rows() const { return table.entries().rows(); }
  [[nodiscard]] bool is_gone(uint32_t row) const {
    return (gone[row / 64].load(std::memory_order_acquire) >> (row % 64) & 1) != 0;
  }
  void bury(uint32_t row) const {
    const uint64_t bit = uint64_t{1} << (row % 64);
    if ((gone[row / 64].fetch_or(bit, std::memory_order_acq_rel) & bit) == 0) ++gone_count;
  }
};
using Runs = std::vector<std::shared_ptr<const Run>>;

// Ids longer than the table can hold are cut to what is left of them and their hash.
std::string packed(std::string_view id) {
  std::string out = pack_id(id);
  if (!out.empty()) return out;
  return '\2' + std::string(id.substr(0, 200)) + std::to_string(std::hash<std::string_view>{}(id));
}

std::shared_ptr<const Run> make_run(const Indicator& indicator, const std::vector<pattern::Atom>& atoms) {
  TableBuilder table;
  Facts facts;
  table.begin_row();
  for (const auto& atom : atoms) table.add(atom);
  table.add_id(packed(indicator.id));
  facts.add(indicator, table.entries(), !pack_id(indicator.id).empty());
  facts.finish();
  return std::make_shared<const Run>(std::move(table).build(), std::move(facts));
}

// Without the tombstones.
std::shared_ptr<const Run> make_run(const Runs& parts) {
  TableBuilder table;
  Facts facts;
  for (const auto& part : parts) {
    uint32_t row = UINT32_MAX;
    bool skip = false;
    part->table.entries().each([&](uint32_t, const Entries::Entry& e) {
      if (e.first) {
        skip = part->is_gone(++row);
        if (!skip) {
          table.begin_row();
          facts.copy(part->facts, row);
        }
      }
      if (!skip) table.add(e);
    });
  }
  facts.finish();
  return std::make_shared<const Run>(std::move(table).build(), std::move(facts));
}

}  // namespace

struct Live::State {
  struct Snapshot {
    Runs runs;
    bool below = false;
    explicit Snapshot(Runs r) : runs(std::move(r)) {
      below = std::any_of(runs.begin(), runs.end(), [](const auto& run) { return run->table.has_below(); });
    }
  };

  Epoch<Snapshot> epoch{std::make_unique<const Snapshot>(Runs{})};
  mutable std::mutex mutex;  // writers; guards all below
  std::condition_variable wake, settled;
  Runs runs;
  size_t size = 0;
  Runs busy;                         // what the background folds now: add() leaves them alone
  std::vector<std::string> missing;  // packed ids that were buried in `busy` meanwhile
  bool stop = false;
  std::thread background{[this] { fold_for_ever(); }};

  ~State() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_all();
    background.join();
  }

  [[nodiscard]] bool is_busy(const std::shared_ptr<const Run>& run) const {
    return std::find(busy.begin(), busy.end(), run) != busy.end();
  }

  void publish() { epoch.exchange(std::make_unique<const Snapshot>(runs)); }

  void add(const Indicator& indicator, const std::vector<pattern::Atom>& atoms) {
    auto one = make_run(indicator, atoms);
    const std::string id = packed(indicator.id);
    const std::lock_guard lock(mutex);
    const auto before = find(id);
    runs.push_back(std::move(one));
    publish();
    if (before.run != nullptr) {  // after its successor is visible: there is no moment without either
      bury(before, id);
    } else {
      ++size;
    }
    // As in a binary counter: the tail of runs that are not larger than what comes after them becomes one.
    size_t from = runs.size() - 1, sum = 1;
    while (from > 0 && runs[from - 1]->rows() <= sum && runs[from - 1]->rows() < kFoldAtOnce &&
           !is_busy(runs[from - 1]))
      sum += runs[--from]->rows();
    if (from + 1 < runs.size()) {
      auto folded = make_run({runs.begin() + static_cast<std::ptrdiff_t>(from), runs.end()});
      runs.resize(from);
      if (folded->rows() > 0) runs.push_back(std::move(folded));
      publish();
    }
    if (busy.empty() && !choose().empty()) wake.notify_one();
  }

  struct Place {
    std::shared_ptr<const Run> run;
    uint32_t row = 0;
  };
  // Where the id is and not buried; at most one place.
  [[nodiscard]] Place find(const std::string& id) const {
    for (size_t i = runs.size(); i-- > 0;)
      if (const auto row = runs[i]->table.row_of_id(id); row && !runs[i]->is_gone(*row)) return {runs[i], *row};
    return {};
  }

  void bury(const Place& place, const std::string& id) {
    place.run->bury(place.row);
    if (is_busy(place.run)) missing.push_back(id);
  }

  void remove(std::string_view id) {
    const std::string key = packed(id);
    const std::lock_guard lock(mutex);
    const auto place = find(key);
    if (place.run == nullptr) return;
    bury(place, key);
    --size;
    if (busy.empty() && !choose().empty()) wake.notify_one();
  }

  // The runs that the background should fold now; none if it may rest.
  [[nodiscard]] Runs choose() const {
    size_t rows = 0, gone = 0;
    Runs large;
    for (const auto& run : runs) {
      rows += run->rows();
      gone += run->gone_count;
      if (run->rows() >= kFoldAtOnce) large.push_back(run);
    }
    if (gone > 64 && gone * 4 > rows) return runs;  // a quarter is tombstones
    std::sort(large.begin(), large.end(), [](const auto& a, const auto& b) { return a->rows() < b->rows(); });
    size_t take = 0, sum = 0;
    while (take < large.size() && (take == 0 || large[take]->rows() <= 2 * sum)) sum += large[take++]->rows();
    large.resize(take < 2 ? 0 : take);
    return large;
  }

  void fold_for_ever() {
    std::unique_lock lock(mutex);
    while (!stop) {
      busy = choose();
      if (busy.empty()) {
        settled.notify_all();
        epoch.reclaim();
        if (epoch.pending()) {
          wake.wait_for(lock, std::chrono::milliseconds(20));
        } else {
          wake.wait(lock);
        }
        continue;
      }
      lock.unlock();
      auto folded = make_run(busy);
      lock.lock();
      for (const auto& id : missing)
        if (const auto row = folded->table.row_of_id(id)) folded->bury(*row);
      missing.clear();
      Runs next;
      if (folded->rows() > 0) next.push_back(std::move(folded));
      for (const auto& run : runs)
        if (!is_busy(run)) next.push_back(run);
      runs = std::move(next);
      busy.clear();
      publish();
    }
  }
};

Live::Live() : state_(std::make_unique<State>()) {}
Live::~Live() = default;

void Live::add(const Indicator& indicator, const std::vector<pattern::Atom>& atoms) { state_->add(indicator, atoms); }
void Live::remove(std::string_view indicator_id) { state_->remove(indicator_id); }

size_t Live::size() const {
  const std::lock_guard lock(state_->mutex);
  return state_->size;
}

size_t Live::memory_bytes() const {
  const std::lock_guard lock(state_->mutex);
  size_t n = 0;
  for (const auto& run : state_->runs)
    n += run->table.memory_bytes() + run->facts.memory_bytes() + run->gone.size() * 8;
  return n;
}

void Live::settle() {
  std::unique_lock lock(state_->mutex);
  state_->settled.wait(lock, [&] { return state_->busy.empty() && state_->choose().empty(); });
}

void Live::match(const Observable& seen, Time at,
                 const std::function<void(const Indicator&, pattern::AtomKind)>& fn) const {
  const Epoch<State::Snapshot>::Reader snapshot(state_->epoch);
  if (snapshot->runs.empty()) return;
  const Query query(seen, snapshot->below);
  std::vector<RowHit> hits;  // not thread_local: fn may call match() again
  for (const auto& run : snapshot->runs) {
    hits.clear();
    run->table.match(query, hits);
    for (size_t i = 0; i < hits.size(); ++i) {
      const uint32_t row = hits[i].row;
      const bool known = std::any_of(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(i),
                                     [&](const RowHit& h) { return h.row == row; });
      if (known || run->is_gone(row)) continue;
      const auto valid = run->facts.validity(row);
      if (at < valid.from || at >= valid.until) continue;
      fn(run->facts.get(row, run->table.entries()), hits[i].kind);
    }
  }
}

}  // namespace entente::detect
