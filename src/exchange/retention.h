// How long this party keeps what a partner gave it, under which article, and what a hold lawfully keeps beyond that.
// What is due is destroyed: text gone from store and log, a signed receipt to the partner, a leaf in the ledger
// (exchange/destruction.h does it; this says what and when).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/act.h"
#include "exchange/admission.h"
#include "exchange/context.h"
#include "exchange/instruments.h"
#include "exchange/recall_answer.h"

namespace entente::exchange {

// The `retention` of the text that two parties share.
struct RetentionRule {
  std::string article;
  // By TLP ("green"): days; absent = without end. A TLP that the text does not name has the shortest term that it does.
  std::map<std::string, std::optional<int64_t>, std::less<>> max_days;
  std::string on_end;             // delete | delete_unless_open_case | return | keep ("" = keep)
  std::optional<Period> receipt;  // so long after the destruction at most the receipt is due
  [[nodiscard]] std::optional<int64_t> days(std::string_view tlp) const;
};
[[nodiscard]] RetentionRule retention_rule(const agreement::Document& document);

// When one received object goes, and why.
struct Term {
  std::optional<Time> until;  // absent = no end stated
  std::string why;            // "365 days at amber+strict", "the agreement ended"
  std::string article;
  std::string hold;  // what keeps it all the same: "legal hold", "open joint action"; "" = nothing
  [[nodiscard]] bool over(Time now) const { return until && *until <= now; }
  [[nodiscard]] bool due(Time now) const { return over(now) && hold.empty(); }
};

// What is the same for all objects of one partner under one agreement.
class Terms {
 public:
  Terms(const Context& context, const Instruments& instruments, std::shared_ptr<const agreement::State> state,
        const std::string& peer);
  [[nodiscard]] Term of(std::string_view id, const RowMeta& meta, Time added) const;
  [[nodiscard]] const RetentionRule& rule() const { return rule_; }
  // Nothing that came later than this can be due; absent = nothing can.
  [[nodiscard]] std::optional<Time> horizon(Time now) const;

 private:
  const Context& cx_;
  std::shared_ptr<const agreement::State> state_;
  RetentionRule rule_;
  std::optional<Time> end_;             // of the agreement between the two, once it is over
  std::set<std::string> in_open_case_;  // indicators of joint actions that are not over
};

// What became of copies of an object that a partner gave.
[[nodiscard]] Result<Copies> copies_of(const Context& context, const Instruments& instruments,
                                       const std::string& agreement_id, const std::string& peer, const std::string& id);

// Where it is kept that an object was destroyed: a name that says nothing without this node's secret.
inline constexpr std::string_view kDestroyedSpace = "destroyed";
[[nodiscard]] std::string destroyed_key(const Context& context, std::string_view agreement_id, std::string_view peer,
                                        std::string_view id);

}  // namespace entente::exchange
