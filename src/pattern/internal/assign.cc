#include "pattern/internal/assign.h"

#include <algorithm>

namespace entente::pattern {

Assignment::Assignment(const std::vector<ObservationClass>& classes, std::vector<Group>& groups)
    : classes_(classes),
      groups_(groups),
      free_(classes.size()),
      holders_(classes.size()),
      taken_(groups.size()),
      missing_(groups.size()),
      seen_class_(classes.size()),
      seen_group_(groups.size()) {
  for (size_t i = 0; i < classes.size(); ++i) free_[i] = classes[i].capacity;
  for (size_t i = 0; i < groups.size(); ++i) missing_[i] = groups[i].demand;
}

size_t Assignment::begin_of(const Group& g) const {
  const auto at = std::lower_bound(g.candidates->begin(), g.candidates->end(), g.last_min,
                                   [&](uint32_t cls, Nanos least) { return classes_[cls].last < least; });
  return static_cast<size_t>(at - g.candidates->begin());
}

void Assignment::give(uint32_t cls, uint32_t group, uint64_t amount) {
  free_[cls] -= amount;
  missing_[group] -= amount;
  for (Share& s : holders_[cls]) {
    if (s.group == group) {
      s.amount += amount;
      return;
    }
  }
  holders_[cls].push_back({group, amount});
  taken_[group].push_back(cls);
}

void Assignment::take(uint32_t cls, uint32_t group, uint64_t amount) {
  free_[cls] += amount;
  missing_[group] += amount;
  auto& shares = holders_[cls];
  for (size_t i = 0; i < shares.size(); ++i) {
    if (shares[i].group != group) continue;
    shares[i].amount -= amount;
    if (shares[i].amount == 0) {
      shares[i] = shares.back();
      shares.pop_back();
      std::erase(taken_[group], cls);
    }
    return;
  }
}

void Assignment::drop_what_no_longer_fits(uint32_t group) {
  auto& taken = taken_[group];
  for (size_t i = taken.size(); i > 0; --i) {
    const uint32_t cls = taken[i - 1];
    if (fits(groups_[group], cls)) continue;
    for (const Share& s : holders_[cls]) {
      if (s.group == group) {
        take(cls, group, s.amount);
        break;
      }
    }
  }
}

// What is free, earliest first: for parts that follow each other that is mostly right at once.
bool Assignment::fill(uint32_t group, Work& work) {
  const Group& g = groups_[group];
  for (size_t i = begin_of(g); i < g.candidates->size() && missing_[group] != 0; ++i) {
    if (!work.spend(1)) return false;
    const uint32_t cls = (*g.candidates)[i];
    if (free_[cls] != 0 && fits(g, cls)) give(cls, group, std::min(free_[cls], missing_[group]));
  }
  return true;
}

// A shortest way from the group to a class with something free, over groups that can give up a share for another one.
bool Assignment::augment(uint32_t group, Work& work) {
  struct Visit {
    uint32_t group;
    uint32_t from;  // index of the visit that wants the share
    uint32_t cls;   // that this group holds and `from` wants
  };
  ++round_;
  std::vector<Visit> queue{{group, 0, 0}};
  seen_group_[group] = round_;
  for (uint32_t at = 0; at < queue.size(); ++at) {
    const Group& g = groups_[queue[at].group];
    for (size_t i = begin_of(g); i < g.candidates->size(); ++i) {
      if (!work.spend(1)) return false;
      const uint32_t cls = (*g.candidates)[i];
      if (seen_class_[cls] == round_ || !fits(g, cls)) continue;
      seen_class_[cls] = round_;
      if (free_[cls] == 0) {
        for (const Share& s : holders_[cls]) {
          if (seen_group_[s.group] == round_) continue;
          seen_group_[s.group] = round_;
          queue.push_back({s.group, at, cls});
        }
        continue;
      }
      // How much can move along the whole way, then move it from the far end.
      uint64_t amount = std::min(free_[cls], missing_[group]);
      for (uint32_t v = at; v != 0; v = queue[v].from) {
        for (const Share& s : holders_[queue[v].cls]) {
          if (s.group == queue[v].group) amount = std::min(amount, s.amount);
        }
      }
      uint32_t free_class = cls;
      for (uint32_t v = at;; v = queue[v].from) {
        const uint32_t held = queue[v].cls;
        if (v != 0) take(held, queue[v].group, amount);
        give(free_class, queue[v].group, amount);
        free_class = held;
        if (v == 0) break;
      }
      return true;
    }
  }
  return false;
}

bool Assignment::settle(Work& work) {
  for (uint32_t g = 0; g < groups_.size(); ++g) drop_what_no_longer_fits(g);
  if (!work.spend(groups_.size())) return false;
  for (uint32_t g = 0; g < groups_.size(); ++g) {
    if (missing_[g] != 0 && !fill(g, work)) return false;
  }
  for (uint32_t g = 0; g < groups_.size(); ++g) {
    while (missing_[g] != 0) {
      if (!augment(g, work)) return false;
    }
  }
  return true;
}

Assignment::Extent Assignment::extent(uint32_t group) const {
  Extent e{-2 * kAlways, 2 * kAlways};
  for (const uint32_t cls : taken_[group]) {
    e.latest_first = std::max(e.latest_first, classes_[cls].first);
    e.earliest_last = std::min(e.earliest_last, classes_[cls].last);
  }
  return e;
}

}  // namespace entente::pattern
