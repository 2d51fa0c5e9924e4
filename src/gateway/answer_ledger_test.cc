#include "gateway/answer_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "protocol/completion_response.h"

namespace switchyard::gateway {
namespace {

using base::Json;
using protocol::AnswerHead;
using protocol::Choice;
using protocol::Endpoint;
using protocol::Finish;
using testing::HasSubstr;

std::string Data(const std::string& event) { return event.substr(6, event.size() - 8); }

AnswerHead Head(std::string id = "chatcmpl-1", Endpoint endpoint = Endpoint::kChat) {
  return {.endpoint = endpoint, .id = std::move(id), .created = 5, .model = "m"};
}

// What a member sends of one choice: its opening and a part for each word, with token ids or
// without, and the end.
std::vector<std::string> Answer(const std::vector<std::string>& words, bool with_ids,
                                std::int32_t index = 0, const std::string& id = "chatcmpl-1") {
  Choice opening{.index = index};
  if (with_ids) opening.prompt_token_ids = {1, 2, 3};
  std::vector<std::string> all = {Data(OpeningEvent(Head(id), opening))};
  std::int32_t token = 100 * index;
  for (const std::string& word : words) {
    Choice part{.index = index, .text = word};
    if (with_ids) part.token_ids = {++token};
    all.push_back(Data(PartEvent(Head(id), part)));
  }
  all.push_back(Data(PartEvent(Head(id), {.index = index, .finish = Finish::kStop})));
  return all;
}

protocol::RequestOutline Outline(std::string_view fields, Endpoint endpoint = Endpoint::kChat) {
  static std::string body;  // the outline's views lie in it
  body = fmt::format(R"({{"model":"m"{}{}}})", fields.empty() ? "" : ",", fields);
  return *protocol::ReadOutline(endpoint, body);
}

std::string Take(AnswerLedger& ledger, const std::vector<std::string>& chunks, std::size_t from = 0,
                 std::size_t to = 1000) {
  std::string out;
  for (std::size_t i = from; i < std::min(to, chunks.size()); ++i) ledger.Take(chunks[i], out);
  return out;
}

// The content of events.
std::string Text(std::string_view events) {
  std::string text;
  while (!events.empty()) {
    const std::size_t end = events.find("\n\n");
    const Json chunk = Json::parse(events.substr(6, end - 6));
    for (const Json& choice : chunk["choices"]) text += choice["delta"].value("content", "");
    events.remove_prefix(end + 2);
  }
  return text;
}

// The next member goes on from the ids that it is told, behind each of the tokens.
TEST(AnswerLedger, GoesOnFromTokenIds) {
  const auto whole = Answer({"a", "b", "c", "d"}, true);
  AnswerLedger undisturbed(Endpoint::kChat, Outline(R"("stream":true)"));
  undisturbed.Begin({.tells_token_ids = true});
  const std::string expected = Take(undisturbed, whole);
  EXPECT_THAT(expected, testing::Not(HasSubstr("token_ids")));
  for (std::size_t cut = 2; cut <= 6; ++cut) {
    AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
    ledger.Begin({.tells_token_ids = true});
    std::string out = Take(ledger, whole, 0, cut);
    EXPECT_TRUE(ledger.has_begun());
    EXPECT_EQ(ledger.is_complete(), cut == 6);
    const Json resume = Json::parse(ledger.ResumeJson());
    EXPECT_EQ(resume["id"], "chatcmpl-1");
    EXPECT_EQ(resume["created"], 5);
    EXPECT_EQ(resume["prompt_token_ids"], Json({1, 2, 3}));
    if (cut < 6) {
      EXPECT_EQ(resume["choices"][0]["token_ids"].size(), cut - 1) << cut;
      // A member opens nothing that the client has.
      ledger.Begin({.tells_token_ids = true});
      out += Take(ledger, whole, cut);
    }
    EXPECT_EQ(out, expected) << cut;
    EXPECT_TRUE(ledger.is_complete());
  }
}

// An engine that takes tokens for a prompt goes on by completions, behind the last token of which
// the client has text.
TEST(AnswerLedger, GoesOnFromAPromptOfTokens) {
  AnswerLedger ledger(Endpoint::kChat,
                      Outline(R"("stream":true,"stream_options":{"include_usage":true})"));
  ledger.Begin({.tells_token_ids = true});
  std::string out = Take(ledger, Answer({"a", "b", ""}, true), 0, 4);
  EXPECT_EQ(ledger.completion_tokens(), 3);
  EXPECT_EQ(ledger.TokensJson(), "[1,2,3,1,2]");
  EXPECT_EQ(ledger.settled_tokens(), 2);
  ledger.Begin({.tells_token_ids = true, .continues = true, .is_from_tokens = true});
  EXPECT_EQ(ledger.completion_tokens(), 2);
  const std::vector<std::string> rest = {
      R"({"id":"cmpl-9","choices":[{"index":0,"text":"","prompt_token_ids":[1,2,3,1,2]}]})",
      R"({"id":"cmpl-9","choices":[{"index":0,"text":"é","token_ids":[7,8],"finish_reason":null}]})",
      R"({"id":"cmpl-9","choices":[{"index":0,"text":"","token_ids":[],"finish_reason":"stop"}]})",
      R"({"id":"cmpl-9","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}})"};
  out += Take(ledger, rest);
  EXPECT_EQ(Text(out), "abé");
  EXPECT_TRUE(ledger.is_complete());
  EXPECT_THAT(out, testing::Not(HasSubstr("cmpl-9")));
  EXPECT_THAT(out, testing::Not(HasSubstr("token_ids")));
  EXPECT_THAT(out, HasSubstr(R"("prompt_tokens":3,"completion_tokens":4,"total_tokens":7)"));
}

