#include "packet/decode.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "packet/compose.h"
#include "packet/internal/recorder.h"

namespace entente::packet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Flow kClient = flow("192.0.2.1", 40000, "198.51.100.2", 443);
const Flow kDnsClient = flow("2001:db8::1", 40000, "2001:db8::53", 53);

struct Probe {
  Recorder sink;
  Decoder decoder;
  explicit Probe(DecodeOptions options = {}) : decoder(sink, options) {}
  void packet(std::string_view bytes, LinkType link = LinkType::kEthernet) {
    decoder.decode({.bytes = bytes, .link = link, .length = static_cast<uint32_t>(bytes.size())});
  }
};

TEST(Decode, DnsQuestionAndAnswersOverUdpUnderEveryLinkAndTagging) {
  const std::string message = compose_dns_response(7, "WwW.example.org", DnsType::kA,
                                                   {{DnsType::kCname, "WwW.example.org", 60, "host.example.net"},
                                                    {DnsType::kA, "host.example.net", 30, "203.0.113.9"},
                                                    {DnsType::kAaaa, "host.example.net", 5, "2001:db8::9"}});
  for (const bool v6 : {false, true}) {
    const Flow f = v6 ? flow("2001:db8::53", 53, "2001:db8::1", 999) : flow("192.0.2.53", 53, "192.0.2.1", 999);
    const std::string plain = compose_udp(f, message), ip = plain.substr(14), ethertype = plain.substr(12, 2);
    const std::vector<std::pair<LinkType, std::string>> forms = {
        {LinkType::kEthernet, plain},
        {LinkType::kEthernet, compose_udp(f, message, {100})},
        {LinkType::kEthernet, compose_udp(f, message, {7, 4094})},
        {LinkType::kEthernet, plain + std::string(20, 'p')},  // padding is no content
        {LinkType::kRaw, ip},
        {v6 ? LinkType::kIpv6 : LinkType::kIpv4, ip},
        {LinkType::kSll, std::string(14, '\0') + ethertype + ip},
        {LinkType::kSll2, ethertype + std::string(18, '\0') + ip},
        {LinkType::kNull, std::string(4, '\2') + ip},
    };
    for (const auto& [link, bytes] : forms) {
      Probe run;
      run.packet(bytes, link);
      EXPECT_THAT(run.sink.events,
                  ElementsAre("r? WwW.example.org 1", "a WwW.example.org WwW.example.org host.example.net 60",
                              "a WwW.example.org host.example.net 203.0.113.9 30",
                              "a WwW.example.org host.example.net 2001:db8::9 5"));
      EXPECT_EQ(run.sink.flows, 1u);
      EXPECT_EQ(run.sink.last.src, f.src);
      EXPECT_EQ(run.sink.last.dst_port, 999);
    }
  }
}

TEST(Decode, Ipv4OptionsAndIpv6ExtensionHeadersAreSkipped) {
  const std::string query = compose_dns_query(1, "a.example", DnsType::kAaaa);
  std::string v4 = compose_udp(flow("192.0.2.1", 9, "192.0.2.2", 53), query).substr(14);
  v4[0] = 0x46;  // one option word
  v4.insert(20, std::string("\x01\x01\x01\x00", 4));
  v4[3] = static_cast<char>(v4[3] + 4);
  Probe run;
  run.packet(v4, LinkType::kRaw);
  std::string v6 = compose_udp(kDnsClient, query).substr(14);
  v6[6] = 0;  // hop-by-hop, destination options, fragment that is whole
  v6.insert(40, std::string("\x3c\x00\x01\x04\x00\x00\x00\x00", 8) +
                    std::string("\x2c\x00\x01\x04\x00\x00\x00\x00", 8) +
                    std::string("\x11\x00\x00\x00\x00\x00\x00\x09", 8));
  v6[5] = static_cast<char>(v6[5] + 24);
  run.packet(v6, LinkType::kRaw);
  EXPECT_THAT(run.sink.events, ElementsAre("q? a.example 28", "q? a.example 28"));
  EXPECT_EQ(run.decoder.counters().ip_malformed, 0u);
}

