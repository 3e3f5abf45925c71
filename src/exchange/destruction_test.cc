// Retention: what a partner gave is destroyed when its term is over, so that no octet of it is left in store or log,
// the partner has a signed receipt, the ledger a leaf, and everything that proves the exchange still verifies.
#include "exchange/destruction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/deletion.h"
#include "exchange/exchange.h"
#include "exchange/recall.h"
#include "exchange/two_nodes_for_test.h"
#include "exchange/wire.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

constexpr int64_t kDay = int64_t{86'400} * 1'000'000;

std::string id_of(const std::string& object) {
  const auto doc = json::parse(object);
  return std::string(*json::find_string(doc->root(), "id"));
}

class Retention : public ::testing::Test {
 protected:
  Retention() : world({"IN", "JP"}) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, text)));
  }
  std::string publish(const std::string& name, const std::string& tlp = "amber") {
    const std::string o = make_indicator(name, world.clock.now(), tlp);
    EXPECT_TRUE(world["JP"].publish({o}).ok());
    EXPECT_TRUE(world.settle().ok());
    return id_of(o);
  }
  std::vector<store::Row> here(const std::string& id) {
    return *world["IN"].store->find(received(text.id, "JP", "IN"), id);
  }
  // Does any item of the log hold these octets?
  bool in_the_log(const std::string& octets, const std::string& of = "IN") {
    bool found = false;
    EXPECT_TRUE(world[of]
                    .log
                    ->replay(1,
                             [&](const log::Entry& e) {
                               for (const auto& item : e.items) found = found || item.find(octets) != std::string::npos;
                               return true;
                             })
                    .ok());
    return found;
  }
  std::vector<std::string> check(const std::string& of) {
    store::Store fresh;
    const auto findings = world[of].log->check(fresh, nullptr);
    EXPECT_TRUE(findings.ok());
    return findings.ok() ? *findings : std::vector<std::string>{findings.error().text()};
  }
  World world;
  Text text;
};

// The draft says: green 1825 days, amber 730, amber+strict 365, article 5.
TEST_F(Retention, NothingIsDestroyedBeforeItsTerm) {
  const std::string id = publish("a.example");
  world.clock.advance_us(729 * kDay);
  const auto done = world["IN"].exchange->destruction().run();
  ASSERT_OK(done);
  EXPECT_EQ(done->objects, 0U);
  ASSERT_EQ(here(id).size(), 1U);
  EXPECT_FALSE(here(id)[0].revoked);
  const auto listed = world["IN"].exchange->destruction().list(false, 100);
  ASSERT_OK(listed);
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ((*listed)[0].term.why, "730 days at tlp:amber");
  EXPECT_FALSE((*listed)[0].term.article.empty());
}

TEST_F(Retention, WhatIsOverIsGoneFromStoreAndLogAndEverythingStillVerifies) {
  const std::string id = publish("overdue.example");
  const std::string strict = publish("longer.example", "green");
  ASSERT_TRUE(in_the_log("overdue.example"));
  world.clock.advance_us(731 * kDay);
  const auto done = world["IN"].exchange->destruction().run();
  ASSERT_OK(done);
  EXPECT_EQ(done->objects, 1U);
  EXPECT_EQ(done->manifests, 1U) << "the manifest named nothing else";
  EXPECT_FALSE(in_the_log("overdue.example"));
  EXPECT_FALSE(in_the_log("\"objects\":[[\"" + id)) << "nor the manifest that named it";
  EXPECT_TRUE(in_the_log("longer.example"));
  ASSERT_EQ(here(id).size(), 1U);
  EXPECT_TRUE(here(id)[0].revoked) << "a tombstone for sensors";
  EXPECT_FALSE(here(strict)[0].revoked);
  EXPECT_THAT(check("IN"), ::testing::IsEmpty()) << "the log replays to the same tables";
  ASSERT_OK(world["IN"].reopen());
  EXPECT_FALSE(in_the_log("overdue.example"));
  EXPECT_THAT(check("IN"), ::testing::IsEmpty());
  const auto again = world["IN"].exchange->destruction().run();
  ASSERT_OK(again);
  EXPECT_EQ(again->objects + again->receipts, 0U) << "once";
}

