// The review queue: what waits for people before it may go to a party (configuration, [policy] review_…). Approvals are
// for one version and one recipient, by persons other than who published it, and each is a leaf of the private log.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/context.h"
#include "exchange/evidence.h"
#include "exchange/instruments.h"

namespace entente::exchange {

// Store space of what was withheld: "AGREEMENT PARTY ID" -> "VERSION\nSOURCE\nCODES" (codes apart by blanks).
inline constexpr std::string_view kWithheldSpace = "withheld";

struct Waiting {
  std::string id, type, version, to, agreement;
  std::string publisher;  // who posted it
  std::vector<std::string> approved_by;
};

// Everything that only persons keep from going. Thread-safe, as all of these.
[[nodiscard]] Result<std::vector<Waiting>> waiting_for_review(const Context& cx);

// `caller`: "person ROLE NAME". One person's approval; what is left is in the answer. kNotFound: nothing waits under
// this id for this party. kDenied: who published it, and who has approved it already.
Result<Waiting> approve(Context& cx, const Instruments& instruments, Evidence& evidence, const std::string& id,
                        const std::string& to, const std::string& caller);
// A hold on the object, for every recipient; approvals given so far are void.
Status decline(Context& cx, const Instruments& instruments, Evidence& evidence, const std::string& id,
               const std::string& to, const std::string& caller, const std::string& reason);

// "id version" of what enough persons have approved for this party.
[[nodiscard]] std::set<std::string> approved(const Context& cx, std::string_view to);

}  // namespace entente::exchange
