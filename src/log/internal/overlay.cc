#include "log/internal/overlay.h"

#include "base/bytes.h"

namespace entente::log {
namespace {

Error absent() { return make_error(ErrorKind::kNotFound, "no such key"); }

}  // namespace

Result<std::string> Overlay::get(Table table, std::string_view key) const {
  if (const auto t = tables_.find(table); t != tables_.end()) {
    if (const auto it = t->second.find(key); it != t->second.end()) {
      if (!it->second) return absent();
      return *it->second;
    }
  }
  TRY(auto found, base_.get(table, key));
  if (!found) return absent();
  return *std::move(found);
}

Result<std::pair<std::string, std::string>> Overlay::last_before(Table table, std::string_view from,
                                                                 std::string_view to) const {
  const auto t = tables_.find(table);
  const Writes* writes = t == tables_.end() ? nullptr : &t->second;

  std::optional<std::pair<std::string, std::string>> best;
  if (writes != nullptr) {
    auto it = to.empty() ? writes->end() : writes->lower_bound(to);
    while (it != writes->begin()) {
      --it;
      if (std::string_view(it->first) < from) break;
      if (it->second) {
        best.emplace(it->first, *it->second);
        break;
      }
    }
  }
  std::string bound(to);
  while (true) {
    TRY(auto below, base_.last_before(table, from, bound));
    if (!below) break;
    if (best && best->first >= below->first) break;
    if (writes == nullptr || !writes->contains(below->first)) {
      best = std::move(below);
      break;
    }
    bound = below->first;  // erased in this group (a live rewrite of it would be `best`)
    if (bound.empty()) break;
  }
  if (!best) return absent();
  return *std::move(best);
}

void Overlay::write(Table table, std::string_view key, std::optional<std::string> value) {
  Writes& writes = tables_[table];
  bytes_ += key.size() + (value ? value->size() : 0);
  auto it = writes.lower_bound(key);
  if (it != writes.end() && it->first == key) {
    undo_.push_back({table, it, true, std::move(it->second)});
    it->second = std::move(value);
    return;
  }
  it = writes.emplace_hint(it, std::string(key), std::move(value));
  undo_.push_back({table, it, false, std::nullopt});
}

void Overlay::put(Table table, std::string_view key, std::string_view value) { write(table, key, std::string(value)); }

void Overlay::erase(Table table, std::string_view key) { write(table, key, std::nullopt); }

void Overlay::rollback() {
  for (auto u = undo_.rbegin(); u != undo_.rend(); ++u) {
    if (u->was_there) {
      u->at->second = std::move(u->before);
    } else {
      tables_[u->table].erase(u->at);
    }
  }
  undo_.clear();
  destroyed_.resize(kept_destroyed_);
}

void Overlay::clear() {
  destroyed_.clear();
  kept_destroyed_ = 0;
  tables_.clear();
  undo_.clear();
  bytes_ = 0;
}

}  // namespace entente::log
