// What the marks of an object say, its own and those of what it is derived from (release.md §2), before any flow is
// looked at.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agreement/decide.h"
#include "agreement/internal/facts.h"

namespace entente::agreement::internal {

// The join: strictest in every dimension, anything that is not understood above everything.
struct Label {
  std::optional<Tlp> object;  // object marks, joined; absent: unmarked
  Tlp inherited = Tlp::kClear;
  std::optional<Pap> pap;  // object and granular marks, joined
  bool unknown = false;    // a mark that is not understood
  bool conflict = false;   // different TLP marks on the object
  std::string_view unknown_id;
  std::vector<const stix::MarkingPolicy*> policies;  // of object and granular marks, and of what it is derived from
  // TLP of granular marks, aligned with Facts::granular; absent: no TLP mark.
  std::vector<std::optional<Tlp>> parts;
};

// Of one decision. Keeps references to all that it is given.
class Labels {
 public:
  Labels(std::span<const GraphObject> graph, const Inputs& in, const std::vector<Facts>& facts,
         const std::unordered_set<std::string_view>& published_ids);

  // Once facts have been read and groups numbered: `groups` in all.
  void read(size_t groups);

  // The label of object `i`; reasons against its release that lie in what it is derived from.
  [[nodiscard]] Label of(size_t i, std::vector<Reason>& out) const;
  // What marks say beyond TLP and PAP: who may have it, for what, and how several policies agree.
  void policies(const Label& label, std::vector<Reason>& out) const;
  // Whether marks forbid or demand that the provider is named; that one of them forbids is decisive.
  [[nodiscard]] stix::Attribution attribution(const Label& label) const;
  // A consent of the originator that holds now, for this version and recipient; null if there is none. `expired`: there
  // was one.
  [[nodiscard]] const Consent* consent(size_t i, bool* expired = nullptr) const;

 private:
  [[nodiscard]] Label own_label(size_t i) const;
  void find_origins();
  void derived(size_t i, Label& label, std::vector<Reason>& out) const;
  [[nodiscard]] const Facts* definition(const Ref& r) const;
  [[nodiscard]] bool is_public(std::string_view id) const { return published_ids_.contains(id); }

  std::span<const GraphObject> graph_;
  const Inputs& in_;
  const std::vector<Facts>& facts_;
  const std::unordered_set<std::string_view>& published_ids_;
  Facts unclear_;                          // a definition of which there are two texts
  std::vector<const Facts*> definitions_;  // group -> marking definition of that id, if it is one
  std::unordered_map<std::string_view, std::vector<std::string_view>> origins_;  // id -> what it is derived from
  std::unordered_multimap<std::string_view, size_t> by_id_;                      // only if there are origins
  std::unordered_multimap<std::string_view, const Consent*> consents_;
};

}  // namespace entente::agreement::internal
