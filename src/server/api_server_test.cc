#include "server/api_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "engine/answer.h"
#include "grammar/matcher.h"
#include "server/best_answers.h"
#include "tests/support/api_server_test_fixture.h"
#include "tests/support/told_stream.h"

namespace switchyard::server {
namespace {

using base::Json;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

TEST_F(ApiServerTest, EmbedsTexts) {
  Start();
  const Reply one = Ask("POST", "/v1/embeddings", R"({"model":"tiny","input":"abc"})");
  ASSERT_EQ(one.status, 200) << one.body;
  EXPECT_EQ(one.json["data"].size(), 1U);
  EXPECT_EQ(one.json["data"][0]["embedding"].size(), 4U);
  EXPECT_EQ(one.json["usage"], Json({{"prompt_tokens", 3}, {"total_tokens", 3}}));
  EXPECT_TRUE(engine_.seen().at(0).embeds);
  // More than are with the engine at once.
  Json many = {{"model", "tiny"}, {"input", Json::array()}};
  for (int i = 0; i < 300; ++i) many["input"].push_back(std::string(static_cast<std::size_t>(1 + i % 3), 'a'));
  const Reply all = Ask("POST", "/v1/embeddings", many.dump());
  ASSERT_EQ(all.status, 200) << all.body;
  EXPECT_EQ(all.json["data"].size(), 300U);
  EXPECT_EQ(all.json["usage"]["prompt_tokens"], 600);
  const Reply refused = Ask("POST", "/v1/embeddings", R"({"model":"tiny","input":[[300]]})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json["error"]["param"], "input");
  EXPECT_EQ(Ask("POST", "/v1/embeddings", R"({"model":"tiny","input":""})").status, 400);
  EXPECT_EQ(Ask("GET", "/v1/embeddings").status, 405);
  const Reply cut =
      Ask("POST", "/v1/embeddings", R"({"model":"tiny","input":"abc","truncate_prompt_tokens":2})");
  EXPECT_EQ(cut.json["usage"]["prompt_tokens"], 2);
}

TEST_F(ApiServerTest, GivesTheBestOfSeveralAndEchoesThePrompt) {
  Start();
  const Reply reply =
      Ask("POST", "/v1/completions",
          R"({"model":"tiny","prompt":["a","bc"],"n":2,"best_of":3,"echo":true,"max_tokens":2})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  std::vector<std::string> texts;
  for (const Json& choice : reply.json["choices"]) texts.push_back(choice["text"]);
  EXPECT_EQ(texts, (std::vector<std::string>{"aHe", "aHe", "bcHe", "bcHe"}));
  EXPECT_EQ(reply.json["choices"][3]["index"], 3);
  EXPECT_EQ(reply.json["choices"][0]["logprobs"], nullptr);
  EXPECT_EQ(reply.json["usage"]["completion_tokens"], 12);  // of all that were made
  EXPECT_EQ(reply.json["usage"]["prompt_tokens"], 3);
  EXPECT_EQ(engine_.seen().size(), 6U);
  EXPECT_EQ(engine_.seen().at(0).top_logprobs, 0);
  const Reply stream =
      Ask("POST", "/v1/completions", R"({"model":"tiny","prompt":"a","stream":true,"echo":true})");
  EXPECT_THAT(stream.body, HasSubstr(R"("text":"a")"));
}

TEST_F(ApiServerTest, TellsTheEngineWhatTheAnswerMayHold) {
  Start();
  const Reply reply = Chat(
      R"(,"min_tokens":2,"bad_words":["x"],"allowed_token_ids":[72],"skip_special_tokens":false,)"
      R"("include_stop_str_in_output":true,"truncate_prompt_tokens":3)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto seen = engine_.seen().at(0);
  EXPECT_EQ(seen.rules.min_tokens, 2);
  EXPECT_EQ(seen.rules.bad, (std::vector<std::vector<engine::TokenId>>{{'x'}, {' ', 'x'}}));
  EXPECT_EQ(seen.rules.allowed, std::vector<engine::TokenId>{72});
  EXPECT_TRUE(seen.includes_stop);
  EXPECT_FALSE(seen.skips_special);
  EXPECT_EQ(seen.prompt, (std::vector<engine::TokenId>{'H', 'i', '\n'}));
}

// What the request's answer says if its first token is a word with SentencePiece's space.
std::string FirstWord(engine::CompletionRequest request) {
  const auto tokenizer = model::Tokenizer::FromHuggingFace(
      R"({"added_tokens": [], "decoder": {"type": "Metaspace", "replacement": "\u2581",
          "prepend_scheme": "always"}, "pre_tokenizer": {"type": "Metaspace",
          "replacement": "\u2581", "prepend_scheme": "always"},
          "model": {"type": "BPE", "vocab": {"a": 0, "\u2581there": 1}, "merges": []}})",
      "");
  if (!tokenizer) return tokenizer.error().message;
  request.sampling.temperature = 0;
  engine::Answer answer(std::move(request), **tokenizer, 1000);
  const auto delta = answer.Next(std::vector<float>{0, 1});
  return delta ? delta->text : delta.error().message;
}

TEST_F(ApiServerTest, AnAnswerThatContinuesAMessageKeepsItsFirstSpace) {
  Start();
  EXPECT_EQ(Chat().status, 200);
  const Reply reply =
      Ask("POST", "/v1/chat/completions",
          R"({"model":"tiny","messages":[{"role":"user","content":"Hi"},)"
          R"({"role":"assistant","content":"Hello"}],"continue_final_message":true})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(Ask("POST", "/v1/completions", R"({"model":"tiny","prompt":"Hello"})").status, 200);
  std::vector<std::string> words;
  for (const auto& seen : engine_.seen()) words.push_back(FirstWord(seen));
  EXPECT_EQ(words, (std::vector<std::string>{"there", " there", " there"}));
}

TEST(BestAnswers, HaveTheHighestMeanLogprob) {
  const std::vector<RatedAnswer> rated = {{-4, 2}, {-3, 3}, {-1, 1}, {0, 0}, {-10, 4}};
  EXPECT_EQ(BestAnswers(rated, 3), (std::vector<std::size_t>{3, 1, 2}));
  EXPECT_EQ(BestAnswers(rated, 9).size(), 5U);
}

TEST_F(ApiServerTest, AnswersAChat) {
  Start();
  const Reply reply = Chat(R"(,"seed":5,"temperature":0.5,"stop":["x"],"max_tokens":50)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json["object"], "chat.completion");
  EXPECT_EQ(reply.json["model"], "tiny");
  EXPECT_EQ(reply.json["choices"][0]["message"]["content"], "Hello there");
  EXPECT_EQ(reply.json["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(reply.json["choices"][0]["logprobs"], nullptr);
  EXPECT_EQ(reply.json["usage"]["prompt_tokens"], 8);  // "user:Hi\n"
  EXPECT_EQ(reply.json["usage"]["completion_tokens"], 11);
  EXPECT_EQ(reply.json["usage"]["prompt_tokens_details"]["cached_tokens"], 2);
  EXPECT_THAT(reply.head, HasSubstr("x-request-id: req_"));
  const auto seen = engine_.seen().at(0);
  EXPECT_EQ(seen.sampling.seed, 5U);
  EXPECT_EQ(seen.sampling.temperature, 0.5F);
  EXPECT_EQ(seen.stops, std::vector<std::string>{"x"});
  EXPECT_EQ(seen.max_tokens, 50);
  EXPECT_EQ(seen.end_tokens, std::vector<engine::TokenId>{0});
  EXPECT_EQ(seen.top_logprobs, -1);
}

TEST_F(ApiServerTest, StreamsAChat) {
  Start();
  const Reply reply = Chat(
      R"(,"stream":true,"stream_options":{"include_usage":true},"max_tokens":3,"logprobs":true,"top_logprobs":2)");
  ASSERT_EQ(reply.status, 200);
  EXPECT_THAT(reply.head, HasSubstr("Content-Type: text/event-stream"));
  EXPECT_THAT(reply.body, EndsWith("data: [DONE]\n\n"));
  std::vector<Json> chunks;
  std::string_view rest = reply.body;
  while (rest.starts_with("data: {")) {
    const std::size_t end = rest.find("\n\n");
    chunks.push_back(Json::parse(rest.substr(6, end - 6)));
    rest.remove_prefix(end + 2);
  }
  ASSERT_EQ(chunks.size(), 6U);  // the opening, three tokens, the end, the usage
  EXPECT_EQ(chunks[0]["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(chunks[1]["choices"][0]["delta"]["content"], "H");
  EXPECT_EQ(chunks[1]["choices"][0]["logprobs"]["content"][0]["top_logprobs"].size(), 2U);
  EXPECT_EQ(chunks[1]["usage"], nullptr);
  EXPECT_EQ(chunks[4]["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(chunks[5]["choices"], Json::array());
  EXPECT_EQ(chunks[5]["usage"]["completion_tokens"], 3);
}

TEST_F(ApiServerTest, GivesSeveralAnswersToSeveralPrompts) {
  Start();
  const Reply reply =
      Ask("POST", "/v1/completions",
          R"({"model":"tiny","prompt":["ab","cde"],"n":2,"max_tokens":4,"logprobs":1})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  ASSERT_EQ(reply.json["choices"].size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(reply.json["choices"][i]["index"], i);
    EXPECT_EQ(reply.json["choices"][i]["text"], "Hell");
    EXPECT_EQ(reply.json["choices"][i]["finish_reason"], "length");
    EXPECT_EQ(reply.json["choices"][i]["logprobs"]["text_offset"], Json::array({0, 1, 2, 3}));
  }
  EXPECT_EQ(reply.json["usage"]["prompt_tokens"], 5);
  EXPECT_EQ(reply.json["usage"]["completion_tokens"], 16);
  const auto seen = engine_.seen();
  EXPECT_EQ(seen.at(1).sampling.choice, 1U);
  EXPECT_EQ(seen.at(0).sampling.seed, seen.at(1).sampling.seed);
  EXPECT_EQ(seen.at(2).sampling.choice, 0U);
  EXPECT_EQ(seen.at(2).prompt, (std::vector<engine::TokenId>{'c', 'd', 'e'}));
}

TEST_F(ApiServerTest, RefusesWithOpenAisErrors) {
  engine_.context = 20;
  Start();
  const auto code = [](const Reply& reply) {
    return fmt::format("{} {}", reply.status, reply.json["error"]["code"].dump());
  };
  EXPECT_EQ(code(Chat(R"(,"temperature":"x")")), "400 \"invalid_type\"");
  EXPECT_EQ(code(Chat(R"(,"max_tokens":13)")), "400 \"context_length_exceeded\"");
  EXPECT_EQ(code(Chat(R"(,"logit_bias":{"256":1})")), "400 \"invalid_value\"");
  EXPECT_EQ(code(Chat(R"(,"stop_token_ids":[256])")), "400 \"invalid_value\"");
  EXPECT_EQ(code(Ask("POST", "/v1/completions", R"({"model":"tiny","prompt":[256]})")),
            "400 \"invalid_value\"");
  EXPECT_EQ(code(Ask("POST", "/v1/completions", R"({"model":"tiny","prompt":""})")),
            "400 \"invalid_value\"");
  EXPECT_EQ(code(Ask("POST", "/v1/chat/completions",
                     R"({"model":"tiny","messages":[{"role":"user","content":"no template"}]})")),
            "400 \"failed_precondition\"");
  EXPECT_EQ(code(Ask("POST", "/v1/completions", R"({"model":"other","prompt":"a"})")),
            "404 \"model_not_found\"");
  EXPECT_EQ(code(Ask("GET", "/v1/nothing")), "404 \"unknown_url\"");
  const Reply method = Ask("GET", "/v1/completions");
  EXPECT_EQ(code(method), "405 \"method_not_allowed\"");
  EXPECT_THAT(method.head, HasSubstr("Allow: POST"));
  engine_.max_requests = 0;
  const Reply full = Chat();
  EXPECT_EQ(code(full), "429 \"rate_limit_exceeded\"");
  EXPECT_THAT(full.head, HasSubstr("Retry-After: 1"));
  EXPECT_TRUE(Eventually([&] { return api_->in_flight() == 0; }));
}

TEST_F(ApiServerTest, AFormOfTheAnswerBecomesAGrammar) {
  Start();
  EXPECT_EQ(Chat().status, 200);
  const std::string schema =
      R"(,"response_format":{"type":"json_schema","json_schema":{"name":"N",)"
      R"("strict":true,"schema":{"type":"object","properties":{"a":{"type":)"
      R"("integer"}},"required":["a"],"additionalProperties":false}}})";
  EXPECT_EQ(Chat(schema).status, 200);
  EXPECT_EQ(Chat(schema + ",\"n\":2").status, 200);
  EXPECT_EQ(Chat(R"(,"guided_regex":"a+")").status, 200);
  const auto seen = engine_.seen();
  ASSERT_EQ(seen.size(), 5U);
  EXPECT_EQ(seen[0].grammar, nullptr);
  ASSERT_NE(seen[1].grammar, nullptr);
  EXPECT_EQ(seen[2].grammar, seen[1].grammar);  // compiled once
  EXPECT_EQ(seen[3].grammar, seen[1].grammar);
  EXPECT_NE(seen[4].grammar, seen[1].grammar);
  grammar::Matcher matcher(seen[1].grammar);
  EXPECT_TRUE(matcher.AcceptText(R"({"a": 5)"));
  EXPECT_FALSE(matcher.AcceptText(","));
}

TEST_F(ApiServerTest, RefusesFormsWithTheirPlace) {
  Start();
  const auto message = [&](const std::string& fields) {
    const Reply reply = Chat(fields);
    EXPECT_EQ(reply.status, 400);
    return fmt::format("{}: {}", reply.json["error"]["param"].get<std::string>(),
                       reply.json["error"]["message"].get<std::string>());
  };
  // As OpenAI says it.
  EXPECT_EQ(
      message(R"(,"response_format":{"type":"json_schema","json_schema":{"name":"N","strict":)"
              R"(true,"schema":{"type":"object","properties":{"p":{"type":"object",)"
              R"("properties":{}}},"required":["p"],"additionalProperties":false}}})"),
      "response_format: Invalid schema for response_format 'N': In context=('properties', "
      "'p'), 'additionalProperties' is required to be supplied and to be false.");
  EXPECT_EQ(
      message(R"(,"response_format":{"type":"json_schema","json_schema":{"name":"N","strict":)"
              R"(true,"schema":{"type":"object","properties":{"p":{"type":"null"}},)"
              R"("required":[],"additionalProperties":false}}})"),
      "response_format: Invalid schema for response_format 'N': In context=(), 'required' is "
      "required to be supplied and to be an array including every key in properties. Missing "
      "'p'.");
  EXPECT_THAT(message(R"(,"guided_json":{"type":"array","items":{"not":{}}})"),
              HasSubstr("guided_json: Invalid 'guided_json': the schema at '#/items': the keyword "
                        "'not' is not supported"));
  EXPECT_THAT(message(R"(,"guided_regex":"(a")"), HasSubstr("line 1, column 1"));
  EXPECT_THAT(message(R"(,"guided_grammar":"root ::= \"a\" )\n")"), HasSubstr("without its '('"));
  EXPECT_THAT(message(R"(,"guided_regex":"(a{1,1000}){1,1000000}")"), HasSubstr("too large"));
  EXPECT_THAT(message(R"(,"structured_outputs":{"choice":[]})"), HasSubstr("there are no choices"));
}

TEST_F(ApiServerTest, WithoutRoomForEveryChoiceNoneStaysBehind) {
  engine_.max_requests = 2;
  engine_.hold_at = 0;
  Start();
  EXPECT_EQ(Chat(R"(,"n":3)").status, 429);
  EXPECT_TRUE(Eventually([&] { return engine_.Status().running == 0; }));
}

TEST_F(ApiServerTest, AFailureBeforeTheFirstTokenKeepsItsStatus) {
  engine_.fail_at = 0;
  Start();
  for (const char* stream : {"", R"(,"stream":true)"}) {
    const Reply reply = Chat(stream);
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(reply.json["error"]["message"], "the chip was lost");
  }
}

TEST_F(ApiServerTest, AFailureWithinAStreamIsAnErrorEvent) {
  engine_.fail_at = 2;
  Start();
  const Reply reply = Chat(R"(,"stream":true)");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, AllOf(HasSubstr("data: {\"error\":{\"message\":\"the chip was lost\""),
                                Not(HasSubstr("[DONE]")), Not(HasSubstr("\"stop\""))));
}

TEST_F(ApiServerTest, CancelsWhatNobodyWaitsFor) {
  engine_.hold_at = 3;
  Start();
  const std::string body =
      R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}],"n":2,"stream":)";
  for (const char* stream : {"true}", "false}"}) {
    net::RawClient client(http_->port());
    client.Send(Text("POST", "/v1/chat/completions", body + stream, ""));
    ASSERT_TRUE(Eventually([&] { return engine_.Status().running == 2; }));
    client.Close();
    EXPECT_TRUE(Eventually([&] { return engine_.Status().running == 0; }));
  }
  EXPECT_TRUE(Eventually([&] { return api_->in_flight() == 0; }));
  EXPECT_THAT(log(), HasSubstr("status=499"));
  EXPECT_THAT(Ask("GET", "/metrics").body, HasSubstr("finished_reason=\"abort\"} 4\n"));
}

TEST_F(ApiServerTest, AsksForKeysWhereThereAreSome) {
  ApiServerOptions options;
  options.keys = *access::ApiKeys::Parse("sk-right\n");
  Start(std::move(options));
  const Reply none = Chat();
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.json["error"]["code"], nullptr);
  const Reply wrong = Chat("", "Authorization: Bearer sk-wrong\r\n");
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.json["error"]["code"], "invalid_api_key");
  EXPECT_EQ(Chat("", "Authorization: Bearer sk-right\r\n").status, 200);
  EXPECT_EQ(Ask("GET", "/health").status, 200);
  EXPECT_EQ(Ask("GET", "/v1/models").status, 401);
  EXPECT_THAT(log(), Not(HasSubstr("sk-")));
}

TEST_F(ApiServerTest, HoldsEachKeyToItsLimits) {
  ApiServerOptions options;
  options.keys = *access::ApiKeys::Parse(
      "sk-a name=teamA requests_per_minute=2 tokens_per_minute=5000 priority=3\nsk-b name=teamB\n");
  Start(std::move(options));
  constexpr const char* kA = "Authorization: Bearer sk-a\r\n";
  const Reply first = Chat("", kA);
  EXPECT_EQ(first.status, 200);
  EXPECT_THAT(first.head, AllOf(HasSubstr("x-ratelimit-limit-requests: 2\r\n"),
                                HasSubstr("x-ratelimit-remaining-requests: 1\r\n"),
                                HasSubstr("x-ratelimit-limit-tokens: 5000\r\n"),
                                HasSubstr("x-ratelimit-reset-requests: ")));
  EXPECT_EQ(Chat(",\"priority\":-9", kA).status, 200);
  const Reply refused = Chat("", kA);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.json["error"]["code"], "rate_limit_exceeded");
  EXPECT_EQ(refused.json["error"]["type"], "requests");
  EXPECT_THAT(refused.json["error"]["message"].get<std::string>(),
              HasSubstr("Rate limit reached for teamA on requests per min (RPM): Limit 2"));
  // Half a minute less what the test took.
  EXPECT_THAT(refused.head, testing::ContainsRegex("Retry-After: (30|2[0-9])\r\n"));
  EXPECT_EQ(Chat("", "Authorization: Bearer sk-b\r\n").status, 200);

  const auto seen = engine_.seen();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].tenant, "teamA");
  EXPECT_EQ(seen[0].priority, 3);
  EXPECT_EQ(seen[1].priority, 3);  // nobody lifts itself
  EXPECT_EQ(seen[2].tenant, "teamB");
  const std::string metrics = Ask("GET", "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("switchyard_key_requests_total{key=\"teamA\"} 2\n"));
  EXPECT_THAT(metrics,
              HasSubstr("switchyard_key_refused_total{key=\"teamA\",limit=\"requests\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("switchyard_key_tokens_total{key=\"teamB\",kind=\"prompt\"} 8\n"));
  EXPECT_THAT(log(), AllOf(HasSubstr("key=teamA"), Not(HasSubstr("sk-"))));

  // New keys, and what was used is not forgotten.
  api_->ReplaceKeys(*access::ApiKeys::Parse("sk-new name=teamA requests_per_minute=2\n"));
  EXPECT_EQ(Chat("", kA).status, 401);
  EXPECT_EQ(Chat("", "Authorization: Bearer sk-new\r\n").status, 429);
}

TEST_F(ApiServerTest, GivesAPlaceBackWhenARequestEnds) {
  engine_.hold_at = 3;
  ApiServerOptions options;
  options.keys = *access::ApiKeys::Parse("sk-a concurrent=1\n");
  Start(std::move(options));
  constexpr const char* kA = "Authorization: Bearer sk-a\r\n";
  net::RawClient client(http_->port());
  client.Send(
      Text("POST", "/v1/chat/completions",
           R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}],"stream":true})", kA));
  ASSERT_TRUE(Eventually([&] { return engine_.Status().running == 1; }));
  const Reply refused = Chat("", kA);
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.head, HasSubstr("Retry-After: 1\r\n"));
  client.Close();
  EXPECT_TRUE(Eventually([&] { return engine_.Status().running == 0; }));
  EXPECT_TRUE(Eventually([&] { return Chat(",\"max_tokens\":2", kA).status == 200; }));
}

constexpr std::string_view kStream =
    R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}],"stream":true})";

