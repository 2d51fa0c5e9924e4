#include "protocol/answer_chunk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/chunk_collector.h"
#include "protocol/completion_response.h"

namespace switchyard::protocol {
namespace {

// The data of an event as completion_response.h writes it.
std::string Data(const std::string& event) { return event.substr(6, event.size() - 8); }

std::string Changed(std::string_view data, const ChunkChanges& changes) {
  std::string out;
  AppendChunk(data, changes, out);
  return out;
}

AnswerHead Head(Endpoint endpoint) {
  return {.endpoint = endpoint, .id = "cmpl-1", .created = 5, .model = "m"};
}

TEST(AnswerChunk, ACompletionGoesOnWithAChat) {
  const std::string data =
      R"({"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[)"
      R"({"index":0,"text":"é","token_ids":[5,6],"prompt_token_ids":[1,2],"finish_reason":null}]})";
  const std::string as_chat = AsContinuation(data, Endpoint::kChat).value_or("");
  const auto chat = ReadChunk(as_chat);
  ASSERT_TRUE(chat && chat->choices.size() == 1);
  EXPECT_EQ(chat->choices[0].content, "\"é\"");
  EXPECT_EQ(chat->choices[0].token_ids, "[5,6]");
  EXPECT_TRUE(chat->choices[0].text.empty() && chat->choices[0].prompt_token_ids.empty());
  EXPECT_THAT(as_chat, testing::HasSubstr("\"chat.completion.chunk\""));
  const std::string as_text = AsContinuation(data, Endpoint::kText).value_or("");
  const auto text = ReadChunk(as_text);
  ASSERT_TRUE(text && text->choices.size() == 1);
  EXPECT_EQ(text->choices[0].text, "\"é\"");
  EXPECT_TRUE(text->choices[0].prompt_token_ids.empty());
  // The prompt alone says nothing new; errors stay as they are.
  EXPECT_EQ(AsContinuation(R"({"choices":[{"index":0,"text":"","prompt_token_ids":[1]}]})",
                           Endpoint::kChat),
            "");
  const std::string error = R"({"error":{"message":"no"}})";
  EXPECT_EQ(AsContinuation(error, Endpoint::kChat), error);
  const std::string deep = R"({"choices":[],"x":)" + std::string(100'000, '[');
  const std::string whole = deep + std::string(100'000, ']') + "}";
  for (const std::string& other : {std::string("[1"), std::string(R"({"choices":[1]})"), whole}) {
    EXPECT_FALSE(AsContinuation(other, Endpoint::kChat));
  }
}

TEST(AnswerChunk, HasOneListOfChoices) {
  EXPECT_TRUE(ReadChunk(R"({"choices":[{"index":0},{"index":1}]})"));
  EXPECT_FALSE(ReadChunk(R"({"choices":[{"index":0}],"choices":[{"index":1}]})"));
}

TEST(AnswerChunk, SeesPartsOfAChat) {
  const AnswerHead head = Head(Endpoint::kChat);
  Choice opening{.index = 2};
  opening.prompt_token_ids = {1, 2};
  const std::string first = Data(OpeningEvent(head, opening));
  const auto role = ReadChunk(first);
  ASSERT_TRUE(role);
  EXPECT_EQ(role->id, "\"cmpl-1\"");
  EXPECT_EQ(role->prompt_token_ids, "[1,2]");
  ASSERT_EQ(role->choices.size(), 1U);
  EXPECT_EQ(role->choices[0].index, 2);
  EXPECT_TRUE(role->choices[0].has_role);
  EXPECT_FALSE(role->choices[0].IsBare());

  Choice part{.index = 1, .text = "a\"b"};
  part.token_ids = {7};
  const std::string text = Data(PartEvent(head, part));
  const auto content = ReadChunk(text);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->choices[0].content, R"("a\"b")");
  EXPECT_EQ(content->choices[0].token_ids, "[7]");
  EXPECT_FALSE(content->choices[0].IsBare());

  part.text.clear();
  const std::string silent = Data(PartEvent(head, part));
  EXPECT_TRUE(ReadChunk(silent)->choices[0].IsBare());
  part.calls.push_back({.index = 0, .arguments = "{"});
  const std::string call = Data(PartEvent(head, part));
  EXPECT_TRUE(ReadChunk(call)->choices[0].has_tool_calls);
  const std::string last = Data(PartEvent(head, {.finish = Finish::kStop}));
  EXPECT_EQ(ReadChunk(last)->choices[0].finish_reason, "\"stop\"");
  EXPECT_TRUE(ReadChunk(Data(ErrorEvent({.message = "x"})))->error.starts_with("{"));
  for (const auto* broken : {"", "{", "[]", "[DONE]", "{\"id\":\"x\"", "{\"choices\":[}"}) {
    EXPECT_FALSE(ReadChunk(broken)) << broken;
  }
}

// What was written without token ids is what is left once they are taken out.
TEST(AnswerChunk, TakesTokenIdsOut) {
  for (const Endpoint endpoint : {Endpoint::kChat, Endpoint::kText}) {
    AnswerHead head = Head(endpoint);
    Choice part{.index = 0, .text = "word"};
    const std::string plain = Data(PartEvent(head, part));
    part.token_ids = {7, 8};
    const std::string told = Data(PartEvent(head, part));
    const ChunkChanges changes{.drops_token_ids = true, .drops_extension = true};
    EXPECT_TRUE(changes.IsNeeded(*ReadChunk(told)));
    EXPECT_FALSE(changes.IsNeeded(*ReadChunk(plain)));
    EXPECT_EQ(Changed(told, changes), plain);
  }
  AnswerHead head = Head(Endpoint::kChat);
  Choice opening;
  const std::string plain = Data(OpeningEvent(head, opening));
  opening.prompt_token_ids = {1, 2};
  head.seed = 9;
  const std::string told = Data(OpeningEvent(head, opening));
  EXPECT_EQ(Changed(told, {.drops_token_ids = true, .drops_extension = true}), plain);
}

TEST(AnswerChunk, ReplacesWhatTellsOfItsOrigin) {
  EXPECT_EQ(Changed(R"({"id":"b", "created":2,"model":"x","choices":[],"usage":{"a":1}})",
                    {.id = "\"a\"", .created = "1", .model = "\"m\"", .usage = "{}"}),
            R"({"id":"a","created":1,"model":"m","choices":[],"usage":{}})");
}

std::vector<TokenLogprobs> Logprobs(std::string bytes) {
  return {{{bytes, -0.5}, {{bytes, -0.5}, {"other", -1.25}}}};
}

// The same parts, streamed and collected here, and written whole by WholeAnswer.
TEST(ChunkCollector, PutsTogetherWhatWouldHaveBeenWhole) {
  for (const Endpoint endpoint : {Endpoint::kChat, Endpoint::kText}) {
    const AnswerHead head = Head(endpoint);
    ChunkCollector collector(endpoint);
    std::vector<Choice> whole(2);
    const auto add = [&](Choice part) {
      Choice& all = whole[static_cast<std::size_t>(part.index)];
      all.index = part.index;
      all.text += part.text;
      if (part.finish) all.finish = part.finish;
      if (part.logprobs) {
        if (!all.logprobs) all.logprobs.emplace();
        all.logprobs->insert(all.logprobs->end(), part.logprobs->begin(), part.logprobs->end());
      }
      EXPECT_TRUE(collector.Add(Data(PartEvent(head, part))));
    };
    Choice first{.index = 1, .text = "on\u00e9"};
    first.logprobs = Logprobs("on\u00e9");
    Choice second{.index = 1, .text = ""};
    second.logprobs = Logprobs("\xC3");
    second.text_offset = 3;
    add({.index = 0, .text = "zero"});
    add(first);
    add(second);
    add({.index = 1, .finish = Finish::kLength});
    add({.index = 0, .finish = Finish::kStop});
    EXPECT_EQ(collector.Whole(R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,)"
                              R"("prompt_tokens_details":{"cached_tokens":0}})"),
              WholeAnswer(head, whole, {.prompt_tokens = 3, .completion_tokens = 4}));
  }
}

TEST(ChunkCollector, JoinsCallsAndReasoning) {
  const AnswerHead head = Head(Endpoint::kChat);
  ChunkCollector collector(Endpoint::kChat);
  Choice whole{.reasoning = "think", .finish = Finish::kToolCalls};
  whole.calls = {{0, "call_1", "f", "{\"a\":1}"}, {1, "call_2", "g", "{}"}};
  for (const Choice& part : std::vector<Choice>{
           {.reasoning = "thi"},
           {.reasoning = "nk"},
           {.calls = {{0, "call_1", "f", ""}}},
           {.calls = {{0, "", "", "{\"a\":"}}},
           {.calls = {{0, "", "", "1}"}}},
           {.calls = {{1, "call_2", "g", "{}"}}},
           {.finish = Finish::kToolCalls}}) {
    ASSERT_TRUE(collector.Add(Data(PartEvent(head, part))));
  }
  EXPECT_EQ(collector.Whole(R"({"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,)"
                            R"("prompt_tokens_details":{"cached_tokens":0}})"),
            WholeAnswer(head, std::vector{whole}, {}));
  EXPECT_FALSE(collector.Add("{\"error\":{}}"));
  EXPECT_FALSE(collector.Add("nonsense"));
}

// Whatever members send: nothing throws.
TEST(ChunkCollector, PutsUpWithOddLogprobs) {
  ChunkCollector collector(Endpoint::kChat);
  for (const std::string_view logprobs : {R"({"content":"x"})", R"({"content":[{}],"more":5})",
                                          R"({"content":[1],"more":[2]})", "7"}) {
    EXPECT_TRUE(collector.Add(fmt::format(
        R"({{"choices":[{{"index":0,"delta":{{"content":"a","tool_calls":[5]}},"logprobs":{}}}]}})",
        logprobs)));
  }
  const auto whole = base::Json::parse(collector.Whole("{}"));
  EXPECT_EQ(whole["choices"][0]["message"]["content"], "aaaa");
  EXPECT_EQ(whole["choices"][0]["logprobs"].dump(), R"({"content":[{},1],"more":[2]})");
}

TEST(AnswerChunk, ItsListOfChoicesIsWholeOrNone) {
  EXPECT_FALSE(ReadChunk(R"({"choices":[{"index":0} {"index":1}]})"));
  EXPECT_FALSE(ReadChunk(R"({"choices":5})"));
  EXPECT_TRUE(ReadChunk(R"({"choices":null,"usage":{}})"));
}

}  // namespace
}  // namespace switchyard::protocol
