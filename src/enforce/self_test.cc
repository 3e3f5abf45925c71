#include "enforce/self.h"

#include <gtest/gtest.h>

namespace entente::enforce {
namespace {

TEST(Self, gateways_and_resolvers_are_read_as_the_system_writes_them) {
  const auto v4 = gateways4(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0"
      "\t0\t0\n");
  ASSERT_EQ(v4.size(), 1u);
  EXPECT_EQ(v4[0].prefix.text(), "192.168.0.1");
  const auto v6 = gateways6(
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 "
      "00000400 00000001 00000000 00000003 eth0\n"
      "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 "
      "00000100 00000001 00000000 00000001 eth0\n");
  ASSERT_EQ(v6.size(), 1u);
  EXPECT_EQ(v6[0].prefix.text(), "2001:db8::1");
  const auto dns = resolvers(
      "# comment\nsearch example.org\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver\nnameserver "
      "x\noptions edns0");
  ASSERT_EQ(dns.size(), 2u);
  EXPECT_EQ(dns[0].prefix.text(), "192.0.2.53");
  EXPECT_EQ(dns[1].prefix.text(), "fe80::1");
  for (const char* bad : {"", "\n\n", "eth0", "a b c", "eth0 0 zz", "00 00 00 00 zz"}) {
    EXPECT_TRUE(gateways4(bad).empty() && gateways6(bad).empty() && resolvers(bad).empty()) << bad;
  }
}

TEST(Self, loopback_is_always_found) {
  PosixFiles files;
  bool loopback = false;
  for (const Surrounding& s : surroundings(files)) loopback = loopback || s.prefix.text() == "127.0.0.1";
  EXPECT_TRUE(loopback);
}

}  // namespace
}  // namespace entente::enforce
