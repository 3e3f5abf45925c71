// XDP: a program at the driver drops what comes in on some interfaces from or to a blocked address (bpf/drop.bpf.c).
// What it holds is pinned and outlives this process: over a restart of the sensor, blocks stay in force without a gap,
// and a newer program takes the place of the old one in one step. If the sensor stays away longer than `hold`,
// everything passes (fail open). Sees what comes in only; what this machine itself sends is nftables' to stop.
//
// Not thread-safe. Acts in the network namespace of the thread that opened it; needs CAP_BPF, CAP_NET_ADMIN and Linux
// 5.18.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "enforce/enforcer.h"

namespace entente::enforce {

struct XdpOptions {
  enum class Attach : uint8_t { kAuto, kNative, kGeneric };  // kAuto: native where the driver can, else generic
  std::vector<std::string> interfaces;
  std::string pin_dir = "/sys/fs/bpf/entente";  // on a bpf file system; one per sensor
  size_t capacity = 1'000'000;                  // addresses per family
  size_t range_capacity = 16'384;               // ranges per family
  size_t allow_capacity = 262'144;              // allowed ranges per family
  int64_t hold_us = 300'000'000;                // everything passes so long after the last alive()
  Attach attach = Attach::kAuto;
};

class XdpEnforcer final : public Enforcer {
 public:
  // Loads the program and takes over pinned maps of the same layout and size; what an earlier sensor attached goes on
  // working until start(). kDenied without the rights, kUnsupported if the kernel refuses the program, kNotFound if
  // there is no such interface.
  static Result<std::unique_ptr<XdpEnforcer>> open(XdpOptions options);
  ~XdpEnforcer() override;  // leaves everything in force until the deadline; clear() takes it away

  [[nodiscard]] std::string name() const override { return "xdp"; }
  [[nodiscard]] size_t capacity() const override;
  [[nodiscard]] size_t range_capacity() const override;
  // What is wanted and there already stays in force throughout, with its counters. kTooLarge if the allow-list does not
  // fit: nothing is changed then.
  Status start(const std::vector<Prefix>& allow, const std::vector<Element>& elements, Time now) override;
  // Not in one transaction: an element that does not fit (kTooLarge, with their number) keeps none of the others out.
  Status apply(const Delta& delta, Time now) override;
  Result<std::vector<Hits>> hits() override;
  Result<Totals> totals() override;
  Status clear() override;
  Status alive() override;
  [[nodiscard]] std::string detail() const override;  // "eth0 native, eth1 generic"
  [[nodiscard]] bool drops_before_capture() const override { return true; }
  [[nodiscard]] bool keeps_counters() const override { return true; }

 private:
  struct State;
  explicit XdpEnforcer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace entente::enforce
