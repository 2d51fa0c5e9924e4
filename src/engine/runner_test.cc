// The engine on a tiny golden model with a tokenizer of single bytes, on the plain reference, on
// the host's fast chip where it is built, and on a fake that gets lost.
#include "engine/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "engine/generation.h"
#include "tests/support/loaded_model.h"

namespace switchyard::engine {
namespace {

using test_support::kSmall;
using test_support::Load;
using test_support::Loaded;
using test_support::PluginOf;
using test_support::Text;
using testing::HasSubstr;

std::vector<float> Copy(std::span<const float> logits) { return {logits.begin(), logits.end()}; }

class RunnerOn : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(PluginOf(GetParam()))) {
      GTEST_SKIP() << "chip '" << GetParam() << "' is not built";
    }
    auto loaded = Load(GetParam(), kSmall);
    ASSERT_TRUE(loaded) << loaded.error().message;
    loaded_ = std::move(*loaded);
  }
  Runner& runner() { return *loaded_->runner; }
  const model::Tokenizer& tokenizer() { return loaded_->model->tokenizer(); }

  // The logits after `tokens`, fed `chunk` at a time.
  std::vector<float> LogitsAfter(const std::vector<TokenId>& tokens, std::int64_t chunk) {
    Sequence sequence{tokens, 0, {}};
    std::vector<float> logits;
    while (sequence.cached < static_cast<std::int64_t>(tokens.size())) {
      const Runner::Item item{
          &sequence, std::min(chunk, static_cast<std::int64_t>(tokens.size()) - sequence.cached)};
      auto step = runner().Step(std::span(&item, 1));
      EXPECT_TRUE(step) << step.error().message;
      if (!step) break;
      logits = Copy(*step);
    }
    runner().Release(sequence);
    return logits;
  }

  std::unique_ptr<Loaded> loaded_;
};

TEST_P(RunnerOn, ChunksDoNotChangeTheLogits) {
  const auto tokens = Text(31, 7);
  const auto whole = LogitsAfter(tokens, 31);
  EXPECT_EQ(whole, LogitsAfter(tokens, 1));
  EXPECT_EQ(whole, LogitsAfter(tokens, 13));
}

TEST_P(RunnerOn, OthersInTheBatchDoNotChangeTheLogits) {
  const auto alone = LogitsAfter(Text(9, 5), 9);
  Sequence one{Text(9, 5), 0, {}};
  Sequence two{Text(14, 3), 0, {}};
  const std::vector<Runner::Item> items{{&two, 14, true}, {&one, 9}};
  auto logits = runner().Step(items);
  ASSERT_TRUE(logits) << logits.error().message;
  const auto vocabulary = static_cast<std::size_t>(runner().vocabulary_size());
  ASSERT_EQ(logits->size(), 15 * vocabulary);
  EXPECT_EQ(alone, Copy(logits->subspan(14 * vocabulary)));
  runner().Release(one);
  runner().Release(two);
}

TEST_P(RunnerOn, ASequenceGrowsToTheContextAndNoFurther) {
  Sequence sequence{Text(48, 11), 0, {}};
  ASSERT_TRUE(runner().Advance(sequence));
  sequence.tokens.push_back(1);
  auto beyond = runner().Advance(sequence);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, base::ErrorCode::kResourceExhausted);
  EXPECT_THAT(beyond.error().message, HasSubstr("the context holds 48"));
  runner().Release(sequence);
  EXPECT_EQ(LogitsAfter(Text(5, 2), 5), LogitsAfter(Text(5, 2), 2));
}

TEST_P(RunnerOn, PagesComeBack) {
  for (int round = 0; round < 50; ++round) {
    std::vector<Sequence> sequences(3);
    for (Sequence& sequence : sequences) {
      sequence.tokens = Text(48, round + 1);
      auto logits = runner().Advance(sequence);
      ASSERT_TRUE(logits) << "round " << round << ": " << logits.error().message;
    }
    for (Sequence& sequence : sequences) runner().Release(sequence);
  }
}

TEST_P(RunnerOn, ATokenOutsideTheVocabularyIsRefused) {
  for (const TokenId id : {-1, static_cast<TokenId>(runner().vocabulary_size())}) {
    Sequence sequence{{id}, 0, {}};
    auto logits = runner().Advance(sequence);
    ASSERT_FALSE(logits);
    EXPECT_EQ(logits.error().code, base::ErrorCode::kInvalidArgument);
  }
}

