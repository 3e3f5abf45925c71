// entente_packet_bench: packets with lookups, by the CPU time of this thread (detection.md §3); to be run on one core
// (taskset).
//   entente_packet_bench [-n INDICATORS] [-p PACKETS] [--pcap FILE] [--only decode|batched]
// 2 million packets (default) drawn from a pool of 200,000, held in memory: 40 % DNS, 20 % TLS with a server name, 20 %
// HTTP, the rest other TCP; of all 15 % IPv6, 20 % in a VLAN, 5 % inside GTP-U. 1 value in 5,000 is an indicator; what
// is found is compared before a time counts. --pcap: writes the pool as a capture file, for other programs, and ends.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "detect/internal/table.h"
#include "detect/packet_filter.h"
#include "detect/packets.h"
#include "packet/compose.h"
#include "packet/pcap.h"

namespace entente::detect {
namespace {

using pattern::AtomKind;
constexpr size_t kPool = 200'000;

double cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

using Random = std::mt19937_64;

std::string random_name(Random& r) {
  static const char* kEnds[] = {".com", ".net", ".org", ".co.jp", ".in", ".xyz", ".top", ".info", ".example.com"};
  std::string s;
  for (auto n = 6 + r() % 10; n > 0; --n) s += static_cast<char>('a' + r() % 26);
  return s + kEnds[r() % std::size(kEnds)];
}
std::string random_v4(Random& r) {
  return std::to_string(11 + r() % 200) + "." + std::to_string(r() % 256) + "." + std::to_string(r() % 256) + "." +
         std::to_string(r() % 256);
}
std::string random_hex(Random& r, size_t digits) {
  std::string s;
  while (s.size() < digits) s += "0123456789abcdef"[r() % 16];
  return s;
}

// The mix of detection.md §1.
pattern::Atom random_atom(Random& r) {
  const auto p = r() % 100;
  if (p < 40) return {AtomKind::kIpv4, random_v4(r), {}};
  if (p < 43) {
    const auto bits = 24 + r() % 7;
    const std::string a = random_v4(r);
    return {AtomKind::kCidr4, a.substr(0, a.rfind('.')) + ".0/" + std::to_string(bits), {}};
  }
  if (p < 45)
    return {AtomKind::kIpv6, "2001:db8:1" + random_hex(r, 3) + ":1" + random_hex(r, 3) + "::1" + random_hex(r, 2), {}};
  if (p < 70) return {AtomKind::kDomain, random_name(r), {}};
  if (p < 82) return {AtomKind::kUrl, "http://" + random_name(r) + "/" + random_hex(r, 20), {}};
  if (p < 92) return {AtomKind::kSha256, random_hex(r, 64), {}};
  if (p < 98) return {AtomKind::kMd5, random_hex(r, 32), {}};
  return {AtomKind::kEmail, "u" + random_hex(r, 8) + "@" + random_name(r), {}};
}

// A G-PDU without options around an IP packet, from gateway to gateway.
std::string in_gtp(Random& r, const std::string& frame) {
  const std::string inner = frame.substr(14);
  std::string message("\x30\xff", 2);
  put_u16(message, static_cast<uint16_t>(inner.size()));
  put_u32(message, static_cast<uint32_t>(r()));
  return packet::compose_udp({.src = *packet::parse_address("10.0.0." + std::to_string(r() % 200)),
                              .dst = *packet::parse_address("10.0.1." + std::to_string(r() % 200)),
                              .src_port = 2152,
                              .dst_port = 2152},
                             message + inner);
}

// Of the indicators at random none is met by chance: with 10 million, blocks cover one address in a hundred.
std::string innocent_v4(Random& r, const Index& index) {
  while (true) {
    const std::string text = random_v4(r);
    if (!index.table().concerns_v4(packet::parse_v4(text)->v4_value())) return text;
  }
}

std::string make_packet(Random& r, const std::vector<std::string>& bad_names, const Index& index) {
  using namespace packet;
  const bool v6 = r() % 100 < 15, gtp = r() % 100 < 5, vlan = !gtp && r() % 100 < 20;
  const auto end = [&] {
    return *parse_address(v6 ? "2001:db8:" + random_hex(r, 4) + ":" + random_hex(r, 4) + "::" + random_hex(r, 3)
                             : innocent_v4(r, index));
  };
  Flow f{.src = end(), .dst = end(), .src_port = static_cast<uint16_t>(1024 + r() % 60000)};
  const std::vector<uint16_t> vlans(vlan ? 1 : 0, static_cast<uint16_t>(r() % 4000));
  const std::string name = r() % 5000 == 0 ? bad_names[r() % bad_names.size()] : "www." + random_name(r);
  const auto p = r() % 100;
  std::string out;
  if (p < 20) {
    f.dst_port = 53;
    out = compose_udp(f, compose_dns_query(static_cast<uint16_t>(r()), name, v6 ? DnsType::kAaaa : DnsType::kA), vlans);
  } else if (p < 40) {
    std::swap(f.src_port, f.dst_port);
    f.src_port = 53;
    out = compose_udp(f,
                      compose_dns_response(static_cast<uint16_t>(r()), name, DnsType::kA,
                                           {{DnsType::kA, name, 300, innocent_v4(r, index)},
                                            {DnsType::kA, name, 300, innocent_v4(r, index)}}),
                      vlans);
  } else if (p < 60) {
    f.dst_port = 443;
    out = compose_tcp(f, static_cast<uint32_t>(r()), 24, compose_client_hello(name, 180 + r() % 160), vlans);
  } else if (p < 80) {
    f.dst_port = 80;
    out = compose_tcp(f, static_cast<uint32_t>(r()), 24,
                      "GET /" + random_hex(r, 20) + " HTTP/1.1\r\nHost: " + name +
                          "\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\nCookie: a=" +
                          random_hex(r, 60 + r() % 150) + "\r\n\r\n",
                      vlans);
  } else {
    f.dst_port = 8443;
    out = compose_tcp(f, static_cast<uint32_t>(r()), 16, std::string(r() % 700, '\x17' ^ 0x40), vlans);
  }
  return gtp ? in_gtp(r, out) : out;
}

struct Pool {
  std::string bytes;
  std::vector<std::pair<uint32_t, uint32_t>> packets;  // where, how long
  std::vector<uint32_t> order;
  [[nodiscard]] std::string_view at(size_t i) const {
    return std::string_view(bytes).substr(packets[i].first, packets[i].second);
  }
};

Pool make_pool(size_t n, const std::vector<std::string>& bad_names, const Index& index) {
  Random r(3);
  Pool pool;
  for (size_t i = 0; i < kPool; ++i) {
    const std::string p = make_packet(r, bad_names, index);
    pool.packets.emplace_back(static_cast<uint32_t>(pool.bytes.size()), static_cast<uint32_t>(p.size()));
    pool.bytes += p;
  }
  for (size_t i = 0; i < n; ++i) pool.order.push_back(static_cast<uint32_t>(i % kPool));
  return pool;
}

void decode_all(const Pool& pool, packet::Decoder& decoder) {
  constexpr size_t kAhead = 3;
  uint64_t number = 0;
  for (size_t k = 0; k < pool.order.size(); ++k) {
    if (k + kAhead < pool.order.size()) packet::prefetch(pool.at(pool.order[k + kAhead]));
    const auto bytes = pool.at(pool.order[k]);
    decoder.decode(
        {.bytes = bytes, .time = Time{1}, .number = ++number, .length = static_cast<uint32_t>(bytes.size())});
  }
}

struct Rate {
  std::vector<double> seconds;
  void print(const char* what, const Pool& pool, const std::string& more = {}) {
    std::sort(seconds.begin(), seconds.end());
    const auto n = static_cast<double>(pool.order.size());
    const double s = seconds[seconds.size() / 2];
    std::printf("%-28s %6.2f Mpps (%.2f to %.2f), %4.0f ns a packet%s\n", what, n / s / 1e6, n / seconds.back() / 1e6,
                n / seconds.front() / 1e6, s / n * 1e9, more.c_str());
  }
};

// What an owner of an index does with each value, as `hunt` does.
class Matcher {
 public:
  explicit Matcher(const Index& index)
      : observer_(
            "bench",
            [this, &index](const Observable& o) {
              hits_.clear();
              index.match(o, hits_);
              for (const Hit& h : hits_) {
                if (o.kind == ObservableKind::kUrl && h.atom != AtomKind::kUrl) continue;
                ++found;
                sum = sum * 31 + h.indicator + o.where.record;
              }
            },
            false) {}
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;
  packet::Sink& sink() { return observer_; }
  uint64_t found = 0, sum = 0;

