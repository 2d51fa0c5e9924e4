#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <sstream>

#include "protocol/completion_request.h"
#include "protocol/completion_response.h"
#include "protocol/embeddings.h"
#include "protocol/tokenize.h"

namespace switchyard::protocol {
namespace {

using base::Json;

// The lines of a file of cases that are neither blank nor comments.
std::vector<std::string> CaseLines(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') lines.push_back(line);
  }
  return lines;
}

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json Fields(const StructuredOutput& wanted) {
  constexpr std::array kKinds = {"none",  "json_object", "json_schema",
                                 "regex", "choice",      "grammar"};
  return Json::array({kKinds.at(static_cast<std::size_t>(wanted.kind)), wanted.param, wanted.schema,
                      wanted.schema_name, wanted.strict, wanted.text, wanted.choices,
                      OrNull(wanted.blank)});
}

std::string ChoiceWord(ToolChoice choice) {
  return choice == ToolChoice::kNone ? "none" : choice == ToolChoice::kAuto ? "auto" : "required";
}

Json Strictness(const std::vector<Tool>& tools) {
  Json strict = Json::array();
  for (const Tool& tool : tools) strict.push_back(tool.strict);
  return strict;
}

Json Fields(const CompletionRequest& request) {
  Json prompts = Json::array();
  for (const Prompt& prompt : request.prompts) {
    std::visit([&](const auto& value) { prompts.push_back(value); }, prompt);
  }
  const SamplingFields& s = request.sampling;
  Json biases = Json::array();
  for (const auto& [token, bias] : s.logit_bias) biases.push_back(Json::array({token, bias}));
  return {{"model", request.model},
          {"messages", request.chat.messages},
          {"prompts", prompts},
          {"temperature", OrNull(s.temperature)},
          {"top_p", OrNull(s.top_p)},
          {"top_k", OrNull(s.top_k)},
          {"min_p", OrNull(s.min_p)},
          {"presence_penalty", OrNull(s.presence_penalty)},
          {"frequency_penalty", OrNull(s.frequency_penalty)},
          {"repetition_penalty", OrNull(s.repetition_penalty)},
          {"seed", OrNull(s.seed)},
          {"logit_bias", biases},
          {"n", request.n},
          {"stop", request.stop},
          {"stop_token_ids", request.stop_token_ids},
          {"max_tokens", OrNull(request.max_tokens)},
          {"top_logprobs", request.top_logprobs},
          {"stream", request.stream},
          {"include_usage", request.include_usage},
          {"ignore_eos", request.ignore_eos},
          {"user", request.user},
          {"best_of", request.output.best_of},
          {"echo", request.output.echo},
          {"min_tokens", request.output.min_tokens},
          {"bad_words", request.output.bad_words},
          {"allowed_token_ids", request.output.allowed_token_ids},
          {"include_stop", request.output.include_stop},
          {"skip_special_tokens", request.output.skip_special_tokens},
          {"truncate_prompt_tokens", OrNull(request.output.truncate_prompt_tokens)},
          {"structured_output", Fields(request.structured_output)},
          {"tool_choice", ChoiceWord(request.chat.tools.choice)},
          {"is_named", request.chat.tools.is_named},
          {"parallel", request.chat.tools.parallel},
          {"tools", request.chat.tools.Definitions()},
          {"strict", Strictness(*request.chat.tools.tools)},
          {"variables", request.chat.fields.variables},
          {"documents", request.chat.fields.documents},
          {"add_generation_prompt", request.chat.fields.add_generation_prompt},
          {"continue_final_message", request.chat.fields.continue_final_message},
          {"tells_reasoning", request.tells_reasoning}};
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

TEST(CompletionRequest, IsReadOrRefusedAsTheCasesSay) {
  const auto lines = CaseLines("tests/protocol/requests.txt");
  ASSERT_GT(lines.size(), 100U);
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
    SCOPED_TRACE(lines[i]);
    const Endpoint endpoint = lines[i].starts_with("chat ") ? Endpoint::kChat : Endpoint::kText;
    const auto request = ParseCompletionRequest(endpoint, lines[i].substr(5));
    const std::string& expected = lines[i + 1];
    if (expected.front() == '!') {
      ASSERT_FALSE(request);
      EXPECT_EQ(fmt::format("! {} {} {}", request.error().status, OrDash(request.error().param),
                            OrDash(request.error().code)),
                expected)
          << request.error().message;
      continue;
    }
    ASSERT_TRUE(request) << request.error().message;
    const Json fields = Fields(*request);
    const Json wanted = Json::parse(expected.substr(2));
    for (const auto& [name, value] : wanted.items()) {
      EXPECT_EQ(fields.at(name), value) << name;
    }
  }
}

TEST(CompletionRequest, WordsAreThoseOfOpenAi) {
  const auto request = ParseCompletionRequest(
      Endpoint::kChat,
      R"({"model":"m","messages":[{"role":"user","content":"x"}],"temperature":3})");
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().message,
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 "
            "instead.");
  const auto missing = ParseCompletionRequest(Endpoint::kChat, R"({"model":"m"})");
  EXPECT_EQ(missing.error().message, "Missing required parameter: 'messages'.");
}

