// Two and three nodes in one process: what DESIGN.md's way of the data promises, walked end to end over real envelopes,
// acts and ledgers.
#include "exchange/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/recall.h"
#include "exchange/two_nodes.h"
#include "exchange/wire.h"
#include "ledger/tile_log.h"

namespace entente::exchange {
namespace {

#define ASSERT_OK(...)                             \
  do {                                             \
    const auto& ok_r = (__VA_ARGS__);              \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

class TwoNodes : public ::testing::Test {
 protected:
  TwoNodes() : world({"IN", "JP"}) {}
  void SetUp() override { ASSERT_OK(world.open()); }
  void in_force() {
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, text)));
    ASSERT_EQ(world["IN"].exchange->instruments().state(text.id)->kind, agreement::StateKind::kInForce);
    ASSERT_EQ(world["JP"].exchange->instruments().state(text.id)->kind, agreement::StateKind::kInForce);
  }
  uint64_t got(const std::string& to = "IN", const std::string& from = "JP") {
    return world[to].store->count(received(text.id, from, to));
  }
  World world;
  Text text;
};

TEST_F(TwoNodes, NothingFlowsBeforeTheAgreementIsInForce) {
  ASSERT_OK(world["JP"].publish({make_indicator("early.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 0U);
  // Signed is not in force: the partner's question is refused with the rule and what is missing.
  const std::string doc_text = world.document({"IN", "JP"}, text);
  const auto doc = json::parse(doc_text);
  json::Node body = json::Node::object();
  body.set("document", json::Node::from(doc->root()));
  ASSERT_OK(world.act("IN", "propose", text.id, body));
  ASSERT_OK(world.carry_acts());
  for (const char* kind : {"initial", "sign"}) {
    for (const char* p : {"IN", "JP"}) {
      ASSERT_OK(world.act(p, kind, text.id));
      ASSERT_OK(world.carry_acts());
    }
  }
  const auto state = world["JP"].exchange->instruments().state(text.id);
  const auto client = world["JP"].client(world["IN"].spki);
  const auto page = client->objects(agreement_root(*state->document), "to-in", {});
  ASSERT_FALSE(page.ok());
  const auto plan = world["JP"].exchange->releaser().plan({make_indicator("x.example", world.clock.now())}, "IN");
  ASSERT_OK(plan);
  ASSERT_EQ((*plan)[0].decision.verdict, agreement::Verdict::kWithheld);
  EXPECT_EQ((*plan)[0].decision.reasons.front().code, "NOT_YET_IN_FORCE");
}

TEST_F(TwoNodes, AnIndicatorReachesThePartnerWithManifestReceiptAndProof) {
  in_force();
  std::vector<std::string> objects;
  for (int i = 0; i < 2500; ++i)
    objects.push_back(
        make_indicator("p" + std::to_string(i) + ".example", world.clock.now(), "green", identity_id("JP")));
  const auto status = world["JP"].publish(objects);
  ASSERT_OK(status);
  EXPECT_EQ(status->success, 2500U);
  ASSERT_OK(world.settle());
  // 2,500 and the identity that they name as their creator.
  EXPECT_EQ(got(), 2501U);
  // Octets arrive as they were published.
  std::set<std::string> sent(objects.begin(), objects.end());
  store::Query q;
  q.limit = 10'000;
  const auto page = world["IN"].store->page(received(text.id, "JP", "IN"), q);
  ASSERT_OK(page);
  size_t equal = 0;
  ASSERT_OK(world["IN"].store->raw(
      page->rows, [&](size_t, std::string_view raw) { equal += sent.contains(std::string(raw)) ? 1 : 0; }));
  EXPECT_EQ(equal, 2500U);
  // Receipts are back, and each release was found in the partner's ledger.
  EXPECT_GE(world["JP"].exchange->receiver().receipts(text.id, "IN"), 3U);
  const auto mirror = world["IN"].exchange->mirrors().health(text.id, "JP");
  EXPECT_FALSE(mirror.conflict);
  EXPECT_GE(mirror.verified, 3U);
  EXPECT_EQ(world["IN"].exchange->receiver().health("JP").refused, 0U);
}

TEST_F(TwoNodes, AboveTheCeilingIsWithheldAndNamed) {
  in_force();
  ASSERT_OK(world["JP"].publish(
      {make_indicator("red.example", world.clock.now(), "red"), make_indicator("green.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 1U);
  const auto counts = world["JP"].exchange->releaser().counts();
  const auto& c = counts.at({text.id, "IN"});
  EXPECT_EQ(c.withheld, 1U);
  EXPECT_EQ(c.reasons.count("ABOVE_CEILING"), 1U);
  // The private record says why; the partner's view does not even show a gap in the manifest.
  const auto decisions = world["JP"].store->read("decisions", 0, 10);
  ASSERT_OK(decisions);
  EXPECT_THAT(*decisions, ::testing::Contains(::testing::HasSubstr("ABOVE_CEILING")));
}

TEST_F(TwoNodes, ARecallReachesWhoReceived) {
  in_force();
  const std::string indicator = make_indicator("fp.example", world.clock.now());
  ASSERT_OK(world["JP"].publish({indicator}));
  ASSERT_OK(world.settle());
  const auto doc = json::parse(indicator);
  const std::string id(*json::find_string(doc->root(), "id"));
  const auto recalled = world["JP"].exchange->recall(id, "false positive");
  ASSERT_OK(recalled);
  EXPECT_THAT(recalled->reaches, ::testing::ElementsAre("IN"));
  ASSERT_OK(world.settle());
  const auto rows = world["IN"].store->find(received(text.id, "JP", "IN"), id);
  ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_TRUE(rows->back().revoked);
  // The partner may not recall what is not its own.
  EXPECT_FALSE(world["IN"].exchange->recall(id, "").ok());
}

// release.md §3 step 12: the duty to take back outlives the agreement; nothing else flows. Its end is signed by both.
TEST_F(TwoNodes, ARecallGoesAfterTheEndOfTheAgreement) {
  in_force();
  const std::string indicator = make_indicator("fp.example", world.clock.now());
  const auto doc = json::parse(indicator);
  const std::string id(*json::find_string(doc->root(), "id"));
  ASSERT_OK(world["JP"].publish({indicator}));
  ASSERT_OK(world.settle());
  const auto before = recall_status(*world["JP"].context, world["JP"].exchange->instruments(), id);
  ASSERT_OK(before);
  ASSERT_EQ(before->size(), 1U);
  EXPECT_FALSE(before->front().sent);
  world.clock.advance_us(int64_t{6} * 366 * 86'400'000'000);  // past its term, renewals are by agreement
  const auto s = world["JP"].exchange->instruments().state(text.id);
  if (s->kind == agreement::StateKind::kInForce) {  // it renewed itself: withdraw, and let the notice run
    ASSERT_OK(world.act("IN", "withdraw", text.id));
    ASSERT_OK(world.carry_acts());
    world.clock.advance_us(int64_t{2} * 366 * 86'400'000'000);
  }
  ASSERT_FALSE(world["JP"].exchange->instruments().state(text.id)->live("IN", "JP"));
  ASSERT_OK(world["JP"].publish({make_indicator("late.example", world.clock.now())}));
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  ASSERT_OK(world.settle());
  const auto rows = world["IN"].store->find(received(text.id, "JP", "IN"), id);
  ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_TRUE(rows->back().revoked);
  EXPECT_EQ(got(), 2U);  // the object and its recall, and nothing that came after the end
}

// Each earlier holder's node signs for the recall; who has not is named.
TEST_F(TwoNodes, ARecallIsAnsweredByEveryHolder) {
  in_force();
  const std::string indicator = make_indicator("fp.example", world.clock.now());
  const auto doc = json::parse(indicator);
  const std::string id(*json::find_string(doc->root(), "id"));
  ASSERT_OK(world["JP"].publish({indicator}));
  ASSERT_OK(world.settle());
  ASSERT_OK(world["JP"].exchange->recall(id, "false positive"));
  world["JP"].release_all();
  const auto status = [&] { return recall_status(*world["JP"].context, world["JP"].exchange->instruments(), id); };
  const auto sent = status();
  ASSERT_OK(sent);
  ASSERT_EQ(sent->size(), 1U);
  EXPECT_TRUE(sent->front().sent);
  EXPECT_FALSE(sent->front().answered);
  ASSERT_OK(world.settle());
  const auto done = status();
  ASSERT_OK(done);
  EXPECT_TRUE(done->front().withdrawn());
  EXPECT_EQ(done->front().party, "IN");
  EXPECT_FALSE(recall_status(*world["IN"].context, world["IN"].exchange->instruments(), id).ok());  // not its own
}

TEST_F(TwoNodes, ASuspensionStopsTheFlowAndAResumptionDecidesTheBacklog) {
  in_force();
  json::Node body = json::Node::object();
  body.set("scope", "whole").set("reason", "test");
  ASSERT_OK(world.act("IN", "suspend", text.id, body));
  ASSERT_OK(world.carry_acts());
  ASSERT_OK(world["JP"].publish({make_indicator("late.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 0U);
  ASSERT_OK(world.act("IN", "resume", text.id));
  ASSERT_OK(world.carry_acts());
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 1U);
}

// release.md §3 step 12: a newer version that may not go takes back the one that went, and the receiver takes that.
TEST_F(TwoNodes, AVersionThatMayNotGoTakesBackTheOneThatWent) {
  in_force();
  const std::string first = make_indicator("turned-red.example", world.clock.now());
  ASSERT_OK(world["JP"].publish({first}));
  ASSERT_OK(world.settle());
  const auto doc = json::parse(first);
  json::Node second = json::Node::from(doc->root());
  const std::string id(second.string_at("id"));
  second.set("modified", to_text(world.clock.now().plus_us(5'000'000)));
  second.set("object_marking_refs", json::Node(json::Node::List{json::Node(stix::tlp_id(stix::Tlp::kRed))}));
  ASSERT_OK(world["JP"].publish({json::write(second)}));
  ASSERT_OK(world.settle());
  const auto rows = world["IN"].store->find(received(text.id, "JP", "IN"), id);
  ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_TRUE(rows->back().revoked);
  const auto raw = world["IN"].store->raw(rows->back());
  ASSERT_OK(raw);
  EXPECT_THAT(*raw, ::testing::Not(::testing::HasSubstr("turned-red")));
  EXPECT_EQ(world["IN"].exchange->receiver().health("JP").refused, 0U);
  const auto counts = world["JP"].exchange->releaser().counts();
  EXPECT_EQ(counts.at({text.id, "IN"}).reasons.at("RECALL_TOMBSTONE"), 1U);
}

// release.md §3 step 12 and §7: a recall always goes; and nothing else does, and nothing is lost by it.
TEST_F(TwoNodes, ARecallGoesWhileTheAgreementIsSuspended) {
  in_force();
  std::vector<std::string> indicators, ids;
  for (const char* name : {"one.example", "two.example", "three.example"}) {
    indicators.push_back(make_indicator(name, world.clock.now()));
    const auto doc = json::parse(indicators.back());
    ids.emplace_back(*json::find_string(doc->root(), "id"));
  }
  ASSERT_OK(world["JP"].publish({indicators[0], indicators[1]}));
  ASSERT_OK(world.settle());
  const auto rows = [&](const std::string& id) { return *world["IN"].store->find(received(text.id, "JP", "IN"), id); };
  ASSERT_EQ(rows(ids[0]).size(), 1U);

  json::Node body = json::Node::object();
  body.set("scope", "whole").set("reason", "test");
  ASSERT_OK(world.act("IN", "suspend", text.id, body));
  // Released by JP before the act has reached it.
  ASSERT_OK(world["JP"].publish({indicators[2]}));
  world["JP"].release_all();
  ASSERT_OK(world.carry_acts());
  const auto recalled = world["JP"].exchange->recall(ids[0], "false positive");
  ASSERT_OK(recalled);
  EXPECT_THAT(recalled->reaches, ::testing::ElementsAre("IN"));
  ASSERT_OK(world["JP"].publish({make_indicator("late.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(world["JP"].store->find(released(text.id, "JP", "IN"), ids[0])->size(), 2U) << "put out";
  ASSERT_EQ(rows(ids[0]).size(), 2U);
  EXPECT_TRUE(rows(ids[0]).back().revoked);
  EXPECT_EQ(rows(ids[1]).size(), 1U);
  EXPECT_EQ(rows(ids[2]).size(), 0U) << "taken although the agreement is suspended";
  EXPECT_EQ(got(), 3U) << "two objects and a recall";

  ASSERT_OK(world.act("IN", "resume", text.id));
  ASSERT_OK(world.carry_acts());
  ASSERT_OK(world.settle());
  EXPECT_EQ(rows(ids[0]).size(), 2U) << "the recall is told once";
  EXPECT_EQ(rows(ids[2]).size(), 1U) << "what came before the suspension was known is not lost";
  EXPECT_EQ(got(), 5U);
  EXPECT_EQ(world["JP"].store->find(released(text.id, "JP", "IN"), ids[0])->size(), 2U);
  // Everything that went was acknowledged, and the ledgers agree.
  const auto health = world["IN"].exchange->receiver().health("JP");
  EXPECT_EQ(health.refused, 0U);
  EXPECT_FALSE(world["IN"].exchange->mirrors().health(text.id, "JP").conflict);
}

TEST_F(TwoNodes, ASightingGoesBackToTheOriginator) {
  in_force();
  const std::string indicator = make_indicator("seen.example", world.clock.now());
  ASSERT_OK(world["JP"].publish({indicator}));
  ASSERT_OK(world.settle());
  const auto doc = json::parse(indicator);
  const std::string at = to_text(world.clock.now());
  const std::string sighting =
      R"({"type":"sighting","spec_version":"2.1","id":"sighting--)" + random_uuid().text() + R"(","created":")" + at +
      R"(","modified":")" + at + R"(","sighting_of_ref":")" + std::string(*json::find_string(doc->root(), "id")) +
      R"(","count":3,"object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]})";
  ASSERT_OK(world["IN"].publish({sighting}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(got("JP", "IN"), 1U);
  EXPECT_EQ(got("IN", "JP"), 1U);  // the indicator itself is not sent back
}

TEST_F(TwoNodes, RestartsLoseAndRepeatNothing) {
  in_force();
  for (int round = 0; round < 4; ++round) {
    std::vector<std::string> objects;
    for (int i = 0; i < 700; ++i)
      objects.push_back(
          make_indicator("r" + std::to_string(round) + "-" + std::to_string(i) + ".example", world.clock.now()));
    ASSERT_OK(world["JP"].publish(objects));
    world["JP"].release_all();
    // One page only, cut in the middle of a release, then both go down.
    world["IN"].context->config.pull_page = 333;
    const auto client = world["JP"].client(world["IN"].spki);
    ASSERT_OK(world["IN"].exchange->receiver().pull_objects(*client, "JP", text.id, 0));
    world["IN"].crash_files();
    world["JP"].crash_files();
    ASSERT_OK(world["IN"].reopen());
    ASSERT_OK(world["JP"].reopen());
  }
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 2800U);
  EXPECT_EQ(world["IN"].exchange->receiver().health("JP").refused, 0U);
}

// A token that was used a moment ago ends at its end and at its revocation all the same.
TEST_F(TwoNodes, ATokenThatIsRememberedStillEnds) {
  Directory& d = world["IN"].exchange->directory();
  const auto token = d.new_token("tool", Role::kSensor, 1);
  const auto other = d.new_token("other", Role::kAnalyst, 0);
  ASSERT_OK(token);
  ASSERT_OK(other);
  for (int i = 0; i < 3; ++i) {
    const auto person = d.authenticate("Bearer " + *token);
    ASSERT_OK(person);
    EXPECT_EQ(person->role, Role::kSensor);
    EXPECT_TRUE(d.authenticate("Bearer " + *other).ok());
  }
  world.clock.advance_us(int64_t{86'400} * 1'000'000);
  EXPECT_FALSE(d.authenticate("Bearer " + *token).ok());
  ASSERT_OK(d.revoke_token("other"));
  EXPECT_FALSE(d.authenticate("Bearer " + *other).ok());
}

// A guesser waits; nobody else does, the owner of the account least of all.
TEST_F(TwoNodes, WrongPasswordsAreCountedByAddressNeverByAccount) {
  Directory& d = world["IN"].exchange->directory();
  ASSERT_OK(d.add_account("alice", Role::kAnalyst, "a long password"));
  const auto token = d.new_token("tool", Role::kAnalyst, 0);
  ASSERT_OK(token);
  const std::string right = "Basic " + base64("alice:a long password");
  const std::string wrong = "Basic " + base64("alice:not the password");
  EXPECT_FALSE(d.is_quick(right));
  ErrorKind last = ErrorKind::kUnauthenticated;
  int guesses = 0;
  while (last == ErrorKind::kUnauthenticated && guesses < 50) {
    last = d.authenticate(wrong, "192.0.2.1:" + std::to_string(1000 + guesses)).error().kind;
    ++guesses;
  }
  EXPECT_EQ(last, ErrorKind::kUnavailable);
  EXPECT_EQ(guesses, 21);
  // The guesser's address waits even with the right password; that tells it nothing.
  EXPECT_EQ(d.authenticate(right, "192.0.2.1:9").error().kind, ErrorKind::kUnavailable);
  EXPECT_TRUE(d.authenticate(right, "192.0.2.2:9").ok());
  EXPECT_TRUE(d.is_quick(right));
  // Who is known already is not touched, from wherever.
  EXPECT_TRUE(d.authenticate(right, "192.0.2.1:9").ok());
  EXPECT_TRUE(d.authenticate("Bearer " + *token, "192.0.2.1:9").ok());
  world.clock.advance_us(6'000'000);
  EXPECT_EQ(d.authenticate(wrong, "192.0.2.1:9").error().kind, ErrorKind::kUnauthenticated);
  EXPECT_EQ(d.authenticate(wrong, "192.0.2.1:9").error().kind, ErrorKind::kUnavailable);
  // One /64 is one guesser.
  for (int i = 0; i < 20; ++i) (void)d.authenticate(wrong, "[2001:db8:0:1::" + std::to_string(i + 1) + "]:9");
  EXPECT_EQ(d.authenticate(wrong, "[2001:db8:0:1:ffff::1]:9").error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(d.authenticate(wrong, "[2001:db8:0:2::1]:9").error().kind, ErrorKind::kUnauthenticated);
}

// T69: a status outlives the process that gave it, is its submitter's alone, and ends after two days.
TEST_F(TwoNodes, AStatusIsKeptAcrossRestartsForTwoDays) {
  TestNode& in = world["IN"];
  const taxii::Caller me{"person admin test"};
  const auto good = make_indicator("status.example", world.clock.now());
  const auto status = in.publish({good, R"({"type":"indicator","id":"indicator--no"})", good});
  ASSERT_OK(status);
  EXPECT_EQ(status->success, 2U);
  EXPECT_EQ(status->failure, 1U);
  in.crash_files();
  ASSERT_OK(in.reopen());
  const auto kept = in.exchange->status(me, "/local/", status->id);
  ASSERT_OK(kept);
  EXPECT_EQ(kept->total, 3U);
  EXPECT_EQ(kept->success, 2U);
  ASSERT_EQ(kept->failures.size(), 1U);
  EXPECT_EQ(kept->failures[0].message, status->failures[0].message);
  ASSERT_EQ(kept->successes.size(), 2U);
  EXPECT_EQ(kept->successes[0].id, status->successes[0].id);
  EXPECT_EQ(kept->successes[0].version, status->successes[0].version);
  EXPECT_FALSE(in.exchange->status({"person admin other"}, "/local/", status->id).ok());
  constexpr int64_t kHour = 3'600'000'000;
  world.clock.advance_us(25 * kHour);
  in.exchange->tick();
  EXPECT_TRUE(in.exchange->status(me, "/local/", status->id).ok());
  world.clock.advance_us(25 * kHour);
  in.exchange->tick();
  EXPECT_EQ(in.exchange->status(me, "/local/", status->id).error().kind, ErrorKind::kNotFound);
}

// The counts of a large envelope are kept; its lists, which are optional, are not (T63).
TEST_F(TwoNodes, TheStatusOfALargeEnvelopeKeepsItsCounts) {
  std::vector<std::string> objects;
  for (int i = 0; i < 150; ++i)
    objects.push_back(make_indicator("n" + std::to_string(i) + ".example", world.clock.now()));
  objects.push_back("{}");
  const auto status = world["IN"].publish(objects);
  ASSERT_OK(status);
  EXPECT_EQ(status->successes.size(), 150U);
  const auto kept = world["IN"].exchange->status({"person admin test"}, "/local/", status->id);
  ASSERT_OK(kept);
  EXPECT_EQ(kept->success, 150U);
  EXPECT_TRUE(kept->successes.empty());
  EXPECT_EQ(kept->failures.size(), 1U);
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

TEST_F(TwoNodes, StrangersAndWrongKeysSeeNothing) {
  in_force();
  const auto state = world["JP"].exchange->instruments().state(text.id);
  const auto stranger = world["JP"].client(sha256_hex("somebody else"));
  EXPECT_FALSE(stranger->objects(agreement_root(*state->document), "to-in", {}).ok());
  EXPECT_FALSE(stranger->collections("/local/").ok());
  // A partner does not see own people's root, nor another partner's collection.
  const auto partner = world["JP"].client(world["IN"].spki);
  EXPECT_FALSE(partner->collections("/local/").ok());
  EXPECT_FALSE(partner->objects(agreement_root(*state->document), "to-jp", {}).ok());
  // The private log is nobody's but the auditor's.
  const auto r = partner->get("/ledger/private/checkpoint", "text/plain");
  ASSERT_OK(r);
  EXPECT_EQ(r->status, 404);
}

TEST_F(TwoNodes, AnActWithAByteChangedHasNoEffect) {
  in_force();
  auto acts = world["JP"].exchange->instruments().acts(text.id);
  for (const auto& a : acts) {
    std::string t = a.text();
    const size_t at = t.find("\"effective_at\":\"2027");
    ASSERT_NE(at, std::string::npos);
    t[at + 19] = '9';
    const auto r = world["JP"].exchange->submit_act(t, "IN");
    EXPECT_FALSE(r.ok());
  }
}

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

TEST(ThreeNodes, WhatOnePartnerGaveIsNotPassedOnWithoutConsent) {
  World world({"AU", "IN", "JP"});
  ASSERT_OK(world.open());
  Text in_jp;
  Text au_in;
  ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, in_jp)));
  ASSERT_OK(world.bring_into_force({"AU", "IN"}, world.document({"AU", "IN"}, au_in)));
  ASSERT_OK(world["JP"].publish({make_indicator("orcon.example", world.clock.now())}));
  ASSERT_OK(world["IN"].publish({make_indicator("own.example", world.clock.now())}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(world["IN"].store->count(received(in_jp.id, "JP", "IN")), 1U);
  EXPECT_EQ(world["AU"].store->count(received(au_in.id, "IN", "AU")), 1U);
  const auto counts = world["IN"].exchange->releaser().counts();
  EXPECT_EQ(counts.at({au_in.id, "AU"}).reasons.count("ORIGINATOR_CONSENT"), 1U);
}

// ---- acts among nodes

class ThreeParties : public ::testing::Test {
 protected:
  ThreeParties() : world({"AU", "IN", "JP"}) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    ASSERT_OK(world.bring_into_force({"AU", "IN", "JP"}, world.document({"AU", "IN", "JP"}, text)));
  }
  // An act of JP's authorities, made beside its node: as if two of its people had not spoken to each other.
  agreement::SignedAct loose(const std::string& kind, const std::string& prev, const char* reason) {
    agreement::Act a;
    a.kind = kind;
    a.agreement_id = text.id;
    a.text_version = world["JP"].exchange->instruments().state(text.id)->document->hash;
    a.prev_act = prev;
    a.party = "JP";
    a.effective_at = world.clock.now();
    a.body = json::Node::object().set("reason", reason);
    agreement::SignedAct s{a, {}};
    s.sigs.push_back(agreement::sign_act(a, "JP/authority/1", world["JP"].acting.authority1));
    s.sigs.push_back(agreement::sign_act(a, "JP/authority/2", world["JP"].acting.authority2));
    return s;
  }
  std::string last(const std::string& party) {
    return world["JP"].exchange->instruments().state(text.id)->last_act.at(party);
  }
  bool live(const std::string& at, const std::string& a, const std::string& b) {
    return world[at].exchange->instruments().state(text.id)->live(a, b);
  }
  World world;
  Text text;
};

// Attack 12 of the threat model, for acts: JP shows IN one act and AU another after the same one.
TEST_F(ThreeParties, AForkThatEachSawHalfOfReachesAllAndNarrows) {
  const auto one = loose("claim_breach", last("JP"), "one");
  const auto two = loose("claim_breach", last("JP"), "two");
  ASSERT_OK(world["IN"].exchange->submit_act(one.text(), "JP"));
  ASSERT_OK(world["AU"].exchange->submit_act(two.text(), "JP"));
  EXPECT_TRUE(live("IN", "IN", "JP"));
  ASSERT_OK(world.carry_acts());
  for (const char* at : {"AU", "IN", "JP"}) {
    EXPECT_FALSE(live(at, "IN", "JP")) << at;
    EXPECT_TRUE(live(at, "AU", "IN")) << at;
    EXPECT_THAT(world[at].exchange->instruments().state(text.id)->unsure, ::testing::Contains("the chain of JP forks"));
  }
}

TEST_F(ThreeParties, AnActBeforeItsPredecessorNarrowsUntilThatArrives) {
  const auto first = loose("claim_breach", last("JP"), "first");
  const auto second = loose("claim_breach", first.act.hash(), "second");
  ASSERT_OK(world["IN"].exchange->submit_act(second.text(), "JP"));
  EXPECT_FALSE(live("IN", "IN", "JP"));
  ASSERT_OK(world["JP"].publish({make_indicator("later.example", world.clock.now())}));
  ASSERT_OK(world["IN"].exchange->submit_act(first.text(), "JP"));
  EXPECT_TRUE(live("IN", "IN", "JP"));
  EXPECT_EQ(world["IN"].exchange->instruments().state(text.id)->last_act.at("JP"), second.act.hash());
}

// An act whose effect the receiver's state does not allow keeps its place in the chain, or the two would part for ever.
TEST_F(ThreeParties, AnActWithoutEffectIsKeptInTheChain) {
  const auto idle = loose("resume", last("JP"), "nothing is suspended");
  EXPECT_FALSE(world["JP"].exchange->submit_act(idle.text()).ok()) << "own people are told";
  ASSERT_OK(world["IN"].exchange->submit_act(idle.text(), "JP"));
  const auto next = loose("suspend", idle.act.hash(), "then this");
  ASSERT_OK(world["IN"].exchange->submit_act(next.text(), "JP"));
  EXPECT_FALSE(live("IN", "IN", "JP"));
}

TEST_F(ThreeParties, WhatNobodySignedIsNotKept) {
  auto half = loose("resume", last("JP"), "one person");
  half.sigs.pop_back();
  const size_t before = world["IN"].exchange->instruments().acts(text.id).size();
  const auto r = world["IN"].exchange->submit_act(half.text(), "JP");
  ASSERT_FALSE(r.ok());
  EXPECT_THAT(r.error().text(), ::testing::HasSubstr("quorum"));
  auto elsewhere = loose("suspend", last("JP"), "x");
  elsewhere.act.agreement_id = "urn:uuid:" + random_uuid().text();
  EXPECT_FALSE(world["IN"].exchange->submit_act(elsewhere.text(), "JP").ok());
  EXPECT_EQ(world["IN"].exchange->instruments().acts(text.id).size(), before);
  EXPECT_TRUE(live("IN", "IN", "JP"));
}

// Documents that say more than they may, twice, or under a name made to be mistaken: refused by the rule, and nothing
// is known of them afterwards, so nothing can flow by them.
TEST_F(TwoNodes, WrongDocumentsFromAPartnerAreRefusedByTheRule) {
  const auto good = json::parse(world.document({"IN", "JP"}, text));
  ASSERT_OK(good);
  struct Case {
    std::function<void(json::Node&)> change;
    const char* says;
  };
  const std::vector<Case> cases = {
      {[](json::Node& n) { n.set("surprise", 1); }, "surprise"},
      {[](json::Node& n) { n.find("parties")->list()[0].set("party", "\u0406N"); }, "two capital letters"},
      {[](json::Node& n) {
         n.find("parties")->list()[1].set("name", json::Node::object().set("en", "CERT of \u0406N"));
       },
       "look alike"},
      {[](json::Node& n) { n.find("flows")->list()[0].set("tlp_ceiling", "red"); }, "check 1"},
      {[](json::Node& n) { n.find("actions")->find("never")->list().clear(); }, "check 8"},
  };
  const auto offer = [&](json::Node node) {
    agreement::Act a;
    a.kind = "propose";
    a.agreement_id = text.id;
    a.text_version = sha256_hex(json::canonical(node));
    a.party = "JP";
    a.effective_at = world.clock.now();
    a.body = json::Node::object().set("document", std::move(node));
    agreement::SignedAct s{a, {agreement::sign_act(a, "JP/authority/1", world["JP"].acting.authority1)}};
    return s.text();
  };
  for (const auto& c : cases) {
    json::Node node = json::Node::from(good->root());
    c.change(node);
    const auto r = world["IN"].exchange->submit_act(offer(node), "JP");
    ASSERT_FALSE(r.ok()) << c.says;
    EXPECT_EQ(r.error().kind, ErrorKind::kDenied) << "so it is logged";
    EXPECT_THAT(r.error().text(), ::testing::HasSubstr(c.says));
    EXPECT_EQ(world["IN"].exchange->instruments().state(text.id), nullptr);
  }
  std::string twice = offer(json::Node::from(good->root()));
  const size_t at = twice.find("\"actions\":");
  ASSERT_NE(at, std::string::npos);
  twice.insert(at, "\"version\":2,");
  EXPECT_FALSE(world["IN"].exchange->submit_act(twice, "JP").ok());
  EXPECT_EQ(world["IN"].exchange->instruments().state(text.id), nullptr);
}

// Transition 11: a warning 90, 30 and 7 days before the last day to decline; a leaf when the term renewed itself.
TEST_F(TwoNodes, ATermThatRenewsItselfIsAnnouncedAndRecorded) {
  in_force();
  auto& in = world["IN"];
  const auto leaves = [&] {  // besides anchors and the like, which the clock alone makes
    uint64_t n = 0;
    const auto all = in.store->read("leaf/" + bare_uuid(text.id), 0, 10'000);
    for (const auto& l : *all) n += ledger::parse_leaf(l)->kind == "renewal" ? 1 : 0;
    return n;
  };
  const auto state = [&] { return in.exchange->instruments().state(text.id); };
  const Time end = *state()->end;
  const Time opt_out = subtract(end, state()->document->opt_out_notice);
  const auto go_to = [&](Time t) {
    world.clock.advance_us(t.us - world.clock.now().us);
    in.exchange->tick();
  };
  constexpr int64_t kDay = 86'400'000'000;
  in.exchange->tick();
  EXPECT_TRUE(in.exchange->renewals().warnings().empty());
  const uint64_t before = leaves();
  for (const int days : {90, 30, 7}) {
    go_to(opt_out.plus_us(-days * kDay - 120'000'000));
    const auto early = in.exchange->renewals().warnings();
    EXPECT_TRUE(early.empty() || early[0].days > days);
    go_to(opt_out.plus_us(-days * kDay));
    const auto now = in.exchange->renewals().warnings();
    ASSERT_EQ(now.size(), 1U) << days;
    EXPECT_EQ(now[0].days, days);
    EXPECT_EQ(now[0].opt_out, opt_out);
  }
  go_to(opt_out);
  EXPECT_TRUE(in.exchange->renewals().warnings().empty()) << "too late to say anything for this term";
  EXPECT_EQ(leaves(), before);
  go_to(end);
  EXPECT_EQ(state()->kind, agreement::StateKind::kInForce);
  EXPECT_EQ(leaves(), before + 1) << "the renewal is in the ledger";
  go_to(end.plus_us(kDay));
  ASSERT_OK(in.reopen());
  in.exchange->tick();
  EXPECT_EQ(leaves(), before + 1) << "once";
}

TEST_F(TwoNodes, ATermThatSomebodyDeclinedIsNotRenewed) {
  in_force();
  auto& in = world["IN"];
  in.exchange->tick();
  ASSERT_OK(world.act("IN", "no_renewal", text.id));
  const Time end = *in.exchange->instruments().state(text.id)->end;
  world.clock.advance_us(end.us - world.clock.now().us);
  in.exchange->tick();
  const auto all = in.store->read("leaf/" + bare_uuid(text.id), 0, 10'000);
  for (const auto& l : *all) EXPECT_NE(ledger::parse_leaf(l)->kind, "renewal");
  EXPECT_EQ(in.exchange->instruments().state(text.id)->kind, agreement::StateKind::kExpired);
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

// Attack 11: the clock is set back. Nothing goes out and nothing is passed over; it goes when the clock is right again.
TEST_F(TwoNodes, AClockSetBackStopsTheFlowAndLosesNothing) {
  in_force();
  world.clock.advance_us(int64_t{7200} * 1'000'000);  // so that the agreement is in force at the wrong time as well
  ASSERT_OK(world["JP"].publish({make_indicator("a.example", world.clock.now())}));
  world.clock.advance_us(-int64_t{3600} * 1'000'000);
  world["JP"].release_all();
  const auto plan = world["JP"].exchange->releaser().plan({make_indicator("x.example", world.clock.now())}, "IN");
  ASSERT_OK(plan);
  EXPECT_EQ((*plan)[0].decision.reasons.front().code, "CLOCK_UNSAFE");
  EXPECT_EQ(world["JP"].store->count(released(text.id, "JP", "IN")), 0U);
  world.clock.advance_us(int64_t{3600} * 1'000'000);
  ASSERT_OK(world.settle());
  EXPECT_EQ(got(), 1U);
}

// Two parties in a group and a pair: an object goes once, by the instrument that governs it.
TEST(ThreeNodes, AnObjectGoesOnceByTheInstrumentThatGoverns) {
  World world({"AU", "IN", "JP"});
  ASSERT_OK(world.open());
  Text pair;
  pair.types = {"indicator", "identity", "marking-definition"};
  Text group;
  group.ceiling = "green";
  ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, pair)));
  ASSERT_OK(world.bring_into_force({"AU", "IN", "JP"}, world.document({"AU", "IN", "JP"}, group)));
  ASSERT_OK(world["JP"].publish({make_indicator("one.example", world.clock.now(), "green"),
                                 make_indicator("two.example", world.clock.now(), "amber")}));
  ASSERT_OK(world.settle());
  EXPECT_EQ(world["IN"].store->count(received(pair.id, "JP", "IN")), 2U) << "lex specialis: the pair";
  EXPECT_EQ(world["IN"].store->count(received(group.id, "JP", "IN")), 0U);
  EXPECT_EQ(world["AU"].store->count(received(group.id, "JP", "AU")), 1U) << "above the group's ceiling";
}

TEST(Manifest, OneByteChangedAnywhereBreaksIt) {
  const SecretKey key = SecretKey::generate();
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
  const std::string good = manifest_object(m);
  const auto valid = [&](const std::string& text) {
    const auto doc = json::parse(text);
    if (!doc.ok()) return false;
    const auto parsed = parse_manifest(doc->root());
    return parsed.ok() && manifest_signed(*parsed, key.public_key());
  };
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

}  // namespace
}  // namespace entente::exchange