// Only the structure of what is passed on is looked at, so what lies in it may be no JSON.
TEST(AnswerLedger, ABrokenRepetitionIsNone) {
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
  ledger.Begin({});
  Take(ledger, {R"({"choices":[{"index":0,"delta":{"content":"ab"}}]})"});
  ledger.Begin({.repeats = true});
  std::string out;
  EXPECT_EQ(ledger.Take(R"({"choices":[{"index":0,"delta":{"content":"abc"},"x":tru}]})", out),
            Heard::kOtherText);
  EXPECT_EQ(out, "");
  EXPECT_THAT(AnswerLedger(Endpoint::kChat,
                           Outline(R"("stream":true,"stream_options":{"include_usage":true})"))
                  .MissingUsage(),
              HasSubstr(R"("model":null)"));
}

// What comes before a token's id is no whole token yet, and is not given.
TEST(AnswerLedger, KeepsBackWhatHasNoTokenYet) {
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
  ledger.Begin({.tells_token_ids = true});
  const auto whole = Answer({"a"}, true);
  EXPECT_EQ(Take(ledger, whole, 0, 1), "");
  EXPECT_FALSE(ledger.has_begun());
  EXPECT_EQ(Json::parse(ledger.ResumeJson())["choices"], Json::array());
  const std::string half = Data(PartEvent(Head(), {.text = "half"}));
  EXPECT_EQ(Take(ledger, {half}), "");
  EXPECT_EQ(ledger.text(), "");
  EXPECT_EQ(Text(Take(ledger, whole, 1)), "halfa");
  EXPECT_EQ(ledger.text(), "halfa");
}

TEST(AnswerLedger, KnowsEachChoice) {
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true,"n":3)"));
  ledger.Begin({.tells_token_ids = true});
  Take(ledger, Answer({"a", "b"}, true, 0));
  Take(ledger, Answer({"x", "y"}, true, 2), 0, 2);
  EXPECT_EQ(Json::parse(ledger.ResumeJson())["choices"],
            Json::parse(R"([{"index":0,"finished":true},{"index":2,"token_ids":[201]}])"));
  EXPECT_FALSE(ledger.is_complete());
  EXPECT_EQ(ledger.completion_tokens(), 3);
  std::string out;
  EXPECT_EQ(ledger.Take(Data(PartEvent(Head(), {.index = 3, .text = "x"})), out),
            Heard::kNotUnderstood);
  EXPECT_EQ(out, "");
}