TEST_F(ApiServerTest, ASilentStreamGetsSignsOfLife) {
  engine_.hold_at = 0;
  ApiServerOptions options;
  options.times.heartbeat = std::chrono::milliseconds(50);
  Start(std::move(options));
  net::RawClient client(http_->port());
  client.Send(Text("POST", "/v1/chat/completions", kStream, ""));
  EXPECT_THAT(client.ReadUntil(": keep-alive\n\n"), HasSubstr(" 200 OK"));
  EXPECT_THAT(client.ReadUntil(": keep-alive\n\n"), HasSubstr(": keep-alive"));
}

TEST_F(ApiServerTest, ARequestThatTakesTooLongEnds) {
  engine_.hold_at = 3;
  ApiServerOptions options;
  options.times.request = std::chrono::milliseconds(100);
  Start(std::move(options));
  const Reply whole = Chat();
  EXPECT_EQ(whole.status, 504);
  EXPECT_EQ(whole.json["error"]["code"], "timeout");
  EXPECT_THAT(whole.head, HasSubstr("x-should-retry: false\r\n"));
  const Reply stream = Ask("POST", "/v1/chat/completions", kStream);
  EXPECT_EQ(stream.status, 200);
  EXPECT_THAT(stream.body, AllOf(HasSubstr("\"code\":\"timeout\""), Not(HasSubstr("[DONE]"))));
  EXPECT_TRUE(Eventually([&] { return engine_.Status().running == 0; }));
}

