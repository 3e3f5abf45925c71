// Which flow lets an object through, how, and which one governs it (release.md §3 steps 4 and 6; what step 7 has to
// take out is found here, since it decides whether a flow permits at all).
#pragma once

#include <optional>
#include <vector>

#include "agreement/internal/scene.h"

namespace entente::agreement::internal {

// One permit that lets the object through, and how.
struct Passed {
  const Rule* rule = nullptr;
  Tlp told = Tlp::kClear;      // label joined with the floor
  std::vector<size_t> redact;  // granular marks whose parts must go
};

class Permits {
 public:
  explicit Permits(const Scene& scene) : scene_(scene) {}

  // The permit of the governing instrument; nullopt with every reason why there is none.
  [[nodiscard]] std::optional<Passed> best(size_t i, const Label& label, std::vector<Reason>& out) const;

 private:
  [[nodiscard]] std::optional<Passed> attempt(size_t i, const Label& label, const Rule& rule,
                                              std::vector<Reason>& out) const;
  const Scene& scene_;
};

}  // namespace entente::agreement::internal
