// From an indicator to a lease, rule by rule: what the marking of each source binds, what several leases on one target
// come to, and when one begins and ends.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "json/json.h"
#include "sensor/core.h"
#include "sensor/uses.h"
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

TEST(Protected, what_is_protected_later_is_let_go_at_once) {
  Leases w;
  w.page({on(1, "198.51.100.7").text(), on(2, "192.0.2.7").text()});
  w.core->protect(*enforce::parse_target("198.51.100.0/24"), "a partner");
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_EQ(w.on("192.0.2.7"), 'd');
}

TEST(Harm, what_did_harm_stays_off_while_its_batch_goes_on) {
  Leases w;
  std::vector<std::string> objects;
  for (int i = 1; i <= 40; ++i) objects.push_back(on(i, "198.51.100." + std::to_string(i)).text());
  w.page(objects);
  std::string name;
  for (const auto& lease : w.core->leases(false))
    if (lease.target.text() == "198.51.100.3") name = lease.name();
  w.ask(R"({"cmd":"report","reason":"the payroll","lease":")" + name + "\"}");
  EXPECT_EQ(w.on("198.51.100.3"), '-');
  w.clock.advance_us(2 * w.config.ttl_us);  // the node was away; what holds is leased again
  w.core->tick();
  w.core->node_spoke();
  EXPECT_EQ(w.on("198.51.100.4"), 'd');
  EXPECT_EQ(w.on("198.51.100.3"), '-');
}

TEST(Rollback, of_one_source_leaves_what_another_gave_at_the_same_time) {
  Leases w;
  w.page({on(1, "198.51.100.1").text()});
  w.own_page({on(2, "198.51.100.2").text()});
  w.ask(R"({"cmd":"rollback","partner":"own","since":"2027-01-15T00:00:00Z","yes":true})");
  EXPECT_EQ(w.on("198.51.100.2"), '-');
  w.pass(45 * kMinute);  // over the renewal
  EXPECT_EQ(w.on("198.51.100.1"), 'd');
  EXPECT_EQ(w.on("198.51.100.2"), '-');
}

TEST(Dispute, made_anew_after_an_answer_waits_though_the_node_still_tells_the_old_one) {
  Leases w;
  w.page({on(1, "198.51.100.1").text()});
  w.ask(R"({"cmd":"dispute","reason":"the payroll","lease":"L1"})");
  const auto told = [&](const std::string& state) {
    w.core->on_claims(R"({"claims":[{"claim":"opinion--1","of":")" + Sample{}.id() + R"(","agreement":")" +
                      w.treaty.id() + R"(","claimant":"IN","originator":"JP","state":")" + state +
                      R"(","reason":"the payroll","at":"2027-01-15T08:00:00Z"}]})");
  };
  told("upheld");
  w.ask(R"({"cmd":"dispute","reason":"again","indicator":")" + Sample{}.id() + "\"}");
  told("upheld");
  EXPECT_NE(w.ask(R"({"cmd":"disputes"})").find(R"("state":"pending")"), std::string::npos);
}

TEST(Effect, what_only_counts_is_not_told_as_stopped) {
  MemFiles files;
  Effect e(files, "/effect");
  const EffectSource jp{"JP", ""};
  e.flow(1, jp, false, 1, 2);
  e.packets(1, jp, false, 5);
  EXPECT_EQ(e.of_source(jp)->stopped.flows + e.of_source(jp)->stopped.packets, 0u);
  EXPECT_EQ(e.of_source(jp)->counted.flows, 1u);
}

TEST(Uses, who_connects_from_an_address_does_not_use_it) {
  packet::Flow f;
  f.src = *packet::parse_address("198.51.100.7");
  f.dst = *packet::parse_address("10.0.0.1");
  f.src_port = 50'000;
  f.dst_port = 22;
  EXPECT_EQ(client_of(detect::ObservableKind::kIpv4, "198.51.100.7", f), "");
  EXPECT_EQ(client_of(detect::ObservableKind::kIpv4, "10.0.0.1", f), "198.51.100.7");
}

// Has counters, and keeps them over a restart of the sensor.
class Counting final : public enforce::Enforcer {
 public:
  [[nodiscard]] std::string name() const override { return "counting"; }
  [[nodiscard]] size_t capacity() const override { return 1000; }
  [[nodiscard]] size_t range_capacity() const override { return 1000; }
  Status start(const std::vector<enforce::Prefix>&, const std::vector<enforce::Element>&, Time) override { return {}; }
  Status apply(const enforce::Delta&, Time) override { return {}; }
  Result<std::vector<enforce::Hits>> hits() override {
    return std::vector<enforce::Hits>{{*enforce::parse_prefix("198.51.100.7"), packets, 0}};
  }
  Result<enforce::Totals> totals() override { return enforce::Totals{}; }
  Status clear() override { return {}; }
  [[nodiscard]] bool keeps_counters() const override { return true; }
  uint64_t packets = 0;
};

TEST(Hits, are_counted_once_over_a_restart_and_forwards_when_a_counter_begins_again) {
  World w;
  Counting counting;
  const auto begin = [&] {
    w.core = std::make_unique<Core>(w.config, w.files, w.clock, counting, w.lists, w.sink);
    ASSERT_TRUE(w.core->start().ok());
    w.agreements();
  };
  const auto tick = [&] {
    w.clock.advance_us(60 * kOneSecond);
    w.core->node_spoke();
    w.core->tick();
    return w.core->leases(false).at(0).hits;
  };
  begin();
  w.page({pap_object(kPapGreen, "PAP:GREEN"), on(1, "198.51.100.7").text()});
  counting.packets = 10;
  EXPECT_EQ(tick(), 10u);
  w.core->stop();
  w.core.reset();
  begin();
  EXPECT_EQ(tick(), 10u);
  EXPECT_NE(w.ask(R"({"cmd":"stats"})").find(R"("stopped_packets":10)"), std::string::npos);
  counting.packets = 3;
  EXPECT_EQ(tick(), 13u);
}

}  // namespace
}  // namespace entente::sensor
