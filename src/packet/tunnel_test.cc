// Tunnels and fragments as the decoder sees them.
#include <algorithm>
#include <filesystem>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "packet/compose.h"
#include "packet/decode.h"
#include "packet/internal/recorder.h"
#include "packet/pcap.h"

namespace entente::packet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Probe {
  Recorder sink;
  Decoder decoder;
  explicit Probe(DecodeOptions options = {}) : decoder(sink, options) {}
  void packet(std::string_view bytes, LinkType link = LinkType::kEthernet, Time time = {}) {
    decoder.decode({.bytes = bytes, .time = time, .link = link, .length = static_cast<uint32_t>(bytes.size())});
  }
  [[nodiscard]] const Counters& counters() const { return decoder.counters(); }
};

std::string octets(std::initializer_list<unsigned> list) {
  std::string out;
  for (const unsigned c : list) out += static_cast<char>(c);
  return out;
}

// A question of a client inside; `v6` says of which family.
std::string inner_frame(bool v6) {
  const Flow f = v6 ? flow("2001:db8::1", 999, "2001:db8::53", 53) : flow("192.0.2.1", 999, "192.0.2.53", 53);
  return compose_udp(f, compose_dns_query(1, "in.example", DnsType::kA));
}

std::string in_udp(uint16_t port, const std::string& payload, bool v6) {
  return compose_udp(v6 ? flow("2001:db8:f::1", 5000, "2001:db8:f::2", port) : flow("10.0.0.1", 5000, "10.0.0.2", port),
                     payload);
}

// UDP's frame with another protocol and its header taken out.
std::string in_ip(uint8_t protocol, const std::string& payload) {
  std::string out = in_udp(1, payload, false);
  out[14 + 9] = static_cast<char>(protocol);
  out.erase(34, 8);
  out[14 + 2] = static_cast<char>((20 + payload.size()) >> 8);
  out[14 + 3] = static_cast<char>(20 + payload.size());
  return out;
}

std::string gtp(const std::string& inner, const std::string& more = "") {
  std::string out = octets({more.empty() ? 0x30u : 0x34u, 255});
  put_u16(out, static_cast<uint16_t>(more.size() + inner.size()));
  put_u32(out, 77);
  return out + more + inner;
}

TEST(Tunnel, EachIsOpenedOnceWithEitherFamilyOutsideAndInside) {
  for (const bool outer6 : {false, true}) {
    for (const bool inner6 : {false, true}) {
      const std::string frame = inner_frame(inner6), ip = frame.substr(14), type = frame.substr(12, 2);
      // TS 29.281 §5.2: a PDU session container of one unit, then a UDP port, then the end.
      const std::string extensions = octets({0, 1, 0, 0x85, 1, 0, 9, 0x40, 1, 8, 104, 0});
      std::vector<std::string> forms = {
          in_udp(2152, gtp(ip), outer6),
          in_udp(2152, gtp(ip, extensions), outer6),
          in_udp(4789, octets({8, 0, 0, 0, 0, 0, 9, 0}) + frame, outer6),
          in_udp(6081, octets({2, 0, 0x65, 0x58, 0, 0, 9, 0}) + std::string(8, 'o') + frame, outer6),
          in_udp(6081, octets({0, 0}) + type + octets({0, 0, 9, 0}) + ip, outer6),
          in_ip(inner6 ? 41 : 4, ip),
          in_ip(47, octets({0, 0}) + type + ip),
          in_ip(47, octets({0xb0, 0, 0x65, 0x58}) + std::string(12, 'k') + frame),
          in_ip(47, octets({0x10, 0, 0x88, 0xbe}) + std::string(12, 'e') + frame),
          in_ip(47, octets({0x30, 0x81, 0x88, 0x0b}) + std::string(12, 'p') +
                        octets({0xff, 3, 0, inner6 ? 0x57u : 0x21u}) + ip),
          in_ip(143, octets({0x30, 0}) + frame),
      };
      if (inner6) {
        forms.push_back(in_udp(3544, ip, false));
        forms.push_back(in_udp(3544, octets({0, 1, 0, 0}) + std::string(9, 'n') + std::string(8, '\0') + ip, false));
      }
      for (size_t i = 0; i < forms.size(); ++i) {
        Probe run;
        run.packet(forms[i]);
        EXPECT_THAT(run.sink.events, ElementsAre("q? in.example 1")) << i;
        EXPECT_EQ(run.sink.flows, 2u) << i;
        EXPECT_EQ(run.counters().tunnels, 1u) << i;
        EXPECT_EQ(run.counters().tunnel_malformed, 0u) << i;
      }
    }
  }
}