TEST_F(ApiServerTest, ARequestThatWaitsTooLongIsTurnedAway) {
  engine_.hold_at = 0;  // never begins
  ApiServerOptions options;
  options.times.queue = std::chrono::milliseconds(100);
  Start(std::move(options));
  const Reply reply = Chat();
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.head, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_TRUE(Eventually([&] { return engine_.Status().running == 0; }));
}

TEST_F(ApiServerTest, TracesWhatIsSampled) {
  std::mutex mutex;
  std::vector<Span> spans;
  ApiServerOptions options;
  options.trace = [&](std::vector<Span> more) {
    const std::lock_guard lock(mutex);
    spans.insert(spans.end(), more.begin(), more.end());
  };
  Start(std::move(options));
  const std::string ids = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-";
  EXPECT_EQ(Chat("", ids + "00\r\n").status, 200);
  EXPECT_EQ(Chat(",\"max_tokens\":5", ids + "01\r\n").status, 200);
  EXPECT_TRUE(Eventually([&] { return api_->in_flight() == 0; }));
  const std::lock_guard lock(mutex);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].name, "chat tiny");
  EXPECT_EQ(Hex(spans[0].context.trace), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(Hex(spans[0].context.parent), "b7ad6b7169203331");
  EXPECT_GE(spans[0].end, spans[0].begin);
  const auto value = [&](std::string_view key) {
    for (const auto& [name, held] : spans[0].attributes) {
      if (name == key) return held;
    }
    return SpanValue(std::string("absent"));
  };
  EXPECT_EQ(value("gen_ai.operation.name"), SpanValue(std::string("chat")));
  EXPECT_EQ(value("gen_ai.request.max_tokens"), SpanValue(std::int64_t{5}));
  EXPECT_EQ(value("gen_ai.usage.output_tokens"), SpanValue(std::int64_t{5}));
  EXPECT_EQ(value("http.response.status_code"), SpanValue(std::int64_t{200}));
  EXPECT_EQ(value("gen_ai.response.finish_reasons"), SpanValue(std::vector<std::string>{"length"}));
}

