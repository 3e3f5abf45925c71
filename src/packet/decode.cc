#include "packet/decode.h"

#include <array>
#include <string>

#include "packet/internal/fragments.h"
#include "packet/internal/http.h"
#include "packet/internal/ip.h"
#include "packet/internal/octets.h"
#include "packet/internal/quic.h"
#include "packet/internal/streams.h"
#include "packet/internal/tls.h"
#include "packet/internal/tunnel.h"

namespace entente::packet {
namespace {

constexpr uint16_t kMdns = 5353, kLlmnr = 5355, kFirstPortOfUsers = 1024;
constexpr uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;

class DnsForward final : public DnsSink {
 public:
  DnsForward(Sink& sink, const Packet& packet, const Flow& flow) : sink_(sink), packet_(packet), flow_(flow) {}
  void on_question(const DnsQuestion& q) override { sink_.on_dns_question(packet_, flow_, q); }
  void on_answer(const DnsAnswer& a) override { sink_.on_dns_answer(packet_, flow_, a); }

 private:
  Sink& sink_;
  const Packet& packet_;
  const Flow& flow_;
};

}  // namespace

struct Decoder::State {
  State(Sink& s, const DecodeOptions& o)
      : sink(s),
        options(o),
        streams(o.max_streams, counters),
        quic_streams(o.max_streams / 4, counters),
        fragments(o.max_datagrams, o.max_fragment_bytes, counters) {}

  Sink& sink;
  DecodeOptions options;
  Counters counters;
  Streams streams;
  Streams quic_streams;
  Fragments fragments;
  std::string scratch;
  IpPacket inner;  // of the tunnel at hand
  // Datagrams put together for the packet at hand, which is decoded from them: fragments within fragments go no deeper.
  std::array<std::string, 2> datagrams;
  size_t datagrams_seen = 0;

  [[nodiscard]] bool is_dns(const Flow& f) const {
    if (f.src_port == options.dns_port || f.dst_port == options.dns_port) return true;
    // A client may have happened upon 5353 or 5355 for its own port: what goes to a service of the system is not DNS.
    const auto local = [](uint16_t port, uint16_t other) {
      return (port == kMdns || port == kLlmnr) && other >= kFirstPortOfUsers;
    };
    return local(f.src_port, f.dst_port) || local(f.dst_port, f.src_port);
  }

  void decode(const Packet& packet) {
    ++counters.packets;
    counters.bytes += packet.bytes.size();
    if (packet.length > packet.bytes.size()) ++counters.cut;
    IpPacket ip;
    switch (read_ip(packet.link, packet.bytes, ip)) {
      case IpLook::kLinkUnknown:
        ++counters.link_unknown;
        return;
      case IpLook::kMalformed:
        ++counters.ip_malformed;
        return;
      case IpLook::kIp:
        break;
    }
    datagrams_seen = 0;
    inside(packet, ip);
  }

  // An IP packet, and those it carries. Each turn takes one tunnel or one datagram off, so the loop ends.
  void inside(const Packet& packet, IpPacket& ip) {
    const bool cut = packet.length > packet.bytes.size();
    for (size_t depth = 0;; ++depth) {
      if (ip.fragment && !whole(packet, ip)) return;
      const TunnelLook look = transport(packet, ip, cut);
      if (look == TunnelLook::kMalformed) ++counters.tunnel_malformed;
      if (look != TunnelLook::kInner) return;
      if (depth == options.max_tunnels) {
        ++counters.tunnel_too_deep;
        return;
      }
      ++counters.tunnels;
      ip = inner;
    }
  }

  // A piece of a datagram; true if it was the last to come: then `ip` is the datagram.
  bool whole(const Packet& packet, IpPacket& ip) {
    ++counters.fragments;
    sink.on_flow(packet, ip.flow);
    if (datagrams_seen == datagrams.size()) return false;
    std::string& datagram = datagrams[datagrams_seen];
    uint8_t protocol = 0;
    if (!fragments.add(ip, packet.time, datagram, protocol)) return false;
    ++datagrams_seen;
    ++counters.reassembled;
    ip.fragment = ip.cut = false;
    ip.payload = datagram;
    ip.flow.protocol = protocol;
    // An IPv6 datagram may begin with further extension headers. Another fragment header among them is an attack.
    if (ip.flow.src.v6 && (read_extensions(protocol, datagram, ip) != IpLook::kIp || ip.fragment)) {
      ip.fragment = false;
      ip.payload = {};
    }
    return true;
  }

