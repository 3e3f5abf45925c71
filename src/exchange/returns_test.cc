// `on_end: return`: what is over is handed back to its originator, and destroyed only when that has confirmed it, or
// when the time that the text gives is over.
#include "exchange/returns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/deletion.h"
#include "exchange/destruction.h"
#include "exchange/recall.h"
#include "exchange/two_nodes_for_test.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

using json::Node;
constexpr int64_t kHour = int64_t{3600} * 1'000'000;
constexpr int64_t kDay = 24 * kHour;

std::string id_of(const std::string& object) {
  const auto doc = json::parse(object);
  return std::string(*json::find_string(doc->root(), "id"));
}

class HandingBack : public ::testing::Test {
 protected:
  HandingBack() : world({"IN", "JP"}) {}
  void SetUp() override { ASSERT_OK(world.open()); }
  void in_force(std::string_view receipt = "PT72H") {
    const auto doc = json::parse(world.document({"IN", "JP"}, text));
    Node n = Node::from(doc->root());
    Node retention = Node::from(*json::find(doc->root(), "retention"));
    retention.set("on_end", "return");
    if (receipt.empty()) {
      Node without = Node::object();
      for (const auto& [name, value] : retention.members())
        if (name != "deletion_receipt") without.set(name, value);
      retention = without;
    } else {
      retention.set("deletion_receipt", std::string(receipt));
    }
    n.set("retention", retention);
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, json::write(n)));
  }
  std::string publish(const std::string& name) {
    const std::string o = make_indicator(name, world.clock.now(), "amber");
    EXPECT_TRUE(world["JP"].publish({o}).ok());
    EXPECT_TRUE(world.settle().ok());
    return id_of(o);
  }
  void end() {
    ASSERT_OK(world.act("IN", "withdraw", text.id));
    ASSERT_OK(world.carry_acts());
    world.clock.advance_us(400 * kDay);
    ASSERT_FALSE(world["IN"].exchange->instruments().state(text.id)->live("IN", "JP"));
  }
  Destroyed run() {
    const auto done = world["IN"].exchange->destruction().run();
    EXPECT_TRUE(done.ok()) << done.error().text();
    return done.ok() ? *done : Destroyed{};
  }
  ReturnEntry only(const std::string& of) {
    const auto all = returns(*world[of].store);
    EXPECT_TRUE(all.ok());
    EXPECT_EQ(all->size(), 1U);
    return all->empty() ? ReturnEntry{} : all->front();
  }
  std::string word(const std::string& of) { return std::string(only(of).word(world.clock.now())); }
  bool here(const std::string& id) {
    const auto rows = world["IN"].store->find(received(text.id, "JP", "IN"), id);
    return !rows->empty() && !rows->back().revoked;
  }
  std::string raw(const std::string& of, const Uuid& collection, const std::string& id) {
    const auto rows = world[of].store->find(collection, id);
    return rows->empty() ? "" : *world[of].store->raw(rows->back());
  }
  Return statement(const std::string& of = "IN") {
    const auto doc = json::parse(raw(of, released(text.id, "IN", "JP"), only(of).id));
    auto r = parse_return(doc->root());
    EXPECT_TRUE(r.ok());
    return *r;
  }
  // Signs with this key, as said by `from`, and lets the other side read it.
  template <class S>
  void say(const StatementKind& kind, S s, const SecretKey& key) {
    s.id = std::string(kind.type) + "--" + random_uuid().text();
    s.agreement = text.id;
    s.at = world.clock.now();
    s.salt = random_bytes(32);
    const std::string record = s.record();
    ledger::Leaf leaf;
    leaf.agreement = text.id;
    leaf.agreement_version = sha256_hex("text");
    leaf.kind = kind.leaf;
    leaf.recipient = s.to;
    leaf.by = s.from + "/node/1";
    leaf.at = s.at;
    leaf.commitment = ledger::commit_to(s.salt, record);
    s.leaf = leaf.text();
    s.kid = s.from + "/node/1";
    s.signature = sign_statement(kind, s, record, key);
    const std::string object = statement_object(kind, s, record);
    const auto doc = json::parse(object);
    store::Change change;
    change.add(released(text.id, s.from, s.to), *stix::summarize(doc->root()), object, RowMeta{}.text());
    ASSERT_OK(world[s.from].store->commit_wait(std::move(change)));
    const auto client = world[s.from].client(world[s.to].spki);
    auto& receiver = world[s.to].exchange->receiver();
    const bool live = world[s.to].exchange->instruments().state(text.id)->live(s.from, s.to);
    ASSERT_OK(live ? receiver.pull_objects(*client, s.from, text.id, 0)
                   : receiver.pull_recalls(*client, s.from, text.id, 0));
  }
  World world;
  Text text;
};

