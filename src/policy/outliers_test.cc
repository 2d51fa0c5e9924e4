#include "policy/outliers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace switchyard::policy {
namespace {

using testing::ElementsAre;

constexpr OutlierLimits kOutlierLimits{.factor = 4, .floor_ms = 100, .most_share = 0.5};

TEST(Outliers, SlowerThanUsualAndThanTheOthers) {
  std::vector<Pace> paces{{50, 50, 100}, {60, 60, 100}, {900, 60, 100}};
  EXPECT_THAT(FindOutliers(paces, kOutlierLimits), ElementsAre(false, false, true));
  paces[2].usual_ms = 800;  // a slow chip, as ever
  EXPECT_THAT(FindOutliers(paces, kOutlierLimits), ElementsAre(false, false, false));
  paces = {{900, 50, 100}, {800, 60, 100}, {900, 60, 100}};  // a harder load for all
  EXPECT_THAT(FindOutliers(paces, kOutlierLimits), ElementsAre(false, false, false));
}

TEST(Outliers, FewSamplesSmallTimesAndNoLimitSayNothing) {
  EXPECT_THAT(FindOutliers(std::vector<Pace>{{50, 50, 100}, {900, 60, 5}}, kOutlierLimits),
              ElementsAre(false, false));
  EXPECT_THAT(FindOutliers(std::vector<Pace>{{1, 1, 100}, {90, 1, 100}}, kOutlierLimits),
              ElementsAre(false, false));
  EXPECT_THAT(FindOutliers(std::vector<Pace>{{50, 50, 100}, {900, 60, 100}}, {.factor = 0}),
              ElementsAre(false, false));
}

RC_GTEST_PROP(OutliersProperty, NeverMoreThanTheShare, ()) {
  std::vector<Pace> paces;
  for (int i = 0; i < *rc::gen::inRange(0, 12); ++i) {
    paces.push_back({.recent_ms = *rc::gen::inRange(0, 5000) * 1.0,
                     .usual_ms = *rc::gen::inRange(0, 500) * 1.0,
                     .samples = *rc::gen::inRange(0, 100),
                     .is_away = *rc::gen::inRange(0, 4) == 0});
  }
  const auto found = FindOutliers(paces, kOutlierLimits);
  const auto now = static_cast<std::size_t>(std::ranges::count(found, true));
  const auto before = static_cast<std::size_t>(std::ranges::count(paces, true, &Pace::is_away));
  RC_ASSERT(now == 0 || 2 * (now + before) <= paces.size());
}

}  // namespace
}  // namespace switchyard::policy
