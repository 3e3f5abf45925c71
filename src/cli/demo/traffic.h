// What people and machines in the lab do: ask for names, open connections, send streams of packets. Real sockets on
// both sides; what counts is whether the other side answered.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace entente::cli::demo {

// The servers: a resolver on kResolver, and on every other address a web server that answers each request with a page.
class Servers {
 public:
  static Result<std::unique_ptr<Servers>> start(int network);
  ~Servers();
  // From now on the resolver answers so.
  void name(const std::string& name, const std::string& address);

 private:
  Servers() = default;
  void resolve(const std::stop_token& stop);
  void serve(int listener, const std::stop_token& stop);
  std::mutex mutex_;
  std::map<std::string, std::string> names_;
  int dns_ = -1, http_ = -1, https_ = -1;
  std::vector<std::jthread> threads_;
};

// Clients in `network`. Each waits at most `patience_ms`.
[[nodiscard]] std::optional<std::string> ask_dns(int network, const std::string& name, int patience_ms = 500);
// A TLS ClientHello for `name`, or a plain HTTP request for it: did anything come back?
[[nodiscard]] bool say_hello(int network, const std::string& address, const std::string& name, int patience_ms = 500);
[[nodiscard]] bool get_page(int network, const std::string& address, const std::string& name, int patience_ms = 500);

// Numbered UDP packets from one namespace to an address in the other, and which of them arrived.
class Stream {
 public:
  static Result<std::unique_ptr<Stream>> open(int from, int to, uint16_t port);
  ~Stream();

  // One packet every `interval_us` until stop(). Requires: it does not run.
  void start(const std::string& address, int64_t interval_us);
  void stop();
  [[nodiscard]] uint64_t sent() const { return sent_; }
  [[nodiscard]] uint64_t arrived() const { return arrived_; }
  // Steady time in microseconds at which the first packet was sent after which nothing arrived any more; nullopt if the
  // last one did. To be asked a little after stop().
  [[nodiscard]] std::optional<int64_t> silent_since() const;
  // Packets sent after the last one that arrived.
  [[nodiscard]] uint64_t lost_in_a_row() const;
  // Steady time at which the first packet of this round arrived; 0 if none did.
  [[nodiscard]] int64_t first_arrival_us() const { return first_arrival_us_; }

 private:
  Stream() = default;
  void receive(const std::stop_token& stop);
  int out_ = -1, in_ = -1;
  uint16_t port_ = 0;
  std::atomic<uint64_t> sent_{0}, arrived_{0};
  std::atomic<uint64_t> round_{0};
  std::atomic<int64_t> first_arrival_us_{0};
  std::atomic<int64_t> last_arrived_seq_{-1};
  std::vector<int64_t> sent_at_;  // by number; only the sender writes, read after stop()
  std::jthread sender_, receiver_;
};

[[nodiscard]] int64_t steady_now_us();

}  // namespace entente::cli::demo
