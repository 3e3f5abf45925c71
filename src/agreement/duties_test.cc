// The clocks of an agreement's service levels: which level fits, when it is due, what is met, late and overdue.
#include "agreement/duties.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement/story_for_test.h"

namespace entente::agreement {
namespace {

using json::Node;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kHour;
using testing::kT0;
using testing::sample;
using testing::sample_node;
using ::testing::SizeIs;

constexpr int64_t kMinute = kHour / 60;

Node level(const char* id, const char* act, Node trigger, const char* within, const char* clock) {
  Node n = Node::object();
  n.set("id", id).set("art", "3(3)").set("act", act).set("trigger", std::move(trigger)).set("within", within);
  return n.set("clock", clock).set("hours", "24x7");
}

Document with(Node::List levels) {
  Node d = sample_node();
  d.set("service_levels", Node(std::move(levels)));
  return sample(d);
}

// The levels of the published India–Japan example.
Document example() {
  return with({level("sla-critical", "release",
                     Node::object()
                         .set("min_confidence", 70)
                         .set("severity", "critical")
                         .set("sectors", testing::texts({"5g", "it-infrastructure"})),
                     "PT30M", "committed"),
               level("sla-routine", "release", Node::object().set("any", true), "PT24H", "committed"),
               level("sla-ack", "acknowledge", Node::object().set("received", true), "PT5M", "received"),
               level("sla-consent", "answer", Node::object().set("request", "onward"), "PT4H", "received"),
               level("sla-claim", "answer", Node::object().set("request", "false-positive"), "PT2H", "received"),
               level("sla-outcome", "report_outcome", Node::object().set("joint_case", true), "PT12H", "received")});
}

DutyFact fact(Trigger trigger, const char* act, int64_t met_after = -1) {
  DutyFact f;
  f.trigger = trigger;
  f.act = act;
  f.obligor = "JP";
  f.to = "IN";
  f.subject = "x";
  f.committed = kT0;
  f.received = kT0.plus_us(kMinute);
  if (met_after >= 0) f.met = kT0.plus_us(met_after);
  return f;
}

std::vector<Duty> of(const DutyFact& f, int64_t after, const Document& doc = example()) {
  const auto levels = service_levels(doc);
  return duties(levels, std::span(&f, 1), kT0.plus_us(after));
}

TEST(Duties, TheClockStartsWhereTheLevelSays) {
  const auto d = of(fact(Trigger::kOnwardRequest, "answer"), kHour);
  ASSERT_THAT(d, SizeIs(1));
  EXPECT_EQ(d[0].level, "sla-consent");
  EXPECT_EQ(d[0].article, "3(3)");
  EXPECT_EQ(d[0].started, kT0.plus_us(kMinute)) << "received";
  EXPECT_EQ(d[0].due, kT0.plus_us(kMinute + 4 * kHour));
  auto o = fact(Trigger::kObject, "release");
  EXPECT_EQ(of(o, kHour).at(0).started, kT0) << "committed";
}

TEST(Duties, DueIsStillInTimeAndAMicrosecondLaterIsNot) {
  const int64_t due = kMinute + 4 * kHour;
  EXPECT_EQ(of(fact(Trigger::kOnwardRequest, "answer"), due).at(0).state, DutyState::kOpen);
  EXPECT_EQ(of(fact(Trigger::kOnwardRequest, "answer"), due + 1).at(0).state, DutyState::kOverdue);
  EXPECT_EQ(of(fact(Trigger::kOnwardRequest, "answer", due), due + kHour).at(0).state, DutyState::kMet);
  EXPECT_EQ(of(fact(Trigger::kOnwardRequest, "answer", due + 1), due + kHour).at(0).state, DutyState::kLate);
  // What will be done later is not done yet.
  EXPECT_EQ(of(fact(Trigger::kOnwardRequest, "answer", due), due - 1).at(0).state, DutyState::kOpen);
}

TEST(Duties, NothingIsDueBeforeItBegan) { EXPECT_THAT(of(fact(Trigger::kOnwardRequest, "answer"), 0), IsEmpty()); }

TEST(Duties, OfSeveralLevelsTheShortestIsTheDuty) {
  auto f = fact(Trigger::kObject, "release");
  EXPECT_EQ(of(f, 1).at(0).level, "sla-routine") << "nothing is known of the object";
  f.object = DutyObject{"indicator", "critical", 70, {"5g"}};
  EXPECT_EQ(of(f, 1).at(0).level, "sla-critical");
  f.object->confidence = 69;
  EXPECT_EQ(of(f, 1).at(0).level, "sla-routine");
  f.object = DutyObject{"indicator", "high", 90, {"5g"}};
  EXPECT_EQ(of(f, 1).at(0).level, "sla-routine");
  f.object = DutyObject{"indicator", "critical", 90, {"energy"}};
  EXPECT_EQ(of(f, 1).at(0).level, "sla-routine");
  f.object = DutyObject{"indicator", "critical", 90, {}};
  EXPECT_EQ(of(f, 1).at(0).level, "sla-routine") << "a sector that is not stated is none of those";
}

TEST(Duties, EveryKindOfTriggerHasItsLevel) {
  const std::vector<std::pair<DutyFact, std::string>> cases = {
      {fact(Trigger::kReceived, "acknowledge"), "sla-ack"},
      {fact(Trigger::kRecall, "acknowledge"), "sla-ack"},
      {fact(Trigger::kOnwardRequest, "answer"), "sla-consent"},
      {fact(Trigger::kFalsePositive, "answer"), "sla-claim"},
      {fact(Trigger::kJointCase, "report_outcome"), "sla-outcome"},
  };
  for (const auto& [f, want] : cases) {
    const auto d = of(f, kHour);
    ASSERT_THAT(d, SizeIs(1)) << want;
    EXPECT_EQ(d[0].level, want);
  }
  EXPECT_THAT(of(fact(Trigger::kJointCase, "answer"), kHour), IsEmpty()) << "the text has no level for it";
  const Document more =
      with({level("sla-recall", "acknowledge", Node::object().set("recall", true), "PT1M", "received"),
            level("sla-joint", "answer", Node::object().set("joint_case", true), "PT1H", "received"),
            level("sla-incident", "release", Node::object().set("object_types", testing::texts({"incident"})), "PT1H",
                  "committed")});
  EXPECT_EQ(of(fact(Trigger::kRecall, "acknowledge"), kHour, more).at(0).level, "sla-recall");
  EXPECT_THAT(of(fact(Trigger::kReceived, "acknowledge"), kHour, more), IsEmpty());
  EXPECT_EQ(of(fact(Trigger::kJointCase, "answer"), kHour, more).at(0).level, "sla-joint");
  auto incident = fact(Trigger::kObject, "release");
  incident.object = DutyObject{"incident", "", {}, {}};
  EXPECT_EQ(of(incident, kHour, more).at(0).level, "sla-incident");
  incident.object->type = "indicator";
  EXPECT_THAT(of(incident, kHour, more), IsEmpty());
}

TEST(Duties, WhatAMachineCannotClockIsNamed) {
  Node office = level("office", "answer", Node::object().set("request", "onward"), "PT4H", "received");
  office.set("hours", "09:00-17:00");
  std::vector<std::string> others;
  const auto levels = service_levels(
      with({office, level("word", "answer", Node::object().set("request", "visit"), "PT4H", "received"),
            level("period", "answer", Node::object().set("request", "onward"), "soon", "received"),
            level("unknown", "release", Node::object().set("any", true).set("moon", "full"), "PT4H", "committed")}),
      &others);
  EXPECT_THAT(levels, IsEmpty());
  EXPECT_THAT(others, ElementsAre("office", "word", "period", "unknown"));
}

TEST(Duties, OfficeHoursAreThoseOfWhoOwesTheAct) {
  Node n = level("sla-answer", "answer", Node::object().set("request", "onward"), "PT4H", "received");
  n.set("hours", Node::object().set("IN", "Mon-Fri 09:00-17:00 +05:30").set("JP", "24x7"));
  n.set("holidays", Node::object().set("IN", testing::texts({"2027-01-26"})));
  std::vector<std::string> others;
  const auto levels = service_levels(with({n}), &others);
  ASSERT_THAT(levels, SizeIs(1));
  EXPECT_THAT(others, IsEmpty());
  DutyFact f = fact(Trigger::kOnwardRequest, "answer");
  f.committed = f.received = *parse_time("2027-01-25T10:30:00Z");  // Monday 16:00 in Delhi, the day before a holiday
  f.met.reset();
  for (const auto& [who, due] : {std::pair{"IN", "2027-01-27T06:30:00Z"}, {"JP", "2027-01-25T14:30:00Z"}}) {
    f.obligor = who;
    const auto found = duties(levels, std::vector{f}, f.received.plus_us(kHour));
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].due, *parse_time(due)) << who;
  }
  EXPECT_GE(add(f.received, levels[0].longest()), *parse_time("2027-01-27T06:30:00Z"));
}

