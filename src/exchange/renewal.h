// Terms that renew themselves (agreement.md §3.2, 11): a warning before the last day on which a party can decline, and
// a ledger entry when a new term began without anybody's act.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "exchange/context.h"
#include "exchange/evidence.h"
#include "exchange/instruments.h"

namespace entente::exchange {

// Thread-safe.
class Renewals {
 public:
  Renewals(Context& context, Instruments& instruments, Evidence& evidence)
      : cx_(context), instruments_(instruments), evidence_(evidence) {}

  // Looks once a minute; cheap in between.
  Status tick();

  struct Warning {
    std::string agreement_id;
    int days = 0;  // 90, 30 or 7: the stage that has been reached
    Time opt_out;  // `no_renewal` counts for this term if it is said before
    Time renews;   // end of the term
  };
  [[nodiscard]] std::vector<Warning> warnings() const;

 private:
  Status look(const agreement::State& state, Time now, std::vector<Warning>& warnings);

  Context& cx_;
  Instruments& instruments_;
  Evidence& evidence_;
  mutable std::mutex mutex_;
  Time looked_{INT64_MIN / 2};
  std::vector<Warning> warnings_;
};

}  // namespace entente::exchange
