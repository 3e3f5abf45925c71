// What a dishonest (or unlucky) party could do with a ledger, and who finds it: ledger.md §4 and §7, row by row,
// between whole nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/exchange.h"
#include "exchange/reconcile.h"
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

constexpr int64_t kMinuteUs = 60'000'000;

// Serves what a test says, as the ledger of a partner.
std::unique_ptr<taxii::Client> serve(Files& files, const std::string& dir, const std::string& spki,
                                     std::string seen = {}) {
  return std::make_unique<taxii::Client>(
      net::make_local_client(
          [&files, dir, seen = std::move(seen)](net::Request request, net::Reply reply) {
            const size_t slash = request.path.find('/', 8);
            const std::string path = request.path.substr(slash + 1);
            if (path == "seen") return reply(seen.empty() ? net::Response{404, {}, ""} : net::Response{200, {}, seen});
            auto file = files.read(dir + "/" + path);
            reply(file.ok() ? net::Response{200, {}, *file} : net::Response{404, {}, ""});
          },
          spki),
      "");
}

class LedgerStory : public ::testing::Test {
 protected:
  LedgerStory() : world({"AU", "IN", "JP"}) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force({"AU", "IN", "JP"}, world.document({"AU", "IN", "JP"}, text)));
    ASSERT_OK(world["JP"].publish({make_indicator("one.example", world.clock.now())}));
    ASSERT_OK(world.settle());
  }
  Mirrors& mirrors(const std::string& party) { return world[party].exchange->mirrors(); }
  std::string origin(const std::string& party) { return ledger_origin(party, text.id); }
  uint64_t got(const std::string& to, const std::string& from) {
    return world[to].store->count(received(text.id, from, to));
  }
  // What a ledger holds, from a node's own store.
  std::vector<std::string> leaves(const std::string& party) {
    auto r = world[party].store->read("leaf/" + bare_uuid(text.id), 0, 10'000);
    return r.ok() ? *r : std::vector<std::string>{};
  }
  std::vector<std::string> kinds(const std::string& party) {
    std::vector<std::string> out;
    for (const auto& l : leaves(party)) out.push_back(ledger::parse_leaf(l)->kind);
    return out;
  }
  // A ledger of that party with these entries, signed with its own key, in `files`.
  Status forge(Files& files, const std::string& party, const std::vector<std::string>& entries) {
    CHECK_OK(files.make_dirs("forged"));
    TRY(const auto log, ledger::TileLog::open(files, "forged", origin(party), world[party].context->log_key));
    TRY([[maybe_unused]] const uint64_t first, log->append(entries));
    return {};
  }
  World world;
  Text text;
};

TEST_F(LedgerStory, EveryLedgerIsCosignedByAllThatTheAgreementNames) {
  ASSERT_OK(world.settle());
  for (const char* party : {"AU", "IN", "JP"}) {
    const auto state = world[party].exchange->instruments().state(text.id);
    const auto s = world[party].exchange->witnessing().standing(*state);
    EXPECT_EQ(s.needed, 3U);
    EXPECT_EQ(s.cosigned, s.entries) << party;
    EXPECT_THAT(s.by, ::testing::UnorderedElementsAre("AU/witness/1", "IN/witness/1", "JP/witness/1"));
    EXPECT_FALSE(s.overdue);
    // Anybody can check it with the keys in the agreement.
    const auto note = world[party].exchange->ledger_file(bare_uuid(text.id), "checkpoint.cosigned");
    ASSERT_OK(note);
    std::map<std::string, PublicKey> keys;
    for (const auto& p : state->document->parties)
      for (const auto& k : p.keys)
        if (k.role == agreement::KeyRole::kWitness) keys.emplace(k.kid, *k.key);
    EXPECT_EQ(ledger::cosignatures(*note, keys)->size(), 3U);
  }
}

