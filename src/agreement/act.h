// Signed acts and the state they fold to. State is computed, never stored: two nodes with the same acts and time
// compute the same state.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/document.h"
#include "base/crypto.h"
#include "base/result.h"
#include "base/signing_key.h"
#include "base/time.h"

namespace entente::agreement {

// {"agreement_id","body","effective_at","kind","party","prev_act","text_version"}: JCS text, signed by one or more keys
// of the party as JWS with detached payload (RFC 7515 App. F), protected header
// {"alg":"Ed25519","kid":…,"typ":"entente-act+jws"}.
struct Act {
  std::string kind;  // propose initial sign notify_completed certify_start suspend resume withdraw …
  std::string agreement_id;
  std::string text_version;  // document hash
  std::string prev_act;      // "" or hash of the party's own previous act
  std::string party;
  Time effective_at;
  json::Node body;  // propose carries {"document": {...}}; suspend {"scope":…, "reason":…}

  [[nodiscard]] std::string canonical() const;
  [[nodiscard]] std::string hash() const;  // SHA-256 hex of canonical()
};

struct Signature {
  std::string kid;
  std::string jws_protected;  // base64url of the protected header
  std::string signature;      // 64 octets
};

struct SignedAct {
  Act act;
  std::vector<Signature> sigs;
  // One JSON object {"act":{…},"sigs":[{"protected":…,"signature":…}]}; canonical, so that hashes agree.
  [[nodiscard]] std::string text() const;
};
inline constexpr size_t kMaxActBytes = 8u << 20;
inline constexpr size_t kMaxSignatures = 64;
// Strict: canonical-equal to what was received, header allow-list, alg bound. Signatures are not verified here (that
// needs the document).
[[nodiscard]] Result<SignedAct> parse_signed_act(std::string_view text);
[[nodiscard]] Signature sign_act(const Act& act, std::string_view kid, const SecretKey& key);
[[nodiscard]] Result<Signature> sign_act(const Act& act, std::string_view kid, SigningKey& key);

enum class StateKind : uint8_t {
  kNone,
  kDraft,
  kFinalised,
  kPartSigned,
  kSigned,
  kProvisional,
  kInForce,
  kSuspended,
  kEnding,
  kTerminated,
  kExpired,
  kAbandoned
};
[[nodiscard]] std::string_view to_text(StateKind s);

struct Refused {
  std::string act_hash;
  std::string kind;
  std::string why;  // rule and remedy
  // Its signatures fill the quorum: the act is its party's, but has no effect (state, content), or it narrows because
  // its chain forks or has a gap. Such an act is kept; one whose signatures do not count is nobody's.
  bool counts = false;
};

// Who takes part in a pillar of an initiative, and who leads it.
struct Pillar {
  std::set<std::string> participants;
  std::string lead;  // "" = nobody yet
};

// A joint project under this instrument (agreement.md §3.5).
struct Project {
  std::string id;
  std::string stage;  // proposed, host asked, host consented, open, closing, closed
  std::vector<std::string> waiting_for;
};

// The instrument as it stands for everybody at one time.
struct State {
  std::string agreement_id;
  StateKind kind = StateKind::kNone;          // of the whole
  std::map<std::string, StateKind> by_party;  // suspended by one party shows here and in `kind`
  // The text that all parties share, with every party's keys, TLS keys and contacts as its notices left them, and with
  // the parties that acceded. `hash`, `canonical` and `node` are those of the text as it was signed.
  std::optional<Document> document;
  std::optional<Time> start, end;         // [start, end)
  std::map<std::string, Time> joined;     // who came later, and its start: nothing committed before is for it
  std::set<std::string> suspended_flows;  // permits of these flows stop for everybody (suspension of scope {"flow":…})
  std::set<std::string> suspended_sectors;  // permits stop for objects of these sectors and of unknown sector
  std::set<std::pair<std::string, std::string>> closed;      // no permit between these two (smaller code first)
  std::map<std::string, std::set<std::string>> provisional;  // party -> flows that it applies before its start
  std::map<std::string, Time> provisional_since;             // party -> since when
  std::map<std::string, std::set<std::string>> declared;     // party -> the only flows that it takes part in
  // Amended texts that some pairs of parties have accepted and others not; and each party's way through the texts.
  std::map<std::string, std::shared_ptr<const Document>> later_texts;  // by hash
  std::map<std::string, std::vector<std::string>> path;                // party -> texts that bind it, oldest first
  std::map<std::string, Pillar> pillars;
  std::vector<Project> projects;
  std::string project;                          // this state is that of a project: its id; else ""
  std::set<std::string> began;                  // parties for which it was in force once
  std::vector<std::string> waiting_for;         // words: "signature of JP by a plenipotentiary"
  std::vector<std::string> unsure;              // why this node cannot be sure and so is in the narrow state; words
  std::vector<Refused> refused;                 // acts without effect, and why
  std::map<std::string, std::string> last_act;  // party -> hash of its newest valid act (prev_act of its next)

