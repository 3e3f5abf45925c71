// A crash at every point of publish, release and send (issue's proof; threat-model.md 13): whichever write of whichever
// node is the last one, what a partner took is in the sender's ledger, and nothing is in it twice.
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/exchange.h"
#include "exchange/reconcile.h"
#include "exchange/two_nodes.h"
#include "exchange/wire.h"
#include "ledger/leaf.h"
#include "ledger/tile_log.h"

namespace entente::exchange {
namespace {

#define ASSERT_OK(...)                             \
  do {                                             \
    const auto& ok_r = (__VA_ARGS__);              \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

class CrashPoints : public ::testing::Test {
 protected:
  CrashPoints() : world({"IN", "JP"}) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, text)));
    ASSERT_OK(world["JP"].publish({make_indicator("first.example", world.clock.now())}));
    ASSERT_OK(world.settle());
    published = 1;
  }
  // One object on its way from JP to IN, until something fails.
  void send_one() {
    auto& jp = world["JP"];
    auto& in = world["IN"];
    if (jp.publish({make_indicator("n" + std::to_string(published) + ".example", world.clock.now())}).ok()) ++published;
    jp.release_all();
    const auto from_jp = jp.client(in.spki);
    (void)in.exchange->receiver().pull_objects(*from_jp, "JP", text.id, 0).ok();
    (void)in.exchange->mirrors().check(*from_jp, "JP", text.id).ok();
    (void)jp.exchange->witnessing().ask(*in.client(jp.spki), "IN", text.id).ok();
    (void)jp.exchange->receiver().pull_objects(*in.client(jp.spki), "IN", text.id, 0).ok();
  }
  // What a disk keeps of a party's ledger, read as an auditor would.
  std::vector<std::string> on_disk(const std::string& party) {
    std::vector<std::string> out;
    auto& n = world[party];
    const std::string dir = "ledger/" + bare_uuid(text.id);
    const auto head = ledger::open_checkpoint(*n.files.read(dir + "/checkpoint"), ledger_origin(party, text.id),
                                              n.context->log_key.public_key());
    EXPECT_TRUE(head.ok());
    const Status s = ledger::read_entries(n.files, dir, 0, head->size, [&](uint64_t, std::string_view e) {
      out.emplace_back(e);
      return true;
    });
    EXPECT_TRUE(s.ok()) << s.error().text();
    return out;
  }
  // Every manifest or receipt that `to` holds of `from` names a leaf that is on the disk of `from`, at its place.
  void all_sent_is_logged(const std::string& from, const std::string& to) {
    const auto leaves = on_disk(from);
    store::Query q;
    q.all = true;
    q.limit = 10'000;
    const auto page = world[to].store->page(evidence_of(text.id, from, to), q);
    ASSERT_OK(page);
    for (const auto& row : page->rows) {
      const auto doc = json::parse(*world[to].store->raw(row));
      const auto leaf = json::find_string(doc->root(), "leaf");
      const auto index = json::find_int(doc->root(), "leaf_index");
      ASSERT_TRUE(leaf && index);
      ASSERT_LT(static_cast<size_t>(*index), leaves.size()) << from << " sent what its ledger does not show";
      EXPECT_EQ(leaves[static_cast<size_t>(*index)], *leaf);
    }
  }
  void nothing_twice() {
    for (const char* party : {"IN", "JP"}) {
      const auto leaves = on_disk(party);
      std::set<std::string> seen(leaves.begin(), leaves.end());
      EXPECT_EQ(seen.size(), leaves.size());
    }
    // Each object in one manifest.
    std::map<std::string, int> listed;
    store::Query q;
    q.all = true;
    q.limit = 10'000;
    const auto page = world["IN"].store->page(evidence_of(text.id, "JP", "IN"), q);
    ASSERT_OK(page);
    for (const auto& row : page->rows) {
      if (!row.id.starts_with(kManifestType)) continue;
      const auto m = parse_manifest(json::parse(*world["IN"].store->raw(row))->root());
      ASSERT_OK(m);
      for (const auto& o : m->objects) ++listed[o.id + o.version];
    }
    for (const auto& [id, n] : listed) EXPECT_EQ(n, 1) << id;
  }
  void all_is_well() {
    ASSERT_OK(world.settle());
    ASSERT_OK(world.settle());
    // The receiver's own identity object comes besides.
    size_t got = 0;
    store::Query q;
    q.all = true;
    q.limit = 10'000;
    const auto page = world["IN"].store->page(received(text.id, "JP", "IN"), q);
    ASSERT_OK(page);
    for (const auto& row : page->rows) got += row.type == "indicator" ? 1 : 0;
    EXPECT_EQ(got, published);
    for (const auto& [me, peer] : {std::pair("IN", "JP"), std::pair("JP", "IN")}) {
      EXPECT_FALSE(world[me].exchange->mirrors().health(text.id, peer).conflict)
          << world[me].exchange->mirrors().health(text.id, peer).problem;
      const auto r =
          reconcile(*world[me].context, *world[me].exchange->instruments().state(text.id), "JP", "IN",
                    entries_held(*world[me].context, text.id, "JP"), entries_held(*world[me].context, text.id, "IN"));
      ASSERT_OK(r);
      EXPECT_TRUE(r->clean()) << r->text();
    }
    nothing_twice();
  }
  World world;
  Text text;
  size_t published = 0;
};

TEST_F(CrashPoints, WhateverWriteIsTheLastOneWhatWasSentIsLoggedAndOnce) {
  size_t points = 0;
  for (const char* victim : {"JP", "IN"}) {
    for (const bool power : {true, false}) {
      // Further writes than one object takes: then the last rounds crash with nothing under way.
      for (int n = 0;; ++n) {
        auto& v = world[victim];
        const int before = v.files.writes();
        v.files.fail_at(n);
        for (int i = 0; i < 3; ++i) send_one();
        const bool reached = v.files.writes() - before > n;
        if (power) {
          v.files.crash();
        } else {
          v.files.kill();
        }
        ASSERT_OK(v.reopen());
        all_sent_is_logged("JP", "IN");
        all_sent_is_logged("IN", "JP");
        ++points;
        if (n % 4 == 0 || !reached) all_is_well();
        if (HasFatalFailure()) return;
        if (!reached) break;
        ASSERT_LT(n, 500);
      }
    }
  }
  EXPECT_GT(points, 40U);
  RecordProperty("points", static_cast<int>(points));
}

}  // namespace
}  // namespace entente::exchange