TEST_F(ApiServerTest, EchoesTheRequestIdAndLogsNoText) {
  Start();
  const Reply reply = Chat("", "x-request-id: abc-1\r\n");
  EXPECT_THAT(reply.head, HasSubstr("x-request-id: abc-1\r\n"));
  EXPECT_TRUE(Eventually([&] { return log().find("id=abc-1") != std::string::npos; }));
  EXPECT_THAT(log(),
              AllOf(HasSubstr("path=/v1/chat/completions status=200"), HasSubstr("prompt_tokens=8"),
                    HasSubstr("finish=stop"), Not(HasSubstr("Hello")), Not(HasSubstr("Hi"))));
}

TEST_F(ApiServerTest, TellsOfItself) {
  Start();
  const Reply models = Ask("GET", "/v1/models");
  EXPECT_EQ(models.json["data"][0]["id"], "tiny");
  EXPECT_EQ(models.json["data"][0]["max_model_len"], 1000);
  EXPECT_EQ(Ask("GET", "/v1/models/tiny").json["object"], "model");
  EXPECT_EQ(Ask("GET", "/v1/models/huge").status, 404);
  EXPECT_EQ(Ask("GET", "/version").json["version"], "9.9");
  EXPECT_EQ(Ask("GET", "/ready").status, 200);
  EXPECT_THAT(Ask("GET", "/metrics").body,
              HasSubstr("vllm:kv_cache_usage_perc{model_name=\"tiny\",engine=\"0\"} 0.5\n"));
  EXPECT_EQ(Ask("POST", "/tokenize", R"({"prompt":"ab"})").json["tokens"], Json::array({97, 98}));
  EXPECT_EQ(
      Ask("POST", "/tokenize", R"({"messages":[{"role":"user","content":"x"}]})").json["count"], 7);
  EXPECT_EQ(Ask("POST", "/detokenize", R"({"tokens":[97,98]})").json["prompt"], "ab");
  EXPECT_EQ(Ask("POST", "/detokenize", R"({"tokens":[-1]})").status, 400);
}

