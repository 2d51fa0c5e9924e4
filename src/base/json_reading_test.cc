#include "base/json_reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::base {
namespace {

TEST(JsonReading, WhatIsThereAndWhatIsNot) {
  const Json json = *ParseJson(
      R"({"t": "x", "n": 2.5, "f": true, "l": ["a", 1, "b"], "neg": -1, "big": 1e300})", "text");
  EXPECT_EQ(TextAt(json, "t"), "x");
  EXPECT_EQ(TextAt(json, "n"), "");
  EXPECT_EQ(CountAt(json, "n"), 2);
  EXPECT_EQ(CountAt(json, "neg"), 0);
  EXPECT_EQ(CountAt(json, "big"), 0);
  EXPECT_EQ(NumberAt(json, "n"), 2.5);
  EXPECT_EQ(NumberAt(json, "t"), 0);
  EXPECT_TRUE(FlagAt(json, "f"));
  EXPECT_FALSE(FlagAt(json, "t"));
  EXPECT_THAT(TextsAt(json, "l"), testing::ElementsAre("a", "b"));
  EXPECT_TRUE(At(json, "none").is_null());
  EXPECT_TRUE(At(Json(5), "none").is_null());
}

}  // namespace
}  // namespace switchyard::base