TEST(CompletionRequest, SizesAreBounded) {
  std::string stops;
  for (int i = 0; i < 33; ++i) stops += stops.empty() ? "\"a\"" : ",\"a\"";
  const auto many = ParseCompletionRequest(Endpoint::kText,
                                           R"({"model":"m","prompt":"x","stop":[)" + stops + "]}");
  EXPECT_EQ(many.error().code, "array_above_max_length");
  const auto longer = ParseCompletionRequest(
      Endpoint::kText, R"({"model":"m","prompt":"x","stop":")" + std::string(5000, 'a') + "\"}");
  EXPECT_EQ(longer.error().code, "string_above_max_length");
  const auto deep =
      ParseCompletionRequest(Endpoint::kText, R"({"model":"m","prompt":)" + std::string(9999, '['));
  EXPECT_EQ(deep.error().status, 400);
}

std::string Written(const std::string& name) {
  AnswerHead head{.id = "x", .created = 1, .model = "m"};
  head.endpoint = name.starts_with("chat ") ? Endpoint::kChat : Endpoint::kText;
  const std::string what = name.substr(5);
  const Usage usage{.prompt_tokens = 5, .completion_tokens = 2, .cached_tokens = 4};
  const Choice part{.text = "Hi"};
  if (what == "whole") {
    const std::vector<TokenLogprobs> logprobs = {{{"H", -0.5}, {{"H", -0.5}}}, {{"é", -1.0}, {}}};
    const std::vector<Choice> choices = {
        {.text = "Hé", .logprobs = logprobs, .text_offset = 3, .finish = Finish::kStop}};
    return WholeAnswer(head, choices, usage);
  }
  if (what == "whole_calls") {
    const std::vector<Choice> choices = {
        {.reasoning = "Hm.",
         .calls = {{.id = "call_1", .name = "f", .arguments = "{\"a\":1}"}},
         .finish = Finish::kToolCalls}};
    return WholeAnswer(head, choices, usage);
  }
  std::string event;
  if (what == "call") {
    event = PartEvent(head, {.calls = {{.index = 1, .id = "call_1", .name = "f"}}});
  }
  if (what == "arguments") {
    event = PartEvent(head, {.calls = {{.index = 1, .arguments = "{\"a"}}});
  }
  if (what == "reasoning") event = PartEvent(head, {.reasoning = "Hm"});
  if (what == "opening") event = OpeningEvent(head, {.index = 1});
  if (what == "part") event = PartEvent(head, part);
  if (what == "end") event = PartEvent(head, {.finish = Finish::kLength});
  head.usage_follows = true;
  if (what == "part_before_usage") event = PartEvent(head, part);
  if (what == "usage") event = UsageEvent(head, usage);
  EXPECT_TRUE(event.starts_with("data: ") && event.ends_with("\n\n")) << event;
  return event.substr(6);
}

TEST(CompletionResponse, IsWrittenAsTheCasesSay) {
  const auto lines = CaseLines("tests/protocol/answers.txt");
  ASSERT_GE(lines.size(), 16U);
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
    SCOPED_TRACE(lines[i]);
    EXPECT_EQ(Json::parse(Written(lines[i])), Json::parse(lines[i + 1]));
  }
}

TEST(CompletionResponse, BrokenUtf8StaysJson) {
  const std::vector<TokenLogprobs> logprobs = {{{"\xC3", -0.5}, {}}};
  const std::vector<Choice> choices = {{.text = "\xC3", .logprobs = logprobs}};
  const auto answer = base::ParseJson(WholeAnswer({}, choices, {}), "answer");
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["choices"][0]["logprobs"]["content"][0]["bytes"], Json::array({195}));
}

TEST(ApiError, HasOpenAisBody) {
  EXPECT_EQ(ErrorBody(ModelNotFound("z")),
            R"({"error":{"message":"The model `z` does not exist; GET /v1/models lists those that )"
            R"(do.","type":"invalid_request_error","param":"model","code":"model_not_found"}})");
  EXPECT_EQ(ToApiError({base::ErrorCode::kResourceExhausted, "full"}).status, 429);
  EXPECT_EQ(ToApiError({base::ErrorCode::kUnavailable, "gone"}).status, 503);
  EXPECT_EQ(ToApiError({base::ErrorCode::kInvalidArgument, "no"}).status, 400);
  EXPECT_EQ(ToApiError({base::ErrorCode::kDataLoss, "broken"}).status, 500);
  EXPECT_EQ(InvalidApiKey(false).status, 401);
  EXPECT_EQ(ContextLengthExceeded(10, 11, 0, "messages").code, "context_length_exceeded");
}