TEST_F(ApiServerTest, DrainsWithoutCuttingWhatRuns) {
  engine_.hold_at = 3;
  Start();
  net::RawClient client(http_->port());
  client.Send(
      Text("POST", "/v1/completions", R"({"model":"tiny","prompt":"a","stream":true})", ""));
  client.ReadUntil("\"l\"");
  api_->Stop(std::chrono::steady_clock::now() + std::chrono::hours(1));
  EXPECT_EQ(Ask("GET", "/ready").status, 503);
  EXPECT_EQ(Ask("GET", "/health").status, 200);
  const Reply refused = Chat();
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.head, HasSubstr("Retry-After: 1"));
  EXPECT_TRUE(Eventually([&] { return api_->in_flight() == 1; }));
  http_->Stop();  // the time to drain is over
  EXPECT_TRUE(Eventually([&] { return engine_.Status().running == 0; }));
}

TEST_F(ApiServerTest, ServesManyAtOnce) {
  Start();
  std::vector<std::unique_ptr<net::RawClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<net::RawClient>(http_->port()));
    clients.back()->Send(
        Text("POST", "/v1/completions", R"({"model":"tiny","prompt":"a","stream":true})", ""));
  }
  for (const auto& client : clients) {
    EXPECT_THAT(client->ReadUntil("[DONE]"), HasSubstr("\"finish_reason\":\"stop\""));
  }
  EXPECT_TRUE(Eventually([&] { return api_->in_flight() == 0; }));
}

