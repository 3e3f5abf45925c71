// From one captured packet to what a sensor looks up: who talks to whom, DNS names and answers, TLS server names, HTTP
// hosts. Octets are untrusted: everything is bounded, nothing throws, and what is not understood is counted, never
// guessed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/time.h"
#include "packet/address.h"
#include "packet/dns.h"
#include "packet/tls.h"

namespace entente::packet {

// The values of the pcap link-type registry.
enum class LinkType : uint16_t {
  kNull = 0,
  kEthernet = 1,
  kPpp = 9,
  kRaw = 101,
  kLoop = 108,
  kSll = 113,
  kIpv4 = 228,
  kIpv6 = 229,
  kSll2 = 276,
};

// One packet as captured. The view is valid during the call that delivers it.
struct Packet {
  std::string_view bytes = {};
  Time time = {};
  uint64_t number = 0;  // 1-based in its file or since the capture began
  LinkType link = LinkType::kEthernet;
  uint32_t length = 0;  // on the wire; more than bytes.size() if it was cut
};

// Sends for the octets of a packet that is decoded soon: two or three packets ahead hides the wait for memory.
inline void prefetch(std::string_view bytes) {
  constexpr size_t kLine = 64, kMost = 512;  // headers and the names behind them
  for (size_t i = 0; i < bytes.size() && i < kMost; i += kLine) __builtin_prefetch(bytes.data() + i);
}

inline constexpr uint8_t kTcp = 6;
inline constexpr uint8_t kUdp = 17;

struct Flow {
  Address src = {}, dst = {};
  uint16_t src_port = 0, dst_port = 0;  // 0 for other protocols and later fragments
  uint8_t protocol = 0;                 // of IP
  // Which network this is in, from VLANs, PPPoE sessions and tunnels; 0 = the plain one. The same addresses in two
  // networks are two flows.
  uint64_t network = 0;
};

struct HttpRequest {
  std::string_view method, target, host;  // host with its port as sent; empty if there was none
};

// What the decoder found. Called in the order of the packet: on_flow first, then what is inside it; a tunnel gives a
// flow for its outside, then one for what it carries; the last fragment gives one for itself and one for the datagram.
// Views are valid during the call only. Everything defaults to nothing, so that a sink names only what it wants.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void on_flow(const Packet&, const Flow&) {}
  virtual void on_dns_question(const Packet&, const Flow&, const DnsQuestion&) {}
  virtual void on_dns_answer(const Packet&, const Flow&, const DnsAnswer&) {}
  virtual void on_sni(const Packet&, const Flow&, std::string_view /*server_name*/) {}
  // Every ClientHello that was read, with a server name (then after on_sni) or without.
  virtual void on_tls(const Packet&, const Flow&, const TlsHello&) {}
  virtual void on_http(const Packet&, const Flow&, const HttpRequest&) {}
};

// All are numbers of packets unless said otherwise.
struct Counters {
  uint64_t packets = 0, bytes = 0;
  uint64_t cut = 0;           // captured shorter than on the wire
  uint64_t link_unknown = 0;  // link type or ethertype that is not read (ARP among them)
  uint64_t ip_malformed = 0;  // lengths that do not fit, bad version
  uint64_t fragments = 0;     // pieces of datagrams: addresses only
  uint64_t reassembled = 0;   // datagrams put together from fragments (datagrams)
  // Datagrams given up: overlap, bad length, a piece that the capture cut, too many pieces, no room (datagrams).
  uint64_t fragments_refused = 0;
  uint64_t tunnels = 0;           // packets inside packets, each with a flow of its own (inner packets)
  uint64_t tunnel_malformed = 0;  // a tunnel's port or protocol, and nothing in it that is read
  uint64_t tunnel_too_deep = 0;   // nested beyond max_tunnels: what is inside is not read
  uint64_t transport_other = 0;   // neither TCP nor UDP
  uint64_t transport_malformed = 0;
  uint64_t dns = 0, dns_malformed = 0;
  uint64_t tls_hello = 0, tls_no_sni = 0, tls_malformed = 0;  // of TCP and of QUIC
  uint64_t quic = 0;                                          // datagrams with a client's Initial packet that was read
  uint64_t quic_sealed = 0;  // … that its own key does not open: servers', and clients' after the first flight
  uint64_t quic_other = 0;   // long headers of other kinds and versions
  uint64_t http = 0, http_malformed = 0;
  uint64_t streams_held = 0;       // first octets of a flow followed: from SYN to the end of the first message (flows)
  uint64_t streams_evicted = 0;    // given up: the table was full (flows)
  uint64_t streams_abandoned = 0;  // given up: a gap or a limit (flows)
};

struct DecodeOptions {
  size_t max_streams = 4096;                    // flows whose first octets are held at one time
  size_t max_stream_bytes = 16384;              // per direction
  uint16_t dns_port = 53;                       // beside 5353 and 5355
  size_t max_tunnels = 4;                       // packets within packets
  size_t max_datagrams = 256;                   // fragmented datagrams held at one time
  size_t max_fragment_bytes = size_t{4} << 20;  // of all of them
};

// Not thread-safe: one per capture thread. Memory is bounded by max_streams * max_stream_bytes + max_fragment_bytes.
class Decoder {
 public:
  explicit Decoder(Sink& sink, DecodeOptions options = {});
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;

  void decode(const Packet& packet);
  [[nodiscard]] const Counters& counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::packet
