#include "base/uuid.h"

#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/crypto.h"

namespace entente {
namespace {

// The example of RFC 9562 A.4: www.example.com in the DNS name space.
TEST(Uuid, NameBasedAsInTheRfc) {
  const auto dns = parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  ASSERT_TRUE(dns);
  EXPECT_EQ(name_uuid(*dns, "www.example.com").text(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

RC_GTEST_PROP(Uuid, TextReadsBack, ()) {
  Uuid u;
  for (auto& b : u.b) b = *rc::gen::arbitrary<uint8_t>();
  RC_ASSERT(parse_uuid(u.text()) == u);
}

TEST(Uuid, RefusesOtherShapes) {
  for (const char* bad : {"", "6ba7b8109dad11d180b400c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c",
                          "6ba7b810-9dad-11d1-80b4-00c04fd430cg", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
                          "6ba7b810x9dad-11d1-80b4-00c04fd430c8", "6ba7b8109-dad-11d1-80b4-00c04fd430c8"}) {
    EXPECT_FALSE(parse_uuid(bad)) << bad;
  }
  EXPECT_EQ(parse_uuid("6BA7B810-9DAD-11D1-80B4-00C04FD430C8")->text(), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
}

TEST(Uuid, RandomOnesAreVersion4AndDiffer) {
  std::set<Uuid> seen;
  for (int i = 0; i < 1000; ++i) {
    const Uuid u = random_uuid();
    EXPECT_EQ(u.version(), 4);
    EXPECT_TRUE(u.rfc4122());
    seen.insert(u);
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(Uuid, ShapedFromAHashHasVersion5) {
  const Digest d = sha256("x");
  const Uuid u = uuid_shaped(view(d));
  EXPECT_EQ(u.version(), 5);
  EXPECT_TRUE(u.rfc4122());
  EXPECT_EQ(u.b[0], d[0]);
  EXPECT_EQ(u.b[15], d[15]);
}

}  // namespace
}  // namespace entente
