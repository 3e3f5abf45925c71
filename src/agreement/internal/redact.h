// Changes to the content of one object: parts above the ceiling, protections of the governing agreement, and the
// rewriting of references once it is known what happened to everything else.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/decide.h"
#include "agreement/internal/facts.h"
#include "json/node.h"

namespace entente::agreement::internal {

struct OwnChange {
  std::optional<Reason> withhold;  // it cannot be changed as it must be
  bool changed = false;
  std::string text;                   // the object as changed, still under its own id
  std::vector<std::string> stripped;  // values that may now occur nowhere
  std::vector<Reason> notes;          // what was done, with article
};

struct OwnContext {
  const Document* doc = nullptr;  // governing
  std::string_view article;       // of the governing flow
  std::string_view my_identity;
  bool victim = false;
  bool public_creator = true;  // created_by_ref is absent or a public authority
  bool anonymous = false;      // a marking forbids to name the provider
};

// Which protections of `doc` would touch an object of this kind? Cheap; most objects have none.
[[nodiscard]] bool touched_by_protection(const Facts& facts, const OwnContext& context);
// `parts`: indexes into facts.granular that stand above the ceiling.
[[nodiscard]] OwnChange change_own(std::string_view raw, const Facts& facts, const std::vector<size_t>& parts,
                                   const OwnContext& context);
// Can these parts be taken out at all?
[[nodiscard]] bool parts_removable(const Facts& facts, const std::vector<size_t>& parts);

// What became of a referenced id: the id to write, or nullopt if it is not to be named.
using Resolve = std::function<std::optional<std::string_view>(std::string_view id)>;
struct Rewrite {
  std::string_view new_id;
  std::string_view my_identity;  // "" removes created_by_ref
  const Resolve* resolve = nullptr;
  std::vector<std::pair<std::string_view, std::string_view>> mentions;  // ids in text: old, new
};
// Compact JSON, member order kept.
[[nodiscard]] std::string rewrite(std::string_view text, const Rewrite& how);

}  // namespace entente::agreement::internal
