// What a sensor answers about recalls: per enforcer, when it is true and not before.
#include "sensor/recalls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sensor/world_for_test.h"

namespace entente::sensor {
namespace {

using testing::HasSubstr;
using testing::Not;

// An enforcer that has a name, as those of the kernel do.
class NamedEnforcer final : public enforce::Enforcer {
 public:
  [[nodiscard]] std::string name() const override { return "xdp+nftables"; }
  [[nodiscard]] size_t capacity() const override { return inner.capacity(); }
  [[nodiscard]] size_t range_capacity() const override { return inner.range_capacity(); }
  Status start(const std::vector<enforce::Prefix>& allow, const std::vector<enforce::Element>& e, Time now) override {
    return inner.start(allow, e, now);
  }
  Status apply(const enforce::Delta& delta, Time now) override { return inner.apply(delta, now); }
  Result<std::vector<enforce::Hits>> hits() override { return inner.hits(); }
  Result<enforce::Totals> totals() override { return inner.totals(); }
  Status clear() override { return inner.clear(); }
  enforce::MemEnforcer inner;
};

struct Recalled : testing::Test {
  void SetUp() override {
    restart();
    auto parsed = Instruments::parse(treaty.api());
    ASSERT_TRUE(parsed.ok());
    core->on_instruments(std::move(*parsed));
    page({pap_object(kPapGreen, "PAP:GREEN")});
    (void)core->recall_report();  // the first sign of life
    core->recall_told(true);
  }
  void restart() {
    core = std::make_unique<Core>(config, files, clock, enforcer, enforce::ProtectedList{}, sink);
    ASSERT_TRUE(core->start().ok());
  }
  void page(const std::vector<std::string>& objects) {
    const std::vector<std::string_view> views(objects.begin(), objects.end());
    clock.advance_us(1000);
    core->on_page(treaty.source(), views, clock.now());
  }
  SensorConfig config = blocking();
  MemFiles files;
  ManualClock clock{kStart};
  NamedEnforcer enforcer;
  ListSink sink;
  Treaty treaty;
  std::unique_ptr<Core> core;
};

TEST_F(Recalled, is_told_per_enforcer_at_once) {
  page({Sample{}.text()});
  ASSERT_EQ(core->leases(false).size(), 1U);
  page({Sample{.version = 2, .revoked = true}.text()});
  const std::string report = core->recall_report();
  EXPECT_THAT(report, HasSubstr(R"("enforcers":["xdp","nftables"])"));
  EXPECT_THAT(report, HasSubstr(R"("id":")" + Sample{}.id()));
  EXPECT_THAT(report, HasSubstr(R"("leases":1,"also":0)"));
  EXPECT_THAT(report, HasSubstr(R"({"name":"nftables","withdrawn":)"));
  EXPECT_THAT(report, HasSubstr(R"({"name":"xdp","withdrawn":)"));
  core->recall_told(true);
  EXPECT_EQ(core->recall_report(), "") << "once is enough";
}

TEST_F(Recalled, is_not_withdrawn_while_an_enforcer_holds_it) {
  page({Sample{}.text()});
  enforcer.inner.fail(true);
  page({Sample{.version = 2, .revoked = true}.text()});
  std::string report = core->recall_report();
  EXPECT_THAT(report, HasSubstr(R"("held":)"));
  EXPECT_THAT(report, Not(HasSubstr(R"("withdrawn":)")));
  core->recall_told(true);
  enforcer.inner.fail(false);
  clock.advance_us(2 * kOneSecond);
  core->tick();
  report = core->recall_report();
  EXPECT_THAT(report, HasSubstr(R"("withdrawn":)"));
  EXPECT_THAT(report, Not(HasSubstr(R"("held":)")));
}

// Lists that firewalls fetch and routers hold elements too: a recall is not over while they do.
TEST_F(Recalled, waits_for_what_looks_from_outside) {
  core->recalls_wait_for("lists");
  core->recalls_done("lists", core->recalls_until_now(), "");
  page({Sample{}.text()});
  const uint64_t before = core->recalls_until_now();
  page({Sample{.version = 2, .revoked = true}.text()});
  core->recalls_done("lists", before, "");  // it had looked before the recall came
  std::string report = core->recall_report();
  EXPECT_THAT(report, HasSubstr(R"("enforcers":["xdp","nftables","lists"])"));
  EXPECT_THAT(report, HasSubstr(R"({"name":"xdp","withdrawn":)"));
  EXPECT_THAT(report, HasSubstr(R"({"name":"lists","held":"the enforcer has not been asked yet"})"));
  core->recall_told(true);
  core->recalls_done("lists", core->recalls_until_now(), "the disk is full");
  report = core->recall_report();
  EXPECT_THAT(report, HasSubstr(R"({"name":"lists","held":"the disk is full"})"));
  core->recall_told(true);
  core->recalls_done("lists", core->recalls_until_now(), "");
  EXPECT_THAT(core->recall_report(), HasSubstr(R"({"name":"lists","withdrawn":)"));
}

TEST_F(Recalled, the_position_passes_only_what_is_gone_outside_too) {
  core->recalls_wait_for("lists");
  page({Sample{}.text()});
  page({Sample{.version = 2, .revoked = true}.text()});
  const std::string at = to_text(clock.now());
  EXPECT_THAT(core->recall_report(), Not(HasSubstr(":\"" + at + "\"},\"recalled\"")));
  core->recall_told(true);
  core->recalls_done("lists", core->recalls_until_now(), "");
  EXPECT_THAT(core->recall_report(), HasSubstr(":\"" + at + "\"},\"recalled\""));
}

TEST_F(Recalled, the_position_does_not_pass_what_an_enforcer_has_not_taken) {
  page({Sample{}.text()});
  enforcer.inner.fail(true);
  page({Sample{.version = 2, .revoked = true}.text()});
  const std::string at = to_text(clock.now());
  EXPECT_THAT(core->recall_report(), Not(HasSubstr(":\"" + at + "\"},\"recalled\"")));
  core->recall_told(true);
  enforcer.inner.fail(false);
  clock.advance_us(2 * kOneSecond);
  core->tick();
  EXPECT_THAT(core->recall_report(), HasSubstr(":\"" + at + "\"},\"recalled\""));
}

TEST_F(Recalled, what_the_node_did_not_get_is_told_again) {
  page({Sample{}.text()});
  page({Sample{.version = 2, .revoked = true}.text()});
  ASSERT_THAT(core->recall_report(), HasSubstr(Sample{}.id()));
  core->recall_told(false);
  EXPECT_THAT(core->recall_report(), HasSubstr(Sample{}.id()));
}

TEST_F(Recalled, an_address_that_another_object_still_blocks_is_said) {
  page({Sample{}.text(), Sample{.number = 2}.text()});
  page({Sample{.version = 2, .revoked = true}.text()});
  EXPECT_THAT(core->recall_report(), HasSubstr(R"("leases":1,"also":1)"));
}

TEST_F(Recalled, a_lease_ends_though_the_list_of_objects_was_lost) {
  page({Sample{}.text()});
  core->tick();
  ASSERT_TRUE(files.write_atomic("/state/objects.jsonl", "", 0600).ok());
  restart();
  ASSERT_EQ(core->leases(false).size(), 1U);
  page({Sample{.version = 2, .revoked = true}.text()});
  EXPECT_TRUE(core->leases(false).empty());
  EXPECT_THAT(core->recall_report(), HasSubstr(R"("leases":1)"));
}

TEST_F(Recalled, what_the_node_destroyed_is_gone_from_the_index_and_the_disk) {
  page({Sample{.pattern = "[ipv4-addr:value = '198.51.100.77']"}.text(), Sample{.number = 2}.text()});
  ASSERT_EQ(core->leases(false).size(), 2U);
  ASSERT_THAT(*files.read("/state/objects.jsonl"), HasSubstr("198.51.100.77"));
  page(
      {R"({"type":"indicator","spec_version":"2.1","id":")" + Sample{}.id() +
       R"(","created":"2027-01-15T00:00:00Z","modified":"2027-01-15T00:00:00Z","revoked":true,"x_entente_destroyed":true})"});
  clock.advance_us(2 * kOneSecond);
  core->tick();
  EXPECT_EQ(core->leases(false).size(), 1U);
  EXPECT_THAT(*files.read("/state/objects.jsonl"), Not(HasSubstr("198.51.100.77")));
  restart();
  EXPECT_EQ(core->live().size(), 1U) << "the other object is there still";
}

// release.md invariant 8: what is told is obeyed where it is stricter than the marks, for that version.
TEST_F(Recalled, what_a_manifest_asks_beyond_the_marks_is_obeyed) {
  const auto note = [](int version, const char* pap) {
    char at[32];
    snprintf(at, sizeof at, "2026-01-01T00:00:%02dZ", version);
    return R"({"type":"x-entente-handling","spec_version":"2.1","id":"x-entente-handling--00000000-0000-4000-8000-000000000001","created":")" +
           std::string(at) + R"(","modified":")" + at + R"(","object":")" + Sample{}.id() + R"(","version":")" + at +
           R"(","pap":")" + pap + R"("})";
  };
  page({note(1, "amber"), Sample{}.text()});
  ASSERT_EQ(core->leases(false).size(), 1U);
  EXPECT_EQ(core->leases(false)[0].state, enforce::LeaseState::kShadow)
      << "its mark is PAP:GREEN, its manifest says AMBER";
  restart();
  EXPECT_EQ(core->leases(false)[0].state, enforce::LeaseState::kShadow) << "it is remembered";
  page({Sample{.pattern = "[ipv4-addr:value = '198.51.100.9']", .version = 2}.text()});
  ASSERT_EQ(core->leases(false).size(), 1U);
  EXPECT_EQ(core->leases(false)[0].state, enforce::LeaseState::kActive) << "of the next version nothing more was told";
}

TEST_F(Recalled, of_what_is_no_indicator_the_position_is_told_at_once) {
  page({R"({"type":"malware","spec_version":"2.1","id":"malware--00000000-0000-4000-8000-000000000001",)"
        R"("created":"2026-01-01T00:00:00Z","modified":"2026-02-01T00:00:00Z","is_family":false,"revoked":true})"});
  EXPECT_THAT(core->recall_report(), HasSubstr(":\"" + to_text(clock.now()) + "\"},\"recalled\":[]"));
}

}  // namespace
}  // namespace entente::sensor