TEST_F(ApiServerTest, TellsTokenIdsBesideText) {
  engine_.answer = "Hi";
  Start();
  const Reply chat = Chat(R"(,"return_token_ids":true,"seed":5)");
  EXPECT_EQ(chat.json["choices"][0]["token_ids"], Json::array({'H', 'i'}));
  EXPECT_EQ(chat.json["prompt_token_ids"].size(), 8U);  // "user:Hi\n"
  EXPECT_THAT(chat.head, HasSubstr("x-switchyard-seed: 5\r\n"));
  const Reply text =
      Ask("POST", "/v1/completions",
          R"({"model":"tiny","prompt":"ab","return_token_ids":true,"stream":true})");
  EXPECT_THAT(text.body, HasSubstr(R"("prompt_token_ids":[97,98])"));
  EXPECT_THAT(text.body, AllOf(HasSubstr(R"("token_ids":[72])"), HasSubstr(R"("token_ids":[105])")));
  EXPECT_THAT(Chat().body, Not(HasSubstr("token_ids")));
}

TEST_F(ApiServerTest, TellsAPromptsIdsOnceWhereThatIsWanted) {
  Start();
  const auto told = [this](std::string_view more) {
    const std::string body =
        Ask("POST", "/v1/completions",
            fmt::format(R"({{"model":"tiny","prompt":["ab","c"],"n":2,"stream":true,)"
                        R"("return_token_ids":true{}}})",
                        more))
            .body;
    constexpr std::string_view kKey = R"("prompt_token_ids":)";
    std::string ids;
    for (std::size_t at = body.find(kKey); at != body.npos; at = body.find(kKey, at + 1)) {
      const std::size_t begin = at + kKey.size();
      ids += body.substr(begin, body.find(']', begin) + 1 - begin);
    }
    return ids;
  };
  EXPECT_EQ(told("").size(), std::string_view("[97,98][97,98][99][99]").size());
  const std::string once = told(R"(,"switchyard":{"version":1,"prompt_ids_once":true})");
  EXPECT_THAT(once, testing::AnyOf("[97,98][99]", "[99][97,98]"));
}