TEST_F(Retention, ThePartnerGetsASignedReceiptThatItsManifestMakesPlain) {
  const std::string id = publish("overdue.example");
  world.clock.advance_us(731 * kDay);
  ASSERT_OK(world["IN"].exchange->destruction().run());
  ASSERT_OK(world.settle());
  ASSERT_OK(world.settle());
  const auto holders = recall_status(*world["JP"].context, world["JP"].exchange->instruments(), id);
  ASSERT_OK(holders);
  ASSERT_EQ(holders->size(), 1U);
  ASSERT_TRUE(holders->front().destroyed);
  // The receipt is a leaf of the ledger, and names no object.
  store::Query q;
  q.all = true;
  q.types = {std::string(kDeletionType)};
  const auto page = world["JP"].store->page(evidence_of(text.id, "IN", "JP"), q);
  ASSERT_OK(page);
  ASSERT_EQ(page->rows.size(), 1U);
  const auto raw = world["JP"].store->raw(page->rows[0]);
  ASSERT_OK(raw);
  EXPECT_THAT(*raw, ::testing::Not(::testing::HasSubstr(id)));
  const auto doc = json::parse(*raw);
  const auto d = parse_deletion(doc->root());
  ASSERT_OK(d);
  EXPECT_EQ(d->destroyed.size(), 1U);
  EXPECT_FALSE(d->article.empty());
  EXPECT_FALSE(world["JP"].exchange->mirrors().health(text.id, "IN").conflict);
  // A recall of it afterwards is answered: purged.
  ASSERT_OK(world["JP"].exchange->recall(id, "late"));
  ASSERT_OK(world.settle());
  ASSERT_OK(world.settle());
  const auto after = recall_status(*world["JP"].context, world["JP"].exchange->instruments(), id);
  ASSERT_OK(after);
  ASSERT_TRUE(after->front().answer);
  EXPECT_EQ(after->front().answer->own.copies.state, "purged");
}

TEST_F(Retention, AHoldKeepsItAndTheReceiptSaysSo) {
  const std::string id = publish("evidence.example");
  const std::string other = publish("other.example");
  ASSERT_OK(world["IN"].exchange->hold(id, true));
  world.clock.advance_us(731 * kDay);
  const auto done = world["IN"].exchange->destruction().run();
  ASSERT_OK(done);
  EXPECT_EQ(done->objects, 1U);
  EXPECT_EQ(done->held, 1U);
  EXPECT_TRUE(in_the_log("evidence.example"));
  EXPECT_FALSE(in_the_log("other.example"));
  ASSERT_OK(world.settle());
  ASSERT_OK(world.settle());
  store::Query q;
  q.all = true;
  q.types = {std::string(kDeletionType)};
  const auto page = world["JP"].store->page(evidence_of(text.id, "IN", "JP"), q);
  ASSERT_OK(page);
  ASSERT_EQ(page->rows.size(), 1U);
  const auto raw = world["JP"].store->raw(page->rows[0]);
  ASSERT_OK(raw);
  EXPECT_THAT(*raw, ::testing::HasSubstr("legal hold"));
  // The hold ends: it goes.
  ASSERT_OK(world["IN"].exchange->hold(id, false));
  const auto later = world["IN"].exchange->destruction().run();
  ASSERT_OK(later);
  EXPECT_EQ(later->objects, 1U);
  EXPECT_FALSE(in_the_log("evidence.example"));
}

TEST_F(Retention, AtTheEndOfTheAgreementAllGoesAndTheReceiptArrives) {
  const std::string id = publish("green.example", "green");
  ASSERT_OK(world.act("IN", "withdraw", text.id));
  ASSERT_OK(world.carry_acts());
  world.clock.advance_us(400 * kDay);
  ASSERT_FALSE(world["IN"].exchange->instruments().state(text.id)->live("IN", "JP"));
  const auto done = world["IN"].exchange->destruction().run();
  ASSERT_OK(done);
  EXPECT_EQ(done->objects, 1U);
  EXPECT_FALSE(in_the_log("green.example"));
  EXPECT_TRUE(in_the_log("green.example", "JP")) << "its originator keeps its own";
  ASSERT_OK(world.settle());
  ASSERT_OK(world.settle());
  const auto holders = recall_status(*world["JP"].context, world["JP"].exchange->instruments(), id);
  ASSERT_OK(holders);
  ASSERT_EQ(holders->size(), 1U);
  EXPECT_TRUE(holders->front().destroyed);
}

TEST_F(Retention, WhatHasNoVersionGoesToo) {
  const std::string address =
      R"({"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd",)"
      R"("value":"198.51.100.3","object_marking_refs":["marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"]})";
  ASSERT_OK(world["JP"].publish({address}));
  ASSERT_OK(world.settle());
  ASSERT_TRUE(in_the_log("198.51.100.3"));
  world.clock.advance_us(2000 * kDay);
  const auto done = world["IN"].exchange->destruction().run();
  ASSERT_OK(done);
  EXPECT_EQ(done->objects, 1U);
  EXPECT_FALSE(in_the_log("198.51.100.3"));
  EXPECT_THAT(check("IN"), ::testing::IsEmpty());
}

