// The guard's judgement with what the sensor itself has seen: impact, shadow run first, harm, batches, effect. And the
// acceptance tests of enforcement.md §8.3: a poisoned feed, the published lists as hostile indicators, time.
#include <chrono>
#include <filesystem>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "enforce/service_register.h"
#include "json/json.h"
#include "sensor/core.h"
#include "sensor/world_for_test.h"

namespace entente::sensor {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

packet::Flow flow_of(const std::string& src, const std::string& dst, uint16_t src_port = 40'000,
                     uint16_t dst_port = 443) {
  packet::Flow f;
  f.src = *packet::parse_address(src);
  f.dst = *packet::parse_address(dst);
  f.src_port = src_port;
  f.dst_port = dst_port;
  f.protocol = 6;
  return f;
}

std::string client(int i) { return "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1); }

Sample on(int number, const std::string& address) {
  return {.number = number, .pattern = "[ipv4-addr:value = '" + address + "']"};
}

struct GuardWorld : World {
  explicit GuardWorld(SensorConfig c = blocking()) : World(std::move(c)) { ready(); }
  // `clients` connect to the address, or ask for the name.
  void use(const std::string& value, int clients) {
    const bool name = !enforce::parse_prefix(value).ok();
    for (int i = 0; i < clients; ++i)
      core->remember(clock.now(), name ? detect::ObservableKind::kDomain : detect::ObservableKind::kIpv4, value,
                     flow_of(client(i), name ? "10.9.9.9" : value, 40'000, name ? 53 : 443));
  }
  // A flow that matches the indicator of this tag.
  void hit(uint32_t tag, const std::string& value, const std::string& who, uint64_t flow) {
    Seen s;
    s.tag = tag;
    s.value = value;
    s.field = "ip.dst";
    s.src = who;
    s.dst = value;
    s.time = clock.now();
    s.flow = flow;
    s.client = who;
    core->on_seen(s);
  }
  void later(int64_t seconds = 600) {
    clock.advance_us(seconds * kOneSecond);
    core->node_spoke();
    core->tick();
  }
  std::string why(const std::string& target) { return ask(R"({"cmd":"why","target":")" + target + "\"}"); }
  std::string first_lease() { return core->leases(false).front().name(); }
};

// ---- step 5: impact

TEST(Impact, what_many_clients_use_waits_for_a_person_who_is_told_the_numbers) {
  GuardWorld w;
  w.use("198.51.100.7", 51);
  w.use("198.51.100.8", 50);
  w.page({on(1, "198.51.100.7").text(), on(2, "198.51.100.8").text()});
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_THAT(w.why("198.51.100.7"), AllOf(HasSubstr("WIDELY_USED"), HasSubstr("51 clients used it in the last 7 days"),
                                           HasSubstr(R"("state":"waiting")")));
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
  EXPECT_THAT(w.why("198.51.100.8"),
              AllOf(HasSubstr("50 clients used it in the last 7 days"), HasSubstr(R"("code":"OK")")));
  w.ask(R"({"cmd":"approve","lease":"L1"})");
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  // Decided is decided: who tries to reach it while it is blocked is no reason to let it go.
  w.use("198.51.100.8", 200);
  for (int i = 0; i < 12; ++i) w.later();
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
}

TEST(Impact, what_connects_to_us_is_not_used_by_us) {
  GuardWorld w;
  for (int i = 0; i < 100; ++i) {
    // A scanner, and what we answer to it.
    w.core->remember(w.clock.now(), detect::ObservableKind::kIpv4, "198.51.100.7",
                     flow_of("198.51.100.7", client(i), 50'000, 22));
    w.core->remember(w.clock.now(), detect::ObservableKind::kIpv4, "198.51.100.7",
                     flow_of(client(i), "198.51.100.7", 22, 50'000));
  }
  w.page({on(1, "198.51.100.7").text()});
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
}

TEST(Impact, is_known_over_a_restart_and_forgotten_after_its_days) {
  GuardWorld w;
  w.use("198.51.100.7", 60);
  w.core->stop();
  w.restart();
  w.ready();
  w.page({on(1, "198.51.100.7").text()});
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  GuardWorld v;
  v.use("198.51.100.7", 60);
  v.later(8LL * 86'400);
  v.page({on(1, "198.51.100.7").text()});
  EXPECT_EQ(v.on("198.51.100.7"), 'd');
}

TEST(Impact, a_range_counts_all_inside_and_a_tree_all_below) {
  MemFiles files;
  Uses uses(files, "/uses", {});
  const auto add = [&](const std::string& value, int from, int to) {
    const bool name = !enforce::parse_prefix(value).ok();
    for (int i = from; i < to; ++i)
      uses.used(name ? detect::ObservableKind::kDomain : detect::ObservableKind::kIpv4, value, client(i), kStart);
  };
  add("198.51.100.1", 0, 10);
  add("198.51.100.200", 5, 20);
  add("198.51.101.1", 0, 99);
  add("a.example", 0, 3);
  add("X.A.example.", 2, 5);
  add("xa.example", 0, 99);
  EXPECT_EQ(uses.impact_of(*enforce::parse_target("198.51.100.0/24"), kStart).clients, 20u);
  EXPECT_EQ(uses.impact_of(*enforce::parse_target("198.51.100.1"), kStart).clients, 10u);
  EXPECT_EQ(uses.impact_of(*enforce::parse_target("a.example"), kStart).clients, 3u);
  EXPECT_EQ(uses.impact_of(*enforce::parse_target("*.a.example"), kStart).clients, 5u);
}

TEST(Impact, memory_is_bounded_and_what_many_use_stays) {
  MemFiles files;
  Uses uses(files, "/uses", {.max_values = 100, .max_clients = 8});
  for (int i = 0; i < 50; ++i) uses.used(detect::ObservableKind::kIpv4, "198.51.100.1", client(i), kStart);
  for (int i = 0; i < 10'000; ++i)
    uses.used(detect::ObservableKind::kIpv4, fmt::format("192.0.{}.{}", i / 250, i % 250), client(1), kStart);
  EXPECT_LE(uses.size(), 101u);
  const auto impact = uses.impact_of(*enforce::parse_target("198.51.100.1"), kStart);
  EXPECT_EQ(impact.clients, 8u);
  EXPECT_TRUE(impact.at_least);
  Uses few(files, "/few", {.max_in_all = 100, .max_names_in_all = 3});
  for (int i = 0; i < 300; ++i)
    few.used(detect::ObservableKind::kIpv4, "198.51.100." + std::to_string(i % 3), client(i), kStart);
  EXPECT_LE(few.impact_of(*enforce::parse_target("198.51.100.0/24"), kStart).clients, 101u);
  for (int i = 0; i < 5; ++i)
    few.add_name(*enforce::parse_prefix("192.0.2.1"), std::to_string(i) + ".example", i == 4, kStart);
  EXPECT_EQ(few.names_on(*enforce::parse_prefix("192.0.2.1")).size(), 4u);
  ASSERT_TRUE(uses.save().ok());
  const std::string whole = *files.read("/uses");
  for (size_t cut = 0; cut < whole.size(); cut += 7) {  // damaged: begins anew, never fails
    ASSERT_TRUE(files.write_atomic("/uses", whole.substr(0, cut), 0600).ok());
    Uses again(files, "/uses", {});
    again.load();
  }
}

TEST(Impact, critical_services_are_protected_and_what_they_depend_on_is_asked_for) {
  World w;
  enforce::ProtectedList needed;
  const auto loaded = enforce::add_register(R"({"format":"entente-services/1","services":[
      {"service":"instant payments","operator":"the central bank","targets":["pay.example","203.0.113.0/28"],
       "depends_on":["cdn.example","198.51.100.53"]}]})",
                                            "register", w.lists, needed);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->targets, 2u);
  EXPECT_EQ(loaded->dependences, 2u);
  w.core = std::make_unique<Core>(w.config, w.files, w.clock, w.enforcer, w.lists, w.sink);
  w.core->use_register(needed);
  ASSERT_TRUE(w.core->start().ok());
  w.ready();
  w.core->on_name("www.cdn.example", "198.51.100.80");
  w.page({on(1, "203.0.113.9").text(), on(2, "198.51.100.53").text(), on(3, "198.51.100.80").text(),
          on(4, "198.51.100.0/24").text(), on(5, "198.51.100.81").text()});
  EXPECT_EQ(w.refused(), "PROTECTED_LIST");
  EXPECT_THAT(std::string(w.sink.of("guard_refused")[0].string_at("sentence")), HasSubstr("instant payments"));
  for (const char* t : {"198.51.100.53", "198.51.100.80"}) {
    EXPECT_EQ(w.on(t), '-');
    EXPECT_THAT(w.ask(R"({"cmd":"why","target":")" + std::string(t) + "\"}"),
                AllOf(HasSubstr("CRITICAL_DEPENDENCE"), HasSubstr("instant payments (the central bank) depends on")));
  }
  EXPECT_EQ(w.on("198.51.100.81"), 'd');
  for (const char* bad : {R"({"services":[]})", R"({"format":"entente-services/1"})",
                          R"({"format":"entente-services/1","services":[{"targets":["a.example"]}]})",
                          R"({"format":"entente-services/1","services":[{"service":"x","targets":["not a target"]}]})",
                          R"({"format":"entente-services/1","services":[{"service":"x","depends_on":[7]}]})"})
    EXPECT_FALSE(enforce::add_register(bad, "f", w.lists, needed).ok()) << bad;
}

// ---- step 8: shadow first

SensorConfig shadow_first(bool by_rule = true) {
  SensorConfig c = blocking();
  c.trials.first_us = 86'400 * kOneSecond;
  c.trials.all = true;
  c.trials.by_rule = by_rule;
  return c;
}

TEST(Shadow, a_new_source_counts_first_and_the_rule_promotes_it_when_its_time_is_over) {
  GuardWorld w(shadow_first());
  w.page({on(1, "198.51.100.7").text(), on(2, "198.51.100.8").text()});
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
  for (uint64_t f = 1; f <= 14; ++f) w.hit(1, "198.51.100.7", client(static_cast<int>(f % 3)), f);
  w.hit(1, "198.51.100.7", client(0), 3);  // the same flow again
  const std::string words = "would have stopped 14 flows of 3 clients; 0 on protected lists";
  EXPECT_THAT(w.ask(R"({"cmd":"shadow"})"), AllOf(HasSubstr(words), HasSubstr("its time runs until")));
  EXPECT_THAT(w.why("198.51.100.7"), AllOf(HasSubstr("SHADOW_FIRST"), HasSubstr(words), HasSubstr(R"("trial":"T1")")));
  w.core->stop();
  w.restart();  // what it has seen so far counts
  w.agreements();
  EXPECT_THAT(w.ask(R"({"cmd":"shadow"})"), HasSubstr(words));
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
  for (int i = 0; i < 24 * 6; ++i) w.later();
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
  ASSERT_EQ(w.sink.of("promoted").size(), 1u);
  // Another kind of target is a class of its own; the same kind is not asked again.
  w.page({on(3, "198.51.100.0/25").text(), on(4, "192.0.2.4").text()});
  EXPECT_EQ(w.on("198.51.100.0/25"), 'w');
  EXPECT_EQ(w.on("192.0.2.4"), 'd');
}

TEST(Shadow, what_would_have_done_harm_is_not_promoted_by_the_rule) {
  GuardWorld w(shadow_first());
  w.page({on(1, "198.51.100.7").text(), on(2, "203.0.113.53").text()});  // the second is on the national list
  for (int i = 0; i < 24 * 7; ++i) w.later();
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
  EXPECT_THAT(w.ask(R"({"cmd":"shadow"})"), AllOf(HasSubstr("1 on protected lists"), HasSubstr("a person decides")));
  EXPECT_THAT(w.ask(R"({"cmd":"promote","trial":"T9"})"), HasSubstr("there is no such shadow run"));
  EXPECT_THAT(w.ask(R"({"cmd":"promote","trial":"T1"})"), HasSubstr(R"("promoted_by":"person")"));
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
  EXPECT_EQ(w.on("203.0.113.53"), '-') << "and what is protected stays protected";
  EXPECT_THAT(w.ask(R"({"cmd":"promote","trial":"T1"})"), HasSubstr("promoted already"));
  w.ask(R"({"cmd":"promote","trial":"T1","back":true})");
  EXPECT_EQ(w.on("198.51.100.7"), 'w');

  GuardWorld many(shadow_first());
  many.page({on(1, "198.51.100.7").text()});
  for (int i = 0; i < 60; ++i) many.hit(1, "198.51.100.7", client(i), static_cast<uint64_t>(i));
  for (int i = 0; i < 24 * 7; ++i) many.later();
  EXPECT_EQ(many.on("198.51.100.7"), 'w');
  EXPECT_THAT(many.ask(R"({"cmd":"shadow"})"), HasSubstr("would have stopped 60 clients, more than 50"));
}

TEST(Shadow, only_a_person_promotes_where_the_configuration_says_so_and_flows_can_be_asked_for) {
  GuardWorld w(shadow_first(false));
  w.page({on(1, "198.51.100.7").text()});
  for (int i = 0; i < 24 * 7; ++i) w.later();
  EXPECT_EQ(w.on("198.51.100.7"), 'w');
  SensorConfig c = shadow_first();
  c.trials.flows = 1;
  GuardWorld v(c);
  v.page({on(1, "198.51.100.7").text()});
  for (int i = 0; i < 24 * 7; ++i) v.later();
  EXPECT_EQ(v.on("198.51.100.7"), 'w');
  v.hit(1, "198.51.100.7", client(1), 1);
  v.later();
  EXPECT_EQ(v.on("198.51.100.7"), 'd');
}

TEST(Shadow, a_file_that_cannot_be_read_begins_all_runs_anew) {
  GuardWorld w(shadow_first());
  w.page({on(1, "198.51.100.7").text()});
  w.ask(R"({"cmd":"promote","trial":"T1"})");
  ASSERT_EQ(w.on("198.51.100.7"), 'd');
  ASSERT_TRUE(w.files.write_atomic("/state/trials.json", "{\"trials\":[{", 0600).ok());
  w.restart();
  w.agreements();
  w.page({on(2, "198.51.100.8").text()});
  EXPECT_EQ(w.on("198.51.100.8"), 'w');
}

// What is the default of a sensor that blocks (decision 23): what people have cleared drops at once, the rest counts
// first, then has short leases, then full ones.
SensorConfig as_installed() {
  SensorConfig c;
  c.state_dir = "/state";
  c.guard.mode = enforce::Mode::kBlock;
  c.created_by = "identity--00000000-0000-4000-8000-0000000000aa";
  return c;
}

Source own() { return {"c0000000-0000-4000-8000-00000000000f", "", ""}; }

std::string made_by(const Sample& sample, std::string_view identity) {
  std::string text = sample.text();
  const size_t at = text.find("\"created\"");
  return text.insert(at, R"("created_by_ref": ")" + std::string(identity) + "\", ");
}

TEST(ShadowByDefault, what_an_agreement_or_our_people_have_cleared_drops_at_once_and_the_rest_counts_first) {
  GuardWorld w(as_installed());
  w.page({on(1, "198.51.100.7").text(), on(2, "198.51.100.64/26").text()});
  EXPECT_EQ(w.on("198.51.100.7"), 'd') << "the agreement lets it block, and it is one address";
  EXPECT_EQ(w.on("198.51.100.64/26"), 'w');
  EXPECT_THAT(w.why("198.51.100.64/26"), AllOf(HasSubstr("SHADOW_FIRST"), HasSubstr("range from JP")));
  const std::string ours = made_by(on(3, "192.0.2.0/25"), w.config.created_by),
                    feed = made_by(on(4, "192.0.2.200"), "identity--00000000-0000-4000-8000-0000000000bb"),
                    other = made_by(on(5, "192.0.2.201"), "identity--00000000-0000-4000-8000-0000000000cc"),
                    mark = pap_object(kPapGreen, "PAP:GREEN");
  w.core->on_page(own(), {mark, ours, feed, other}, w.clock.now());
  EXPECT_EQ(w.on("192.0.2.0/25"), 'd') << "our own people know what they do";
  EXPECT_EQ(w.on("192.0.2.200"), 'w');
  EXPECT_EQ(w.on("192.0.2.201"), 'w');
  // Each feed is tried by itself.
  w.ask(R"({"cmd":"promote","trial":"T2"})");
  EXPECT_EQ(w.on("192.0.2.200"), 'd');
  EXPECT_EQ(w.on("192.0.2.201"), 'w');
  w.core->stop();
  w.restart();
  w.agreements();
  const std::string more = made_by(on(6, "192.0.2.202"), "identity--00000000-0000-4000-8000-0000000000bb");
  w.core->on_page(own(), {more}, w.clock.now());
  EXPECT_EQ(w.on("192.0.2.202"), 'd') << "and that is known over a restart";
  EXPECT_EQ(w.on("192.0.2.201"), 'w');
}

TEST(ShadowByDefault, after_the_run_leases_are_short_for_as_long_again_and_then_full) {
  GuardWorld w(as_installed());
  w.page({on(1, "198.51.100.64/26").text()});
  const auto left = [&] { return w.core->leases(false).front().end.us - w.clock.now().us; };
  for (int i = 0; i < 24 * 6; ++i) w.later();
  ASSERT_EQ(w.on("198.51.100.64/26"), 'd');
  EXPECT_LE(left(), w.config.name_ttl_us);
  EXPECT_THAT(w.why("198.51.100.64/26"), HasSubstr("its shadow run T1 is over"));
  EXPECT_THAT(w.ask(R"({"cmd":"shadow"})"), HasSubstr("limited_until"));
  for (int i = 0; i < 12 * 60; ++i) {
    w.later(60);
    ASSERT_EQ(w.on("198.51.100.64/26"), 'd') << "renewed as long as it does no harm";
    ASSERT_LE(left(), w.config.name_ttl_us);
  }
  for (int i = 0; i < 13 * 60; ++i) w.later(60);
  EXPECT_EQ(w.on("198.51.100.64/26"), 'd');
  EXPECT_GT(left(), w.config.name_ttl_us);
  // A person has looked: full at once.
  GuardWorld v(as_installed());
  v.page({on(1, "198.51.100.64/26").text()});
  v.ask(R"({"cmd":"promote","trial":"T1"})");
  EXPECT_GT(v.core->leases(false).front().end.us - v.clock.now().us, v.config.name_ttl_us);
}

TEST(ShadowByDefault, harm_puts_what_the_rule_promoted_back_into_the_shadow) {
  for (const bool by_person : {false, true}) {
    GuardWorld w(as_installed());
    w.page({on(1, "198.51.100.64/26").text()});
    w.later();
    w.page({on(2, "192.0.2.64/26").text(), on(3, "192.0.2.7").text()});  // another batch
    if (by_person) w.ask(R"({"cmd":"promote","trial":"T1"})");
    for (int i = 0; i < 24 * 6; ++i) w.later();
    ASSERT_EQ(w.on("192.0.2.64/26"), 'd');
    for (const auto& lease : w.core->leases(false)) {
      if (lease.target.text() == "198.51.100.64/26")
        w.ask(R"({"cmd":"report","reason":"the payroll","lease":")" + lease.name() + "\"}");
    }
    EXPECT_EQ(w.on("198.51.100.64/26"), '-');
    EXPECT_EQ(w.on("192.0.2.64/26"), by_person ? 'd' : 'w') << by_person;
    EXPECT_EQ(w.on("192.0.2.7"), 'd') << "another kind of target";
    EXPECT_EQ(w.sink.of("shadow_again").size(), by_person ? 0u : 1u);
  }
}

// ---- step 7: caps

TEST(Caps, per_minute_and_per_partner_and_in_all_hold_over_restarts_and_wait_for_a_person) {
  SensorConfig c = blocking();
  c.guard.leases_per_minute = 3;
  c.guard.leases_per_partner_hour = 5;
  GuardWorld w(c);
  const auto page = [&](int from, int to) {
    std::vector<std::string> objects;
    for (int i = from; i <= to; ++i) objects.push_back(on(i, "198.51.100." + std::to_string(i)).text());
    w.page(objects);
  };
  const auto count = [&](enforce::LeaseState state) {
    size_t n = 0;
    for (const auto& l : w.core->leases(false)) n += l.state == state ? 1 : 0;
    return n;
  };
  page(1, 10);
  EXPECT_EQ(w.enforcer.elements().size(), 3u);
  EXPECT_EQ(count(enforce::LeaseState::kWaiting), 7u) << "over the cap nothing is dropped silently";
  EXPECT_THAT(w.why("198.51.100.4"), HasSubstr("BUDGET_MINUTE"));
  w.restart();  // a sensor that is killed in a loop gets no new budget each time
  w.agreements();
  page(11, 11);
  EXPECT_EQ(w.enforcer.elements().size(), 3u);
  w.clock.advance_us(61 * kOneSecond);
  page(12, 14);
  EXPECT_EQ(w.enforcer.elements().size(), 5u) << "two more fit into the partner's hour";
  EXPECT_THAT(w.why("198.51.100.14"), HasSubstr("BUDGET_HOUR"));
  w.ask(R"({"cmd":"approve","lease":"L4"})");
  EXPECT_EQ(w.enforcer.elements().size(), 6u);

  c = blocking();
  c.guard.max_entries = 4;
  GuardWorld v(c);
  std::vector<std::string> objects;
  for (int i = 1; i <= 6; ++i) objects.push_back(on(i, "198.51.100." + std::to_string(i)).text());
  v.page(objects);
  EXPECT_EQ(v.enforcer.elements().size(), 4u);
  EXPECT_THAT(v.why("198.51.100.6"), HasSubstr("CAPACITY"));
  v.ask(R"({"cmd":"approve","lease":"L5"})");
  EXPECT_EQ(v.enforcer.elements().size(), 4u) << "capacity is no matter of approval";
}

// ---- harm

TEST(Harm, a_report_lifts_the_lease_and_its_small_batch_and_nothing_else) {
  GuardWorld w;
  w.page({on(1, "198.51.100.1").text()});
  w.later();
  w.page({on(2, "198.51.100.2").text(), on(3, "198.51.100.3").text()});
  EXPECT_THAT(w.ask(R"({"cmd":"report","lease":"L2"})"), HasSubstr("--reason"));
  EXPECT_THAT(w.ask(R"({"cmd":"report","lease":"L99","reason":"x"})"), HasSubstr("no such lease"));
  EXPECT_THAT(w.ask(R"({"cmd":"report","lease":"L2","reason":"a ministry cannot work"})"),
              AllOf(HasSubstr(R"("ended_by":"harm")"), HasSubstr(R"("rollback":"R1")")));
  EXPECT_EQ(w.on("198.51.100.1"), 'd');
  EXPECT_EQ(w.on("198.51.100.2"), '-');
  EXPECT_EQ(w.on("198.51.100.3"), '-');
  ASSERT_EQ(w.sink.of("harm").size(), 1u);
  EXPECT_THAT(w.ask(R"({"cmd":"rollbacks"})"),
              AllOf(HasSubstr("a ministry cannot work"), HasSubstr(R"("automatic":true)")));
  EXPECT_THAT(w.ask(R"({"cmd":"batches"})"), AllOf(HasSubstr(R"("harmed":1)"), HasSubstr(R"("rollback":"R1")")));
  // It stays so, over agreements, pages and restarts; after the examination the rest comes back, not what did harm.
  w.restart();
  w.agreements();
  w.page({on(2, "198.51.100.2").text()});
  w.later();
  EXPECT_EQ(w.on("198.51.100.2"), '-');
  EXPECT_EQ(w.on("198.51.100.3"), '-');
  w.ask(R"({"cmd":"resume","rollback":"R1"})");
  EXPECT_EQ(w.on("198.51.100.2"), '-');
  EXPECT_EQ(w.on("198.51.100.3"), 'd');
}

TEST(Harm, a_large_batch_is_lifted_when_several_of_it_do_harm) {
  GuardWorld w;
  std::vector<std::string> objects;
  for (int i = 1; i <= 60; ++i) objects.push_back(on(i, "198.51.100." + std::to_string(i)).text());
  w.page(objects);
  for (int i = 1; i <= 2; ++i) w.core->on_name("bank.example", "198.51.100." + std::to_string(i));
  EXPECT_EQ(w.on("198.51.100.2"), '-');
  EXPECT_EQ(w.on("198.51.100.60"), 'd');
  w.core->on_name("www.bank.example", "198.51.100.3");
  EXPECT_EQ(w.on("198.51.100.60"), '-');
  EXPECT_EQ(w.core->leases(false).size(), 0u);
}

TEST(Harm, a_protected_name_lifts_a_range_over_its_address_too) {
  GuardWorld w;
  w.page({on(1, "198.51.100.0/24").text()});
  ASSERT_EQ(w.on("198.51.100.0/24"), 'd');
  w.core->on_name("bank.example", "198.51.100.77");
  EXPECT_EQ(w.on("198.51.100.0/24"), '-');
}

TEST(Harm, a_lease_that_stops_far_more_clients_than_were_known_is_lifted) {
  GuardWorld w;
  w.use("198.51.100.8", 20);
  w.page({on(1, "198.51.100.7").text()});
  w.later();
  w.page({on(2, "198.51.100.8").text()});
  for (int i = 0; i < 51; ++i) {
    w.hit(1, "198.51.100.7", client(i), static_cast<uint64_t>(i));
    w.hit(2, "198.51.100.8", client(i), static_cast<uint64_t>(i));
  }
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_THAT(w.why("198.51.100.7"), HasSubstr(R"("ended_by":"harm")"));
  EXPECT_EQ(w.on("198.51.100.8"), 'd') << "20 were known: up to 80 are no rise";
  for (int i = 51; i < 81; ++i) w.hit(2, "198.51.100.8", client(i), static_cast<uint64_t>(i));
  EXPECT_EQ(w.on("198.51.100.8"), '-');
  // What attacks us stops nobody's work, however many it meets.
  GuardWorld v;
  v.page({on(1, "198.51.100.7").text()});
  for (int i = 0; i < 200; ++i) v.hit(1, "198.51.100.7", "", static_cast<uint64_t>(i));
  EXPECT_EQ(v.on("198.51.100.7"), 'd');
}

TEST(Batch, one_command_takes_back_one_batch) {
  GuardWorld w;
  w.page({on(1, "198.51.100.1").text()});
  w.later();
  const std::string batch = "JP@" + to_text(w.clock.now());
  w.page({on(2, "198.51.100.2").text()});
  w.clock.advance_us(2 * kOneSecond);
  w.page({on(3, "198.51.100.3").text()});  // the next page of the same publication
  w.later();
  w.page({on(4, "198.51.100.4").text()});
  EXPECT_THAT(w.ask(R"({"cmd":"batches"})"), HasSubstr(batch));
  EXPECT_THAT(w.ask(R"({"cmd":"rollback","batch":"JP@never","yes":true})"), HasSubstr("there is no such batch"));
  w.ask(R"({"cmd":"rollback","batch":")" + batch + R"(","yes":true})");
  EXPECT_EQ(w.on("198.51.100.1"), 'd');
  EXPECT_EQ(w.on("198.51.100.2"), '-');
  EXPECT_EQ(w.on("198.51.100.3"), '-');
  EXPECT_EQ(w.on("198.51.100.4"), 'd');
}

TEST(Batch, has_the_same_name_after_a_restart) {
  GuardWorld w;
  w.page({on(1, "198.51.100.1").text()});
  const std::string before = w.ask(R"({"cmd":"batches"})");
  w.restart();
  EXPECT_EQ(w.ask(R"({"cmd":"batches"})"), before);
}

// ---- effect

TEST(Effect, what_was_wrong_before_weighs_in_the_verdict) {
  GuardWorld w;
  for (int i = 1; i <= 3; ++i) {
    w.page({on(i, "198.51.100." + std::to_string(i)).text()});
    EXPECT_EQ(w.on("198.51.100." + std::to_string(i)), 'd') << i;
    w.ask(R"({"cmd":"report","reason":"the payroll","lease":")" + w.first_lease() + "\"}");
    w.later(60);
  }
  w.page({on(4, "198.51.100.4").text()});
  EXPECT_EQ(w.on("198.51.100.4"), '-');
  EXPECT_THAT(w.why("198.51.100.4"),
              AllOf(HasSubstr("SOURCE_OFTEN_WRONG"), HasSubstr("3 of 3 leases of its source before were wrong")));
  w.ask(R"({"cmd":"approve","lease":")" + w.first_lease() + "\"}");
  EXPECT_EQ(w.on("198.51.100.4"), 'd');
  // Another identity among the partner's makers has another record.
  w.page({made_by(on(5, "198.51.100.5"), "identity--00000000-0000-4000-8000-0000000000bb")});
  EXPECT_EQ(w.on("198.51.100.5"), 'd');
}

