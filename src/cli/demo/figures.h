// What the demo found out: one JSON object for programs, a table for people. A figure that could not be measured here
// is null, never a guess.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "json/node.h"

namespace entente::cli::demo {

struct Figures {
  uint64_t published = 0, received = 0, redacted = 0, withheld = 0;
  std::vector<std::pair<std::string, uint64_t>> reasons;  // why withheld or redacted
  bool refused_before_force = false;
  double receive_objects_per_s = 0;
  double publish_objects_per_s = 0;
  uint64_t receipts = 0, releases_proved = 0;
  bool proof_verified = false;

  bool lab = false;  // namespaces were permitted; without them what follows up to `recalled_lease_gone` stays null
  std::vector<double> shared_to_blocked_ms;
  std::optional<uint64_t> indicators_in_sensor, detected, leased, packets_dropped, sightings_returned;
  std::optional<bool> allowlisted_not_blocked, unshared_not_blocked, recalled_lease_gone, table_removed;
  std::optional<double> recall_to_open_ms;

  bool recall_arrived = false;
  uint64_t ledger_entries = 0;
  bool ledger_ok = false;
  std::optional<uint64_t> tamper_found_at, tampered_entry;
  double seconds = 0;

  [[nodiscard]] json::Node to_json() const;
  void print_table() const;
  // What is not as it must be; empty = everything that was run is right.
  [[nodiscard]] std::vector<std::string> shortcomings() const;
};

// Nearest rank; 0 of nothing.
[[nodiscard]] double percentile(std::vector<double> values, double p);

}  // namespace entente::cli::demo
