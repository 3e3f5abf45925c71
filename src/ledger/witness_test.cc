// Cosignatures and witnesses: C2SP tlog-cosignature, tlog-witness; ledger.md §4 and the first rows of §7.
#include "ledger/witness.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "ledger/cosignature.h"
#include "ledger/log_test_util.h"

namespace entente::ledger {
namespace {

const std::string kName = "JP/witness/1";
const SecretKey& witness_key() {
  static const SecretKey key = SecretKey::from_seed(std::string(32, 'w')).value();
  return key;
}
const std::map<std::string, PublicKey> kKnown = {{kName, witness_key().public_key()}};
constexpr Time kNow{1'800'000'000'123'456};

std::string head(uint64_t size, const Hash& root) { return sign_checkpoint({kTestOrigin, size, root}, test_key()); }

struct Bench {
  MemFiles files;
  ManualClock clock{kNow};
  std::unique_ptr<Witness> made = fresh();
  Witness& witness = *made;
  std::unique_ptr<Witness> fresh() {
    EXPECT_TRUE(files.make_dirs("witness").ok());
    return std::make_unique<Witness>(files, "witness", kName, witness_key(), clock, [](const std::string& origin) {
      return origin == kTestOrigin ? std::vector{test_key().public_key()} : std::vector<PublicKey>{};
    });
  }
};

TEST(Cosignature, HasTheFormOfTheSpecification) {
  const std::string note = head(5, test_root(5));
  const std::string body = note.substr(0, note.find("\n\n") + 1);
  const std::string line = cosign(note, kName, witness_key(), kNow).value();
  std::string blob = std::string(view(sha256(kName + "\n\x04" + witness_key().public_key().raw)).substr(0, 4));
  put_u64(blob, 1'800'000'000);
  blob += witness_key().sign("cosignature/v1\ntime 1800000000\n" + body);
  EXPECT_EQ(line, "\xe2\x80\x94 " + kName + " " + base64(blob) + "\n");
  const auto found = cosignatures(note + line, kKnown);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().at.us, 1'800'000'000'000'000);
  EXPECT_EQ(found->front().line, line);
  // The log's own signature is as good as before.
  EXPECT_TRUE(open_checkpoint(note + line, kTestOrigin, test_key().public_key()).ok());
}

TEST(Cosignature, OfAnotherHeadTimeOrKeyIsRefused) {
  const std::string note = head(5, test_root(5));
  const std::string line = cosign(note, kName, witness_key(), kNow).value();
  EXPECT_FALSE(cosignatures(head(6, test_root(6)) + line, kKnown).ok());
  const SecretKey other = SecretKey::from_seed(std::string(32, 'x')).value();
  // Another key under the same name is another witness: not counted, and no error.
  EXPECT_TRUE(cosignatures(note + cosign(note, kName, other, kNow).value(), kKnown)->empty());
  std::string blob = unbase64(line.substr(line.rfind(' ') + 1, line.size() - line.rfind(' ') - 2)).value();
  for (size_t i = 4; i < blob.size(); ++i) {
    std::string bad = blob;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(cosignatures(note + "\xe2\x80\x94 " + kName + " " + base64(bad) + "\n", kKnown).ok()) << i;
  }
  EXPECT_FALSE(cosignatures(note + "\xe2\x80\x94 " + kName + " " + base64(blob.substr(0, 40)) + "\n", kKnown).ok());
}

TEST(Quorum, IsReadAsAgreementsWriteIt) {
  const auto pair = parse_quorum("all(IN/witness/1,JP/witness/1)", "IN").value();
  EXPECT_EQ(pair.needed, 2U);
  const auto four =
      parse_quorum("2 of (AU/witness/1,IN/witness/1,JP/witness/1,US/witness/1) excluding log owner", "JP").value();
  EXPECT_EQ(four.needed, 2U);
  EXPECT_EQ(four.names, (std::vector<std::string>{"AU/witness/1", "IN/witness/1", "US/witness/1"}));
  const auto by = [](std::vector<std::string> names) {
    std::vector<Cosignature> out;
    for (auto& n : names) out.push_back({std::move(n), {}, {}});
    return out;
  };
  EXPECT_FALSE(four.met(by({"AU/witness/1", "JP/witness/1"})));  // its own does not count
  EXPECT_TRUE(four.met(by({"AU/witness/1", "US/witness/1"})));
  EXPECT_FALSE(pair.met(by({"IN/witness/1"})));
  for (const char* bad : {"", "all", "all()", "all(JP)", "0 of (JP/witness/1)", "3 of (JP/witness/1,IN/witness/1)",
                          "all(JP/witness/1,JP/witness/1)", "all(JP/witness/1) and more", "x of (JP/witness/1)",
                          "1 of (JP/witness/1) excluding log owner"}) {
    EXPECT_FALSE(parse_quorum(bad, "JP").ok()) << bad;
  }
}

TEST(Witness, CosignsWhatExtendsWhatItCosignedAndNothingElse) {
  Bench b;
  MemFiles files;
  auto log = open_test_log(files).value();
  ASSERT_TRUE(log->append(test_entries(0, 5)).ok());
  const std::string five = log->checkpoint();
  const auto first = b.witness.add_checkpoint(write_add_checkpoint(0, {}, five));
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(cosignatures(five + first.body, kKnown)->size(), 1U);
  ASSERT_TRUE(log->append(test_entries(5, 300)).ok());
  const auto proof = log->prove_consistency(5).value();
  // A wrong old size: the answer says the right one.
  const auto wrong =
      b.witness.add_checkpoint(write_add_checkpoint(4, log->prove_consistency(4).value(), log->checkpoint()));
  EXPECT_EQ(wrong.status, 409);
  EXPECT_EQ(wrong.body, "5\n");
  EXPECT_FALSE(wrong.fork);
  EXPECT_EQ(b.witness.add_checkpoint(write_add_checkpoint(5, {}, log->checkpoint())).status, 422);
  EXPECT_EQ(b.witness.add_checkpoint(write_add_checkpoint(5, proof, log->checkpoint())).status, 200);
  // The same head again is a later time, nothing more; an older one is refused.
  EXPECT_EQ(b.witness.add_checkpoint(write_add_checkpoint(305, {}, log->checkpoint())).status, 200);
  EXPECT_EQ(b.witness.add_checkpoint(write_add_checkpoint(0, {}, five)).status, 409);
  EXPECT_EQ(b.witness.add_checkpoint(write_add_checkpoint(400, {}, log->checkpoint())).status, 400);
  // Another log, another key, no request at all.
  const std::string stranger = sign_checkpoint({"entente/xx/1", 1, test_root(1)}, test_key());
  EXPECT_EQ(b.witness.add_checkpoint(write_add_checkpoint(0, {}, stranger)).status, 404);
  const SecretKey other = SecretKey::from_seed(std::string(32, 'x')).value();
  const std::string forged = sign_checkpoint({kTestOrigin, 306, test_root(306)}, other);
  EXPECT_EQ(b.witness.add_checkpoint(write_add_checkpoint(305, {}, forged)).status, 403);
  for (const char* bad : {"", "old", "old 1", "old x\n\n", "old 01\n\nx", "new 1\n\n"})
    EXPECT_EQ(b.witness.add_checkpoint(bad).status, 400) << bad;
}

// ledger.md §7: a split view, and a history that was rewritten.
TEST(Witness, TwoHeadsOfOneSizeAreShownAndKept) {
  Bench b;
  const std::string one = head(7, test_root(7));
  const std::string two = head(7, leaf_hash("another history"));
  const std::string three = head(7, leaf_hash("a third one"));
  ASSERT_EQ(b.witness.add_checkpoint(write_add_checkpoint(0, {}, one)).status, 200);
  const auto a = b.witness.add_checkpoint(write_add_checkpoint(7, {}, two));
  EXPECT_EQ(a.status, 409);
  ASSERT_TRUE(a.fork);
  EXPECT_TRUE(a.earlier.starts_with(one));
  EXPECT_EQ(a.later, two);
  size_t kept = 0;
  EXPECT_TRUE(b.witness.add_checkpoint(write_add_checkpoint(7, {}, three)).fork);  // said again, and not kept again
  const auto names = b.files.list("witness");
  for (const auto& name : *names) kept += name.find(".fork") != std::string::npos ? 1 : 0;
  EXPECT_EQ(kept, 1U);
}

// tlog-witness: persist before answering. Whatever the disk keeps, no two roots of one size, and no head that does not
// extend the one before, are ever cosigned.
RC_GTEST_PROP(Witness, NeverSignsTwoHistoriesWhateverTheDiskKeeps, ()) {
  Bench b;
  // Two histories that share their first entries.
  const auto shared = *rc::gen::inRange<uint64_t>(0, 20);
  const auto entry = [&](int side, uint64_t i) {
    return i < shared ? test_entry(i) : test_entry(i) + (side == 0 ? "a" : "b");
  };
  MemFiles disk[2];
  std::unique_ptr<TileLog> log[2];
  for (int side : {0, 1}) {
    log[side] = open_test_log(disk[side]).value();
    std::vector<std::string> entries;
    for (uint64_t i = 0; i < 40; ++i) entries.push_back(entry(side, i));
    RC_ASSERT(log[side]->append(entries).ok());
  }
  const auto root = [&](int side, uint64_t size) {
    Frontier f;
    for (uint64_t i = 0; i < size; ++i) f.add(leaf_hash(entry(side, i)));
    return f.root();
  };
  std::map<uint64_t, Hash> signed_heads;
  std::optional<int> committed;  // to which of the two histories its cosignatures bind it
  auto witness = b.fresh();
  uint64_t known = 0;
  const auto steps = *rc::gen::inRange(1, 40);
  for (int k = 0; k < steps; ++k) {
    const int side = *rc::gen::inRange(0, 2);
    const auto size = *rc::gen::inRange<uint64_t>(0, 41);
    const auto old = *rc::gen::element(known, std::min<uint64_t>(known, size), size);
    if (*rc::gen::weightedElement<bool>({{1, true}, {5, false}})) {
      b.files.crash();
      witness = b.fresh();
    }
    if (old > size) continue;
    const auto proof = log[side]->prove_consistency(old, size).value();
    const auto a = witness->add_checkpoint(write_add_checkpoint(old, proof, head(size, root(side, size))));
    if (a.status == 409) known = std::stoull(a.body);
    if (a.status != 200) continue;
    known = size;
    const auto [it, fresh] = signed_heads.try_emplace(size, root(side, size));
    const bool one_root = fresh || it->second == root(side, size);
    RC_ASSERT(one_root);
    RC_ASSERT(size >= signed_heads.rbegin()->first);
    if (size > shared) {
      const bool same = committed.value_or(side) == side;
      RC_ASSERT(same);
      committed = side;
    }
  }
}

}  // namespace
}  // namespace entente::ledger