// Two of three are no quorum of three, whoever they are.
TEST_F(LedgerStory, SomeOfTheWitnessesAreNoQuorum) {
  ASSERT_OK(world.settle());
  ASSERT_OK(world["IN"].publish({make_indicator("two.example", world.clock.now())}));
  world["IN"].release_all();
  const auto state = world["IN"].exchange->instruments().state(text.id);
  const auto standing = [&] { return world["IN"].exchange->witnessing().standing(*state); };
  const uint64_t before = standing().cosigned;
  ASSERT_LT(before, standing().entries);
  const auto jp = world["JP"].client(world["IN"].spki);
  ASSERT_OK(world["IN"].exchange->witnessing().ask(*jp, "JP", text.id));  // its own witness and JP's
  EXPECT_EQ(standing().cosigned, before);
  const auto au = world["AU"].client(world["IN"].spki);
  ASSERT_OK(world["IN"].exchange->witnessing().ask(*au, "AU", text.id));
  EXPECT_EQ(standing().cosigned, standing().entries);
}

// The copy is as good as the original: the same audit passes on it, so that no side can lose history alone.
TEST_F(LedgerStory, ThePartnersCopyPassesTheSameAudit) {
  std::vector<std::string> objects;
  for (int i = 0; i < 600; ++i)
    objects.push_back(make_indicator("m" + std::to_string(i) + ".example", world.clock.now()));
  world["JP"].context->config.release_batch = 1;  // a leaf per object: several bundles and a level above
  ASSERT_OK(world["JP"].publish(objects));
  ASSERT_OK(world.settle());
  const uint64_t entries = leaves("JP").size();
  ASSERT_GT(entries, 512U);
  class CopyFiles final : public Files {
   public:
    explicit CopyFiles(Exchange& e, std::string uuid) : e_(e), uuid_(std::move(uuid)) {}
    Result<std::string> read(const std::string& path) override {
      return e_.ledger_file(uuid_, "mirror/JP/" + path.substr(2));
    }
    Status write_atomic(const std::string&, std::string_view, int) override { return no(); }
    Status append(const std::string&, std::string_view, bool) override { return no(); }
    Status truncate(const std::string&, uint64_t) override { return no(); }
    Result<uint64_t> size(const std::string& path) override {
      TRY(const std::string text, read(path));
      return text.size();
    }
    bool exists(const std::string& path) override { return read(path).ok(); }
    Status make_dirs(const std::string&) override { return no(); }
    Result<std::vector<std::string>> list(const std::string&) override { return std::vector<std::string>{}; }
    Status remove(const std::string&) override { return no(); }

   private:
    static Error no() { return make_error(ErrorKind::kUnsupported, "read only"); }
    Exchange& e_;
    std::string uuid_;
  } copy(*world["IN"].exchange, bare_uuid(text.id));
  const auto report = ledger::audit(copy, ".", origin("JP"), world["JP"].context->log_key.public_key());
  EXPECT_TRUE(report.ok) << report.problem;
  EXPECT_EQ(report.entries, entries);
  for (const char* bad :
       {"mirror/JP/tile/0/x", "mirror/JP/tile/9/000", "mirror/JP/tile/0/999", "mirror/XX/checkpoint",
        "mirror/JP/../checkpoint", "mirror/JP/tile/0/000.p/0", "mirror/JP/tile/0/000.p/257", "mirror/JP"})
    EXPECT_FALSE(world["IN"].exchange->ledger_file(bare_uuid(text.id), bad).ok()) << bad;
}

