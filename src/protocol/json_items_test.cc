#include "protocol/json_items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "base/json.h"

namespace switchyard::protocol {
namespace {

using testing::ElementsAre;

// "key=value" of each member, or the value of each element; "broken" at the end if it is.
std::vector<std::string> Items(std::string_view text) {
  std::vector<std::string> seen;
  JsonItems items(text);
  const bool is_object = items.is_object();
  while (items.Next()) {
    seen.push_back(is_object ? std::string(items.key()) + "=" + std::string(items.value())
                             : std::string(items.value()));
  }
  if (!items.is_whole()) seen.emplace_back("broken");
  return seen;
}

TEST(JsonItems, FindsMembersAndElements) {
  EXPECT_THAT(Items(R"( {"a" : 1 ,"b":{"c":[1,{"}":"]"}]} , "d":"x\"y\\", "e":null} )"),
              ElementsAre("a=1", R"(b={"c":[1,{"}":"]"}]})", R"(d="x\"y\\")", "e=null"));
  EXPECT_THAT(Items("[1, -2.5e3,[], {} ,true,\"\"]"),
              ElementsAre("1", "-2.5e3", "[]", "{}", "true", "\"\""));
  EXPECT_THAT(Items("{}"), ElementsAre());
  EXPECT_THAT(Items(" [ ] "), ElementsAre());
}

TEST(JsonItems, EndsWhereTextIsBroken) {
  for (const auto* text : {"", "7", "\"x\"", "{", "[", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\" 1}",
                           "{a:1}", "{\"a\":1}}", "[1] 2", "{\"a\":\"x}", "{\"a\\\":1}", "[1 2]",
                           "{\"a\":1 \"b\":2}", "[\"\\\\\\\"]", "{\"a\":]}", "[[]"}) {
    EXPECT_THAT(Items(text), testing::Contains("broken")) << text;
  }
}

TEST(JsonItems, ReadsValues) {
  EXPECT_EQ(JsonInteger("-12"), -12);
  EXPECT_EQ(JsonInteger("1.0"), std::nullopt);
  EXPECT_EQ(JsonInteger("99999999999999999999"), std::nullopt);
  EXPECT_EQ(JsonString("\"plain\""), "plain");
  EXPECT_EQ(JsonString("\"a\\u00e9\\n\""), "a\u00e9\n");
  EXPECT_EQ(JsonString("12"), std::nullopt);
  EXPECT_EQ(JsonString("\"\\ud800\""), std::nullopt);
}

base::Json Arbitrary(int depth) {
  const int kind = *rc::gen::inRange(0, depth > 0 ? 6 : 4);
  if (kind == 0) return nullptr;
  if (kind == 1) return *rc::gen::arbitrary<std::int64_t>();
  if (kind == 2) return *rc::gen::arbitrary<bool>();
  const auto text = [] {
    std::string made;
    for (const int c : *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 0x7F))) {
      made += static_cast<char>(c);
    }
    return made;
  };
  if (kind == 3) return text();
  base::Json json = kind == 4 ? base::Json::array() : base::Json::object();
  for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
    if (kind == 4) {
      json.push_back(Arbitrary(depth - 1));
    } else {
      json[text()] = Arbitrary(depth - 1);
    }
  }
  return json;
}

RC_GTEST_PROP(JsonItems, SeesWhatAParserSees, ()) {
  base::Json json = base::Json::array({Arbitrary(3), Arbitrary(3)});
  if (*rc::gen::arbitrary<bool>()) json = {{"a", Arbitrary(3)}, {"b\n", Arbitrary(3)}};
  for (const int indent : {-1, 2}) {
    const std::string text = json.dump(indent);
    JsonItems items(text);
    for (const auto& [key, value] : json.items()) {
      RC_ASSERT(items.Next());
      RC_ASSERT(base::Json::parse(items.value()) == value);
      if (json.is_object()) {
        RC_ASSERT(JsonString("\"" + std::string(items.key()) + "\"") == key);
      }
    }
    RC_ASSERT(!items.Next());
    RC_ASSERT(items.is_whole());
    // No beginning of it is whole.
    const std::size_t cut = *rc::gen::inRange<std::size_t>(0, text.size());
    JsonItems part(std::string_view(text).substr(0, cut));
    while (part.Next()) {
    }
    RC_ASSERT(!part.is_whole());
  }
}

TEST(JsonItems, PutsJsonInOneLine) {
  EXPECT_FALSE(HasControls("{\"a\": \"\\n\xC3\xA9\"}"));
  EXPECT_TRUE(HasControls("{}\n"));
  EXPECT_EQ(JsonInOneLine("{\n\t\"a\\\"\":\r[1, \"\\\\\"\n]}"), "{  \"a\\\"\": [1, \"\\\\\" ]}");
  for (const std::string_view text : {"{\"a\nb\":1}", "[\"\\\n\"]", "[\"\\\\\t\"]", "[1,\x01 2]"}) {
    EXPECT_EQ(JsonInOneLine(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace switchyard::protocol
