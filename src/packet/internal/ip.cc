#include "packet/internal/ip.h"

#include "packet/internal/octets.h"

namespace entente::packet {
namespace {

constexpr uint16_t kEtherIpv4 = 0x0800;
constexpr uint16_t kEtherIpv6 = 0x86dd;
constexpr size_t kMaxVlanTags = 4;
constexpr size_t kMaxExtensions = 8;

bool is_vlan(uint16_t ethertype) {
  return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100 || ethertype == 0x9200;
}

IpLook read_v4(std::string_view b, IpPacket& out) {
  if (b.size() < 20) return IpLook::kMalformed;
  const size_t header = size_t{u8(b, 0) & 0xfu} * 4;
  size_t total = u16(b, 2);
  if (total == 0) total = b.size();  // segmentation offload: the length did not fit its field
  if (header < 20 || header > b.size() || total < header) return IpLook::kMalformed;
  out.flow.protocol = u8(b, 9);
  out.flow.src = Address::from_octets(b.data() + 12, false);
  out.flow.dst = Address::from_octets(b.data() + 16, false);
  const uint16_t fragment = u16(b, 6);
  out.later_fragment = (fragment & 0x1fff) != 0;
  out.first_fragment = !out.later_fragment && (fragment & 0x2000) != 0;
  out.payload = b.substr(0, total).substr(header);  // what is behind is padding of the link
  return IpLook::kIp;
}

// RFC 8200 §4: extension headers in any order, each once or twice; a chain that is longer is not followed.
IpLook read_v6(std::string_view b, IpPacket& out) {
  if (b.size() < 40) return IpLook::kMalformed;
  out.flow.src = Address::from_octets(b.data() + 8, true);
  out.flow.dst = Address::from_octets(b.data() + 24, true);
  const size_t length = u16(b, 4);
  uint8_t next = u8(b, 6);
  std::string_view rest = b.substr(40);
  if (length != 0) rest = rest.substr(0, length);  // 0: jumbogram or offload
  for (size_t i = 0; i < kMaxExtensions; ++i) {
    size_t size = 0;
    switch (next) {
      case 0:
      case 43:
      case 60:
      case 135:
      case 139:
      case 140:  // hop-by-hop, routing, destination, mobility, HIP, shim6
        if (rest.size() < 2) return IpLook::kMalformed;
        size = (size_t{u8(rest, 1)} + 1) * 8;
        break;
      case 51:  // authentication (RFC 4302 §2.2)
        if (rest.size() < 2) return IpLook::kMalformed;
        size = (size_t{u8(rest, 1)} + 2) * 4;
        break;
      case 44: {  // fragment
        if (rest.size() < 8) return IpLook::kMalformed;
        const uint16_t fragment = u16(rest, 2);
        out.later_fragment = (fragment & 0xfff8) != 0;
        out.first_fragment = !out.later_fragment && (fragment & 1) != 0;
        size = 8;
        break;
      }
      default:
        out.flow.protocol = next;
        out.payload = rest;
        return IpLook::kIp;
    }
    if (rest.size() < size) return IpLook::kMalformed;
    next = u8(rest, 0);
    rest.remove_prefix(size);
    if (out.later_fragment) break;  // what follows is not a header
  }
  out.flow.protocol = next;
  out.payload = rest;
  return IpLook::kIp;
}

IpLook read_versioned(std::string_view b, IpPacket& out) {
  if (b.empty()) return IpLook::kMalformed;
  const int version = u8(b, 0) >> 4;
  return version == 4 ? read_v4(b, out) : version == 6 ? read_v6(b, out) : IpLook::kMalformed;
}

IpLook read_ethertype(uint16_t type, std::string_view b, IpPacket& out) {
  for (size_t i = 0; i < kMaxVlanTags && is_vlan(type); ++i) {
    if (b.size() < 4) return IpLook::kMalformed;
    type = u16(b, 2);
    b.remove_prefix(4);
  }
  if (type != kEtherIpv4 && type != kEtherIpv6) return IpLook::kLinkUnknown;
  const bool v6 = type == kEtherIpv6;
  if (b.empty() || u8(b, 0) >> 4 != (v6 ? 6 : 4)) return IpLook::kMalformed;
  return v6 ? read_v6(b, out) : read_v4(b, out);
}

}  // namespace

IpLook read_ip(LinkType link, std::string_view b, IpPacket& out) {
  switch (link) {
    case LinkType::kEthernet:
      return b.size() < 14 ? IpLook::kMalformed : read_ethertype(u16(b, 12), b.substr(14), out);
    case LinkType::kSll:
      return b.size() < 16 ? IpLook::kMalformed : read_ethertype(u16(b, 14), b.substr(16), out);
    case LinkType::kSll2:
      return b.size() < 20 ? IpLook::kMalformed : read_ethertype(u16(b, 0), b.substr(20), out);
    case LinkType::kNull:
    case LinkType::kLoop:  // four octets of address family, whose order and value depend on the system: the version
                           // tells
      return b.size() < 4 ? IpLook::kMalformed : read_versioned(b.substr(4), out);
    case LinkType::kRaw:
    case LinkType::kIpv4:
    case LinkType::kIpv6:
      return read_versioned(b, out);
  }
  return IpLook::kLinkUnknown;
}

}  // namespace entente::packet
