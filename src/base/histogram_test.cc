#include "base/histogram.h"

#include <gtest/gtest.h>

namespace switchyard::base {
namespace {

TEST(Histogram, CountsCumulatively) {
  const double bounds[] = {1.0, 2.5};
  Histogram histogram(bounds);
  for (const double value : {0.5, 1.0, 2.0, 9.0}) histogram.Observe(value);
  EXPECT_EQ(histogram.Render("h", "Help.", "a=\"b\""),
            "# HELP h Help.\n# TYPE h histogram\n"
            "h_bucket{a=\"b\",le=\"1\"} 2\nh_bucket{a=\"b\",le=\"2.5\"} 3\n"
            "h_bucket{a=\"b\",le=\"+Inf\"} 4\nh_sum{a=\"b\"} 12.500000\nh_count{a=\"b\"} 4\n");
}

TEST(Histogram, MayHaveNoLabels) {
  const double bounds[] = {1.0};
  const Histogram histogram(bounds);
  EXPECT_EQ(histogram.Render("h", "Help.", ""),
            "# HELP h Help.\n# TYPE h histogram\n"
            "h_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 0\nh_sum{} 0.000000\nh_count{} 0\n");
}

}  // namespace
}  // namespace switchyard::base