TEST(Effect, an_indicator_that_was_withdrawn_as_false_counts_against_its_source_once) {
  GuardWorld w;
  w.page({on(1, "198.51.100.1").text()});
  w.ask(R"({"cmd":"dispute","reason":"the payroll","lease":"L1"})");
  const auto told = [&](const std::string& state) {
    w.core->on_claims(R"({"claims":[{"claim":"opinion--1","of":")" + Sample{.number = 1}.id() + R"(","agreement":")" +
                      w.treaty.id() + R"(","claimant":"IN","originator":"JP","state":")" + state +
                      R"(","reason":"the payroll","at":"2027-01-15T08:00:00Z"}]})");
  };
  told("pending");
  for (int i = 0; i < 3; ++i) told("withdrawn");
  EXPECT_THAT(w.ask(R"({"cmd":"stats"})"), HasSubstr(R"("false_claims":1)"));
}

TEST(Effect, the_file_grows_by_what_changed_and_is_written_anew_before_it_is_large) {
  MemFiles files;
  const EffectSource jp{"JP", ""};
  const auto words = [](const Effect& e) {
    std::string out;
    for (uint64_t id = 1; id <= 2000; ++id)
      if (const UseCount* u = e.of_lease(id)) out += fmt::format("{}:{}:{}\n", id, u->packets, u->words());
    for (const auto& [key, s] : e.sources())
      out += fmt::format("{} {} {} {} {} {}\n", key.partner, s.granted, s.harmed, s.false_claims, s.stopped.words(),
                         s.counted.words());
    return out;
  };
  Effect e(files, "/effect");
  for (uint64_t id = 1; id <= 2000; ++id)
    for (uint32_t c = 1; c <= 30; ++c) e.flow(id, jp, id % 2 == 0, c, c * 1000 + static_cast<uint32_t>(id));
  ASSERT_TRUE(e.save().ok());
  const uint64_t whole = *files.size("/effect");
  e.flow(7, jp, true, 31, 5);
  e.packets(7, jp, true, 9);
  e.granted(jp);
  e.false_claim(jp);
  ASSERT_TRUE(e.save().ok());
  EXPECT_LT(*files.size("/effect"), whole + 1000) << "not the whole again";
  uint64_t most = 0;
  for (int i = 0; i < 20'000; ++i) {
    e.packets(1 + i % 2000, jp, true, 1);
    if (i % 10 == 0) {
      ASSERT_TRUE(e.save().ok());
    }
    most = std::max(most, *files.size("/effect"));
  }
  EXPECT_LT(most, 3 * whole + 10'000);
  // A write that fails costs nothing once the disk takes it again.
  files.fail_at(0);
  e.packets(3, jp, true, 77);
  EXPECT_FALSE(e.save().ok());
  files.fail_at(-1);
  e.harmed(jp);
  ASSERT_TRUE(e.save().ok());
  e.packets(4, jp, true, 1);
  ASSERT_TRUE(e.save().ok());
  Effect again(files, "/effect");
  again.load();
  EXPECT_EQ(words(again), words(e));
  // A line that was cut is left out, the others count.
  const std::string text = *files.read("/effect");
  ASSERT_TRUE(files.write_atomic("/effect", text.substr(0, text.size() - 9), 0600).ok());
  Effect cut(files, "/effect");
  cut.load();
  EXPECT_EQ(cut.of_lease(5)->packets, e.of_lease(5)->packets);
  // What is over goes when the file is written anew.
  again.forget([](uint64_t id) { return id <= 3; });
  for (int i = 0; i < 3; ++i) again.packets(1, jp, true, 1);
  ASSERT_TRUE(again.save().ok());
  EXPECT_LT(*files.size("/effect"), whole / 10);
}

TEST(Effect, flows_are_counted_by_lease_and_by_source_and_over_restarts) {
  GuardWorld w;
  w.page({on(1, "198.51.100.7").text()});
  for (uint64_t f = 1; f <= 5; ++f) w.hit(1, "198.51.100.7", client(static_cast<int>(f % 2)), f);
  EXPECT_THAT(w.why("198.51.100.7"), HasSubstr("stopped 5 flows of 2 clients"));
  const std::string told = w.ask(R"({"cmd":"stats"})");
  EXPECT_THAT(told, AllOf(HasSubstr(R"("partner":"JP")"), HasSubstr(R"("granted":1)"), HasSubstr(R"("in_force":1)"),
                          HasSubstr(R"("stopped_flows":5)"), HasSubstr(R"("stopped_clients":2)"),
                          HasSubstr(R"("counted_flows":0)")));
  w.core->stop();
  w.restart();
  w.agreements();
  EXPECT_EQ(w.ask(R"({"cmd":"stats"})"), told);
}

TEST(Sightings, are_rounded_down_as_the_operator_says) {
  EXPECT_EQ(rounded_down(347, 0), 347u);
  EXPECT_EQ(rounded_down(347, 1), 300u);
  EXPECT_EQ(rounded_down(347, 2), 340u);
  EXPECT_EQ(rounded_down(7, 1), 7u);
  EXPECT_EQ(rounded_down(0, 1), 0u);
  SensorConfig c = blocking();
  c.sighting_grain_us = 3600 * kOneSecond;
  c.sighting_digits = 1;
  GuardWorld w(c);
  w.page({on(1, "198.51.100.7").text()});
  w.clock.advance_us(17 * 60 * kOneSecond);
  for (uint64_t f = 1; f <= 34; ++f) w.hit(1, "198.51.100.7", client(1), f);
  w.core->tick();
  const auto due = w.core->sightings_due();
  ASSERT_EQ(due.size(), 1u);
  EXPECT_THAT(due[0], AllOf(HasSubstr(R"("count":30)"), HasSubstr(R"("first_seen":"2027-01-15T08:00:00)"),
                            HasSubstr(R"("last_seen":"2027-01-15T08:00:00)")));
}

// ---- claims

TEST(Dispute, suspends_at_once_waits_for_the_answer_and_an_upheld_one_waits_for_a_person) {
  GuardWorld w;
  w.page({on(1, "198.51.100.7").text(), on(2, "198.51.100.8").text()});
  EXPECT_THAT(w.ask(R"({"cmd":"dispute","lease":"L1"})"), HasSubstr("--reason"));
  EXPECT_THAT(w.ask(R"({"cmd":"dispute","lease":"L9","reason":"x"})"), HasSubstr("no such lease"));
  EXPECT_THAT(w.ask(R"({"cmd":"dispute","lease":"L1","reason":"our tax office"})"), HasSubstr(R"("state":"pending")"));
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
  EXPECT_THAT(w.ask(R"({"cmd":"dispute","lease":"L1","reason":"again"})"), HasSubstr("disputed already"));
  for (const bool restarted : {false, true}) {
    if (restarted) w.restart();
    w.agreements();
    w.page({on(1, "198.51.100.7").text()});
    w.later();
    EXPECT_EQ(w.on("198.51.100.7"), '-');
  }
  EXPECT_THAT(w.why("198.51.100.7"), AllOf(HasSubstr(R"("ended_by":"disputed")"), HasSubstr("our tax office")));
  const auto due = w.core->disputes_due();
  ASSERT_EQ(due.size(), 1u);
  w.core->dispute_handed_in(due[0], std::string("opinion--1"));
  EXPECT_TRUE(w.core->disputes_due().empty());
  const auto claim = [&](const std::string& state, const std::string& more = "") {
    w.core->on_claims(R"({"claims":[{"claim":"opinion--1","of":")" + on(1, "").id() + R"(","agreement":")" +
                      w.treaty.id() + R"(","claimant":"IN","originator":"JP","reason":"our tax office","state":")" +
                      state + R"(","at":"2027-01-15T08:00:00Z")" + more + "}]}");
  };
  claim("pending", R"(,"due":"2027-01-15T12:00:00Z")");
  EXPECT_THAT(w.ask(R"({"cmd":"disputes"})"),
              AllOf(HasSubstr("JP has not answered, due by 2027-01-15T12:00:00"), HasSubstr(R"("overdue":false)")));
  w.later(5 * 3600);
  EXPECT_THAT(w.ask(R"({"cmd":"disputes"})"), AllOf(HasSubstr("is overdue since"), HasSubstr(R"("overdue":true)")));
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  claim("upheld", R"(,"why":"it is a drop zone")");
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_THAT(w.why("198.51.100.7"), AllOf(HasSubstr("DISPUTE_UPHELD"), HasSubstr("it is a drop zone")));
  const auto leases = w.core->leases(false);
  for (const auto& l : leases) {
    if (l.state == enforce::LeaseState::kWaiting) w.ask(R"({"cmd":"approve","lease":")" + l.name() + "\"}");
  }
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
}

