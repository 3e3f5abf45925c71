// Packets are written here octet by octet from the tables of RFC 3954 and RFC 7011.
#include "packet/flows.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace entente::packet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string be(uint64_t value, size_t octets) {
  std::string out(octets, '\0');
  for (size_t i = octets; i-- > 0; value >>= 8) out[i] = static_cast<char>(value & 0xff);
  return out;
}
std::string v4(uint8_t last) { return be(0xcb007100u | last, 4); }  // 203.0.113.x
std::string v6(uint8_t last) { return be(0x20010db800000000, 8) + be(last, 8); }
std::string set(uint16_t id, const std::string& body) { return be(id, 2) + be(body.size() + 4, 2) + body; }

constexpr uint32_t kNow = 1'521'911'720;

std::string netflow5(const std::vector<std::pair<uint8_t, uint8_t>>& flows) {
  // Up for 10 s; the flows began 4 s before the export.
  std::string out =
      be(5, 2) + be(flows.size(), 2) + be(10'000, 4) + be(kNow, 4) + be(500'000'000, 4) + be(1, 4) + be(0, 4);
  for (const auto& [src, dst] : flows)
    out += v4(src) + v4(dst) + v4(254) + be(0, 4) + be(1, 4) + be(40, 4) + be(6'000, 4) + be(9'000, 4) + be(40000, 2) +
           be(443, 2) + be(0, 1) + be(0x1b, 1) + be(6, 1) + be(0, 9);
  return out;
}
std::string netflow9(const std::string& sets, uint32_t domain = 7) {
  return be(9, 2) + be(2, 2) + be(10'000, 4) + be(kNow, 4) + be(1, 4) + be(domain, 4) + sets;
}
std::string ipfix(const std::string& sets, uint32_t domain = 7) {
  return be(10, 2) + be(16 + sets.size(), 2) + be(kNow, 4) + be(1, 4) + be(domain, 4) + sets;
}
std::string fields(std::initializer_list<std::pair<uint16_t, uint16_t>> list) {
  std::string out;
  for (const auto& [id, size] : list) out += be(id, 2) + be(size, 2);
  return out;
}

struct Read {
  std::vector<std::string> flows;
  std::vector<Time> begins;
  std::string error;
  uint64_t without_template = 0, malformed = 0;
};
Read read(const std::string& bytes, size_t piece = SIZE_MAX) {
  Read out;
  FlowReader reader([&](const FlowRecord& r) {
    out.flows.push_back(std::to_string(r.number) + " " + to_text(r.src) + ":" + std::to_string(r.src_port) + " " +
                        to_text(r.dst) + ":" + std::to_string(r.dst_port) + " " + std::to_string(r.protocol));
    out.begins.push_back(r.begin.value_or(Time{}));
  });
  for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at))
    if (const Status s = reader.feed(std::string_view(bytes).substr(at, piece)); !s.ok()) out.error = s.error().what;
  if (const Status s = reader.finish(); !s.ok()) out.error = s.error().what;
  out.without_template = reader.without_template();
  out.malformed = reader.malformed();
  return out;
}

