#include "base/result.h"

#include <memory>

#include <gtest/gtest.h>

namespace entente {
namespace {

Result<int> half(int i) {
  if (i % 2 != 0) return invalid("odd", "/n", "give an even number");
  return i / 2;
}
Result<int> quarter(int i) {
  TRY(const int h, half(i));
  TRY(const int q, half(h));
  return q;
}
Status check(int i) {
  CHECK_OK(quarter(i));
  return {};
}

TEST(Result, TryPassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().what, "odd");
  EXPECT_TRUE(check(4).ok());
  EXPECT_FALSE(check(3).ok());
  EXPECT_EQ(half(3).value_or(9), 9);
}

TEST(Result, CarriesWhatOnlyMoves) {
  Result<std::unique_ptr<int>> r = std::make_unique<int>(5);
  const std::unique_ptr<int> p = std::move(r).value();
  EXPECT_EQ(*p, 5);
}

TEST(Error, TextLeavesOutWhatIsEmpty) {
  EXPECT_EQ(invalid("a", "b", "c").text(), "a (b): c");
  EXPECT_EQ(invalid("a", "", "c").text(), "a: c");
  EXPECT_EQ(invalid("a", "b").text(), "a (b)");
  EXPECT_EQ(invalid("a").text(), "a");
}

TEST(Error, AtPutsTheOuterPlaceFirst) {
  EXPECT_EQ(invalid("a", "/x/0").at("file.json").where, "file.json/x/0");
  EXPECT_EQ(invalid("a", "3:7").at("file.json").where, "file.json: 3:7");
  EXPECT_EQ(invalid("a").at("file.json").where, "file.json");
  EXPECT_EQ(invalid("a", "/x").at("").where, "/x");
}

TEST(Error, EveryKindHasANameAndAStatus) {
  for (int k = 0; k <= static_cast<int>(ErrorKind::kInternal); ++k) {
    const auto kind = static_cast<ErrorKind>(k);
    EXPECT_NE(std::string(name(kind)), "");
    EXPECT_GE(http_status(kind), 400);
    EXPECT_TRUE(exit_status(kind) == 1 || exit_status(kind) == 2);
  }
  EXPECT_EQ(http_status(ErrorKind::kDenied), 403);
  EXPECT_EQ(exit_status(ErrorKind::kInvalid), 1);
  EXPECT_EQ(exit_status(ErrorKind::kUnavailable), 2);
}

}  // namespace
}  // namespace entente
