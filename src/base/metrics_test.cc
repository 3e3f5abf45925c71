#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace entente {
namespace {

using testing::HasSubstr;

TEST(Metrics, PrometheusText) {
  Metrics m;
  m.counter("entente_objects_total", "Objects.\nAll of them.", "code=\"200\"").add(3);
  m.counter("entente_objects_total", "Objects.", "code=\"404\"").add();
  m.gauge("entente_open", "Open.").set(7);
  m.histogram("entente_wait_seconds", "Waits.", "kind=\"a\"").record_us(3);
  const std::string text = m.prometheus();
  EXPECT_THAT(text,
              HasSubstr("# HELP entente_objects_total Objects.\\nAll of them.\n# TYPE entente_objects_total counter\n"
                        "entente_objects_total{code=\"200\"} 3\nentente_objects_total{code=\"404\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE entente_open gauge\nentente_open 7\n"));
  EXPECT_THAT(text, HasSubstr("entente_wait_seconds_bucket{kind=\"a\",le=\"2e-06\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("entente_wait_seconds_bucket{kind=\"a\",le=\"4e-06\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("entente_wait_seconds_bucket{kind=\"a\",le=\"+Inf\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("entente_wait_seconds_sum{kind=\"a\"} 0.000003\nentente_wait_seconds_count{kind=\"a\"} 1\n"));
}

TEST(Metrics, SameNameAndLabelsIsTheSameCounter) {
  Metrics m;
  EXPECT_EQ(&m.counter("a", "h", "x=\"1\""), &m.counter("a", "h", "x=\"1\""));
  EXPECT_NE(&m.counter("a", "h", "x=\"1\""), &m.counter("a", "h", "x=\"2\""));
}

// A quantile is right to within its bucket: a factor of two.
RC_GTEST_PROP(Histogram, QuantileLiesWithinAFactorOfTwo, ()) {
  auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<int64_t>>(rc::gen::inRange<int64_t>(1, 100'000'000)));
  Histogram h;
  for (const auto v : values) h.record_us(v);
  std::sort(values.begin(), values.end());
  const auto median = static_cast<double>(values[(values.size() - 1) / 2]);
  const auto got = static_cast<double>(h.quantile_us(0.5));
  RC_ASSERT(got <= 2 * median + 1);
  RC_ASSERT(got >= median / 2 - 1);
  RC_ASSERT(h.count() == values.size());
}

TEST(Histogram, TakesExtremes) {
  Histogram h;
  EXPECT_EQ(h.quantile_us(0.5), 0);
  h.record_us(-5);
  h.record_us(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(h.count(), 2u);
}

}  // namespace
}  // namespace entente
