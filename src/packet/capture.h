// Live capture from an interface: by a memory-mapped packet ring (AF_PACKET, TPACKET_V3), which sees copies of packets
// on any interface, or by AF_XDP, which takes them before the network stack and is for mirror ports only. The ring
// needs CAP_NET_RAW in the user namespace that owns the network namespace of the thread that calls open(); nothing else
// of the process has to be in that namespace.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "packet/decode.h"

namespace entente::packet {

struct CaptureOptions {
  std::string interface = {};  // "eth0"
  // AF_XDP takes what the interface receives away from this host: refused (kInvalid) where the interface has addresses.
  // Block sizes, retire_ms and ignore_outgoing (always so) mean nothing to it.
  bool af_xdp = false;
  uint32_t block_bytes = 1u << 18;  // multiple of the page size
  uint32_t blocks = 32;             // ring = block_bytes * blocks
  uint32_t retire_ms = 1;   // a block that is not full is handed over after this time: the latency of a quiet line
  uint32_t snaplen = 2048;  // octets kept of a packet
  bool ignore_outgoing =
      false;  // PACKET_IGNORE_OUTGOING: what this host sends is not seen (loopback shows each packet twice without it)
  bool promiscuous = false;
};

struct CaptureStats {
  uint64_t received = 0;  // by the kernel's socket, drops included
  uint64_t dropped = 0;   // no room in the ring
};

class Capture {
 public:
  // kNotFound: no such interface. kDenied: no CAP_NET_RAW. kUnsupported: a link layer that Decoder does not read, or no
  // AF_XDP here. kConflict: AF_XDP, and another XDP program is there.
  static Result<Capture> open(const CaptureOptions& options);
  Capture(Capture&&) noexcept;
  Capture& operator=(Capture&&) noexcept;
  ~Capture();

  using Fn = std::function<void(const Packet&)>;
  // Delivers packets until stop() was called or the interface went away (kUnavailable). One thread only.
  Status run(const Fn& fn);
  // As run(), but returns after at most timeout_ms (0: what is there now). The number of packets delivered.
  Result<uint64_t> poll(int timeout_ms, const Fn& fn);
  // Any thread, any number of times; run() returns within a block. Remains in effect.
  void stop();
  // Totals since open(). Any thread.
  [[nodiscard]] CaptureStats stats() const;
  [[nodiscard]] LinkType link() const;
  [[nodiscard]] const char* mode() const;  // "ring", "af_xdp copy" or "af_xdp zero-copy"

 private:
  struct State;
  explicit Capture(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace entente::packet
