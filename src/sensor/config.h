// The configuration of a sensor: one TOML file. Paths in it are relative to the folder of the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "enforce/bgp.h"
#include "enforce/guard.h"
#include "enforce/rpz.h"
#include "sensor/trials.h"
#include "stix/marking.h"

namespace entente::sensor {

struct SensorConfig {
  // [node]
  std::string url;                      // "https://127.0.0.1:8443"
  std::vector<std::string> spki;        // SHA-256 of the node's key, 64 hex; empty only for http://127.0.0.1
  std::string token_file;               // the bearer token, one line, not readable by others
  std::string root = "/local/";         // API root
  std::string sightings = "sightings";  // collection that sightings go to: alias or id; empty = none
  // [sensor]
  std::string state_dir;
  std::vector<std::string> interfaces;
  std::string capture = "ring";  // or "af_xdp", "af_xdp or ring"
  // "received" stands for everything that GET /api/v1/agreements lists; others are collections of the root, by alias or
  // id.
  std::vector<std::string> collections{"received"};
  bool exercise = false;                        // follows a node for exercises: counts, and never drops
  std::string enforcer = "nft";                 // nft | xdp | both | none
  std::string xdp_mode = "auto";                // auto | native | generic
  std::string pin_dir = "/sys/fs/bpf/entente";  // of XDP; one per sensor
  size_t xdp_capacity = 1'000'000;              // addresses per family
  // XDP lets everything pass when it has not heard of the sensor for so long; nftables when the leases end.
  int64_t hold_us = 300'000'000;
  bool clear_at_stop = false;      // else what is in force holds over a restart
  int wait_seconds = 30;           // long poll
  int64_t refresh_us = 5'000'000;  // agreements are asked for at least so often
  // [logs]
  std::vector<std::string> log_files;     // followed
  std::vector<std::string> log_listen;    // log_sources.h
  std::vector<enforce::Prefix> log_from;  // who may send to log_listen; empty: this machine only
  // [rpz]
  bool rpz = false;  // there is such a table: names are blocked at resolvers
  enforce::RpzOptions rpz_options;
  std::string rpz_key_file;  // "hmac-sha256:NAME:BASE64", one line, not readable by others
  // [export]
  std::vector<std::string> export_forms;  // exports.h, parse_export_wish; empty: none
  std::string export_dir, export_listen, export_cert, export_key, export_token_file;
  bool export_counting = false;
  // [bgp]
  bool bgp = false;  // the table is there
  enforce::BgpOptions bgp_options;
  std::string bgp_password_file;
  // [guard]
  enforce::GuardConfig guard;                  // mode: monitor unless the file says block
  std::vector<std::string> allow_lists;        // files: plain or MISP warning lists
  std::vector<std::string> protected_targets;  // own and partners' addresses and names
  std::vector<std::string> service_registers;  // files: docs/format/service-register.md
  bool protect_surroundings = true;            // own addresses, gateways, resolvers
  int clients_days = 7;                        // prevalence looks back so far; 0: it is not known
  TrialRules trials;                           // shadow run first
  size_t harm_signals = 3;   // so many leases of one batch that did harm lift all of it; of a small batch a tenth
  size_t harm_clients = 50;  // a lease that stops more clients than this, and four times those known before, does harm
  // [leases]
  int64_t ttl_us = 3'600'000'000;     // a lease that nothing renews ends after this
  int64_t name_ttl_us = 600'000'000;  // of an address that a name led to
  // [sightings]
  int64_t sighting_interval_us = 60'000'000;
  std::string sighting_tlp = "amber";  // clear green amber amber+strict, or "same" as the indicator
  std::string created_by;              // identity--…, may be empty
  size_t sighting_queue = 10'000;      // kept while the node is away; the oldest go first
  int64_t sighting_grain_us = 0;       // times of sightings are rounded down to this
  int sighting_digits = 0;             // counts are rounded down to so many digits; 0: exact
  // [history]
  int64_t history_us = 30 * int64_t{86'400'000'000};  // what was seen is kept so long; 0: not at all
  uint64_t history_bytes = uint64_t{8} << 30;         // on disk
};

[[nodiscard]] Result<SensorConfig> load_sensor_config(const std::string& path);
// `folder` is put before relative paths.
[[nodiscard]] Result<SensorConfig> parse_sensor_config(const std::string& text, const std::string& folder);
// A commented file with every setting.
[[nodiscard]] std::string sensor_config_example();

}  // namespace entente::sensor