// Row 1, split view: JP shows AU another history. IN hears from AU what AU saw, and both heads prove it.
TEST_F(LedgerStory, ASplitViewIsFoundWhenTwoPartnersCompare) {
  auto other = leaves("JP");
  auto last = *ledger::parse_leaf(other.back());
  last.commitment = sha256_hex("something else");
  other.back() = last.text();
  MemFiles files;
  ASSERT_OK(forge(files, "JP", other));
  const std::string note = *files.read("forged/checkpoint");
  const std::string seen = json::write(json::Node::object().set(
      "heads", json::Node(json::Node::List{json::Node::object().set("party", "JP").set("head", note)})));
  MemFiles honest;
  ASSERT_OK(forge(honest, "AU", leaves("AU")));
  world.clock.advance_us(kMinuteUs);
  const auto au = serve(honest, "forged", world["IN"].spki, seen);
  const Status s = mirrors("IN").check(*au, "AU", text.id);
  ASSERT_FALSE(s.ok());
  EXPECT_THAT(s.error().text(), ::testing::HasSubstr("split view"));
  EXPECT_FALSE(mirrors("IN").health(text.id, "AU").conflict);
  EXPECT_TRUE(mirrors("IN").health(text.id, "JP").conflict);
  const auto conflicts = mirrors("IN").conflicts();
  ASSERT_EQ(conflicts.size(), 1U);
  EXPECT_EQ(conflicts[0].later, note);
  EXPECT_FALSE(conflicts[0].earlier.empty());
  EXPECT_THAT(kinds("IN"), ::testing::Contains("conflict"));
}

// Row 1 once more, at the witness: a second head of a size that it cosigned.
TEST_F(LedgerStory, AWitnessThatIsShownTwoHeadsOfOneSizeAccuses) {
  auto other = leaves("JP");
  auto last = *ledger::parse_leaf(other.back());
  last.commitment = sha256_hex("something else");
  other.back() = last.text();
  MemFiles files;
  ASSERT_OK(forge(files, "JP", other));
  const auto a =
      world["IN"].exchange->witness(ledger::write_add_checkpoint(other.size(), {}, *files.read("forged/checkpoint")));
  EXPECT_EQ(a.status, 409);
  EXPECT_TRUE(mirrors("IN").health(text.id, "JP").conflict);
}

// Row 3, sent but not logged: objects came with a manifest, and the ledger never shows its leaf.
TEST_F(LedgerStory, WhatWasSentButNotLoggedIsFoundByItsReceiver) {
  MemFiles old;
  ASSERT_OK(forge(old, "JP", leaves("JP")));
  ASSERT_OK(world["JP"].publish({make_indicator("two.example", world.clock.now())}));
  world["JP"].release_all();
  const auto client = world["JP"].client(world["IN"].spki);
  ASSERT_OK(world["IN"].exchange->receiver().pull_objects(*client, "JP", text.id, 0));
  EXPECT_EQ(got("IN", "JP"), 2U);
  const auto stale = serve(old, "forged", world["IN"].spki);
  world.clock.advance_us(5 * kMinuteUs);
  EXPECT_TRUE(mirrors("IN").check(*stale, "JP", text.id).ok());  // it may yet come
  world.clock.advance_us(6 * kMinuteUs);
  const Status s = mirrors("IN").check(*stale, "JP", text.id);
  ASSERT_FALSE(s.ok());
  EXPECT_THAT(s.error().text(), ::testing::HasSubstr("sent, but not logged"));
}

// Row 6, dated back: an entry that was not there when we last looked claims to be older.
TEST_F(LedgerStory, AnEntryThatIsDatedBackIsFound) {
  world.clock.advance_us(60 * kMinuteUs);
  ASSERT_OK(world.settle());  // everybody has seen everybody's head now
  auto more = leaves("JP");
  ledger::Leaf late = *ledger::parse_leaf(more.back());
  late.at = world.clock.now().plus_us(-30 * kMinuteUs);
  late.prev = sha256_hex(more.back());
  more.push_back(late.text());
  MemFiles files;
  ASSERT_OK(forge(files, "JP", more));
  const auto jp = serve(files, "forged", world["IN"].spki);
  const Status s = mirrors("IN").check(*jp, "JP", text.id);
  ASSERT_FALSE(s.ok());
  EXPECT_THAT(s.error().text(), ::testing::HasSubstr("dated back"));
}

