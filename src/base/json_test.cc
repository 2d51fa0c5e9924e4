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

TEST(Json, RefusesAnObjectOfTooManyKeys) {
  std::string text = "[{\"0\":0";
  for (int i = 1; i < 5; ++i) text += ",\"" + std::to_string(i) + "\":[1,2,3,4,5,6,7]";
  text += "}]";
  EXPECT_TRUE(ParseJson(text, "test", {.depth = 8, .keys = 5}));
  auto json = ParseJson(text, "test", {.depth = 8, .keys = 4});
  ASSERT_FALSE(json);
  EXPECT_NE(json.error().message.find("more than 4 keys"), std::string::npos);
}

TEST(Json, NamesTheSubjectOfBrokenText) {
  auto json = ParseJson("{\"a\":", "config.json");
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(json.error().message.find("config.json"), 0U);
}

TEST(Json, WhatItQuotesOfBrokenTextIsUtf8) {
  for (const std::string_view text :
       {"\xff", "{\"a\xc3\": 1}", "[\"\x80\"]", "{\"a\": \xf0\x9f}"}) {
    auto json = ParseJson(text, "an answer");
    ASSERT_FALSE(json) << text;
    EXPECT_NO_THROW((void)Json(json.error().message).dump()) << text;
  }
}

TEST(Json, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(ReplaceBrokenUtf8("a\"\n\xc3\xa9"), "a\"\n\xc3\xa9");
  EXPECT_EQ(ReplaceBrokenUtf8("a\xff"
                              "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(WriteJson({{"a", "\xff"}}, 1), "{\n \"a\": \"\xef\xbf\xbd\"\n}");
}

}  // namespace
}  // namespace switchyard::base
