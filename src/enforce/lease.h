// A block in force, with its reason and its end; and the book of all of them. The book is memory first and a file of
// JSON lines second (docs/format/leases.md): what it knows survives a kill, and leases come back with the end they had.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/time.h"
#include "enforce/guard.h"
#include "enforce/target.h"
#include "json/node.h"

namespace entente::enforce {

enum class LeaseState : uint8_t {
  kActive,   // drops
  kShadow,   // counts only
  kWaiting,  // asked for; over a cap, a person decides
  kEnded,
};
[[nodiscard]] std::string_view to_text(LeaseState state);
[[nodiscard]] Result<LeaseState> parse_lease_state(std::string_view text);

// Why a lease ended. Stable words.
namespace ended {
inline constexpr std::string_view kTime = "time";  // its end came
inline constexpr std::string_view kRevoked =
    "revoked";  // indicator revoked, recalled or replaced by one that no longer names the target
inline constexpr std::string_view kAgreement = "agreement";     // no longer live between us and the partner
inline constexpr std::string_view kLifted = "lifted";           // by a person
inline constexpr std::string_view kRolledBack = "rolled-back";  // by a person, with what else came then
inline constexpr std::string_view kGuard = "guard";             // the guard no longer lets it stand
inline constexpr std::string_view kHarm = "harm";               // it hit what is lawful: lifted first, examined after
inline constexpr std::string_view kDisputed = "disputed";       // a false-positive claim waits for its answer
inline constexpr std::string_view kPromoted = "promoted";       // its source's shadow run ended: it drops now
inline constexpr std::string_view kJoint = "joint";             // a measure of a joint action began, ended or changed
}  // namespace ended

struct Lease {
  uint64_t id = 0;  // shown as "L17"
  Target target;
  LeaseState state = LeaseState::kActive;
  std::string reason;     // for people: "shared by JP: phishing"
  std::string indicator;  // id of the source object
  std::string version;    // its version
  std::string partner;    // originating party, "" if own
  std::string agreement;  // id
  std::string article;
  std::string batch;  // what arrived with its indicator: "JP@2027-01-15T08:00:00Z"
  std::string joint;  // id of the joint action that it is a measure of; "" if none
  // The guard's verdict when it was granted.
  int step = 0;
  std::string code;
  std::string sentence;
  std::string detection;  // what was seen, if that is why it was granted: "dns answer phish.example -> 198.51.100.7"
  std::string via_name;
  Time start, end;       // in force during [start, end)
  std::string ended_by;  // kEnded: one of ended::
  Time ended_at;
  uint64_t hits = 0;                       // packets counted by enforcers
  std::optional<uint64_t> clients_before;  // that used the target in the days before, if known

  [[nodiscard]] bool in_force() const { return state == LeaseState::kActive || state == LeaseState::kShadow; }
  [[nodiscard]] std::string name() const { return "L" + std::to_string(id); }
};
[[nodiscard]] json::Node to_json(const Lease& lease);
[[nodiscard]] Result<Lease> lease_from_json(const json::Value& value);

// What to end: every field that is set must fit.
struct LeaseQuery {
  std::optional<uint64_t> id{};
  std::optional<std::string> indicator{}, agreement{}, partner{}, target{};
  std::optional<Time> granted_since{};
};

// Not thread-safe. Changes are in memory at once and in the file after flush().
class LeaseBook {
 public:
  struct Options {
    size_t keep_ended = 10'000;         // ended leases remembered for `why`
    size_t max_waiting = 10'000;        // over that, the oldest one waiting is ended
    uint64_t compact_bytes = 4u << 20;  // the file is rewritten when it is this long and about twice what it need be
  };
  // Reads the file if there is one. A torn last line is dropped, damaged lines are skipped and counted: a lease book
  // must never keep the sensor from starting. Leases whose end is past are ended.
  static Result<std::unique_ptr<LeaseBook>> open(Files& files, std::string path, Time now, Options options);
  static Result<std::unique_ptr<LeaseBook>> open(Files& files, std::string path, Time now) {
    return open(files, std::move(path), now, Options());
  }

  // Assigns the id and returns it. Requires: state is not kEnded, end > now.
  uint64_t grant(Lease lease, Time now);
  // A new end (and verdict) for a lease in force; never after `end` of its indicator, which is the caller's to know.
  bool renew(uint64_t id, Time end, Time now);
  // A waiting lease comes into force.
  bool approve(uint64_t id, LeaseState state, Time end, Time now);
  // Ends all that fit and are not ended yet (waiting ones too); returns them as they are now.
  std::vector<Lease> end(const LeaseQuery& query, std::string_view why, Time now);
  std::vector<Lease> expire(Time now);
  void count(uint64_t id, uint64_t hits);  // adds

  [[nodiscard]] const Lease* find(uint64_t id) const;
  // The lease (in force or waiting) of this indicator on this target, under this agreement if one is named.
  [[nodiscard]] const Lease* find(const std::string& target, const std::string& indicator,
                                  const std::string* agreement = nullptr) const;
  [[nodiscard]] std::vector<const Lease*> on_target(const std::string& target) const;  // in force
  [[nodiscard]] std::vector<const Lease*> of_indicator(const std::string& id) const;   // in force or waiting
  [[nodiscard]] std::vector<Lease> snapshot(bool with_ended) const;                    // by id
  // In force, by id, from the first after `after`; at most `limit`.
  [[nodiscard]] std::vector<Lease> in_force(uint64_t after, size_t limit) const;
  void for_each_ending_before(Time t, const std::function<void(const Lease&)>& fn) const;  // in force
  [[nodiscard]] Usage usage(const std::string& partner, Time now);
  [[nodiscard]] size_t count(LeaseState state) const { return counts_[static_cast<size_t>(state)]; }
  [[nodiscard]] size_t damaged_lines() const { return damaged_; }
  [[nodiscard]] uint64_t revision() const { return revision_; }  // another number after every change but of hits

  // Writes what changed since the last flush; `sync` makes it durable. On failure the changes stay queued for the next
  // flush.
  Status flush(bool sync);

 private:
  explicit LeaseBook(Files& files, std::string path, Options options)
      : files_(files), path_(std::move(path)), options_(options) {}
  void load(std::string_view text);
  void apply_line(std::string_view line);
  void put(Lease lease);
  void set_state(Lease& lease, LeaseState state);
  void finish(Lease& lease, std::string_view why, Time now);
  void journal(const json::Node& line);
  [[nodiscard]] std::vector<uint64_t> select(const LeaseQuery& query) const;
  [[nodiscard]] std::string compacted() const;

  Files& files_;
  std::string path_;
  Options options_;
  std::map<uint64_t, Lease> leases_;
  std::unordered_map<std::string, std::set<uint64_t>> by_target_, by_indicator_;  // not ended
  std::set<std::pair<int64_t, uint64_t>> by_end_;                                 // in force
  std::set<uint64_t> waiting_;
  std::deque<uint64_t> ended_;
  std::deque<std::pair<int64_t, std::string>> granted_;  // of the last hour: time, partner
  std::unordered_map<std::string, size_t> granted_by_partner_;
  void forget_grants(Time now);
  void forget_ended();
  std::array<size_t, 4> counts_{};
  uint64_t next_ = 1, revision_ = 1;
  std::string pending_;
  bool torn_ = false;  // the file may end inside a line
  uint64_t file_bytes_ = 0;
  size_t damaged_ = 0;
};

}  // namespace entente::enforce
