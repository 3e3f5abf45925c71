#include "base/shared_text.h"

#include <gtest/gtest.h>

namespace entente {
namespace {

TEST(SharedText, CopiesBearTheSameOctetsWithoutCopyingThem) {
  const SharedText a(std::string(100, 'x'));
  const SharedText b = a;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is tested
  EXPECT_EQ(a.str().data(), b.str().data());
  EXPECT_EQ(a, b);
}

TEST(SharedText, EqualByOctetsNotByOrigin) {
  EXPECT_EQ(SharedText("IN-JP"), SharedText(std::string("IN-JP")));
  EXPECT_NE(SharedText("IN-JP"), SharedText("IN-KE"));
  EXPECT_EQ(SharedText("IN-JP"), "IN-JP");
  EXPECT_FALSE(SharedText("IN") == "IN-JP");
}

TEST(SharedText, EmptyIsEmptyHoweverItWasMade) {
  SharedText cleared("text");
  cleared.clear();
  for (const SharedText& t : {SharedText(), SharedText(""), SharedText(std::string()), cleared}) {
    EXPECT_TRUE(t.empty());
    EXPECT_EQ(t.str(), "");
    EXPECT_EQ(t, SharedText());
  }
}

}  // namespace
}  // namespace entente