  // If it is a tunnel, what is in it goes to `inner`.
  TunnelLook transport(const Packet& packet, IpPacket& ip, bool cut) {
    if (ip.flow.protocol == kUdp) return udp(packet, ip, cut);
    if (ip.flow.protocol == kTcp) {
      tcp(packet, ip);
      return TunnelLook::kNone;
    }
    ++counters.transport_other;
    sink.on_flow(packet, ip.flow);
    inner = {};
    return is_ip_tunnel(ip.flow.protocol) ? read_ip_tunnel(ip.flow, ip.payload, cut, inner) : TunnelLook::kNone;
  }

  // A transport header that makes no sense still leaves two addresses that spoke to each other.
  void malformed_transport(const Packet& packet, const IpPacket& ip) {
    ++counters.transport_malformed;
    sink.on_flow(packet, ip.flow);
  }

  TunnelLook udp(const Packet& packet, IpPacket& ip, bool cut) {
    const std::string_view b = ip.payload;
    size_t length = b.size() < 8 ? 0 : u16(b, 4);
    if (length == 0) length = b.size();  // RFC 2675 §4
    if (b.size() >= 8) {
      ip.flow.src_port = u16(b, 0);
      ip.flow.dst_port = u16(b, 2);
    }
    if (length < 8) {
      malformed_transport(packet, ip);
      return TunnelLook::kNone;
    }
    sink.on_flow(packet, ip.flow);
    const std::string_view payload = b.substr(0, length).substr(8);
    if (is_dns(ip.flow)) {
      dns(packet, ip.flow, payload);
      return TunnelLook::kNone;
    }
    // Tunnels first: the reserved bits of VXLAN, which its receivers ignore, can look like a long header.
    inner = {};
    const TunnelLook tunnel = read_udp_tunnel(ip.flow, payload, cut, inner);
    if (tunnel == TunnelLook::kInner) return tunnel;
    if (!cut && quic(packet, ip.flow, payload)) return TunnelLook::kNone;
    return tunnel;
  }

  // True if it is QUIC's. The handshake's octets may come in any order and over several datagrams: large key shares
  // make a ClientHello longer than one, and browsers shuffle its pieces.
  bool quic(const Packet& packet, const Flow& flow, std::string_view datagram) {
    if (datagram.empty() || (u8(datagram, 0) & 0xc0) != 0xc0) return false;
    bool fits = true;
    const QuicLook look = read_quic_initials(datagram, [&](uint64_t offset, std::string_view data) {
      if (offset >= options.max_stream_bytes) {
        fits = false;
        return;
      }
      Stream* held = quic_streams.find(flow);
      Stream& stream = held != nullptr ? *held : quic_streams.open(flow, 0);
      fits = stream.add(static_cast<uint32_t>(offset), data, options.max_stream_bytes) && fits;
    });
    if (look == QuicLook::kNotThis) return false;
    if (look == QuicLook::kOther) ++counters.quic_other;
    if (look == QuicLook::kSealed) ++counters.quic_sealed;
    if (look != QuicLook::kRead) return true;
    ++counters.quic;
    const Stream* stream = quic_streams.find(flow);
    if (stream == nullptr) return true;  // an acknowledgement
    ClientHello hello = read_client_hello_message(stream->contiguous());
    if (hello.look == Look::kNeedMore && fits) return true;
    hello.hello.quic = true;
    if (hello.look == Look::kFound || hello.look == Look::kFoundEmpty) client_hello(packet, flow, hello.hello);
    if (hello.look == Look::kMalformed || hello.look == Look::kNotThis) ++counters.tls_malformed;
    if (hello.look == Look::kNeedMore) ++counters.streams_abandoned;
    quic_streams.close(flow);
    return true;
  }

  void dns(const Packet& packet, const Flow& flow, std::string_view message) {
    ++counters.dns;
    DnsForward forward(sink, packet, flow);
    if (!decode_dns(message, forward)) ++counters.dns_malformed;
  }

  void tcp(const Packet& packet, IpPacket& ip) {
    std::string_view b = ip.payload;
    if (b.size() < 20) return malformed_transport(packet, ip);
    ip.flow.src_port = u16(b, 0);
    ip.flow.dst_port = u16(b, 2);
    const uint32_t sequence = u32(b, 4);
    const size_t header = size_t{u8(b, 12)} / 16 * 4;
    const uint8_t flags = u8(b, 13);
    if (header < 20 || header > b.size()) return malformed_transport(packet, ip);
    sink.on_flow(packet, ip.flow);
    const std::string_view payload = b.substr(header);
    const bool dns_flow = is_dns(ip.flow);

    if ((flags & kSyn) != 0) {
      // What a server sends first is read only of DNS servers.
      if ((flags & kAck) != 0 && !dns_flow) return;
      streams.open(ip.flow, sequence + 1);
      if (!payload.empty()) held(packet, ip.flow, sequence + 1, payload, dns_flow);  // RFC 7413
      return;
    }
    if (!payload.empty()) {
      if (streams.find(ip.flow) != nullptr) {
        held(packet, ip.flow, sequence, payload, dns_flow);
      } else if (!dns_flow) {
        fresh(packet, ip.flow, sequence, payload);
      } else {
        fresh_dns(packet, ip.flow, sequence, payload);
      }
    }
    if ((flags & (kFin | kRst)) != 0) streams.close(ip.flow);
  }