TEST(Tunnel, LayersBetweenLinkAndIp) {
  const std::string frame = inner_frame(false), ip = frame.substr(14), mac(12, 'm');
  std::string pppoe = octets({0x88, 0x64, 0x11, 0, 0, 7});
  put_u16(pppoe, static_cast<uint16_t>(2 + ip.size()));
  const std::vector<std::string> forms = {
      mac + pppoe + octets({0, 0x21}) + ip,
      mac + octets({0x81, 0, 0, 5}) + pppoe + octets({0, 0x21}) + ip,
      mac + octets({0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64}) + ip,
      mac + octets({0x88, 0x47, 0, 2, 1, 64, 0, 0, 0, 0}) + frame,  // pseudowire with its control word
      mac + octets({0, 100, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}) + ip,
  };
  for (size_t i = 0; i < forms.size(); ++i) {
    Probe run;
    run.packet(forms[i]);
    EXPECT_THAT(run.sink.events, ElementsAre("q? in.example 1")) << i;
  }
  Probe ppp;
  ppp.packet(octets({0xff, 3, 0, 0x21}) + ip, LinkType::kPpp);
  EXPECT_THAT(ppp.sink.events, ElementsAre("q? in.example 1"));
}

TEST(Tunnel, NestingIsBoundedAndCounted) {
  std::string ip = inner_frame(false).substr(14);
  for (int depth = 1; depth <= 5; ++depth) {
    const std::string frame = in_udp(2152, gtp(ip), false);
    Probe run;
    run.packet(frame);
    EXPECT_EQ(run.sink.events.size(), depth <= 4 ? 1u : 0u);
    EXPECT_EQ(run.counters().tunnels, static_cast<uint64_t>(std::min(depth, 4)));
    EXPECT_EQ(run.counters().tunnel_too_deep, depth == 5 ? 1u : 0u);
    ip = frame.substr(14);
  }
}

TEST(Tunnel, WhatDoesNotFitIsNone) {
  const std::string ip = inner_frame(false).substr(14);
  const std::vector<std::string> forms = {
      gtp(ip, octets({0, 1, 0, 0x85, 0, 0, 9, 0})),  // an extension of no length: it would never end
      gtp(ip, octets({0, 1, 0, 0x85, 255, 0, 9, 0})), gtp(ip).substr(0, ip.size()),
      gtp("no packet but text that is as long"),      octets({0x20}) + gtp(ip).substr(1),
  };
  for (size_t i = 0; i < forms.size(); ++i) {
    Probe run;
    run.packet(in_udp(2152, forms[i], false));
    EXPECT_THAT(run.sink.events, IsEmpty()) << i;
    EXPECT_EQ(run.sink.flows, 1u) << i;
    EXPECT_EQ(run.counters().tunnel_malformed, 1u) << i;
  }
}

struct Piece {
  size_t offset, length;
  bool more;
};

std::string cut_out(const std::string& frame, const Piece& p) {
  const bool v6 = frame[12] == '\x86';
  const std::string head = frame.substr(0, v6 ? 54 : 34), body = frame.substr(head.size()).substr(p.offset, p.length);
  std::string out = head;
  if (v6) {
    out[18] = static_cast<char>((8 + body.size()) >> 8);
    out[19] = static_cast<char>(8 + body.size());
    out[20] = 44;
    out += octets({static_cast<uint8_t>(head[20]), 0});
    put_u16(out, static_cast<uint16_t>(p.offset | (p.more ? 1 : 0)));
    put_u32(out, 4711);
  } else {
    out[16] = static_cast<char>((20 + body.size()) >> 8);
    out[17] = static_cast<char>(20 + body.size());
    out[20] = static_cast<char>(p.offset / 8 >> 8 | (p.more ? 0x20 : 0));
    out[21] = static_cast<char>(p.offset / 8);
  }
  return out + body;
}

