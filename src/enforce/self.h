// What a sensor finds around itself and must never block: its own addresses, its gateways, its resolvers
// (enforcement.md §7, rule 4).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "enforce/target.h"

namespace entente::enforce {

struct Surrounding {
  Prefix prefix;
  std::string what;  // "own address (eth0)", "default gateway", "resolver"
};
// Of the network namespace of this process. What cannot be read is left out.
[[nodiscard]] std::vector<Surrounding> surroundings(Files& files);

// The texts of /proc/net/route, /proc/net/ipv6_route and /etc/resolv.conf.
[[nodiscard]] std::vector<Surrounding> gateways4(std::string_view proc_net_route);
[[nodiscard]] std::vector<Surrounding> gateways6(std::string_view proc_net_ipv6_route);
[[nodiscard]] std::vector<Surrounding> resolvers(std::string_view resolv_conf);

}  // namespace entente::enforce
