#include "enforce/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "json/json.h"

namespace entente::enforce {
namespace {

constexpr Time kNow{1'700'000'000'000'000};
constexpr int64_t kSecond = 1'000'000;
const std::string kPath = "/state/leases.jsonl";

Lease lease(const std::string& target, const std::string& indicator = "indicator--1", int64_t seconds = 60) {
  Lease l;
  l.target = *parse_target(target);
  l.indicator = indicator;
  l.partner = "JP";
  l.agreement = "urn:a";
  l.article = "4";
  l.code = "OK";
  l.sentence = "said \"so\"\n";
  l.end = kNow.plus_us(seconds * kSecond);
  return l;
}

std::string text(const std::vector<Lease>& leases) {
  std::string out;
  for (const Lease& l : leases) out += json::write(to_json(l)) + "\n";
  return out;
}

struct Book {
  MemFiles files;
  std::unique_ptr<LeaseBook> book;
  Book() { reopen(kNow); }
  void reopen(Time now, LeaseBook::Options options = {}) {
    ASSERT_TRUE(files.make_dirs("/state").ok());
    auto opened = LeaseBook::open(files, kPath, now, options);
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    book = std::move(*opened);
  }
  LeaseBook* operator->() { return book.get(); }
};

TEST(Lease, json_keeps_everything) {
  Lease l = lease("2001:db8::/48");
  l.id = 7;
  l.state = LeaseState::kEnded;
  l.ended_by = "lifted";
  l.ended_at = kNow;
  l.hits = 42;
  l.detection = "dns";
  l.via_name = "a.example";
  l.step = 3;
  const auto document = json::parse(json::write(to_json(l)));
  const auto again = lease_from_json(document->root());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(json::write(to_json(*again)), json::write(to_json(l)));
  EXPECT_EQ(again->sentence, l.sentence);
}

// Safety rule 1: a lease ends at its end, by its indicator, its agreement, its partner since a time, or a person.
TEST(LeaseBook, ends_for_each_reason) {
  Book b;
  const auto a = b->grant(lease("10.0.0.1", "indicator--a", 10), kNow);
  b->grant(lease("10.0.0.2", "indicator--b"), kNow.plus_us(1));
  b->grant(lease("10.0.0.3", "indicator--b"), kNow.plus_us(2));
  Lease other = lease("10.0.0.4", "indicator--c");
  other.agreement = "urn:b";
  b->grant(other, kNow.plus_us(3));
  b->grant(lease("10.0.0.5", "indicator--d"), kNow.plus_us(4));
  EXPECT_EQ(b->expire(kNow.plus_us(10 * kSecond - 1)).size(), 0u);
  const auto expired = b->expire(kNow.plus_us(10 * kSecond));  // half-open: at its end it is over
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].id, a);
  EXPECT_EQ(expired[0].ended_by, ended::kTime);
  EXPECT_EQ(b->end({.indicator = "indicator--b"}, ended::kRevoked, kNow).size(), 2u);
  EXPECT_EQ(b->end({.agreement = "urn:b"}, ended::kAgreement, kNow).size(), 1u);
  EXPECT_EQ(b->end({.partner = "JP", .granted_since = kNow.plus_us(5)}, ended::kLifted, kNow).size(), 0u);
  EXPECT_EQ(b->end({.partner = "JP", .granted_since = kNow.plus_us(4)}, ended::kLifted, kNow).size(), 1u);
  EXPECT_EQ(b->count(LeaseState::kActive), 0u);
  EXPECT_EQ(b->find(a)->ended_by, ended::kTime);  // still there for `lease why`
  EXPECT_TRUE(b->on_target("10.0.0.1").empty());
}

TEST(LeaseBook, usage_counts_new_leases_and_survives_a_restart) {
  Book b;
  b->grant(lease("10.0.0.1", "i", 7200), kNow);
  b->grant(lease("10.0.0.2", "i", 7200), kNow.plus_us(30 * kSecond));
  Lease waiting = lease("10.0.0.3", "i", 7200);
  waiting.state = LeaseState::kWaiting;
  b->grant(waiting, kNow);
  ASSERT_TRUE(b->flush(true).ok());
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(b->usage("JP", kNow.plus_us(59 * kSecond)).granted_last_minute, 2u);
    EXPECT_EQ(b->usage("JP", kNow.plus_us(61 * kSecond)).granted_last_minute, 1u);
    EXPECT_EQ(b->usage("JP", kNow.plus_us(61 * kSecond)).granted_by_partner_last_hour, 2u);
    EXPECT_EQ(b->usage("IN", kNow.plus_us(61 * kSecond)).granted_by_partner_last_hour, 0u);
    EXPECT_EQ(b->usage("JP", kNow).entries, 2u);
    b.reopen(kNow.plus_us(59 * kSecond));
  }
  EXPECT_EQ(b->usage("JP", kNow.plus_us(3601 * kSecond)).granted_by_partner_last_hour, 1u);
}