TEST(AnswerLedger, CountsUsageOverAllMembers) {
  AnswerLedger ledger(Endpoint::kChat,
                      Outline(R"("stream":true,"stream_options":{"include_usage":true})"));
  ledger.Begin({.tells_token_ids = true});
  Take(ledger, Answer({"a", "b", "c"}, true), 0, 3);
  ledger.Begin({.tells_token_ids = true});
  Take(ledger, Answer({"a", "b", "c"}, true), 3);
  const std::string out = Take(ledger, {Data(UsageEvent(Head(), {.prompt_tokens = 3,
                                                                 .completion_tokens = 1,
                                                                 .resumed_tokens = 2}))});
  const Json usage = Json::parse(out.substr(6))["usage"];
  EXPECT_EQ(usage["prompt_tokens"], 3);
  EXPECT_EQ(usage["completion_tokens"], 3);
  EXPECT_EQ(usage["total_tokens"], 6);
  EXPECT_FALSE(usage.contains("switchyard"));
  EXPECT_EQ(ledger.MissingUsage(), "");

  AnswerLedger lost(Endpoint::kChat,
                    Outline(R"("stream":true,"stream_options":{"include_usage":true})"));
  lost.Begin({.tells_token_ids = true});
  Take(lost, Answer({"a", "b", "c"}, true));
  EXPECT_EQ(Json::parse(lost.MissingUsage().substr(6))["usage"]["completion_tokens"], 3);
}

// Another server begins anew: its chunks are cut otherwise, and its first part is held back.
TEST(AnswerLedger, HoldsBackWhatIsRepeated) {
  for (std::size_t cut = 2; cut < 5; ++cut) {
    AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
    ledger.Begin({});
    std::string out = Take(ledger, Answer({"one ", "two ", "three ", "four"}, false), 0, cut);
    EXPECT_FALSE(ledger.is_known_by_tokens());
    ledger.Begin({.repeats = true});
    out += Take(ledger, Answer({"on", "e two th", "ree f", "our"}, false, 0, "other"));
    EXPECT_EQ(Text(out), "one two three four") << cut;
    EXPECT_TRUE(ledger.is_complete());
    EXPECT_THAT(out, testing::Not(HasSubstr("other")));
    EXPECT_EQ(out.find("\"role\""), out.rfind("\"role\""));
  }
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
  ledger.Begin({});
  std::string out = Take(ledger, Answer({"one ", "two"}, false), 0, 3);
  ledger.Begin({.repeats = true});
  const auto other = Answer({"one ", "three"}, false);
  ledger.Take(other[0], out);
  EXPECT_EQ(ledger.Take(other[1], out), Heard::kTokens);
  EXPECT_EQ(ledger.Take(other[2], out), Heard::kOtherText);
  EXPECT_EQ(Text(out), "one two");
}

// Some tell of several choices in one chunk.
TEST(AnswerLedger, TakesEachChoiceOfAChunk) {
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true,"n":2)"));
  ledger.Begin({});
  std::string out;
  EXPECT_EQ(ledger.Take(R"({"id":"x","choices":[{"index":0,"delta":{"content":"a"},)"
                        R"("finish_reason":"stop"},{"index":1,"delta":{"content":"b"},)"
                        R"("finish_reason":"stop"}],"model":"m"})",
                        out),
            Heard::kTokens);
  EXPECT_TRUE(ledger.is_complete());
  EXPECT_EQ(Text(out), "ab");
}

TEST(AnswerLedger, HearsErrorsAndNonsense) {
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
  ledger.Begin({});
  std::string out;
  EXPECT_EQ(ledger.Take("{nonsense", out), Heard::kNotUnderstood);
  EXPECT_EQ(ledger.Take(R"({"error":{"message":"x","code":500}})", out), Heard::kError);
  EXPECT_EQ(ledger.error(), R"({"message":"x","code":500})");
  EXPECT_EQ(out, "");
}

