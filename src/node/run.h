// The node process: constructs clock, files, log, store, exchange and server, and runs the threads that drive them.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "node/config.h"

namespace entente::node {

// A running node. Also for tests and benchmarks that want one in their own process.
class Node {
 public:
  // `listening`: a socket that listens already, instead of the address of the configuration.
  static Result<std::unique_ptr<Node>> start(const NodeConfig& config, int listening = -1);
  ~Node();  // drains and stops
  [[nodiscard]] uint16_t port() const;
  [[nodiscard]] std::string url() const;
  void stop();
  void reload();                     // certificate
  [[nodiscard]] bool alive() const;  // its own work went round in the last ten seconds

 private:
  Node();
  struct State;
  std::unique_ptr<State> state_;
};

// Runs until SIGTERM or SIGINT (SIGHUP reloads the certificate). Prints one JSON line
// {"event":"ready","url":…,"party":…} on standard output when it serves. Under systemd: takes a socket that was passed,
// says when it is ready, reloads and stops, and feeds the watchdog. Returns the exit status.
[[nodiscard]] Result<int> run_node(const std::string& dir);

}  // namespace entente::node
