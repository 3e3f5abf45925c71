// The invariants of release.md §9 that only whole nodes can show: 24 (what a partner sees of what it does not get), 25
// (recipients apart), 31 (one leaf each, before sending, whatever crashes), 33 (a recall reaches exactly who received).
// Random objects, walked over real envelopes, manifests and ledgers.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement/random_case.h"
#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/two_nodes_for_test.h"
#include "exchange/wire.h"
#include "stix/marking.h"

namespace entente::exchange {
namespace {

using agreement::testing::Rng;
using json::Node;

// How many random worlds a property looks at: ENTENTE_WORLDS (tools/soak), else what is said here.
int worlds(int usual) {
  const char* n = std::getenv("ENTENTE_WORLDS");
  return n != nullptr ? std::atoi(n) : usual;
}

std::string id_of(const std::string& object) {
  return std::string(*json::find_string(json::parse(object)->root(), "id"));
}

// A page of a partner's collection as it sees it: each object's octets, or of a manifest, which is salted and signed,
// what it lists; how many, whether more follow, and the header dates, from `since` on.
std::vector<std::string> seen_by(World& world, const std::string& from, const std::string& to, const Text& text,
                                 Time since) {
  std::vector<std::string> out;
  const auto client = world[from].client(world[to].spki);
  const auto state = world[from].exchange->instruments().state(text.id);
  std::string next;
  for (bool more = true; more;) {
    taxii::Client::Get get;
    get.all_versions = true;
    get.limit = 7;
    get.next = next;
    const auto page = client->objects(agreement_root(*state->document), "to-" + lower(to), get);
    if (!page.ok()) {
      out.push_back(page.error().text());
      return out;
    }
    more = (*page)->more;
    next = (*page)->next;
    out.push_back("page of " + std::to_string((*page)->objects.size()) + (more ? ", more" : ""));
    for (const auto& time : {(*page)->first, (*page)->last})
      out.push_back(time ? std::to_string(time->us - since.us) : "none");
    for (const std::string_view raw : (*page)->objects) {
      if (raw.find(kManifestType) == std::string_view::npos) {
        out.emplace_back(raw);
        continue;
      }
      auto m = json::parse(raw);
      const auto manifest = parse_manifest(m->root());
      EXPECT_TRUE(manifest.ok());
      std::string lists = "manifest of " + std::to_string(raw.size()) + " octets, leaf " +
                          std::to_string(manifest.ok() ? manifest->leaf_index : 0);
      if (manifest.ok())
        for (const auto& l : manifest->objects) lists += " " + l.id + " " + l.sha256 + " " + l.tlp;
      out.push_back(lists);
    }
  }
  return out;
}

// 24: partners see the same whether what is withheld says this or that, or is not there at all.
TEST(ExchangeInvariants, WhatIsWithheldDoesNotShowInPagesCountsOrHeaders) {  // 24
  for (int seed = 1; seed <= worlds(4); ++seed) {
    SCOPED_TRACE(seed);
    Rng r(static_cast<uint64_t>(seed));
    Text text;
    const std::string now = "2027-01-15T05:20:00Z";
    const auto at = *parse_time(now);
    // The same released objects in three worlds; beside them withheld ones, others, none.
    std::vector<std::string> open;
    for (size_t i = 0, n = 5 + r.below(20); i < n; ++i)
      open.push_back(make_indicator("open" + std::to_string(i) + ".example", at));
    std::vector<size_t> places;
    for (size_t i = 0, n = 1 + r.below(12); i < n; ++i) places.push_back(r.below(open.size()));
    std::vector<std::vector<std::string>> views;
    std::string absent, withheld;
    for (int world_number = 0; world_number < 3; ++world_number) {
      World world({"IN", "JP"});
      ASSERT_OK(world.open());
      ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, text)));
      std::vector<std::string> all;
      for (size_t i = 0; i < open.size(); ++i) {
        if (world_number < 2 && std::ranges::find(places, i) != places.end())
          all.push_back(
              make_indicator(world_number == 0 ? "a.example" : std::string(200, 'b') + ".example", at, "red"));
        all.push_back(open[i]);
      }
      world.clock.set(at);
      ASSERT_OK(world["JP"].publish(all));
      world.clock.advance_us(1'000'000);
      ASSERT_OK(world.settle());
      views.push_back(seen_by(world, "JP", "IN", text, at));
      if (world_number != 0) continue;
      // What is withheld and what never was are answered alike.
      const auto client = world["JP"].client(world["IN"].spki);
      const auto state = world["JP"].exchange->instruments().state(text.id);
      const std::string root = agreement_root(*state->document) + "collections/to-in/objects/";
      const std::string none = "indicator--" + random_uuid().text();
      const auto secret =
          std::ranges::find_if(all, [](const auto& o) { return o.find("a.example") != std::string::npos; });
      for (const auto& [id, to] : {std::pair(none, &absent), std::pair(id_of(*secret), &withheld)}) {
        const auto answer = client->get(root + id + "/", "application/taxii+json;version=2.1");
        *to = answer.ok() ? std::to_string(answer->status) + " " + answer->body : answer.error().text();
        for (size_t p = to->find(id); p != std::string::npos; p = to->find(id)) to->replace(p, id.size(), "ID");
      }
    }
    EXPECT_EQ(views[0], views[1]) << "the content of what is withheld shows";
    EXPECT_EQ(views[0], views[2]) << "that something is withheld shows";
    EXPECT_EQ(absent, withheld);
    ASSERT_GT(views[0].size(), 4U);
  }
}

