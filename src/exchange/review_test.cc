// Review by people, and what was withheld being decided anew (release.md, steps 3 to 8 over time).
#include "exchange/review.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/names.h"
#include "exchange/two_nodes.h"
#include "stix/marking.h"

namespace entente::exchange {
namespace {

#define ASSERT_OK(expr)                            \
  do {                                             \
    const auto& ok_r = (expr);                     \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

class Anew : public ::testing::Test {
 protected:
  Anew() : world({"IN", "JP"}) {}
  void open(const agreement::Policy& policy = {}) {
    world["JP"].policy = policy;
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, text)));
  }
  uint64_t got() { return world["IN"].store->count(received(text.id, "JP", "IN")); }
  size_t withheld() { return world["JP"].store->all(kWithheldSpace)->size(); }
  static std::string id_of(const std::string& object) {
    return std::string(*json::find_string(json::parse(object)->root(), "id"));
  }
  std::string object(const std::string& type, const std::string& members) {
    const std::string now = to_text(world.clock.now());
    return R"({"type":")" + type + R"(","spec_version":"2.1","id":")" + type + "--" + random_uuid().text() +
           R"(","created":")" + now + R"(","modified":")" + now + R"(",)" + members + "}";
  }
  void publish(const std::vector<std::string>& objects) {
    ASSERT_OK(world["JP"].publish(objects));
    ASSERT_OK(world.settle());
  }
  World world;
  Text text;
};

TEST_F(Anew, TwoPersonsNoneOfThemThePublisherAndOnlyThisVersion) {
  agreement::Policy policy;
  policy.review_from = stix::Tlp::kAmber;
  open(policy);
  const std::string amber = make_indicator("amber.example", world.clock.now(), "amber");
  publish({make_indicator("green.example", world.clock.now(), "green"), amber});
  EXPECT_EQ(got(), 1U) << "what is marked green needs nobody";
  auto& jp = *world["JP"].exchange;
  auto all = waiting_for_review(jp.context());
  ASSERT_OK(all);
  ASSERT_EQ(all->size(), 1U);
  const Waiting w = all->front();
  EXPECT_EQ(w.id, id_of(amber));
  EXPECT_EQ(w.to, "IN");
  ASSERT_FALSE(w.publisher.empty());

  const auto own = jp.approve(w.id, "IN", "person release-officer " + w.publisher);
  ASSERT_FALSE(own.ok()) << "who published it approves it in another role";
  EXPECT_EQ(own.error().kind, ErrorKind::kDenied);
  ASSERT_OK(jp.approve(w.id, "IN", "person release-officer aiko"));
  const auto twice = jp.approve(w.id, "IN", "person admin aiko");
  ASSERT_FALSE(twice.ok()) << "one person in two roles is two";
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 1U) << "one person was enough";
  EXPECT_FALSE(jp.approve(w.id, "US", "person release-officer ben").ok());
  ASSERT_OK(world["JP"].reopen());  // approvals outlive the process
  ASSERT_OK(world["JP"].exchange->approve(w.id, "IN", "person release-officer ben"));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 2U);
  EXPECT_EQ(withheld(), 0U);
  EXPECT_TRUE(waiting_for_review(*world["JP"].context)->empty());
  EXPECT_EQ(world["JP"].store->length("reviews"), 2U);

  // The next version is another object as far as persons are concerned.
  std::string later = amber;
  const std::string before = R"("modified":")" + w.version;
  world.clock.advance_us(1'000'000);
  later.replace(later.find(before), before.size(), R"("modified":")" + to_text(world.clock.now()));
  publish({later});
  EXPECT_EQ(got(), 2U) << "what only waits withdraws nothing";
  ASSERT_EQ(waiting_for_review(*world["JP"].context)->size(), 1U);
  ASSERT_OK(world["JP"].exchange->approve(w.id, "IN", "person release-officer aiko"));
  EXPECT_EQ(world["JP"].store->all("approval")->size(), 1U) << "the approvals of the earlier version are kept for ever";
  ASSERT_OK(world["JP"].exchange->decline(w.id, "IN", "person release-officer ben", "names a source"));
  ASSERT_OK(world.settle());
  EXPECT_TRUE(waiting_for_review(*world["JP"].context)->empty());
  const auto late = world["JP"].exchange->approve(w.id, "IN", "person release-officer aiko");
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::kNotFound);
  const auto rows = world["IN"].store->find(received(text.id, "JP", "IN"), w.id);
  ASSERT_OK(rows);
  EXPECT_TRUE(rows->back().revoked) << "a declined version went all the same";
  ASSERT_OK(world["JP"].exchange->hold(w.id, false));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 3U) << "a version that was withdrawn came back under its own number";
}