TEST_F(LedgerStory, AnEntryDatedAheadAndABrokenChainAreFound) {
  for (const bool ahead : {true, false}) {
    auto more = leaves("AU");
    ledger::Leaf leaf = *ledger::parse_leaf(more.back());
    leaf.at = ahead ? world.clock.now().plus_us(60 * kMinuteUs) : world.clock.now();
    leaf.prev = sha256_hex(ahead ? more.back() : "another entry");
    more.push_back(leaf.text());
    MemFiles files;
    ASSERT_OK(forge(files, "AU", more));
    const auto au = serve(files, "forged", world["IN"].spki);
    const Status s = mirrors("IN").check(*au, "AU", text.id);
    ASSERT_FALSE(s.ok());
    EXPECT_THAT(s.error().text(), ::testing::HasSubstr(ahead ? "dated ahead" : "chain is broken"));
    ASSERT_OK(mirrors("IN").settle(text.id, "AU", "test"));
  }
}

// Who reads our copy does not wait while its owner takes its time over an answer: here it never ends if they did.
TEST_F(LedgerStory, ASlowPartnerHoldsUpNobodyWhoReadsItsCopy) {
  const auto note = mirrors("IN").file(text.id, "JP", "checkpoint");
  ASSERT_OK(note);
  bool read = false;
  taxii::Client slow(net::make_local_client(
                         [&](const net::Request&, const net::Reply& reply) {
                           read = mirrors("IN").compare(text.id, "JP", *note, "AU").ok();
                           reply({200, {}, *note});
                         },
                         world["IN"].spki),
                     "");
  EXPECT_TRUE(mirrors("IN").check(slow, "JP", text.id).ok());
  EXPECT_TRUE(read);
}

// The node is in the narrower state: recalls go to who contradicts itself, nothing else, also after a restart, until a
// person has settled it. Other partners are not concerned.
TEST_F(LedgerStory, AConflictNarrowsUntilAPersonSettlesIt) {
  const std::string indicator = make_indicator("mine.example", world.clock.now());
  const auto doc = json::parse(indicator);
  const std::string id(*json::find_string(doc->root(), "id"));
  ASSERT_OK(world["IN"].publish({indicator}));
  ASSERT_OK(world.settle());
  EXPECT_FALSE(mirrors("IN").accuse(text.id, "JP", "two heads", "a", "b").ok());
  ASSERT_OK(world["IN"].reopen());
  EXPECT_TRUE(mirrors("IN").health(text.id, "JP").conflict);
  const uint64_t before = got("JP", "IN");
  ASSERT_OK(world["IN"].publish({make_indicator("later.example", world.clock.now())}));
  ASSERT_OK(world["IN"].exchange->recall(id, "false positive"));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got("JP", "IN"), before + 1);  // the recall
  EXPECT_EQ(got("AU", "IN"), before + 2);  // and the new one
  const auto plan = world["IN"].exchange->releaser().plan({make_indicator("x.example", world.clock.now())}, "JP");
  ASSERT_OK(plan);
  ASSERT_EQ((*plan)[0].decision.reasons.size(), 1U);
  EXPECT_EQ((*plan)[0].decision.reasons[0].code, "UNWITNESSED");
  EXPECT_THAT((*plan)[0].decision.reasons[0].note, ::testing::HasSubstr("two heads"));
  ASSERT_OK(mirrors("IN").settle(text.id, "JP", "talked it over"));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got("JP", "IN"), before + 2);
  EXPECT_THAT(kinds("IN"), ::testing::Contains("settlement"));
}

