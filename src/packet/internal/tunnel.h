// Packets inside packets: GTP-U, VXLAN, Geneve, Teredo, GRE, IP in IP. Ports do not prove a tunnel, so what is inside
// must fit exactly; otherwise it is not one.
#pragma once

#include <string_view>

#include "packet/internal/ip.h"

namespace entente::packet {

enum class TunnelLook { kNone, kInner, kMalformed };

// `cut`: the capture ends before the packet does, so that lengths beyond the end are no fault.
// kNone: no tunnel, or its control messages.
[[nodiscard]] TunnelLook read_udp_tunnel(const Flow& outer, std::string_view payload, bool cut, IpPacket& inner);
// IP in IP (4, 41), GRE (47), Ethernet (143).
[[nodiscard]] bool is_ip_tunnel(uint8_t protocol);
[[nodiscard]] TunnelLook read_ip_tunnel(const Flow& outer, std::string_view payload, bool cut, IpPacket& inner);

}  // namespace entente::packet