TEST_F(Retention, AClockThatWasSetBackDestroysNothing) {
  publish("a.example");
  world.clock.advance_us(731 * kDay);
  publish("b.example");
  world.clock.advance_us(-10 * kDay);
  EXPECT_FALSE(world["IN"].exchange->destruction().run().ok());
  EXPECT_TRUE(in_the_log("a.example"));
}

TEST_F(Retention, ACorruptOrForeignReceiptIsRefused) {
  Deletion d;
  d.id = std::string(kDeletionType) + "--" + random_uuid().text();
  d.agreement = text.id;
  d.from = "IN";
  d.to = "JP";
  d.at = world.clock.now();
  d.destroyed.push_back({"x-entente-manifest--" + random_uuid().text(), {0, 1}, "730 days"});
  d.salt = random_bytes(32);
  ledger::Leaf leaf;
  leaf.agreement = text.id;
  leaf.at = world.clock.now();
  leaf.by = "IN/node/1";
  leaf.kind = kDeletionLeaf;
  leaf.recipient = "JP";
  leaf.commitment = ledger::commit_to(d.salt, d.record());
  d.leaf = leaf.text();
  const SecretKey key = SecretKey::generate();
  d.signature = sign_deletion(d, key);
  const auto read = [](const Deletion& x) {
    const auto doc = json::parse(deletion_object(x));
    return parse_deletion(doc->root());
  };
  const auto same = read(d);
  ASSERT_OK(same);
  EXPECT_TRUE(deletion_signed(*same, key.public_key()));
  Deletion other = d;
  other.destroyed[0].rows.push_back(2);
  EXPECT_FALSE(read(other).ok()) << "the leaf commits to the rows";
}

// A live receiver, and a receipt that came over the wire: with another key, and of what was never given.
TEST_F(TwoNodes, ADeletionReceiptThatIsNotThePartnersIsRefusedAndLeavesNothing) {
  in_force();
  ASSERT_OK(world["JP"].publish({make_indicator("a.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  const auto say = [&](const std::string& manifest, const SecretKey& key) {
    Deletion d;
    d.id = std::string(kDeletionType) + "--" + random_uuid().text();
    d.agreement = text.id;
    d.from = "IN";
    d.to = "JP";
    d.article = "5(4)";
    d.at = world.clock.now();
    d.destroyed.push_back({manifest, {0}, "30 days at tlp:green"});
    d.salt = random_bytes(32);
    ledger::Leaf leaf;
    leaf.agreement = d.agreement;
    leaf.agreement_version = sha256_hex("text");
    leaf.kind = kDeletionLeaf;
    leaf.recipient = d.to;
    leaf.by = "IN/node/1";
    leaf.at = d.at;
    leaf.commitment = ledger::commit_to(d.salt, d.record());
    d.leaf = leaf.text();
    d.kid = "IN/node/1";
    d.signature = sign_deletion(d, key);
    const std::string object = deletion_object(d);
    const auto doc = json::parse(object);
    store::Change change;
    change.add(released(text.id, "IN", "JP"), *stix::summarize(doc->root()), object, RowMeta{}.text());
    EXPECT_TRUE(world["IN"].store->commit_wait(std::move(change)).ok());
    const auto client = world["IN"].client(world["JP"].spki);
    EXPECT_TRUE(world["JP"].exchange->receiver().pull_objects(*client, "IN", text.id, 0).ok());
    return world["JP"].exchange->receiver().health("IN").refused;
  };
  store::Query q;
  q.all = true;
  q.types = {std::string(kManifestType)};
  q.spec_versions = {"2.1"};
  const auto manifests = world["JP"].store->page(released(text.id, "JP", "IN"), q);
  ASSERT_OK(manifests);
  ASSERT_EQ(manifests->rows.size(), 1U);
  const auto unproven = world["JP"].store->all("unproven/" + text.id + " IN");
  const uint64_t before = world["JP"].store->count(evidence_of(text.id, "IN", "JP"));
  EXPECT_EQ(say(manifests->rows[0].id, SecretKey::generate()), 1U) << "another key";
  EXPECT_EQ(say("x-entente-manifest--" + random_uuid().text(), world["IN"].context->node_key), 2U) << "of no manifest";
  EXPECT_EQ(world["JP"].store->count(evidence_of(text.id, "IN", "JP")), before);
  EXPECT_TRUE(world["JP"].store->all(kPartnerDestroyedSpace)->empty());
  EXPECT_EQ(world["JP"].store->all("unproven/" + text.id + " IN")->size(), unproven->size()) << "a leaf to wait for";
  EXPECT_EQ(say(manifests->rows[0].id, world["IN"].context->node_key), 2U) << "the partner's own is taken";
  EXPECT_EQ(world["JP"].store->all(kPartnerDestroyedSpace)->size(), 1U);
}

}  // namespace
}  // namespace entente::exchange