TEST_F(ApiServerTest, GoesOnWithAnAnswer) {
  engine_.answer = "Hello";
  Start();
  const Reply reply = Chat(
      R"(,"seed":1,"n":3,"stream":true,"stream_options":{"include_usage":true},"switchyard":{)"
      R"("version":1,"resume":{"id":"old","created":9,"prompt_token_ids":[7,8],"choices":[)"
      R"({"index":0,"token_ids":[72,101],"finished":false},{"index":1,"finished":true}]}})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_THAT(reply.body, AllOf(HasSubstr(R"("id":"old")"), HasSubstr(R"("created":9)"),
                                Not(HasSubstr(R"("index":1)"))));
  EXPECT_THAT(reply.body, HasSubstr(R"("switchyard":{"resumed_tokens":2})"));
  // One role, that of the choice that begins; the text of the other goes on.
  EXPECT_EQ(reply.body.find("assistant"), reply.body.rfind("assistant"));
  const auto seen = engine_.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].resumed, (std::vector<engine::TokenId>{72, 101}));
  EXPECT_EQ(seen[0].prompt, (std::vector<engine::TokenId>{7, 8}));
  EXPECT_EQ(seen[1].sampling.choice, 2U);
  EXPECT_TRUE(seen[1].resumed.empty());
}

