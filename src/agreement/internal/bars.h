// What keeps an object here whatever permits it: forbids (release.md §3 step 2), holds and the operator's own policy
// (step 3), the originator (step 5), and people who are to look first. Every bar that applies is named, not only the
// first.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "agreement/internal/scene.h"

namespace entente::agreement::internal {

class Bars {
 public:
  explicit Bars(const Scene& scene);

  void forbids(size_t i, std::vector<Reason>& out) const;
  void holds(size_t i, std::vector<Reason>& out) const;
  void originator(size_t i, std::vector<Reason>& out) const;
  // A third party consented for a purpose that the governing instrument does not have.
  bool purpose(size_t i, const Rule& rule, std::vector<Reason>& out) const;
  void review(size_t i, const Label& label, std::vector<Reason>& out) const;

 private:
  const Scene& scene_;
  std::unordered_multimap<std::string_view, const Hold*> holds_;
};

}  // namespace entente::agreement::internal
