#include "base/crypto.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

namespace entente {
namespace {

std::string bytes(std::string_view h) { return unhex(h).value(); }

TEST(Hash, KnownAnswers) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const auto s1 = sha1("abc");
  EXPECT_EQ(hex({reinterpret_cast<const char*>(s1.data()), s1.size()}), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

// RFC 4231 §4.2, §4.3, §4.7.
TEST(Hash, HmacVectors) {
  EXPECT_EQ(hex(view(hmac_sha256(std::string(20, '\x0b'), "Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(view(hmac_sha256("Jefe", "what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(view(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hex(view(hmac_sha256("", ""))), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

RC_GTEST_PROP(Hash, PiecesHashLikeTheWhole, (const std::string& a, const std::string& b, const std::string& c)) {
  RC_ASSERT(sha256({a, b, c}) == sha256(a + b + c));
}

// RFC 8032 §7.1, TEST 1 to 3.
TEST(Ed25519, VectorsOfTheRfc) {
  struct Vector {
    const char *seed, *key, *message, *signature;
  };
  const Vector vectors[] = {{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                             "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                             "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
                             "cf9b46bd25bf5f0595bbe24655141438e7a100b"},
                            {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                             "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                             "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
                             "0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
                            {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                             "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                             "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
                             "84dc6594a7c15e9716ed28dc027beceea1ec40a"}};
  for (const auto& v : vectors) {
    const auto key = SecretKey::from_seed(bytes(v.seed)).value();
    EXPECT_EQ(key.public_key().to_hex(), v.key);
    EXPECT_EQ(hex(key.sign(bytes(v.message))), v.signature);
    EXPECT_TRUE(verify(PublicKey::from_hex(v.key).value(), bytes(v.message), bytes(v.signature)));
  }
}

RC_GTEST_PROP(Ed25519, AnyFlippedBitIsRefused, (const std::string& message)) {
  const auto key = SecretKey::generate();
  const auto pub = key.public_key();
  std::string sig = key.sign(message);
  RC_ASSERT(verify(pub, message, sig));
  RC_ASSERT(!verify(pub, message + "x", sig));
  const auto bit = *rc::gen::inRange<size_t>(0, 512);
  sig[bit / 8] = static_cast<char>(sig[bit / 8] ^ (1 << bit % 8));
  RC_ASSERT(!verify(pub, message, sig));
}

// S and S+L sign the same (RFC 8032 §5.1.7 demands S < L): without the check every signature would have a twin.
TEST(Ed25519, RefusesTheTwinWithSAboveL) {
  const std::string order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  const auto key = SecretKey::from_seed(std::string(32, 'k')).value();
  std::string sig = key.sign("m");
  int carry = 0;
  for (size_t i = 0; i < 32; ++i) {
    const int sum = static_cast<uint8_t>(sig[32 + i]) + static_cast<uint8_t>(order[i]) + carry;
    sig[32 + i] = static_cast<char>(sum & 0xff);
    carry = sum >> 8;
  }
  ASSERT_EQ(carry, 0);
  EXPECT_FALSE(verify(key.public_key(), "m", sig));
}

const char* const kSmallOrderPoints[] = {"0000000000000000000000000000000000000000000000000000000000000000",
                                         "0100000000000000000000000000000000000000000000000000000000000000",
                                         "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                                         "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                                         "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                         "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                         "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};

// With A of small order and S = 0, R = identity-like points "sign" any message.
TEST(Ed25519, RefusesPointsOfSmallOrder) {
  for (const char* point : kSmallOrderPoints) {
    for (const int sign : {0, 0x80}) {
      std::string raw = bytes(point);
      raw[31] = static_cast<char>(raw[31] | sign);
      EXPECT_FALSE(PublicKey::from_hex(hex(raw)).ok()) << hex(raw);
      for (const char* r : kSmallOrderPoints)
        EXPECT_FALSE(verify(PublicKey{raw}, "any", bytes(r) + std::string(32, '\0')));
    }
  }
}

TEST(Ed25519, RefusesWhatIsNoCanonicalPoint) {
  EXPECT_FALSE(PublicKey::from_hex("0200000000000000000000000000000000000000000000000000000000000000")
                   .ok());  // not on the curve
  // y = p + 4 reads as 4: a second encoding of what 04…00 encodes.
  EXPECT_FALSE(PublicKey::from_hex("f1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").ok());
  EXPECT_FALSE(PublicKey::from_hex("").ok());
  EXPECT_FALSE(PublicKey::from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511").ok());
  EXPECT_FALSE(verify(PublicKey{"short"}, "m", std::string(64, 'x')));
}

class KeyFile : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(dir_); }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string dir_ = testing::TempDir() + "entente-keys-" + std::to_string(::getpid());
  std::string path_ = dir_ + "/node.pem";
};

TEST_F(KeyFile, SavedKeyIsTheSameAndPrivate) {
  const auto key = SecretKey::generate();
  ASSERT_TRUE(key.save(path_).ok());
  struct stat st{};
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_EQ(SecretKey::load(path_).value().public_key(), key.public_key());
  EXPECT_TRUE(key.pem().starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

TEST_F(KeyFile, IsNeverOverwritten) {
  ASSERT_TRUE(SecretKey::generate().save(path_).ok());
  EXPECT_EQ(SecretKey::generate().save(path_).error().kind, ErrorKind::kConflict);
}

TEST_F(KeyFile, OpenToOthersIsRefused) {
  ASSERT_TRUE(SecretKey::generate().save(path_).ok());
  ::chmod(path_.c_str(), 0640);
  EXPECT_EQ(SecretKey::load(path_).error().kind, ErrorKind::kDenied);
}

TEST_F(KeyFile, OtherContentIsRefused) {
  EXPECT_EQ(SecretKey::load(path_).error().kind, ErrorKind::kNotFound);
  std::ofstream(path_) << "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
  ::chmod(path_.c_str(), 0600);
  EXPECT_EQ(SecretKey::load(path_).error().kind, ErrorKind::kInvalid);
}

TEST(Password, HashChecksAndIsSalted) {
  const auto h = hash_password("correct horse");
  EXPECT_TRUE(h.starts_with("$argon2id$"));
  EXPECT_TRUE(check_password(h, "correct horse"));
  EXPECT_FALSE(check_password(h, "correct horsf"));
  EXPECT_NE(h, hash_password("correct horse"));
  for (const char* bad : {"", "$argon2id$", "$argon2i$v=19$m=8,t=1,p=1$AAAA$AAAA", "plain"})
    EXPECT_FALSE(check_password(bad, "x"));
}

TEST(Crypto, ComparesAndDraws) {
  EXPECT_TRUE(equal_ct("abc", "abc"));
  EXPECT_FALSE(equal_ct("abc", "abd"));
  EXPECT_FALSE(equal_ct("abc", "ab"));
  EXPECT_NE(random_bytes(32), random_bytes(32));
  EXPECT_EQ(random_bytes(3u << 20).size(), 3u << 20);
}

}  // namespace
}  // namespace entente