TEST_F(HandingBack, NothingIsDestroyedBeforeTheOriginatorConfirmed) {
  in_force();
  const std::string a = publish("a.example"), b = publish("b.example");
  end();
  auto done = run();
  EXPECT_EQ(done.handed_back, 2U);
  EXPECT_EQ(done.objects + done.receipts, 0U);
  EXPECT_TRUE(here(a) && here(b));
  done = run();
  EXPECT_EQ(done.waiting, 2U) << "it waits, and is not said twice";
  EXPECT_EQ(done.objects + done.handed_back, 0U);
  EXPECT_EQ(word("IN"), "waiting");
  const std::string said = raw("IN", released(text.id, "IN", "JP"), only("IN").id);
  EXPECT_THAT(said, ::testing::Not(::testing::HasSubstr(a))) << "it names rows, no objects";
  EXPECT_EQ(statement().objects(), 2U);
  ASSERT_OK(world.settle());
  EXPECT_EQ(word("JP"), "confirmed");
  EXPECT_EQ(word("IN"), "confirmed");
  EXPECT_EQ(only("JP").objects, 2U);
  EXPECT_TRUE(here(a) && here(b)) << "reading the confirmation destroys nothing yet";
  done = run();
  EXPECT_EQ(done.objects, 2U);
  EXPECT_EQ(done.receipts, 1U);
  EXPECT_FALSE(here(a) || here(b));
  EXPECT_EQ(word("IN"), "destroyed");
  ASSERT_OK(world.settle());
  const auto holders = recall_status(*world["JP"].context, world["JP"].exchange->instruments(), a);
  ASSERT_OK(holders);
  EXPECT_TRUE(holders->front().destroyed);
  EXPECT_EQ(run().objects + run().handed_back, 0U) << "once";
  store::Store fresh;
  const auto findings = world["IN"].log->check(fresh, nullptr);
  ASSERT_OK(findings);
  EXPECT_THAT(*findings, ::testing::IsEmpty());
}

TEST_F(HandingBack, AConfirmationWakesTheDestruction) {
  in_force();
  const std::string a = publish("a.example");
  end();
  run();
  ASSERT_OK(world.settle());
  ASSERT_OK(world["IN"].exchange->returns().look());
  world["IN"].exchange->destruction().tick();
  EXPECT_FALSE(here(a)) << "not an hour later";
}

TEST_F(HandingBack, WhatIsOverItsTermInForceIsHandedBackToo) {
  in_force();
  const std::string a = publish("old.example");
  world.clock.advance_us(700 * kDay);
  const std::string b = publish("new.example");
  world.clock.advance_us(31 * kDay);
  EXPECT_EQ(run().handed_back, 1U);
  EXPECT_TRUE(here(a));
  ASSERT_OK(world.settle());
  ASSERT_OK(world.settle());
  EXPECT_EQ(word("IN"), "confirmed");
  EXPECT_EQ(run().objects, 1U);
  EXPECT_FALSE(here(a));
  EXPECT_TRUE(here(b));
  EXPECT_FALSE(world["JP"].exchange->mirrors().health(text.id, "IN").conflict);
}

