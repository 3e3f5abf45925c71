#include "log/internal/scratch.h"

namespace entente::log {
namespace {

using Rows = std::map<std::string, std::string, std::less<>>;

class MemCursor final : public Scratch::Cursor {
 public:
  explicit MemCursor(const Rows* rows) {
    if (rows != nullptr) {
      at_ = rows->begin();
      end_ = rows->end();
    }
  }
  bool next(std::string_view& key, std::string_view& value) override {
    if (at_ == end_) return false;
    key = at_->first;
    value = at_->second;
    ++at_;
    return true;
  }
  [[nodiscard]] Status status() const override { return {}; }

 private:
  Rows::const_iterator at_;
  Rows::const_iterator end_;
};

class MemScratch final : public Scratch {
 public:
  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    if (const auto t = tables_.find(table); t != tables_.end()) {
      if (const auto it = t->second.find(key); it != t->second.end()) return std::optional(it->second);
    }
    return std::optional<std::string>();
  }

  Result<std::optional<std::pair<std::string, std::string>>> last_before(Table table, std::string_view from,
                                                                         std::string_view to) const override {
    using Found = std::optional<std::pair<std::string, std::string>>;
    const auto t = tables_.find(table);
    if (t == tables_.end()) return Found();
    auto it = to.empty() ? t->second.end() : t->second.lower_bound(to);
    if (it == t->second.begin() || std::string_view((--it)->first) < from) return Found();
    return Found(*it);
  }

  Status write(const Overlay& writes) override {
    for (const auto& [table, rows] : writes.tables()) {
      Rows& live = tables_[table];
      for (const auto& [key, value] : rows) {
        if (value) {
          live[key] = *value;
          bytes_ += key.size() + value->size() + 96;
        } else {
          live.erase(key);
        }
      }
    }
    return {};
  }

  [[nodiscard]] std::unique_ptr<Cursor> open(Table table) const override {
    const auto t = tables_.find(table);
    return std::make_unique<MemCursor>(t == tables_.end() ? nullptr : &t->second);
  }
  [[nodiscard]] size_t bytes() const override { return bytes_; }

 private:
  std::map<Table, Rows> tables_;
  size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Scratch> make_mem_scratch() { return std::make_unique<MemScratch>(); }

}  // namespace entente::log
