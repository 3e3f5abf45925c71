// The instruments of one decision, compiled for one sender and one recipient: which flows permit and forbid an object
// type.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agreement/decide.h"
#include "agreement/internal/facts.h"

namespace entente::agreement::internal {

struct Rule {
  const State* state = nullptr;
  const Document* doc = nullptr;
  const Flow* flow = nullptr;
  bool sectors_any = false;
  bool suspended = false;           // this flow alone is suspended
  SharedText agreement = {};        // what every reason and decision by this rule names: the document's id
  SharedText version = {};          // and hash
  bool has_purpose = false;         // the document names one, or does not state its scope
  std::optional<Time> joined = {};  // when the recipient acceded
};

struct TypePlan {
  std::vector<Rule> forbids;
  std::vector<Rule> permits;
};

class Plan {
 public:
  explicit Plan(const Inputs& in);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  Plan(Plan&&) = delete;
  Plan& operator=(Plan&&) = delete;
  ~Plan() = default;

  const TypePlan& of(std::string_view type);
  // Why nothing at all is permitted, if that is so: one reason per instrument that could have.
  [[nodiscard]] const std::vector<Reason>& closed() const { return closed_; }
  [[nodiscard]] bool any_permit() const { return any_permit_; }

  static bool sector_hit(const Rule& rule, const std::vector<std::string_view>& sectors);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  using ByType = std::unordered_map<std::string, TypePlan, Hash, std::equal_to<>>;

  void add_closed(const State& s, const Inputs& in);
  ByType::iterator compile(std::string_view type);

  std::vector<Rule> forbids_, permits_;
  std::vector<Reason> closed_;
  bool any_permit_ = false;
  ByType by_type_;
  const ByType::value_type* last_ = nullptr;  // asked for: forbids and permits of one object ask for the same
};

}  // namespace entente::agreement::internal
