// What is told through the filter, many packets at a time, is what is told one by one: random packets of every form
// that meet random indicators.
#include "detect/packet_filter.h"

#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detect/load.h"
#include "detect/packets.h"
#include "packet/compose.h"

namespace entente::detect {
namespace {

using testing::SizeIs;

using Random = std::mt19937;
template <class T>
const T& pick(Random& r, const std::vector<T>& from) {
  return from[r() % from.size()];
}

std::string address(Random& r) {
  return r() % 4 == 0 ? fmt::format("2001:db8::{:x}", r() % 6)
                      : fmt::format("{}.0.{}.{}", 198 + r() % 2, r() % 2, r() % 6);
}
std::string name(Random& r) {
  static const std::vector<std::string> kLabels = {
      "a", "B", "evil", "www", "xn--mnchen-3ya", "_x", "1", "a-label-that-makes-the-names-long-1"};
  static const std::vector<std::string> kEnds = {"example", "co.jp", "COM", "1"};
  std::string out = pick(r, kEnds);
  for (auto n = r() % 4; n > 0; --n) out = pick(r, kLabels) + "." + out;
  return out;
}
std::string path(Random& r) { return pick<std::string>(r, {"/", "/a", "/a?b=%41", "/%7Ea/../b"}); }

std::shared_ptr<const Index> index_of(Random& r) {
  Builder b;
  for (auto n = r() % 12; n > 0; --n) {
    std::string pattern;
    switch (r() % 7) {
      case 0:
        pattern = *pattern_of_value(address(r));
        break;
      case 1:
        pattern = "[ipv4-addr:value ISSUBSET '198.0.1.0/30']";
        break;
      case 2:
        pattern = "[ipv6-addr:value ISSUBSET '2001:db8::4/127']";
        break;
      case 3:
        pattern = fmt::format("[domain-name:value LIKE '%.{}']", name(r));
        break;
      case 4:
        pattern = fmt::format("[url:value = 'http://{}{}']", r() % 4 == 0 ? "198.0.0.1:8080" : name(r), path(r));
        break;
      default:
        pattern = fmt::format("[domain-name:value = '{}']", name(r));
    }
    const auto atoms = pattern::equality_atoms(*pattern::Pattern::parse(pattern));
    if (atoms.any_of.empty()) continue;
    b.add({.id = fmt::format("{} {}", b.size(), pattern), .pattern = pattern}, atoms.any_of);
  }
  return std::move(b).build();
}

std::string packet_of(Random& r) {
  using namespace packet;
  const auto a = *parse_address(address(r));
  auto b = *parse_address(address(r));
  while (b.v6 != a.v6) b = *parse_address(address(r));
  const auto port = static_cast<uint16_t>(1024 + r() % 5000);
  const Flow dns{.src = a, .dst = b, .src_port = port, .dst_port = 53};
  const Flow tcp{.src = a, .dst = b, .src_port = port, .dst_port = static_cast<uint16_t>(r() % 2 == 0 ? 80 : 443)};
  const std::vector<uint16_t> vlans(r() % 3, 7);
  switch (r() % 7) {
    case 0:
      return compose_udp(dns, compose_dns_query(1, name(r), DnsType::kA), vlans);
    case 1: {
      const std::string asked = name(r), alias = name(r);
      return compose_udp(dns,
                         compose_dns_response(1, asked, DnsType::kA,
                                              {{DnsType::kCname, asked, 1, alias},
                                               {DnsType::kA, alias, 1, "198.0.1.3"},
                                               {DnsType::kAaaa, alias, 1, "2001:db8::5"}}),
                         vlans);
    }
    case 2:
      return compose_tcp(tcp, 1, 24, compose_client_hello(name(r)), vlans);
    case 3:
      return compose_tcp(tcp, 1, 24,
                         fmt::format("GET {} HTTP/1.1\r\nHost: {}{}\r\n\r\n", path(r),
                                     pick<std::string>(r, {name(r), address(r), "[2001:db8::1]", "a b",
                                                           "m\xc3\xbcnchen.example", name(r) + "."}),
                                     pick<std::string>(r, {"", "", ":80", ":8080", ":x"})),
                         vlans);
    case 4:
      return compose_tcp(
          tcp, 1, 24, fmt::format("GET http://{}{} HTTP/1.1\r\nHost: proxy.example\r\n\r\n", name(r), path(r)), vlans);
    case 5:
      return compose_udp(dns, std::string(r() % 40, '\3'), vlans);
    default:
      return compose_tcp(tcp, 1, 16, "", vlans);
  }
}

struct Matches {
  std::vector<std::string> told;
  PacketObserver observer;
  explicit Matches(const Index& index)
      : observer("x", [this, &index](const Observable& o) {
          std::vector<Hit> hits;
          index.match(o, hits);
          for (const Hit& h : hits) {
            if (o.kind == ObservableKind::kUrl && h.atom != pattern::AtomKind::kUrl) continue;
            told.push_back(fmt::format("{} {} {} {} {} {} {}", index.indicator(h.indicator).id, o.text, o.where.field,
                                       o.where.record, o.where.time->us, o.where.src, o.where.dst));
          }
        }) {}
  Matches(const Matches&) = delete;
  Matches& operator=(const Matches&) = delete;
};

TEST(PacketFilter, ManyAtATimeTellWhatOneByOneTells) {
  Random r(5);
  size_t told = 0;
  for (int round = 0; round < 300; ++round) {
    const auto index = index_of(r);
    Matches one(*index), many(*index);
    PacketFilter filter(*index, many.observer);
    packet::Decoder single(one.observer), batched(filter);
    uint64_t number = 0;
    for (auto n = r() % 200; n > 0; --n) {
      const std::string bytes = packet_of(r);
      ++number;
      const packet::Packet p{.bytes = bytes,
                             .time = Time{static_cast<int64_t>(number) * 10},
                             .number = number,
                             .length = static_cast<uint32_t>(bytes.size())};
      single.decode(p);
      batched.decode(p);
      if (r() % 50 == 0) filter.flush();
    }
    filter.flush();
    ASSERT_EQ(many.told, one.told) << round;
    told += one.told.size();
  }
  EXPECT_GT(told, 10'000u);  // they do meet
}

// Fingerprints are told in their place among what waits.
TEST(PacketFilter, KeepsTheOrderWhereSomethingIsNotBatched) {
  packet::TlsFingerprint print;
  struct Catch final : packet::Sink {
    packet::TlsFingerprint* to;
    void on_tls(const packet::Packet&, const packet::Flow&, const packet::TlsHello& h) override {
      *to = *packet::fingerprint(h);
    }
  } taker;
  taker.to = &print;
  const auto hello = packet::compose_tcp({.src = *packet::parse_address("198.0.0.1"),
                                          .dst = *packet::parse_address("198.0.0.2"),
                                          .src_port = 5,
                                          .dst_port = 443},
                                         1, 24, packet::compose_client_hello("a.example"));
  const packet::Packet p{.bytes = hello, .number = 1, .length = static_cast<uint32_t>(hello.size())};
  packet::Decoder(taker).decode(p);
  Builder b;
  b.add({.id = "ja4"}, {{pattern::AtomKind::kJa4, print.ja4, {}}});
  b.add({.id = "name"}, {{pattern::AtomKind::kDomain, "a.example", {}}});
  const auto index = std::move(b).build();
  Matches run(*index);
  PacketFilter filter(*index, run.observer);
  packet::Decoder decoder(filter);
  decoder.decode(p);
  filter.flush();
  ASSERT_THAT(run.told, SizeIs(2));
  EXPECT_TRUE(run.told[0].starts_with("name ")) << run.told[0];
  EXPECT_TRUE(run.told[1].starts_with("ja4 ")) << run.told[1];
}

}  // namespace
}  // namespace entente::detect
