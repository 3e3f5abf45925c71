// False-positive claims as a sensor knows them: made here and on their way to the node, and all that the node tells
// (docs/format/claims.md). While one waits for its answer, its indicator blocks nothing. Kept over restarts:
// disputes.json.
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
#include "json/json.h"
#include "json/node.h"

namespace entente::sensor {

struct Dispute {
  std::string indicator, agreement;  // of an indicator of ours the agreement is the claimant's
  std::string claim;                 // its id at the node; "" = not handed in yet
  std::string state = "pending";     // pending | upheld | withdrawn | refused (by our own node)
  std::string reason;
  std::string why;  // the originator's answer, or why the node refused it
  std::string claimant, originator;
  uint64_t hits = 0;
  Time at{0};
  std::optional<Time> due;

  [[nodiscard]] bool pending() const { return state == "pending" || state == "refused"; }
  // For people: what keeps the indicator from blocking; "" if nothing does.
  [[nodiscard]] std::string sentence(Time now) const;
};
[[nodiscard]] json::Node to_json(const Dispute& dispute, Time now);

// Not thread-safe.
class Disputes {
 public:
  Disputes(Files& files, std::string path) : files_(files), path_(std::move(path)) {}
  void load();  // a file that cannot be read is said: the node tells again what it knows

  // Made here: durable when it returns. kConflict if one waits already.
  Status add(Dispute dispute);
  // Of ours, not handed in yet.
  [[nodiscard]] std::vector<Dispute> to_hand_in() const;
  // What the node made of it: its id, or why it does not take it.
  void handed_in(const std::string& indicator, const std::string& agreement, Result<std::string> claim);
  // A person ends one that never reached its originator. kNotFound.
  Status drop(const std::string& indicator);
  // The answer of GET /api/v1/claims; the indicators whose state changed.
  Result<std::vector<std::string>> from_node(std::string_view json);

  // Agreement "": an indicator of ours, whoever disputes it.
  [[nodiscard]] const Dispute* find(const std::string& indicator, const std::string& agreement) const;
  [[nodiscard]] const std::map<std::pair<std::string, std::string>, Dispute>& all() const { return all_; }

 private:
  Status save();
  Files& files_;
  std::string path_;
  std::map<std::pair<std::string, std::string>, Dispute> all_;  // by indicator and agreement
};

}  // namespace entente::sensor
