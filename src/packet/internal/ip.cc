#include "packet/internal/ip.h"

#include "packet/internal/octets.h"

namespace entente::packet {
namespace {

constexpr uint16_t kEtherIpv4 = 0x0800;
constexpr uint16_t kEtherIpv6 = 0x86dd;
constexpr uint16_t kMpls = 0x8847, kMplsMulticast = 0x8848, kPppoeSession = 0x8864, kPpp = 0x880b;
constexpr uint16_t kEthernetBridged = 0x6558;
constexpr uint16_t kMaxLlcLength = 1500;  // IEEE 802.3 §3.2.6: below, the field is a length
constexpr size_t kMaxLayers = 8;
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
  out.offset = (fragment & 0x1fffu) * 8;
  out.more = (fragment & 0x2000) != 0;
  out.fragment = out.more || out.offset != 0;
  out.id = u16(b, 4);
  out.cut = total > b.size();
  out.payload = b.substr(0, total).substr(header);  // what is behind is padding of the link
  return IpLook::kIp;
}

IpLook read_v6(std::string_view b, IpPacket& out) {
  if (b.size() < 40) return IpLook::kMalformed;
  out.flow.src = Address::from_octets(b.data() + 8, true);
  out.flow.dst = Address::from_octets(b.data() + 24, true);
  const size_t length = u16(b, 4);
  std::string_view rest = b.substr(40);
  out.cut = length > rest.size();
  if (length != 0) rest = rest.substr(0, length);  // 0: jumbogram or offload
  return read_extensions(u8(b, 6), rest, out);
}

IpLook read_versioned(std::string_view b, IpPacket& out) {
  if (b.empty()) return IpLook::kMalformed;
  const int version = u8(b, 0) >> 4;
  return version == 4 ? read_v4(b, out) : version == 6 ? read_v6(b, out) : IpLook::kMalformed;
}

// RFC 1661 §2, with or without HDLC's address and control, the protocol in one octet or two.
bool take_ppp(std::string_view& b, uint16_t& type) {
  if (b.size() >= 2 && u8(b, 0) == 0xff && u8(b, 1) == 3) b.remove_prefix(2);
  if (b.empty()) return false;
  const bool compressed = (u8(b, 0) & 1) != 0;
  if (!compressed && b.size() < 2) return false;
  const uint16_t protocol = compressed ? u8(b, 0) : u16(b, 0);
  b.remove_prefix(compressed ? 1 : 2);
  type = protocol == 0x21 ? kEtherIpv4 : protocol == 0x57 ? kEtherIpv6 : protocol == 0x281 ? kMpls : 0xffff;
  return true;
}

// RFC 3032: labels up to the bottom of the stack. What follows has no type: IP shows by its version, a pseudowire by
// its control word (RFC 4385 §3).
bool take_mpls(std::string_view& b, uint16_t& type) {
  for (size_t i = 0; i < kMaxLayers; ++i) {
    if (b.size() < 5) return false;
    const bool bottom = (u8(b, 2) & 1) != 0;
    b.remove_prefix(4);
    if (!bottom) continue;
    const int nibble = u8(b, 0) >> 4;
    type = nibble == 4 ? kEtherIpv4 : nibble == 6 ? kEtherIpv6 : nibble == 0 ? kEthernetBridged : 0xffff;
    if (nibble == 0) {
      if (b.size() < 4) return false;
      b.remove_prefix(4);
    }
    return true;
  }
  return false;
}

// One layer off the front; false if it does not fit.
bool take_layer(std::string_view& b, uint16_t& type) {
  if (is_vlan(type)) {
    if (b.size() < 4) return false;
    type = u16(b, 2);
    b.remove_prefix(4);
    return true;
  }
  if (type == kEthernetBridged) {
    if (b.size() < 14) return false;
    type = u16(b, 12);
    b.remove_prefix(14);
    return true;
  }
  if (type == kPppoeSession) {  // RFC 2516 §4
    if (b.size() < 6 || u8(b, 0) != 0x11 || u8(b, 1) != 0 || u16(b, 4) > b.size() - 6) return false;
    b = b.substr(6, u16(b, 4));
    return take_ppp(b, type);
  }
  return type == kPpp ? take_ppp(b, type) : take_mpls(b, type);
}

bool is_layer(uint16_t type) {
  return is_vlan(type) || type == kEthernetBridged || type == kPppoeSession || type == kPpp || type == kMpls ||
         type == kMplsMulticast;
}

}  // namespace

void enter(Flow& flow, uint64_t kind, uint64_t id) {
  // Not for hash tables, which have a seed of their own: only to tell networks apart.
  uint64_t x = (flow.network ^ kind << 48 ^ id) * 0x9e3779b97f4a7c15u;
  x ^= x >> 32;
  flow.network = x * 0xd6e8feb86659fd93u | 1u;
}

// Extension headers in any order, each once or twice; a chain that is longer is not followed.
IpLook read_extensions(uint8_t next, std::string_view rest, IpPacket& out) {
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
        out.offset = fragment & 0xfff8u;
        out.more = (fragment & 1) != 0;
        out.fragment = out.more || out.offset != 0;  // otherwise whole (RFC 6946)
        out.id = u32(rest, 4);
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
    if (out.fragment) break;  // what follows is a header only after all pieces came
  }
  out.flow.protocol = next;
  out.payload = rest;
  return IpLook::kIp;
}

IpLook read_ethertype(uint16_t type, std::string_view b, IpPacket& out) {
  for (size_t i = 0; i < kMaxLayers && type != kEtherIpv4; ++i) {
    // RFC 1042: an ethertype behind LLC and SNAP.
    if (type <= kMaxLlcLength && b.starts_with(std::string_view("\xaa\xaa\x03\0\0\0", 6)) && b.size() >= 8) {
      type = u16(b, 6);
      b.remove_prefix(8);
    }
    if (!is_layer(type)) break;
    if (is_vlan(type) && b.size() >= 2) enter(out.flow, type, u16(b, 0) & 0xfffu);
    if (type == kPppoeSession && b.size() >= 4) enter(out.flow, type, u16(b, 2));
    if (!take_layer(b, type)) return IpLook::kMalformed;
  }
  if (type != kEtherIpv4 && type != kEtherIpv6) return IpLook::kLinkUnknown;
  const bool v6 = type == kEtherIpv6;
  if (b.empty() || u8(b, 0) >> 4 != (v6 ? 6 : 4)) return IpLook::kMalformed;
  return v6 ? read_v6(b, out) : read_v4(b, out);
}

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
    case LinkType::kPpp:
      return read_ethertype(kPpp, b, out);
    case LinkType::kRaw:
    case LinkType::kIpv4:
    case LinkType::kIpv6:
      return read_versioned(b, out);
  }
  return IpLook::kLinkUnknown;
}

}  // namespace entente::packet
