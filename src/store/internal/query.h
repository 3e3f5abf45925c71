// Pages of a collection: which rows a query selects (TAXII 2.1 §3.4, T46–T57), at the cost of a comparison per row.
#pragma once

#include <unordered_map>

#include "store/internal/tables.h"

namespace entente::store {

// Rows of the object in this collection, oldest first.
[[nodiscard]] Result<std::vector<Row>> object_rows(const log::View& view, const Uuid& collection, std::string_view id);
[[nodiscard]] Result<std::vector<Versions::Entry>> object_versions(const log::View& view,
                                                                   const std::string& object_in_collection);

class PageReader {
 public:
  PageReader(const log::View& view, const Uuid& collection, const Query& query);
  Result<Page> run();

 private:
  // What is left of an object's versions under the window and the spec filter.
  struct Window {
    int64_t first = kNever;
    int64_t last = kNever;
    std::string spec;  // of these versions, if the query names none
    bool empty = true;
  };
  Result<Page> by_id();
  Result<Page> walk();
  // What the head of a row alone says.
  enum class Glance : uint8_t { kNo, kYes, kLook };
  [[nodiscard]] Glance glance(const RowHead& head, std::string_view value) const;
  Result<bool> selects(const RowHead& head, const Row& row);
  Result<const Window*> window_of(const std::string& id);
  // A version that came after the window hides whether there is another one inside.
  [[nodiscard]] bool hides(const RowHead& head) const { return head.newer > upto_ || head.older > upto_; }
  [[nodiscard]] bool in_window(int64_t date) const { return date > after_ && date <= upto_; }
  [[nodiscard]] bool wants_spec(std::string_view spec) const;

  const log::View& view_;
  const Uuid& collection_;
  const Query& query_;
  const int64_t after_;
  const int64_t upto_;
  const int64_t from_;  // rows up to here are not given; they count in the choice of versions all the same
  std::unordered_map<std::string, Window> windows_;
};

}  // namespace entente::store
