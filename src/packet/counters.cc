#include "packet/counters.h"

#include <array>

namespace entente::packet {
namespace {

constexpr std::array kNames = {
    CounterName{"packets", &Counters::packets, nullptr},
    CounterName{"bytes", &Counters::bytes, nullptr},
    CounterName{"cut", &Counters::cut, "packets were captured shorter than they were: what was cut off is not read"},
    CounterName{"link_unknown", &Counters::link_unknown,
                "packets are not IP (ARP and the like), or of a link layer that is not read"},
    CounterName{"ip_malformed", &Counters::ip_malformed, "packets have an IP header that makes no sense"},
    CounterName{"fragments", &Counters::fragments, nullptr},
    CounterName{"reassembled", &Counters::reassembled, nullptr},
    CounterName{"fragments_refused", &Counters::fragments_refused,
                "fragmented IP datagrams were given up: overlap, bad length, a piece cut short, or no room"},
    CounterName{"tunnels", &Counters::tunnels, nullptr},
    CounterName{"tunnel_malformed", &Counters::tunnel_malformed,
                "packets on a tunnel's port or protocol hold nothing that is read"},
    CounterName{"tunnel_too_deep", &Counters::tunnel_too_deep, "packets are nested too deep"},
    CounterName{"transport_other", &Counters::transport_other, nullptr},
    CounterName{"transport_malformed", &Counters::transport_malformed,
                "packets have a TCP or UDP header that makes no sense"},
    CounterName{"dns", &Counters::dns, nullptr},
    CounterName{"dns_malformed", &Counters::dns_malformed, "DNS messages are malformed"},
    CounterName{"tls_hello", &Counters::tls_hello, nullptr},
    CounterName{"tls_no_sni", &Counters::tls_no_sni, nullptr},
    CounterName{"tls_malformed", &Counters::tls_malformed, "TLS ClientHellos are malformed"},
    CounterName{"quic", &Counters::quic, nullptr},
    CounterName{"quic_sealed", &Counters::quic_sealed,
                "QUIC datagrams are sealed with keys that only their ends have (servers' first flights among them)"},
    CounterName{"quic_other", &Counters::quic_other, "QUIC datagrams are of a version or kind that is not read"},
    CounterName{"http", &Counters::http, nullptr},
    CounterName{"http_malformed", &Counters::http_malformed, "HTTP requests are malformed"},
    CounterName{"streams_held", &Counters::streams_held, nullptr},
    CounterName{"streams_evicted", &Counters::streams_evicted,
                "connections were given up before their first message was whole: too many at one time"},
    CounterName{"streams_abandoned", &Counters::streams_abandoned,
                "connections were given up before their first message was whole: a gap, or longer than is held"},
};
// A counter that is added gets a name.
static_assert(kNames.size() * sizeof(uint64_t) == sizeof(Counters));

}  // namespace

std::span<const CounterName> counter_names() { return kNames; }

}  // namespace entente::packet
