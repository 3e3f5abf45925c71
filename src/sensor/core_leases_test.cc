// From an indicator to a lease, rule by rule: what the marking of each source binds, what several leases on one target
// come to, and when one begins and ends.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "json/json.h"
#include "sensor/core.h"
#include "sensor/world_for_test.h"

namespace entente::sensor {
namespace {

constexpr int64_t kMinute = 60 * kOneSecond;

struct Leases : World {
  explicit Leases(SensorConfig c = blocking()) : World(std::move(c)) { ready(); }
  void own_page(const std::vector<std::string>& objects) {
    const std::vector<std::string_view> views(objects.begin(), objects.end());
    core->on_page({"c0000000-0000-4000-8000-00000000000f", "", ""}, views, clock.now());
  }
  // In steps of half a minute, with the node in reach.
  void pass(int64_t us) {
    for (const Time until = clock.now().plus_us(us); clock.now() < until;) {
      clock.advance_us(30 * kOneSecond);
      core->node_spoke();
      core->tick();
    }
  }
  Time end_on(const std::string& target) const { return enforcer.elements().at(*enforce::parse_prefix(target)).end; }
};

Sample on(int number, const std::string& address, std::string_view marking = kPapGreen) {
  return {.number = number, .pattern = "[ipv4-addr:value = '" + address + "']", .marking = std::string(marking)};
}

TEST(Markings, bind_our_own_indicators_too) {
  Leases w;
  w.own_page({on(1, "198.51.100.1").text(), on(2, "198.51.100.2", kPapAmber).text(), on(3, "198.51.100.3", "").text()});
  EXPECT_EQ(w.on("198.51.100.1"), 'd');
  EXPECT_EQ(w.on("198.51.100.2"), 'w');
  EXPECT_EQ(w.on("198.51.100.3"), 'd') << "unmarked, and ours";
}

TEST(Markings, whose_definition_is_missing_let_nothing_of_ours_drop_either) {
  Leases w;
  const std::string unknown = "marking-definition--33333333-3333-4333-8333-333333333333";
  w.own_page({on(1, "198.51.100.1", unknown).text()});
  EXPECT_EQ(w.on("198.51.100.1"), 'w');
  w.own_page({pap_object(unknown, "PAP:GREEN")});
  EXPECT_EQ(w.on("198.51.100.1"), 'w') << "counts until it is judged again";
  w.pass(40 * kMinute);
  EXPECT_EQ(w.on("198.51.100.1"), 'd');
}

TEST(Markings, the_stricter_of_two_counts_in_any_order) {
  for (const bool green_first : {true, false}) {
    std::string text = on(1, "198.51.100.1").text();
    const std::string green = "\"" + std::string(kPapGreen) + "\"", amber = "\"" + std::string(kPapAmber) + "\"";
    text.replace(text.find(green), green.size(), green_first ? green + ", " + amber : amber + ", " + green);
    Leases w;
    w.page({text});
    EXPECT_EQ(w.on("198.51.100.1"), 'w') << green_first;
  }
}

TEST(OneTarget, drops_if_any_lease_does_and_until_the_last_of_these_ends) {
  Leases w;
  w.page({on(1, "198.51.100.7", kPapAmber).text()});
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
  Sample brief = on(2, "198.51.100.7"), longer = on(3, "198.51.100.7");
  brief.valid_until = "2027-01-15T08:10:00Z";  // ten minutes after kStart
  w.page({brief.text(), longer.text()});
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  EXPECT_EQ(w.end_on("198.51.100.7"), kStart.plus_us(w.config.ttl_us));
  longer.version = 2;
  longer.revoked = true;
  w.page({longer.text()});
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  EXPECT_EQ(w.end_on("198.51.100.7"), kStart.plus_us(10 * kMinute));
  w.pass(11 * kMinute);
  EXPECT_EQ(w.on("198.51.100.7"), 'w') << "what only counts is left";
}

TEST(Begin, what_is_valid_later_drops_when_its_time_comes) {
  Leases w;
  Sample later = on(1, "198.51.100.7");
  later.valid_from = "2027-01-15T08:20:00Z";
  w.page({later.text()});
  w.pass(19 * kMinute);
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  w.pass(kMinute);
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
}

TEST(End, a_version_that_is_valid_for_less_shortens_the_lease_in_force) {
  Leases w;
  w.page({on(1, "198.51.100.7").text()});
  ASSERT_EQ(w.end_on("198.51.100.7"), kStart.plus_us(w.config.ttl_us));
  Sample sooner = on(1, "198.51.100.7");
  sooner.version = 2;
  sooner.valid_until = "2027-01-15T08:10:00Z";
  w.page({sooner.text()});
  EXPECT_EQ(w.core->leases(false).at(0).end, kStart.plus_us(10 * kMinute));
  w.pass(10 * kMinute);
  EXPECT_EQ(w.on("198.51.100.7"), '-');
}

TEST(End, what_the_guard_would_not_grant_any_more_ends_at_its_renewal) {
  SensorConfig c = blocking();
  c.guard.min_confidence = 85;
  Leases w(c);
  w.page({on(1, "198.51.100.7").text()});
  ASSERT_EQ(w.on("198.51.100.7"), 'd');
  Sample doubtful = on(1, "198.51.100.7");
  doubtful.version = 2;
  doubtful.confidence = 81;  // the agreement asks for 80
  w.page({doubtful.text()});
  w.pass(31 * kMinute);  // a lease is renewed when half of it is over
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_EQ(w.refused(), "LOW_CONFIDENCE");
}

TEST(End, an_address_that_a_name_led_to_is_not_renewed_unless_the_name_is_seen_again) {
  Leases w;
  w.page({Sample{.pattern = "[domain-name:value = 'phish.example']"}.text()});
  const auto see = [&] {
    Seen s;
    s.tag = 1;
    s.value = "phish.example";
    s.field = "dns.answer";
    s.address = "198.51.100.80";
    s.via_name = "phish.example";
    s.dns_ttl_us = 300 * kOneSecond;
    s.time = w.clock.now();
    w.core->on_seen(s);
  };
  see();
  ASSERT_EQ(w.on("198.51.100.80"), 'd');
  w.pass(4 * kMinute);
  EXPECT_EQ(w.on("198.51.100.80"), 'd');
  see();
  w.pass(4 * kMinute);
  EXPECT_EQ(w.on("198.51.100.80"), 'd');
  w.pass(2 * kMinute);
  EXPECT_EQ(w.on("198.51.100.80"), '-');
}

}  // namespace
}  // namespace entente::sensor