// Three parties, each pair its own text; AU's is narrower.
struct Triangle {
  World world{{"AU", "IN", "JP"}};
  Text jp_in, jp_au;
  Status open() {
    CHECK_OK(world.open());
    jp_au.ceiling = "green";
    CHECK_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, jp_in)));
    return world.bring_into_force({"AU", "JP"}, world.document({"AU", "JP"}, jp_au));
  }
  std::vector<std::string> ids(const std::string& to, const Text& text) {
    std::vector<std::string> out;
    store::Query q;
    q.all = true;
    q.limit = 10'000;
    const auto page = world[to].store->page(received(text.id, "JP", to), q);
    if (page.ok())
      for (const auto& row : page->rows) out.push_back(row.id + " " + row.version + (row.revoked ? " gone" : ""));
    std::ranges::sort(out);
    return out;
  }
};

std::string of_level(Rng& r, const std::string& name, Time at) {
  return make_indicator(name, at, r.of<std::string>({"clear", "green", "amber", "amber+strict", "red"}));
}

// 25: what IN gets does not depend on whether AU is there, asks, or is told something.
TEST(ExchangeInvariants, AnotherRecipientChangesNothing) {  // 25
  for (int seed = 1; seed <= worlds(3); ++seed) {
    SCOPED_TRACE(seed);
    Rng r(static_cast<uint64_t>(seed) * 7919);
    Triangle with;
    ASSERT_OK(with.open());
    World alone({"IN", "JP"});
    Text text;
    ASSERT_OK(alone.open());
    ASSERT_OK(alone.bring_into_force({"IN", "JP"}, alone.document({"IN", "JP"}, text)));
    alone.clock.set(with.world.clock.now());
    for (int round = 0; round < 3; ++round) {
      std::vector<std::string> objects;
      for (size_t i = 0, n = 1 + r.below(9); i < n; ++i)
        objects.push_back(of_level(r, "o" + std::to_string(i) + ".example", alone.clock.now()));
      ASSERT_OK(with.world["JP"].publish(objects));
      ASSERT_OK(alone["JP"].publish(objects));
      if (r.chance(50)) ASSERT_OK(with.world.act("AU", "suspend", with.jp_au.id, Node::object().set("reason", "x")));
      ASSERT_OK(with.world.settle());
      ASSERT_OK(alone.settle());
    }
    std::vector<std::string> lone;
    store::Query q;
    q.all = true;
    q.limit = 10'000;
    const auto page = alone["IN"].store->page(received(text.id, "JP", "IN"), q);
    ASSERT_OK(page);
    for (const auto& row : page->rows) lone.push_back(row.id + " " + row.version);
    std::ranges::sort(lone);
    EXPECT_EQ(with.ids("IN", with.jp_in), lone);
  }
}