// The claim is durable at once, the book a second later: killed between the two, the lease is in the book still.
TEST(Dispute, a_sensor_killed_before_its_book_was_written_does_not_block_again) {
  GuardWorld w;
  w.page({on(1, "198.51.100.7").text(), on(2, "198.51.100.8").text()});
  w.later();
  const auto book = w.files.read("/state/leases.jsonl");
  ASSERT_TRUE(book.ok());
  w.ask(R"({"cmd":"dispute","lease":"L1","reason":"our tax office"})");
  w.core.reset();
  ASSERT_TRUE(w.files.write_atomic("/state/leases.jsonl", *book, 0600).ok());
  w.restart();
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_EQ(w.on("198.51.100.8"), 'd');
  EXPECT_THAT(w.why("198.51.100.7"), HasSubstr(R"("ended_by":"disputed")"));
}

TEST(Dispute, what_the_node_refuses_stays_suspended_until_a_person_ends_it) {
  GuardWorld w;
  w.page({on(1, "198.51.100.7").text()});
  w.ask(R"({"cmd":"dispute","lease":"L1","reason":"x"})");
  w.core->dispute_handed_in(w.core->disputes_due()[0], make_error(ErrorKind::kDenied, "no flow carries it"));
  w.core->on_claims(R"({"claims":[]})");
  w.later();
  EXPECT_EQ(w.on("198.51.100.7"), '-');
  EXPECT_THAT(w.ask(R"({"cmd":"disputes"})"), HasSubstr("no flow carries it"));
  w.ask(R"({"cmd":"dispute","drop":")" + on(1, "").id() + "\"}");
  EXPECT_EQ(w.on("198.51.100.7"), 'd');
}