// Both ends compute the same octets; what was logged and never sent, and what was sent and never logged, stand in it.
TEST_F(LedgerStory, BothEndsReconcileToTheSame) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK(world["JP"].publish({make_indicator("r" + std::to_string(i) + ".example", world.clock.now())}));
    ASSERT_OK(world.settle());
  }
  ASSERT_OK(world.settle());
  const auto at = [&](const std::string& party, const std::string& from, const std::string& to, uint64_t n,
                      uint64_t m) {
    return reconcile(*world[party].context, *world[party].exchange->instruments().state(text.id), from, to, n, m);
  };
  const uint64_t jp = leaves("JP").size();
  const uint64_t in = leaves("IN").size();
  const auto here = at("IN", "JP", "IN", jp, in);
  const auto there = at("JP", "JP", "IN", jp, in);
  ASSERT_OK(here);
  ASSERT_OK(there);
  EXPECT_EQ(here->text(), there->text());
  EXPECT_EQ(here->releases, 6U);
  EXPECT_EQ(here->matched, 6U);
  EXPECT_TRUE(here->clean());
  EXPECT_EQ(here->objects_received, got("IN", "JP"));
  // Up to earlier heads: what had no receipt then is missing, at both ends alike; beyond what is held nothing is said.
  for (uint64_t m = 0; m <= in; ++m) {
    const auto a = at("IN", "JP", "IN", jp, m);
    const auto b = at("JP", "JP", "IN", jp, m);
    ASSERT_OK(a);
    ASSERT_OK(b);
    ASSERT_EQ(a->text(), b->text());
    EXPECT_EQ(a->matched + a->missing.size(), a->releases);
  }
  EXPECT_FALSE(at("IN", "JP", "IN", jp + 1, in).ok());
  EXPECT_FALSE(at("IN", "JP", "AU", jp, in).ok());
  // Logged, but not sent: the leaf is in the ledger, and nothing came.
  const auto write = [&](const char* party, const char* kind, const char* to) -> Status {
    auto tx = world[party].exchange->evidence().begin();  // holds the ledger until it ends
    TRY([[maybe_unused]] const auto leaf, tx.add_leaf(text.id, "", kind, to, random_bytes(32), "{}"));
    TRY([[maybe_unused]] const auto done, std::move(tx).commit());
    return {};
  };
  ASSERT_OK(write("JP", "release", "IN"));
  // Received, but not logged by the sender: a receipt for a release that its ledger does not show.
  ASSERT_OK(write("IN", "receipt", "JP"));
  ASSERT_OK(world.settle());
  const auto after = at("IN", "JP", "IN", leaves("JP").size(), leaves("IN").size());
  ASSERT_OK(after);
  EXPECT_EQ(after->missing, std::vector<uint64_t>{leaves("JP").size() - 1});
  EXPECT_EQ(after->extra, std::vector<uint64_t>{leaves("IN").size() - 1});
  EXPECT_EQ(after->text(), at("JP", "JP", "IN", leaves("JP").size(), leaves("IN").size())->text());
}

// ledger.md §4: no cosignature for longer than the grace of four hours.
TEST_F(LedgerStory, WithoutWitnessesOnlyRecallsGoAfterTheGrace) {
  ASSERT_OK(world.settle());
  const auto pull = [&] {  // objects travel, heads are shown to nobody
    world["IN"].release_all();
    const auto client = world["IN"].client(world["JP"].spki);
    auto n = world["JP"].exchange->receiver().pull_objects(*client, "IN", text.id, 0);
    EXPECT_TRUE(n.ok() || n.error().kind == ErrorKind::kDenied) << n.error().text();
  };
  const std::string indicator = make_indicator("first.example", world.clock.now());
  ASSERT_OK(world["IN"].publish({indicator}));
  pull();
  const uint64_t one = got("JP", "IN");
  EXPECT_EQ(one, 1U);
  world.clock.advance_us(3 * 60 * kMinuteUs);
  ASSERT_OK(world["IN"].publish({make_indicator("within.example", world.clock.now())}));
  pull();
  EXPECT_EQ(got("JP", "IN"), 2U);
  world.clock.advance_us(2 * 60 * kMinuteUs);
  ASSERT_OK(world["IN"].publish({make_indicator("after.example", world.clock.now())}));
  const auto doc = json::parse(indicator);
  ASSERT_OK(world["IN"].exchange->recall(std::string(*json::find_string(doc->root(), "id")), "false positive"));
  pull();
  EXPECT_EQ(got("JP", "IN"), 3U);  // the recall alone
  const auto state = world["IN"].exchange->instruments().state(text.id);
  EXPECT_TRUE(world["IN"].exchange->witnessing().standing(*state).overdue);
  ASSERT_OK(world.settle());  // the witnesses are back
  ASSERT_OK(world.settle());
  EXPECT_EQ(got("JP", "IN"), 4U);
}

}  // namespace
}  // namespace entente::exchange
