// Messages octet by octet from the RFCs; tests/bgp_test.py has real routers.
#include "enforce/bgp.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "enforce/internal/bgp_message.h"

namespace entente::enforce {
namespace {

using namespace internal::bgp;
using ::testing::HasSubstr;

BgpOptions options() {
  BgpOptions o;
  o.peer = "127.0.0.1:1";
  o.local_as = 64512;
  o.peer_as = 64513;
  o.router_id = "10.0.0.9";
  return o;
}
PeerOpen peer() {
  PeerOpen p;
  p.as = 64513;
  p.four_octets = true;
  return p;
}
BgpRoute route(const std::string& prefix, BgpHow how) { return {*parse_prefix(prefix), how}; }
const std::string kMarker(32, 'f');

TEST(Bgp, ABlackHoleIsAHostRouteWithItsCommunities) {
  EXPECT_EQ(hex(announce(route("198.51.100.7", BgpHow::kRtbh), options(), peer())),
            kMarker +
                "003b"
                "02"
                "0000"
                "001f"
                "400101"
                "00"  // ORIGIN IGP
                "400206"
                "0201"
                "0000fc00"  // AS_PATH 64512
                "400304"
                "c0000201"  // NEXT_HOP
                "c00808"
                "ffff029a"
                "ffffff01"  // BLACKHOLE, NO_EXPORT
                "20"
                "c6336407");
}

TEST(Bgp, AFlowSpecificationDiscards) {
  const std::string m = hex(announce(route("203.0.113.0/25", BgpHow::kFlowFrom), options(), peer()));
  EXPECT_THAT(m, HasSubstr("800e0c"
                           "0001"
                           "85"
                           "00"
                           "00"
                           "06"
                           "02"
                           "19"
                           "cb007100"));  // AFI 1, SAFI 133, source /25
  EXPECT_THAT(m, HasSubstr("c01008"
                           "8006000000000000"));
  const std::string six = hex(announce(route("2001:db8::4", BgpHow::kFlowTo), options(), peer()));
  EXPECT_THAT(six, HasSubstr("0002"
                             "85"
                             "00"
                             "00"
                             "13"
                             "01"
                             "80"
                             "00"
                             "20010db8000000000000000000000004"));
}

TEST(Bgp, ToANeighbourOfOurOwnAsThePathIsEmptyAndLocalPreferenceIsThere) {
  BgpOptions o = options();
  o.peer_as = o.local_as;
  const std::string m = hex(announce(route("198.51.100.7", BgpHow::kRtbh), o, peer()));
  EXPECT_THAT(m, HasSubstr("400200"
                           "400304c0000201"
                           "40050400000064"));
}

TEST(Bgp, ANeighbourThatKnowsOnlyShortNumbersGetsThem) {
  PeerOpen p = peer();
  p.four_octets = false;
  BgpOptions o = options();
  o.local_as = 4'200'000'000;
  EXPECT_THAT(hex(announce(route("198.51.100.7", BgpHow::kRtbh), o, p)), HasSubstr("400204"
                                                                                   "0201"
                                                                                   "5ba0"));  // AS_TRANS
}

TEST(Bgp, WhatWasAnnouncedIsWithdrawn) {
  EXPECT_EQ(hex(withdraw(route("198.51.100.7", BgpHow::kRtbh))), kMarker +
                                                                     "001c"
                                                                     "02"
                                                                     "0005"
                                                                     "20c6336407"
                                                                     "0000");
  EXPECT_THAT(hex(withdraw(route("2001:db8::4", BgpHow::kRtbh))), HasSubstr("800f14"
                                                                            "000201"
                                                                            "80"
                                                                            "20010db8"));
}

TEST(Bgp, OurOpenIsReadAsWhatItSays) {
  std::string buffer = open(options(), true);
  auto m = take(buffer);
  ASSERT_TRUE(m.ok() && *m);
  const auto read = read_open((*m)->body);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->as, 64512u);
  EXPECT_EQ(read->hold_s, 30);
  EXPECT_TRUE(read->four_octets && read->graceful);
  EXPECT_EQ(read->families, (std::set<Family>{{1, 1}, {2, 1}, {1, 133}, {2, 133}}));
  EXPECT_THAT(hex((*m)->body), HasSubstr("4012"
                                         "812c"
                                         "00010180"));  // restarting, 300 s, IPv4 unicast kept
}

TEST(Bgp, AnyOctetsOfANeighbourAreReadWithoutHarm) {
  std::mt19937 random(3);
  for (int round = 0; round < 50'000; ++round) {
    std::string text = open(options(), false) + keepalive();
    for (unsigned n = 1 + random() % 4; n > 0; --n) text[random() % text.size()] = static_cast<char>(random());
    if (random() % 3 == 0) text.resize(random() % text.size());
    for (int i = 0; i < 4; ++i) {
      const auto m = take(text);
      if (!m.ok() || !*m) break;
      (void)read_open((*m)->body).ok();
      (void)read_notification((*m)->body);
    }
  }
}

TEST(Bgp, MoreThanTheCapChangesNothing) {
  BgpOptions o = options();
  o.max_rules = 1;
  auto speaker = BgpSpeaker::start(o, {route("198.51.100.7", BgpHow::kRtbh)});
  ASSERT_TRUE(speaker.ok());
  const auto more = (*speaker)->want({route("198.51.100.7", BgpHow::kRtbh), route("198.51.100.8", BgpHow::kRtbh)});
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().kind, ErrorKind::kTooLarge);
}

TEST(Bgp, OptionsThatCannotBeAreRefused) {
  const auto refused = [](auto change) {
    BgpOptions o = options();
    change(o);
    return !BgpSpeaker::start(o, {}).ok();
  };
  EXPECT_TRUE(refused([](auto& o) { o.peer = "router"; }));
  EXPECT_TRUE(refused([](auto& o) { o.local_as = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.router_id = "2001:db8::1"; }));
  EXPECT_TRUE(refused([](auto& o) { o.next_hop6 = "192.0.2.1"; }));
  EXPECT_TRUE(refused([](auto& o) { o.password = std::string(81, 'x'); }));
  EXPECT_TRUE(refused([](auto& o) { o.source = "::1"; }));
}

}  // namespace
}  // namespace entente::enforce
