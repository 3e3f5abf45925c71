// What the decision needs to know of one object, taken out of its text in one pass so that nothing is parsed twice.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "stix/marking.h"
#include "stix/marking_policy.h"

namespace entente::agreement::internal {

using stix::Pap;
using stix::Tlp;

// Keeps copies of short strings together, and short lists; both stay valid as long as the Arena.
class Arena {
 public:
  std::string_view keep(std::string_view text);
  std::pmr::memory_resource* lists() { return &lists_; }

 private:
  static constexpr size_t kChunk = 64u << 10;
  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t left_ = 0;
  char* next_ = nullptr;
  std::pmr::monotonic_buffer_resource lists_{kChunk};
};

enum class RefKind : uint8_t { kCreatedBy, kMarking, kGranular, kSingle, kList };

struct Ref {
  std::string_view property;  // the innermost name
  std::string_view id;
  RefKind kind = RefKind::kSingle;
  bool top = false;    // a property of the object itself, not of something inside it
  uint32_t list = 0;   // which list of the object, counted from 1; 0 if in none
  int32_t group = -1;  // target: index of the id among the graph's ids; -1 if it is not in the graph
};

struct GranularMark {
  std::string_view marking;  // id
  std::vector<std::string_view> selectors;
};

enum class MarkingKind : uint8_t { kNone, kTlp, kPap, kStatement, kPolicy, kUnknown };

struct Facts {
  explicit Facts(std::pmr::memory_resource* lists = std::pmr::get_default_resource()) : refs(lists), telling(lists) {}
  bool valid = false;  // JSON object with type and id
  int32_t group = -1;  // of its id among the graph's ids
  std::string_view type, id, version;
  std::pmr::vector<Ref> refs;
  std::vector<GranularMark> granular;
  std::vector<std::string_view> sectors;
  std::vector<std::string_view> projects;  // of labels "entente-project:ID"
  // Names and values by which the object could be recognised in a text (not its id): name, aliases, value, hashes,
  // accounts.
  std::pmr::vector<std::string_view> telling;
  std::string_view relationship_type;
  bool victim_role = false;  // `roles` contains "victim"
  bool has_created_by = false;
  bool has_result = false;  // malware-analysis: may do without analysis_sco_refs
  // Of a marking definition.
  MarkingKind marking = MarkingKind::kNone;
  Tlp tlp = Tlp::kClear;
  Pap pap = Pap::kClear;
  std::shared_ptr<const stix::MarkingPolicy> policy;  // of kPolicy
};

// `doc` is scratch memory that may be reused for the next object. Views of the result live in `arena`.
[[nodiscard]] Facts read_facts(std::string_view raw, json::Document& doc, Arena& arena);

}  // namespace entente::agreement::internal
