// Neither world takes anything of the other: acts by the names of their keys and by the text that they carry, objects
// by their mark. Both directions of each.
#include "exchange/exercise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement/draft.h"
#include "exchange/handling.h"
#include "exchange/two_nodes.h"

namespace entente::exchange {
namespace {

agreement::SignedAct act(const std::string& kid, std::optional<bool> text = std::nullopt) {
  agreement::SignedAct s;
  s.act.kind = text ? "propose" : "suspend";
  s.act.agreement_id = "urn:uuid:6f1c0f0e-9d1e-5c55-9a53-2b1f6f0d2020";
  s.act.party = "IN";
  s.act.body = json::Node::object();
  if (text) {
    json::Node document = json::Node::object();
    if (*text) document.set("exercise", true);
    s.act.body.set("document", std::move(document));
  }
  const SecretKey key = SecretKey::generate();
  s.sigs.push_back(agreement::sign_act(s.act, kid, key));
  return s;
}

TEST(Exercise, AnActIsOfTheWorldThatItsKeysName) {
  EXPECT_TRUE(exercise_allows(false, act("IN/authority/1")).ok());
  EXPECT_TRUE(exercise_allows(true, act("IN/exercise-authority/1")).ok());
  const Status live = exercise_allows(false, act("IN/exercise-authority/1"));
  const Status game = exercise_allows(true, act("IN/authority/1"));
  ASSERT_FALSE(live.ok());
  ASSERT_FALSE(game.ok());
  EXPECT_EQ(live.error().kind, ErrorKind::kDenied);
  EXPECT_THAT(live.error().text(), ::testing::HasSubstr("EXERCISE"));
  EXPECT_THAT(game.error().text(), ::testing::HasSubstr("EXERCISE"));
  // One key of the other world among right ones is enough.
  auto mixed = act("IN/authority/1");
  mixed.sigs.push_back(act("IN/exercise-authority/2").sigs.front());
  EXPECT_FALSE(exercise_allows(false, mixed).ok());
}

TEST(Exercise, ATextIsOfTheWorldThatItSays) {
  EXPECT_TRUE(exercise_allows(false, act("IN/authority/1", false)).ok());
  EXPECT_TRUE(exercise_allows(true, act("IN/exercise-authority/1", true)).ok());
  EXPECT_FALSE(exercise_allows(false, act("IN/authority/1", true)).ok());
  EXPECT_FALSE(exercise_allows(true, act("IN/exercise-authority/1", false)).ok());
}

TEST(Exercise, AnObjectIsOfTheWorldThatItsMarkSays) {
  const auto refuses = [](bool exercise, const std::string& text) {
    const auto doc = json::parse(text);
    return exercise_refuses(exercise, doc->root());
  };
  const std::string plain = make_indicator("a.example", Time{1'800'000'000'000'000});
  const auto doc = json::parse(plain);
  const std::string marked = exercise_marked(plain, doc->root());
  EXPECT_THAT(marked, ::testing::HasSubstr("\"x_entente_exercise\":true,"));
  EXPECT_TRUE(json::parse(marked).ok());
  const auto again = json::parse(marked);
  EXPECT_EQ(exercise_marked(marked, again->root()), marked) << "once";
  EXPECT_EQ(refuses(false, plain), "");
  EXPECT_EQ(refuses(true, marked), "");
  EXPECT_NE(refuses(false, marked), "");
  EXPECT_NE(refuses(true, plain), "");
  const std::string marking(stix::tlp_object(stix::Tlp::kGreen));
  EXPECT_EQ(refuses(true, marking), "") << "definitions of markings are of both";
}

TEST(Exercise, ATextBindsKeysOfOneWorld) {
  World world({"IN", "JP"});
  ASSERT_TRUE(world.open().ok());
  Text text;
  const std::string plain = world.document({"IN", "JP"}, text);
  ASSERT_TRUE(agreement::parse_document(plain).ok());
  const auto doc = json::parse(plain);
  json::Node flagged = json::Node::from(doc->root());
  flagged.set("exercise", true);
  EXPECT_FALSE(agreement::document_from(flagged).ok()) << "real keys in an exercise";
  json::Node renamed = json::Node::from(doc->root());
  for (auto& key : renamed.find("parties")->list()[0].find("keys")->list()) {
    std::string kid(key.string_at("kid"));
    key.set("kid", kid.insert(3, "exercise-"));
  }
  EXPECT_FALSE(agreement::document_from(renamed).ok()) << "exercise keys in a real text";
  flagged = renamed;
  flagged.set("exercise", true);
  EXPECT_FALSE(agreement::document_from(flagged).ok()) << "one party's keys of each";
}

// release.md invariant 8: what is told to the receiver is at least what the object bears, and what is more than its
// marks stands before it in the collection, for sensors.
TEST(Handling, WhatTheManifestAsksBeyondTheMarksIsNotedBeforeTheObject) {
  World world({"IN", "JP"});
  ASSERT_TRUE(world.open().ok());
  Text text;
  ASSERT_TRUE(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, text)).ok());
  // FIRST IEP: nothing that can be seen outside is permitted. Its definition is no PAP statement: a sensor alone would
  // not know.
  const std::string iep =
      R"({"type":"marking-definition","spec_version":"2.1","id":"marking-definition--33333333-3333-4333-8333-333333333333",)"
      R"("created":"2026-01-01T00:00:00.000Z","name":"IEP","extensions":{)"
      R"("extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a":{"extension_type":"property-extension",)"
      R"("encrypt_in_transit":"may","permitted_actions":"internally-visible-actions",)"
      R"("affected_party_notifications":"may","tlp":"green","provider_attribution":"may","unmodified_resale":"must-not",)"
      R"("iep_id":"0224bfdf-ea3a-49c3-96f6-66d908bb1845","iep_version":2.0,"description":"a policy",)"
      R"("start_date":"2022-10-01T00:00:00Z"}}})";
  const std::string indicator = make_indicator("a.example", world.clock.now());
  const auto doc = json::parse(indicator);
  json::Node strict = json::Node::from(doc->root());
  strict.set("id", "indicator--44444444-4444-4444-8444-444444444444");
  strict.find("object_marking_refs")->push("marking-definition--33333333-3333-4333-8333-333333333333");
  // Told amber, marked nothing, default green: a note. Told green: none.
  EXPECT_NE(handling_note(doc->root(), "indicator--x", "v", stix::Pap::kAmber, std::nullopt, stix::Pap::kGreen,
                          world.clock.now()),
            "");
  EXPECT_EQ(handling_note(doc->root(), "indicator--x", "v", stix::Pap::kGreen, std::nullopt, stix::Pap::kGreen,
                          world.clock.now()),
            "");
  EXPECT_EQ(handling_note(doc->root(), "indicator--x", "v", stix::Pap::kAmber, stix::Pap::kAmber, stix::Pap::kGreen,
                          world.clock.now()),
            "");
  ASSERT_TRUE(world["JP"].publish({indicator, iep, json::write(strict)}).ok());
  ASSERT_TRUE(world.settle().ok());
  const auto told =
      handling_of(*world["IN"].context, world["IN"].exchange->instruments(), std::string(strict.string_at("id")));
  ASSERT_TRUE(told.ok());
  ASSERT_EQ(told->size(), 1U);
  EXPECT_EQ(told->front().pap, stix::Pap::kRed);
  EXPECT_FALSE(told->front().block.allowed);
  store::Query q;
  q.all = true;
  const auto page = world["IN"].store->page(received(text.id, "JP", "IN"), q);
  ASSERT_TRUE(page.ok());
  size_t note = 0, object = 0, notes = 0;
  for (size_t i = 0; i < page->rows.size(); ++i) {
    if (page->rows[i].type == kHandlingType) note = i, ++notes;
    if (page->rows[i].id == strict.string_at("id")) object = i;
  }
  EXPECT_EQ(notes, 1U) << "of the other one the marks say all";
  EXPECT_LT(note, object);
  const std::string id(*json::find_string(doc->root(), "id"));
  const auto all = handling_of(*world["IN"].context, world["IN"].exchange->instruments(), id);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 1U);
  EXPECT_GE(all->front().tlp, stix::Tlp::kGreen);
  EXPECT_TRUE(all->front().monitor.allowed);
  EXPECT_TRUE(all->front().block.allowed) << all->front().block.why;
  ASSERT_TRUE(world["JP"].exchange->recall(id, "").ok());
  ASSERT_TRUE(world.settle().ok());
  const auto after = handling_of(*world["IN"].context, world["IN"].exchange->instruments(), id);
  ASSERT_TRUE(after.ok());
  EXPECT_FALSE(after->front().block.allowed) << "it was taken back";
}

}  // namespace
}  // namespace entente::exchange
