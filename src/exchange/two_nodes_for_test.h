// For tests of this layer: two nodes with one agreement, and the macro that says why something failed.
#pragma once

#include <gtest/gtest.h>

#include "exchange/names.h"
#include "exchange/two_nodes.h"

#define ASSERT_OK(...)                             \
  do {                                             \
    const auto& ok_r = (__VA_ARGS__);              \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

namespace entente::exchange {

class TwoNodes : public ::testing::Test {
 protected:
  TwoNodes() : world({"IN", "JP"}) {}
  void SetUp() override { ASSERT_OK(world.open()); }
  void in_force() {
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, world.document({"IN", "JP"}, text)));
    ASSERT_EQ(world["IN"].exchange->instruments().state(text.id)->kind, agreement::StateKind::kInForce);
    ASSERT_EQ(world["JP"].exchange->instruments().state(text.id)->kind, agreement::StateKind::kInForce);
  }
  uint64_t got(const std::string& to = "IN", const std::string& from = "JP") {
    return world[to].store->count(received(text.id, from, to));
  }
  World world;
  Text text;
};

}  // namespace entente::exchange
