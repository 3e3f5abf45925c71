// Manifests and ledgers of partners that are forged, shrunk or full.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/two_nodes_for_test.h"
#include "exchange/wire.h"
#include "ledger/tile_log.h"

namespace entente::exchange {
namespace {

TEST_F(TwoNodes, AForgedManifestIsRefused) {
  in_force();
  ASSERT_OK(world["JP"].publish({make_indicator("real.example", world.clock.now())}));
  world["JP"].release_all();
  // A node between the two alters one object's octets: the hash in the manifest does not fit any more.
  const auto state = world["JP"].exchange->instruments().state(text.id);
  auto transport = net::make_local_client(
      [&](net::Request request, net::Reply reply) {
        world["JP"].service->handle(std::move(request), [reply = std::move(reply)](net::Response r) {
          ASSERT_OK(r.gather());
          const size_t at = r.body.find("real.example");
          if (at != std::string::npos) r.body.replace(at, 4, "evil");
          reply(std::move(r));
        });
      },
      world["IN"].spki);
  taxii::Client client(std::move(transport), "");
  ASSERT_OK(world["IN"].exchange->receiver().pull_objects(client, "JP", text.id, 0));
  EXPECT_EQ(got(), 0U);
  EXPECT_EQ(world["IN"].exchange->receiver().health("JP").refused, 1U);
}

// Attack 3: objects with a manifest that another key than the partner's node signed.
TEST_F(TwoNodes, AManifestSignedByAnotherKeyIsRefusedWithAllItsObjects) {
  in_force();
  world["JP"].context->node_key = SecretKey::generate();
  ASSERT_OK(world["JP"].publish({make_indicator("a.example", world.clock.now())}));
  world["JP"].release_all();
  ASSERT_EQ(world["JP"].store->count(released(text.id, "JP", "IN")), 2U);  // manifest and object
  const auto client = world["JP"].client(world["IN"].spki);
  ASSERT_OK(world["IN"].exchange->receiver().pull_objects(*client, "JP", text.id, 0));
  EXPECT_EQ(got(), 0U);
  EXPECT_EQ(world["IN"].exchange->receiver().health("JP").refused, 2U);
}

TEST_F(TwoNodes, ALedgerThatShrinksOrForksIsAConflict) {
  in_force();
  ASSERT_OK(world["JP"].publish({make_indicator("a.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  const auto client = world["JP"].client(world["IN"].spki);
  // The partner "restores" an older ledger: same key, fewer entries.
  MemFiles other;
  ASSERT_OK(other.make_dirs("l"));
  auto forged = ledger::TileLog::open(other, "l", ledger_origin("JP", text.id), world["JP"].context->log_key);
  ASSERT_OK(forged);
  ASSERT_OK((*forged)->append(std::vector<std::string>{"one"}));
  auto transport = net::make_local_client(
      [&](net::Request request, net::Reply reply) {
        const size_t slash = request.path.find('/', 8);
        auto file = other.read("l/" + request.path.substr(slash + 1));
        reply(file.ok() ? net::Response{200, {}, *file} : net::Response{404, {}, ""});
      },
      world["IN"].spki);
  taxii::Client liar(std::move(transport), "");
  const Status shrunk = world["IN"].exchange->mirrors().check(liar, "JP", text.id);
  ASSERT_FALSE(shrunk.ok());
  EXPECT_THAT(shrunk.error().text(), ::testing::HasSubstr("takes back what it showed before"));
  EXPECT_TRUE(world["IN"].exchange->mirrors().health(text.id, "JP").conflict);
}

TEST_F(TwoNodes, WhatTheLedgerCannotHoldIsNotSent) {
  in_force();
  ASSERT_OK(world["JP"].publish({make_indicator("first.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  ASSERT_EQ(got(), 1U);
  world["JP"].files.fail_at(0);  // the ledger's disk is full from now on
  ASSERT_OK(world["JP"].publish({make_indicator("second.example", world.clock.now())}));
  world["JP"].release_all();
  const auto client = world["JP"].client(world["IN"].spki);
  ASSERT_OK(world["IN"].exchange->receiver().pull_objects(*client, "JP", text.id, 0));
  EXPECT_EQ(got(), 1U) << "a release was visible before its leaf was in the ledger";
  world["JP"].files.fail_at(-1);
  world["JP"].exchange->tick();
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 2U);
}

Manifest some_manifest() {
  Manifest m;
  m.id = "x-entente-manifest--" + random_uuid().text();
  m.agreement = "urn:uuid:" + random_uuid().text();
  m.agreement_version = sha256_hex("v");
  m.from = "JP";
  m.to = "IN";
  m.at = *parse_time("2027-01-15T05:12:00Z");
  m.salt = random_bytes(32);
  m.object_salt = random_bytes(32);
  for (int i = 0; i < 3; ++i) {
    m.objects.push_back({"indicator--" + random_uuid().text(), "2027-01-15T05:12:00.000Z",
                         sha256_hex(std::to_string(i)), "3(1)", "green", "clear", false});
  }
  return m;
}

void seal(Manifest& m, const SecretKey& key) {
  ledger::Leaf leaf;
  leaf.agreement = m.agreement;
  leaf.agreement_version = m.agreement_version;
  leaf.kind = "release";
  leaf.recipient = "IN";
  leaf.by = "JP/node/1";
  leaf.at = m.at;
  leaf.commitment = ledger::commit_to(m.salt, m.record());
  m.leaf = leaf.text();
  m.kid = "JP/node/1";
  m.signature = sign_manifest(m, key);
}

bool is_valid(const std::string& text, const SecretKey& key) {
  const auto doc = json::parse(text);
  if (!doc.ok()) return false;
  const auto parsed = parse_manifest(doc->root());
  return parsed.ok() && manifest_signed(*parsed, key.public_key());
}

TEST(Manifest, OneByteChangedAnywhereBreaksIt) {
  const SecretKey key = SecretKey::generate();
  Manifest m = some_manifest();
  seal(m, key);
  const std::string good = manifest_object(m);
  const auto valid = [&](const std::string& text) { return is_valid(text, key); };
  ASSERT_TRUE(valid(good));
  for (const char* part : {"2027-01-15T05:12:00.000Z", "\"JP\"", "\"IN\"", "\"3(1)\"", "\"green\"", "\"clear\""}) {
    std::string bad = good;
    const size_t at = bad.find(part);
    ASSERT_NE(at, std::string::npos);
    bad[at + 1] = bad[at + 1] == '3' ? '4' : '3';
    EXPECT_FALSE(valid(bad)) << part;
  }
  for (const auto& o : m.objects) {
    std::string bad = good;
    bad[bad.find(o.sha256)] ^= 1;
    EXPECT_FALSE(valid(bad));
  }
}

Manifest with_commits() {
  Manifest m = some_manifest();
  for (size_t i = 0; i < m.objects.size(); ++i) m.committed.push_back(m.at.plus_us(-1000));
  m.commits.push_back({m.agreement, m.from, m.to, m.at.plus_us(-1000), m.at, m.objects.size(), random_bytes(32)});
  return m;
}

TEST(Manifest, TheLeavesThatShowSinceWhenCannotBeExchangedLater) {
  const SecretKey key = SecretKey::generate();
  Manifest m = with_commits();
  seal(m, key);
  ASSERT_TRUE(is_valid(manifest_object(m), key));
  Manifest later = m;
  later.commits[0].salt = random_bytes(32);
  EXPECT_FALSE(is_valid(manifest_object(later), key)) << "another leaf";
  later = m;
  later.commits.clear();
  EXPECT_FALSE(is_valid(manifest_object(later), key)) << "none";
  later = m;
  later.commits.push_back(m.commits[0]);
  EXPECT_FALSE(is_valid(manifest_object(later), key)) << "one more";
  later = m;
  later.version = 1;
  EXPECT_FALSE(is_valid(manifest_object(later), key)) << "called old";
}

TEST(Manifest, OfVersionOneIsReadAndItsTimesAreNotBelieved) {
  const SecretKey key = SecretKey::generate();
  Manifest m = with_commits();
  m.version = 1;
  seal(m, key);
  const std::string text = manifest_object(m);
  EXPECT_EQ(text.find("\"v\":"), std::string::npos);
  ASSERT_TRUE(is_valid(text, key));
  EXPECT_FALSE(parse_manifest(json::parse(text)->root())->says_since());
}

TEST(Manifest, OfAVersionToComeIsRefusedAndSaysSo) {
  const SecretKey key = SecretKey::generate();
  Manifest m = some_manifest();
  m.version = 3;
  seal(m, key);
  const auto doc = json::parse(manifest_object(m));
  const auto parsed = parse_manifest(doc->root());
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(parsed.error().text(), ::testing::HasSubstr("update this node"));
}

}  // namespace
}  // namespace entente::exchange