TEST(LeaseBook, waiting_leases_are_bounded_and_can_be_approved) {
  Book b;
  b.reopen(kNow, {.max_waiting = 2});
  Lease w = lease("10.0.0.1");
  w.state = LeaseState::kWaiting;
  const auto first = b->grant(w, kNow);
  b->grant(w, kNow);
  const auto third = b->grant(w, kNow);
  EXPECT_EQ(b->find(first)->ended_by, "overflow");
  EXPECT_TRUE(b->on_target("10.0.0.1").empty());
  EXPECT_TRUE(b->approve(third, LeaseState::kActive, kNow.plus_us(kSecond), kNow));
  EXPECT_FALSE(b->approve(third, LeaseState::kActive, kNow.plus_us(kSecond), kNow));
  EXPECT_EQ(b->on_target("10.0.0.1").size(), 1u);
}

// Whose it is decides what ends and what is found.
TEST(LeaseBook, partners_and_agreements_are_told_apart) {
  Book b;
  b->grant(lease("10.0.0.1", "indicator--a"), kNow);
  Lease other = lease("10.0.0.1", "indicator--a");
  other.partner = "FR";
  other.agreement = "urn:b";
  const auto of_fr = b->grant(other, kNow);
  const std::string agreement = "urn:b", none = "urn:c";
  ASSERT_NE(b->find("10.0.0.1", "indicator--a", &agreement), nullptr);
  EXPECT_EQ(b->find("10.0.0.1", "indicator--a", &agreement)->id, of_fr);
  EXPECT_EQ(b->find("10.0.0.1", "indicator--a", &none), nullptr);
  EXPECT_EQ(b->end({.partner = "JP"}, ended::kLifted, kNow).size(), 1u);
  EXPECT_TRUE(b->find(of_fr)->in_force());
}

TEST(LeaseBook, a_number_is_given_once_even_if_its_lease_is_forgotten) {
  Book b;
  b.reopen(kNow, {.keep_ended = 0});
  const auto first = b->grant(lease("10.0.0.1"), kNow);
  b->end({.id = first}, ended::kLifted, kNow);
  ASSERT_TRUE(b->flush(true).ok());
  for (int i = 0; i < 2; ++i) b.reopen(kNow, {.keep_ended = 0});
  EXPECT_GT(b->grant(lease("10.0.0.2"), kNow), first);
}

TEST(LeaseBook, what_a_failed_write_left_behind_hides_nothing_that_comes_after_it) {
  Book b;
  b->grant(lease("10.0.0.1", "indicator--a"), kNow);
  ASSERT_TRUE(b->flush(true).ok());
  b->grant(lease("10.0.0.2", "indicator--b"), kNow);
  b.files.fail_at(0);
  ASSERT_FALSE(b->flush(true).ok());
  b.files.fail_at(-1);  // half of it is there
  ASSERT_TRUE(b->flush(true).ok());
  b.reopen(kNow);
  EXPECT_NE(b->find("10.0.0.2", "indicator--b"), nullptr);
}

// Random operations; after a crash at any moment exactly what was flushed durably is back (or more: what reached the
// file without sync may be there too, but never half of a change, and never a lease that was durably ended).
TEST(LeaseBook, comes_back_after_a_crash_as_it_was_flushed) {
  EXPECT_TRUE(rc::check("replay equals memory", [] {
    Book b;
    Time now = kNow;
    if (*rc::gen::arbitrary<bool>()) b.reopen(now, {.compact_bytes = 1});  // rewrites all the time
    std::string durable = text(b->snapshot(true));
    const int n = *rc::gen::inRange(1, 40);
    for (int i = 0; i < n; ++i) {
      now = now.plus_us(*rc::gen::inRange(0, 20) * kSecond);
      const auto any_id = static_cast<uint64_t>(*rc::gen::inRange(1, 15));
      switch (*rc::gen::inRange(0, 8)) {
        case 0:
        case 1:
        case 2: {
          Lease l = lease("10.0.0." + std::to_string(*rc::gen::inRange(1, 9)),
                          "indicator--" + std::to_string(*rc::gen::inRange(1, 4)));
          l.end = now.plus_us(*rc::gen::inRange(1, 60) * kSecond);
          l.state = *rc::gen::element(LeaseState::kActive, LeaseState::kShadow, LeaseState::kWaiting);
          b->grant(l, now);
          break;
        }
        case 3:
          b->renew(any_id, now.plus_us(30 * kSecond), now);
          break;
        case 4:
          b->approve(any_id, LeaseState::kActive, now.plus_us(30 * kSecond), now);
          break;
        case 5:
          b->end({.indicator = "indicator--1"}, ended::kRevoked, now);
          break;
        case 6:
          b->end({.id = any_id}, ended::kLifted, now);
          break;
        case 7:
          b->expire(now);
          break;
      }
      if (*rc::gen::arbitrary<bool>()) {
        RC_ASSERT(b->flush(true).ok());
        durable = text(b->snapshot(true));
      }
    }
    b.files.crash();
    // At the time of the last flush nothing has expired that had not then.
    auto again = LeaseBook::open(b.files, kPath, Time{0});
    RC_ASSERT(again.ok());
    RC_ASSERT(text((*again)->snapshot(true)) == durable);
    // Numbers are not used twice, also for leases that were forgotten.
    const auto before = (*again)->snapshot(true);
    const uint64_t fresh = (*again)->grant(lease("10.9.9.9"), kNow);
    for (const Lease& l : before) RC_ASSERT(l.id < fresh);
  }));
}

