#include "ledger/leaf.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "base/crypto.h"

namespace entente::ledger {
namespace {

Leaf sample() {
  Leaf l;
  l.agreement = "urn:uuid:6f1c0f0e-0000-4000-8000-000000000001";
  l.at = parse_time("2027-01-15T05:12:00.123Z").value();
  l.agreement_version = sha256_hex("version");
  l.by = "IN/node/1";
  l.kind = "release";
  l.prev = sha256_hex("previous");
  l.recipient = "JP";
  l.commitment = commit_to(std::string(32, 's'), "{}");
  return l;
}

TEST(Leaf, TextIsCanonicalAndReadsBack) {
  const Leaf l = sample();
  EXPECT_EQ(l.text(),
            R"({"agr":"urn:uuid:6f1c0f0e-0000-4000-8000-000000000001","at":"2027-01-15T05:12:00.123000Z","av":")" +
                l.agreement_version + R"(","body":{"c":")" + l.commitment +
                R"("},"by":"IN/node/1","kind":"release","prev":")" + l.prev + R"(","rcpt":"JP","v":1})");
  const auto back = parse_leaf(l.text());
  ASSERT_TRUE(back.ok()) << back.error().text();
  EXPECT_EQ(back->text(), l.text());
  EXPECT_LT(l.text().size(), 4096u);
  Leaf first = l;
  first.prev = "";
  first.recipient = "";
  EXPECT_TRUE(parse_leaf(first.text()).ok());
}

TEST(Leaf, RefusesOtherSpellingsAndOtherMembers) {
  const std::string good = sample().text();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string s = good;
    s.replace(s.find(from), from.size(), to);
    return s;
  };
  for (const std::string& bad :
       {good + " ", with("\"v\":1", "\"v\":2"), with("\"v\":1", "\"v\":1,\"w\":1"), with("\"v\":1", "\"v\":\"1\""),
        with("123000Z", "123Z"), with("\"rcpt\":\"JP\",", ""), with("{\"c\":", "{\"b\":1,\"c\":"),
        with("\"kind\":\"release\"", "\"kind\":\"\""), with("{\"agr\"", "{ \"agr\""),
        with("\"prev\":\"", "\"prev\":\"x"), with("\"IN/node/1\"", "[]"), std::string("[]"), std::string(),
        std::string(5000, ' ')}) {
    EXPECT_FALSE(parse_leaf(bad).ok()) << bad;
  }
}

RC_GTEST_PROP(Leaf, AnyTextIsAnswered, (const std::string& s)) { RC_ASSERT(!parse_leaf(s).ok()); }

TEST(Commitment, IsTheHashThatTheFormatSays) {
  const std::string salt(32, 's');
  EXPECT_EQ(commit_to(salt, "record"), sha256_hex("entente/leaf/v1" + salt + "record"));
  EXPECT_NE(commit_to(std::string(32, 't'), "record"), commit_to(salt, "record"));
  const std::string zero(1, '\0');
  EXPECT_EQ(
      object_commitment(salt, "indicator--1", "v", sha256_hex("bytes")),
      sha256_hex("entente/object/v1" + salt + "indicator--1" + zero + "v" + zero + std::string(view(sha256("bytes")))));
}

}  // namespace
}  // namespace entente::ledger