TEST_F(HandingBack, AForgedOrForeignAnswerChangesNothing) {
  in_force();
  const std::string a = publish("a.example");
  end();
  run();
  ReturnAnswer answer;
  answer.from = "JP";
  answer.to = "IN";
  answer.about = only("IN").id;
  answer.leaf_sha256 = sha256_hex(statement().leaf);
  const SecretKey& jp = world["JP"].context->node_key;
  say(kReturnAnswer, answer, SecretKey::generate());
  EXPECT_EQ(word("IN"), "waiting") << "another key";
  ReturnAnswer other = answer;
  other.about = std::string(kReturn.type) + "--" + random_uuid().text();
  say(kReturnAnswer, other, jp);
  other = answer;
  other.leaf_sha256 = sha256_hex("another leaf");
  say(kReturnAnswer, other, jp);
  EXPECT_EQ(word("IN"), "waiting") << "about another statement, of another leaf";
  EXPECT_EQ(run().objects, 0U);
  EXPECT_TRUE(here(a));
  other = answer;
  other.differs = {statement().rows[0].manifest};
  say(kReturnAnswer, other, jp);
  EXPECT_EQ(word("IN"), "differs");
  EXPECT_EQ(run().objects, 0U) << "a refusal is no confirmation";
  say(kReturnAnswer, answer, jp);
  EXPECT_EQ(word("IN"), "confirmed") << "the partner's own is taken";
  say(kReturnAnswer, other, jp);
  EXPECT_EQ(word("IN"), "confirmed") << "and stays";
  EXPECT_EQ(run().objects, 1U);
}

TEST_F(HandingBack, TheOriginatorChecksTheOctetsAgainstWhatItGave) {
  in_force();
  publish("a.example");
  end();
  run();
  const SecretKey& in = world["IN"].context->node_key;
  Return r = statement();
  const Return good = r;
  r.rows[0].digest = sha256_hex("other octets");
  say(kReturn, r, in);
  ASSERT_OK(world["JP"].exchange->returns().look());
  const auto all = returns(*world["JP"].store);
  ASSERT_OK(all);
  std::vector<std::string> words;
  for (const auto& e : *all) words.emplace_back(e.word(world.clock.now()));
  EXPECT_THAT(words, ::testing::UnorderedElementsAre("confirmed", "differs"));
  r = good;
  r.rows[0].rows.push_back(99);
  say(kReturn, r, in);
  r = good;
  r.rows[0].manifest = "x-entente-manifest--" + random_uuid().text();
  say(kReturn, r, in);
  say(kReturn, good, SecretKey::generate());
  ASSERT_OK(world["JP"].exchange->returns().look());
  size_t confirmed = 0, differs = 0;
  const auto later = returns(*world["JP"].store);
  ASSERT_OK(later);
  for (const auto& e : *later) {
    confirmed += e.state == ReturnState::kConfirmed ? 1 : 0;
    differs += e.state == ReturnState::kDiffers ? 1 : 0;
  }
  EXPECT_EQ(confirmed, 1U);
  EXPECT_EQ(differs, 2U) << "a row that the manifest has not; what names no manifest of ours is not even kept";
}

TEST_F(HandingBack, WithoutAConfirmationItGoesAfterThreeQuartersOfTheReceiptsTime) {
  in_force("PT72H");
  const std::string a = publish("a.example");
  end();
  run();
  world.clock.advance_us(54 * kHour - 1'000'000);
  EXPECT_EQ(run().objects, 0U);
  EXPECT_EQ(word("IN"), "waiting");
  world.clock.advance_us(2'000'000);
  EXPECT_EQ(word("IN"), "overdue");
  EXPECT_EQ(run().objects, 1U);
  EXPECT_FALSE(here(a));
  EXPECT_EQ(word("IN"), "unconfirmed");
  ASSERT_OK(world.settle());
  store::Query q;
  q.all = true;
  q.types = {std::string(kDeletionType)};
  const auto page = world["JP"].store->page(evidence_of(text.id, "IN", "JP"), q);
  ASSERT_OK(page);
  ASSERT_EQ(page->rows.size(), 1U);
  EXPECT_THAT(*world["JP"].store->raw(page->rows[0]), ::testing::HasSubstr("not confirmed in time"));
}

TEST_F(HandingBack, ATextWithoutATimeWaitsForTheConfirmation) {
  in_force("");
  const std::string a = publish("a.example");
  end();
  run();
  world.clock.advance_us(1000 * kDay);
  EXPECT_EQ(run().objects, 0U);
  EXPECT_EQ(word("IN"), "waiting");
  EXPECT_TRUE(here(a));
}