TEST(LeaseBook, every_failing_write_loses_nothing_that_was_flushed) {
  for (int n = 0; n < 12; ++n) {
    Book b;
    b->grant(lease("10.0.0.1", "indicator--a"), kNow);
    ASSERT_TRUE(b->flush(true).ok());
    b.files.fail_at(n);
    b->grant(lease("10.0.0.2", "indicator--b"), kNow);
    const bool flushed = b->flush(true).ok();
    b->end({.indicator = "indicator--a"}, ended::kRevoked, kNow);
    const bool ended_flushed = b->flush(true).ok();
    b.files.crash();
    b.reopen(kNow);
    if (flushed) {
      EXPECT_NE(b->find("10.0.0.2", "indicator--b"), nullptr) << n;
    }
    if (ended_flushed) {
      EXPECT_EQ(b->find("10.0.0.1", "indicator--a"), nullptr) << n;
    }
    if (!ended_flushed && n == 0) {
      EXPECT_NE(b->find("10.0.0.1", "indicator--a"), nullptr) << n;
    }
  }
}

TEST(LeaseBook, a_damaged_book_never_keeps_the_sensor_from_starting) {
  Book b;
  b->grant(lease("10.0.0.1", "indicator--a"), kNow);
  ASSERT_TRUE(b->flush(true).ok());
  const std::string good = *b.files.read(kPath);
  for (size_t cut = 0; cut < good.size(); ++cut) {
    ASSERT_TRUE(b.files.write_atomic(kPath, good.substr(0, cut), 0600).ok());
    b.reopen(kNow);
  }
  EXPECT_TRUE(rc::check("random damage", [&] {
    std::string bad = good;
    const auto edits = *rc::gen::inRange(1, 6);
    for (int i = 0; i < edits; ++i) bad[*rc::gen::inRange<size_t>(0, bad.size())] = *rc::gen::arbitrary<char>();
    RC_ASSERT(b.files.write_atomic(kPath, bad, 0600).ok());
    RC_ASSERT(LeaseBook::open(b.files, kPath, kNow).ok());
  }));
  ASSERT_TRUE(
      b.files
          .write_atomic(kPath, "{\"op\":\"lease\",\"id\":-4}\n[]\n\"x\"\n{\"op\":\"renew\",\"id\":99}\n" + good, 0600)
          .ok());
  b.reopen(kNow);
  EXPECT_EQ(b->damaged_lines(), 4u);
  EXPECT_NE(b->find("10.0.0.1", "indicator--a"), nullptr);
}

// Row 34: time travel. Whatever happened, after the longest end nothing is in force.
TEST(LeaseBook, all_leases_end) {
  EXPECT_TRUE(rc::check("nothing is in force after the last end", [] {
    Book b;
    int64_t last = 0;
    const int n = *rc::gen::inRange(0, 50);
    for (int i = 0; i < n; ++i) {
      const int64_t seconds = *rc::gen::inRange(1, 1000);
      last = std::max(last, seconds);
      b->grant(lease("10.0.0." + std::to_string(i), "i", seconds), kNow);
    }
    RC_ASSERT(b->flush(true).ok());
    if (*rc::gen::arbitrary<bool>()) b.reopen(kNow);
    b->expire(kNow.plus_us(last * kSecond));
    RC_ASSERT(b->count(LeaseState::kActive) == 0u);
  }));
}

TEST(LeaseBook, the_file_stays_small) {
  Book b;
  b.reopen(kNow, {.keep_ended = 10, .compact_bytes = 16384});
  for (int i = 0; i < 2000; ++i) {
    b->grant(lease("10.0.0.1", "i", 1), kNow.plus_us(i));
    b->end({.indicator = "i"}, ended::kLifted, kNow.plus_us(i));
    ASSERT_TRUE(b->flush(false).ok());
  }
  EXPECT_LT(*b.files.size(kPath), 20'000u);
  b.reopen(kNow, {.keep_ended = 10});
  EXPECT_EQ(b->snapshot(true).size(), 10u);
}

}  // namespace
}  // namespace entente::enforce