TEST(Dispute, a_withdrawn_one_ends_with_the_recall) {
  GuardWorld w;
  w.page({on(1, "198.51.100.7").text()});
  w.ask(R"({"cmd":"dispute","lease":"L1","reason":"x"})");
  Sample recalled = on(1, "198.51.100.7");
  recalled.revoked = true;
  recalled.version = 2;
  w.page({recalled.text()});
  w.core->dispute_handed_in(w.core->disputes_due()[0], std::string("opinion--1"));
  w.core->on_claims(R"({"claims":[]})");
  w.later();
  EXPECT_EQ(w.on("198.51.100.7"), '-');
}

// ---- acceptance

// "Poison the partner feed with a central bank, a public resolver and a CDN address; nothing lawful breaks, each
// refusal is explained, and the whole batch is undone with one command."
TEST(Acceptance, a_poisoned_feed_breaks_nothing_lawful_and_is_undone_with_one_command) {
  World w;
  w.lists.add_prefix(*enforce::parse_prefix("192.0.2.53"), "public resolvers");
  w.lists.add_prefix(*enforce::parse_prefix("192.0.2.128/25"), "content networks");
  w.restart();
  w.ready();
  const std::string batch = "JP@" + to_text(w.clock.now());
  w.clock.advance_us(60 * kOneSecond);
  const std::string poison = "JP@" + to_text(w.clock.now());
  w.page({Sample{.number = 1, .pattern = "[domain-name:value = 'www.bank.example']"}.text(), on(2, "192.0.2.53").text(),
          on(3, "192.0.2.200").text(), on(4, "192.0.2.0/24").text(), on(5, "198.51.100.66").text(),
          on(6, "127.0.0.1").text(), on(7, "0.0.0.0/0").text()});
  EXPECT_EQ(w.core->leases(false).size(), 1u);
  EXPECT_EQ(w.on("198.51.100.66"), 'd');
  ASSERT_EQ(w.sink.of("guard_refused").size(), 6u);
  for (const auto& e : w.sink.of("guard_refused")) {
    EXPECT_FALSE(e.string_at("sentence").empty());
    EXPECT_FALSE(e.string_at("code").empty());
  }
  EXPECT_THAT(w.ask(R"({"cmd":"why","target":"192.0.2.53"})"), HasSubstr("public resolvers"));
  EXPECT_THAT(w.ask(R"({"cmd":"rollback","batch":")" + poison + R"(","yes":true})"),
              AllOf(HasSubstr(R"("indicators":7)"), HasSubstr(R"("applied":true)")));
  EXPECT_EQ(w.core->leases(false).size(), 0u);
  EXPECT_NE(batch, poison);
}

