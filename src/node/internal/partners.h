// The threads that pull from partners: per partner one for acts, and per agreement in force one for objects and one for
// the ledger.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "exchange/exchange.h"
#include "node/config.h"
#include "taxii/client.h"

namespace entente::node {

class Partners {
 public:
  Partners(exchange::Exchange& exchange, const NodeConfig& config);
  ~Partners();  // cancels what waits, joins
  // One pull of everything from this partner, now, on the caller's thread.
  Status sync(const std::string& party);

 private:
  struct Worker {
    std::string url;  // of the partner when the worker was made: another url makes a new worker
    std::atomic<bool> stop = false;
    std::atomic<bool> yields = false;  // its wait was cut short for somebody who pulls now
    std::mutex mutex;
    std::shared_ptr<taxii::Client> client;
    std::thread thread;
  };
  enum class Kind { kActs, kObjects, kLedger };
  Result<std::shared_ptr<taxii::Client>> connect(const exchange::Peer& peer) const;
  void start(const std::string& key, const exchange::Peer& peer, Kind kind, const std::string& agreement_id);
  void run(Worker& worker, const exchange::Peer& peer, Kind kind, const std::string& agreement_id);
  void supervise();
  // Ends the long polls to this partner: one pull at a time, and theirs may last half a minute.
  void interrupt(const std::string& party);
  bool pause(Worker& worker, int ms);
  void run_neutral(Worker& worker, const NeutralWitness& witness);

  exchange::Exchange& ex_;
  const NodeConfig& config_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::mutex workers_mutex_;
  std::map<std::string, std::unique_ptr<Worker>> workers_;
  std::thread supervisor_;
};

}  // namespace entente::node