CompletionRequest Ask(std::uint64_t seed, std::int64_t max_tokens) {
  CompletionRequest request;
  request.prompt = Text(6, 9);
  request.sampling.seed = seed;
  request.max_tokens = max_tokens;
  return request;
}

TEST_P(RunnerOn, AnAnswerGoesOnFromItsTokens) {
  Sequence sequence;
  const TextSink ignore = [](std::string_view) { return true; };
  const auto whole = Generate(runner(), tokenizer(), sequence, Ask(5, 24), ignore);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->end, CompletionEnd::kLength);
  ASSERT_EQ(whole->tokens.size(), 24U);
  for (std::size_t cut = 1; cut < 24; ++cut) {
    CompletionRequest rest = Ask(5, 24 - static_cast<std::int64_t>(cut));
    rest.prompt.insert(rest.prompt.end(), whole->tokens.begin(),
                       whole->tokens.begin() + static_cast<std::ptrdiff_t>(cut));
    Sequence fresh;
    const auto continued = Generate(runner(), tokenizer(), fresh, rest, ignore);
    ASSERT_TRUE(continued) << continued.error().message;
    EXPECT_EQ(continued->tokens,
              std::vector<TokenId>(whole->tokens.begin() + static_cast<std::ptrdiff_t>(cut),
                                   whole->tokens.end()));
    runner().Release(fresh);
  }
  runner().Release(sequence);
}

TEST_P(RunnerOn, TheSharedPrefixIsNotComputedAgain) {
  Sequence sequence;
  const TextSink ignore = [](std::string_view) { return true; };
  auto first = Generate(runner(), tokenizer(), sequence, Ask(1, 8), ignore);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->prefill_tokens, 6);
  CompletionRequest next = Ask(2, 4);
  next.prompt.insert(next.prompt.end(), first->tokens.begin(), first->tokens.end());
  next.prompt.push_back(65);
  auto second = Generate(runner(), tokenizer(), sequence, next, ignore);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->prefill_tokens, 2);  // the last sampled token was never fed, and the new one
  Sequence fresh;
  auto anew = Generate(runner(), tokenizer(), fresh, next, ignore);
  ASSERT_TRUE(anew);
  EXPECT_EQ(second->tokens, anew->tokens);
  runner().Release(sequence);
  runner().Release(fresh);
}

TEST_P(RunnerOn, EndsAtStopsEndTokensAndCancellation) {
  const TextSink ignore = [](std::string_view) { return true; };
  Sequence sequence;
  const auto free = Generate(runner(), tokenizer(), sequence, Ask(3, 12), ignore);
  ASSERT_TRUE(free);

  CompletionRequest request = Ask(3, 12);
  request.end_tokens = {free->tokens[4]};
  const auto ended = Generate(runner(), tokenizer(), sequence, request, ignore);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->end, CompletionEnd::kEnd);
  EXPECT_LE(ended->tokens.size(), 5U);

  request = Ask(3, 12);
  request.stop_tokens = {free->tokens[4]};
  const auto stopped = Generate(runner(), tokenizer(), sequence, request, ignore);
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->end, CompletionEnd::kStop);

  const auto cancelled =
      Generate(runner(), tokenizer(), sequence, Ask(3, 12), [](std::string_view) { return false; });
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->end, CompletionEnd::kCancelled);
  runner().Release(sequence);
}

INSTANTIATE_TEST_SUITE_P(Chips, RunnerOn, testing::Values("reference", "cpu"),
                         [](const auto& given) { return given.param; });

// The example chip has 16-bit activations only.
TEST(ChooseActivations, TakesThoseWithWhichTheChipLacksLeast) {
  const auto model = model::Model::Load(test_support::ModelFolder());
  ASSERT_TRUE(model) << model.error().message;
  for (const auto& [name, expected] :
       {std::pair("reference", tensor::DType::kF32), std::pair("example", tensor::DType::kF16)}) {
    const auto chip = device::Chip::Load(PluginOf(name));
    ASSERT_TRUE(chip) << chip.error().message;
    const auto device = device::Device::Open(*chip, 0, {});
    ASSERT_TRUE(device) << device.error().message;
    const std::array shapes{model::ForwardShape{}};
    const auto chosen = ChooseActivations(**model, **device, shapes, tensor::DType::kF16);
    ASSERT_TRUE(chosen) << chosen.error().message;
    EXPECT_EQ(*chosen, expected) << name;
  }
}