 private:
  std::vector<Hit> hits_;
  PacketObserver observer_;
};

int run(int argc, char** argv) {
  size_t indicators = 10'000'000, packets = 2'000'000;
  std::string file, only;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view arg = argv[i];
    if (arg == "-n") indicators = std::strtoull(argv[i + 1], nullptr, 10);
    if (arg == "-p") packets = std::strtoull(argv[i + 1], nullptr, 10);
    if (arg == "--only") only = argv[i + 1];
    if (arg == "--pcap") file = argv[i + 1];
  }
  Random r(7);
  std::vector<std::string> bad_names;
  Builder b;
  for (int i = 0; i < 200; ++i) {
    bad_names.push_back("bad." + random_name(r));
    b.add({}, {{AtomKind::kDomain, bad_names.back(), {}}});
  }
  while (b.size() < indicators) b.add({}, {random_atom(r)});
  const auto index = std::move(b).build();
  const Pool pool = make_pool(packets, bad_names, *index);
  if (!file.empty()) {
    std::ofstream out(file, std::ios::binary);
    std::string text = packet::pcap_header(packet::LinkType::kEthernet);
    for (const uint32_t i : pool.order) {
      packet::append_pcap_packet(text, Time{1}, pool.at(i));
      if (text.size() > 1u << 20) out << std::exchange(text, {});
    }
    out << text;
    return out ? 0 : 2;
  }
  std::printf("%zu packets of %.0f octets on average, %zu indicators\n", packets,
              static_cast<double>(pool.bytes.size()) / kPool, index->indicators());

