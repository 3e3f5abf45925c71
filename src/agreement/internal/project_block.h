// A joint project as the agreement's projects[] and the body of open_project describe it (agreement.md §3.5).
#pragma once

#include <string>
#include <vector>

#include "agreement/document.h"

namespace entente::agreement::internal {

struct ProjectBlock {
  std::string id, title, hash;  // hash: of the canonical block
  std::string host;             // party code; "" = none
  bool host_consent = true;     // needed unless the host is a party of the parent
  std::vector<std::string> participants, observers;
  std::vector<std::string> sectors, types;
  Tlp floor = Tlp::kClear, ceiling = Tlp::kClear;
  Time not_before, not_after;  // [not_before, not_after)
  std::string art;
  std::vector<Party> parties;  // blocks of those who are no party of the parent; the host's key is pinned here
  json::Node node;

  [[nodiscard]] const Party* party(std::string_view code) const;
};

[[nodiscard]] Result<ProjectBlock> project_from(const json::Node& node);
// What the block must keep to under this text (check 5): sectors, ceiling, article, and the listed block of the same
// id.
[[nodiscard]] Status inside(const ProjectBlock& block, const Document& parent);

}  // namespace entente::agreement::internal
