// The zone and its messages, against small independent readers of DNS; real resolvers are in tests/resolvers_test.py.
#include "enforce/rpz.h"

#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/crypto.h"
#include "enforce/internal/dns_message.h"

namespace entente::enforce {
namespace {

using namespace internal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Time kNow{1'800'000'000'000'000};
const TsigKey kKey{"key.entente", std::string(32, 'k')};

Target name(const std::string& text) { return *parse_target(text); }

// ---- a reader of its own: records as texts, "OWNER TYPE DATA"

std::string read_name(const std::string& m, size_t& at) {
  std::string out;
  size_t p = at;
  bool jumped = false;
  while (m.at(p) != 0) {
    const auto c = static_cast<uint8_t>(m.at(p));
    if (c >= 192) {
      if (!jumped) at = p + 2;
      jumped = true;
      p = (c & 63u) << 8 | static_cast<uint8_t>(m.at(p + 1));
      continue;
    }
    out += m.substr(p + 1, c) + ".";
    p += 1u + c;
  }
  if (!jumped) at = p + 1;
  return out.empty() ? "." : out;
}
uint32_t number(const std::string& m, size_t at, size_t n) {
  uint32_t v = 0;
  for (size_t i = 0; i < n; ++i) v = v << 8 | static_cast<uint8_t>(m.at(at + i));
  return v;
}
std::vector<std::string> records(const std::vector<std::string>& messages) {
  std::vector<std::string> out;
  for (const std::string& m : messages) {
    EXPECT_LT(m.size(), 65'000u);
    size_t at = 12;
    for (uint32_t q = number(m, 4, 2); q > 0; --q) {
      read_name(m, at);
      at += 4;
    }
    for (uint32_t n = number(m, 6, 2); n > 0; --n) {
      const std::string owner = read_name(m, at);
      const uint32_t type = number(m, at, 2), length = number(m, at + 8, 2);
      size_t data = at + 10;
      at = data + length;
      if (type == kRrSoa) {
        read_name(m, data);
        read_name(m, data);
        out.push_back(fmt::format("{} SOA {}", owner, number(m, data, 4)));
      } else {
        out.push_back(fmt::format("{} {} {}", owner, type == kRrCname ? "CNAME" : "NS", read_name(m, data)));
      }
    }
    EXPECT_EQ(at, m.size() - (number(m, 10, 2) == 0 ? 0 : m.size() - at));
  }
  return out;
}

RpzOptions options() {
  RpzOptions o;
  o.zone = "rpz.test";
  o.listen = "127.0.0.1:0";
  o.key_name = kKey.name;
  o.key_secret = kKey.secret;
  o.secondaries = {"127.0.0.2:1"};
  o.unsigned_secondaries = {"127.0.0.3:1"};
  return o;
}

std::string question(uint16_t type, std::optional<uint32_t> serial = {}, const std::string& zone = "rpz.test") {
  std::string m;
  put16(m, 77);
  put16(m, 0);
  put16(m, 1);
  m.append(6, '\0');
  m += wire_name(zone);
  put16(m, type);
  put16(m, 1);
  if (serial) {
    m += wire_name(zone);
    put16(m, kRrSoa);
    put16(m, 1);
    put32(m, 0);
    std::string data = wire_name("a") + wire_name("b");
    put32(data, *serial);
    data.append(16, '\0');
    put16(m, static_cast<unsigned>(data.size()));
    m += data;
    bump(m, 8);
  }
  return m;
}

TEST(RpzZone, names_trees_counts_and_gardens) {
  RpzZone zone(options(), 5);
  zone.set(name("phish.example"), true);
  zone.set(name("*.evil.example"), true);
  zone.set(name("watched.example"), false);
  EXPECT_TRUE(zone.commit());
  EXPECT_FALSE(zone.commit()) << "nothing changed: the serial stays";
  EXPECT_THAT(records(zone.axfr(1)),
              ElementsAre("rpz.test. SOA 6", "rpz.test. NS localhost.", "*.evil.example.rpz.test. CNAME .",
                          "evil.example.rpz.test. CNAME .", "phish.example.rpz.test. CNAME .",
                          "watched.example.rpz.test. CNAME rpz-passthru.", "rpz.test. SOA 6"));
  // A name for itself and with all below it: each goes on its own, and a drop decides.
  zone.set(name("evil.example"), false);
  zone.remove(name("*.evil.example"));
  zone.remove(name("phish.example"));
  EXPECT_TRUE(zone.commit());
  EXPECT_THAT(records(zone.ixfr(1, 6)),
              ElementsAre("rpz.test. SOA 7", "rpz.test. SOA 6", "*.evil.example.rpz.test. CNAME .",
                          "evil.example.rpz.test. CNAME .", "phish.example.rpz.test. CNAME .", "rpz.test. SOA 7",
                          "evil.example.rpz.test. CNAME rpz-passthru.", "rpz.test. SOA 7"));
  RpzOptions garden = options();
  garden.garden = "walled.example";
  RpzZone other(garden, 1);
  other.set(name("phish.example"), true);
  other.commit();
  EXPECT_THAT(records(other.axfr(1)), ::testing::Contains("phish.example.rpz.test. CNAME walled.example."));
  EXPECT_THAT(other.master_file(), HasSubstr("phish.example CNAME walled.example.\n"));
}

// Property: whoever follows by increments has at each serial what a full transfer has, whatever happened.
TEST(RpzZone, increments_lead_to_what_the_whole_is) {
  std::mt19937 random(11);
  RpzOptions o = options();
  o.journal = 60;
  RpzZone zone(o, 0xfffffff0);  // through the end of the circle
  std::multiset<std::string> follower;
  uint32_t serial = zone.serial();
  size_t whole = 0, steps = 0;
  const auto apply = [&](const std::vector<std::string>& list) {
    ASSERT_FALSE(list.empty());
    const std::string newest = list.front();
    if (list.size() == 1) return;
    if (list[1].find(" SOA ") == std::string::npos) {  // the whole zone
      follower.clear();
      for (size_t i = 2; i + 1 < list.size(); ++i) follower.insert(list[i]);
      ++whole;
    } else {
      bool adding = true;
      for (size_t i = 1; i + 1 < list.size(); ++i) {
        if (list[i].find(" SOA ") != std::string::npos) {
          adding = !adding;
        } else if (adding) {
          follower.insert(list[i]);
        } else {
          ASSERT_EQ(follower.count(list[i]), 1u) << "takes away what is not there: " << list[i];
          follower.erase(list[i]);
        }
      }
      ++steps;
    }
    EXPECT_EQ(list.back(), newest);
  };
  for (int round = 0; round < 400; ++round) {
    for (auto i = random() % 5; i > 0; --i) {
      const Target t = name(fmt::format("{}n{}.example", random() % 2 == 0 ? "*." : "", random() % 20));
      if (random() % 3 == 0) {
        zone.remove(t);
      } else {
        zone.set(t, random() % 4 != 0);
      }
    }
    zone.commit();
    if (random() % 4 != 0) continue;
    apply(records(zone.ixfr(1, serial)));
    serial = zone.serial();
    auto all = records(zone.axfr(1));
    EXPECT_EQ(follower, (std::multiset<std::string>(all.begin() + 2, all.end() - 1)));
    if (random() % 10 == 0) {
      for (int i = 0; i < 200; ++i) {
        zone.set(name(fmt::format("n{}.example", i % 20)), i / 20 % 2 == 0);
        zone.commit();
      }
    }
  }
  EXPECT_GT(whole, 3u);
  EXPECT_GT(steps, 30u);
  EXPECT_LT(zone.serial(), 0xfffffff0u);
  EXPECT_EQ(records(zone.ixfr(1, zone.serial() + 5)).size(), 1u) << "who is ahead gets the SOA";
}

TEST(Rpz, long_transfers_come_in_many_messages_each_signed) {
  MemFiles files;
  auto rpz = Rpz::start(options(), files, nullptr);
  ASSERT_TRUE(rpz.ok()) << rpz.error().text();
  for (int i = 0; i < 3000; ++i) (*rpz)->want(name(fmt::format("*.n{}.example", i)), true, kNow.plus_us(1'000'000));
  ASSERT_TRUE((*rpz)->flush(kNow).ok());
  std::string q = question(kRrAxfr);
  const std::string mac = sign(q, kKey, kNow, {});
  const auto messages = (*rpz)->answer(q, "127.0.0.2", true, kNow);
  EXPECT_GT(messages.size(), 3u);
  EXPECT_EQ(records(messages).size(), 6003u);
  const auto first = read_message(messages.front());
  ASSERT_TRUE(first && first->tsig);
  EXPECT_EQ(verify(messages.front(), *first, kKey, kNow, mac), kTsigOk);
  for (const std::string& m : messages) EXPECT_TRUE(read_message(m)->tsig);
  EXPECT_EQ(records((*rpz)->answer(question(kRrAxfr), "127.0.0.3", true, kNow)).size(), 6003u);
  // What has ended leaves by itself.
  ASSERT_TRUE((*rpz)->flush(kNow.plus_us(2'000'000)).ok());
  EXPECT_EQ((*rpz)->names(), 0u);
}

TEST(Rpz, answers_secondaries_with_the_key_and_nobody_else) {
  MemFiles files;
  auto rpz = Rpz::start(options(), files, nullptr);
  ASSERT_TRUE(rpz.ok());
  ASSERT_TRUE((*rpz)->flush(kNow).ok());
  const auto ask = [&](const std::string& q, const std::string& from, bool tcp = true) {
    const auto answers = (*rpz)->answer(q, from, tcp, kNow);
    return answers.empty() ? -1 : static_cast<int>(read_message(answers.front())->rcode());
  };
  std::string q = question(kRrAxfr);
  EXPECT_EQ(ask(q, "127.0.0.9"), -1) << "a stranger learns nothing";
  EXPECT_EQ(ask(q, "127.0.0.2"), kRefused) << "who has a key must use it";
  EXPECT_EQ(ask(q, "127.0.0.3"), kNoError);
  EXPECT_EQ(ask(q, "127.0.0.3", false), kRefused) << "no transfer by UDP";
  EXPECT_EQ(ask(question(kRrSoa, {}, "other.test"), "127.0.0.3"), kRefused);
  EXPECT_EQ(ask(question(1), "127.0.0.3"), kRefused) << "no resolver";
  sign(q, kKey, kNow, {});
  EXPECT_EQ(ask(q, "127.0.0.2"), kNoError);
  EXPECT_EQ(ask(q, "127.0.0.3"), kNotAuth) << "nobody gave this one a key";
  // Every octet counts; the id may change on the way (RFC 8945 §5.3: the original is in the record).
  for (size_t i = 2; i < q.size(); ++i) {
    std::string bad = q;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_NE(ask(bad, "127.0.0.2"), kNoError) << i;
  }
  for (const int64_t off : {-301, 301}) {
    std::string old = question(kRrSoa);
    sign(old, kKey, kNow.plus_us(off * 1'000'000), {});
    EXPECT_EQ(ask(old, "127.0.0.2"), kNotAuth) << "outside the fudge";
  }
  std::string other = question(kRrSoa);
  sign(other, {kKey.name, std::string(32, 'x')}, kNow, {});
  EXPECT_EQ(ask(other, "127.0.0.2"), kNotAuth);
  EXPECT_GT((*rpz)->counters().refused, 10u);
}

TEST(Rpz, any_octets_are_read_without_harm) {
  MemFiles files;
  auto rpz = Rpz::start(options(), files, nullptr);
  ASSERT_TRUE(rpz.ok());
  ASSERT_TRUE((*rpz)->flush(kNow).ok());
  std::mt19937 random(5);
  std::string good = question(kRrIxfr, 4);
  sign(good, kKey, kNow, {});
  for (int i = 0; i < 30'000; ++i) {
    std::string m = good.substr(0, random() % 8 == 0 ? random() % good.size() : good.size());
    for (auto n = random() % 6; n > 0 && !m.empty(); --n) m[random() % m.size()] = static_cast<char>(random());
    for (const std::string& answer : (*rpz)->answer(m, i % 2 == 0 ? "127.0.0.2" : "127.0.0.3", true, kNow))
      EXPECT_GE(answer.size(), 12u);
  }
}

// Safety rule 2: the list is asked again where the block takes effect.
TEST(Rpz, a_protected_name_never_enters_the_zone) {
  MemFiles files;
  RpzOptions o = options();
  o.capacity = 2;
  o.serial_file = "/s/serial";
  o.file = "/s/zone";
  (void)files.make_dirs("/s").ok();
  auto rpz = Rpz::start(o, files, [](const Target& t) { return t.host == "bank.example"; });
  ASSERT_TRUE(rpz.ok());
  const uint32_t before = (*rpz)->serial();
  (*rpz)->want(name("bank.example"), true, kNow.plus_us(1));
  (*rpz)->want(name("phish.example"), true, kNow.plus_us(1));
  ASSERT_TRUE((*rpz)->flush(kNow).ok());
  EXPECT_EQ((*rpz)->serial(), before + 1);
  EXPECT_THAT(*files.read("/s/zone"), HasSubstr("phish.example CNAME ."));
  EXPECT_THAT(*files.read("/s/zone"), ::testing::Not(HasSubstr("bank")));
  // Full: said, and what left makes room for what waits.
  (*rpz)->want(name("a.example"), true, kNow.plus_us(10));
  (*rpz)->want(name("b.example"), true, kNow.plus_us(10));
  EXPECT_EQ((*rpz)->flush(kNow).error().kind, ErrorKind::kTooLarge);
  EXPECT_TRUE((*rpz)->flush(kNow.plus_us(5)).ok() || (*rpz)->flush(kNow.plus_us(5)).ok());
  EXPECT_EQ((*rpz)->names(), 2u);
  // Serials go on over a restart, even if the clock went back.
  const uint32_t last = (*rpz)->serial();
  (void)files.write_atomic("/s/serial", fmt::format("{}\n", last + 1'000'000), 0600).ok();
  rpz->reset();
  auto again = Rpz::start(o, files, nullptr);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->serial(), last + 1'000'001);
}

TEST(Rpz, wrong_options_are_said) {
  MemFiles files;
  RpzOptions o = options();
  o.key_secret = "short";
  EXPECT_EQ(Rpz::start(o, files, nullptr).error().kind, ErrorKind::kInvalid);
  o = options();
  o.secondaries = {"127.0.0.1"};
  EXPECT_EQ(Rpz::start(o, files, nullptr).error().kind, ErrorKind::kInvalid);
  o = options();
  o.zone = "no zone";
  EXPECT_EQ(Rpz::start(o, files, nullptr).error().kind, ErrorKind::kInvalid);
}

}  // namespace
}  // namespace entente::enforce
