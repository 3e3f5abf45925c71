// A small internet inside the machine, made of network namespaces that have no names: they are gone when the last
// process that holds them ends, so nothing is left behind even if the demo is killed. The machine's own network is not
// touched: no interface, route or rule is added to it.
//
//   nodes IN, JP            gateway with India's sensor            servers
//   192.0.2.1 ── office ── 192.0.2.2 ┐      ┌ 192.0.2.5 ── wan ── 192.0.2.6, all of 203.0.113.0/24
//                                    └──┬───┘                     and 2001:db8:2::/64
//                          198.51.100.1 │ lan
//                        198.51.100.10 client
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace entente::cli::demo {

inline constexpr const char* kOfficeAddress = "192.0.2.1";
inline constexpr const char* kResolver = "203.0.113.53";

class Lab {
 public:
  // Takes the calling process into a namespace of its own first: call it while there is one thread, before anything
  // listens. kDenied with what was refused where the machine does not permit namespaces; the process is then where it
  // was.
  static Result<std::unique_ptr<Lab>> make();
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  [[nodiscard]] int client() const { return client_; }
  [[nodiscard]] int gateway() const { return gateway_; }
  [[nodiscard]] int server() const { return server_; }

  // Runs `fn` on a thread inside the namespace and waits for it. Sockets that it makes belong there for good.
  static bool in(int network, const std::function<void()>& fn);

  // Packets that the sensor's table in the gateway has dropped, from the kernel's counter.
  [[nodiscard]] Result<uint64_t> dropped_packets() const;
  // True if the address is in one of the sensor's block sets.
  [[nodiscard]] Result<bool> blocked(const std::string& address) const;
  // The sensor's table as nft prints it; "" if there is none.
  [[nodiscard]] Result<std::string> table() const;

 private:
  Lab() = default;
  static Status rehearse();
  Status wire();
  int client_ = -1, gateway_ = -1, server_ = -1;
};

}  // namespace entente::cli::demo
