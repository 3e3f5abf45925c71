// How partners and others watch a ledger: heads that grow old, heads that a neutral witness signs, sizes that say
// nothing, floods, and who was given what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/exchange.h"
#include "exchange/trace.h"
#include "exchange/two_nodes.h"
#include "ledger/leaf.h"
#include "ledger/tile_log.h"

namespace entente::exchange {
namespace {

#define ASSERT_OK(...)                             \
  do {                                             \
    const auto& ok_r = (__VA_ARGS__);              \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

using json::Node;
constexpr int64_t kMinuteUs = 60'000'000;
const std::string kNeutral = "osaka-u/witness/1";

// Two nodes whose agreement names a neutral witness, which is here and knows both logs.
class Watched : public ::testing::Test {
 protected:
  Watched() : world({"IN", "JP"}), key(SecretKey::generate()) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    auto doc = Node::from(json::parse(world.document({"IN", "JP"}, text))->root());
    Node* ledger = doc.find("ledger");
    ASSERT_NE(ledger, nullptr);
    ledger->set("max_checkpoint_age", "PT15M").set("unwitnessed_grace", "PT4H");
    ledger->set("quorum", "all(IN/witness/1,JP/witness/1," + kNeutral + ")");
    ledger->set("witnesses",
                Node(Node::List{Node::object().set("kid", kNeutral).set("public", key.public_key().to_hex())}));
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, json::canonical(doc)));
    ASSERT_OK(files.make_dirs("w"));
    neutral =
        std::make_unique<ledger::Witness>(files, "w", kNeutral, key, world.clock, [this](const std::string& origin) {
          std::vector<PublicKey> out;
          for (const char* p : {"IN", "JP"})
            if (origin == ledger_origin(p, text.id)) out.push_back(world[p].context->log_key.public_key());
          return out;
        });
  }
  Status show(const std::string& party) {
    taxii::Client c(net::make_local_client(
                        [&](const net::Request& request, const net::Reply& reply) {
                          if (request.path != "/add-checkpoint") return reply({404, {}, ""});
                          shown.push_back(request.body);
                          const auto a = neutral->add_checkpoint(request.body);
                          reply({a.status, {}, a.body});
                        },
                        ""),
                    "");
    return world[party].exchange->witnessing().ask_neutral(c, kNeutral, text.id);
  }
  std::vector<std::string> kinds(const std::string& party) {
    std::vector<std::string> out;
    const auto all = world[party].store->read("leaf/" + bare_uuid(text.id), 0, 10'000);
    for (const auto& l : *all) out.push_back(ledger::parse_leaf(l)->kind);
    return out;
  }
  Standing standing(const std::string& party) {
    return world[party].exchange->witnessing().standing(*world[party].exchange->instruments().state(text.id));
  }
  World world;
  Text text;
  SecretKey key;
  MemFiles files;
  std::unique_ptr<ledger::Witness> neutral;
  std::vector<std::string> shown;
};

TEST_F(Watched, ANeutralWitnessFillsTheQuorumAndKnowsNothingOfAgreements) {
  ASSERT_OK(world["JP"].publish({make_indicator("one.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(standing("JP").cosigned, 0U) << "two of three are not all";
  EXPECT_THAT(world["JP"].exchange->witnessing().agreements_of(kNeutral), ::testing::ElementsAre(text.id));
  EXPECT_TRUE(world["JP"].exchange->witnessing().agreements_of("IN/witness/9").empty());
  ASSERT_OK(show("JP"));
  EXPECT_EQ(standing("JP").cosigned, standing("JP").entries);
  EXPECT_THAT(standing("JP").by, ::testing::Contains(kNeutral));
  for (const auto& request : shown) {
    EXPECT_EQ(request.find("example"), std::string::npos);
    EXPECT_EQ(request.find("release"), std::string::npos);
  }
  // One who does not answer with its key is no witness.
  const SecretKey other = SecretKey::generate();
  ledger::Witness false_one(files, "w", kNeutral, other, world.clock, [this](const std::string&) {
    return std::vector{world["IN"].context->log_key.public_key()};
  });
  taxii::Client c(net::make_local_client(
                      [&](const net::Request& request, const net::Reply& reply) {
                        const auto a = false_one.add_checkpoint(request.body);
                        reply({a.status, {}, a.body});
                      },
                      ""),
                  "");
  EXPECT_FALSE(world["IN"].exchange->witnessing().ask_neutral(c, kNeutral, text.id).ok());
  EXPECT_EQ(standing("IN").cosigned, 0U);
}

// Not even both parties together can show the neutral witness another history.
TEST_F(Watched, BothPartiesTogetherCannotRewriteWhatANeutralWitnessSaw) {
  ASSERT_OK(show("JP"));
  const auto leaves = *world["JP"].store->read("leaf/" + bare_uuid(text.id), 0, 1000);
  auto other = leaves;
  other.front() += " ";
  MemFiles forged;
  ASSERT_OK(forged.make_dirs("f"));
  const auto log = ledger::TileLog::open(forged, "f", ledger_origin("JP", text.id), world["JP"].context->log_key);
  ASSERT_OK(log);
  ASSERT_OK((*log)->append(other));
  const auto a = neutral->add_checkpoint(ledger::write_add_checkpoint(leaves.size(), {}, (*log)->checkpoint()));
  EXPECT_EQ(a.status, 409);
  EXPECT_TRUE(a.fork);
}

// ledger.md §4: heartbeats keep a quiet ledger's head fresh; one that they do not reach is shown as stale, and only
// that.
TEST_F(Watched, AHeadThatNobodyCosignedLatelyIsStale) {
  ASSERT_OK(world.settle());
  const auto health = [&] { return world["IN"].exchange->mirrors().health(text.id, "JP"); };
  ASSERT_OK(world.settle());
  EXPECT_FALSE(health().stale);
  ASSERT_TRUE(health().cosigned_at);
  const Time first = *health().cosigned_at;
  for (int i = 0; i < 4; ++i) {
    world.clock.advance_us(8 * kMinuteUs);
    ASSERT_OK(world.settle());  // heads are shown again though nothing came
    ASSERT_OK(world.settle());
    EXPECT_FALSE(health().stale) << i;
  }
  EXPECT_LT(first, *health().cosigned_at);
  // JP shows its head to nobody for twenty minutes.
  world.clock.advance_us(20 * kMinuteUs);
  const auto jp = world["JP"].client(world["IN"].spki);
  ASSERT_OK(world["IN"].exchange->mirrors().check(*jp, "JP", text.id));
  EXPECT_TRUE(health().stale);
  EXPECT_FALSE(health().conflict);
  ASSERT_OK(world.settle());
  ASSERT_OK(world.settle());
  EXPECT_FALSE(health().stale);
}

// With padding the sizes that a neutral witness sees are those of a ledger in which nothing happens.
TEST_F(Watched, PaddedSizesAreTheSameWhetherAnythingWasSentOrNot) {
  for (const char* p : {"IN", "JP"}) world[p].context->config.pad_to = 64;
  std::vector<uint64_t> sizes[2];
  for (int i = 0; i < 4; ++i) {
    world.clock.advance_us(10 * kMinuteUs);
    for (int n = 0; n < 2; ++n) {
      const char* p = n == 0 ? "IN" : "JP";
      // JP shares, IN says nothing.
      if (n == 1)
        ASSERT_OK(world[p].publish({make_indicator("m" + std::to_string(i) + ".example", world.clock.now())}));
      world[p].release_all();
      ASSERT_OK(show(p));  // no head of padded size that is new: nothing is shown
      world[p].exchange->tick();
      ASSERT_OK(world.settle());
      ASSERT_OK(show(p));
      const auto note = neutral->newest(ledger_origin(p, text.id));
      sizes[n].push_back(note ? ledger::unverified_checkpoint(*note)->size : 0);
    }
  }
  EXPECT_EQ(sizes[0], sizes[1]);
  for (const uint64_t s : sizes[0]) EXPECT_EQ(s % 64, 0U);
  EXPECT_LT(sizes[0].front(), sizes[0].back());
  EXPECT_THAT(kinds("JP"), ::testing::Contains("pad"));
  // What pads cannot be opened, and is not: the partner's checks pass over it.
  EXPECT_FALSE(world["IN"].exchange->mirrors().health(text.id, "JP").conflict);
}

// ledger.md §7: floods the log. The quota holds, the flood is on record under the flooder's signature, nobody is
// narrowed.
TEST_F(Watched, AFloodIsNotCopiedAndStandsOnRecord) {
  ASSERT_OK(world.settle());
  auto& in = world["IN"];
  in.context->config.max_partner_entries_per_day = 50;
  const uint64_t before = in.store->length("mirror/" + bare_uuid(text.id) + "/JP");
  for (int i = 0; i < 120; ++i) {
    auto tx = world["JP"].exchange->evidence().begin();
    ASSERT_OK(tx.add_leaf(text.id, "", "sighting", "IN", random_bytes(32), "{}"));
    ASSERT_OK(std::move(tx).commit());
  }
  const auto jp = world["JP"].client(in.spki);
  for (int i = 0; i < 3; ++i) {
    const Status s = in.exchange->mirrors().check(*jp, "JP", text.id);
    ASSERT_FALSE(s.ok());
    EXPECT_THAT(s.error().text(), ::testing::HasSubstr("FLOOD"));
  }
  EXPECT_EQ(in.store->length("mirror/" + bare_uuid(text.id) + "/JP"), before);
  EXPECT_TRUE(in.exchange->mirrors().health(text.id, "JP").flooded);
  EXPECT_FALSE(in.exchange->mirrors().health(text.id, "JP").conflict);
  const auto k = kinds("IN");
  EXPECT_EQ(std::count(k.begin(), k.end(), "flood"), 1);
  in.context->config.max_partner_entries_per_day = 5000;  // a person has asked
  ASSERT_OK(in.exchange->mirrors().check(*jp, "JP", text.id));
  EXPECT_EQ(in.store->length("mirror/" + bare_uuid(text.id) + "/JP"), before + 120);
  EXPECT_FALSE(in.exchange->mirrors().health(text.id, "JP").flooded);
}

// ledger.md §7, onward transfer out of band: what surfaces elsewhere is traced to whom it was given. An id that was
// rewritten for one recipient (a canary, or a redacted object) names that recipient alone.
TEST(Trace, WhatSurfacesElsewhereIsTracedToWhomItWasGiven) {
  World world({"AU", "IN", "JP"});
  ASSERT_OK(world.open());
  Text one;
  Text two;
  ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, one)));
  ASSERT_OK(world.bring_into_force({"AU", "JP"}, world.document({"AU", "JP"}, two)));
  const std::string common = make_indicator("common.example", world.clock.now());
  const std::string id(*json::find_string(json::parse(common)->root(), "id"));
  ASSERT_OK(world["JP"].publish({common}));
  ASSERT_OK(world.settle());
  const auto both = trace(*world["JP"].exchange, id);
  ASSERT_OK(both);
  ASSERT_EQ(both->size(), 2U);  // ids and octets are the same for both: it narrows to two
  const auto by_octets = trace(*world["JP"].exchange, sha256_hex(common));
  ASSERT_OK(by_octets);
  EXPECT_EQ(by_octets->size(), 2U);
  // Sent to one alone, it names one.
  world["JP"].context->config.policy = {};
  ASSERT_OK(world.act("JP", "suspend", two.id, Node::object().set("scope", "whole").set("reason", "other")));
  ASSERT_OK(world.carry_acts());
  const std::string canary = make_indicator("canary-in.example", world.clock.now());
  const std::string canary_id(*json::find_string(json::parse(canary)->root(), "id"));
  ASSERT_OK(world["JP"].publish({canary}));
  ASSERT_OK(world.settle());
  const auto found = trace(*world["JP"].exchange, canary_id);
  ASSERT_OK(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().to, "IN");
  EXPECT_EQ(found->front().agreement, one.id);
  const auto leaf = world["JP"].store->read("leaf/" + bare_uuid(one.id), found->front().leaf, 1);
  EXPECT_EQ(ledger::parse_leaf(leaf->front())->kind, "release");
  EXPECT_TRUE(trace(*world["JP"].exchange, "indicator--00000000-0000-4000-8000-000000000000")->empty());
}

}  // namespace
}  // namespace entente::exchange