TEST(Embeddings, AreReadOrRefused) {
  const auto one = ParseEmbeddingRequest(R"({"model":"m","input":"a"})");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->inputs, std::vector<Prompt>{"a"});
  EXPECT_FALSE(one->form.base64);
  const auto many = ParseEmbeddingRequest(
      R"({"model":"m","input":[[1,2],[3]],"encoding_format":"base64","dimensions":2,"user":"u"})");
  ASSERT_TRUE(many);
  EXPECT_EQ(std::get<1>(many->inputs.at(0)), (std::vector<std::int32_t>{1, 2}));
  EXPECT_TRUE(many->form.base64);
  EXPECT_EQ(many->form.dimensions, 2);
  const auto refused = [](std::string_view fields) {
    const auto request = ParseEmbeddingRequest(R"({"model":"m")" + std::string(fields) + "}");
    return request ? "accepted" : request.error().param + " " + request.error().code;
  };
  EXPECT_EQ(refused(""), "input missing_required_parameter");
  EXPECT_EQ(refused(R"(,"input":[])"), "input empty_array");
  EXPECT_EQ(refused(R"(,"input":["a",1])"), "input[1] invalid_type");
  EXPECT_EQ(refused(R"(,"input":[1,"a"])"), "input[1] invalid_type");
  EXPECT_EQ(refused(R"(,"input":"a","dimensions":0)"), "dimensions integer_below_min_value");
  EXPECT_EQ(refused(R"(,"input":"a","encoding_format":"int8")"), "encoding_format invalid_value");
  std::string texts = "\"a\"";
  for (int i = 0; i < 2048; ++i) texts += ",\"a\"";
  EXPECT_EQ(refused(",\"input\":[" + texts + "]"), "input array_above_max_length");
}

TEST(Embeddings, AreWrittenAsNumbersOrBase64) {
  const std::vector<std::vector<float>> vectors = {{0.6F, 0.8F, 0.0F}, {1.0F, 0.0F, 0.0F}};
  const Usage usage{.prompt_tokens = 5};
  const Json plain = Json::parse(EmbeddingAnswer("m", vectors, {}, usage));
  EXPECT_EQ(plain["object"], "list");
  EXPECT_EQ(plain["model"], "m");
  EXPECT_EQ(plain["data"][1]["index"], 1);
  EXPECT_EQ(plain["data"][0]["object"], "embedding");
  EXPECT_FLOAT_EQ(plain["data"][0]["embedding"][1].get<float>(), 0.8F);
  EXPECT_EQ(plain["usage"], Json({{"prompt_tokens", 5}, {"total_tokens", 5}}));
  // python3 -c "import base64,struct; print(base64.b64encode(struct.pack('<3f', 1, 0, 0)))"
  const Json coded = Json::parse(EmbeddingAnswer("m", vectors, {.base64 = true}, usage));
  EXPECT_EQ(coded["data"][1]["embedding"], "AACAPwAAAAAAAAAA");
  // ... struct.pack('<2f', .6, .8): shorter, and of length 1 already.
  const Json shorter =
      Json::parse(EmbeddingAnswer("m", vectors, {.base64 = true, .dimensions = 2}, usage));
  EXPECT_EQ(shorter["data"][0]["embedding"], "mpkZP83MTD8=");
  const Json first = Json::parse(EmbeddingAnswer("m", vectors, {.dimensions = 1}, usage));
  EXPECT_EQ(first["data"][0]["embedding"], Json::array({1.0}));
}

TEST(Tokenize, HasVllmsShapes) {
  const auto request = ParseTokenizeRequest(R"({"prompt":"a","add_special_tokens":false})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->prompt, "a");
  EXPECT_FALSE(request->add_special);
  EXPECT_EQ(TokenizeAnswer(std::vector<std::int32_t>{1, 2}, 9),
            R"({"count":2,"max_model_len":9,"tokens":[1,2],"token_strs":null})");
  EXPECT_FALSE(ParseTokenizeRequest("{}"));
  EXPECT_EQ(ParseDetokenizeRequest(R"({"tokens":[3]})")->tokens, std::vector<std::int32_t>{3});
  EXPECT_FALSE(ParseDetokenizeRequest(R"({"tokens":"a"})"));
  EXPECT_EQ(DetokenizeAnswer("x"), R"({"prompt":"x"})");
}

}  // namespace
}  // namespace switchyard::protocol
