// The threads that pull from feeds, one for each: connections, logins and the times between pulls. What comes is
// exchange's business.
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

class FeedPulls {
 public:
  FeedPulls(exchange::Exchange& exchange, const NodeConfig& config);
  ~FeedPulls();  // cancels what waits, joins
  // Everything from this feed, now, on the caller's thread; also if it is paused.
  Status sync(const std::string& name);

 private:
  struct Worker {
    std::string made_for;  // the feed as it was when the worker was made: another one makes a new worker
    std::atomic<bool> stop = false;
    std::mutex mutex;  // for client
    std::shared_ptr<taxii::Client> client;
    std::thread thread;
  };
  Result<std::shared_ptr<taxii::Client>> connect(const exchange::Feed& feed) const;
  Status pull_all(taxii::Client& client, const exchange::Feed& feed, const std::atomic<bool>& stop);
  void run(Worker& worker, const exchange::Feed& feed);
  void end(Worker& worker);
  void supervise();
  bool pause(Worker& worker, int64_t ms);
  std::mutex& turn(const std::string& name);

  exchange::Exchange& ex_;
  const NodeConfig& config_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stop_ = false;
  std::map<std::string, std::unique_ptr<Worker>> workers_;  // of the supervisor
  std::mutex turns_mutex_;
  std::map<std::string, std::mutex> turns_;  // one pull of a feed at a time
  std::thread supervisor_;
};

}  // namespace entente::node
