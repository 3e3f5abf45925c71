// Rolling back a partner's batch: what it did ends, nothing of it comes back by any way, and everything else stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.h"
#include "sensor/core.h"
#include "sensor/world_for_test.h"

namespace entente::sensor {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Sample sample(int number) {
  return {.number = number, .pattern = "[ipv4-addr:value = '198.51.100." + std::to_string(number) + "']"};
}

// One indicator at the start, two an hour later (the batch), one more an hour after that.
struct Batches : World {
  Batches() {
    ready();
    page({sample(1).text()});
    later();
    batch = clock.now();
    page({sample(2).text(), sample(3).text()});
    later();
    page({sample(4).text()});
  }
  void later() {
    clock.advance_us(10LL * 60 * kOneSecond);
    core->node_spoke();
    core->tick();
  }
  std::string blocked() const {
    std::string out;
    for (int i = 1; i <= 4; ++i) out += on("198.51.100." + std::to_string(i));
    return out;
  }
  std::string roll_back(const std::string& more) {
    return ask(R"({"cmd":"rollback","partner":"JP","since":")" + to_text(batch) + R"(","until":")" +
               to_text(batch.plus_us(kOneSecond)) + "\"" + more + "}");
  }
  Time batch;
};

TEST(Rollback, ShowsFirstAndTakesBackABatchOnly) {
  Batches w;
  ASSERT_EQ(w.blocked(), "dddd");
  EXPECT_THAT(w.roll_back(""), AllOf(HasSubstr(R"("done":false)"), HasSubstr(R"("indicators":2)"),
                                     HasSubstr("198.51.100.3"), Not(HasSubstr("198.51.100.4"))));
  EXPECT_EQ(w.blocked(), "dddd") << "a look changes nothing";
  EXPECT_THAT(w.roll_back(R"(,"yes":true,"reason":"a bank's addresses")"),
              AllOf(HasSubstr(R"("rollback":"R1")"), HasSubstr(R"("applied":true)")));
  EXPECT_EQ(w.blocked(), "d--d");
  for (const auto& l : w.core->leases(true)) {
    if (l.indicator == sample(2).id()) {
      EXPECT_EQ(l.ended_by, enforce::ended::kRolledBack);
    }
  }
  // No way back: agreements read again, time, the same page again, a restart.
  w.agreements();
  w.page({sample(2).text()});
  w.later();
  EXPECT_EQ(w.blocked(), "d--d");
  w.restart();
  w.agreements();
  w.later();
  EXPECT_EQ(w.blocked(), "d--d");
  EXPECT_THAT(w.ask(R"({"cmd":"why","target":"198.51.100.3"})"), HasSubstr("rolled-back"));
  EXPECT_THAT(w.ask(R"({"cmd":"rollbacks"})"), AllOf(HasSubstr(R"("rollback":"R1")"), HasSubstr(R"("indicators":2)")));
}

TEST(Rollback, HoldsForTargetsThatWereNeverLeased) {
  for (const bool rolled_back : {false, true}) {
    World w;
    w.ready();
    w.page({Sample{.pattern = "[domain-name:value = 'phish.example']"}.text()});
    if (rolled_back) {
      EXPECT_THAT(
          w.ask(
              R"({"cmd":"rollback","partner":"JP","since":"2027-01-01T00:00:00Z","yes":true,"reason":"a bank's addresses"})"),
          HasSubstr(R"("done":true)"));
    }
    // The name resolves only now.
    Seen seen;
    seen.tag = 1;
    seen.field = "dns.answer";
    seen.value = seen.via_name = "phish.example";
    seen.address = "198.51.100.99";
    seen.time = w.clock.now();
    w.core->on_seen(seen);
    w.core->tick();
    EXPECT_EQ(w.on("198.51.100.99"), rolled_back ? '-' : 'd');
    if (rolled_back) {
      ASSERT_EQ(w.refused(), "ROLLED_BACK");
      EXPECT_THAT(std::string(w.sink.of("guard_refused")[0].string_at("sentence")),
                  AllOf(HasSubstr("a bank's addresses"), HasSubstr("entente lease resume R1")));
    }
  }
}

TEST(Rollback, AnotherPatternIsAnotherClaimAndResumingTakesItBack) {
  Batches w;
  w.roll_back(R"(,"yes":true)");
  ASSERT_EQ(w.blocked(), "d--d");
  Sample again = sample(3);
  again.version = 8;
  w.page({again.text()});
  EXPECT_EQ(w.blocked(), "d--d") << "the same claim once more, with a new version";
  Sample other = sample(3);
  other.pattern = "[ipv4-addr:value = '198.51.100.33']";
  other.version = 9;
  w.page({other.text()});
  EXPECT_EQ(w.on("198.51.100.33"), 'd') << "another claim, which arrived after what was rolled back";
  other.pattern = again.pattern;
  other.version = 10;
  w.page({other.text()});
  EXPECT_THAT(w.ask(R"({"cmd":"resume","rollback":"R1"})"), HasSubstr(R"("ok":true)"));
  EXPECT_EQ(w.blocked(), "dddd");
  w.restart();
  w.agreements();
  EXPECT_EQ(w.blocked(), "dddd") << "and that stays";
  EXPECT_THAT(w.ask(R"({"cmd":"resume","rollback":"R1"})"), HasSubstr("there is no such rollback"));
}

// The rule is durable before the first lease ends.
TEST(Rollback, PowerFailsInBetween) {
  Batches w;
  ASSERT_TRUE(w.files
                  .write_atomic("/state/rollbacks.json",
                                R"({"next":2,"rollbacks":[{"id":1,"partner":"JP","since":")" + to_text(w.batch) +
                                    R"(","until":")" + to_text(w.batch) + R"(","at":")" + to_text(w.clock.now()) +
                                    R"(","reason":""}]})",
                                0600)
                  .ok());
  w.restart();
  EXPECT_EQ(w.blocked(), "d--d") << "before the node has been spoken to";
}

