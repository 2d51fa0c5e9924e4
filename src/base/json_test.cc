#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace switchyard::base {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

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

std::string ObjectOf(int keys, std::size_t key_bytes = 0) {
  std::string text = "{";
  for (int i = 0; i < keys; ++i) {
    const std::string key = std::to_string(i);
    text += (i > 0 ? ",\"" : "\"") + std::string(key_bytes - std::min(key_bytes, key.size()), '0');
    text += key + "\":0";
  }
  return text + "}";
}

std::string ListOf(int count, const std::string& element) {
  std::string text = "[" + element;
  for (int i = 1; i < count; ++i) text += "," + element;
  return text + "]";
}

std::string ErrorOf(const std::string& text, const JsonLimits& limits = {}) {
  const auto json = ParseJson(text, "test", limits);
  return json ? "" : json.error().message;
}

TEST(Json, CountsKeysOfAnObjectThatIsNeverClosedOrClosedWrongly) {
  std::string open = ObjectOf(1'000'000);
  open.pop_back();
  for (const char* end : {"", "]", ",", ":"}) {
    EXPECT_THAT(ErrorOf(open + end), HasSubstr("more than 8192 keys")) << end;
    EXPECT_THAT(ErrorOf("[" + open + end), HasSubstr("more than 8192 keys")) << end;
  }
}

TEST(Json, BoundsWhatAllKeysOfATextCost) {
  EXPECT_EQ(ErrorOf(ObjectOf(8192)), "");
  EXPECT_EQ(ErrorOf(ListOf(5000, ObjectOf(50))), "");
  EXPECT_THAT(ErrorOf(ListOf(300, ObjectOf(8192))), HasSubstr("too many objects"));
  EXPECT_THAT(ErrorOf(ObjectOf(8000, 4000)), HasSubstr("very long keys"));
}

TEST(Json, ColonsInStringsAndListsAreNoKeys) {
  const JsonLimits one_key{.depth = 4, .keys = 1};
  EXPECT_EQ(ErrorOf(R"({"a:b\\":["c:\":d","e:f"]})", one_key), "");
  EXPECT_THAT(ErrorOf(R"({"a":0,"b":0})", one_key), HasSubstr("more than 1 keys"));
}

TEST(Json, SaysWhereABracketIsNotClosed) {
  EXPECT_THAT(ErrorOf("{\"a\":\n  [1, 2"),
              AllOf(HasSubstr("unexpected end of input"),
                    HasSubstr("the '[' at line 2, column 3 is not closed")));
  EXPECT_THAT(ErrorOf(R"({"a": [1, 2})"),
              AllOf(HasSubstr("line 1, column 12"), HasSubstr("unexpected '}'")));
  // The first fault is a quote; the bracket that is open behind it comes of that.
  EXPECT_THAT(ErrorOf(R"({"a": "say "hi {" there"})"),
              AllOf(HasSubstr("line 1, column 13"), Not(HasSubstr("is not closed"))));
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
