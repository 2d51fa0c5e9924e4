// Answers that must fit a grammar, on a tiny golden model whose tokens are the 256 bytes and which
// knows nothing: what it says is what sampling lets through.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/batch_engine.h"
#include "engine/token_vocabulary.h"
#include "grammar/ebnf.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "grammar/regex.h"
#include "tests/support/loaded_model.h"
#include "tests/support/recording_listener.h"

namespace switchyard::engine {
namespace {

using test_support::RecordingListener;

class ConstrainedAnswer : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = test_support::Load(
        "cpu", {.context_tokens = 128, .sequences = 8, .chunk_tokens = 32, .page_size = 16});
    ASSERT_TRUE(loaded) << loaded.error().message;
    loaded_ = std::move(*loaded);
    vocabulary_ = MakeVocabulary(loaded_->model->tokenizer());
    engine_ = std::make_unique<BatchEngine>(*loaded_->runner, loaded_->model->tokenizer(),
                                            BatchEngineOptions{.sequences = 8});
  }

  CompletionRequest Ask(const base::Result<grammar::Grammar>& grammar, std::uint64_t seed) const {
    CompletionRequest request;
    request.prompt = test_support::Text(9, 5);
    request.sampling.seed = seed;
    request.sampling.temperature = 1.0F;
    request.max_tokens = 100;
    if (!grammar) return request;
    auto compiled = grammar::CompiledGrammar::Compile(*grammar, vocabulary_);
    EXPECT_TRUE(compiled) << compiled.error().message;
    request.grammar = *compiled;
    return request;
  }
  std::shared_ptr<RecordingListener> Begin(const CompletionRequest& request) {
    auto listener = std::make_shared<RecordingListener>();
    const auto id = engine_->Submit(request, listener);
    EXPECT_TRUE(id) << id.error().message;
    return listener;
  }

  std::unique_ptr<test_support::Loaded> loaded_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_;  // with the grammars
  std::unique_ptr<BatchEngine> engine_;
};

base::Result<grammar::Grammar> Schema() {
  // Short enough to end before max_tokens.
  return grammar::FromJsonSchema(
      base::Json::parse(
          R"({"type":"object","properties":{"n":{"type":"integer","minimum":0,"maximum":99},
              "s":{"type":"string","maxLength":3},"b":{"type":["boolean","null"]}},
              "required":["n","s","b"],"additionalProperties":false})"),
      {.blank = ""});
}

TEST_F(ConstrainedAnswer, FitsAndIsTheSameWhateverRunsBeside) {
  const CompletionRequest request = Ask(Schema(), 0);
  std::vector<std::string> alone;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    CompletionRequest one = request;
    one.sampling.seed = seed;
    one.sampling.choice = static_cast<std::uint32_t>(seed % 3);
    one.sampling.presence_penalty = seed % 2 == 0 ? 0.0F : 1.0F;
    const auto listener = Begin(one);
    EXPECT_EQ(listener->Wait().end, CompletionEnd::kEnd);
    alone.push_back(listener->text());
    const auto json = base::Json::parse(alone.back(), nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << alone.back();
    EXPECT_TRUE(json["n"].is_number_integer() && json["s"].is_string()) << alone.back();
  }
  std::vector<std::shared_ptr<RecordingListener>> listeners;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    CompletionRequest one = request;
    one.sampling.seed = seed;
    one.sampling.choice = static_cast<std::uint32_t>(seed % 3);
    one.sampling.presence_penalty = seed % 2 == 0 ? 0.0F : 1.0F;
    listeners.push_back(Begin(one));
    Begin(Ask(grammar::FromRegex("[a-z]{5}"), seed));
  }
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    EXPECT_EQ(listeners[i]->Wait().end, CompletionEnd::kEnd);
    EXPECT_EQ(listeners[i]->text(), alone[i]);
  }
}

TEST_F(ConstrainedAnswer, GoesOnBehindResumedTokens) {
  const CompletionRequest request = Ask(Schema(), 3);
  const auto whole = Begin(request);
  whole->Wait();
  const std::vector<TokenId> tokens = whole->tokens();
  ASSERT_GT(tokens.size(), 10U);
  for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, tokens.size() - 1}) {
    CompletionRequest resumed = request;
    resumed.resumed.assign(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(cut));
    const auto rest = Begin(resumed);
    EXPECT_EQ(rest->Wait().end, CompletionEnd::kEnd);
    std::vector<TokenId> all = resumed.resumed;
    for (const TokenId token : rest->tokens()) all.push_back(token);
    EXPECT_EQ(all, tokens);
  }
  CompletionRequest misfit = request;
  misfit.resumed = {'{', '{'};
  const auto refused = engine_->Submit(misfit, std::make_shared<RecordingListener>());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("do not fit the request's grammar"));
}

TEST_F(ConstrainedAnswer, EndTokensComeWhereTheTextIsCompleteOnly) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    CompletionRequest request = Ask(grammar::FromRegex("(abc)*"), seed);
    request.end_tokens = {'z'};
    request.sampling.logit_bias = {{'z', 100.0F}, {'q', 100.0F}};
    request.resumed = {'a'};
    const auto listener = Begin(request);
    EXPECT_EQ(listener->Wait().end, CompletionEnd::kEnd);
    EXPECT_EQ(listener->tokens(), (std::vector<TokenId>{'b', 'c', 'z'}));
    EXPECT_EQ(listener->text(), "bc");
  }
  // Also where the end token could be text.
  CompletionRequest request = Ask(grammar::FromRegex("z{4}a"), 1);
  request.end_tokens = {'z'};
  const auto listener = Begin(request);
  EXPECT_EQ(listener->Wait().end, CompletionEnd::kFailed);
}

TEST_F(ConstrainedAnswer, StopsLengthAndLogprobsAreAsEver) {
  CompletionRequest request = Ask(grammar::FromRegex("[ab]{50}x"), 1);
  request.max_tokens = 20;
  request.top_logprobs = 2;
  const auto cut = Begin(request);
  EXPECT_EQ(cut->Wait().end, CompletionEnd::kLength);
  EXPECT_EQ(cut->tokens().size(), 20U);
  ASSERT_TRUE(cut->completion_tokens().front().logprob.has_value());
  EXPECT_EQ(cut->completion_tokens().front().best.size(), 2U);
  request.stops = {"b"};
  const auto stopped = Begin(request);
  EXPECT_EQ(stopped->Wait().end, CompletionEnd::kStop);
  EXPECT_THAT(stopped->text(), testing::Not(testing::HasSubstr("b")));
  const auto over = Begin(Ask(grammar::FromRegex("[ab]{5}x"), 1));
  EXPECT_EQ(over->Wait().end, CompletionEnd::kEnd);  // though there is no end token
  EXPECT_EQ(over->tokens().size(), 6U);
  const auto nothing = Begin(Ask(grammar::FromEbnf("root ::= \"\""), 1));
  EXPECT_EQ(nothing->Wait().end, CompletionEnd::kEnd);
  EXPECT_EQ(nothing->text(), "");
}

}  // namespace
}  // namespace switchyard::engine
