#include "packet/pcap.h"

#include <cstdlib>
#include <fstream>
#include <random>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "packet/compose.h"

namespace entente::packet {
namespace {

struct Seen {
  std::string bytes;
  int64_t us;
  LinkType link;
  uint32_t length;
  bool operator==(const Seen&) const = default;
};

// Feeds in pieces of the given size.
std::pair<std::vector<Seen>, bool> read_all(std::string_view file, size_t piece = SIZE_MAX) {
  std::vector<Seen> seen;
  CaptureReader reader([&](const Packet& p) { seen.push_back({std::string(p.bytes), p.time.us, p.link, p.length}); });
  bool ok = true;
  for (size_t at = 0; at < file.size() && ok; at += std::min(piece, file.size() - at))
    ok = reader.feed(file.substr(at, piece)).ok();
  return {seen, ok && reader.finish().ok()};
}

std::string le(uint64_t v, size_t n) {
  std::string s;
  for (size_t i = 0; i < n; ++i) s += static_cast<char>(v >> (8 * i));
  return s;
}
std::string be(uint64_t v, size_t n) {
  std::string s = le(v, n);
  return {s.rbegin(), s.rend()};
}
using Put = std::string (*)(uint64_t, size_t);

std::string ng_block(Put put, uint32_t type, std::string body) {
  while (body.size() % 4 != 0) body += '\0';
  const std::string total = put(body.size() + 12, 4);
  return put(type, 4) + total + body + total;
}
std::string ng_section(Put put) {
  return ng_block(put, 0x0a0d0d0a, put(0x1a2b3c4d, 4) + put(1, 2) + put(0, 2) + put(UINT64_MAX, 8));
}
std::string ng_interface(Put put, uint16_t link, const std::string& options = {}) {
  return ng_block(put, 1, put(link, 2) + put(0, 2) + put(0, 4) + options);
}
std::string ng_packet(Put put, uint32_t interface, uint64_t ts, const std::string& bytes) {
  return ng_block(put, 6,
                  put(interface, 4) + put(ts >> 32, 4) + put(ts & 0xffffffff, 4) + put(bytes.size(), 4) +
                      put(bytes.size() + 10, 4) + bytes);
}

RC_GTEST_PROP(Pcap, WhatWasWrittenIsReadInPiecesOfAnySize, (std::vector<std::string> packets)) {
  std::string file = pcap_header(LinkType::kSll2);
  std::vector<Seen> expected;
  int64_t us = 1'700'000'000'123'456;
  for (const auto& p : packets) {
    append_pcap_packet(file, {us}, p);
    expected.push_back({p, us, LinkType::kSll2, static_cast<uint32_t>(p.size())});
    us += 1'000'007;
  }
  RC_ASSERT(read_all(file, *rc::gen::inRange<size_t>(1, 100)) == std::make_pair(expected, true));
}

TEST(Pcap, LittleEndianAndNanoseconds) {
  const std::string file = le(0xa1b23c4d, 4) + le(2, 2) + le(4, 2) + le(0, 8) + le(65535, 4) + le(101, 4) + le(10, 4) +
                           le(999'999'999, 4) + le(3, 4) + le(60, 4) + "abc";
  EXPECT_EQ(read_all(file).first, (std::vector<Seen>{{"abc", 10'999'999, LinkType::kRaw, 60}}));
}

TEST(Pcapng, BothByteOrdersInOneFileInterfacesAndResolutions) {
  for (const Put put : {Put{le}, Put{be}}) {
    const Put other = put == Put{le} ? Put{be} : Put{le};
    const std::string nano = put(9, 2) + put(1, 2) + std::string("\x09\0\0\0", 4),
                      binary = put(9, 2) + put(1, 2) + std::string("\x8a\0\0\0", 4);
    const std::string offset = put(14, 2) + put(8, 2) + put(100, 8);
    const std::string file = ng_section(put) + ng_interface(put, 1) + ng_interface(put, 101, nano) +
                             ng_interface(put, 113, binary + offset) + ng_packet(put, 0, 5'000'001, "a") +
                             ng_block(put, 0x0bad, "custom") + ng_packet(put, 1, 7'000'001'999, "bc") +
                             ng_packet(put, 2, 3 * 1024 + 512, "d") + ng_packet(put, 9, 0, "no such interface") +
                             ng_block(put, 3, put(2, 4) + "ee") + ng_section(other) + ng_interface(other, 276) +
                             ng_packet(other, 0, 1, "f");
    const std::vector<Seen> expected = {{"a", 5'000'001, LinkType::kEthernet, 11},
                                        {"bc", 7'000'001, LinkType::kRaw, 12},
                                        {"d", 103'500'000, LinkType::kSll, 11},
                                        {"ee", 0, LinkType::kEthernet, 2},
                                        {"f", 1, LinkType::kSll2, 11}};
    for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX})
      EXPECT_EQ(read_all(file, piece), std::make_pair(expected, true)) << piece;
  }
}

TEST(Pcap, ATruncatedFileGivesItsWholePacketsAndSaysSo) {
  std::string file = pcap_header(LinkType::kRaw);
  append_pcap_packet(file, {}, "one");
  append_pcap_packet(file, {}, "two");
  for (size_t n = 24; n < file.size(); ++n) {
    const auto [seen, ok] = read_all(file.substr(0, n));
    EXPECT_EQ(seen.size(), (n - 24) / 19);
    EXPECT_EQ(ok, (n - 24) % 19 == 0) << n;
  }
}

TEST(Pcap, OtherFilesAreRefused) {
  for (const char* text : {"#separator \\x09\n#fields", "{\"ts\":1}{\"ts\":2}", "\n\r\r\n but not pcapng at all"}) {
    EXPECT_FALSE(looks_like_capture(text));
    EXPECT_FALSE(read_all(text).second);
  }
  EXPECT_FALSE(read_all("").second);
}

TEST(Pcap, APacketThatIsTooLongIsPassedOver) {
  std::string file = pcap_header(LinkType::kRaw);
  append_pcap_packet(file, {}, std::string(300'000, 'x'));
  append_pcap_packet(file, {}, "after");
  for (const size_t piece : {size_t{999}, SIZE_MAX}) {
    const auto [seen, ok] = read_all(file, piece);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].bytes, "after");
    EXPECT_TRUE(ok);
  }
}

TEST(Pcap, MutatedFilesNeverCrash) {
  std::mt19937 random(7);
  std::string good = ng_section(le) + ng_interface(le, 1);
  for (int i = 0; i < 10; ++i) good += ng_packet(le, 0, 1, "payload");
  std::string plain = pcap_header(LinkType::kRaw);
  for (int i = 0; i < 10; ++i) append_pcap_packet(plain, {}, "payload");
  for (int i = 0; i < 50'000; ++i) {
    std::string file = i % 2 == 0 ? good : plain;
    for (auto m = random() % 5; m > 0; --m) file[random() % file.size()] = static_cast<char>(random());
    static_cast<void>(read_all(file, 1 + random() % 200));
  }
}

// Another reader agrees, where it is installed.
TEST(Pcap, TcpdumpReadsWhatIsWritten) {
  if (std::system("command -v tcpdump >/dev/null 2>&1") != 0) GTEST_SKIP() << "tcpdump is not installed";
  std::string file = pcap_header(LinkType::kEthernet);
  const Flow f{
      .src = *parse_address("192.0.2.1"), .dst = *parse_address("192.0.2.53"), .src_port = 1234, .dst_port = 53};
  append_pcap_packet(file, {1'000'000}, compose_udp(f, compose_dns_query(99, "oracle.example", DnsType::kAaaa)));
  const std::string path = testing::TempDir() + "entente_pcap_test.pcap";
  std::ofstream(path, std::ios::binary) << file;
  std::string text(4096, '\0');
  FILE* pipe = popen(("tcpdump -nn -vv -r " + path + " 2>/dev/null").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  text.resize(fread(text.data(), 1, text.size(), pipe));
  pclose(pipe);
  EXPECT_NE(text.find("AAAA? oracle.example."), std::string::npos) << text;
  EXPECT_NE(text.find("[udp sum ok]"), std::string::npos) << text;
}

// Packets name interfaces by their number: one whose description is cut keeps its place, and its packets are counted.
TEST(Pcapng, AnInterfaceThatIsCutShiftsNoOther) {
  const std::string cut = ng_block(le, 1, le(1, 2) + le(0, 2));
  const std::string file = ng_section(le) + cut + ng_interface(le, 101) + ng_packet(le, 1, 5, "abc") +
                           ng_packet(le, 0, 5, "lost") + ng_block(le, 3, le(3, 4) + "one");
  std::vector<Seen> seen;
  CaptureReader reader([&](const Packet& p) { seen.push_back({std::string(p.bytes), p.time.us, p.link, p.length}); });
  ASSERT_TRUE(reader.feed(file).ok());
  EXPECT_EQ(seen, (std::vector<Seen>{{"abc", 5, LinkType::kRaw, 13}}));
  EXPECT_EQ(reader.skipped(), 2u);
}

}  // namespace
}  // namespace entente::packet