std::vector<Piece> pieces_of(size_t size, size_t step) {
  std::vector<Piece> out;
  for (size_t at = 0; at < size; at += step) out.push_back({at, std::min(step, size - at), at + step < size});
  return out;
}

TEST(Fragments, InAnyOrderWithRepetitionsTheDatagramIsReadOnce) {
  std::mt19937 random(5U);
  for (int round = 0; round < 2000; ++round) {
    // Every second time the fragments are of the outside of a tunnel.
    std::string frame = inner_frame(round % 3 == 0);
    if (round % 2 == 0) frame = in_udp(2152, gtp(frame.substr(14)), round % 4 == 0);
    const bool v6 = frame[12] == '\x86';
    auto pieces = pieces_of(frame.size() - (v6 ? 54 : 34), 8 + random() % 4 * 8);
    std::shuffle(pieces.begin(), pieces.end(), random);
    pieces.insert(pieces.begin() + static_cast<ptrdiff_t>(random() % pieces.size()), pieces.front());
    Probe run;
    for (const auto& p : pieces) run.packet(cut_out(frame, p));
    ASSERT_THAT(run.sink.events, ElementsAre("q? in.example 1")) << round;
    ASSERT_EQ(run.counters().reassembled, 1u);
    ASSERT_EQ(run.counters().fragments, pieces.size());
  }
}

// A capture that keeps the first octets of each packet: what it cut off is missing in the middle, wherever that is.
TEST(Fragments, CutByTheCaptureTheDatagramIsGivenUp) {
  for (const bool v6 : {false, true}) {
    const std::string frame = inner_frame(v6);
    const auto pieces = pieces_of(frame.size() - (v6 ? 54 : 34), 16);
    ASSERT_GE(pieces.size(), 3u);
    for (size_t which = 0; which < pieces.size(); ++which) {
      for (const size_t lost : {size_t{1}, size_t{8}}) {
        if (pieces[which].length <= lost) continue;
        Probe run;
        for (size_t i = 0; i < pieces.size(); ++i) {
          std::string bytes = cut_out(frame, pieces[i]);
          if (i == which) bytes.resize(bytes.size() - lost);
          run.packet(bytes);
        }
        EXPECT_THAT(run.sink.events, IsEmpty()) << v6 << " " << which << " " << lost;
        EXPECT_EQ(run.counters().reassembled, 0u) << v6 << " " << which << " " << lost;
        EXPECT_EQ(run.counters().fragments_refused, 1u) << v6 << " " << which << " " << lost;
      }
    }
  }
}

// RFC 5722 §4, for IPv4 as well: nothing of the datagram is read, whatever comes later.
TEST(Fragments, OverlapGivesTheDatagramUp) {
  for (const bool v6 : {false, true}) {
    const std::string frame = inner_frame(v6);
    const size_t size = frame.size() - (v6 ? 54 : 34);
    for (const Piece& bad : {Piece{0, 16, true}, Piece{8, 16, true}, Piece{8, 3, true}, Piece{65528, 16, false}}) {
      Probe run;
      run.packet(cut_out(frame, {0, 8, true}));
      run.packet(cut_out(frame, {16, 8, true}));
      // The ping of death: sixteen octets that begin at 65,528.
      const bool death = bad.offset == 65528;
      run.packet(cut_out(death ? frame + std::string(65528 + 16 - size, 'x') : frame, bad));
      for (const auto& p : pieces_of(size, 8)) run.packet(cut_out(frame, p));
      EXPECT_THAT(run.sink.events, IsEmpty()) << v6 << " " << bad.offset;
      EXPECT_EQ(run.counters().fragments_refused, 1u);
    }
  }
}

