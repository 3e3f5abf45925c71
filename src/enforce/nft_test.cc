// Against the real kernel, in network namespaces of the test's own.
#include "enforce/nft.h"

#include <chrono>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "enforce/protect.h"
#include "enforce/test_namespace.h"

namespace entente::enforce {
namespace {

Time now() { return SystemClock().now(); }
Element drop(const std::string& target, int64_t ms = 60'000) {
  return {*parse_prefix(target), true, now().plus_us(ms * 1000)};
}
Element watch(const std::string& target, int64_t ms = 60'000) {
  return {*parse_prefix(target), false, now().plus_us(ms * 1000)};
}

// The body runs in a forked child; its failures are printed there and counted here.
#define IN_NAMESPACE(body)                                                                                   \
  const int code = in_namespace([&](TestNet& net) {                                                          \
    body(net);                                                                                               \
    return ::testing::Test::HasFailure() ? 1 : 0;                                                            \
  });                                                                                                        \
  if (code == kNoNamespace) GTEST_SKIP() << "network namespaces are not permitted here (needs root and ip)"; \
  EXPECT_EQ(code, 0)

struct Wire {
  int here, there;
  explicit Wire(TestNet& net) : here(TestNet::udp("10.77.0.1", 4000)), there(net.udp_there("10.77.0.2", 4000)) {
    // Both sides learn each other's link address before anything is measured; on a busy machine that takes a while.
    bool ready = false;
    for (int i = 0; i < 20 && !ready; ++i) ready = in("hello") && out("hello");
    EXPECT_TRUE(ready);
  }
  bool in(const std::string& text) const { return TestNet::send(there, "10.77.0.1", 4000, text) && got(here, text); }
  bool out(const std::string& text) const { return TestNet::send(here, "10.77.0.2", 4000, text) && got(there, text); }
  static bool got(int fd, const std::string& text) {
    while (true) {  // what came late from before does not count
      const std::string received = TestNet::receive(fd);
      if (received == text) return true;
      if (received.empty()) return false;
    }
  }
};

uint64_t packets(NftEnforcer& nft, const std::string& target) {
  const auto hits = nft.hits();
  EXPECT_TRUE(hits.ok());
  for (const Hits& h : *hits) {
    if (h.prefix == *parse_prefix(target)) return h.packets;
  }
  return UINT64_MAX;
}

TEST(Nft, drops_and_counts_both_ways_and_lets_go) {
  const auto body = [](TestNet& net) {
    const Wire wire(net);
    auto nft = NftEnforcer::open();
    ASSERT_TRUE(nft.ok()) << nft.error().text();
    ASSERT_TRUE((*nft)->start({}, {}, now()).ok());
    EXPECT_TRUE(wire.in("before"));
    ASSERT_TRUE((*nft)->apply({{drop("10.77.0.2")}, {}}, now()).ok());
    EXPECT_FALSE(wire.in("blocked"));
    EXPECT_FALSE(wire.out("blocked"));
    EXPECT_EQ(packets(**nft, "10.77.0.2"), 2u);
    EXPECT_EQ((*nft)->totals()->dropped_packets, 2u);
    EXPECT_EQ((*nft)->totals()->shadow_packets, 0u);
    ASSERT_TRUE((*nft)->apply({{}, {drop("10.77.0.2")}}, now()).ok());
    EXPECT_TRUE(wire.in("after"));
    EXPECT_TRUE(wire.out("after"));
    // Removing what is not there is no error, and setting twice neither.
    EXPECT_TRUE((*nft)->apply({{drop("10.77.0.9")}, {drop("10.77.0.2"), drop("10.77.0.2")}}, now()).ok());
  };
  IN_NAMESPACE(body);
}

TEST(Nft, shadow_counts_and_drops_nothing) {
  const auto body = [](TestNet& net) {
    const Wire wire(net);
    auto nft = NftEnforcer::open();
    ASSERT_TRUE(nft.ok());
    ASSERT_TRUE((*nft)->start({}, {watch("10.77.0.2")}, now()).ok());
    EXPECT_TRUE(wire.in("one"));
    EXPECT_TRUE(wire.out("two"));
    EXPECT_EQ(packets(**nft, "10.77.0.2"), 2u);
    EXPECT_EQ((*nft)->totals()->shadow_packets, 2u);
    EXPECT_EQ((*nft)->totals()->dropped_packets, 0u);
    // From counting to dropping in one step.
    ASSERT_TRUE((*nft)->apply({{drop("10.77.0.2")}, {watch("10.77.0.2")}}, now()).ok());
    EXPECT_FALSE(wire.in("three"));
  };
  IN_NAMESPACE(body);
}

// Safety rule 2: the enforcer asks the allow-list itself, for each address alone: our own address on it does not excuse
// the other's.
TEST(Nft, allow_list_wins_in_the_kernel_but_only_for_its_own_addresses) {
  const auto body = [](TestNet& net) {
    const Wire wire(net);
    auto nft = NftEnforcer::open();
    ASSERT_TRUE(nft.ok());
    ASSERT_TRUE((*nft)->start({*parse_prefix("10.77.0.2")}, {drop("10.77.0.2"), drop("10.77.0.2/31")}, now()).ok());
    EXPECT_TRUE(wire.in("allowed"));
    ASSERT_TRUE((*nft)
                    ->start({*parse_prefix("10.77.0.1"), *parse_prefix("127.0.0.0/8"), *parse_prefix("fe80::/10")},
                            {drop("10.77.0.2")}, now())
                    .ok());
    EXPECT_FALSE(wire.in("blocked"));
    EXPECT_FALSE(wire.out("blocked"));
    // The built-in protection as it stands is accepted by the kernel.
    ASSERT_TRUE((*nft)->start(ProtectedList().prefixes(), {drop("10.77.0.2")}, now()).ok());
    EXPECT_FALSE(wire.in("blocked"));
  };
  IN_NAMESPACE(body);
}

TEST(Nft, ranges_block_overlap_and_end) {
  const auto body = [](TestNet& net) {
    const Wire wire(net);
    auto nft = NftEnforcer::open();
    ASSERT_TRUE(nft.ok());
    ASSERT_TRUE((*nft)
                    ->start({},
                            {drop("10.77.0.0/30"), drop("10.77.0.2/31"), drop("2001:db8::/48"), watch("10.77.0.0/29")},
                            now())
                    .ok());
    EXPECT_FALSE(wire.in("blocked"));
    EXPECT_GE(packets(**nft, "10.77.0.0/30"), 1u);
    ASSERT_TRUE((*nft)->apply({{}, {drop("10.77.0.0/30")}}, now()).ok());
    EXPECT_FALSE(wire.in("still by the inner range"));
    ASSERT_TRUE((*nft)->apply({{}, {drop("10.77.0.2/31")}}, now()).ok());
    EXPECT_TRUE(wire.in("free"));
  };
  IN_NAMESPACE(body);
}

// Safety rule 3: the end stands in the kernel, so a block ends also when this process is gone.
TEST(Nft, blocks_end_by_themselves) {
  const auto body = [](TestNet& net) {
    const Wire wire(net);
    {
      auto nft = NftEnforcer::open();
      ASSERT_TRUE(nft.ok());
      ASSERT_TRUE((*nft)->start({}, {drop("10.77.0.0/29", 1500)}, now()).ok());
      ASSERT_TRUE((*nft)->apply({{drop("10.77.0.2", 60'000)}, {}}, now()).ok());
      ASSERT_TRUE((*nft)->apply({{drop("10.77.0.2", 1500)}, {}}, now()).ok());  // a nearer end replaces the farther one
    }  // the agent is gone without clear()
    EXPECT_FALSE(wire.in("blocked"));
    std::this_thread::sleep_for(std::chrono::milliseconds(1700));
    EXPECT_TRUE(wire.in("ended"));
  };
  IN_NAMESPACE(body);
}

TEST(Nft, other_tables_are_not_touched_and_nothing_stays_after_clear) {
  const auto body = [](TestNet& net) {
    const Wire wire(net);
    ASSERT_TRUE(
        TestNet::shell("nft 'add table inet foreign; add set inet foreign s { type ipv4_addr; }; add element inet "
                       "foreign s { 10.9.9.9 }; add chain inet foreign c { type filter hook input priority 0; }'"));
    const auto ruleset = [] {
      std::string out;
      FILE* p = popen("nft list ruleset", "r");
      char buffer[4096];
      for (size_t n; (n = fread(buffer, 1, sizeof buffer, p)) > 0;) out.append(buffer, n);
      pclose(p);
      return out;
    };
    const std::string before = ruleset();
    ASSERT_NE(before.find("10.9.9.9"), std::string::npos);
    auto nft = NftEnforcer::open();
    ASSERT_TRUE(nft.ok());
    ASSERT_TRUE((*nft)->start({}, {drop("10.77.0.2")}, now()).ok());
    EXPECT_NE(ruleset().find("inet entente"), std::string::npos);
    ASSERT_TRUE((*nft)->clear().ok());
    EXPECT_EQ(ruleset(), before);
    EXPECT_TRUE(wire.in("free"));
    EXPECT_TRUE((*nft)->clear().ok());
  };
  IN_NAMESPACE(body);
}

TEST(Nft, many_elements_and_the_time_of_one_more) {
  const auto body = [](TestNet&) {
    auto nft = NftEnforcer::open();
    ASSERT_TRUE(nft.ok());
    std::vector<Element> many;
    for (int i = 0; i < 20'000; ++i)
      many.push_back(drop("198.18." + std::to_string(i / 256) + "." + std::to_string(i % 256)));
    auto from = std::chrono::steady_clock::now();
    const auto ms = [&] {
      return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from).count();
    };
    ASSERT_TRUE((*nft)->start({}, many, now()).ok());
    printf("  load 20000: %.1f ms\n", ms());
    from = std::chrono::steady_clock::now();
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE((*nft)->apply({{drop("203.0.113." + std::to_string(i))}, {}}, now()).ok());
    printf("  one more: %.2f ms each\n", ms() / 100);
    EXPECT_LT(ms() / 100, 50);
    from = std::chrono::steady_clock::now();
    EXPECT_EQ((*nft)->hits()->size(), 20'100u);
    printf("  counters of 20100: %.1f ms\n", ms());
  };
  IN_NAMESPACE(body);
}

TEST(Nft, a_bad_table_name_is_refused) { EXPECT_FALSE(NftEnforcer::open({.table = "x; flush ruleset"}).ok()); }

}  // namespace
}  // namespace entente::enforce
