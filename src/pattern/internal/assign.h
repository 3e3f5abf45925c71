// Which observations serve which part of a binding: a flow from groups (a part of the pattern that needs `demand`
// observations of one kind) to classes (observations that are alike: same times, same brackets; `free` of them left).
// Each group takes only classes within its bounds of time. Kept from one question to the next: tightening a bound drops
// what no longer fits, and only that is looked for anew.
#pragma once

#include <cstdint>
#include <vector>

#include "pattern/internal/work.h"
#include "pattern/observation.h"

namespace entente::pattern {

struct ObservationClass {
  Nanos first = 0, last = 0;
  uint64_t capacity = 0;
  std::vector<uint32_t> members;  // observations
};

struct Group {
  const std::vector<uint32_t>* candidates = nullptr;  // classes, ascending by `last`
  uint64_t demand = 1;
  Nanos first_max = 2 * kAlways;  // takes classes with first <= first_max
  Nanos last_min = -2 * kAlways;  // and last >= last_min
};

class Assignment {
 public:
  Assignment(const std::vector<ObservationClass>& classes, std::vector<Group>& groups);

  // Fills every group within its bounds. False if that cannot be done, or if the work is used up (work.limited).
  bool settle(Work& work);

  struct Extent {
    Nanos latest_first, earliest_last;
  };
  // Of what the group has been given. Requires: settle() was true.
  [[nodiscard]] Extent extent(uint32_t group) const;
  [[nodiscard]] uint64_t used(uint32_t cls) const { return classes_[cls].capacity - free_[cls]; }

 private:
  struct Share {
    uint32_t group;
    uint64_t amount;
  };

  [[nodiscard]] bool fits(const Group& g, uint32_t cls) const {
    return classes_[cls].first <= g.first_max && classes_[cls].last >= g.last_min;
  }
  [[nodiscard]] size_t begin_of(const Group& g) const;
  void drop_what_no_longer_fits(uint32_t group);
  void give(uint32_t cls, uint32_t group, uint64_t amount);
  void take(uint32_t cls, uint32_t group, uint64_t amount);
  bool fill(uint32_t group, Work& work);
  bool augment(uint32_t group, Work& work);

  const std::vector<ObservationClass>& classes_;
  std::vector<Group>& groups_;
  std::vector<uint64_t> free_;
  std::vector<std::vector<Share>> holders_;   // per class
  std::vector<std::vector<uint32_t>> taken_;  // per group: classes it has a share of
  std::vector<uint64_t> missing_;             // per group
  std::vector<uint32_t> seen_class_, seen_group_;
  uint32_t round_ = 0;
};

}  // namespace entente::pattern
