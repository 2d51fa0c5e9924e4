#include "base/metric_text.h"

#include <gtest/gtest.h>

namespace switchyard::base {
namespace {

TEST(MetricText, IsAsPrometheusReadsIt) {
  EXPECT_EQ(MetricHead("a_total", "counter", "What a is."),
            "# HELP a_total What a is.\n# TYPE a_total counter\n");
}

TEST(MetricText, NothingEndsALabelEarly) {
  EXPECT_EQ(LabelText("plain"), "plain");
  EXPECT_EQ(LabelText("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
}

}  // namespace
}  // namespace switchyard::base
