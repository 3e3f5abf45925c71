// Packets by AF_XDP: a program of five instructions hands each that an interface receives to a socket of its queue,
// without the network stack. The stack then does not get it: for interfaces that carry copies (mirror ports, taps).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <poll.h>

#include "packet/capture.h"

namespace entente::packet::internal {

class XdpTap {
 public:
  // Packets are taken from the moment this returns until it is destroyed. kUnsupported where the kernel, the driver or
  // the interface cannot; kConflict if another XDP program is there; kInvalid if the interface serves this host.
  static Result<std::unique_ptr<XdpTap>> open(const std::string& interface, int index);
  XdpTap(const XdpTap&) = delete;
  XdpTap& operator=(const XdpTap&) = delete;
  ~XdpTap();

  // Delivers what is there; `number` counts on.
  uint64_t drain(uint64_t& number, uint32_t snaplen, const Capture::Fn& fn);
  void wait_for(std::vector<pollfd>& fds) const;  // appends
  [[nodiscard]] CaptureStats stats() const;
  [[nodiscard]] bool zero_copy() const;

 private:
  struct Queue;
  XdpTap();
  Status load(const std::string& interface, int index);
  std::vector<std::unique_ptr<Queue>> queues_;
  int map_ = -1, program_ = -1, link_ = -1;
};

}  // namespace entente::packet::internal
