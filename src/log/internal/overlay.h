// The writes of one group over the tables as they are: what the projector sees, and what goes into the batch at the
// end.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "log/log.h"

namespace entente::log {

// Tables as they were before the group. Used by the committer's thread only.
class Base {
 public:
  virtual ~Base() = default;
  virtual Result<std::optional<std::string>> get(Table table, std::string_view key) const = 0;
  virtual Result<std::optional<std::pair<std::string, std::string>>> last_before(Table table, std::string_view from,
                                                                                 std::string_view to) const = 0;
};

class Overlay final : public Batch {
 public:
  using Writes = std::map<std::string, std::optional<std::string>, std::less<>>;  // nullopt = erased

  explicit Overlay(const Base& base) : base_(base) {}

  Result<std::string> get(Table table, std::string_view key) const override;
  Result<std::pair<std::string, std::string>> last_before(Table table, std::string_view from,
                                                          std::string_view to) const override;
  void put(Table table, std::string_view key, std::string_view value) override;
  void erase(Table table, std::string_view key) override;
  void destroy(const View::ItemRef& item) override { destroyed_.push_back(item); }

  // The writes since the last of these are kept, or undone.
  void keep() {
    undo_.clear();
    kept_destroyed_ = destroyed_.size();
  }
  void rollback();
  void clear();

  [[nodiscard]] const std::map<Table, Writes>& tables() const { return tables_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] const std::vector<View::ItemRef>& destroyed() const { return destroyed_; }

 private:
  void write(Table table, std::string_view key, std::optional<std::string> value);

  struct Undo {
    Table table;
    Writes::iterator at;
    bool was_there = false;             // written earlier in this group
    std::optional<std::string> before;  // if so, what it was
  };
  const Base& base_;
  std::map<Table, Writes> tables_;
  std::vector<Undo> undo_;
  size_t bytes_ = 0;
  std::vector<View::ItemRef> destroyed_;
  size_t kept_destroyed_ = 0;
};

}  // namespace entente::log
