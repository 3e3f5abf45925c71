#include "detect/index.h"

#include <algorithm>
#include <cassert>

#include "detect/internal/facts.h"
#include "detect/internal/table.h"

namespace entente::detect {
namespace {

class TableIndex final : public Index {
 public:
  TableIndex(Table table, Facts facts) : table_(std::move(table)), facts_(std::move(facts)) {}

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

  const Table& table() const override { return table_; }
  Indicator indicator(uint32_t number) const override { return facts_.get(number, table_.entries()); }
  size_t indicators() const override { return table_.entries().rows(); }
  size_t key_bytes() const override { return table_.memory_bytes(); }
  size_t memory_bytes() const override { return table_.memory_bytes() + facts_.memory_bytes(); }

 private:
  Table table_;
  Facts facts_;
};

}  // namespace

struct Builder::State {
  TableBuilder table;
  Facts facts;
  uint32_t rows = 0;
};

Builder::Builder() : state_(std::make_unique<State>()) {}
Builder::~Builder() = default;

uint32_t Builder::add(const Indicator& indicator, const std::vector<pattern::Atom>& atoms) {
  assert(!atoms.empty());
  state_->table.begin_row();
  for (const pattern::Atom& atom : atoms) state_->table.add(atom);
  state_->table.end_rows();
  state_->facts.add(indicator, state_->table.entries());
  return state_->rows++;
}

void Builder::reserve_for_text(size_t octets) { state_->table.reserve(octets / 22, octets / 4 * 3); }

void Builder::add_listed(pattern::AtomKind kind, std::string_view value) {
  state_->table.begin_row();
  state_->table.add(kind, value);
  state_->table.end_rows();
  state_->facts.add_listed();
  ++state_->rows;
}

size_t Builder::size() const { return state_->rows; }
bool Builder::full() const { return state_->table.full(); }

std::shared_ptr<const Index> Builder::build() && {
  state_->facts.finish();
  auto index = std::make_shared<TableIndex>(std::move(state_->table).build(), std::move(state_->facts));
  *state_ = {};
  return index;
}

}  // namespace entente::detect
