#include "taxii/internal/media.h"

#include <gtest/gtest.h>

namespace entente::taxii::internal {
namespace {

TEST(Media, SplitsOutsideQuotesOnly) {
  const auto list = split_list(R"(a/b;x="1,2", c/d , ,e/f)");
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(parse_media_type(list[0])->parameter("x"), "1,2");
  EXPECT_EQ(parse_media_type(R"(a/b;x="q\"q")")->parameter("x"), "q\"q");
  EXPECT_FALSE(parse_media_type("nonsense"));
  EXPECT_FALSE(parse_media_type("/x"));
  EXPECT_FALSE(parse_media_type("a/b;c"));
  EXPECT_TRUE(parse_media_type("a/b;"));
}

TEST(Media, PreferWait) {
  const auto wait = [](const char* v) { return preferred_wait({{"Prefer", v}}); };
  EXPECT_EQ(wait("wait=10"), 10);
  EXPECT_EQ(wait("respond-async; x=1, Wait = \"7\"; foo"), 7);
  EXPECT_EQ(wait("wait=10, wait=20"), 10);
  EXPECT_EQ(wait("wait=-1"), std::nullopt);
  EXPECT_EQ(wait("wait=1x"), std::nullopt);
  EXPECT_EQ(wait("wait"), std::nullopt);
  EXPECT_EQ(wait("wait=999999999999999999999"), std::nullopt);
  EXPECT_EQ(wait("wait=99999999"), 86'400);
  EXPECT_EQ(preferred_wait({}), std::nullopt);
  EXPECT_EQ(preferred_wait({{"Prefer", "return=minimal"}, {"prefer", "wait=3"}}), 3);
}

}  // namespace
}  // namespace entente::taxii::internal
