// False-positive claims (docs/format/claims.md): what this party says of a partner's indicators, what partners say of
// ours, and the answers, with the agreement's clock. Claims are objects like any other: what makes them here goes
// through the log and the release stage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/admission.h"
#include "exchange/context.h"
#include "exchange/instruments.h"
#include "json/node.h"

namespace entente::exchange {

struct Claim {
  std::string id;
  std::string of, version;  // the indicator, as the claimant knows it
  std::string agreement, claimant, originator, reason;
  uint64_t hits = 0;
  Time at{0};                // committed here
  std::optional<Time> sent;  // released to its originator; of ours only
  std::optional<Time> due;   // by the agreement; nullopt: it sets no time, or the claim has not gone yet
  std::string answer;        // "", "upheld", "withdrawn"
  std::string answer_id, answer_reason;
  std::optional<Time> answered_at;
  // Why what we said, the claim or the answer, has not gone to the other side yet, with what would change it; "" if it
  // has, or if it is theirs.
  std::string waits_for;

  [[nodiscard]] bool open() const { return answer.empty(); }
  [[nodiscard]] bool overdue(Time now) const { return open() && due && *due < now; }
};
[[nodiscard]] json::Node to_json(const Claim& claim, Time now);

// Calls are for one thread at a time (the exchange holds the lock).
class Claims {
 public:
  Claims(Context& context, const Instruments& instruments) : cx_(context), instruments_(instruments) {}

  // Makes and stores a claim; made twice it is the same. `agreement` may be "" if the indicator came under one only.
  // kNotFound: no such indicator came. kDenied: it is ours, or no flow carries a claim.
  Result<Claim> make(const std::string& of, const std::string& agreement, std::string_view reason, uint64_t hits,
                     const std::string& by);
  // Stores the answer to a claim of a partner. The recall of a withdrawn indicator is the caller's, before this.
  // kConflict: answered already.
  Result<Claim> answer(const std::string& id, bool withdrawn, std::string_view reason, const std::string& by);
  [[nodiscard]] Result<Claim> find(const std::string& id) const;
  [[nodiscard]] Result<std::vector<Claim>> all() const;  // oldest first
  // Our own id of the indicator that a partner's claim is about.
  [[nodiscard]] Result<std::string> own_id(const Claim& claim) const;

 private:
  [[nodiscard]] Result<std::string> carrier(const std::string& agreement, const std::string& from,
                                            const std::string& to) const;
  Status store(const Claim& claim, const json::Node& object, const std::string& by);
  void add_clock(Claim& claim) const;
  // When the object went to `to` under the agreement, under its own id or the one it was sent as.
  [[nodiscard]] std::optional<Time> sent_at(const std::string& agreement, const std::string& to,
                                            const std::string& id) const;
  [[nodiscard]] std::string waits_for(const std::string& agreement, const std::string& to, const std::string& id) const;
  Context& cx_;
  const Instruments& instruments_;
};

// An object that a partner released to us: if it is a claim about what we gave it, or its answer to a claim of ours,
// that is noted in the same change.
void note_claim(Context& cx, store::Change& change, const json::Value& object, const stix::Summary& summary,
                const RowMeta& meta);

}  // namespace entente::exchange
