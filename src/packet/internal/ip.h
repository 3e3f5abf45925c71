// Link layers and IP: from a captured packet to the addresses and the transport payload.
#pragma once

#include <string_view>

#include "packet/decode.h"

namespace entente::packet {

struct IpPacket {
  Flow flow;                    // ports not yet
  std::string_view payload;     // from the transport header on
  bool first_fragment = false;  // the payload is only its beginning
  bool later_fragment = false;
};

enum class IpLook { kIp, kLinkUnknown, kMalformed };

[[nodiscard]] IpLook read_ip(LinkType link, std::string_view bytes, IpPacket& out);

}  // namespace entente::packet