// Operators give the same private addresses to subscribers of two gateways: what is put together must be of one
// network.
TEST(Tunnel, TheSameAddressesInTwoNetworksAreTwoFlows) {
  const auto tagged = [](std::string frame, uint8_t vlan) {
    return frame.substr(0, 12) + octets({0x81, 0, 0, vlan}) + frame.substr(12);
  };
  const auto teid = [](std::string frame, uint8_t id) {
    frame[14 + 20 + 8 + 7] = static_cast<char>(id);  // the last octet of the tunnel's identifier
    return frame;
  };
  const std::string plain = inner_frame(false);
  const auto pieces = pieces_of(plain.size() - 34, 16);
  ASSERT_GE(pieces.size(), 2u);
  for (const bool vlan : {true, false}) {
    Probe mixed;
    Probe apart;
    for (size_t i = 0; i < pieces.size(); ++i) {
      const std::string piece = cut_out(plain, pieces[i]);
      const std::string carried = vlan ? piece : in_udp(2152, gtp(piece.substr(14)), false);
      const auto in = [&](uint8_t network) { return vlan ? tagged(carried, network) : teid(carried, network); };
      mixed.packet(in(static_cast<uint8_t>(1 + i % 2)));  // half a datagram here, half there
      for (const uint8_t network : {uint8_t{1}, uint8_t{2}}) apart.packet(in(network));
    }
    EXPECT_THAT(mixed.sink.events, IsEmpty()) << vlan;
    EXPECT_THAT(apart.sink.events, ElementsAre("q? in.example 1", "q? in.example 1")) << vlan;
  }
}

TEST(Fragments, ThoseWithoutEndAreBounded) {
  Probe run({.max_datagrams = 8, .max_fragment_bytes = 4096});
  std::string frame = inner_frame(false);
  for (unsigned id = 0; id < 100'000; ++id) {
    frame[18] = static_cast<char>(id >> 8);
    frame[19] = static_cast<char>(id);
    run.packet(cut_out(frame, {id % 4 * 8, 8, true}));
  }
  EXPECT_GE(run.counters().fragments_refused, 65'000u);
  EXPECT_THAT(run.sink.events, IsEmpty());
  for (const auto& p : pieces_of(frame.size() - 34, 8)) {  // and the next one is read
    frame[18] = 'x';
    run.packet(cut_out(frame, p), LinkType::kEthernet, {int64_t{120} * 1'000'000});
  }
  EXPECT_THAT(run.sink.events, ElementsAre("q? in.example 1"));
}

// Counts of another decoder (tshark 4.0.17) over captures of real cores. Nested tunnels count once more here. Of the 12
// of gtp9 one has no IP inside, and one an IP packet that claims 1,480 of 172 octets, which every host drops.
TEST(Tunnel, RealCapturesHoldAsManyAsAnotherDecoderFinds) {
#ifdef ENTENTE_DATA_DIR
  const std::string data = std::string(ENTENTE_DATA_DIR) + "/5g/";
#else
  const std::string data;
#endif
  if (data.empty() || !std::filesystem::exists(data)) GTEST_SKIP() << "no captures of mobile cores here";
  const std::pair<const char*, uint64_t> expected[] = {
      {"zeek-gtp/gtp1_gn_normal_incl_fragmentation.pcap", 68},
      {"zeek-gtp/gtp2_different_udp_port.pcap", 78},
      {"zeek-gtp/gtp3_false_gtp.pcap", 0},
      {"zeek-gtp/gtp4_udp_2152_inside.pcap", 1},
      {"zeek-gtp/gtp6_gtp_0x32.pcap", 31},
      {"zeek-gtp/gtp7_ipv6.pcap", 2},
      {"zeek-gtp/gtp9_unknown_or_too_short_payload.pcap", 10},
      {"zeek-gtp/gtp10_not_0xff.pcap", 0},
      {"zeek-gtp/gtp_ext_header.pcap", 1},
      {"ndpi/gtp_false_positive.pcapng", 0},
      {"ndpi/ipv6_in_gtp.pcap", 2},
      {"open5gs/testregistration.pcapng", 62},
      {"open5gs/srsenb.pcapng", 1844},
  };
  for (const auto& [name, tunnels] : expected) {
    Recorder sink;
    Decoder decoder(sink);
    ASSERT_TRUE(read_capture_file(data + name, [&](const Packet& p) { decoder.decode(p); }).ok()) << name;
    EXPECT_EQ(decoder.counters().tunnels, tunnels) << name;
  }
}

}  // namespace
}  // namespace entente::packet