TEST_F(Anew, WhatItRefersToComesLater) {
  open();
  const std::string malware = object("malware", R"("name":"Kaolin Loader","is_family":true)");
  const std::string note = object("note", R"("content":"see there","object_refs":[")" + id_of(malware) + "\"]");
  publish({note});
  EXPECT_EQ(got(), 0U);
  ASSERT_EQ(withheld(), 1U);
  publish({malware});
  EXPECT_EQ(got(), 2U) << "the note stayed withheld though what it refers to is given";
  EXPECT_EQ(withheld(), 0U);
}

TEST_F(Anew, AMarkingThatComesLaterAndAHoldThatEnds) {
  open();
  const std::string now = to_text(world.clock.now());
  const std::string marking = "marking-definition--" + random_uuid().text();
  publish({object("malware", R"("name":"Menhir","is_family":true,"object_marking_refs":[")" + marking + "\"]")});
  EXPECT_EQ(got(), 0U);
  publish({R"({"type":"marking-definition","spec_version":"2.1","id":")" + marking + R"(","created":")" + now +
           R"(","definition_type":"statement","definition":{"statement":"Copyright of its author"}})"});
  EXPECT_EQ(got(), 2U);
  const std::string held = make_indicator("held.example", world.clock.now());
  ASSERT_OK(world["JP"].exchange->hold(id_of(held), true));
  publish({held});
  EXPECT_EQ(got(), 2U);
  ASSERT_OK(world["JP"].exchange->hold(id_of(held), false));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 3U) << "the hold has ended, but nobody decided anew";
}

TEST_F(Anew, WhatIsDerivedFromWhatIsHeldBearsItsLabelWhereverTheRelationshipIs) {
  open();
  const std::string source = object("malware", R"("name":"Tamarack","is_family":true,"object_marking_refs":[")" +
                                                   std::string(stix::tlp_id(stix::Tlp::kRed)) + "\"]");
  const std::string derived = make_indicator("derived.example", world.clock.now());
  const std::string link = object("relationship", R"("relationship_type":"derived-from","source_ref":")" +
                                                      id_of(derived) + R"(","target_ref":")" + id_of(source) + "\"");
  publish({source, link});
  publish({derived});  // alone: nothing in it speaks of the relationship
  EXPECT_EQ(got(), 0U) << "derived from TLP:RED and given";
}

