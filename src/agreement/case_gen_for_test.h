// For tests: random release cases as RapidCheck generates them. A case that fails is made smaller, object by object,
// agreement by agreement, until nothing more can be left out.
#pragma once

#include <cstdlib>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "agreement/random_case.h"

namespace entente::agreement::testing {

// How many cases a property judges: what it says, ENTENTE_CASES times (tools/soak); a tenth in instrumented builds,
// which decide slowly.
inline size_t judged(int usual) {
  const char* times = std::getenv("ENTENTE_CASES");
  if (times != nullptr) return static_cast<size_t>(usual) * std::strtoull(times, nullptr, 10);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return static_cast<size_t>(usual) / 10;
#else
  return static_cast<size_t>(usual);
#endif
}

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  for (const State& s : c.states) {
    out << s.agreement_id;
    for (const auto& [party, kind] : s.by_party) out << ' ' << party << '=' << to_text(kind);
    out << '\n';
    for (const Flow& f : s.document->flows)
      out << "  " << f.id << (f.permit ? " permits up to " : " forbids ") << stix::to_text(f.ceiling) << '\n';
  }
  for (const CaseObject& o : c.objects) out << o.originator << ' ' << o.raw << '\n';
  for (const Consent& k : c.consents) out << "consent " << k.object_id << ' ' << k.version << '\n';
  for (const Hold& h : c.holds) out << "hold " << h.object_id << ' ' << h.reason << '\n';
  return out;
}
inline void showValue(const Case& c, std::ostream& out) { out << c; }

inline std::vector<Case> smaller(const Case& c) {
  std::vector<Case> out;
  const auto without = [&](auto list) {
    for (size_t i = 0; i < (c.*list).size(); ++i) {
      Case less = c;
      (less.*list).erase((less.*list).begin() + static_cast<std::ptrdiff_t>(i));
      out.push_back(std::move(less));
    }
  };
  without(&Case::objects);
  if (c.states.size() > 1) without(&Case::states);
  without(&Case::consents);
  without(&Case::holds);
  return out;
}

inline rc::Gen<Case> any_case() {
  return [](const rc::Random& random, int) {
    rc::Random r(random);
    return rc::shrinkable::shrinkRecur(random_case(r.next()),
                                       [](const Case& c) { return rc::seq::fromContainer(smaller(c)); });
  };
}

// The choices that a property makes about its case.
inline rc::Gen<uint64_t> any_seed() { return rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint64_t>())); }

// fn(case, choices) for that many cases, with the expectations of GoogleTest; what fails is made smaller first.
template <class Fn>
void for_cases(int usual, Fn fn) {
  const auto property = [&fn] {
    const Case drawn = *any_case();
    const uint64_t seed = *any_seed();
    ::testing::TestPartResultArray said;
    {
      const ::testing::ScopedFakeTestPartResultReporter listener(
          ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &said);
      Case c = drawn;
      Rng r(seed);
      fn(c, r);
    }
    for (int i = 0; i < said.size(); ++i)
      if (said.GetTestPartResult(i).failed()) RC_FAIL(said.GetTestPartResult(i).message());
  };
  rc::detail::TestMetadata about;
  about.id = about.description = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  params.maxSuccess = static_cast<int>(judged(usual));
  const rc::detail::TestResult result = rc::detail::checkTestable(property, about, params);
  std::ostringstream text;
  rc::detail::printResultMessage(result, text);
  EXPECT_TRUE(result.template is<rc::detail::SuccessResult>()) << text.str();
}

}  // namespace entente::agreement::testing