  Rate decode, one_by_one, batched;
  packet::Counters counted;
  uint64_t found = 0;
  for (int round = 0; round < 5; ++round) {
    packet::Sink nothing;
    packet::Decoder bare(nothing);
    double t = cpu_s();
    if (only != "batched") decode_all(pool, bare);
    decode.seconds.push_back(cpu_s() - t);
    counted = bare.counters();

    Matcher single(*index), many(*index);
    packet::Decoder slow(single.sink());
    t = cpu_s();
    if (only.empty()) decode_all(pool, slow);
    one_by_one.seconds.push_back(cpu_s() - t);

    PacketFilter filter(*index, many.sink());
    packet::Decoder fast(filter);
    t = cpu_s();
    if (only != "decode") decode_all(pool, fast);
    filter.flush();
    batched.seconds.push_back(cpu_s() - t);
    if (!only.empty()) continue;
    if (single.found != many.found || single.sum != many.sum || many.found == 0) {
      std::printf("WRONG: one by one %lu matches, batched %lu\n", single.found, many.found);
      return 1;
    }
    found = many.found;
  }
  const uint64_t read = counted.dns + counted.tls_hello + counted.http;
  const uint64_t malformed =
      counted.dns_malformed + counted.tls_malformed + counted.http_malformed + counted.ip_malformed;
  if (only.empty() && (read < packets * 7 / 10 || counted.tunnels == 0 || malformed > 0)) {
    std::printf("WRONG: %lu DNS, %lu TLS, %lu HTTP, %lu tunnels, %lu malformed\n", counted.dns, counted.tls_hello,
                counted.http, counted.tunnels, malformed);
    return 1;
  }
  if (only != "batched") decode.print("decoding alone", pool);
  if (only.empty()) one_by_one.print("lookups one by one", pool);
  if (only != "decode")
    batched.print("lookups batched (hunt)", pool,
                  only.empty() ? ", " + std::to_string(found) + " matches, as one by one" : "");
  return 0;
}

}  // namespace
}  // namespace entente::detect

int main(int argc, char** argv) { return entente::detect::run(argc, argv); }
