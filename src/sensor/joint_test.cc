// What a sensor does about a joint action (agreement/joint.h): measures work from T-0 to their end, in the version that
// was consented to, and never against what the guard protects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.h"
#include "sensor/world_for_test.h"

namespace entente::sensor {
namespace {

using enforce::LeaseState;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int64_t kHour = 3600 * kOneSecond;

// Indicators that the agreement alone only lets count: PAP:AMBER.
struct Joint : World {
  explicit Joint(bool exercise = false, std::vector<Sample> samples = {amber(1, "198.51.100.7")}) {
    ready();
    std::vector<std::string> texts;
    json::Node measures = json::Node::array();
    for (const Sample& s : samples) {
      texts.push_back(s.text());
      json::Node m = json::Node::object();
      m.set("id", "m" + std::to_string(s.number)).set("indicator", s.id()).set("version", "2026-01-01T00:00:01Z");
      measures.push(m.set("do", "drop"));
    }
    page(texts);
    json::Node body = json::Node::object();
    body.set("title", "botnet").set("measures", std::move(measures));
    body.set("t0", to_text(t0)).set("until", to_text(until)).set("exercise", exercise);
    lead = treaty.joint("JP", "joint_propose", clock.now(), std::move(body), "").act.hash();
    action = lead;
  }
  static Sample amber(int number, const std::string& address) {
    return {.number = number, .pattern = "[ipv4-addr:value = '" + address + "']", .marking = std::string(kPapAmber)};
  }
  void lead_step(const std::string& kind) {
    lead = treaty.joint("JP", kind, clock.now(), about(), lead).act.hash();
    agreements();
  }
  void our_step(const std::string& kind, json::Node body) {
    mine = treaty.joint("IN", kind, clock.now(), std::move(body.set("action", action)), mine.empty() ? action : mine)
               .act.hash();
    agreements();
  }
  void agreed() {
    our_step("joint_consent", json::Node::object());
    lead_step("joint_go");
  }
  [[nodiscard]] json::Node about() const { return json::Node::object().set("action", action); }
  void at(Time t) {
    // A sensor that never hears of its node lets go: it hears each half hour.
    while (clock.now() < t) {
      clock.set(std::min(t, clock.now().plus_us(kHour / 2)));
      core->node_spoke();
      core->tick();
    }
  }

  Time t0 = kStart.plus_us(kHour), until = kStart.plus_us(5 * kHour);
  std::string action, lead, mine;
};

TEST(JointAtTheSensor, drops_from_T0_to_the_end_and_only_counts_before_and_after) {
  Joint w;
  w.agreed();
  EXPECT_EQ(w.on("198.51.100.7"), 'w') << "PAP:AMBER: nobody burns the investigation before T-0";
  w.at(w.t0.plus_us(-1));
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
  w.at(w.t0);
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  const auto leases = w.core->leases(false);
  ASSERT_THAT(leases, SizeIs(1));
  EXPECT_EQ(leases[0].joint, w.action);
  EXPECT_EQ(leases[0].code, "JOINT_ACTION");
  EXPECT_THAT(leases[0].reason, HasSubstr("botnet"));
  w.at(w.until.plus_us(-1));
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  w.at(w.until);
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
}

// The end stands in the lease, and so in the kernel: it holds even if this sensor never comes back.
TEST(JointAtTheSensor, no_lease_outlives_the_action_even_if_the_sensor_is_gone) {
  Joint w;
  w.agreed();
  w.at(w.until.plus_us(-60'000'000));
  const auto leases = w.core->leases(false);
  ASSERT_THAT(leases, SizeIs(1));
  EXPECT_EQ(leases[0].end, w.until);
}

TEST(JointAtTheSensor, nothing_is_dropped_that_this_party_did_not_consent_to) {
  Joint w;
  w.lead_step("joint_go");
  w.at(w.t0.plus_us(kHour));
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
}

TEST(JointAtTheSensor, a_stand_down_lifts_at_once) {
  Joint w;
  w.agreed();
  w.at(w.t0.plus_us(kHour));
  ASSERT_EQ(w.on("198.51.100.7"), 'd');
  w.lead_step("joint_stand_down");
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
}

TEST(JointAtTheSensor, another_version_of_an_indicator_was_not_consented_to) {
  Joint w;
  w.agreed();
  w.at(w.t0);
  ASSERT_EQ(w.on("198.51.100.7"), 'd');
  Sample changed = Joint::amber(1, "198.51.100.8");
  changed.version = 2;
  w.page({changed.text()});
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_EQ(w.on("198.51.100.8"), 'w');
}

TEST(JointAtTheSensor, what_the_guard_protects_stays_protected) {
  Joint w(false, {Joint::amber(1, "203.0.113.53"), Joint::amber(2, "198.51.100.9")});
  w.agreed();
  w.at(w.t0);
  EXPECT_EQ(w.on("203.0.113.53"), '-');
  EXPECT_EQ(w.on("198.51.100.9"), 'd');
  const auto report = json::parse(w.core->joint_report());
  ASSERT_TRUE(report.ok());
  const auto list = json::find_array(report->root(), "reports");
  ASSERT_TRUE(list);
  for (const json::Value one : *list) {
    EXPECT_EQ(json::find_string(one, "action"), w.action);
    EXPECT_EQ(json::find_int(one, "dropping"), 1);
    EXPECT_EQ(json::find_int(one, "refused"), 1);
  }
  EXPECT_EQ(w.core->joint_report(), "") << "nothing changed";
  w.core->joint_report_lost();
  EXPECT_NE(w.core->joint_report(), "");
}

TEST(JointAtTheSensor, an_exercise_never_drops) {
  Joint w(true);
  w.agreed();
  w.at(w.t0.plus_us(kHour));
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
  EXPECT_EQ(w.core->leases(false)[0].joint, w.action) << "but it is counted as one of the action";
}

TEST(JointAtTheSensor, ends_when_the_agreement_is_suspended) {
  Joint w;
  w.agreed();
  w.at(w.t0.plus_us(kHour));
  w.treaty.add("JP", "suspend", w.clock.now(), json::Node::object().set("scope", "whole"));
  w.agreements();
  EXPECT_EQ(w.on("198.51.100.7"), '-');
}

TEST(JointAtTheSensor, holds_over_a_restart_without_the_node) {
  Joint w;
  w.agreed();
  w.at(w.t0.plus_us(kHour / 4));
  w.restart();
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  w.at(w.until);
  EXPECT_NE(w.on("198.51.100.7"), 'd');
}

}  // namespace
}  // namespace entente::sensor