TEST(Rollback, AFileThatCannotBeReadLetsNothingBack) {
  Batches w;
  w.roll_back(R"(,"yes":true)");
  ASSERT_TRUE(w.files.write_atomic("/state/rollbacks.json", R"({"next":2,"rollb)", 0600).ok());
  w.restart();
  w.agreements();
  EXPECT_EQ(w.blocked(), "----");
  w.later();
  w.page({sample(5).text()});
  EXPECT_EQ(w.on("198.51.100.5"), 'd') << "what comes now is not concerned";
  EXPECT_THAT(w.ask(R"({"cmd":"rollbacks"})"), HasSubstr("could not be read"));
  EXPECT_EQ(*w.files.read("/state/rollbacks.json.damaged"), R"({"next":2,"rollb)");
  // Another rule beside it, and a start: it still holds for everybody, and only for what came before.
  w.ask(
      R"({"cmd":"rollback","partner":"JP","since":"2027-01-01T00:00:00Z","until":"2027-01-01T00:00:01Z","yes":true})");
  w.restart();
  w.agreements();
  w.later();
  EXPECT_EQ(w.blocked(), "----");
  EXPECT_EQ(w.on("198.51.100.5"), 'd');
  // R1 of the lost file has its number no more; the rule's own ends it.
  EXPECT_THAT(w.ask(R"({"cmd":"resume","rollback":"R1"})"), HasSubstr(R"("ok":true)"));
  EXPECT_EQ(w.blocked(), "dddd");
}

TEST(Rollback, RefusesWhatItCannotMean) {
  Batches w;
  for (
      const auto& [request, what] : std::vector<std::pair<std::string, std::string>>{
          {R"({"cmd":"rollback","yes":true})", "--from"},
          {R"({"cmd":"rollback","partner":"JP","yes":true})", "--since"},
          {R"({"cmd":"rollback","partner":"JP","since":"yesterday","yes":true})", "time"},
          {R"({"cmd":"rollback","partner":"JP","since":"2027-01-01T00:00:00Z","until":"2099-01-01T00:00:00Z","yes":true})",
           "ahead"},
          {R"({"cmd":"rollback","partner":"JP","since":"2027-01-10T00:00:00Z","until":"2027-01-01T00:00:00Z","yes":true})",
           "before"},
          {R"({"cmd":"rollback","partner":"FR","since":"2027-01-01T00:00:00Z","yes":true})", "nothing of FR"}}) {
    EXPECT_THAT(w.ask(request), AllOf(HasSubstr(R"("ok":false)"), HasSubstr(what))) << request;
  }
  EXPECT_EQ(w.blocked(), "dddd");
}

}  // namespace
}  // namespace entente::sensor
