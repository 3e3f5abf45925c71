// A node's folder: entente.toml, keys/, data/, ledger/ (docs/operation.md). Nothing is written elsewhere.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"

namespace entente::node {

// A witness that is no party: where it answers, and the key of its TLS certificate ("" = the system's authorities).
struct NeutralWitness {
  std::string name, url, spki;
};

struct NodeConfig {
  std::string dir;
  std::string party;
  std::string name;
  bool exercise = false;  // as 'entente exercise new' makes it
  std::string listen = "127.0.0.1:8443";
  std::string public_url;
  unsigned threads = 2;
  std::string access_log;    // file, from the folder if not absolute; "" = none
  bool open_metrics = true;  // /metrics without login on loopback
  size_t max_body_bytes = 64u << 20;
  size_t max_connections = 16384;
  size_t cache_mb = 64;
  double requests_per_second = 0;  // of one TAXII caller; 0 = no limit
  // Local policy: can only narrow what agreements allow.
  std::vector<std::string> withhold_types;
  std::string max_tlp;
  std::vector<std::string> review_types;  // people look first at objects of these types
  std::string review_from_tlp;            // and at those marked so or stricter
  int review_persons = 2;
  std::vector<NeutralWitness> witnesses;
  uint64_t pad_to = 0;  // entries; 0 = no padding
  int pad_minutes = 10;
  uint64_t max_partner_entries_per_day = 1'000'000;

  // "IN/node/1", or "IN/exercise-node/1".
  [[nodiscard]] std::string kid(const std::string& role) const {
    return party + (exercise ? "/exercise-" : "/") + role + "/1";
  }
  [[nodiscard]] std::string key(const std::string& file) const { return dir + "/keys/" + file; }
  [[nodiscard]] std::string data_dir() const { return dir + "/data"; }
  [[nodiscard]] std::string ledger_dir() const { return dir + "/ledger"; }
  [[nodiscard]] std::string url() const;  // https://LISTEN
};

// Reads DIR/entente.toml. An unknown key is an error: a mistyped limit must not be silently no limit.
[[nodiscard]] Result<NodeConfig> load_config(const std::string& dir);

// "host:port" or "[v6]:port".
struct HostPort {
  std::string host;
  uint16_t port = 0;
};
[[nodiscard]] Result<HostPort> parse_listen(const std::string& text);

}  // namespace entente::node
