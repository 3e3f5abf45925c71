// The release stage: takes what was committed since it last looked, decides for each agreement and recipient, and
// writes released objects, manifest and leaf in one change. The only way to a partner. Runs as steps on one thread of
// the caller's.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agreement/decide.h"
#include "exchange/consents.h"
#include "exchange/context.h"
#include "exchange/evidence.h"
#include "exchange/instruments.h"
#include "exchange/wire.h"
#include "json/json.h"

namespace entente::exchange {

// Store space: "AGREEMENT RECIPIENT ID" of what went under a consent -> its version, and the source it came from.
inline constexpr std::string_view kOnwardSpace = "onward";

struct ReleaseCount {
  uint64_t released = 0, redacted = 0, withheld = 0;
  std::map<std::string, uint64_t> reasons;  // code -> objects withheld or redacted for it

  [[nodiscard]] static ReleaseCount parse(const json::Value& saved);
  [[nodiscard]] std::string text() const;
};

// One object of a dry run.
struct Planned {
  std::string id, type;
  agreement::Decision decision;
};

class Releaser {
 public:
  // `obstacle`: "" or why nothing but recalls may go to this party under the agreement now, however live it is.
  using Obstacle = std::function<std::string(const agreement::State&, const std::string& to)>;
  Releaser(Context& context, Instruments& instruments, Evidence& evidence, const ConsentDesk& consents,
           std::function<void(const Uuid&)> notify, Obstacle obstacle);

  // Called in step() when nothing waits to be decided for this party.
  using CaughtUp = std::function<Status(const agreement::State&, const std::string& to, const ReleaseCount&)>;
  void on_caught_up(CaughtUp f) { caught_up_ = std::move(f); }

  // Decides at most one batch per agreement, recipient and source; true if there was anything. One caller at a time.
  Result<bool> step();

  // What would go to `to` if these objects were published now. Stores nothing. Thread-safe.
  Result<std::vector<Planned>> plan(const std::vector<std::string_view>& raw_objects, std::string_view to);

  // Counts since the node was made, by agreement and recipient. Thread-safe.
  [[nodiscard]] std::map<std::pair<std::string, std::string>, ReleaseCount> counts() const;
  // Rows that wait to be decided for this recipient.
  [[nodiscard]] uint64_t pending(const agreement::State& state, std::string_view to) const;

 private:
  class Batch;  // release_batch.cc
  Result<bool> batch(const agreement::State& state, const std::vector<agreement::State>& all, const std::string& to,
                     const Uuid& source, const std::string& source_name, const std::string& originator);
  // Decides these rows, all of one source. `position`: how far the source has been read with them; "" for rows that
  // were decided before: withheld (they may go now), or, `sent`, released under a consent (they may have to come back).
  struct Source {
    std::string name, originator;
    bool sent = false;
    bool derived = false;  // with `sent`: of these it has become known since what they are derived from
  };
  Result<bool> decide_rows(const agreement::State& state, const std::vector<agreement::State>& all,
                           const std::string& to, const Source& source, std::vector<store::Row> rows,
                           const std::string& position);
  // Some of what was withheld, if what it hangs on has changed: acts, holds, approvals, other objects, time.
  Result<bool> reconsider(const agreement::State& state, const std::vector<agreement::State>& all,
                          const std::string& to);
  [[nodiscard]] std::string fingerprint(const agreement::State& state, const std::string& to) const;
  // The rows that a partner gave us and its originator lets go on to this party now, and that have not gone.
  Status add_consented(const agreement::State& state, const std::string& to,
                       std::vector<std::pair<std::string, std::string>>& todo) const;
  // Takes back what went under a consent that holds no longer; also while the agreement is not live.
  Result<bool> recheck(const agreement::State& state, const std::vector<agreement::State>& all, const std::string& to);
  // Takes back what went and of which the new rows say that it is derived from something stricter.
  Result<bool> recheck_derived(const agreement::State& state, const std::vector<agreement::State>& all,
                               const std::string& to, const std::vector<store::Row>& rows);
  // Consents that hold now, and consents of which the agreement that the object came under is live besides.
  struct Origin {
    std::string originator;
    Uuid collection;
  };
  [[nodiscard]] Origin origin_of(std::string_view source_name) const;
  // Whose an object is that is not in the log: our own, or the partner's that gave us one of this id. Texts are kept.
  Status whose(const std::string& id, std::deque<std::string>& texts, agreement::GraphObject& o) const;
  [[nodiscard]] bool hangs_on_consent(const agreement::GraphObject& object, const std::string& to,
                                      const std::string& id) const;
  [[nodiscard]] std::vector<std::pair<std::string, std::shared_ptr<const agreement::State>>> givers(
      const std::vector<std::shared_ptr<const agreement::State>>& states, const std::string& to) const;
  [[nodiscard]] std::string consents_print(const std::string& to) const;
  [[nodiscard]] std::vector<agreement::Consent> live_consents() const;
  [[nodiscard]] bool consented(const std::string& originator, const std::string& to, const store::Row& sent) const;
  // Recalls alone, to whoever is or was bound by an agreement that is not live: release.md §3 step 12, "a recall always
  // goes". What else came waits where it is until the agreement is live again.
  Result<bool> recalls(const agreement::State& state, const std::string& to, const Uuid& source,
                       const std::string& source_name);
  // A manifest without objects yet; then, once it has them: its leaf, its signature, and its row before theirs.
  [[nodiscard]] Manifest begin_manifest(const agreement::State& state, const std::string& to) const;
  Status seal_manifest(Manifest& m, const Uuid& target, Evidence::Transaction& tx) const;
  // The id under which the recipient knows an object.
  [[nodiscard]] std::string sent_id(const agreement::State& state, const std::string& to, const std::string& id) const;
  [[nodiscard]] agreement::Inputs inputs(std::string_view to, const std::vector<agreement::State>& all) const;
  [[nodiscard]] ReleaseCount count_of(const std::string& agreement_id, const std::string& to) const;
  [[nodiscard]] std::vector<agreement::Hold> holds() const;
  Time cursor(const agreement::State& state, std::string_view to, const std::string& source_name) const;

  Context& cx_;
  Instruments& instruments_;
  Evidence& evidence_;
  const ConsentDesk& desk_;
  std::function<void(const Uuid&)> notify_;
  Obstacle obstacle_;
  CaughtUp caught_up_;
  std::map<std::string, std::string> pseudonym_keys_;
  std::string my_identity_;
  std::vector<agreement::Hold> holds_;            // as read for the running step
  std::vector<agreement::Consent> consents_;      // likewise
  std::map<std::string, std::string> rechecked_;  // agreement and recipient -> consents_print() of the last recheck
  std::atomic<bool> clock_was_safe_ = true;
  struct Again {  // of one agreement and recipient
    std::string fingerprint;
    Time newest, at;
    size_t last = 0;                                        // how many there were
    std::vector<std::pair<std::string, std::string>> todo;  // id, entry of the index
  };
  std::map<std::string, Again> again_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, ReleaseCount> counts_;
};

}  // namespace entente::exchange