TEST_F(Anew, WhatTurnsOutToBeDerivedFromSomethingStricterIsTakenBack) {
  open();
  const auto derives = [&](const std::string& from, const std::string& to) {
    return object("relationship", R"("relationship_type":"derived-from","source_ref":")" + id_of(from) +
                                      R"(","target_ref":")" + id_of(to) + "\"");
  };
  const std::string first = make_indicator("first.example", world.clock.now());
  const std::string second = make_indicator("second.example", world.clock.now());
  const std::string other = make_indicator("other.example", world.clock.now());
  publish({first, second, other, derives(second, first)});
  const auto gone = [&](const std::string& o) {
    return world["IN"].store->find(received(text.id, "JP", "IN"), id_of(o))->back().revoked;
  };
  ASSERT_FALSE(gone(first) || gone(second) || gone(other));
  const std::string open_source = object("malware", R"("name":"Tamarack","is_family":true)");
  world.clock.advance_us(2'000'000);
  publish({open_source, derives(first, open_source)});
  EXPECT_FALSE(gone(first)) << "what it comes from may go as well";
  const std::string source = object("malware", R"("name":"Kaolin","is_family":true,"object_marking_refs":[")" +
                                                   std::string(stix::tlp_id(stix::Tlp::kRed)) + "\"]");
  publish({source, derives(first, source)});
  EXPECT_TRUE(gone(first)) << "derived from TLP:RED, and the partner still has it";
  EXPECT_TRUE(gone(second)) << "derived from what is derived from TLP:RED";
  EXPECT_FALSE(gone(other));
}

TEST_F(Anew, AVersionThatWasWithdrawnDoesNotComeBackANewOneDoes) {
  open();
  const std::string first = make_indicator("back.example", world.clock.now());
  const std::string id = id_of(first);
  publish({first});
  const auto next = [&](const std::string& of) {
    const std::string now = std::string(*json::find_string(json::parse(of)->root(), "modified"));
    std::string out = of;
    const size_t at = out.find("\"modified\":\"" + now);
    world.clock.advance_us(1'000'000);
    return out.replace(at, 12 + now.size(), "\"modified\":\"" + to_text(world.clock.now()));
  };
  const Uuid sent = released(text.id, "JP", "IN");
  ASSERT_OK(world["JP"].exchange->hold(id, true));
  const std::string second = next(first);
  publish({second});
  ASSERT_EQ(world["JP"].store->find(sent, id)->size(), 2U) << "given, and withdrawn";
  const uint64_t rows = world["JP"].store->count(sent);
  ASSERT_OK(world["JP"].exchange->hold(id, false));
  ASSERT_OK(world.settle());
  EXPECT_EQ(world["JP"].store->find(sent, id)->size(), 2U) << "two contents under one version";
  EXPECT_EQ(world["JP"].store->count(sent), rows) << "a manifest announces what is never given";
  publish({next(second)});
  EXPECT_EQ(world["JP"].store->find(sent, id)->size(), 3U);
  EXPECT_FALSE(world["IN"].store->find(received(text.id, "JP", "IN"), id)->back().revoked);
}

TEST_F(Anew, NothingIsWrittenWhileNothingChanges) {
  open();
  publish({object("threat-actor", R"("name":"Quillback")")});
  ASSERT_EQ(withheld(), 1U);
  const uint64_t decisions = world["JP"].store->length("decisions");
  for (int hour = 0; hour < 5; ++hour) {
    world.clock.advance_us(int64_t{3601} * 1'000'000);
    ASSERT_OK(world.settle());
  }
  EXPECT_EQ(world["JP"].store->length("decisions"), decisions);
}

TEST_F(Anew, ADiskThatIsFullSendsNothingAndCountsNothing) {
  open();
  world["JP"].files.fail_at(0);
  ASSERT_OK(world["JP"].publish({make_indicator("full.example", world.clock.now())}));
  const auto step = world["JP"].exchange->release_step();
  if (!step.ok()) {
    EXPECT_THAT(step.error().text(), ::testing::HasSubstr("LOG_FAILED"));
  }
  const auto client = world["JP"].client(world["IN"].spki);
  ASSERT_OK(world["IN"].exchange->receiver().pull_objects(*client, "JP", text.id, 0));
  EXPECT_EQ(got(), 0U);
  world["JP"].files.fail_at(-1);
  world["JP"].exchange->tick();
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 1U);
  uint64_t released = 0;
  for (const auto& [pair, count] : world["JP"].exchange->releaser().counts()) released += count.released;
  EXPECT_EQ(released, 1U) << "an attempt that failed was counted";
}

}  // namespace
}  // namespace entente::exchange