  // A segment of a flow whose beginning is being put together.
  void held(const Packet& packet, const Flow& flow, uint32_t sequence, std::string_view payload, bool dns_flow) {
    Stream* stream = streams.find(flow);
    const bool room = stream->add(sequence, payload, options.max_stream_bytes);
    const std::string_view bytes = stream->contiguous();
    bool done = false;
    if (!bytes.empty() && dns_flow) {
      stream->consumed += dns_messages(packet, flow, bytes.substr(stream->consumed));
      done = stream->consumed == bytes.size();
      if (done && !stream->has_gaps()) {
        // What follows starts a message of its own, however small its first piece is: its place is kept.
        streams.open(flow, stream->next());
        return;
      }
      if (done && bytes.size() < options.max_stream_bytes) return;
    } else if (!bytes.empty()) {
      done = application(packet, flow, bytes);
    }
    if (!done && room && bytes.size() < options.max_stream_bytes) return;
    if (!done) ++counters.streams_abandoned;
    streams.close(flow);
  }

  // A segment of a flow that is not held: it may begin a message (the capture began later, or a further request).
  void fresh(const Packet& packet, const Flow& flow, uint32_t sequence, std::string_view payload) {
    if (payload.size() < 3) return;  // too little to be recognised where the beginning was not seen
    if (application(packet, flow, payload)) return;
    streams.open(flow, sequence).add(sequence, payload, options.max_stream_bytes);
  }

  void fresh_dns(const Packet& packet, const Flow& flow, uint32_t sequence, std::string_view payload) {
    // Without the beginning a length cannot be told from content; a header that makes sense is required.
    if (payload.size() < 14 || u16(payload, 0) < 12 || u16(payload, 6) > 16) return;
    const size_t used = dns_messages(packet, flow, payload);
    if (used == payload.size()) {
      streams.open(flow, sequence + static_cast<uint32_t>(used));
      return;
    }
    Stream& stream = streams.open(flow, sequence);
    stream.add(sequence, payload, options.max_stream_bytes);
    stream.consumed = used;
  }

  // RFC 1035 §4.2.2: two octets of length before each. Returns the octets of whole messages.
  size_t dns_messages(const Packet& packet, const Flow& flow, std::string_view bytes) {
    size_t used = 0;
    while (bytes.size() - used >= 2) {
      const size_t length = u16(bytes, used);
      if (bytes.size() - used - 2 < length) break;
      dns(packet, flow, bytes.substr(used + 2, length));
      used += 2 + length;
    }
    return used;
  }

  void client_hello(const Packet& packet, const Flow& flow, const TlsHello& hello) {
    ++counters.tls_hello;
    if (hello.server_name.empty()) {
      ++counters.tls_no_sni;
    } else {
      sink.on_sni(packet, flow, hello.server_name);
    }
    sink.on_tls(packet, flow, hello);
  }

  // True if it is decided (delivered, or nothing that is read here); false if more octets are needed.
  bool application(const Packet& packet, const Flow& flow, std::string_view bytes) {
    const ClientHello hello = read_client_hello(bytes, scratch);
    switch (hello.look) {
      case Look::kNeedMore:
        return false;
      case Look::kFound:
      case Look::kFoundEmpty:
        client_hello(packet, flow, hello.hello);
        return true;
      case Look::kMalformed:
        ++counters.tls_malformed;
        return true;
      case Look::kNotThis:
        break;
    }
    const HttpHead head = read_http_request(bytes);
    switch (head.look) {
      case Look::kNeedMore:
        return false;
      case Look::kFound:
      case Look::kFoundEmpty:
        ++counters.http;
        sink.on_http(packet, flow, head.request);
        return true;
      case Look::kMalformed:
        ++counters.http_malformed;
        return true;
      case Look::kNotThis:
        return true;
    }
    return true;
  }
};

Decoder::Decoder(Sink& sink, DecodeOptions options) : state_(std::make_unique<State>(sink, options)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;
void Decoder::decode(const Packet& packet) { state_->decode(packet); }
const Counters& Decoder::counters() const { return state_->counters; }

}  // namespace entente::packet