TEST(AnswerLedger, ShowsTheModelThatWasAskedFor) {
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
  ledger.Begin({.shown_model = "\"alias\""});
  EXPECT_THAT(Take(ledger, Answer({"a"}, false)),
              testing::AllOf(HasSubstr(R"("model":"alias")"), testing::Not(HasSubstr("\"m\""))));
}

TEST(AnswerLedger, PutsAWholeAnswerTogether) {
  AnswerLedger ledger(Endpoint::kChat, Outline(""));
  ledger.Begin({.tells_token_ids = true});
  EXPECT_EQ(Take(ledger, Answer({"a", "b", "c"}, true), 0, 3), "");
  ledger.Begin({.tells_token_ids = true});
  EXPECT_EQ(Take(ledger, Answer({"a", "b", "c"}, true), 3), "");
  const Json whole = Json::parse(ledger.Whole());
  EXPECT_EQ(whole["choices"][0]["message"]["content"], "abc");
  EXPECT_EQ(whole["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(whole["usage"]["completion_tokens"], 3);
  EXPECT_FALSE(whole.contains("prompt_token_ids"));
}

// A chunk is taken whole or not at all.
TEST(AnswerLedger, TakesNothingOfAChunkThatIsWrongInOneChoice) {
  for (const std::string_view second : {R"({"index":9})", R"({"index":0,"delta":{"content":"b"}})",
                                        R"({"index":1,"token_ids":["x"]})", R"({"index":"1"})"}) {
    AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true,"n":2)"));
    ledger.Begin({.tells_token_ids = true});
    std::string out;
    EXPECT_EQ(ledger.Take(fmt::format(R"({{"choices":[{{"index":0,"delta":{{"content":"a"}},)"
                                      R"("token_ids":[1]}},{}]}})",
                                      second),
                          out),
              Heard::kNotUnderstood)
        << second;
    EXPECT_EQ(out, "");
    EXPECT_FALSE(ledger.has_begun());
    EXPECT_EQ(ledger.completion_tokens(), 0);
  }
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true,"n":2)"));
  ledger.Begin({});
  Take(ledger, {R"({"choices":[{"index":0,"delta":{"content":"a"}}]})",
                R"({"choices":[{"index":1,"delta":{"content":"b"}}]})"});
  ledger.Begin({.repeats = true});
  std::string out;
  EXPECT_EQ(ledger.Take(R"({"choices":[{"index":0,"delta":{"content":"a new"}},)"
                        R"({"index":1,"delta":{"content":"other"}}]})",
                        out),
            Heard::kOtherText);
  EXPECT_EQ(out, "");
}

// A member that was to repeat the answer and did not leaves it known by its tokens.
TEST(AnswerLedger, StaysKnownByTokensAfterARepetitionThatFailed) {
  const auto whole = Answer({"a", "b", "c"}, true);
  for (const bool tells : {true, false}) {
    AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
    ledger.Begin({.tells_token_ids = true});
    std::string out = Take(ledger, whole, 0, 3);
    const std::string resume = ledger.ResumeJson();
    const std::string tokens = ledger.TokensJson();
    ledger.Begin({.tells_token_ids = tells, .repeats = true});
    EXPECT_EQ(ledger.ResumeJson(), resume);
    auto again = Answer({"a", "b"}, tells, 0, "other");
    if (tells) again[1].replace(again[1].find("[1]"), 3, "[77]");
    EXPECT_EQ(Take(ledger, again, 0, 3), "");
    EXPECT_TRUE(ledger.is_known_by_tokens());
    EXPECT_EQ(ledger.ResumeJson(), resume);
    EXPECT_EQ(ledger.TokensJson(), tokens);
    EXPECT_EQ(ledger.settled_tokens(), 2);
    EXPECT_EQ(ledger.completion_tokens(), 2);
    ledger.Begin({.tells_token_ids = true});
    EXPECT_EQ(Text(out + Take(ledger, whole, 3)), "abc");
    EXPECT_EQ(ledger.completion_tokens(), 3);
  }
}

