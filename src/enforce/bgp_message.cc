#include "enforce/internal/bgp_message.h"

#include <algorithm>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/bytes.h"

namespace entente::enforce::internal::bgp {

namespace {

constexpr uint16_t kAsTrans = 23456;  // RFC 6793 §9
constexpr uint8_t kFlow = 133;

void put8(std::string& out, unsigned v) { out += static_cast<char>(v); }
void put16(std::string& out, unsigned v) {
  put8(out, v >> 8U);
  put8(out, v);
}
void put32(std::string& out, uint32_t v) {
  put16(out, v >> 16U);
  put16(out, v & 0xffffU);
}
uint8_t get8(std::string_view b, size_t at) { return static_cast<uint8_t>(b[at]); }
uint16_t get16(std::string_view b, size_t at) { return static_cast<uint16_t>(get8(b, at) << 8U | get8(b, at + 1)); }
uint32_t get32(std::string_view b, size_t at) { return uint32_t{get16(b, at)} << 16U | get16(b, at + 2); }

std::string message(Type type, const std::string& body) {
  std::string out(16, '\xff');
  put16(out, static_cast<unsigned>(kHeaderBytes + body.size()));
  put8(out, static_cast<unsigned>(type));
  return out + body;
}

constexpr uint8_t kWellKnown = 0x40, kOptional = 0x80, kOptionalTransitive = 0xc0;
void attribute(std::string& out, uint8_t flags, uint8_t type, const std::string& value) {
  put8(out, flags);
  put8(out, type);
  put8(out, static_cast<unsigned>(value.size()));  // ours are short
  out += value;
}

std::string update(const std::string& withdrawn, const std::string& attributes, const std::string& reachable) {
  std::string body;
  put16(body, static_cast<unsigned>(withdrawn.size()));
  body += withdrawn;
  put16(body, static_cast<unsigned>(attributes.size()));
  body += attributes + reachable;
  return message(Type::kUpdate, body);
}

std::string address_octets(const Prefix& p, size_t n) { return {reinterpret_cast<const char*>(p.bytes.data()), n}; }

// Of unicast: length in bits, then as many octets as that takes. Of flow specifications one component within its own
// length; IPv6 has an offset between (RFC 8956 §3.1).
std::string nlri(const BgpRoute& r) {
  std::string out;
  const std::string octets = address_octets(r.prefix, (r.prefix.bits + 7U) / 8U);
  if (r.how == BgpHow::kRtbh) {
    put8(out, r.prefix.bits);
    return out + octets;
  }
  std::string component;
  put8(component, r.how == BgpHow::kFlowTo ? 1 : 2);
  put8(component, r.prefix.bits);
  if (r.prefix.v6) put8(component, 0);
  component += octets;
  put8(out, static_cast<unsigned>(component.size()));
  return out + component;
}

std::string octets_of(const std::string& address) {
  const auto p = parse_prefix(address);
  return p.ok() ? address_octets(*p, p->v6 ? 16 : 4) : std::string();
}

std::string multiprotocol(const Family& family, const std::string& next_hop, const std::string& reachable) {
  std::string out;
  put16(out, family.afi);
  put8(out, family.safi);
  put8(out, static_cast<unsigned>(next_hop.size()));
  out += next_hop;
  put8(out, 0);
  return out + reachable;
}

}  // namespace

Family family_of(const BgpRoute& route) {
  return {static_cast<uint16_t>(route.prefix.v6 ? 2 : 1), static_cast<uint8_t>(route.how == BgpHow::kRtbh ? 1 : kFlow)};
}

Result<std::optional<Message>> take(std::string& buffer) {
  if (buffer.size() < kHeaderBytes) return std::optional<Message>();
  const uint16_t size = get16(buffer, 16);
  const uint8_t type = get8(buffer, 18);
  if (buffer.find_first_not_of('\xff') < 16 || size < kHeaderBytes || size > kMaxMessage || type < 1 || type > 5)
    return invalid("the neighbour does not speak BGP");
  if (buffer.size() < size) return std::optional<Message>();
  Message out{static_cast<Type>(type), buffer.substr(kHeaderBytes, size - kHeaderBytes)};
  buffer.erase(0, size);
  return std::optional(std::move(out));
}

Result<PeerOpen> read_open(std::string_view body) {
  if (body.size() < 10 || get8(body, 0) != 4) return invalid("no OPEN of BGP-4");
  PeerOpen out;
  out.as = get16(body, 1);
  out.hold_s = get16(body, 3);
  std::string_view parameters = body.substr(10);
  if (parameters.size() != get8(body, 9)) return invalid("an OPEN with bad lengths");
  while (parameters.size() >= 2) {
    const uint8_t kind = get8(parameters, 0), size = get8(parameters, 1);
    if (parameters.size() < 2U + size) return invalid("an OPEN with bad lengths");
    std::string_view capabilities = kind == 2 ? parameters.substr(2, size) : std::string_view();
    parameters.remove_prefix(2U + size);
    while (capabilities.size() >= 2) {
      const uint8_t code = get8(capabilities, 0), length = get8(capabilities, 1);
      if (capabilities.size() < 2U + length) return invalid("an OPEN with bad lengths");
      const std::string_view value = capabilities.substr(2, length);
      capabilities.remove_prefix(2U + length);
      if (code == 1 && length == 4) out.families.insert({get16(value, 0), get8(value, 3)});
      if (code == 65 && length == 4) {
        out.four_octets = true;
        out.as = get32(value, 0);
      }
      if (code == 64) out.graceful = true;
    }
  }
  if (out.families.empty()) out.families.insert({1, 1});
  return out;
}

std::string read_notification(std::string_view body) {
  if (body.size() < 2) return "without a reason";
  static constexpr const char* kCodes[] = {"",          "bad header", "bad OPEN", "bad UPDATE", "hold timer expired",
                                           "bad state", "cease"};
  const uint8_t code = get8(body, 0), subcode = get8(body, 1);
  std::string out = fmt::format("{}/{}", code, subcode);
  if (code < std::size(kCodes)) out += fmt::format(" ({})", kCodes[code]);
  if (code == 2 && subcode == 2) out += ": it expects another AS of us";
  return out;
}

std::string open(const BgpOptions& o, bool restarted) {
  std::string capabilities;
  const auto capability = [&](uint8_t code, const std::string& value) {
    put8(capabilities, code);
    put8(capabilities, static_cast<unsigned>(value.size()));
    capabilities += value;
  };
  constexpr Family kOurs[] = {{1, 1}, {2, 1}, {1, kFlow}, {2, kFlow}};
  for (const Family& f : kOurs) {
    std::string value;
    put16(value, f.afi);
    put8(value, 0);
    put8(value, f.safi);
    capability(1, value);
  }
  std::string as;
  put32(as, o.local_as);
  capability(65, as);
  // RFC 4724: we were away, our routes are to be kept so long, and what they did goes on being done.
  std::string graceful;
  const auto keep_s = static_cast<unsigned>(std::clamp<int64_t>(o.hold_us / 1'000'000, 1, 4095));
  put16(graceful, (restarted ? 0x8000U : 0U) | keep_s);
  for (const Family& f : kOurs) {
    put16(graceful, f.afi);
    put8(graceful, f.safi);
    put8(graceful, 0x80);
  }
  capability(64, graceful);
  std::string body;
  put8(body, 4);
  put16(body, o.local_as > 0xffff ? kAsTrans : o.local_as);
  put16(body, o.session_hold_s);
  body += octets_of(o.router_id);
  put8(body, static_cast<unsigned>(capabilities.size() + 2));
  put8(body, 2);
  put8(body, static_cast<unsigned>(capabilities.size()));
  return message(Type::kOpen, body + capabilities);
}

std::string keepalive() { return message(Type::kKeepalive, ""); }

std::string notification(uint8_t code, uint8_t subcode) {
  std::string body;
  put8(body, code);
  put8(body, subcode);
  return message(Type::kNotification, body);
}

std::string announce(const BgpRoute& r, const BgpOptions& o, const PeerOpen& peer) {
  std::string attributes;
  const Family family = family_of(r);
  const bool plain = family == Family{1, 1}, flow = family.safi == kFlow;
  attribute(attributes, kWellKnown, 1, std::string(1, '\0'));  // ORIGIN: IGP
  std::string path;
  const bool external = o.local_as != o.peer_as;
  if (external) {
    put8(path, 2);
    put8(path, 1);
    if (peer.four_octets) {
      put32(path, o.local_as);
    } else {
      put16(path, o.local_as > 0xffff ? kAsTrans : o.local_as);
    }
  }
  attribute(attributes, kWellKnown, 2, path);
  if (plain) attribute(attributes, kWellKnown, 3, octets_of(o.next_hop4));
  if (!external) attribute(attributes, kWellKnown, 5, std::string("\0\0\0\x64", 4));  // LOCAL_PREF 100
  std::string communities;
  for (const uint32_t c : o.communities) put32(communities, c);
  if (!communities.empty()) attribute(attributes, kOptionalTransitive, 8, communities);
  if (!plain) attribute(attributes, kOptional, 14, multiprotocol(family, flow ? "" : octets_of(o.next_hop6), nlri(r)));
  // Traffic rate 0 octets a second: discard (RFC 8955 §7.3).
  if (flow) attribute(attributes, kOptionalTransitive, 16, std::string("\x80\x06\0\0\0\0\0\0", 8));
  return update("", attributes, plain ? nlri(r) : "");
}

std::string withdraw(const BgpRoute& r) {
  const Family family = family_of(r);
  if (family == Family{1, 1}) return update(nlri(r), "", "");
  std::string value, attributes;
  put16(value, family.afi);
  put8(value, family.safi);
  attribute(attributes, kOptional, 15, value + nlri(r));
  return update("", attributes, "");
}

std::string end_of_rib(const Family& family) {
  if (family == Family{1, 1}) return update("", "", "");
  std::string value, attributes;
  put16(value, family.afi);
  put8(value, family.safi);
  attribute(attributes, kOptional, 15, value);
  return update("", attributes, "");
}

}  // namespace entente::enforce::internal::bgp