  // Permits flow between a and b (both in force or applying provisionally, not suspended). `bound`: the same but
  // suspended allowed (forbids, duties).
  [[nodiscard]] bool live(std::string_view a, std::string_view b) const;
  [[nodiscard]] bool bound(std::string_view a, std::string_view b) const;
  // Bound, or was in force between them once: a recall still goes, and is still taken (release.md §3 step 12).
  [[nodiscard]] bool recallable(std::string_view a, std::string_view b) const;
  // Was in force between them, and this article stays after the end (duration.survives).
  [[nodiscard]] bool survives(std::string_view a, std::string_view b, std::string_view article) const;
  // Live, and this flow is open between the two: not suspended, applied by both, declared by both.
  [[nodiscard]] bool permits(std::string_view flow, std::string_view a, std::string_view b) const;
  // The last text that both have accepted; null without a document.
  [[nodiscard]] const Document* between(std::string_view a, std::string_view b) const;
};

// Acting keys (plenipotentiary and authority, public_hex) that a node knows by other means than the document: its own
// at least. A text that gives a party named here other acting keys is refused, so that nobody can propose a text under
// which he signs for another.
using Pins = std::map<std::string, std::set<std::string>>;

namespace internal {
struct Evidence;
}

// What a set of acts says, worked out once: texts read, signatures and quorums checked, chains put in order. That is
// nearly all of the cost of a fold, and none of it depends on when one asks. Immutable, so thread-safe; copies share.
class History {
 public:
  // `acts`: all acts known, in any order, of any agreement; only those of `agreement_id` count.
  History(std::string_view agreement_id, std::span<const SignedAct> acts, const Pins& pins);
  [[nodiscard]] State at(Time t) const;
  // The projects under the instrument that are open at t, each as an instrument of its own (State::project).
  [[nodiscard]] std::vector<State> projects_at(Time t) const;

 private:
  std::string agreement_id_;
  std::shared_ptr<const internal::Evidence> evidence_;
};

// History(agreement_id, acts, pins).at(at). Pure; the result does not depend on the order of the acts.
[[nodiscard]] State fold(std::string_view agreement_id, std::span<const SignedAct> acts, Time at);
[[nodiscard]] State fold(std::string_view agreement_id, std::span<const SignedAct> acts, Time at, const Pins& pins);

// Would this act have effect if it were added now? Error says which rule and what would change it.
[[nodiscard]] Status admissible(const SignedAct& act, std::span<const SignedAct> known, Time at);
[[nodiscard]] Status admissible(const SignedAct& act, std::span<const SignedAct> known, Time at, const Pins& pins);

// Is this act its party's: do its signatures fill the quorum by the keys that its party had there? It may all the same
// have no effect. A node keeps such acts of others, because all nodes with the same acts must see the same state: of
// two that fork a chain, both are kept, and their party is narrow.
[[nodiscard]] bool counts(const SignedAct& act, std::span<const SignedAct> known, const Pins& pins);

// Do the signatures of `act` fill the quorum that `doc` asks of its kind? Roles, windows of validity at effective_at,
// one key and one custodian once, keys of the acting party only. The error says what is missing.
[[nodiscard]] Status check_quorum(const SignedAct& act, const Document& doc);
// Role -> count for an act kind; kUnsupported for a kind that nobody defined.
[[nodiscard]] Result<std::map<std::string, int>> quorum_of(std::string_view kind, const Document& doc);
// The same for one act: a notice that only revokes asks for less than one that adds keys.
[[nodiscard]] Result<std::map<std::string, int>> quorum_of(const Act& act, const Document& doc);

}  // namespace entente::agreement
