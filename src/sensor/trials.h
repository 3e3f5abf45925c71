// The shadow run: a new source, or a new class of what a source asks to block, first only counts. Then a rule or a
// person promotes it, with what it would have done in front of them. Kept over restarts: docs/format/leases.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/time.h"
#include "enforce/target.h"
#include "sensor/effect.h"

namespace entente::sensor {

// One source's one class of targets.
struct TrialKey {
  std::string partner;    // "" = own
  std::string agreement;  // id, "" = own
  std::string kind;       // address, range, name, names-below, address-of-name
  std::string by{};       // of our own: the identity that made it, if that is not we: a feed
  auto operator<=>(const TrialKey&) const = default;
};
[[nodiscard]] std::string kind_of(const enforce::Target& target, bool via_name);

struct Trial {
  uint64_t id = 0;  // shown as "T3"
  TrialKey key;
  Time since{0};
  std::optional<Time> promoted;
  std::string promoted_by;  // "rule" or "person"
  UseCount would;           // what it would have stopped
  uint64_t leases = 0;      // that only counted
  uint64_t refused = 0;     // that the guard would not have had: on protected lists

  [[nodiscard]] std::string name() const { return "T" + std::to_string(id); }
  // "would have stopped 14 flows of 3 clients; 0 on protected lists"
  [[nodiscard]] std::string report() const;
};

struct TrialRules {
  int64_t first_us = 86'400'000'000;  // at least so long; 0: there are no shadow runs
  bool all = false;  // every source; else only what neither an agreement nor our own people have cleared (decision 23)
  bool by_rule = true;  // else only a person promotes
  size_t clients = 50;  // that it would have stopped: above, only a person promotes
  uint64_t flows = 0;   // that it must have met before
};

// Not thread-safe.
class Trials {
 public:
  Trials(Files& files, std::string path, TrialRules rules) : files_(files), path_(std::move(path)), rules_(rules) {}
  // A file that cannot be read begins all runs anew, never ends one.
  void load();
  Status save();  // if something changed

  // Does this class have to run in shadow first? Not what people have cleared: a single address or name under an
  // agreement that lets it block, and what our own people made.
  [[nodiscard]] bool concerns(const TrialKey& key) const;
  // Begins a run if there is none. Null if this class may block, or nothing runs in shadow.
  const Trial* running(const TrialKey& key, Time now);
  [[nodiscard]] const Trial* find(const TrialKey& key) const;
  [[nodiscard]] const Trial* find(std::string_view name) const;  // "T3"
  void granted(const TrialKey& key);
  void flow(const TrialKey& key, uint64_t flow, uint32_t client);
  void packets(const TrialKey& key, uint64_t packets);
  void refused(const TrialKey& key);
  // Those that the rule promotes now: their time is over, nothing was on a protected list, few clients.
  std::vector<TrialKey> due(Time now) const;
  // Why the rule does not promote it yet, for people; "" if it does.
  [[nodiscard]] std::string waits_for(const Trial& trial, Time now) const;
  // The rule has promoted it, and no person: for as long again its leases are short (shadow, limited, full).
  [[nodiscard]] const Trial* limited(const TrialKey& key, Time now) const;
  void promote(const TrialKey& key, std::string_view by, Time now);
  void back(const TrialKey& key, Time now);  // into the shadow again, from now
  [[nodiscard]] const std::map<TrialKey, Trial>& all() const { return all_; }
  static constexpr size_t kMost = 10'000;  // above, feeds are told apart no more
  [[nodiscard]] bool on() const { return rules_.first_us > 0; }

 private:
  Trial* running(const TrialKey& key);
  Files& files_;
  std::string path_;
  TrialRules rules_;
  std::map<TrialKey, Trial> all_;
  uint64_t next_ = 1;
  bool changed_ = false;
};

}  // namespace entente::sensor