TEST_F(HandingBack, AHoldKeepsItHereUntilItEnds) {
  in_force();
  const std::string a = publish("a.example"), b = publish("b.example");
  ASSERT_OK(world["IN"].exchange->hold(a, true));
  end();
  EXPECT_EQ(run().handed_back, 1U);
  ASSERT_OK(world["IN"].exchange->hold(b, true));  // after it was handed back
  ASSERT_OK(world.settle());
  EXPECT_EQ(run().objects, 0U);
  EXPECT_TRUE(here(b));
  ASSERT_OK(world["IN"].exchange->hold(a, false));
  ASSERT_OK(world["IN"].exchange->hold(b, false));
  const auto done = run();
  EXPECT_EQ(done.objects, 1U) << "b was confirmed";
  EXPECT_EQ(done.handed_back, 1U) << "a was not handed back yet";
  ASSERT_OK(world.settle());
  EXPECT_EQ(run().objects, 1U);
}

TEST_F(HandingBack, KilledAnywhereItGoesOnWhereItWas) {
  in_force();
  const std::string a = publish("a.example"), b = publish("b.example");
  end();
  for (const std::string node : {"IN", "JP"}) ASSERT_OK(world[node].reopen());
  EXPECT_EQ(run().handed_back, 2U);
  for (const std::string node : {"IN", "JP"}) ASSERT_OK(world[node].reopen());
  EXPECT_EQ(run().waiting, 2U);
  const auto client = world["IN"].client(world["JP"].spki);
  ASSERT_OK(world["JP"].exchange->receiver().pull_recalls(*client, "IN", text.id, 0));
  ASSERT_OK(world["JP"].reopen());  // taken and not answered
  ASSERT_OK(world["JP"].exchange->returns().look());
  EXPECT_EQ(*world["JP"].exchange->returns().look(), 0U) << "answered once";
  ASSERT_OK(world["JP"].reopen());
  ASSERT_OK(world.settle());
  ASSERT_OK(world["IN"].reopen());
  EXPECT_EQ(word("IN"), "confirmed");
  EXPECT_EQ(run().objects, 2U);
  ASSERT_OK(world["IN"].reopen());
  EXPECT_EQ(word("IN"), "destroyed");
  EXPECT_FALSE(here(a) || here(b));
}

TEST_F(HandingBack, AStatementOfAnotherShapeIsRefused) {
  Return r;
  r.from = "IN";
  r.to = "JP";
  r.agreement = text.id;
  r.at = world.clock.now();
  r.id = std::string(kReturn.type) + "--" + random_uuid().text();
  r.salt = random_bytes(32);
  r.signature = std::string(64, 'x');
  const auto read = [&](const std::string& record) {
    Return x = r;
    ledger::Leaf leaf;
    leaf.agreement = text.id;
    leaf.agreement_version = sha256_hex("text");
    leaf.kind = kReturn.leaf;
    leaf.recipient = "JP";
    leaf.by = "IN/node/1";
    leaf.at = x.at;
    leaf.commitment = ledger::commit_to(x.salt, record);
    x.leaf = leaf.text();
    const auto doc = json::parse(statement_object(kReturn, x, record));
    return parse_return(doc->root()).ok();
  };
  const std::string m = "x-entente-manifest--" + random_uuid().text();
  r.rows = {{m, {0, 2}, sha256_hex("")}};
  const std::string good = r.record();
  EXPECT_TRUE(read(good));
  EXPECT_FALSE(read(good + " ")) << "not canonical";
  r.rows = {{m, {2, 0}, ""}};
  EXPECT_FALSE(read(r.record())) << "not ascending";
  r.rows = {{m, {0}, ""}, {m, {1}, ""}};
  EXPECT_FALSE(read(r.record())) << "a manifest twice";
  r.rows = {{m, {}, ""}};
  EXPECT_FALSE(read(r.record())) << "no rows";
  r.rows.clear();
  EXPECT_FALSE(read(r.record())) << "nothing";
}

}  // namespace
}  // namespace entente::exchange