TEST(Decode, APieceOfADatagramGivesAddressesOnlyAndIsCounted) {
  std::string v4 =
      compose_udp(flow("192.0.2.1", 9, "192.0.2.2", 53), compose_dns_query(1, "a.example", DnsType::kA)).substr(14);
  v4[7] = 5;  // offset 40
  Probe run;
  run.packet(v4, LinkType::kRaw);
  EXPECT_THAT(run.sink.events, IsEmpty());
  EXPECT_EQ(run.sink.flows, 1u);
  EXPECT_EQ(run.decoder.counters().fragments, 1u);
}

TEST(Decode, SniAndHttpHostInOneSegmentWithoutHavingSeenTheBeginning) {
  Probe run;
  run.packet(compose_tcp(kClient, 77, 24, compose_client_hello("login.example.com")));
  run.packet(compose_tcp(flow("192.0.2.1", 5, "192.0.2.2", 8080), 1, 24,
                         "GET /a?b=c HTTP/1.1\r\nAccept: */*\r\nHOST:  evil.example:8080 \r\n\r\n"));
  run.packet(compose_tcp(flow("192.0.2.1", 6, "192.0.2.2", 80), 1, 24,
                         "POST http://p.example/x HTTP/1.0\r\nUser-Agent: u\r\n\r\n"));
  run.packet(compose_tcp(flow("192.0.2.1", 7, "192.0.2.2", 22), 1, 24, "SSH-2.0-x\r\n"));
  EXPECT_THAT(run.sink.events, ElementsAre("sni login.example.com", "http GET evil.example:8080 /a?b=c",
                                           "http POST  http://p.example/x"));
  EXPECT_EQ(run.decoder.counters().tls_hello, 1u);
  EXPECT_EQ(run.decoder.counters().http, 2u);
}

