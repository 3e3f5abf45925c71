// Consents to onward release (agreement.md §2, originator control): the party that holds another's object asks its
// originator whether it may go on to a third party; the originator gives, denies or withdraws.
//
// These are signed acts of the kinds below (docs/format/consents.md), under the agreement by which the object came:
// they travel, are kept and are proven as the acts of the agreement are, between the two parties concerned alone, and
// change nothing of the agreement's own state. What is consented to is computed from them at a time and never stored.
//
// Widen together: a consent takes the holder's request and the originator's word, each by the keys of its party, and
// the word cannot go beyond the request. Narrow alone: a denial or a withdrawal takes one key of the originator and
// stands whatever else is known.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/act.h"
#include "agreement/decide.h"
#include "base/result.h"
#include "base/time.h"

namespace entente::agreement {

// onward_ask onward_give onward_deny onward_withdraw
[[nodiscard]] constexpr bool is_onward(std::string_view kind) { return kind.starts_with("onward_"); }

inline constexpr std::string_view kEveryVersion = "*";

// What a request asks for, and what a consent allows of it.
struct OnwardTerms {
  std::string originator, holder;  // whose object it is, and who holds it
  std::string object;              // STIX id, as the holder has it
  std::string version;             // its `modified`, "" for what has no versions, "*" for later versions too
  std::string sha256;              // of the octets that the holder has; "" with version "*"
  std::string recipient;           // the third party
  std::string purpose;             // one of the agreement's
  std::optional<Time> until;       // always there in a consent
};

enum class OnwardStage : uint8_t {
  kAsked,      // the originator has not answered: silence is no consent
  kGiven,      // it may go on, until `until`
  kExpired,    // the consent, or the request that nobody answered, is over
  kDenied,     // by the originator
  kWithdrawn,  // by the originator, or the request by its holder
  kVoid,       // its steps cannot be trusted, or break a rule of the agreement
};
[[nodiscard]] std::string_view to_text(OnwardStage stage);

// A request and what became of it.
struct Onward {
  std::string id;  // hash of the onward_ask act
  std::string agreement_id, article;
  OnwardTerms asked;
  std::optional<OnwardTerms> given;  // the terms of the consent that stands, or stood last
  OnwardStage stage = OnwardStage::kAsked;
  Time asked_at;
  std::optional<Time> given_at, answered_at;     // of the consent that stands; of the first answer of any kind
  std::string reason, request_reason;            // of the originator's last word; of the request
  std::string doubt;                             // why a step cannot be trusted
  std::vector<Refused> refused;                  // steps without effect, and why
  std::map<std::string, std::string> last_step;  // party -> prev_act of its next step

  [[nodiscard]] const std::string& holder() const { return asked.holder; }
  [[nodiscard]] const std::string& originator() const { return asked.originator; }
};

namespace internal {
struct OnwardSteps;
}

// The steps among a set of acts, read once. Immutable to its users, so thread-safe; copies share.
class OnwardHistory {
 public:
  OnwardHistory(std::string_view agreement_id, std::span<const SignedAct> acts);
  // Requests at t, oldest first. `state`: the agreement at t, whose keys judge the steps.
  [[nodiscard]] std::vector<Onward> at(const State& state, Time t) const;
  [[nodiscard]] bool empty() const;
  // Every step given could be read, and is its party's by the keys of this state.
  [[nodiscard]] bool keeps(const State& state) const;
  // These and one more.
  [[nodiscard]] OnwardHistory with(const SignedAct& step) const;

 private:
  OnwardHistory() = default;
  std::string agreement_id_;
  std::shared_ptr<const internal::OnwardSteps> steps_;
};

// The consents of these requests, for decide(): what is given, and what was given and is over.
[[nodiscard]] std::vector<Consent> consents_of(std::span<const Onward> requests);

// The two parties that a step concerns: it goes to nobody else. Empty if its body is not readable.
[[nodiscard]] std::set<std::string> onward_parties(const Act& step);

// Would this step have effect? As admissible() is for acts, which calls this one for these kinds.
[[nodiscard]] Status onward_admissible(const SignedAct& step, std::span<const SignedAct> known, const State& state,
                                       Time at);
// Is this step its party's, with or without effect?
[[nodiscard]] bool onward_counts(const SignedAct& step, const State& state);

}  // namespace entente::agreement
