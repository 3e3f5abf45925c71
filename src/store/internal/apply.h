// One record applied to the tables: the deterministic machine.
#pragma once

#include <map>
#include <string>

#include "store/internal/ops.h"

namespace entente::store {

class Applier {
 public:
  Applier(const log::Entry& entry, log::Batch& batch) : entry_(entry), batch_(batch) {}
  // `outcome`: one octet per add and share, in order (encode_added).
  Status run(std::string& outcome);

 private:
  Result<Added> put_row(const Op& op, const log::View::ItemRef& item);
  Status remove(const Op& op);
  Status remove_many(const Op& op, const ObjectKey& object, Versions& versions);
  Status expect(const Op& op);
  Status append(const Op& op);
  Status write_counts();

  Result<std::optional<std::string>> get(log::Table table, std::string_view key) const;
  Result<std::optional<Versions>> versions_of(const std::string& key) const;
  // Rewrites the heads of the rows of these entries, where they changed.
  Status relink(const Uuid& collection, const Versions& versions);
  Status list_rows(const Uuid& collection, const Versions& versions);
  Result<Added> compare(const Op& op, int64_t date, const log::View::ItemRef& item) const;
  Status spill(const std::string& key, Versions& versions);

  const log::Entry& entry_;
  log::Batch& batch_;
  std::map<Uuid, int64_t> counts_;  // changes of the number of rows
  uint32_t dates_ = 0;
  uint32_t items_ = 0;
};

[[nodiscard]] char encode_added(Added added, bool shared);
void decode_added(std::string_view outcome, Outcome& out);

}  // namespace entente::store
