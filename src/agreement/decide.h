// The release decision (docs: release decision). Pure: no clock, network, randomness or locale; the same input gives
// the same octets.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/act.h"
#include "base/shared_text.h"
#include "base/time.h"
#include "stix/marking.h"

namespace entente::agreement {

struct GraphObject {
  std::string_view raw;             // strict JSON, admitted before
  std::string_view originator;      // party code
  std::string_view received_under;  // agreement id, "" if own
  Tlp inherited = Tlp::kClear;      // floor it came in under
  bool verified = true;             // source signature / manifest checked
  Time committed;
  bool candidate = true;  // false: context only (a referenced object): may make references resolve, is itself decided,
                          // but not asked for
  bool known_to_recipient =
      false;  // the recipient originated it or already has this version: not sent again, references to it resolve
  // With known_to_recipient: the id under which the recipient has it, if it was redacted when it was sent; "" = not
  // stated. If it is not stated and the recipient is not the originator, the id is what the present rules would make of
  // it.
  std::string_view sent_id;
};

struct Consent {  // originator's consent to onward release
  std::string originator, recipient, object_id, version;
  Time valid_from, valid_until;
  std::string agreement = {};  // under which the originator gave the object and the consent; "" = not stated
  std::string purpose = {};    // for which; the instrument that governs the release must have it; "" = not stated
};
struct Hold {  // national hold, embargo, judicial hold on an object id
  std::string object_id;
  std::string reason;              // NATIONAL_HOLD | EMBARGO
  std::optional<Time> not_before;  // embargo end
};
struct Policy {  // local configuration: can only narrow
  std::vector<std::string> withhold_types;
  std::optional<Tlp> max_tlp;
  // What people look at first: objects of these types, and those marked so or stricter, or not marked at all.
  std::vector<std::string> review_types;
  std::optional<Tlp> review_from;
  int review_persons = 2;  // so many approve, none of them who published it
};

struct Reason {
  std::string_view code;  // release.md §6; static storage
  SharedText agreement;   // id, may be empty
  SharedText version;     // document hash
  std::string article;    // "3(1)", may be empty
  std::string note;       // "what would have to change"
};

enum class Verdict : uint8_t { kReleased, kRedacted, kWithheld, kKnown };

struct Decision {
  size_t object = 0;  // index in the graph
  Verdict verdict = Verdict::kWithheld;
  std::string id;               // id sent (new if redacted); the object's own otherwise
  std::string bytes;            // kRedacted: octets to send. kReleased: empty, send the raw text unchanged
  std::vector<Reason> reasons;  // why withheld / what was redacted; for released one PERMIT
  // Governing instrument of what is released.
  SharedText agreement, agreement_version;
  std::string flow, article;
  Tlp told_tlp = Tlp::kClear;  // handling told to the receiver: mark joined with floor
  Pap told_pap = Pap::kClear;
};

struct Inputs {
  std::string_view me, recipient;
  Time at;
  bool clock_safe = true;
  std::span<const State> instruments;  // folded at `at`
  std::span<const Consent> consents;
  std::span<const Hold> holds;
  Policy policy;
  std::map<std::string, std::string> pseudonym_keys;  // agreement id -> K_agreement (32 octets)
  std::string my_identity_id;  // public identity of the releasing party (created_by_ref replacement)
  std::vector<std::string>
      public_ids;  // identities of public authorities and published standard objects that references may name
  // Agreements under which nothing may go for now, though they are live, and why: no witness has seen our ledger for
  // longer than the grace, or the recipient's contradicts itself (ledger.md §4, §7).
  std::map<std::string, std::string> unwitnessed = {};
  std::set<std::string> approved = {};  // "id version" of what enough persons have approved for this recipient
};

// One decision per graph object, in graph order. Marking definitions of the nine OASIS TLP objects need not be in the
// graph.
[[nodiscard]] std::vector<Decision> decide(std::span<const GraphObject> graph, const Inputs& in);

// Recall (step 12): the tombstone for an object that was sent before: {type,id,created?,modified,revoked:true…} without
// content.
[[nodiscard]] std::string tombstone(std::string_view raw, std::string_view sent_id, std::string_view modified);

// The receiving side (release.md §8): may the receiver act on this object under this instrument?
enum class Action : uint8_t { kMonitor, kBlock };
struct Permission {
  bool allowed = false;
  std::string article;
  std::string why;  // rule, and what would change it
};
struct Handling {          // of a received indicator
  std::optional<Pap> pap;  // from its markings; agreement's default otherwise
  std::optional<int> confidence;
  std::vector<std::string> indicator_types;
};
[[nodiscard]] Permission may(Action action, const Handling& object, const State& instrument);

}  // namespace entente::agreement
