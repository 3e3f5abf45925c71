// The program of bpf/drop.bpf.c in the kernel: loading, pinned maps, and where it is attached.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include "enforce/internal/bpf_map.h"
#include "enforce/xdp.h"

namespace entente::enforce::internal {

enum MapIndex : uint8_t { kHosts4, kHosts6, kNets4, kNets6, kAllow4, kAllow6, kControl, kTotals, kMapCount };

class XdpProgram {
 public:
  static Result<std::unique_ptr<XdpProgram>> load(const XdpOptions& options);
  ~XdpProgram();
  XdpProgram(const XdpProgram&) = delete;
  XdpProgram& operator=(const XdpProgram&) = delete;

  [[nodiscard]] int map(MapIndex index) const;
  [[nodiscard]] bool took_over() const { return took_over_; }  // maps of an earlier process
  // On every interface, in place of an earlier version without a moment between; pins maps and links.
  Status attach();
  // After attach(), now and then: an interface that went away and came back, or came anew under its name, is attached
  // again. One that is away is no error.
  Status follow();
  // Detaches, and removes all pins.
  Status detach();
  [[nodiscard]] std::string where() const;  // "eth0 native, eth1 generic"

 private:
  struct Loaded;  // the skeleton
  explicit XdpProgram(XdpOptions options);
  Status attach_to(const std::string& interface);
  [[nodiscard]] bool take_over_maps();
  [[nodiscard]] std::string pin(const std::string& name) const { return options_.pin_dir + "/" + name; }

  XdpOptions options_;
  std::unique_ptr<Loaded> loaded_;
  std::map<std::string, unsigned> indices_;  // of the interfaces, when they were looked at last; 0 = away
  bool took_over_ = false;
};

}  // namespace entente::enforce::internal