// Names that are blocked at resolvers.
class NoNames final : public enforce::NameEnforcer {
 public:
  [[nodiscard]] std::string name() const override { return "test"; }
  void want(const enforce::Target& name, bool, Time) override { wanted.insert(name.text()); }
  void unwant(const enforce::Target& name) override { wanted.erase(name.text()); }
  Status flush(Time) override { return {}; }
  Status clear() override { return {}; }
  std::set<std::string> wanted;
};

// Every range and name of the published warning lists, and the most popular names, as a partner's hostile indicators.
TEST(Acceptance, the_published_lists_as_hostile_indicators_give_no_lease) {
  const std::string dir = std::string(ENTENTE_DATA_DIR) + "/warninglists";
  if (!std::filesystem::is_directory(dir)) GTEST_SKIP() << "no " << dir;
  World w;
  PosixFiles disk;
  std::set<std::string> hostile;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().extension() != ".json") continue;
    const std::string text = *disk.read(entry.path().string());
    ASSERT_TRUE(w.lists.add_warninglist(text, entry.path().string()).ok());
    // Read here by other means than the lists are: what a list means is what it says.
    const auto doc = json::parse(text);
    ASSERT_TRUE(doc.ok());
    if (json::find_string(doc->root(), "type") == "regex") continue;
    for (const std::string_view v : json::string_list(json::find_array(doc->root(), "list"))) {
      std::string value(v.starts_with("*.") ? v.substr(2) : v.starts_with('.') ? v.substr(1) : v);
      const auto target = enforce::parse_target(value);
      if (target.ok() && (target->kind != enforce::TargetKind::kName || value.find('.') != std::string::npos))
        hostile.insert(target->text());
    }
  }
  ASSERT_GT(hostile.size(), 100'000u);
  w.config.guard.max_entries = 1'000'000;
  w.config.guard.leases_per_minute = 10'000'000;
  w.config.guard.leases_per_partner_hour = 10'000'000;
  NoNames names;
  w.core = std::make_unique<Core>(w.config, w.files, w.clock, w.enforcer, w.lists, w.sink);
  w.core->use_names(names);
  ASSERT_TRUE(w.core->start().ok());
  w.ready();
  const auto began = std::chrono::steady_clock::now();
  std::vector<std::string> objects;
  int number = 0;
  size_t asked = 0, ranges = 0;
  const auto flush = [&] {
    w.page(objects);
    asked += objects.size();
    objects.clear();
    w.sink.events.clear();
  };
  for (const std::string& text : hostile) {
    const auto target = enforce::parse_target(text);
    std::string pattern;
    if (target->kind == enforce::TargetKind::kName) {
      // The name; every third with all below it, every third something below it.
      pattern = number % 3 == 0   ? "[domain-name:value = '" + text + "']"
                : number % 3 == 1 ? "[domain-name:value LIKE '%." + text + "']"
                                  : "[domain-name:value = 'www." + text + "']";
    } else {
      ranges += target->kind == enforce::TargetKind::kRange ? 1 : 0;
      pattern = fmt::format("[{}:value = '{}']", target->prefix.v6 ? "ipv6-addr" : "ipv4-addr", text);
    }
    objects.push_back(Sample{.number = ++number, .pattern = pattern}.text());
    if (objects.size() == 5000) flush();
  }
  flush();
  EXPECT_EQ(w.core->leases(true).size(), 0u);
  EXPECT_EQ(w.enforcer.elements().size(), 0u);
  EXPECT_TRUE(names.wanted.empty()) << *names.wanted.begin();
  EXPECT_GT(ranges, 10'000u);
  printf("  %zu hostile indicators, %zu ranges among them: 0 leases, in %.1f s\n", asked, ranges,
         std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
}

TEST(Acceptance, time_travel_all_leases_are_gone_at_their_end) {
  for (const bool away : {false, true}) {  // the sensor runs on, or stays away and comes back
    GuardWorld w;
    std::vector<std::string> objects;
    for (int i = 1; i <= 200; ++i) {
      Sample s = on(i, "198.51.100." + std::to_string(i));
      s.valid_until = i % 2 == 0 ? "2027-01-15T08:30:00Z" : "2027-01-17T00:00:00Z";
      objects.push_back(s.text());
    }
    w.page(objects);
    ASSERT_EQ(w.enforcer.elements().size(), 200u);
    const auto latest = [&] {
      Time t{0};
      for (const auto& [prefix, e] : w.enforcer.elements()) t = std::max(t, e.end);
      return t;
    };
    if (away) {
      const Time end = latest();
      EXPECT_LE(end.us - w.clock.now().us, w.config.ttl_us) << "what the kernel holds ends by itself";
      w.clock.advance_us(48LL * 3600 * kOneSecond);
      w.restart();
      w.core->tick();
    } else {
      for (int i = 0; i < 6 * 20; ++i) {
        w.later();
        EXPECT_LE(latest(), Time{kStart.us + 40LL * 3600 * kOneSecond});
      }
      EXPECT_EQ(w.enforcer.elements().size(), 100u) << "those that hold until the 17th";
      for (int i = 0; i < 6 * 24; ++i) w.later();
    }
    EXPECT_EQ(w.core->leases(false).size(), 0u);
    EXPECT_EQ(w.enforcer.elements().size(), 0u);
    for (const auto& l : w.core->leases(true))
      EXPECT_EQ(l.ended_by == enforce::ended::kTime || l.ended_by == "guard", true) << l.ended_by;
  }
}

}  // namespace
}  // namespace entente::sensor
