// A hash table of plain entries that never grows beyond its room: when it is full, the older half is forgotten. Two
// generations of open addressing; what is used moves to the young one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace entente::stix::internal {

// Entry has a member uint64_t key, which is a hash already; 0 marks a free slot.
template <class Entry>
class BoundedTable {
 public:
  // Room for at least 64 entries; slots is a power of two, at most `octets` in both generations together.
  explicit BoundedTable(size_t octets) {
    while (max_slots_ * 2 * sizeof(Entry) * 2 <= octets) max_slots_ *= 2;
  }

  // nullptr if not there (any more). Valid until the next insert().
  Entry* find(uint64_t key) {
    key = proper(key);
    if (Entry* e = lookup(young_, key)) return e;
    Entry* e = lookup(old_, key);
    return e == nullptr ? nullptr : &insert(Entry(*e));  // a copy: to make room, the old ones may go
  }

  // Fetches what find() will look at, while something else is computed.
  void prefetch(uint64_t key) const {
    key = proper(key);
    if (!young_.empty()) __builtin_prefetch(&young_[key & (young_.size() - 1)], 1);
    if (!old_.empty()) __builtin_prefetch(&old_[key & (old_.size() - 1)]);
  }

  // Requires: the key is not there. Valid until the next insert().
  Entry& insert(const Entry& entry) {
    const uint64_t key = proper(entry.key);
    if ((used_ + 1) * 3 > young_.size() * 2) grow();
    ++used_;
    Entry& slot = free_slot(young_, key);
    slot = entry;
    slot.key = key;
    return slot;
  }

  [[nodiscard]] bool complete() const { return complete_; }

 private:
  static uint64_t proper(uint64_t key) { return key == 0 ? 1 : key; }

  static Entry* lookup(std::vector<Entry>& table, uint64_t key) {
    if (table.empty()) return nullptr;
    for (size_t at = key & (table.size() - 1);; at = (at + 1) & (table.size() - 1)) {
      if (table[at].key == key) return &table[at];
      if (table[at].key == 0) return nullptr;
    }
  }

  static Entry& free_slot(std::vector<Entry>& table, uint64_t key) {
    size_t at = key & (table.size() - 1);
    while (table[at].key != 0) at = (at + 1) & (table.size() - 1);
    return table[at];
  }

  void grow() {
    if (young_.size() >= max_slots_) {
      complete_ = complete_ && old_.empty();
      old_ = std::move(young_);
      young_ = std::vector<Entry>(max_slots_);
      used_ = 0;
      return;
    }
    std::vector<Entry> larger(young_.empty() ? 64 : young_.size() * 2);
    for (const Entry& e : young_) {
      if (e.key != 0) free_slot(larger, e.key) = e;
    }
    young_ = std::move(larger);
  }

  size_t max_slots_ = 64;
  size_t used_ = 0;  // of young_
  bool complete_ = true;
  std::vector<Entry> young_, old_;
};

}  // namespace entente::stix::internal