// Once it says more than was given, the answer's tokens are those of who repeated it.
TEST(AnswerLedger, TakesTheTokensOfARepetitionThatGoesOn) {
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
  ledger.Begin({.tells_token_ids = true});
  std::string out = Take(ledger, Answer({"a", "b"}, true), 0, 3);
  ledger.Begin({.tells_token_ids = true, .repeats = true});
  const auto said = [](std::string_view text, std::string_view ids) {
    return fmt::format(
        R"({{"choices":[{{"index":0,"delta":{{"content":"{}"}},"token_ids":[{}]}}]}})", text, ids);
  };
  // The id of what is repeated comes behind it.
  out += Take(ledger, {said("ab", ""), said("", "50"), said("", "51")});
  EXPECT_EQ(ledger.TokensJson(), "[1,2,3,50]");
  EXPECT_EQ(ledger.completion_tokens(), 2);
  out += Take(ledger, {said("c", "52")});
  EXPECT_EQ(Text(out), "abc");
  EXPECT_EQ(ledger.TokensJson(), "[1,2,3,50,51,52]");
  EXPECT_TRUE(ledger.is_known_by_tokens());
}

// What only opens a choice says nothing of tokens.
TEST(AnswerLedger, IsKnownByTokensUntilSomethingElseIsGiven) {
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
  ledger.Begin({});
  Take(ledger, Answer({"a"}, false), 0, 1);
  EXPECT_TRUE(ledger.is_known_by_tokens());
  Take(ledger, Answer({"a"}, false), 1, 2);
  EXPECT_FALSE(ledger.is_known_by_tokens());
}

TEST(AnswerLedger, BoundsWhatIsKeptBack) {
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true,"n":2)"));
  ledger.Begin({.tells_token_ids = true});
  const std::string large(1 << 20, 'x');
  const auto said = [&](int index) {
    return Data(PartEvent(Head(), {.index = index, .text = large}));
  };
  std::string out;
  std::size_t taken = 0;
  while (taken < 100 && ledger.Take(said(taken % 2), out) == Heard::kNothing) ++taken;
  EXPECT_EQ(taken, 15U);
  EXPECT_EQ(ledger.Take(said(1), out), Heard::kNotUnderstood);
  // What is given is kept no more.
  EXPECT_EQ(ledger.Take(Data(PartEvent(Head(), {.index = 0, .text = "", .token_ids = {{1}}})), out),
            Heard::kTokens);
  EXPECT_EQ(ledger.Take(said(1), out), Heard::kNothing);
  EXPECT_EQ(Text(out).size(), 8U << 20);
}

TEST(AnswerLedger, TellsAChunkOfSeveralLinesInOne) {
  AnswerLedger ledger(Endpoint::kChat, Outline(R"("stream":true)"));
  ledger.Begin({});
  std::string out;
  EXPECT_EQ(
      ledger.Take("{\"choices\":\n[{\"index\":0,\n\t\"delta\":{\"content\":\"a\\n\"}}]}", out),
      Heard::kTokens);
  EXPECT_EQ(out, "data: {\"choices\": [{\"index\":0,  \"delta\":{\"content\":\"a\\n\"}}]}\n\n");
  EXPECT_EQ(ledger.Take(
                "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\ndata: [DONE]\n\"}}]}", out),
            Heard::kNotUnderstood);
  EXPECT_EQ(Text(out), "a\n");
}

TEST(AnswerLedger, APartOfAWholeAnswerMustBeJson) {
  AnswerLedger ledger(Endpoint::kChat, Outline(""));
  ledger.Begin({.tells_token_ids = true});
  std::string out;
  EXPECT_EQ(
      ledger.Take(R"({"choices":[{"index":0,"delta":{"content":"a"},"token_ids":[1],"x":tru}]})",
                  out),
      Heard::kNotUnderstood);
  EXPECT_FALSE(ledger.has_begun());
}

}  // namespace
}  // namespace switchyard::gateway
