#include "sensor/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.h"
#include "packet/compose.h"
#include "sensor/watch.h"
#include "sensor/world_for_test.h"

namespace entente::sensor {
namespace {

using enforce::LeaseState;

TEST(Core, an_address_that_passes_the_guard_is_dropped_when_its_page_returns) {
  World w;
  w.ready();
  w.page({Sample{}.text(), Sample{.number = 2, .pattern = "[ipv4-addr:value = '203.0.113.53']"}.text(),
          Sample{.number = 3, .pattern = "[ipv4-addr:value = '10.0.0.0/8']"}.text(),
          Sample{.number = 4, .pattern = "[domain-name:value = 'login.bank.example']"}.text()});
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  EXPECT_EQ(w.enforcer.elements().size(), 1u);
  EXPECT_EQ(w.refused(0), "PROTECTED_LIST");
  EXPECT_EQ(w.refused(1), "TOO_BROAD");
  EXPECT_EQ(w.refused(2), "PROTECTED_LIST");
  const auto leases = w.core->leases(false);
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_EQ(leases[0].partner, "JP");
  EXPECT_EQ(leases[0].article, "4");
  EXPECT_EQ(leases[0].code, "OK");
  EXPECT_EQ(leases[0].agreement, w.treaty.id());
}

TEST(Core, monitor_mode_and_pap_amber_and_low_confidence_only_count) {
  SensorConfig c = blocking();
  c.guard.mode = enforce::Mode::kMonitor;
  World monitor(c);
  monitor.ready();
  monitor.page({Sample{}.text()});
  EXPECT_EQ(monitor.on("198.51.100.7"), 'w');

  World w;
  w.ready();
  w.page(
      {Sample{.number = 1, .pattern = "[ipv4-addr:value = '198.51.100.1']", .marking = std::string(kPapAmber)}.text(),
       Sample{.number = 2, .pattern = "[ipv4-addr:value = '198.51.100.2']", .confidence = 79}.text(),
       Sample{.number = 3, .pattern = "[ipv4-addr:value = '198.51.100.3']", .marking = ""}
           .text()});  // the agreement's default is amber
  EXPECT_EQ(w.on("198.51.100.1"), 'w');
  EXPECT_EQ(w.on("198.51.100.2"), 'w');
  EXPECT_EQ(w.on("198.51.100.3"), 'w');
  for (const auto& l : w.core->leases(false)) EXPECT_EQ(l.code, "NOT_PERMITTED");
}

TEST(Core, a_marking_that_has_not_come_yet_is_taken_as_the_strictest) {
  World w;
  w.agreements();
  w.page({Sample{}.text()});
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
  w.page({pap_object(kPapGreen, "PAP:GREEN")});
  w.clock.advance_us(31LL * 60 * kOneSecond);  // the lease is judged again when half of it is over
  w.agreements();
  w.core->tick();
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
}

TEST(Core, recall_ends_the_lease_and_the_matching) {
  World w;
  w.ready();
  const Sample s;
  w.page({s.text()});
  ASSERT_EQ(w.on("198.51.100.7"), 'd');
  // A tombstone has no pattern.
  w.page({R"({"type":"indicator","spec_version":"2.1","id":")" + s.id() +
          R"(","created":"2026-01-01T00:00:00Z","modified":"2026-02-01T00:00:00Z","revoked":true})"});
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_EQ(w.core->live().size(), 0u);
  EXPECT_EQ(w.core->leases(true)[0].ended_by, enforce::ended::kRevoked);
  w.page({s.text()});  // the old version again
  EXPECT_EQ(w.on("198.51.100.7"), '-');
}

TEST(Core, a_new_version_moves_the_block_and_an_old_one_does_nothing) {
  World w;
  w.ready();
  w.page({Sample{.version = 2}.text()});
  w.page({Sample{.pattern = "[ipv4-addr:value = '198.51.100.8']", .version = 3}.text()});
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
  w.page({Sample{.pattern = "[ipv4-addr:value = '198.51.100.9']", .version = 1}.text()});
  EXPECT_EQ(w.on("198.51.100.9"), '-');
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
}

TEST(Core, suspension_ends_the_leases_of_the_agreement_and_resumption_brings_them_back) {
  World w;
  w.ready();
  w.page({Sample{}.text()});
  ASSERT_EQ(w.on("198.51.100.7"), 'd');
  w.clock.advance_us(10 * kOneSecond);
  w.treaty.add("IN", "suspend", w.clock.now(), json::Node::object().set("scope", "whole").set("reason", "test"));
  w.agreements();
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_EQ(w.core->leases(true)[0].ended_by, enforce::ended::kAgreement);
  EXPECT_EQ(w.core->live().size(), 1u);  // monitoring goes on
  w.clock.advance_us(10 * kOneSecond);
  w.treaty.add("IN", "resume", w.clock.now());
  w.agreements();
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
}

TEST(Core, nothing_is_blocked_without_an_agreement_in_force) {
  World w;
  w.treaty.acts.pop_back();  // the last signature
  w.ready();
  w.page({Sample{}.text()});
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_EQ(w.refused(), "AGREEMENT_NOT_LIVE");
}

TEST(Core, leases_end_are_renewed_and_never_outlive_the_indicator) {
  World w;
  w.ready();
  w.page({Sample{.valid_until = to_text(kStart.plus_us(90LL * 60 * kOneSecond))}.text()});
  for (int minute = 0; minute < 89; ++minute) {
    w.clock.advance_us(60 * kOneSecond);
    w.core->node_spoke();
    w.core->tick();
    ASSERT_EQ(w.on("198.51.100.7"), 'd') << minute;
  }
  w.clock.advance_us(60 * kOneSecond);
  w.core->tick();
  EXPECT_EQ(w.on("198.51.100.7"), '-');
}

TEST(Core, a_sensor_that_lost_its_node_lets_go) {
  World w;
  w.ready();
  w.page({Sample{}.text()});
  for (int minute = 0; minute < 200; ++minute) {
    w.clock.advance_us(60 * kOneSecond);
    w.core->tick();
  }
  EXPECT_EQ(w.on("198.51.100.7"), '-');
}

// Threat model row 34.
TEST(Core, no_block_outlives_the_agreements_longest) {
  SensorConfig c = blocking();
  c.ttl_us = 24LL * 3600 * kOneSecond;
  World w(c);
  w.ready();
  w.page({Sample{}.text()});
  for (int quarter = 0; quarter < 4 * 31; ++quarter) {
    w.clock.advance_us(6LL * 3600 * kOneSecond);
    w.core->node_spoke();
    w.core->tick();
    ASSERT_EQ(w.on("198.51.100.7"), quarter + 1 < 4 * 30 ? 'd' : '-') << quarter;
  }
}

TEST(Core, leases_come_back_when_the_node_does) {
  World w;
  w.ready();
  w.page({Sample{}.text()});
  w.clock.advance_us(5LL * 3600 * kOneSecond);
  w.core->tick();
  ASSERT_EQ(w.on("198.51.100.7"), '-');
  w.agreements();
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  // A machine that slept through the end of a lease, its node in reach.
  w.clock.advance_us(3600 * kOneSecond - 1);
  w.core->node_spoke();
  w.clock.advance_us(1);
  w.core->tick();
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
}

TEST(Core, a_killed_sensor_comes_back_with_leases_indicators_and_position) {
  World w;
  w.ready();
  w.page({Sample{}.text(), Sample{.number = 2, .pattern = "[domain-name:value = 'phish.example']"}.text()});
  w.core->tick();
  w.clock.advance_us(kOneSecond);
  w.core->tick();
  const auto before = w.core->leases(false);
  w.restart();  // no stop(), no node
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  EXPECT_EQ(w.core->live().size(), 2u);
  EXPECT_EQ(w.core->position(w.treaty.source().collection), kStart);
  ASSERT_EQ(w.core->leases(false).size(), 1u);
  EXPECT_EQ(w.core->leases(false)[0].end, before[0].end);
  // A protected list that grew meanwhile is obeyed at once.
  w.lists.add_prefix(*enforce::parse_prefix("198.51.100.0/24"), "national");
  w.restart();
  EXPECT_EQ(w.on("198.51.100.7"), '-');
}

TEST(Core, a_person_lifts_by_lease_partner_and_indicator_and_it_stays_lifted) {
  World w;
  w.ready();
  w.page({Sample{}.text(), Sample{.number = 2, .pattern = "[ipv4-addr:value = '198.51.100.8']"}.text()});
  EXPECT_THAT(w.ask(R"({"cmd":"lift","lease":"L1"})"), testing::HasSubstr(R"("ok":true)"));
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
  EXPECT_THAT(w.ask(R"({"cmd":"lift","partner":"JP","since":"2027-01-15T00:00:00Z"})"),
              testing::HasSubstr("198.51.100.8"));
  EXPECT_TRUE(w.enforcer.elements().empty());
  w.agreements();
  w.clock.advance_us(kOneSecond);
  w.core->tick();
  w.restart();
  w.agreements();
  EXPECT_TRUE(w.enforcer.elements().empty());
  EXPECT_THAT(w.ask(R"({"cmd":"why","target":"198.51.100.7"})"), testing::HasSubstr("lifted"));
  // A new version of the indicator is a new claim.
  w.page({Sample{.version = 5}.text()});
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
}

TEST(Core, over_the_budget_a_person_is_asked_and_can_approve) {
  SensorConfig c = blocking();
  c.guard.leases_per_minute = 1;
  World w(c);
  w.ready();
  w.page({Sample{}.text(), Sample{.number = 2, .pattern = "[ipv4-addr:value = '198.51.100.8']"}.text()});
  EXPECT_EQ(w.on("198.51.100.8"), '-');
  ASSERT_EQ(w.sink.of("lease_waiting").size(), 1u);
  EXPECT_THAT(w.ask(R"({"cmd":"approve","lease":"L2"})"), testing::HasSubstr(R"("state":"active")"));
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
}

TEST(Core, control_refuses_nonsense) {
  World w;
  for (const char* bad :
       {"", "{", "[]", "null", "{}", R"({"cmd":7})", R"({"cmd":"lift"})", R"({"cmd":"lift","lease":"x"})",
        R"({"cmd":"lift","lease":"L99"})", R"({"cmd":"lift","target":"a b"})", R"({"cmd":"approve"})",
        R"({"cmd":"why","lease":""})", "\xff\xfe"}) {
    EXPECT_THAT(w.ask(bad), testing::HasSubstr(R"("ok":false)")) << bad;
  }
  EXPECT_THAT(w.ask(std::string(100'000, '[')), testing::HasSubstr(R"("ok":false)"));
  EXPECT_THAT(w.ask(R"({"cmd":"status"})"), testing::HasSubstr(R"("ok":true)"));
  EXPECT_THAT(w.ask(R"({"cmd":"why","target":"www.bank.example"})"), testing::HasSubstr("national"));
}

TEST(Core, an_enforcer_that_fails_is_told_and_tried_again) {
  World w;
  w.ready();
  w.enforcer.fail(true);
  w.page({Sample{}.text()});
  EXPECT_EQ(w.sink.of("enforcer_failed").size(), 1u);
  EXPECT_TRUE(w.sink.of("lease_applied").empty());  // not said before it is true
  w.enforcer.fail(false);
  w.clock.advance_us(kOneSecond + 1);
  w.core->tick();
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  EXPECT_EQ(w.sink.of("lease_applied").size(), 1u);
}

// Packets, as a wire would bring them.
struct Wire : World {
  explicit Wire(SensorConfig c = blocking()) : World(std::move(c)), watch(*core, "eth0"), decoder(watch) {}
  void frame(const std::string& bytes) {
    clock.advance_us(1000);
    decoder.decode({bytes, clock.now(), ++number, packet::LinkType::kEthernet, static_cast<uint32_t>(bytes.size())});
  }
  static packet::Flow flow(const std::string& src, const std::string& dst, uint16_t sport, uint16_t dport,
                           uint8_t protocol) {
    return {*packet::parse_address(src), *packet::parse_address(dst), sport, dport, protocol};
  }
  void dns(const std::string& question, const std::vector<packet::DnsRecord>& answers) {
    frame(packet::compose_udp(flow("192.0.2.53", "10.0.0.5", 53, 40000, packet::kUdp),
                              packet::compose_dns_response(7, question, packet::DnsType::kA, answers)));
  }
  void hello(const std::string& name, const std::string& dst) {
    frame(packet::compose_tcp(flow("10.0.0.5", dst, 40001, 443, packet::kTcp), 100, 2, ""));
    frame(packet::compose_tcp(flow("10.0.0.5", dst, 40001, 443, packet::kTcp), 101, 24,
                              packet::compose_client_hello(name)));
  }
  Watch watch;
  packet::Decoder decoder;
  uint64_t number = 0;
};

TEST(Wire, a_name_that_resolves_through_aliases_leads_to_a_short_lease_on_the_address) {
  Wire w;
  w.ready();
  w.page({Sample{.pattern = "[domain-name:value = 'phish.example']"}.text()});
  EXPECT_TRUE(w.enforcer.elements().empty());
  using packet::DnsType;
  w.dns("Phish.Example", {{DnsType::kCname, "phish.example", 300, "edge.cdn.example"},
                          {DnsType::kA, "edge.cdn.example", 120, "198.51.100.80"}});
  EXPECT_EQ(w.on("198.51.100.80"), 'd');
  const auto lease = w.core->leases(false).at(0);
  EXPECT_EQ(lease.end.us - w.clock.now().us, 120 * kOneSecond);  // the answer's own time to live
  EXPECT_THAT(lease.detection, testing::HasSubstr("dns.answer"));
  w.clock.advance_us(120 * kOneSecond);
  w.core->tick();
  EXPECT_TRUE(w.enforcer.elements().empty());
}

TEST(Wire, the_server_name_of_a_tls_connection_leads_to_a_lease_too) {
  Wire w;
  w.ready();
  w.page({Sample{.pattern = "[domain-name:value = 'phish.example']"}.text()});
  w.hello("phish.example", "198.51.100.81");
  EXPECT_EQ(w.on("198.51.100.81"), 'd');
  w.hello("other.example", "198.51.100.82");
  EXPECT_EQ(w.on("198.51.100.82"), '-');
}

TEST(Wire, never_an_address_that_also_serves_a_protected_name) {
  Wire w;
  w.ready();
  w.page({Sample{.pattern = "[domain-name:value = 'phish.example']"}.text(),
          Sample{.number = 2, .pattern = "[domain-name:value = 'www.bank.example']"}.text()});
  using packet::DnsType;
  w.dns("bank.example", {{DnsType::kA, "bank.example", 60, "198.51.100.90"}});
  w.dns("phish.example", {{DnsType::kA, "phish.example", 60, "198.51.100.90"}});
  EXPECT_EQ(w.on("198.51.100.90"), '-');
  // Learnt after the block: lifted.
  w.dns("phish.example", {{DnsType::kA, "phish.example", 60, "198.51.100.91"}});
  EXPECT_EQ(w.on("198.51.100.91"), 'd');
  w.hello("bank.example", "198.51.100.91");
  EXPECT_EQ(w.on("198.51.100.91"), '-');
  // A protected name that was shared itself is seen and blocks nothing.
  w.dns("www.bank.example", {{DnsType::kA, "www.bank.example", 60, "198.51.100.92"}});
  EXPECT_EQ(w.on("198.51.100.92"), '-');
  EXPECT_FALSE(w.sink.of("detection").empty());
}

TEST(Wire, indicators_that_come_later_match_addresses_that_were_seen_before) {
  Wire w;
  w.ready();
  const auto packet = packet::compose_udp(Wire::flow("10.0.0.5", "198.51.100.7", 1, 2, packet::kUdp), "x");
  for (int i = 0; i < 3; ++i) w.frame(packet);
  EXPECT_TRUE(w.sink.of("detection").empty());
  w.page({Sample{}.text()});
  w.frame(packet);
  EXPECT_EQ(w.sink.of("detection").size(), 1u);
}

TEST(Wire, sightings_are_counted_and_made_once_an_interval) {
  Wire w;
  w.ready();
  w.page({Sample{}.text()});
  const auto packet = packet::compose_udp(Wire::flow("10.0.0.5", "198.51.100.7", 1, 2, packet::kUdp), "x");
  for (int i = 0; i < 5; ++i) w.frame(packet);
  w.core->tick();
  for (int i = 0; i < 7; ++i) w.frame(packet);
  w.core->tick();
  ASSERT_EQ(w.core->sightings_due().size(), 1u);
  w.clock.advance_us(60 * kOneSecond);
  w.core->tick();
  const auto due = w.core->sightings_due();
  ASSERT_EQ(due.size(), 2u);
  const auto first = json::parse(due[0]);
  EXPECT_EQ(json::find_int(first->root(), "count"), 5);
  EXPECT_EQ(json::find_string(first->root(), "sighting_of_ref"), Sample{}.id());
  EXPECT_EQ(json::find_int(json::parse(due[1])->root(), "count"), 7);
  EXPECT_EQ(w.sink.of("detection").size(), 1u);
  w.core->sightings_done(2, 0);
  EXPECT_TRUE(w.core->sightings_due().empty());
}

TEST(Core, a_compound_pattern_is_bound_over_packets_and_told_with_its_witness) {
  World w;
  w.ready();
  const std::string follow =
      "[domain-name:value = 'evil.example'] FOLLOWEDBY ([network-traffic:dst_ref.value = '198.51.100.9' AND "
      "network-traffic:dst_port = 8443]) WITHIN 60 SECONDS";
  w.page({Sample{.number = 1, .pattern = follow}.text(),
          Sample{.number = 2, .pattern = "[network-traffic:dst_port > 9000]"}.text(),
          Sample{.number = 3, .pattern = "[domain-name:value MATCHES '(']"}.text(),
          Sample{.number = 4, .pattern = "[process:name = 'x']"}.text()});
  EXPECT_EQ(w.sink.of("indicator_unusable").size(), 2u);
  EXPECT_TRUE(w.core->has_compounds());
  EXPECT_TRUE(w.core->every_record());

  Watch watch(*w.core, "eth0");
  packet::Packet p;
  const auto a = *packet::parse_address("10.0.0.5"), server = *packet::parse_address("198.51.100.9"),
             resolver = *packet::parse_address("10.0.0.53");
  const auto connect = [&](uint16_t from, uint16_t to) {
    p.time = w.clock.now();
    ++p.number;
    watch.on_flow(p, {a, server, from, to, packet::kTcp});
    watch.end();
  };
  const auto ask = [&](std::string_view name) {
    p.time = w.clock.now();
    ++p.number;
    const packet::Flow f{a, resolver, static_cast<uint16_t>(p.number), 53, packet::kUdp};
    watch.on_flow(p, f);
    watch.on_dns_question(p, f, {.name = name, .type = 1});
    watch.end();
  };
  connect(1000, 8443);  // before the question
  w.clock.advance_us(kOneSecond);
  ask("EVIL.example");
  connect(1001, 443);  // another port
  EXPECT_TRUE(w.sink.of("detection").empty());
  w.clock.advance_us(kOneSecond);
  connect(1002, 8443);
  const auto found = w.sink.of("detection");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].string_at("indicator"), Sample{.number = 1}.id());
  const auto& witness = found[0].find("witness")->list();
  ASSERT_EQ(witness.size(), 2u);
  EXPECT_EQ(witness[0].string_at("value"), "EVIL.example");
  EXPECT_EQ(witness[1].string_at("dst"), "198.51.100.9");
  // It is a sighting, and it blocks nothing.
  EXPECT_TRUE(w.core->leases(true).empty());
  connect(1002, 8443);  // the same flow again is no new observation
  EXPECT_EQ(w.sink.of("detection").size(), 1u);
  connect(1003, 9001);
  EXPECT_EQ(w.sink.of("detection").size(), 2u);

  // Recalled, it is gone.
  w.page({Sample{.number = 1, .version = 2, .revoked = true}.text(),
          Sample{.number = 2, .version = 2, .revoked = true}.text()});
  EXPECT_FALSE(w.core->has_compounds());
  ask("evil.example");
  connect(1004, 8443);
  EXPECT_EQ(w.sink.of("detection").size(), 2u);
}

TEST(Core, patterns_that_cost_every_record_are_limited_and_the_rest_named) {
  World w;
  w.ready();
  std::vector<std::string> page;
  for (int i = 1; i <= static_cast<int>(Core::kMaxUnanchored) + 2; ++i)
    page.push_back(Sample{.number = i, .pattern = "[network-traffic:dst_port > " + std::to_string(i) + "]"}.text());
  w.page(page);
  const auto refused = w.sink.of("indicator_unusable");
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_NE(refused[0].string_at("why").find("would cost every record"), std::string::npos);
}

// A fingerprint says which program speaks: it is told, and nobody is blocked, since browsers share theirs.
TEST(Core, a_tls_fingerprint_is_detected_and_blocks_nothing) {
  World w;
  w.ready();
  const std::string ciphers("\x13\x01\x13\x02", 4);
  const packet::TlsHello hello{.ciphers = ciphers, .version = 0x0303};
  const auto print = packet::fingerprint(hello).value();
  EXPECT_FALSE(w.core->has_fingerprints());
  w.page({Sample{.number = 1, .pattern = "[network-traffic:extensions.'tls-ext'.ja3 = '" + print.ja3 + "']"}.text(),
          Sample{.number = 2, .pattern = "[network-traffic:x_ja4 = '" + print.ja4 + "']"}.text()});
  EXPECT_TRUE(w.core->has_fingerprints());
  Watch watch(*w.core, "eth0");
  packet::Packet p;
  p.time = w.clock.now();
  const packet::Flow f{*packet::parse_address("10.0.0.5"), *packet::parse_address("198.51.100.7"), 1000, 443,
                       packet::kTcp};
  watch.on_flow(p, f);
  watch.on_tls(p, f, hello);
  watch.end();
  const auto seen = w.sink.of("detection");
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].string_at("value"), print.ja3);
  EXPECT_EQ(seen[0].string_at("field"), "tls.ja3");
  EXPECT_EQ(seen[1].string_at("value"), print.ja4);
  EXPECT_TRUE(w.enforcer.elements().empty());
}

TEST(Core, a_new_indicator_is_answered_from_the_past) {
  World w;
  detect::HistoryOptions options;
  options.map = false;
  auto history = detect::History::open("/state/history", w.files, options);
  ASSERT_TRUE(history.ok());
  w.core->set_history(std::move(*history));
  w.ready();
  Watch watch(*w.core, "eth0");
  packet::Packet p;
  const auto a = *packet::parse_address("10.0.0.5"), server = *packet::parse_address("198.51.100.7");
  for (int i = 0; i < 3; ++i) {
    w.clock.advance_us(kOneSecond);
    p.time = w.clock.now();
    ++p.number;
    const packet::Flow f{a, server, static_cast<uint16_t>(1000 + i), 443, packet::kTcp};
    watch.on_flow(p, f);
    watch.on_flow(p, f);  // the same flow counts once
    watch.on_sni(p, f, "Evil.Example");
    watch.end();
  }
  w.core->look_back();
  EXPECT_TRUE(w.sink.of("past_detection").empty());
  w.clock.advance_us(60 * kOneSecond);
  w.page({Sample{.number = 1, .pattern = "[domain-name:value = 'evil.example']"}.text(),
          Sample{.number = 2, .pattern = "[ipv4-addr:value ISSUBSET '198.51.100.0/24']"}.text(),
          Sample{.number = 3, .pattern = "[domain-name:value = 'good.example']"}.text()});
  w.core->look_back();
  w.core->look_back();  // once is enough
  const auto past = w.sink.of("past_detection");
  ASSERT_EQ(past.size(), 2u);
  EXPECT_EQ(past[0].string_at("value"), "evil.example");
  EXPECT_EQ(past[0].string_at("first"), to_text(kStart.plus_us(kOneSecond)));
  EXPECT_EQ(past[0].string_at("last"), to_text(kStart.plus_us(3 * kOneSecond)));
  EXPECT_EQ(past[1].string_at("value"), "198.51.100.7");
  EXPECT_EQ(past[1].find("sights")->list().size(), 3u);
  // As sightings of the time when it was seen.
  w.core->tick();
  const auto due = w.core->sightings_due();
  ASSERT_EQ(due.size(), 2u);
  EXPECT_NE(due[0].find("\"count\":3"), std::string::npos) << due[0];
  EXPECT_NE(due[0].find("\"first_seen\":\"" + to_text(kStart.plus_us(kOneSecond))), std::string::npos) << due[0];
}

class ListNames final : public enforce::NameEnforcer {
 public:
  [[nodiscard]] std::string name() const override { return "list"; }
  void want(const enforce::Target& name, bool drop, Time) override { names[name.text()] = drop; }
  void unwant(const enforce::Target& name) override { names.erase(name.text()); }
  Status flush(Time) override { return {}; }
  Status clear() override { return {}; }
  std::map<std::string, bool> names;
};

// A name is leased as a name where resolvers can be told: with allow-list and public suffixes before it, and let go
// with its indicator.
TEST(Core, names_are_leased_where_resolvers_hold_them) {
  MemFiles files;
  ManualClock clock(kStart);
  enforce::MemEnforcer enforcer;
  enforce::ProtectedList lists;
  lists.add_name("bank.example", "banks");
  ListSink sink;
  ListNames names;
  Treaty treaty;
  SensorConfig config;
  config.state_dir = "/s";
  config.guard.mode = enforce::Mode::kBlock;
  Core core(config, files, clock, enforcer, std::move(lists), sink);
  core.use_names(names);
  ASSERT_TRUE(core.start().ok());
  core.on_instruments(*Instruments::parse(treaty.api()));
  const auto add = [&](const Sample& s) {
    const std::string text = s.text();
    core.on_page(treaty.source(), {text}, std::nullopt);
  };
  const std::string marking = pap_object(kPapGreen, "PAP:GREEN");
  core.on_page(treaty.source(), {marking}, std::nullopt);
  add({.number = 1, .pattern = "[domain-name:value = 'phish.example']"});
  add({.number = 2, .pattern = "[domain-name:value = 'www.bank.example']"});
  add({.number = 3, .pattern = "[domain-name:value = 'co.jp']"});
  add({.number = 4, .pattern = "[url:value = 'http://shared.example/evil']"});
  EXPECT_THAT(names.names, testing::ElementsAre(testing::Pair("phish.example", true)));
  EXPECT_EQ(core.leases(false).size(), 1u);
  const auto refused = sink.of("guard_refused");
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_EQ(refused[0].string_at("code"), "PROTECTED_LIST");
  EXPECT_EQ(refused[1].string_at("code"), "PUBLIC_SUFFIX");
  add({.number = 1, .pattern = "[domain-name:value = 'phish.example']", .version = 9, .revoked = true});
  EXPECT_TRUE(names.names.empty());
  EXPECT_TRUE(core.leases(false).empty());
}

}  // namespace
}  // namespace entente::sensor
