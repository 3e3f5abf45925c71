#include "packet/internal/tunnel.h"

#include "packet/internal/octets.h"

namespace entente::packet {
namespace {

constexpr uint16_t kGtpU = 2152, kVxlan = 4789, kVxlanLinux = 8472, kGeneve = 6081, kTeredo = 3544;
constexpr uint8_t kIpip = 4, kIp6 = 41, kGre = 47, kEtherIp = 143;
constexpr uint16_t kBridged = 0x6558, kErspan = 0x88be, kPptp = 0x880b;
constexpr size_t kMaxGtpExtensions = 8;

TunnelLook look(IpLook inner) { return inner == IpLook::kIp ? TunnelLook::kInner : TunnelLook::kMalformed; }

// An IP packet that claims no more than there is.
TunnelLook read_inner_ip(std::string_view b, bool cut, IpPacket& inner) {
  if (b.size() < 20) return TunnelLook::kMalformed;
  const int version = u8(b, 0) >> 4;
  const size_t claimed = version == 4 ? u16(b, 2) : size_t{u16(b, 4)} + 40;
  if (!cut && claimed > b.size()) return TunnelLook::kMalformed;
  if (version != 4 && version != 6) return TunnelLook::kMalformed;
  return look(read_ip(LinkType::kRaw, b, inner));
}

TunnelLook read_typed(uint16_t type, std::string_view b, bool cut, IpPacket& inner) {
  if (type == 0x0800 || type == 0x86dd) return read_inner_ip(b, cut, inner);
  const IpLook found = read_ethertype(type, b, inner);
  // Other things than IP cross a bridge (ARP): no fault of the tunnel.
  return found == IpLook::kLinkUnknown ? TunnelLook::kNone : look(found);
}

// TS 29.281 §5.1, §5.2.
TunnelLook read_gtp_u(std::string_view b, bool cut, IpPacket& inner) {
  if (b.size() < 8) return TunnelLook::kMalformed;
  const uint8_t flags = u8(b, 0);
  if ((flags & 0xf0) != 0x30) return TunnelLook::kMalformed;  // version 1, not GTP'
  if (u8(b, 1) != 255) return TunnelLook::kNone;
  const size_t length = u16(b, 2);
  // A length that is too large is not believed, and not held against what is there: gateways answer such packets.
  std::string_view rest = b.substr(8, length);
  if ((flags & 7) == 0) return read_inner_ip(rest, cut, inner);
  if (rest.size() < 4) return TunnelLook::kMalformed;
  uint8_t next = (flags & 4) != 0 ? u8(rest, 3) : uint8_t{0};
  rest.remove_prefix(4);
  for (size_t i = 0; next != 0; ++i) {
    if (i == kMaxGtpExtensions || rest.empty()) return TunnelLook::kMalformed;
    const size_t size = size_t{u8(rest, 0)} * 4;
    if (size == 0 || size > rest.size()) return TunnelLook::kMalformed;
    next = u8(rest, size - 1);
    rest.remove_prefix(size);
  }
  return read_inner_ip(rest, cut, inner);
}

// RFC 7348 §5; the bits that later drafts use (group policy) are left alone.
TunnelLook read_vxlan(std::string_view b, bool cut, IpPacket& inner) {
  if (b.size() < 8 || (u8(b, 0) & 8) == 0 || u8(b, 7) != 0) return TunnelLook::kMalformed;
  return read_typed(kBridged, b.substr(8), cut, inner);
}

// RFC 8926 §3.4.
TunnelLook read_geneve(std::string_view b, bool cut, IpPacket& inner) {
  if (b.size() < 8 || u8(b, 0) >> 6 != 0) return TunnelLook::kMalformed;
  const size_t header = 8 + size_t{u8(b, 0) & 0x3fu} * 4;
  if (b.size() < header) return TunnelLook::kMalformed;
  if ((u8(b, 1) & 0x80) != 0) return TunnelLook::kNone;  // control
  return read_typed(u16(b, 2), b.substr(header), cut, inner);
}

// RFC 4380 §5.1.1: authentication, then origin, each at most once, then IPv6.
TunnelLook read_teredo(std::string_view b, bool cut, IpPacket& inner) {
  if (b.size() >= 4 && u16(b, 0) == 1) {
    const size_t size = size_t{4} + u8(b, 2) + u8(b, 3) + 9;
    if (b.size() < size) return TunnelLook::kMalformed;
    b.remove_prefix(size);
  }
  if (b.size() >= 8 && u16(b, 0) == 0) b.remove_prefix(8);
  if (b.empty() || u8(b, 0) >> 4 != 6) return TunnelLook::kMalformed;
  return read_inner_ip(b, cut, inner);
}

// RFC 2784, 2890; version 1: RFC 2637 §4.1; ERSPAN type I and II.
TunnelLook read_gre(std::string_view b, bool cut, IpPacket& inner) {
  if (b.size() < 4) return TunnelLook::kMalformed;
  const uint16_t flags = u16(b, 0), type = u16(b, 2);
  const int version = flags & 7;
  if (version > 1 || (flags & 0x4000) != 0 || (version == 1) != (type == kPptp)) return TunnelLook::kMalformed;
  size_t header = 4;
  for (const unsigned bit : {0x8000u, 0x2000u, 0x1000u}) header += (flags & bit) != 0 ? 4 : 0;
  if (version == 1 && (flags & 0x80) != 0) header += 4;
  if (type == kErspan && (flags & 0x1000) != 0) header += 8;
  if (b.size() < header) return TunnelLook::kMalformed;
  b.remove_prefix(header);
  if (b.empty()) return TunnelLook::kNone;  // an acknowledgement
  return read_typed(type == kErspan ? kBridged : type, b, cut, inner);
}

TunnelLook read_ip_protocol(uint8_t protocol, std::string_view payload, bool cut, IpPacket& inner) {
  if (protocol == kGre) return read_gre(payload, cut, inner);
  if (protocol == kEtherIp) {  // RFC 3378 §3; RFC 8986 has the same number without a header, which is not read
    if (payload.size() < 2 || u16(payload, 0) != 0x3000) return TunnelLook::kMalformed;
    return read_typed(kBridged, payload.substr(2), cut, inner);
  }
  return read_inner_ip(payload, cut, inner);
}

// An identifier has a meaning at the receiving end only.
void enter_tunnel(const Flow& outer, uint64_t kind, uint64_t id, Flow& inner) {
  uint64_t end = 0;
  for (const char octet : outer.dst.b) end = end * 0x100000001b3u + static_cast<uint8_t>(octet);
  enter(inner, kind, outer.network);
  enter(inner, id, end);
}

}  // namespace

TunnelLook read_udp_tunnel(const Flow& outer, std::string_view payload, bool cut, IpPacket& inner) {
  TunnelLook found = TunnelLook::kNone;
  uint64_t id = 0;
  switch (outer.dst_port) {
    case kGtpU:
      found = read_gtp_u(payload, cut, inner);
      if (payload.size() >= 8) id = u32(payload, 4);
      break;
    case kVxlan:
    case kVxlanLinux:
    case kGeneve:
      found = outer.dst_port == kGeneve ? read_geneve(payload, cut, inner) : read_vxlan(payload, cut, inner);
      if (payload.size() >= 8) id = u32(payload, 4) >> 8;
      break;
    default:
      if (outer.dst_port == kTeredo || outer.src_port == kTeredo) found = read_teredo(payload, cut, inner);
      break;
  }
  if (found == TunnelLook::kInner) enter_tunnel(outer, outer.dst_port, id, inner.flow);
  return found;
}

bool is_ip_tunnel(uint8_t protocol) {
  return protocol == kIpip || protocol == kIp6 || protocol == kGre || protocol == kEtherIp;
}

TunnelLook read_ip_tunnel(const Flow& outer, std::string_view payload, bool cut, IpPacket& inner) {
  const TunnelLook found = read_ip_protocol(outer.protocol, payload, cut, inner);
  if (found == TunnelLook::kInner) enter_tunnel(outer, outer.protocol, 0, inner.flow);
  return found;
}

}  // namespace entente::packet
