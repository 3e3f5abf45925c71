// Live: a few runs, each an immutable table over its rows. add() makes a run of one and folds it with runs of its size,
// so that it costs microseconds; a background thread folds the larger ones, so that a lookup asks a number of tables
// that grows with the logarithm of the size.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "detect/index.h"
#include "detect/internal/epoch.h"
#include "detect/internal/table.h"

namespace entente::detect {
namespace {

constexpr size_t kFoldAtOnce = 256;  // runs that are smaller are folded by add() itself

struct Row {
  Indicator indicator;
  std::vector<pattern::Atom> atoms;
  std::atomic<bool> gone{false};  // removed or replaced: a tombstone
};
using Rows = std::vector<std::shared_ptr<Row>>;

struct Run {
  Table table;
  Rows rows;
};
using Runs = std::vector<std::shared_ptr<const Run>>;

std::shared_ptr<const Run> make_run(const Runs& parts) {
  auto run = std::make_shared<Run>();
  size_t n = 0;
  for (const auto& part : parts) n += part->rows.size();
  run->rows.reserve(n);
  TableBuilder builder;
  for (const auto& part : parts) {
    for (const auto& row : part->rows) {
      if (row->gone.load(std::memory_order_acquire)) continue;
      builder.begin_row();
      for (const auto& atom : row->atoms) builder.add(atom);
      run->rows.push_back(row);
    }
  }
  run->table = std::move(builder).build();
  return run;
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
  std::unordered_map<std::string, std::shared_ptr<Row>> by_id;
  size_t gone = 0;  // rows in runs that are tombstones
  Runs busy;        // what the background folds now: add() leaves them alone
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

  void add(Indicator indicator, std::vector<pattern::Atom> atoms) {
    auto row = std::make_shared<Row>();
    row->indicator = std::move(indicator);
    row->atoms = std::move(atoms);
    const std::lock_guard lock(mutex);
    auto& slot = by_id[row->indicator.id];
    const auto replaced = std::exchange(slot, row);

    auto one = std::make_shared<Run>();
    TableBuilder builder;
    builder.begin_row();
    for (const auto& atom : row->atoms) builder.add(atom);
    one->rows.push_back(row);
    one->table = std::move(builder).build();
    runs.push_back(std::move(one));
    // As in a binary counter: the tail of runs that are not larger than what comes after them becomes one.
    size_t from = runs.size() - 1, sum = 1;
    while (from > 0 && runs[from - 1]->rows.size() <= sum && runs[from - 1]->rows.size() < kFoldAtOnce &&
           !is_busy(runs[from - 1]))
      sum += runs[--from]->rows.size();
    if (from + 1 < runs.size()) {
      auto folded = make_run({runs.begin() + static_cast<std::ptrdiff_t>(from), runs.end()});
      gone -= sum - folded->rows.size();
      runs.resize(from);
      runs.push_back(std::move(folded));
    }
    publish();
    if (replaced) bury(*replaced);  // after its successor is visible: there is no moment without either
    if (busy.empty() && !choose().empty()) wake.notify_one();
  }

  void bury(Row& row) {
    row.gone.store(true, std::memory_order_release);
    ++gone;
  }

  void remove(std::string_view id) {
    const std::lock_guard lock(mutex);
    const auto it = by_id.find(std::string(id));
    if (it == by_id.end()) return;
    bury(*it->second);
    by_id.erase(it);
    if (busy.empty() && !choose().empty()) wake.notify_one();
  }

  // The runs that the background should fold now; none if it may rest.
  [[nodiscard]] Runs choose() const {
    size_t rows = 0;
    Runs large;
    for (const auto& run : runs) {
      rows += run->rows.size();
      if (run->rows.size() >= kFoldAtOnce) large.push_back(run);
    }
    if (gone > 64 && gone * 4 > rows) return runs;  // a quarter is tombstones
    std::sort(large.begin(), large.end(), [](const auto& a, const auto& b) { return a->rows.size() < b->rows.size(); });
    size_t take = 0, sum = 0;
    while (take < large.size() && (take == 0 || large[take]->rows.size() <= 2 * sum)) sum += large[take++]->rows.size();
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
      size_t before = 0;
      for (const auto& run : busy) before += run->rows.size();
      lock.unlock();
      auto folded = make_run(busy);
      lock.lock();
      gone -= before - folded->rows.size();
      Runs next{std::move(folded)};
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

void Live::add(Indicator indicator, std::vector<pattern::Atom> atoms) {
  state_->add(std::move(indicator), std::move(atoms));
}
void Live::remove(std::string_view indicator_id) { state_->remove(indicator_id); }

size_t Live::size() const {
  const std::lock_guard lock(state_->mutex);
  return state_->by_id.size();
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
      const Row& row = *run->rows[hits[i].row];
      const bool known = std::any_of(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(i),
                                     [&](const RowHit& h) { return h.row == hits[i].row; });
      if (known || row.gone.load(std::memory_order_acquire)) continue;
      if (at < row.indicator.valid_from || at >= row.indicator.valid_until) continue;
      fn(row.indicator, hits[i].kind);
    }
  }
}

}  // namespace entente::detect
