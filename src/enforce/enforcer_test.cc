#include "enforce/enforcer.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace entente::enforce {
namespace {

constexpr Time kNow{1'700'000'000'000'000};

Prefix address(int i) { return *parse_prefix("10.0.0." + std::to_string(i)); }

TEST(Reconciler, what_is_applied_is_what_is_wanted_whatever_failed_between) {
  EXPECT_TRUE(rc::check("enforcer equals desired after a good flush", [] {
    MemEnforcer enforcer(*rc::gen::inRange<size_t>(1, 12));
    Reconciler reconciler(enforcer);
    std::map<Prefix, Element> model;
    const int n = *rc::gen::inRange(1, 60);
    for (int i = 0; i < n; ++i) {
      const Prefix p = address(*rc::gen::inRange(1, 16));
      if (*rc::gen::inRange(0, 3) != 0) {
        const Element e{p, *rc::gen::arbitrary<bool>(), kNow.plus_us(*rc::gen::inRange(1, 5))};
        model[p] = e;
        reconciler.want(e);
      } else {
        model.erase(p);
        reconciler.unwant(p);
      }
      if (*rc::gen::inRange(0, 3) == 0) {
        enforcer.fail(*rc::gen::inRange(0, 3) == 0);
        (void)reconciler.flush({}, kNow).ok();
      }
    }
    enforcer.fail(false);
    RC_ASSERT(reconciler.flush({}, kNow).ok());
    const auto left = reconciler.left_out();
    RC_ASSERT(enforcer.elements().size() == std::min(model.size(), enforcer.capacity()));
    RC_ASSERT(enforcer.elements().size() + left.size() == model.size());
    for (const auto& [prefix, element] : enforcer.elements()) RC_ASSERT(model.at(prefix) == element);
    // No drop is left out while something that only counts is in.
    const bool counting_in = std::any_of(enforcer.elements().begin(), enforcer.elements().end(),
                                         [](const auto& e) { return !e.second.drop; });
    for (const Prefix& p : left) RC_ASSERT(!(model.at(p).drop && counting_in));
  }));
}

TEST(Reconciler, one_batch_per_flush_and_none_when_nothing_changed) {
  MemEnforcer enforcer;
  Reconciler reconciler(enforcer);
  for (int i = 1; i < 100; ++i) reconciler.want({address(i), true, kNow});
  ASSERT_TRUE(reconciler.flush({}, kNow).ok());
  ASSERT_TRUE(reconciler.flush({}, kNow).ok());
  reconciler.want({address(3), true, kNow});  // as it is
  ASSERT_TRUE(reconciler.flush({}, kNow).ok());
  EXPECT_EQ(enforcer.calls(), 1u);
  reconciler.unwant(address(3));
  reconciler.want({address(200), true, kNow});
  ASSERT_TRUE(reconciler.flush({}, kNow).ok());
  EXPECT_EQ(enforcer.calls(), 2u);
}

}  // namespace
}  // namespace entente::enforce