TEST(Duties, OfficeHoursThatAreNotPlainAreKeptByPeople) {
  const auto kept = [](const char* within, Node hours) {
    Node n = level("x", "answer", Node::object().set("request", "onward"), within, "received");
    n.set("hours", std::move(hours));
    return service_levels(with({n})).empty();
  };
  EXPECT_FALSE(kept("PT4H", Node("Mon-Fri 09:00-17:00 Z")));
  EXPECT_TRUE(kept("P1D", Node("Mon-Fri 09:00-17:00 Z"))) << "a day of office time is ambiguous";
  EXPECT_TRUE(kept("PT2001H", Node("Mon-Fri 09:00-17:00 Z")));
  EXPECT_TRUE(kept("PT4H", Node("Mon-Fri 09:00-17:00"))) << "no offset";
  EXPECT_TRUE(kept("PT4H", Node::object().set("IN", "24x7"))) << "JP is not named; it was clocked as if open always";
  EXPECT_TRUE(kept("PT4H", Node(int64_t{7})));
}

TEST(Duties, AnObjectSaysItsSeverityByPropertyOrLabel) {
  const auto a = duty_object(R"({"type":"incident","severity":"critical","confidence":70,"sectors":["5g"]})");
  EXPECT_EQ(a.severity, "critical");
  EXPECT_EQ(a.confidence, 70);
  EXPECT_THAT(a.sectors, ElementsAre("5g"));
  EXPECT_EQ(duty_object(R"({"type":"indicator","labels":["x","severity:high"]})").severity, "high");
  EXPECT_EQ(duty_object("not json").type, "");
}

TEST(Duties, TheOrderOfFactsChangesNothing) {
  std::vector<DutyFact> facts;
  for (int i = 0; i < 20; ++i) {
    facts.push_back(fact(i % 2 ? Trigger::kReceived : Trigger::kOnwardRequest, i % 2 ? "acknowledge" : "answer"));
    facts.back().subject = std::to_string(i);
    facts.back().received = kT0.plus_us(i % 5 * kMinute);
  }
  const auto doc = example();
  const auto levels = service_levels(doc);
  const auto print = [&] {
    std::string out;
    for (const Duty& d : duties(levels, facts, kT0.plus_us(kHour))) out += d.level + d.subject + to_text(d.due) + "\n";
    return out;
  };
  const std::string want = print();
  std::reverse(facts.begin(), facts.end());
  EXPECT_EQ(print(), want);
}

}  // namespace
}  // namespace entente::agreement