TEST(Runner, ALostDeviceIsReported) {
  auto loaded = Load("null", kSmall, 1, {{"lose_device_after", "2"}});
  ASSERT_TRUE(loaded) << loaded.error().message;
  Sequence sequence{Text(6, 4), 0, {}};
  base::ErrorCode code{};
  for (int step = 0; step < 4; ++step) {
    auto logits = (*loaded)->runner->Advance(sequence);
    if (!logits) {
      code = logits.error().code;
      break;
    }
    sequence.tokens.push_back(1);
  }
  EXPECT_EQ(code, base::ErrorCode::kUnavailable);
}

// One that has no operation for the rows of a whole chunk.
const std::vector<device::DeviceOption> kLacksChunks = {{"lacks_rows", "32"}};

TEST(Runner, ReportsWhatFallsBackForManyTokensOnly) {
  auto loaded = Load("null", kSmall, 1, kLacksChunks, test_support::Fallback::kReference);
  ASSERT_TRUE(loaded) << loaded.error().message;
  Runner& runner = *(*loaded)->runner;
  EXPECT_GT(runner.report().ops_on_fallback, 0U);
  EXPECT_GT(runner.report().crossing_bytes, 0U);
  EXPECT_THAT(runner.report().Describe("null", "reference"), HasSubstr("linear of 32 rows"));
  // A token's numbers are the chip's or the fallback's, as the step is.
  EXPECT_FALSE(runner.is_batch_invariant());
  int told = 0;
  runner.OnLateFallback([&told](const device::LoadReport&) { ++told; });
  Sequence sequence{Text(40, 7), 0, {}};
  EXPECT_TRUE(runner.Advance(sequence));
  EXPECT_EQ(told, 0);
  runner.Release(sequence);
}

TEST(Runner, WithoutAFallbackWhatIsLackedForManyTokensIsRefusedOnLoading) {
  const auto loaded = Load("null", kSmall, 1, kLacksChunks);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, base::ErrorCode::kUnimplemented);
  EXPECT_THAT(loaded.error().message, HasSubstr("linear of 32 rows"));
}

TEST(Runner, TellsOfAFallbackThatComesUpLater) {
  auto loaded = Load("null", kSmall, 1, {{"lacks_rows", "8"}}, test_support::Fallback::kReference);
  ASSERT_TRUE(loaded) << loaded.error().message;
  Runner& runner = *(*loaded)->runner;
  EXPECT_EQ(runner.report().ops_on_fallback, 0U);
  EXPECT_TRUE(runner.is_batch_invariant());
  std::vector<std::string> told;
  runner.OnLateFallback([&told](const device::LoadReport& late) {
    told.push_back(late.Describe("null", "reference"));
  });
  for (int round = 0; round < 2; ++round) {
    Sequence sequence{Text(8, 7), 0, {}};
    EXPECT_TRUE(runner.Advance(sequence));
    runner.Release(sequence);
  }
  EXPECT_THAT(told, testing::ElementsAre(HasSubstr("linear of 8 rows")));
  EXPECT_GT(runner.fallback_operations(), 0U);
  EXPECT_FALSE(runner.is_batch_invariant());
}

TEST(Runner, RefusesAFallbackThatWouldEndItsInvariance) {
  auto loaded = Load("null", kSmall, 1, {{"lacks_rows", "8"}}, test_support::Fallback::kReference);
  ASSERT_TRUE(loaded) << loaded.error().message;
  Runner& runner = *(*loaded)->runner;
  runner.KeepBatchInvariant(true);
  Sequence sequence{Text(8, 7), 0, {}};
  const auto refused = runner.Advance(sequence);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::kFailedPrecondition);
  sequence.tokens.resize(4);
  EXPECT_TRUE(runner.Advance(sequence));
  EXPECT_TRUE(runner.is_batch_invariant());
  runner.Release(sequence);
}

TEST(Runner, RefusesAContextBeyondTheModels) {
  RunnerOptions options = kSmall;
  options.context_tokens = 1 << 20;
  auto loaded = Load("reference", options);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("this model was made for"));
}

}  // namespace
}  // namespace switchyard::engine
