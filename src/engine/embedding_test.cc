#include "engine/embedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "engine/batch_engine.h"
#include "tests/support/loaded_model.h"
#include "tests/support/recording_listener.h"

namespace switchyard::engine {
namespace {

using testing::ElementsAre;
using testing::FloatEq;

TEST(PooledStates, LastTokenOrMeanAtLengthOne) {
  const std::vector<float> first = {1, 0, 0, 1};  // [2 tokens, 2]
  const std::vector<float> second = {3, 4};
  PooledStates last(model::Pooling::kLast);
  EXPECT_FALSE(last.needs_all());
  last.Add(first, 2);
  last.Add(second, 2);
  ASSERT_TRUE(last.Normalise());
  EXPECT_THAT(last.states(), ElementsAre(FloatEq(0.6F), FloatEq(0.8F)));

  PooledStates mean(model::Pooling::kMean);
  EXPECT_TRUE(mean.needs_all());
  mean.Add(first, 2);
  mean.Clear();  // begins anew
  mean.Add(second, 2);
  mean.Add(std::vector<float>{-3, -4, 5, 12}, 2);
  ASSERT_TRUE(mean.Normalise());
  EXPECT_THAT(mean.states(), ElementsAre(FloatEq(5.0F / 13), FloatEq(12.0F / 13)));
}

TEST(PooledStates, SayWhatHasNoLength) {
  for (const float value :
       {0.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    PooledStates states(model::Pooling::kLast);
    states.Add(std::vector<float>{value, value}, 2);
    EXPECT_EQ(states.Normalise().error().code, base::ErrorCode::kInternal);
  }
}

// With so few pages that requests are preempted, beside answers that decode.
TEST(BatchEngine, EmbedsBesideAnswersAsIfAlone) {
  using test_support::Text;
  for (const std::string chip : {"reference", "cpu"}) {
    if (!std::filesystem::exists(test_support::PluginOf(chip))) continue;
    auto loaded = test_support::Load(
        chip,
        {.context_tokens = 96, .sequences = 1, .pages = 8, .chunk_tokens = 16, .page_size = 16});
    ASSERT_TRUE(loaded) << loaded.error().message;
    Runner& runner = *(*loaded)->runner;
    std::vector<std::vector<TokenId>> texts;
    std::vector<std::vector<float>> alone;
    for (int i = 0; i < 8; ++i) {
      texts.push_back(Text(1 + i * 11, 3 + i % 2));
      Sequence sequence{texts.back(), 0, {}};
      PooledStates states(runner.pooling());
      while (sequence.cached < std::ssize(sequence.tokens)) {
        const StepItem item{
            &sequence, std::min<std::int64_t>(16, std::ssize(sequence.tokens) - sequence.cached)};
        const auto rows = runner.Step(std::span(&item, 1), StepOutput::kHiddenStates);
        ASSERT_TRUE(rows) << rows.error().message;
        states.Add(*rows, runner.hidden_size());
      }
      runner.Release(sequence);
      ASSERT_TRUE(states.Normalise());
      alone.push_back(states.states());
    }
    BatchEngine engine(runner, (*loaded)->model->tokenizer(), {.sequences = 6});
    std::vector<std::shared_ptr<test_support::RecordingListener>> listeners;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CompletionRequest answer;
      answer.prompt = Text(20, 5 + static_cast<int>(i));
      answer.max_tokens = 30;
      ASSERT_TRUE(engine.Submit(answer, std::make_shared<test_support::RecordingListener>()));
      CompletionRequest embedded;
      embedded.embeds = true;
      embedded.prompt = texts[i];
      listeners.push_back(std::make_shared<test_support::RecordingListener>());
      ASSERT_TRUE(engine.Submit(embedded, listeners.back()));
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const CompletionSummary summary = listeners[i]->Wait();
      EXPECT_EQ(summary.end, CompletionEnd::kEnd) << summary.error.message;
      EXPECT_EQ(summary.embedding, alone[i]) << chip << " " << i;
      EXPECT_EQ(summary.prompt_tokens, std::ssize(texts[i]));
      EXPECT_EQ(summary.completion_tokens, 0);
      EXPECT_EQ(listeners[i]->tokens(), std::vector<TokenId>());
    }
  }
}

}  // namespace
}  // namespace switchyard::engine
