// The bodies of the steps of a consent, read strictly: one unknown member makes a step nobody's.
#pragma once

#include <string>

#include "agreement/onward.h"

namespace entente::agreement::internal {

struct OnwardBody {
  std::string request;  // hash of the onward_ask act; "" in one, which is the request
  OnwardTerms terms;    // onward_ask and onward_give; the other kinds name the two parties alone
  std::string reason;
};
[[nodiscard]] Result<OnwardBody> read_onward_body(const Act& act);

}  // namespace entente::agreement::internal
