#include "base/throttle.h"

#include <gtest/gtest.h>

namespace entente {
namespace {

constexpr int64_t kSecond = 1'000'000;

TEST(Throttle, ABurstThenTheRate) {
  Throttle t(0.5, 3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(t.take("a", 0));
  EXPECT_FALSE(t.take("a", 0));
  EXPECT_EQ(t.wait_seconds("a", 0), 2);
  EXPECT_FALSE(t.take("a", kSecond));
  EXPECT_TRUE(t.take("a", 2 * kSecond));
  EXPECT_FALSE(t.take("a", 2 * kSecond));
}

TEST(Throttle, OneKeyNeverTouchesAnother) {
  Throttle t(0.1, 2);
  for (int i = 0; i < 1000; ++i) t.take("attacker", 0);
  EXPECT_TRUE(t.would("victim", 0));
  EXPECT_TRUE(t.take("victim", 0));
}

TEST(Throttle, TheClockGoingBackGivesNothing) {
  Throttle t(1, 1);
  EXPECT_TRUE(t.take("a", 10 * kSecond));
  EXPECT_FALSE(t.take("a", 5 * kSecond));
  EXPECT_FALSE(t.take("a", 10 * kSecond));
  EXPECT_TRUE(t.take("a", 11 * kSecond));
}

TEST(Throttle, MemoryIsBoundedAndRecentOffendersAreKept) {
  Throttle t(0.001, 1, 100);
  for (int i = 0; i < 10'000; ++i) t.take("k" + std::to_string(i), i);
  EXPECT_LE(t.keys(), 100u);
  EXPECT_FALSE(t.would("k9999", 10'000));
}

}  // namespace
}  // namespace entente
