// Duties: the service levels of an agreement as clocks (agreement.md, `service_levels`). What started a clock and what
// stopped it is in the ledgers of both parties (exchange/duties.h collects it); what follows is computed here, purely,
// so that both get the same octets.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/document.h"
#include "agreement/office_hours.h"
#include "base/time.h"

namespace entente::agreement {

// What a service level may be about. One more is one more row of the table in duties.cc.
enum class Trigger : uint8_t {
  kObject,         // an object that was released, from when it was committed
  kReceived,       // a release that came
  kRecall,         // a recall that came
  kOnwardRequest,  // a request for onward release
  kFalsePositive,  // a claim that an indicator is wrong
  kJointCase,      // a proposal of a joint action
};

// What a level may ask of an object.
struct DutyObject {
  std::string type, severity;
  std::optional<int> confidence;
  std::vector<std::string> sectors;
};
// `severity` as the object's property, or as a label "severity:critical".
[[nodiscard]] DutyObject duty_object(std::string_view raw);

// One thing that had to be done. Times are those of leaves.
struct DutyFact {
  Trigger trigger = Trigger::kObject;
  std::string act;  // release acknowledge answer report_outcome
  std::string obligor, to;
  std::string subject;       // id of what it is about
  Time committed, received;  // in the ledger of the party that began it; in that of who owes the act
  std::optional<Time> met;
  std::optional<DutyObject> object;  // of kObject
};

enum class DutyState : uint8_t { kMet, kLate, kOpen, kOverdue };
[[nodiscard]] std::string_view to_text(DutyState state);

struct Duty {
  std::string level, article, act, trigger;  // trigger in words: "object" "received" …
  std::string obligor, to, subject;
  Time started, due;
  std::optional<Time> met;
  DutyState state = DutyState::kOpen;
};

struct ServiceLevel {
  std::string id, article, act;
  Trigger trigger = Trigger::kObject;
  Period within;
  bool from_commit = false;  // else from when it was received
  // Of kObject: what the object must be; empty = any.
  std::optional<int> min_confidence;
  std::string severity;
  std::vector<std::string> sectors, types;
  // By who owes it; empty = always.
  std::map<std::string, OfficeHours> hours;
  [[nodiscard]] Time due(Time started, const std::string& obligor) const;
  [[nodiscard]] Period longest() const;  // by the wall clock
};
// Those that a machine can clock. `others`: ids of those whose trigger, hours or period it does not know; people keep
// them.
[[nodiscard]] std::vector<ServiceLevel> service_levels(const Document& document,
                                                       std::vector<std::string>* others = nullptr);

// The duties at `at`, in order of their due times. Where several levels fit one thing, the shortest is the duty.
[[nodiscard]] std::vector<Duty> duties(std::span<const ServiceLevel> levels, std::span<const DutyFact> facts, Time at);

}  // namespace entente::agreement
