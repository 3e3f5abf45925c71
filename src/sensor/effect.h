// What leases really stopped, or would have: per lease and per source (safety rule 13). Kept over restarts:
// docs/format/leases.md.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

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
  uint64_t granted = 0;  // leases
  uint64_t harmed = 0;   // of them lifted because they did harm
  UseCount stopped;      // by leases that drop
  UseCount counted;      // by leases that only count
};

// Not thread-safe.
class Effect {
 public:
  Effect(Files& files, std::string path) : files_(files), path_(std::move(path)) {}
  void load();    // a file that cannot be read is said, and counting begins anew
  Status save();  // if something changed

  void granted(const EffectSource& source);
  void harmed(const EffectSource& source);
  void flow(uint64_t lease, const EffectSource& source, bool drops, uint64_t flow, uint32_t client);
  void packets(uint64_t lease, const EffectSource& source, bool drops, uint64_t packets);
  [[nodiscard]] const UseCount* of_lease(uint64_t lease) const;
  [[nodiscard]] const std::map<EffectSource, SourceEffect>& sources() const { return sources_; }
  // Forgets the leases that `keep` does not know any more.
  template <class Keep>
  void forget(Keep keep) {
    std::erase_if(leases_, [&](const auto& entry) { return !keep(entry.first); });
  }
  [[nodiscard]] size_t leases() const { return leases_.size(); }

 private:
  SourceEffect& of(const EffectSource& source);
  Files& files_;
  std::string path_;
  std::map<uint64_t, UseCount> leases_;
  std::map<EffectSource, SourceEffect> sources_;
  bool changed_ = false;
};

}  // namespace entente::sensor