// 5353 and 5355 are ports of DNS on a link, and may be a client's own port towards anything else.
TEST(Decode, AClientsPortThatHappensToBeOneOfLocalDnsHidesNothing) {
  for (const uint16_t port : {uint16_t{5353}, uint16_t{5355}}) {
    Probe run;
    run.packet(compose_tcp(flow("192.0.2.1", port, "192.0.2.2", 443), 77, 24, compose_client_hello("a.example")));
    run.packet(
        compose_tcp(flow("192.0.2.1", port, "192.0.2.2", 80), 1, 24, "GET /x HTTP/1.1\r\nHost: b.example\r\n\r\n"));
    const std::string query = compose_dns_query(1, "c.example", DnsType::kA);
    run.packet(compose_udp(flow("192.0.2.1", 40'000, "224.0.0.251", port), query));
    run.packet(compose_udp(flow("192.0.2.1", port, "192.0.2.53", 53), query));
    EXPECT_THAT(run.sink.events,
                ElementsAre("sni a.example", "http GET b.example /x", "q? c.example 1", "q? c.example 1"));
  }
}

// Any cut into segments, in any order, with repetitions, gives the name once, if the SYN was seen.
RC_GTEST_PROP(Decode, AMessageInSegmentsOfAnySizeAndOrderIsFound, (uint32_t base)) {
  const int kind = *rc::gen::inRange(0, 3);
  const auto padding = *rc::gen::inRange<size_t>(0, 3000);
  const Flow f = kind == 2 ? kDnsClient : kClient;
  std::string message;
  std::vector<std::string> expected;
  if (kind == 0) {
    message = compose_client_hello("deep.example.com", padding);
    expected = {"sni deep.example.com"};
  } else if (kind == 1) {
    message = "GET / HTTP/1.1\r\nCookie: " + std::string(padding, 'c') + "\r\nHost: h.example\r\n\r\n";
    expected = {"http GET h.example /"};
  } else {
    for (const char* name : {"one.example", "two.example"}) {
      const std::string query = compose_dns_query(1, name, DnsType::kA);
      put_u16(message, static_cast<uint16_t>(query.size()));
      message += query;
    }
    expected = {"q? one.example 1", "q? two.example 1"};
  }
  struct Segment {
    size_t begin, length;
  };
  std::vector<Segment> segments;
  for (size_t at = 0; at < message.size();) {
    const size_t n =
        std::min(message.size() - at, *rc::gen::inRange<size_t>(message.size() / 10 + 1, message.size() + 1));
    segments.push_back({at, n});
    at += n;
  }
  if (*rc::gen::arbitrary<bool>()) segments.push_back({0, std::min<size_t>(message.size(), 9)});
  for (size_t i = segments.size(); i > 1; --i) std::swap(segments[i - 1], segments[*rc::gen::inRange<size_t>(0, i)]);
  if (kind == 2) std::sort(segments.begin(), segments.end(), [](auto a, auto b) { return a.begin < b.begin; });

  Probe run;
  run.packet(compose_tcp(f, base, 2, ""));
  for (const auto& s : segments) {
    run.packet(compose_tcp(f, base + 1 + static_cast<uint32_t>(s.begin), 24, message.substr(s.begin, s.length)));
    // A repetition that comes after the end is judged by itself and may say the same again.
    if (run.sink.events.size() >= expected.size()) break;
  }
  RC_ASSERT(run.sink.events == expected);
}

// A message that ends with its segment does not make the next one, however it is cut, a stranger.
TEST(Decode, EveryDnsMessageOfAConnectionIsFoundHoweverItIsCut) {
  std::string message;
  std::vector<std::string> expected;
  std::vector<size_t> ends;
  for (const char* name : {"one.example", "two.example", "three.example"}) {
    const std::string query = compose_dns_query(1, name, DnsType::kA);
    put_u16(message, static_cast<uint16_t>(query.size()));
    message += query;
    ends.push_back(message.size());
    expected.push_back(std::string("q? ") + name + " 1");
  }
  for (const bool beginning_seen : {true, false}) {
    for (size_t piece = 1; piece < 20; ++piece) {
      Probe run;
      if (beginning_seen) run.packet(compose_tcp(kDnsClient, 99, 2, ""));
      const auto send = [&](size_t from, size_t to) {
        run.packet(compose_tcp(kDnsClient, 100 + static_cast<uint32_t>(from), 24, message.substr(from, to - from)));
      };
      send(0, ends[0]);
      for (size_t at = ends[0]; at < message.size(); at += piece) send(at, std::min(at + piece, message.size()));
      EXPECT_EQ(run.sink.events, expected) << piece << " octets at once, beginning seen: " << beginning_seen;
    }
  }
}

TEST(Decode, HandshakeMessageThatSpansTlsRecords) {
  const std::string one = compose_client_hello("split.example");
  const std::string message = one.substr(5);
  std::string records;
  for (size_t at = 0; at < message.size(); at += 17) {
    const std::string piece = message.substr(at, 17);
    records += std::string("\x16\x03\x01", 3);
    put_u16(records, static_cast<uint16_t>(piece.size()));
    records += piece;
  }
  Probe run;
  run.packet(compose_tcp(kClient, 1, 24, records));
  EXPECT_THAT(run.sink.events, ElementsAre("sni split.example"));
}

TEST(Decode, HeldFlowsAreBoundedAndTheOldestGoes) {
  Probe run({.max_streams = 8});
  const std::string hello = compose_client_hello("late.example");
  for (uint16_t port = 1; port <= 100; ++port)
    run.packet(compose_tcp(flow("192.0.2.1", port, "192.0.2.2", 443), 1, 24, hello.substr(0, 20)));
  EXPECT_EQ(run.decoder.counters().streams_evicted, 92u);
  run.packet(compose_tcp(flow("192.0.2.1", 1, "192.0.2.2", 443), 21, 24, hello.substr(20)));
  EXPECT_THAT(run.sink.events, IsEmpty());
  run.packet(compose_tcp(flow("192.0.2.1", 100, "192.0.2.2", 443), 21, 24, hello.substr(20)));
  EXPECT_THAT(run.sink.events, ElementsAre("sni late.example"));
}

TEST(Decode, AFlowThatNeverEndsItsHeaderIsGivenUpAtTheLimit) {
  Probe run;
  run.packet(compose_tcp(kClient, 0, 24, "GET / HTTP/1.1\r\n"));
  for (uint32_t i = 0; i < 40; ++i) run.packet(compose_tcp(kClient, 16 + i * 1000, 24, std::string(1000, 'x')));
  EXPECT_EQ(run.decoder.counters().streams_abandoned, 1u);
  EXPECT_THAT(run.sink.events, IsEmpty());
}

TEST(Decode, OctetsThatCameFirstAreNotOverwritten) {
  const std::string hello = compose_client_hello("first.example"), forged = compose_client_hello("other.example");
  const size_t name = hello.size() - 13;
  Probe run;
  run.packet(compose_tcp(kClient, 0, 2, ""));
  run.packet(compose_tcp(kClient, 1 + static_cast<uint32_t>(name), 24, hello.substr(name)));
  run.packet(compose_tcp(kClient, 1, 24, forged));
  EXPECT_THAT(run.sink.events, ElementsAre("sni first.example"));
}

std::vector<std::string> good_packets() {
  const std::string dns = compose_dns_response(
      7, "www.example.org", DnsType::kA,
      {{DnsType::kCname, "www.example.org", 60, "h.example.net"}, {DnsType::kA, "h.example.net", 30, "203.0.113.9"}});
  std::string tcp_dns;
  put_u16(tcp_dns, static_cast<uint16_t>(dns.size()));
  tcp_dns += dns;
  return {compose_udp(flow("192.0.2.53", 53, "192.0.2.1", 999), dns),
          compose_udp(kDnsClient, dns, {1, 2}),
          compose_tcp(kDnsClient, 5, 24, tcp_dns),
          compose_tcp(kClient, 5, 24, compose_client_hello("a.example")),
          compose_tcp(kClient, 5, 24, compose_client_hello("a.example").substr(0, 40)),
          compose_tcp(kClient, 45, 24, compose_client_hello("a.example").substr(40)),
          compose_tcp(kClient, 5, 2, ""),
          compose_tcp(kClient, 5, 24, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")};
}

// Probe under the address sanitizer this shows that no octet outside the packet is read: the packet is on the heap,
// exactly as long as it is.
TEST(Decode, MutatedAndTruncatedPacketsNeverCrashAndAreAllCounted) {
  std::mt19937 random(20261123U);
  const auto packets = good_packets();
  const LinkType links[] = {LinkType::kEthernet, LinkType::kEthernet, LinkType::kRaw, LinkType::kSll,
                            LinkType::kSll2,     LinkType::kNull,     LinkType{9999}};
  Probe run({.max_streams = 16, .max_stream_bytes = 300});
  constexpr int kRounds = 200'000;
  for (int i = 0; i < kRounds; ++i) {
    std::string p = packets[random() % packets.size()];
    for (auto m = random() % 4; m > 0; --m) p[random() % p.size()] = static_cast<char>(random());
    if (random() % 3 == 0) p.resize(random() % (p.size() + 1));
    const std::vector<char> exact(p.begin(), p.end());
    run.packet({exact.data(), exact.size()}, links[random() % std::size(links)]);
  }
  const Counters& c = run.decoder.counters();
  EXPECT_EQ(c.packets, static_cast<uint64_t>(kRounds));
  EXPECT_EQ(c.packets + c.tunnels + c.reassembled, run.sink.flows + c.link_unknown + c.ip_malformed);
  EXPECT_GT(c.dns_malformed, 100u);
  EXPECT_GT(c.tls_malformed, 100u);
}

}  // namespace
}  // namespace entente::packet
