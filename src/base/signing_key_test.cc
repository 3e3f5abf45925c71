// Keys in files, under passphrases and on tokens. The token is SoftHSM, a PKCS #11 module in software (package
// softhsm2).
#include "base/signing_key.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/bytes.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace entente {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Folder : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/keys-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir); }
  [[nodiscard]] std::string in(const std::string& name) const { return dir + "/" + name; }
  static std::string read(const std::string& path) {
    std::ifstream f(path);
    return {std::istreambuf_iterator<char>(f), {}};
  }
  std::string dir;
};

AskSecret say(const std::string& secret) {
  return [secret](const std::string&) -> Result<std::string> { return secret; };
}
AskSecret never() {
  return [](const std::string& what) -> Result<std::string> { return invalid("asked for " + what); };
}

TEST_F(Folder, APlainFileNeedsNoPassphrase) {
  const SecretKey key = SecretKey::generate();
  ASSERT_TRUE(key.save(in("k.pem")).ok());
  auto opened = open_signing_key(in("k.pem"), never());
  ASSERT_TRUE(opened.ok()) << opened.error().text();
  EXPECT_EQ((*opened)->public_key(), key.public_key());
  EXPECT_EQ((*opened)->sign("x").value(), key.sign("x"));
}

TEST_F(Folder, UnderAPassphraseTheFileSaysNothingOfTheKey) {
  const SecretKey key = SecretKey::from_seed(std::string(32, 'A')).value();
  ASSERT_TRUE(save_encrypted(key, in("k.pem"), "correct horse").ok());
  const std::string text = read(in("k.pem"));
  EXPECT_THAT(text, HasSubstr("ENCRYPTED PRIVATE KEY"));
  EXPECT_THAT(text, Not(HasSubstr(base64(std::string(32, 'A')).substr(4, 24))));
  struct stat st{};
  ASSERT_EQ(::stat(in("k.pem").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  auto opened = open_signing_key(in("k.pem"), say("correct horse"));
  ASSERT_TRUE(opened.ok()) << opened.error().text();
  EXPECT_TRUE(verify(key.public_key(), "text", (*opened)->sign("text").value()));
  auto wrong = open_signing_key(in("k.pem"), say("wrong horse"));
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().kind, ErrorKind::kDenied);
  EXPECT_THAT(wrong.error().text(), Not(HasSubstr("wrong horse")));
  EXPECT_FALSE(open_signing_key(in("k.pem"), never()).ok());
  EXPECT_FALSE(SecretKey::load(in("k.pem")).ok()) << "a node does not ask on its terminal";
}

TEST_F(Folder, KeysAreNotOverwrittenAndNotOpenToOthers) {
  const SecretKey key = SecretKey::generate();
  ASSERT_TRUE(save_encrypted(key, in("k.pem"), "p").ok());
  EXPECT_EQ(save_encrypted(key, in("k.pem"), "p").error().kind, ErrorKind::kConflict);
  EXPECT_FALSE(save_encrypted(key, in("e.pem"), "").ok());
  ASSERT_EQ(::chmod(in("k.pem").c_str(), 0640), 0);
  EXPECT_THAT(open_signing_key(in("k.pem"), say("p")).error().text(), HasSubstr("open to others"));
  EXPECT_EQ(open_signing_key(in("none.pem"), never()).error().kind, ErrorKind::kNotFound);
}

TEST_F(Folder, TokenUris) {
  for (const char* uri :
       {"pkcs11:", "pkcs11:token=t;object=o", "pkcs11:token=t?module-path=/x", "pkcs11:token=t;object=o;surprise=1"})
    EXPECT_EQ(open_signing_key(uri, never()).error().kind, ErrorKind::kInvalid) << uri;
  EXPECT_THAT(open_signing_key("pkcs11:token=t;object=o?module-path=/x&pin-value=1234", never()).error().text(),
              HasSubstr("does not stand in a URI"));
  EXPECT_THAT(open_signing_key("pkcs11:token=t;object=o?module-path=/nowhere.so", never()).error().text(),
              HasSubstr("cannot be loaded"));
}

// SoftHSM 2.6.1 forgets the name of the curve when it makes an Ed25519 key: its leak, not ours.
Result<PublicKey> make_key(const std::string& uri, const AskSecret& ask) {
#ifdef __SANITIZE_ADDRESS__
  const __lsan::ScopedDisabler quiet;
#endif
  return make_token_key(uri, ask);
}

class Token : public Folder {
 protected:
  static constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";
  void SetUp() override {
    Folder::SetUp();
    if (!std::filesystem::exists(kModule)) GTEST_SKIP() << "no SoftHSM here: tools/setup test installs it (softhsm2)";
    std::filesystem::create_directories(in("tokens"));
    std::ofstream(in("softhsm2.conf")) << "directories.tokendir = " << in("tokens") << "\nlog.level = ERROR\n";
    ASSERT_EQ(::setenv("SOFTHSM2_CONF", in("softhsm2.conf").c_str(), 1), 0);
    const std::string init =
        "softhsm2-util --init-token --free --label ministry --pin 4711 --so-pin 0815 >" + in("log") + " 2>&1";
    ASSERT_EQ(std::system(init.c_str()), 0) << read(in("log"));  // NOLINT(cert-env33-c): the test's own command
  }
  [[nodiscard]] static std::string uri(const std::string& object, const std::string& more = {}) {
    return "pkcs11:token=ministry;object=" + object + "?module-path=" + kModule + more;
  }
};

TEST_F(Token, AKeyIsMadeOnTheTokenAndSignsThere) {
  auto made = make_key(uri("IN%2Fauthority%2F1"), say("4711"));
  ASSERT_TRUE(made.ok()) << made.error().text();
  auto key = open_signing_key(uri("IN%2Fauthority%2F1"), say("4711"));
  ASSERT_TRUE(key.ok()) << key.error().text();
  EXPECT_EQ((*key)->public_key(), *made);
  const auto s = (*key)->sign("an act");
  ASSERT_TRUE(s.ok()) << s.error().text();
  EXPECT_TRUE(verify(*made, "an act", *s));
  EXPECT_FALSE(verify(*made, "another", *s));
}

TEST_F(Token, ThePinMayStandInAFileAndAWrongOneIsRefused) {
  ASSERT_TRUE(make_key(uri("k"), say("4711")).ok());
  std::ofstream(in("pin")) << "4711\n";
  EXPECT_TRUE(open_signing_key(uri("k", "&pin-source=file:" + in("pin")), never()).ok());
  const auto wrong = open_signing_key(uri("k"), say("0000"));
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().text(), HasSubstr("refuses this PIN"));
}

TEST_F(Token, NamesAreUniqueAndMustExist) {
  ASSERT_TRUE(make_key(uri("k"), say("4711")).ok());
  EXPECT_EQ(make_key(uri("k"), say("4711")).error().kind, ErrorKind::kConflict);
  EXPECT_EQ(open_signing_key(uri("other"), say("4711")).error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(
      open_signing_key("pkcs11:token=nobody;object=k?module-path=" + std::string(kModule), say("4711")).error().text(),
      HasSubstr("no such token"));
}

}  // namespace
}  // namespace entente