TEST(Flows, NetFlow5) {
  const std::string file = netflow5({{1, 2}, {3, 4}}) + netflow5({{5, 6}});
  ASSERT_TRUE(looks_like_flows(file));
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{50}}) {
    const Read r = read(file, piece);
    EXPECT_THAT(r.flows, ElementsAre("1 203.0.113.1:40000 203.0.113.2:443 6", "2 203.0.113.3:40000 203.0.113.4:443 6",
                                     "3 203.0.113.5:40000 203.0.113.6:443 6"));
    EXPECT_EQ(r.begins[0], Time{(int64_t{kNow} - 4) * 1'000'000 + 500'000});
    EXPECT_EQ(r.error, "");
  }
}

TEST(Flows, NetFlow9WithItsTemplates) {
  const std::string tmpl = set(0, be(256, 2) + be(6, 2) + fields({{8, 4}, {12, 4}, {7, 2}, {11, 2}, {4, 1}, {22, 4}}) +
                                      be(257, 2) + be(3, 2) + fields({{27, 16}, {28, 16}, {1, 4}}));
  const std::string four = set(256, v4(1) + v4(2) + be(40000, 2) + be(443, 2) + be(6, 1) + be(6'000, 4) + be(0, 3)),
                    six = set(257, v6(1) + v6(2) + be(9, 4));
  const std::string file = netflow9(tmpl + four) + netflow9(six) + netflow9(four, 8);
  ASSERT_TRUE(looks_like_flows(file));
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{31}}) {
    const Read r = read(file, piece);
    EXPECT_THAT(r.flows, ElementsAre("1 203.0.113.1:40000 203.0.113.2:443 6", "2 2001:db8::1:0 2001:db8::2:0 0"));
    EXPECT_EQ(r.begins[0], Time{(int64_t{kNow} - 4) * 1'000'000});
    EXPECT_EQ(r.without_template, 1u);  // templates are of their source only
    EXPECT_EQ(r.error, "");
  }
}

TEST(Flows, IpfixWithFieldsOfAnEnterpriseAndOfVariableLength) {
  const std::string tmpl = set(2, be(300, 2) + be(5, 2) + fields({{8, 4}, {0x8000 | 8, 4}}) + be(29305, 4) +
                                      fields({{459, 65535}, {12, 4}, {152, 8}}));
  const std::string one = v4(1) + v4(99) + be(3, 1) + "GET" + v4(2) + be(uint64_t{kNow} * 1000, 8),
                    two = v4(3) + v4(99) + be(255, 1) + be(300, 2) + std::string(300, 'x') + v4(4) +
                          be(uint64_t{kNow} * 1000, 8);
  const std::string file =
      ipfix(tmpl) + ipfix(set(300, one + two)) + ipfix(set(2, be(300, 2) + be(0, 2))) + ipfix(set(300, one));
  ASSERT_TRUE(looks_like_flows(file));
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{77}}) {
    const Read r = read(file, piece);
    EXPECT_THAT(r.flows, ElementsAre("1 203.0.113.1:0 203.0.113.2:0 0", "2 203.0.113.3:0 203.0.113.4:0 0"));
    EXPECT_EQ(r.begins[1], Time{int64_t{kNow} * 1'000'000});
    EXPECT_EQ(r.without_template, 1u);  // withdrawn
  }
}

TEST(Flows, WhatIsCutShortOrForeignIsSaid) {
  const std::string file = netflow5({{1, 2}});
  EXPECT_EQ(read(file.substr(0, 60)).error, "the last packet is cut short");
  EXPECT_EQ(read(file + "no flow packet at all, but text").error, "what follows is no NetFlow or IPFIX packet");
  EXPECT_THAT(read(file + "no flow packet at all, but text").flows, testing::SizeIs(1));
  for (const char* text : {"", "{\"a\":1}                         ", "#separator \\x09\n#fields\tts\tuid\thost\n"})
    EXPECT_FALSE(looks_like_flows(text));
}

TEST(Flows, GarbageNeverCrashesAndIsBounded) {
  std::mt19937 r(1);
  const std::string tmpl = set(2, be(300, 2) + be(2, 2) + fields({{8, 4}, {459, 65535}})),
                    data = set(300, v4(1) + be(3, 1) + "GET");
  const std::string seeds[] = {netflow5({{1, 2}, {3, 4}}), ipfix(tmpl + data),
                               netflow9(set(0, be(256, 2) + be(1, 2) + fields({{8, 4}})) + set(256, v4(1)))};
  for (int i = 0; i < 30'000; ++i) {
    std::string file = seeds[r() % 3] + seeds[r() % 3] + seeds[r() % 3];
    for (auto n = r() % 8; n > 0; --n) file[r() % file.size()] = static_cast<char>(r());
    file.resize(r() % (file.size() + 1));
    EXPECT_LT(read(file, 1 + r() % 300).flows.size(), 1000u);
  }
}

}  // namespace
}  // namespace entente::packet
