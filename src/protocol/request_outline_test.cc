#include "protocol/request_outline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace switchyard::protocol {
namespace {

using base::Json;
using testing::HasSubstr;

RequestOutline Outline(std::string_view body, Endpoint endpoint = Endpoint::kChat) {
  auto outline = ReadOutline(endpoint, body);
  EXPECT_TRUE(outline) << outline.error().message;
  return outline.value_or(RequestOutline());
}

std::string Joined(const EditedBody& body) {
  std::string all;
  for (const std::string_view piece : body.Pieces()) all += piece;
  return all;
}

TEST(RequestOutline, SeesWhatAGatewayNeeds) {
  const RequestOutline outline = Outline(R"({
    "messages": [{"role": "user", "content": "\"model\": \"other\", {[ "}],
    "model": "m", "stream": true, "stream_options": {"include_usage": true}, "n": 3,
    "max_tokens": 9, "max_completion_tokens": 8, "seed": null, "tools": [],
    "response_format": {"type": "json_object"}, "user": "x"})");
  EXPECT_EQ(outline.model, "m");
  EXPECT_TRUE(outline.stream);
  EXPECT_TRUE(outline.include_usage);
  EXPECT_EQ(outline.n, 3);
  EXPECT_EQ(outline.max_tokens, 8);
  EXPECT_EQ(outline.seed, std::nullopt);
  EXPECT_FALSE(outline.has_tools);
  EXPECT_TRUE(outline.has_grammar);
  EXPECT_FALSE(outline.has_logprobs);
  EXPECT_EQ(outline.Find("user"), "\"x\"");
}

TEST(RequestOutline, CountsPrompts) {
  const std::pair<std::string_view, std::size_t> all[] = {
      {"\"a\"", 1}, {"[1, 2, 3]", 1}, {"[\"a\", \"b\"]", 2}, {"[[1],[2, 3],[4]]", 3}, {"[]", 1}};
  for (const auto& [prompt, count] : all) {
    const std::string body = fmt::format(R"({{"model":"m","prompt":{}}})", prompt);
    EXPECT_EQ(Outline(body, Endpoint::kText).prompts, count) << prompt;
  }
}

TEST(RequestOutline, RefusesWhatTwoReadersMayTakeForTwoThings) {
  const std::pair<std::string_view, std::string_view> all[] = {
      {R"({"model":"a","model":"b"})", "'model' is given twice"},
      {R"({"model":"a","mod\u0065l":"b"})", "escapes"},
      {R"({"model":"a")", "JSON body"},
      {R"(["model"])", "JSON body"},
      {R"({"model":"a"} x)", "JSON body"},
      {R"({"model":7})", "model parameter"},
      {R"({"model":"a","n":"3"})", "'n'"},
      {R"({"model":"a","seed":1.5})", "'seed'"}};
  for (const auto& [body, why] : all) {
    const auto outline = ReadOutline(Endpoint::kChat, body);
    ASSERT_FALSE(outline) << body;
    EXPECT_EQ(outline.error().status, 400);
    EXPECT_THAT(outline.error().message, HasSubstr(why)) << body;
  }
}

TEST(RequestOutline, BoundsTheChoicesOfOneAnswer) {
  const auto read = [](int prompts, std::string_view n) {
    std::string list = "[\"\"";
    for (int i = 1; i < prompts; ++i) list += ",\"\"";
    const std::string body = fmt::format(R"({{"model":"m","prompt":{}],"n":{}}})", list, n);
    return ReadOutline(Endpoint::kText, body);
  };
  EXPECT_TRUE(read(4, "1024"));
  EXPECT_TRUE(read(4096, "1"));
  for (const auto& refused :
       {read(5, "1024"), read(4097, "1"), read(10'000, "9223372036854775807")}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, 400);
    EXPECT_THAT(refused.error().message, HasSubstr("4096"));
  }
}

TEST(EditedBody, ReplacesAndAddsAndKeepsTheRest) {
  const std::string body = R"( {"messages":[ "…" ], "model" : "alias","seed":null} )";
  const RequestOutline outline = Outline(body);
  EditedBody edited(body);
  edited.Set(outline, "model", "\"real\"");
  edited.Set(outline, "return_token_ids", "true");
  edited.Set(outline, "seed", "7");
  edited.Set(outline, "switchyard", R"({"version":1})");
  EXPECT_EQ(Joined(edited), R"( {"return_token_ids":true,"switchyard":{"version":1},)"
                            R"("messages":[ "…" ], "model" : "real","seed":7} )");
  const EditedBody moved = std::move(edited);
  EXPECT_EQ(Json::parse(Joined(moved))["seed"], 7);
  // The messages are where they were.
  EXPECT_EQ(moved.Pieces()[3].data(), body.data() + 2);
}

}  // namespace
}  // namespace switchyard::protocol
