// Link layers and IP: from a captured packet to the addresses and the transport payload.
#pragma once

#include <string_view>

#include "packet/decode.h"

namespace entente::packet {

struct IpPacket {
  Flow flow;                    // ports not yet
  std::string_view payload;     // from the transport header on; of a fragment: its piece of the datagram
  bool fragment = false;        // a piece only: `protocol` is what the fragment says comes first (IPv6: may be an
                                // extension header)
  bool more = false;            // of a fragment: not the last
  bool cut = false;             // of a fragment: shorter than it says (the capture cut it)
  uint32_t offset = 0, id = 0;  // of a fragment
};

// One more tag or tunnel around a flow.
void enter(Flow& flow, uint64_t kind, uint64_t id);

enum class IpLook { kIp, kLinkUnknown, kMalformed };

[[nodiscard]] IpLook read_ip(LinkType link, std::string_view bytes, IpPacket& out);
// What follows an ethertype: VLAN tags, PPPoE, MPLS and LLC/SNAP are taken off, at most eight in all.
[[nodiscard]] IpLook read_ethertype(uint16_t type, std::string_view bytes, IpPacket& out);
// RFC 8200 §4: extension headers from `next` on; sets protocol, payload and the fields of a fragment.
[[nodiscard]] IpLook read_extensions(uint8_t next, std::string_view rest, IpPacket& out);

}  // namespace entente::packet