TEST_F(ApiServerTest, GoesOnWithACallFromAnyOfItsTokens) {
  engine_.answer =
      "So: <tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1, \"b\": [2]}}\n</tool_call>";
  Start();
  const std::string asked =
      R"(,"seed":1,"stream":true,"return_token_ids":true,"tools":[{"type":"function","function":)"
      R"({"name":"add","parameters":{"type":"object"}}}])";
  const auto whole = ToldAfterTokens(Chat(asked).body);
  ASSERT_EQ(whole.size(), engine_.answer.size() + 1);
  EXPECT_THAT(whole.back(), HasSubstr(R"([add]{"a": 1, "b": [2]})"));
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    SCOPED_TRACE(cut);
    Json given = Json::array();
    for (const char c : engine_.answer.substr(0, cut)) given.push_back(static_cast<int>(c));
    const Reply rest =
        Chat(asked + R"(,"switchyard":{"version":1,"resume":{"choices":[{"index":0,"token_ids":)" +
             given.dump() + "}]}}");
    EXPECT_EQ(whole[cut] + ToldAfterTokens(rest.body).back(), whole.back());
    EXPECT_THAT(rest.body, HasSubstr(R"("finish_reason":"tool_calls")"));
  }
  EXPECT_TRUE(Eventually([&] { return api_->in_flight() == 0; }));
  EXPECT_THAT(log(), AllOf(HasSubstr("finish=tool_calls"), Not(HasSubstr("finish=stop"))));
}

TEST_F(ApiServerTest, RefusesWhatCannotBeResumed) {
  Start();
  const auto refused = [&](std::string_view resume, std::string_view more = "") {
    const Reply reply = Chat(std::string(R"(,"seed":1,"switchyard":)") + std::string(resume) +
                             std::string(more));
    EXPECT_EQ(reply.status, 400) << reply.body;
    return reply.body;
  };
  EXPECT_THAT(refused("[]"), HasSubstr("an object"));
  EXPECT_THAT(refused("{}"), HasSubstr("switchyard.version"));
  EXPECT_THAT(refused(R"({"version":2})"), HasSubstr("switchyard.version"));
  EXPECT_THAT(refused(R"({"version":1,"resume":{}})"), HasSubstr("switchyard.resume.choices"));
  EXPECT_THAT(refused(R"({"version":1,"resume":{"choices":[{"index":1}]}})"), HasSubstr("index"));
  EXPECT_THAT(refused(R"({"version":1,"resume":{"choices":[{"index":0},{"index":0}]}})"),
              HasSubstr("choices"));
  EXPECT_THAT(refused(R"({"version":1,"resume":{"choices":[{"index":0,"token_ids":[256]}]}})"),
              HasSubstr("not in the vocabulary"));
  EXPECT_THAT(refused(R"({"version":1,"resume":{"prompt_token_ids":[[1],[2]],"choices":[]}})"),
              HasSubstr("prompt_token_ids"));
  const Reply no_seed = Chat(R"(,"switchyard":{"version":1,"resume":{"choices":[]}})");
  EXPECT_THAT(no_seed.body, HasSubstr("'seed'"));
}

TEST_F(ApiServerTest, GivesBackWhatIsUnfinished) {
  engine_.answer = "Hello";
  engine_.hold_at = 3;
  Start();
  std::string plain;
  std::string spoken;
  std::string whole;
  std::thread a([&] { plain = Chat(R"(,"stream":true)").body; });
  std::thread b([&] {
    spoken = Chat(R"(,"seed":4,"stream":true,"switchyard":{"version":1})").body;
  });
  std::thread c([&] { whole = Chat(R"(,"seed":4,"return_token_ids":true)").body; });
  EXPECT_TRUE(Eventually([&] { return engine_.Status().completion_tokens == 9; }));
  api_->Stop(std::chrono::steady_clock::now());
  for (std::thread* thread : {&a, &b, &c}) thread->join();
  EXPECT_THAT(plain, AllOf(HasSubstr("\"error\""), Not(HasSubstr("hand_back"))));
  EXPECT_THAT(spoken, AllOf(HasSubstr("switchyard_hand_back"), Not(HasSubstr("[DONE]")),
                            HasSubstr(R"("token_ids":[72,101,108])"), HasSubstr(R"("seed":4)"),
                            HasSubstr(R"("finished":false)")));
  EXPECT_THAT(whole, AllOf(HasSubstr("switchyard_hand_back"), HasSubstr(R"("choices":[])")));
  EXPECT_TRUE(Eventually([&] { return api_->in_flight() == 0; }));
}

}  // namespace
}  // namespace switchyard::server
