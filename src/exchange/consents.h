// Consents to onward release as this node sees them (agreement/onward.h): what partners gave us that may go on, what
// waits for an answer, and what a request has to name.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/onward.h"
#include "exchange/context.h"
#include "exchange/instruments.h"

namespace entente::exchange {

// An object of a partner that is here, and what a request about it has to name.
struct Askable {
  std::string agreement_id;
  agreement::OnwardTerms terms;  // without recipient, purpose and end
  std::string type;
  std::vector<std::string> purposes;  // of the agreement
};

// Thread-safe.
class ConsentDesk {
 public:
  ConsentDesk(Context& context, const Instruments& instruments) : cx_(context), instruments_(instruments) {}

  // All requests known here, under every agreement, now; oldest first.
  [[nodiscard]] std::vector<agreement::Onward> requests() const;
  // What the release stage decides with: consents of which this party is the holder, in force or over. One for certain
  // octets is left out while the object here has others.
  [[nodiscard]] std::vector<agreement::Consent> consents() const;
  // The newest version of a partner's object, one for each partner and agreement that it came by.
  [[nodiscard]] Result<std::vector<Askable>> askable(const std::string& object) const;
  // The object of our own that the other party knows by this id: "" if it is none of ours.
  [[nodiscard]] std::string own_object(const std::string& agreement_id, const std::string& other,
                                       const std::string& object) const;
  // Whether our own people may make this step: a consent does not chain, so what a partner gave us is not ours to
  // consent to.
  [[nodiscard]] Status may_make(const agreement::Act& step) const;

 private:
  [[nodiscard]] bool octets_are(const agreement::Onward& o) const;

  Context& cx_;
  const Instruments& instruments_;
  mutable std::mutex mutex_;
  mutable std::set<std::string> matched_;  // requests whose octets were compared: they do not change
};

}  // namespace entente::exchange
