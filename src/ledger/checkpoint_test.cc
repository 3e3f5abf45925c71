#include "ledger/checkpoint.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"

namespace entente::ledger {
namespace {

const std::string kOrigin = "entente/in/6f1c0f0e";
const SecretKey kKey = SecretKey::from_seed(std::string(32, 'k')).value();
Checkpoint sample() { return {kOrigin, 1234, leaf_hash("root")}; }

TEST(Checkpoint, HasTheFormOfTheSpecification) {
  const std::string note = sign_checkpoint(sample(), kKey);
  const std::string body = kOrigin + "\n1234\n" + base64(view(leaf_hash("root"))) + "\n";
  const std::string id = std::string(view(sha256(kOrigin + "\n\x01" + kKey.public_key().raw)).substr(0, 4));
  EXPECT_EQ(note, body + "\n\xe2\x80\x94 " + kOrigin + " " + base64(id + kKey.sign(body)) + "\n");
  const auto c = open_checkpoint(note, kOrigin, kKey.public_key());
  ASSERT_TRUE(c.ok());
  EXPECT_EQ(c->size, 1234u);
  EXPECT_EQ(c->root, sample().root);
}

TEST(Checkpoint, AnyAlteredOctetIsRefused) {
  const std::string note = sign_checkpoint(sample(), kKey);
  for (size_t i = 0; i < note.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = note;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      ASSERT_FALSE(open_checkpoint(bad, kOrigin, kKey.public_key()).ok()) << i;
    }
    ASSERT_FALSE(open_checkpoint(note.substr(0, i), kOrigin, kKey.public_key()).ok());
  }
}

TEST(Checkpoint, OthersMaySignToo) {
  const std::string note = sign_checkpoint(sample(), kKey);
  const std::string line = "\xe2\x80\x94 witness.example " + base64(std::string(76, 'w')) + "\n";
  EXPECT_TRUE(open_checkpoint(note + line, kOrigin, kKey.public_key()).ok());
  const size_t gap = note.find("\n\n") + 2;
  EXPECT_TRUE(open_checkpoint(note.substr(0, gap) + line + note.substr(gap), kOrigin, kKey.public_key()).ok());
  EXPECT_FALSE(open_checkpoint(note.substr(0, gap) + line, kOrigin, kKey.public_key()).ok());
}

TEST(Checkpoint, OtherKeyOrOriginIsDenied) {
  const std::string note = sign_checkpoint(sample(), kKey);
  EXPECT_EQ(open_checkpoint(note, kOrigin, SecretKey::generate().public_key()).error().kind, ErrorKind::kDenied);
  EXPECT_EQ(open_checkpoint(note, "entente/jp/6f1c0f0e", kKey.public_key()).error().kind, ErrorKind::kDenied);
}

// The signature covers these too, so only the parser can refuse them.
TEST(Checkpoint, RefusesOddBodiesThatAreWellSigned) {
  const auto signed_note = [](const std::string& body) {
    const std::string id = std::string(view(sha256(kOrigin + "\n\x01" + kKey.public_key().raw)).substr(0, 4));
    return body + "\n\xe2\x80\x94 " + kOrigin + " " + base64(id + kKey.sign(body)) + "\n";
  };
  const std::string root = base64(view(leaf_hash("root")));
  EXPECT_TRUE(open_checkpoint(signed_note(kOrigin + "\n7\n" + root + "\n"), kOrigin, kKey.public_key()).ok());
  for (const std::string& body :
       {kOrigin + "\n07\n" + root + "\n", kOrigin + "\n-7\n" + root + "\n", kOrigin + "\n\n" + root + "\n",
        kOrigin + "\n18446744073709551616\n" + root + "\n", kOrigin + "\n7\nAAAA\n",
        kOrigin + "\n7\n" + root + "\nextension\n", kOrigin + "\n7\n", std::string("\n7\n") + root + "\n"}) {
    EXPECT_FALSE(open_checkpoint(signed_note(body), kOrigin, kKey.public_key()).ok()) << body;
  }
}

RC_GTEST_PROP(Checkpoint, AnyTextIsAnswered, (const std::string& s)) {
  RC_ASSERT(!open_checkpoint(s, kOrigin, kKey.public_key()).ok());
}

}  // namespace
}  // namespace entente::ledger