// 33: a recall reaches exactly those who received, and what reaches them has no content.
TEST(ExchangeInvariants, ARecallReachesExactlyWhoReceived) {  // 33
  for (int seed = 1; seed <= worlds(3); ++seed) {
    SCOPED_TRACE(seed);
    Rng r(static_cast<uint64_t>(seed) * 104'729);
    Triangle t;
    ASSERT_OK(t.open());
    std::vector<std::string> objects;
    for (size_t i = 0; i < 12; ++i)
      objects.push_back(of_level(r, "o" + std::to_string(i) + ".example", t.world.clock.now()));
    ASSERT_OK(t.world["JP"].publish(objects));
    ASSERT_OK(t.world.settle());
    std::map<std::string, std::set<std::string>> had;
    for (const auto& o : objects) {
      const std::string id = id_of(o);
      for (const auto& [to, text] : {std::pair<std::string, const Text*>("IN", &t.jp_in), {"AU", &t.jp_au}})
        if (!t.world[to].store->find(received(text->id, "JP", to), id)->empty()) had[id].insert(to);
    }
    // Some lose their agreement in between: the recall goes all the same.
    if (r.chance(50)) {
      ASSERT_OK(t.world.act("AU", "suspend", t.jp_au.id, Node::object().set("reason", "x")));
      ASSERT_OK(t.world.carry_acts());
    }
    std::set<std::string> recalled;
    for (const auto& o : objects) {
      if (!r.chance(60)) continue;
      t.world.clock.advance_us(2'000'000);
      const auto done = t.world["JP"].exchange->recall(id_of(o), "false positive");
      ASSERT_OK(done);
      const std::set<std::string> told(done->reaches.begin(), done->reaches.end());
      EXPECT_EQ(told, had[id_of(o)]);
      recalled.insert(id_of(o));
    }
    ASSERT_OK(t.world.settle());
    for (const auto& o : objects) {
      const std::string id = id_of(o);
      for (const auto& [to, text] : {std::pair<std::string, const Text*>("IN", &t.jp_in), {"AU", &t.jp_au}}) {
        const auto rows = t.world[to].store->find(received(text->id, "JP", to), id);
        ASSERT_OK(rows);
        const bool gone = !rows->empty() && rows->back().revoked;
        EXPECT_EQ(gone, recalled.contains(id) && had[id].contains(to)) << to << " " << id;
        if (!gone) continue;
        const auto raw = t.world[to].store->raw(rows->back());
        ASSERT_OK(raw);
        EXPECT_EQ(raw->find(".example"), std::string::npos) << *raw;
        EXPECT_EQ(raw->find("pattern"), std::string::npos) << *raw;
      }
    }
  }
}

// 31: whatever breaks, each object that a partner can see is listed by exactly one manifest, whose leaf is in the
// ledger.
TEST(ExchangeInvariants, OneLeafForEachObjectWhateverBreaks) {  // 31
  for (int seed = 1; seed <= worlds(6); ++seed) {
    SCOPED_TRACE(seed);
    Rng r(static_cast<uint64_t>(seed) * 31'337);
    World world({"IN", "JP"});
    Text text;
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, text)));
    std::set<std::string> published;
    for (int round = 0; round < 4; ++round) {
      std::vector<std::string> objects;
      for (size_t i = 0, n = 1 + r.below(8); i < n; ++i)
        objects.push_back(make_indicator("o" + std::to_string(i) + ".example", world.clock.now()));
      ASSERT_OK(world["JP"].publish(objects));
      for (const auto& o : objects) published.insert(id_of(o));
      if (r.chance(70)) world["JP"].files.fail_at(static_cast<int>(r.below(30)));
      static_cast<void>(world["JP"].exchange->release_step());
      if (r.chance(50)) {
        const auto client = world["JP"].client(world["IN"].spki);
        static_cast<void>(world["IN"].exchange->receiver().pull_objects(*client, "JP", text.id, 0));
      }
      // What the partner has seen by now is proved already.
      if (r.chance(60)) {
        world["JP"].crash_files();
        ASSERT_OK(world["JP"].reopen());
      } else {
        world["JP"].files.fail_at(-1);
        world["JP"].exchange->tick();
      }
    }
    ASSERT_OK(world.settle());
    store::Query q;
    q.all = true;
    q.limit = 10'000;
    std::multiset<std::string> got;
    const auto here = world["IN"].store->page(received(text.id, "JP", "IN"), q);
    ASSERT_OK(here);
    for (const auto& row : here->rows) got.insert(row.id);
    EXPECT_EQ(std::set<std::string>(got.begin(), got.end()), published) << "something was lost";
    EXPECT_EQ(got.size(), published.size()) << "something went twice";
    std::multiset<std::string> listed;
    std::set<uint64_t> leaves;
    const auto there = world["JP"].store->page(released(text.id, "JP", "IN"), q);
    ASSERT_OK(there);
    for (const auto& row : there->rows) {
      if (!row.id.starts_with(kManifestType)) continue;
      const auto raw = world["JP"].store->raw(row);
      ASSERT_OK(raw);
      const auto doc = json::parse(*raw);
      const auto m = parse_manifest(doc->root());
      ASSERT_OK(m);
      EXPECT_TRUE(leaves.insert(m->leaf_index).second) << "two manifests of one leaf";
      for (const auto& l : m->objects) listed.insert(l.id);
    }
    EXPECT_EQ(listed, got);
    const auto mirror = world["IN"].exchange->mirrors().health(text.id, "JP");
    EXPECT_FALSE(mirror.conflict);
    EXPECT_EQ(mirror.verified, leaves.size()) << "a manifest whose leaf the partner's copy of the ledger does not have";
    EXPECT_EQ(world["IN"].exchange->receiver().health("JP").refused, 0U);
  }
}

}  // namespace
}  // namespace entente::exchange
