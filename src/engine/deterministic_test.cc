// The deterministic mode on a chip whose results depend on the rows of a step: the null chip's fake
// card with that planted, by whole percents, so that texts soon differ without the mode.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/batch_engine.h"
#include "tests/support/loaded_model.h"
#include "tests/support/recording_listener.h"

namespace switchyard::engine {
namespace {

using test_support::Load;
using test_support::Loaded;
using test_support::RecordingListener;
using test_support::Text;
using testing::HasSubstr;
using Tokens = std::vector<TokenId>;

constexpr int kDeterministicRequests = 12;
constexpr RunnerOptions kRoomyMemory{
    .context_tokens = 96, .sequences = 24, .chunk_tokens = 32, .page_size = 16};
// So few that requests are preempted all the time.
constexpr RunnerOptions kTightMemory{
    .context_tokens = 96, .sequences = 1, .pages = 8, .chunk_tokens = 16, .page_size = 16};

// With prompts of less than a page and of several, some of which begin alike.
CompletionRequest DeterministicRequest(int which) {
  CompletionRequest request;
  request.prompt = Text(5 + (which * 11) % 50, 3 + which % 2);
  request.sampling.seed = static_cast<std::uint64_t>(which);
  request.sampling.temperature = which % 2 == 0 ? 0.0F : 0.9F;
  request.max_tokens = 25;
  return request;
}

class DeterministicTest : public testing::Test {
 protected:
  void Use(const RunnerOptions& options) {
    engine_.reset();
    auto loaded = Load("null", options, 1, {{"fault", "batch_variant"}});
    ASSERT_TRUE(loaded) << loaded.error().message;
    loaded_ = std::move(*loaded);
    ASSERT_FALSE(loaded_->runner->is_batch_invariant());
  }
  void Begin(bool deterministic) {
    engine_ = std::make_unique<BatchEngine>(
        *loaded_->runner, loaded_->model->tokenizer(),
        BatchEngineOptions{.sequences = 12, .deterministic = deterministic});
  }
  std::shared_ptr<RecordingListener> Submit(const CompletionRequest& request) {
    const auto listener = std::make_shared<RecordingListener>();
    EXPECT_TRUE(engine_->Submit(request, listener));
    return listener;
  }
  // Each by itself and without a cache of others.
  std::vector<Tokens> Alone(bool deterministic) {
    std::vector<Tokens> texts;
    for (int i = 0; i < kDeterministicRequests; ++i) {
      Use(kRoomyMemory);
      Begin(deterministic);
      const auto listener = Submit(DeterministicRequest(i));
      listener->Wait();
      texts.push_back(listener->tokens());
    }
    return texts;
  }
  std::vector<Tokens> Together() {
    std::vector<std::shared_ptr<RecordingListener>> listeners;
    for (int i = 0; i < kDeterministicRequests; ++i)
      listeners.push_back(Submit(DeterministicRequest(i)));
    std::vector<Tokens> texts;
    for (const auto& listener : listeners) {
      EXPECT_EQ(listener->Wait().end, CompletionEnd::kLength);
      texts.push_back(listener->tokens());
    }
    return texts;
  }

  std::unique_ptr<Loaded> loaded_;
  std::unique_ptr<BatchEngine> engine_;
};

TEST_F(DeterministicTest, WithoutTheModeTextsDependOnTheBatch) {
  const auto alone = Alone(false);
  Use(kRoomyMemory);
  Begin(false);
  EXPECT_NE(Together(), alone);
}

TEST_F(DeterministicTest, TextsDoNotDependOnWhatElseRuns) {
  const auto alone = Alone(true);
  Use(kRoomyMemory);
  Begin(true);
  EXPECT_EQ(Together(), alone);
  // Now all prompts are cached.
  EXPECT_EQ(Together(), alone);
  EXPECT_GT(engine_->Status().cached_prompt_tokens, 0U);
  Use(kTightMemory);
  Begin(true);
  EXPECT_EQ(Together(), alone);
  EXPECT_GT(engine_->Status().preemptions, 0U);
}

TEST_F(DeterministicTest, AnswersGoOnFromAnyOfTheirTokens) {
  Use(kRoomyMemory);
  Begin(true);
  const auto whole = Submit(DeterministicRequest(5));
  whole->Wait();
  for (std::size_t cut = 1; cut < whole->tokens().size(); cut += 4) {
    CompletionRequest request = DeterministicRequest(5);
    Tokens tokens = whole->tokens();
    request.resumed.assign(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(cut));
    const auto rest = Submit(request);
    rest->Wait();
    tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(cut));
    EXPECT_EQ(rest->tokens(), tokens) << cut;
  }
}

// The text of an answer comes again as a prompt, which is computed in other steps.
TEST_F(DeterministicTest, WhatAnAnswerCachedIsNotTakenForAPrompt) {
  Use(kRoomyMemory);
  Begin(true);
  CompletionRequest first = DeterministicRequest(1);
  first.max_tokens = 40;
  const auto answered = Submit(first);
  answered->Wait();
  CompletionRequest second = DeterministicRequest(2);
  second.prompt = first.prompt;
  const Tokens tokens = answered->tokens();
  second.prompt.insert(second.prompt.end(), tokens.begin(), tokens.end());
  second.prompt.push_back(7);
  const auto behind = Submit(second);
  behind->Wait();
  Use(kRoomyMemory);
  Begin(true);
  const auto fresh = Submit(second);
  fresh->Wait();
  EXPECT_EQ(behind->tokens(), fresh->tokens());
}

// Of a batch invariant chip, which runs all at once: a step of four rows would be the fallback's.
TEST_F(DeterministicTest, AStepThatFallsBackUnlikeOthersIsRefused) {
  constexpr RunnerOptions kMemory{
      .context_tokens = 96, .sequences = 2, .chunk_tokens = 16, .page_size = 16};
  auto loaded = Load("null", kMemory, 1, {{"lacks_rows", "4"}}, test_support::Fallback::kReference);
  ASSERT_TRUE(loaded) << loaded.error().message;
  loaded_ = std::move(*loaded);
  ASSERT_TRUE(loaded_->runner->is_batch_invariant());
  Begin(true);
  CompletionRequest request = DeterministicRequest(1);
  request.prompt = Text(4, 3);
  const CompletionSummary refused = Submit(request)->Wait();
  EXPECT_EQ(refused.end, CompletionEnd::kFailed);
  EXPECT_EQ(refused.error.code, base::ErrorCode::kFailedPrecondition);
  request.prompt = Text(6, 3);
  EXPECT_EQ(Submit(request)->Wait().end, CompletionEnd::kLength);
}

TEST_F(DeterministicTest, EmbeddingsDoNotDependOnWhatElseRuns) {
  Use(kRoomyMemory);
  Begin(true);
  CompletionRequest request;
  request.prompt = Text(40, 3);
  request.embeds = true;
  const auto alone = Submit(request)->Wait().embedding;
  const auto beside = Submit(DeterministicRequest(1));
  const auto together = Submit(request)->Wait().embedding;
  beside->Wait();
  EXPECT_FALSE(alone.empty());
  EXPECT_EQ(alone, together);
}

}  // namespace
}  // namespace switchyard::engine
