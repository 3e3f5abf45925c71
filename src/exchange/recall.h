// How far a recall has come: each party that ever had the object, and what its signed receipts say of the tombstone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "exchange/context.h"
#include "exchange/instruments.h"

namespace entente::exchange {

struct Holder {
  std::string party, agreement;
  std::string sent_id;           // the id under which it has the object
  std::optional<Time> sent;      // when the recall was released to it; absent: not yet
  std::optional<Time> answered;  // when its node signed for it
  std::string refused;           // its code, if it signed that it did not take it
  [[nodiscard]] bool withdrawn() const { return answered && refused.empty(); }
};

// Whoever ever had the object from this node, also one that a partner gave us.
[[nodiscard]] Result<std::vector<Holder>> holders_of(Context& context, Instruments& instruments, const std::string& id);
// The same of an object of our own. kNotFound: this node never published the object. Not recalled: holders without
// `sent`.
[[nodiscard]] Result<std::vector<Holder>> recall_status(Context& context, Instruments& instruments,
                                                        const std::string& id);

}  // namespace entente::exchange
