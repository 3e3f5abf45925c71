// What leases really stopped, or would have: per lease and per source (safety rule 13). Kept over restarts in a file
// that what changed is appended to: docs/format/leases.md.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "json/json.h"
#include "json/node.h"

namespace entente::sensor {

// Packets as enforcers count them; flows and their clients as this sensor sees them, up to a bound.
struct UseCount {
  static constexpr size_t kMaxFlows = 512;  // told apart; above, a flow may count again
  static constexpr size_t kMaxClients = 1'024;
  uint64_t packets = 0, flows = 0;
  std::set<uint32_t> clients;                // hashes
  std::unordered_set<uint64_t> known_flows;  // of this run
  std::vector<uint32_t> fresh;               // clients that are not in the file yet

  void add_flow(uint64_t flow, uint32_t client);
  [[nodiscard]] bool empty() const { return packets == 0 && flows == 0; }
  // "14 flows of 3 clients"
  [[nodiscard]] std::string words() const;
  [[nodiscard]] json::Node to_json() const;
  static UseCount from_json(const json::Value& v);
};

// A partner, or for our own indicators and within a partner's the identity that made them (`created_by_ref`): a feed.
struct EffectSource {
  std::string partner;  // "" = own
  std::string by;       // identity--…, "" if not stated
  auto operator<=>(const EffectSource&) const = default;
};

struct SourceEffect {
  uint64_t granted = 0;       // leases
  uint64_t harmed = 0;        // of them lifted because they did harm
  uint64_t false_claims = 0;  // indicators of it that their originator withdrew as false positives
  UseCount stopped;           // by leases that drop
  UseCount counted;           // by leases that only count

  [[nodiscard]] uint64_t wrong() const { return harmed + false_claims; }
};

// Not thread-safe.
class Effect {
 public:
  Effect(Files& files, std::string path) : files_(files), path_(std::move(path)) {}
  void load();  // lines that cannot be read are said, and left out
  // Appends what changed since the last call; now and then the file is written anew without what is over. What is
  // written costs as much as changed, and the file is at most three times what it has to say (and 256 KiB).
  Status save();

  void granted(const EffectSource& source);
  void harmed(const EffectSource& source);
  void false_claim(const EffectSource& source);
  void flow(uint64_t lease, const EffectSource& source, bool drops, uint64_t flow, uint32_t client);
  void packets(uint64_t lease, const EffectSource& source, bool drops, uint64_t packets);
  [[nodiscard]] const UseCount* of_lease(uint64_t lease) const;
  [[nodiscard]] const SourceEffect* of_source(const EffectSource& source) const;
  [[nodiscard]] const std::map<EffectSource, SourceEffect>& sources() const { return sources_; }
  // Forgets the leases that `keep` does not know any more.
  template <class Keep>
  void forget(Keep keep) {
    std::erase_if(leases_, [&](const auto& entry) { return !keep(entry.first); });
    std::erase_if(changed_leases_, [&](uint64_t id) { return !leases_.contains(id); });
  }
  [[nodiscard]] size_t leases() const { return leases_.size(); }

 private:
  SourceEffect& of(const EffectSource& source);
  UseCount& use_of(uint64_t lease);
  Status read_line(std::string_view line);
  Files& files_;
  std::string path_;
  std::map<uint64_t, UseCount> leases_;
  std::map<EffectSource, SourceEffect> sources_;
  std::set<uint64_t> changed_leases_;
  std::set<EffectSource> changed_sources_;
  uint64_t file_bytes_ = 0, whole_bytes_ = 0;  // now, and when it was last written anew
  bool anew_ = true;                           // what the file has is not known
};

}  // namespace entente::sensor
