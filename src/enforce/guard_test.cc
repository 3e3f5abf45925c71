#include "enforce/guard.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace entente::enforce {
namespace {

constexpr Time kNow{1'700'000'000'000'000};

Proposal proposal(const std::string& target) {
  Proposal p;
  p.target = *parse_target(target);
  p.partner = "JP";
  p.block = {true, "4", ""};
  return p;
}

GuardConfig blocking() {
  GuardConfig c;
  c.mode = Mode::kBlock;
  return c;
}

Verdict check(const Proposal& p, const ProtectedList& lists = {}, const GuardConfig& config = blocking(),
              const Usage& usage = {}) {
  return Guard(config, lists).check(p, usage, kNow);
}

rc::Gen<Prefix> any_prefix() {
  return rc::gen::map(rc::gen::tuple(rc::gen::arbitrary<bool>(),
                                     rc::gen::container<std::array<uint8_t, 16>>(rc::gen::arbitrary<uint8_t>()),
                                     rc::gen::inRange(0, 129)),
                      [](const std::tuple<bool, std::array<uint8_t, 16>, int>& t) {
                        Prefix p;
                        p.v6 = std::get<0>(t);
                        p.bytes = std::get<1>(t);
                        if (!p.v6) std::fill(p.bytes.begin() + 4, p.bytes.end(), uint8_t{0});
                        p.bits = p.width();
                        return p.widened(static_cast<uint8_t>(std::min<int>(std::get<2>(t), p.width())));
                      });
}

TEST(Target, text_and_value_are_one) {
  EXPECT_TRUE(rc::check("parse(text) gives the same prefix", [] {
    const Prefix p = *any_prefix();
    const auto again = parse_prefix(p.text());
    RC_ASSERT(again.ok());
    if (!(p.v6 && p.bits >= 96 && again->v6 != p.v6)) RC_ASSERT(*again == p);
  }));
  EXPECT_EQ(parse_target("Example.ORG.")->text(), "example.org");
  EXPECT_EQ(parse_target("198.51.100.77/24")->text(), "198.51.100.0/24");
  EXPECT_EQ(parse_target("2001:DB8::0001")->text(), "2001:db8::1");
  EXPECT_EQ(parse_target("*.example.org")->tree, true);
}

TEST(Target, what_is_neither_is_refused) {
  for (const char* bad : {"", ".", "..", "a..b", "-", "10.0.0.300", "10.0.0", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1",
                          "1.2.3.4/8x", "::1/129", "exa mple.org", "例え.jp", "a/b", "http://a.b"}) {
    if (std::string(bad) == "-") continue;  // a legal label to us, whatever it means
    EXPECT_FALSE(parse_target(bad).ok()) << bad;
  }
  EXPECT_FALSE(parse_target(std::string(300, 'a')).ok());
  EXPECT_FALSE(parse_target(std::string("8.8.8.8\0x", 9)).ok());
}

TEST(Target, an_ipv4_address_dressed_as_ipv6_is_the_ipv4_address) {
  EXPECT_EQ(parse_target("::ffff:127.0.0.1")->text(), "127.0.0.1");
  EXPECT_EQ(parse_target("::ffff:8.8.0.0/112")->text(), "8.8.0.0/16");
  EXPECT_EQ(check(proposal("::ffff:127.0.0.1")).code, "PROTECTED_SELF");
}

// Threat model row 1: the allow-list always wins, with overlap both ways. The oracle compares bit by bit.
TEST(Guard, allow_list_always_wins) {
  const auto bit = [](const Prefix& p, int i) { return p.bytes[static_cast<size_t>(i / 8)] >> (7 - i % 8) & 1; };
  const auto overlap = [&](const Prefix& a, const Prefix& b) {
    if (a.v6 != b.v6) return false;
    for (int i = 0; i < std::min(a.bits, b.bits); ++i) {
      if (bit(a, i) != bit(b, i)) return false;
    }
    return true;
  };
  EXPECT_TRUE(rc::check("a target that overlaps a protected range is never blocked", [&] {
    const auto list = *rc::gen::container<std::vector<Prefix>>(any_prefix());
    ProtectedList lists;
    for (const Prefix& p : list) lists.add_prefix(p, "national");
    Prefix target = *any_prefix();
    if (!list.empty() && *rc::gen::arbitrary<bool>()) {  // near a protected one: inside or around it
      const Prefix& near = *rc::gen::elementOf(list);
      target = near.widened(*rc::gen::inRange<uint8_t>(0, static_cast<uint8_t>(near.bits + 1)));
    }
    Proposal p = proposal("198.51.100.1");
    p.target = Target::of(target);
    p.approved = *rc::gen::arbitrary<bool>();
    GuardConfig config = blocking();
    config.min_bits4 = config.min_bits6 = 0;
    const Verdict v = check(p, lists, config);
    if (std::any_of(list.begin(), list.end(), [&](const Prefix& q) { return overlap(q, target); }))
      RC_ASSERT(v.outcome == Outcome::kRefuse);
    RC_ASSERT(lists.find(target).has_value() ==
                  std::any_of(list.begin(), list.end(), [&](const Prefix& q) { return overlap(q, target); }) ||
              v.code == "PROTECTED_SELF");
  }));
}

TEST(Guard, never_loopback_link_local_multicast_or_ourselves) {
  for (const char* t : {"127.0.0.1", "127.255.0.9", "0.0.0.0", "169.254.169.254", "224.0.0.251", "239.1.2.3",
                        "255.255.255.255", "::1", "::", "fe80::1", "ff02::fb", "0.0.0.0/0", "::/0", "localhost"}) {
    EXPECT_EQ(check(proposal(t)).outcome, Outcome::kRefuse) << t;
  }
  ProtectedList lists;
  lists.add_prefix(*parse_prefix("192.0.2.1"), "default gateway", true);
  const Verdict v = check(proposal("192.0.2.0/24"), lists);
  EXPECT_EQ(v.code, "PROTECTED_SELF");
  EXPECT_THAT(v.sentence, testing::HasSubstr("192.0.2.1"));
}

TEST(Guard, a_protected_name_protects_what_is_below_it_and_a_tree_rule_may_not_cover_it) {
  ProtectedList lists;
  ASSERT_TRUE(
      lists.add_plain("# national\nbank.example.org   # the central bank\n198.51.100.0/24\n", "allow.txt").ok());
  EXPECT_EQ(check(proposal("bank.example.org"), lists).code, "PROTECTED_LIST");
  EXPECT_EQ(check(proposal("login.bank.example.org"), lists).code, "PROTECTED_LIST");
  EXPECT_EQ(check(proposal("*.example.org"), lists).code, "PROTECTED_LIST");
  EXPECT_EQ(check(proposal("example.org"), lists).code, "OK");  // exactly this name
  EXPECT_EQ(check(proposal("notbank.example.org"), lists).code, "OK");
  EXPECT_EQ(check(proposal("bank-example.org"), lists).code, "OK");
  EXPECT_EQ(check(proposal("*.ank.example.org"), lists).code, "OK");
  // An address that the name led to, or that serves it too.
  Proposal p = proposal("203.0.113.9");
  p.via_name = "www.bank.example.org";
  EXPECT_EQ(check(p, lists).code, "PROTECTED_LIST");
  p.via_name = "phish.example.net";
  p.names_on_address = {"phish.example.net", "bank.example.org"};
  EXPECT_EQ(check(p, lists).code, "PROTECTED_NAME");
}

TEST(Guard, breadth) {
  EXPECT_EQ(check(proposal("198.51.100.0/24")).code, "OK");
  EXPECT_EQ(check(proposal("198.51.100.0/23")).code, "TOO_BROAD");
  EXPECT_EQ(check(proposal("2001:db8:1::/48")).code, "OK");
  EXPECT_EQ(check(proposal("2001:db8::/47")).code, "TOO_BROAD");
  for (const char* t : {"com", "co.jp", "github.io", "*.co.uk", "gov.in"})
    EXPECT_EQ(check(proposal(t)).code, "PUBLIC_SUFFIX") << t;
  EXPECT_EQ(check(proposal("evil.github.io")).code, "OK");
}

TEST(Guard, the_steps_are_asked_in_order) {
  // Everything is wrong at once; as each step is put right, the next one decides (enforcement.md §8.3).
  ProtectedList lists;
  lists.add_prefix(*parse_prefix("198.51.0.0/24"), "national");
  GuardConfig config = blocking();
  config.min_confidence = 50;
  config.names_per_address = 1;
  config.leases_per_minute = 0;
  Usage usage;
  Proposal p = proposal("198.51.0.0/16");
  p.live = false;
  p.revoked = true;
  p.names_on_address = {"a.example.org", "b.example.net"};
  const auto code = [&] { return std::string(check(p, lists, config, usage).code); };
  EXPECT_EQ(code(), "AGREEMENT_NOT_LIVE");
  p.live = true;
  EXPECT_EQ(code(), "REVOKED");
  p.revoked = false;
  p.valid_from = kNow.plus_us(1);
  EXPECT_EQ(code(), "NOT_YET_VALID");
  p.valid_from = kNow;
  p.valid_until = kNow;
  EXPECT_EQ(code(), "EXPIRED");  // [valid_from, valid_until)
  p.valid_until = kNow.plus_us(1);
  EXPECT_EQ(code(), "PROTECTED_LIST");
  p.target = *parse_target("203.0.0.0/16");
  EXPECT_EQ(code(), "TOO_BROAD");
  p.target = *parse_target("203.0.113.1");
  EXPECT_EQ(code(), "LOW_CONFIDENCE");  // refuses, where impact would only ask
  p.confidence = 50;
  EXPECT_EQ(code(), "SHARED_HOST");
  EXPECT_EQ(check(p, lists, config).outcome, Outcome::kPerson);
  p.names_on_address.clear();
  EXPECT_EQ(code(), "BUDGET_MINUTE");
  config.leases_per_minute = 1;
  usage.granted_by_partner_last_hour = config.leases_per_partner_hour;
  EXPECT_EQ(code(), "BUDGET_HOUR");
  EXPECT_EQ(check(p, lists, config, usage).outcome, Outcome::kPerson);
  usage = {};
  usage.entries = config.max_entries;
  EXPECT_EQ(code(), "CAPACITY");
  usage = {};
  config.mode = Mode::kMonitor;
  EXPECT_EQ(code(), "MONITOR_MODE");
  config.mode = Mode::kBlock;
  EXPECT_EQ(code(), "OK");
  p.block = {false, "4", "needs PAP green"};
  EXPECT_EQ(code(), "NOT_PERMITTED");
}

TEST(Guard, monitor_mode_and_missing_permission_never_drop_and_ask_nobody) {
  EXPECT_TRUE(rc::check("no drop without permission and block mode", [] {
    Proposal p = proposal("203.0.113.1");
    p.block.allowed = *rc::gen::arbitrary<bool>();
    p.approved = *rc::gen::arbitrary<bool>();
    GuardConfig config = blocking();
    config.mode = *rc::gen::element(Mode::kMonitor, Mode::kBlock);
    config.leases_per_minute = *rc::gen::inRange<size_t>(0, 3);
    Usage usage;
    usage.granted_last_minute = *rc::gen::inRange<size_t>(0, 3);
    const Verdict v = check(p, {}, config, usage);
    if (!p.block.allowed || config.mode == Mode::kMonitor) {
      RC_ASSERT(v.outcome == Outcome::kShadow);
    } else {
      RC_ASSERT((v.outcome == Outcome::kBlock) == (p.approved || usage.granted_last_minute < config.leases_per_minute));
    }
    RC_ASSERT(!v.code.empty() && !v.sentence.empty());
  }));
}

TEST(Guard, what_was_rolled_back_and_what_is_disputed_waits_whoever_approves) {
  Proposal p = proposal("203.0.113.1");
  p.approved = true;
  p.rolled_back = "a person took it back";
  EXPECT_EQ(check(p).code, "ROLLED_BACK");
  EXPECT_EQ(check(p).outcome, Outcome::kRefuse);
  p.rolled_back.clear();
  p.disputed = "its claim waits";
  EXPECT_EQ(check(p).code, "DISPUTED");
  EXPECT_EQ(check(p).outcome, Outcome::kRefuse);
  p.disputed.clear();
  p.upheld = "it stands";
  EXPECT_EQ(check(p).outcome, Outcome::kBlock);
  p.approved = false;
  EXPECT_EQ(check(p).code, "DISPUTE_UPHELD");
  EXPECT_EQ(check(p).outcome, Outcome::kPerson);
}

TEST(Guard, impact_asks_a_person_once) {
  Proposal p = proposal("203.0.113.1");
  p.impact = Impact{.clients = 51, .days = 7};
  EXPECT_EQ(check(p).code, "WIDELY_USED");
  EXPECT_EQ(check(p).outcome, Outcome::kPerson);
  p.renewal = true;  // who tries to reach what is blocked does not lift the block
  EXPECT_EQ(check(p).code, "OK");
  p.renewal = false;
  p.approved = true;
  EXPECT_EQ(check(p).code, "OK");
  p.approved = false;
  p.impact->clients = 50;
  EXPECT_EQ(check(p).code, "OK");
  ProtectedList needed;
  needed.add_name("cdn.example", "instant payments");
  needed.add_prefix(*parse_prefix("203.0.113.9"), "instant payments");
  const ProtectedList nothing;
  const Guard guard(blocking(), nothing, &needed);
  EXPECT_EQ(guard.check(p, {}, kNow).code, "OK");
  p.names_on_address = {"www.cdn.example"};
  EXPECT_EQ(guard.check(p, {}, kNow).code, "CRITICAL_DEPENDENCE");
  EXPECT_EQ(guard.check(proposal("203.0.113.9"), {}, kNow).outcome, Outcome::kPerson);
}

TEST(Guard, renewals_use_no_budget_and_an_approval_makes_no_room) {
  GuardConfig config = blocking();
  config.leases_per_minute = config.leases_per_partner_hour = 0;
  config.max_entries = 1;
  Usage usage;
  usage.entries = 1;
  Proposal p = proposal("203.0.113.1");
  p.renewal = true;
  EXPECT_EQ(check(p, {}, config, usage).code, "OK");
  p.renewal = false;
  p.approved = true;
  EXPECT_EQ(check(p, {}, config, usage).code, "CAPACITY");
  EXPECT_EQ(check(p, {}, config, usage).outcome, Outcome::kRefuse);
  usage.entries = 0;
  EXPECT_EQ(check(p, {}, config, usage).code, "OK");
}

TEST(Guard, a_source_that_was_often_wrong_asks_a_person_and_its_record_is_told) {
  Proposal p = proposal("203.0.113.1");
  p.record = {.granted = 30, .wrong = 3};
  EXPECT_EQ(check(p).code, "OK") << "three of thirty are ten percent";
  EXPECT_THAT(check(p).sentence, testing::HasSubstr("3 of 30 leases of its source before were wrong"));
  p.record.granted = 29;
  EXPECT_EQ(check(p).code, "SOURCE_OFTEN_WRONG");
  EXPECT_EQ(check(p).step, Step::kEvidence);
  EXPECT_EQ(check(p).outcome, Outcome::kPerson);
  EXPECT_THAT(check(p).sentence, testing::HasSubstr("3 of 29 leases"));
  p.record = {.granted = 2, .wrong = 2};
  EXPECT_EQ(check(p).code, "OK") << "two are too few to judge by";
  p.record = {.granted = 4, .wrong = 4};
  p.renewal = true;
  EXPECT_EQ(check(p).code, "OK");
  p.renewal = false;
  p.approved = true;
  EXPECT_EQ(check(p).code, "OK");
  p.approved = false;
  p.block.allowed = false;
  EXPECT_EQ(check(p).code, "NOT_PERMITTED") << "what only counts asks nobody";
}

TEST(Guard, a_source_that_runs_in_shadow_counts_until_a_person_says_otherwise) {
  Proposal p = proposal("203.0.113.1");
  p.trial = "it is new";
  EXPECT_EQ(check(p).code, "SHADOW_FIRST");
  EXPECT_EQ(check(p).outcome, Outcome::kShadow);
  p.approved = true;
  EXPECT_EQ(check(p).outcome, Outcome::kBlock);
}

TEST(ProtectedList, misp_warning_lists) {
  ProtectedList lists;
  const auto loaded = lists.add_warninglist(
      R"({"name":"resolvers","type":"string","list":["8.8.8.8","dns.google","/^x/",".gov.example","noname",7,"d41d8cd98f00b204e9800998ecf8427e"]})",
      "f");
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->entries, 3u);
  EXPECT_EQ(loaded->skipped, 4u);
  EXPECT_EQ(lists.find(*parse_target("8.8.8.8"))->list, "resolvers");
  EXPECT_TRUE(lists.find(*parse_target("8.8.8.0/24")));
  EXPECT_TRUE(lists.find(*parse_target("tax.gov.example")));
  EXPECT_FALSE(lists.find(*parse_target("8.8.4.4")));
  EXPECT_FALSE(lists.add_warninglist(R"({"name":"x"})", "f").ok());
  EXPECT_FALSE(lists.add_warninglist("{", "f").ok());
  EXPECT_FALSE(lists.add_plain("8.8.8.8\nnot a name\n", "allow.txt").ok());  // an operator's typing error is shown
}

// Threat model row 1: names and ranges of the published warning lists, 0 blocked.
TEST(ProtectedList, published_warning_lists_are_never_blocked) {
  const std::string dir = std::string(ENTENTE_DATA_DIR) + "/warninglists";
  if (!std::filesystem::is_directory(dir)) GTEST_SKIP() << "no " << dir;
  PosixFiles files;
  ProtectedList lists;
  size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().extension() != ".json") continue;
    const auto loaded = lists.add_file(files, entry.path().string());
    ASSERT_TRUE(loaded.ok()) << loaded.error().text();
    entries += loaded->entries;
  }
  EXPECT_GT(entries, 100'000u);
  const Guard guard(blocking(), lists);
  for (const char* t :
       {"google.com", "www.google.com", "raw.githubusercontent.com", "www.wikipedia.org", "13.32.0.0/15"}) {
    EXPECT_EQ(guard.check(proposal(t), {}, kNow).outcome, Outcome::kRefuse) << t;
  }
  size_t checked = 0;
  for (const Prefix& p : lists.prefixes()) {
    Proposal q = proposal("203.0.113.1");
    q.target = Target::of(p);
    ASSERT_EQ(guard.check(q, {}, kNow).outcome, Outcome::kRefuse) << p.text();
    ++checked;
  }
  EXPECT_GT(checked, 10'000u);
}

}  // namespace
}  // namespace entente::enforce
