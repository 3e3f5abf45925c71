// Who may ask: tokens, passwords, strangers, the status of what was posted.
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/directory.h"
#include "exchange/two_nodes_for_test.h"
#include "exchange/wire.h"
#include "ledger/tile_log.h"

namespace entente::exchange {
namespace {

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

}  // namespace
}  // namespace entente::exchange
