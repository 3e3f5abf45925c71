// How far a recall has come: each party that ever had the object, what its signed receipts say of the tombstone, and
// what its node answered for its sensors, its copies and those to whom it passed the object on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "exchange/context.h"
#include "exchange/instruments.h"
#include "exchange/recall_answer.h"

namespace entente::exchange {

struct Holder {
  std::string party, agreement;
  std::string sent_id;                 // the id under which it has the object
  std::optional<Time> sent;            // when the recall was released to it; absent: not yet
  std::optional<Time> answered;        // when its node signed for it
  std::string refused;                 // its code, if it signed that it did not take it
  std::optional<RecallAnswer> answer;  // its newest
  std::string article;                 // of the duty to withdraw; "" = the aim of this program
  std::optional<Time> due;
  std::optional<Time> destroyed;  // it signed that it destroyed its copies
  std::string unreachable;        // why the recall cannot go to it, if it cannot
  // Its node took the recall.
  [[nodiscard]] bool withdrawn() const { return answered && refused.empty(); }
  // Its sensors hold it no more, nor do those of whom it passed it on to.
  [[nodiscard]] bool complete() const { return answer && answer->own.complete; }
  // How long after the duty's time it was complete, or is not yet; 0 = in time.
  [[nodiscard]] int64_t late_us(Time now) const;
};

// Without an article of its own a recall is due within a minute.
inline constexpr int64_t kRecallAimUs = 60'000'000;

// Of any object that this node gave to others. Not recalled: holders without `sent`.
[[nodiscard]] Result<std::vector<Holder>> holders_of(Context& context, Instruments& instruments, const std::string& id);
// kNotFound: this node never published the object.
[[nodiscard]] Result<std::vector<Holder>> recall_status(Context& context, Instruments& instruments,
                                                        const std::string& id);

}  // namespace entente::exchange
