#include "enforce/enforcer.h"

#include <set>

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

// Takes half of a batch and then fails; what it has is known again when everything is replaced.
class HalfEnforcer final : public Enforcer {
 public:
  [[nodiscard]] std::string name() const override { return "half"; }
  [[nodiscard]] size_t capacity() const override { return 1000; }
  [[nodiscard]] size_t range_capacity() const override { return 1000; }
  Status start(const std::vector<Prefix>&, const std::vector<Element>& elements, Time) override {
    has.clear();
    for (const Element& e : elements) has.insert(e.prefix);
    return {};
  }
  Status apply(const Delta& delta, Time) override {
    for (const Element& e : delta.remove) has.erase(e.prefix);
    if (failing) {
      has.erase(has.begin());
      return make_error(ErrorKind::kUnavailable, "it broke in the middle");
    }
    for (const Element& e : delta.set) has.insert(e.prefix);
    return {};
  }
  Result<std::vector<Hits>> hits() override { return std::vector<Hits>{}; }
  Result<Totals> totals() override { return Totals{}; }
  Status clear() override { return {}; }

  std::set<Prefix> has;
  bool failing = false;
};

TEST(Reconciler, after_a_batch_that_failed_in_the_middle_everything_is_set_anew) {
  HalfEnforcer enforcer;
  Reconciler reconciler(enforcer);
  for (int i = 1; i < 10; ++i) reconciler.want({address(i), true, kNow});
  ASSERT_TRUE(reconciler.flush({}, kNow).ok());
  enforcer.failing = true;
  reconciler.want({address(10), true, kNow});
  ASSERT_FALSE(reconciler.flush({}, kNow).ok());
  enforcer.failing = false;
  ASSERT_TRUE(reconciler.flush({}, kNow).ok());
  EXPECT_EQ(enforcer.has.size(), 10u);
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
