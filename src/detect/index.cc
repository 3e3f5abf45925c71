#include "detect/index.h"

#include <algorithm>
#include <cassert>

#include "detect/internal/table.h"

namespace entente::detect {
namespace {

class TableIndex final : public Index {
 public:
  TableIndex(Table table, std::vector<Indicator> indicators)
      : table_(std::move(table)), indicators_(std::move(indicators)) {}

  void match(const Observable& seen, std::vector<Hit>& out) const override {
    const Query query(seen, table_.has_below());
    thread_local std::vector<RowHit> rows;
    rows.clear();
    table_.match(query, rows);
    const auto begin = static_cast<std::ptrdiff_t>(out.size());
    for (const RowHit& r : rows) {
      const bool known =
          std::any_of(out.begin() + begin, out.end(), [&](const Hit& h) { return h.indicator == r.row; });
      if (!known) out.push_back({r.row, r.kind});
    }
  }

  bool concerns(const Observable& seen) const override { return table_.concerns(Query(seen, table_.has_below())); }
  Shape shape() const override { return {table_.has_urls(), table_.has_emails(), table_.has_single_labels()}; }
  const Indicator& indicator(uint32_t number) const override { return indicators_.at(number); }
  size_t indicators() const override { return indicators_.size(); }
  size_t key_bytes() const override { return table_.memory_bytes(); }
  size_t memory_bytes() const override {
    size_t n = table_.memory_bytes() + indicators_.capacity() * sizeof(Indicator);
    const auto heap = [](const std::string& s) { return s.capacity() > 15 ? s.capacity() + 1 : 0; };
    for (const Indicator& i : indicators_) n += heap(i.id) + heap(i.pattern) + heap(i.version);
    return n;
  }

 private:
  Table table_;
  std::vector<Indicator> indicators_;
};

}  // namespace

struct Builder::State {
  TableBuilder table;
  std::vector<Indicator> indicators;
};

Builder::Builder() : state_(std::make_unique<State>()) {}
Builder::~Builder() = default;

uint32_t Builder::add(Indicator indicator, const std::vector<pattern::Atom>& atoms) {
  assert(!atoms.empty());
  const auto number = static_cast<uint32_t>(state_->indicators.size());
  state_->indicators.push_back(std::move(indicator));
  for (const pattern::Atom& atom : atoms) state_->table.add(number, atom);
  return number;
}

size_t Builder::size() const { return state_->indicators.size(); }

std::shared_ptr<const Index> Builder::build() && {
  auto index = std::make_shared<TableIndex>(std::move(state_->table).build(), std::move(state_->indicators));
  *state_ = {};
  return index;
}

}  // namespace entente::detect
