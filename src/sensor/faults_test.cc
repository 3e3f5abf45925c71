// What goes wrong around the judgement: clocks that are set, disks that are full. Whole processes:
// tests/sensor_faults_test.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sensor/world_for_test.h"

namespace entente::sensor {
namespace {

class SetClock final : public Clock {
 public:
  Time now() override { return wall; }
  int64_t steady_us() override { return steady; }
  void pass(int64_t us) {
    wall = wall.plus_us(us);
    steady += us;
  }
  Time wall = kStart;
  int64_t steady = 1'000'000;
};

struct ClockWorld {
  SensorConfig config = blocking();
  MemFiles files;
  SetClock clock;
  enforce::MemEnforcer enforcer;
  ListSink sink;
  Treaty treaty;
  std::unique_ptr<Core> core;
  ClockWorld() {
    core = std::make_unique<Core>(config, files, clock, enforcer, enforce::ProtectedList(), sink);
    EXPECT_TRUE(core->start().ok());
    speak();
    const std::string marking = pap_object(kPapGreen, "PAP:GREEN"), object = Sample{}.text();
    core->on_page(treaty.source(), {marking, object}, clock.now());
    core->tick();
  }
  void speak() {
    auto parsed = Instruments::parse(treaty.api());
    ASSERT_TRUE(parsed.ok());
    core->on_instruments(std::move(*parsed));
  }
  std::optional<enforce::Element> element() {
    const auto it = enforcer.elements().find(*enforce::parse_prefix("198.51.100.7"));
    return it == enforcer.elements().end() ? std::nullopt : std::optional(it->second);
  }
};

TEST(Faults, AClockThatIsPutBackMakesNoLeaseLonger) {
  ClockWorld w;
  const int64_t left = w.core->leases(false).at(0).end.us - w.clock.now().us;
  w.clock.pass(kOneSecond);
  w.clock.wall = w.clock.wall.plus_us(-1800 * kOneSecond);  // the treaty was in force then
  w.core->tick();
  EXPECT_EQ(w.core->leases(false).at(0).end.us - w.clock.now().us, left - kOneSecond);
  ASSERT_TRUE(w.element());
  EXPECT_EQ(w.element()->end, w.core->leases(false).at(0).end);
  ASSERT_EQ(w.sink.of("clock_jumped").size(), 1u);
  // The node is silent: the lease ends when it would have ended.
  for (int64_t passed = 0; passed <= left; passed += 60 * kOneSecond) {
    w.clock.pass(60 * kOneSecond);
    w.core->tick();
  }
  w.clock.pass(3700 * kOneSecond);
  w.core->tick();
  EXPECT_FALSE(w.element());
  EXPECT_EQ(w.sink.of("clock_jumped").size(), 1u);
}

TEST(Faults, AClockThatIsPutForwardEndsLeasesAndTheNodeBringsThemBack) {
  ClockWorld w;
  w.clock.pass(kOneSecond);
  w.clock.wall = w.clock.wall.plus_us(2 * 3600 * kOneSecond);
  w.core->tick();
  EXPECT_FALSE(w.element());
  w.speak();
  w.core->tick();
  EXPECT_TRUE(w.element());
}

TEST(Faults, AMachineThatIsSlowIsNoClockThatWasSet) {
  ClockWorld w;
  for (int i = 0; i < 5; ++i) {
    w.clock.pass(30 * kOneSecond);
    w.core->tick();
  }
  EXPECT_TRUE(w.sink.of("clock_jumped").empty());
}

TEST(Faults, WhatCouldNotBeKeptIsKeptLaterAndNothingIsMissingAfterARestart) {
  World w;
  w.ready();
  w.page({Sample{}.text()});
  w.files.fail_at(0);
  w.page({Sample{.number = 2, .pattern = "[ipv4-addr:value = '198.51.100.8']"}.text()});
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
  w.files.kill();  // there is room again
  w.page({Sample{.number = 3, .pattern = "[ipv4-addr:value = '198.51.100.9']"}.text()});
  w.clock.advance_us(2 * kOneSecond);
  w.core->tick();
  // Another sensor reads what the first kept: no node speaks to it.
  ASSERT_TRUE(w.files.remove("/state/leases.jsonl").ok());
  w.restart();
  w.agreements();
  for (const char* target : {"198.51.100.7", "198.51.100.8", "198.51.100.9"}) EXPECT_EQ(w.on(target), 'd') << target;
}

TEST(Faults, UntilItIsKeptNoPositionSaysThatItIs) {
  World w;
  w.ready();
  w.files.fail_at(0);
  w.page({Sample{.number = 2, .pattern = "[ipv4-addr:value = '198.51.100.8']"}.text()});
  w.files.kill();
  const auto kept = w.core->position(w.treaty.source().collection);
  w.restart();  // killed before there was room
  EXPECT_LT(w.core->position(w.treaty.source().collection).value_or(Time{0}), kept.value_or(Time{0}).plus_us(1));
  // Asked from there, the node gives it again.
  w.agreements();
  w.page({Sample{.number = 2, .pattern = "[ipv4-addr:value = '198.51.100.8']"}.text()});
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
}

TEST(Faults, ASensorStartsOnAFullDisk) {
  World w;
  w.ready();
  w.page({Sample{}.text()});
  w.core->tick();
  w.files.fail_at(0);
  w.core.reset();
  ASSERT_TRUE(w.enforcer.clear().ok());
  w.core = std::make_unique<Core>(w.config, w.files, w.clock, w.enforcer, w.lists, w.sink);
  EXPECT_TRUE(w.core->start().ok());
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  w.files.kill();
  w.clock.advance_us(2 * kOneSecond);
  w.core->tick();
  w.restart();
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
}

TEST(Faults, AnEnforcerThatIsFullIsSaidOnceAndWhenItIsOver) {
  World w;
  enforce::MemEnforcer small(2);
  w.core = std::make_unique<Core>(w.config, w.files, w.clock, small, w.lists, w.sink);
  ASSERT_TRUE(w.core->start().ok());
  w.ready();
  std::vector<std::string> page;
  for (int i = 1; i <= 4; ++i)
    page.push_back(Sample{.number = i, .pattern = "[ipv4-addr:value = '198.51.100." + std::to_string(i) + "']"}.text());
  w.page(page);
  for (int i = 0; i < 3; ++i) {
    w.clock.advance_us(kOneSecond);
    w.core->tick();
  }
  ASSERT_EQ(w.sink.of("enforcer_full").size(), 1u);
  EXPECT_EQ(small.elements().size(), 2u);
  for (int i = 1; i <= 2; ++i)
    w.page({Sample{.number = i,
                   .pattern = "[ipv4-addr:value = '198.51.100." + std::to_string(i) + "']",
                   .version = 2,
                   .revoked = true}
                .text()});
  w.clock.advance_us(kOneSecond);
  w.core->tick();
  w.clock.advance_us(kOneSecond);
  w.core->tick();
  EXPECT_EQ(w.sink.of("enforcer_full").size(), 2u);
  EXPECT_EQ(small.elements().size(), 2u);
}

}  // namespace
}  // namespace entente::sensor
