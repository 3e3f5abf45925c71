// Numbers the ids of a graph, in the order in which they come. A flat table: a decision looks up every reference.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace entente::agreement::internal {

class IdIndex {
 public:
  explicit IdIndex(size_t expected = 0) : slots_(std::bit_ceil(expected * 2 + 16)) { ids_.reserve(expected); }

  // The number of this id, a new one if it has none. The text must outlive the index.
  int32_t number(std::string_view id) {
    if (ids_.size() * 2 >= slots_.size()) grow();
    const uint64_t h = hash(id);
    Slot& s = slots_[place(id, h)];
    if (s.number < 0) {
      s = {h, static_cast<int32_t>(ids_.size())};
      ids_.push_back(id);
    }
    return s.number;
  }
  // -1 if it has none.
  [[nodiscard]] int32_t find(std::string_view id) const { return slots_[place(id, hash(id))].number; }
  [[nodiscard]] size_t size() const { return ids_.size(); }

 private:
  struct Slot {
    uint64_t hash = 0;
    int32_t number = -1;
  };

  static uint64_t hash(std::string_view id) {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15u;
    uint64_t h = id.size() * kOdd;
    const auto mix = [&h](const char* at, size_t n) {
      uint64_t word = 0;
      std::memcpy(&word, at, n);
      h = (h ^ word) * kOdd;
      h ^= h >> 32;
    };
    size_t at = 0;
    for (; at + 8 <= id.size(); at += 8) mix(id.data() + at, 8);
    if (at < id.size()) mix(id.data() + at, id.size() - at);
    return h;
  }
  [[nodiscard]] size_t place(std::string_view id, uint64_t h) const {
    for (size_t s = h & (slots_.size() - 1);; s = (s + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[s];
      if (slot.number < 0 || (slot.hash == h && ids_[static_cast<size_t>(slot.number)] == id)) return s;
    }
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& s : old)
      if (s.number >= 0) slots_[place(ids_[static_cast<size_t>(s.number)], s.hash)] = s;
  }

  std::vector<Slot> slots_;
  std::vector<std::string_view> ids_;
};

}  // namespace entente::agreement::internal
