// For tests and benchmarks: several exchanges in one process, on in-memory log and files, joined by local transports,
// one clock. Also makes agreement documents and signed acts for them. Not used by the program.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/act.h"
#include "base/files.h"
#include "exchange/exchange.h"
#include "exchange/names.h"
#include "json/node.h"
#include "taxii/client.h"
#include "taxii/server.h"

namespace entente::exchange {

struct ActingKeys {
  SecretKey plenipotentiary = SecretKey::generate();
  SecretKey authority1 = SecretKey::generate();
  SecretKey authority2 = SecretKey::generate();
};

// The India–Japan text in small: one permit for `types` with the given ceiling, one forbid for user-account, the three
// protections.
struct Text {
  std::string id = "urn:uuid:" + random_uuid().text();
  std::string ceiling = "amber+strict";
  std::string floor = "green";
  std::string unmarked = "amber+strict";
  std::vector<std::string> types = {"indicator", "identity",    "marking-definition", "sighting", "relationship",
                                    "malware",   "domain-name", "ipv4-addr",          "report",   "note"};
};

class TestNode {
 public:
  TestNode(std::string party, ManualClock& clock, std::string spki);

  Status open();
  Status reopen();  // as after a crash: what was not synced is gone
  void crash_files() { files.crash(); }
  // Everything that is waiting, until nothing moves.
  size_t release_all();
  // A client of this node, as the holder of that TLS key or Authorization value.
  std::unique_ptr<taxii::Client> client(const std::string& spki, const std::string& authorization = {});
  Result<taxii::StatusInfo> publish(const std::vector<std::string>& objects);
  json::Node party_block() const;

  std::string party;
  std::string spki;
  ManualClock& clock;
  ActingKeys acting;
  agreement::Policy policy;  // as of open()
  MemFiles files;
  Metrics metrics;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<log::Log> log;
  std::unique_ptr<Context> context;
  std::unique_ptr<Exchange> exchange;
  std::unique_ptr<taxii::Service> service;

 private:
  SecretKey node_key_ = SecretKey::generate();
  SecretKey log_key_ = SecretKey::generate();
  SecretKey witness_key_ = SecretKey::generate();
  std::string pseudonym_ = random_bytes(32);
};

class World {
 public:
  explicit World(const std::vector<std::string>& parties);
  Status open();  // opens all nodes and makes each a partner of each
  TestNode& operator[](const std::string& party) { return *nodes_.at(party); }

  std::string document(const std::vector<std::string>& parties, const Text& text);
  // One act of a party, signed by the keys that the quorums of document() ask for.
  Status act(const std::string& party, const std::string& kind, const std::string& agreement_id,
             json::Node body = json::Node::object());
  // propose … notify by all, with the acts carried between the nodes.
  Status bring_into_force(const std::vector<std::string>& parties, const std::string& document);
  // Acts and objects between all nodes until nothing moves; also checks the ledgers.
  Status settle();
  Status carry_acts();

  ManualClock clock;

 private:
  std::map<std::string, std::unique_ptr<TestNode>> nodes_;
};

// A valid indicator for a domain name.
[[nodiscard]] std::string make_indicator(std::string_view name, Time at, std::string_view tlp = "green",
                                         std::string_view created_by = {});

}  // namespace entente::exchange
