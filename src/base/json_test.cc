#include "base/json.h"

#include <gtest/gtest.h>

#include <string>

namespace switchyard::base {
namespace {

TEST(Json, KeepsTheOrderOfKeys) {
  auto json = ParseJson(R"({"z":1,"a":2})", "test");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->begin().key(), "z");
}

TEST(Json, RefusesDeepNesting) {
  auto json = ParseJson(std::string(1000, '[') + std::string(1000, ']'), "x.json");
  ASSERT_FALSE(json);
  EXPECT_NE(json.error().message.find("x.json: JSON is nested deeper"), std::string::npos);
}

TEST(Json, BracketsInStringsAreNotNesting) {
  EXPECT_TRUE(ParseJson("[\"" + std::string(1000, '[') + "\\\"\"]", "test"));
}

TEST(Json, NamesTheSubjectOfBrokenText) {
  auto json = ParseJson("{\"a\":", "config.json");
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(json.error().message.find("config.json"), 0U);
}

}  // namespace
}  // namespace switchyard::base
