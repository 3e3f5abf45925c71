// The guard: what stands between an indicator and a lease. Checks run in the order of enforcement.md §8.3; every
// verdict has a stable code, a sentence for people and, where the agreement decided, its article. Pure: configuration,
// lists, use so far and time come in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/decide.h"
#include "base/time.h"
#include "enforce/protect.h"
#include "enforce/target.h"

namespace entente::enforce {

enum class Mode : uint8_t { kMonitor, kBlock };

enum class Outcome : uint8_t {
  kBlock,   // lease with drops
  kShadow,  // lease that only counts
  kPerson,  // over a cap: waits for a person, nothing is dropped silently
  kRefuse,
};
[[nodiscard]] std::string_view to_text(Outcome outcome);

// The steps of §8.3, in order.
enum class Step : uint8_t { kPermission = 1, kValidity, kProtected, kBreadth, kImpact, kEvidence, kBudget, kMode };

struct Verdict {
  Outcome outcome = Outcome::kRefuse;
  Step step = Step::kMode;  // that decided
  std::string_view code;    // stable, static storage: "PROTECTED_LIST"
  std::string sentence;
  std::string article;  // of the agreement, where it decided or permitted
};

// What lawful use a block would touch, as far as this sensor has seen (enforcement.md §8.3, step 5).
struct Impact {
  size_t clients = 0;     // that used the target in the last `days`
  bool at_least = false;  // there may be more
  int days = 0;
};

// What came of the leases of the source before (enforcement.md §8.3, step 6).
struct SourceRecord {
  uint64_t granted = 0;
  uint64_t wrong = 0;  // did harm, or its originator withdrew the indicator as a false positive
};

// One target that one indicator asks to block.
struct Proposal {
  Target target;
  std::string partner;          // party it came from; "" if own
  bool live = true;             // its agreement is in force between us and the partner
  agreement::Permission block;  // may(kBlock, …)
  std::string joint;            // the joint action that asks for it, for people; "" if none
  std::string rolled_back;      // why a person has taken it back with others; "" = nobody has
  bool revoked = false;
  std::string disputed;  // its false-positive claim that waits for an answer, for people; "" if none
  std::string upheld;    // its originator's answer that it stands nevertheless; "" if none
  std::string trial;     // why its source counts only for now (shadow run first); "" if it need not
  Time valid_from{0}, valid_until{INT64_MAX};  // half-open
  int confidence = -1;                         // -1 = not stated
  // The name that led to the address (DNS answer, TLS SNI, HTTP Host), and every name seen on this address.
  std::string via_name;
  std::vector<std::string> names_on_address;
  std::optional<Impact> impact;  // nullopt: not known
  SourceRecord record;           // of the partner, or of the identity among its makers (a feed)
  bool renewal = false;          // of a lease in force: the rate caps have counted it already
  bool approved =
      false;  // a person has looked: caps, impact, an upheld claim, the source's record and the shadow
              // run no longer ask for one. Protected lists, breadth, permission and a claim that waits still hold.
};

// What the lease book knows when the guard is asked.
struct Usage {
  size_t entries = 0;              // leases in force, shadow too
  size_t granted_last_minute = 0;  // new, all partners
  size_t granted_by_partner_last_hour = 0;
};

struct GuardConfig {
  Mode mode = Mode::kMonitor;
  int min_bits4 = 24;  // nothing wider is blocked
  int min_bits6 = 48;
  int min_confidence =
      0;  // local; the agreement's own minimum is in Proposal::block. Above 0, unstated confidence is too little.
  size_t names_per_address = 10;  // more registrable names than this on an address: a person decides
  // A source of which at least kWrong leases, and more than this share of all, were wrong: a person decides.
  static constexpr uint64_t kWrong = 3;
  int wrong_percent = 10;
  size_t clients_per_target = 50;  // used by more clients than this before it was blocked: a person decides
  size_t leases_per_minute = 2000;
  size_t leases_per_partner_hour = 5000;
  size_t max_entries = 100'000;
};

class Guard {
 public:
  // The lists outlive the guard. `needed`: what critical services depend on, blocked only by a person.
  Guard(GuardConfig config, const ProtectedList& lists, const ProtectedList* needed = nullptr)
      : config_(config), lists_(lists), needed_(needed) {}
  // The first step that refuses decides; else the first that asks for a person; else the first that only counts; else
  // kBlock with code "OK".
  [[nodiscard]] Verdict check(const Proposal& proposal, const Usage& usage, Time now) const;
  [[nodiscard]] const GuardConfig& config() const { return config_; }

 private:
  GuardConfig config_;
  const ProtectedList& lists_;
  const ProtectedList* needed_;
};

// A public suffix or a registry label ("com", "co.jp", "github.io"): a rule on it would cover strangers. libpsl.
[[nodiscard]] bool is_public_suffix(const std::string& name);
// The name as registered ("example.co.jp" for "a.b.example.co.jp"); the name itself if there is none.
[[nodiscard]] std::string registrable_name(const std::string& name);

}  // namespace entente::enforce
