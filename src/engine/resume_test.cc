// An answer that is cut at any of its tokens and goes on from there, in another engine, is the
// answer that was never cut: the same tokens, the same text to the byte, the same end.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "engine/batch_engine.h"
#include "tests/support/loaded_model.h"
#include "tests/support/recording_listener.h"

namespace switchyard::engine {
namespace {

using test_support::Load;
using test_support::Loaded;
using test_support::PluginOf;
using test_support::Text;

constexpr RunnerOptions kRoomyForResume{
    .context_tokens = 96, .sequences = 8, .chunk_tokens = 32, .page_size = 16};

// Keeps the text as it stood after each token.
struct StepListener final : CompletionListener {
  test_support::RecordingListener all;
  std::vector<std::string> text_after;
  std::string text;
  std::string resumed;

  void OnResumed(const std::string& said) override { resumed += said; }
  void OnDelta(const CompletionDelta& delta) override {
    EXPECT_EQ(delta.tokens.size(), 1U);
    text += delta.text;
    text_after.push_back(text);
    all.OnDelta(delta);
  }
  void OnEnd(const CompletionSummary& summary) override { all.OnEnd(summary); }
};

struct Case {
  std::string name;
  CompletionRequest request;
};

CompletionRequest Base() {
  CompletionRequest request;
  request.prompt = Text(21, 5);
  request.sampling.seed = 11;
  request.sampling.temperature = 0.9F;
  request.max_tokens = 24;
  return request;
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  const auto add = [&](std::string name, auto change) {
    CompletionRequest request = Base();
    change(request);
    cases.push_back({std::move(name), std::move(request)});
  };
  add("sampled", [](auto&) {});
  add("greedy", [](auto& r) { r.sampling.temperature = 0; });
  add("second choice", [](auto& r) { r.sampling.choice = 1; });
  add("penalties", [](auto& r) {
    r.sampling.presence_penalty = 0.7F;
    r.sampling.frequency_penalty = 1.1F;
    r.sampling.repetition_penalty = 1.3F;
  });
  add("bias", [](auto& r) { r.sampling.logit_bias = {{65, 6.0F}, {66, 5.5F}, {0xC3, 6.0F}}; });
  add("filters", [](auto& r) {
    r.sampling.min_p = 0.05F;
    r.sampling.top_k = 40;
    r.sampling.top_p = 0.9F;
    r.sampling.typical_p = 0.95F;
  });
  add("logprobs", [](auto& r) { r.top_logprobs = 3; });
  add("to the context's end", [](auto& r) { r.max_tokens = -1; });
  return cases;
}

class ResumeOn : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(PluginOf(GetParam()))) {
      GTEST_SKIP() << "chip '" << GetParam() << "' is not built";
    }
    for (auto* place : {&first_, &second_}) {
      auto loaded = Load(GetParam(), kRoomyForResume);
      ASSERT_TRUE(loaded) << loaded.error().message;
      *place = std::move(*loaded);
    }
  }
  static std::shared_ptr<StepListener> Run(BatchEngine& engine, const CompletionRequest& request) {
    auto listener = std::make_shared<StepListener>();
    const auto id = engine.Submit(request, listener);
    EXPECT_TRUE(id) << id.error().message;
    listener->all.Wait();
    return listener;
  }

  // Cuts the request's answer behind each of its tokens, the last included.
  void CutEverywhere(const Case& one) {
    SCOPED_TRACE(one.name);
    BatchEngine engine(*first_->runner, first_->model->tokenizer(), {});
    BatchEngine other(*second_->runner, second_->model->tokenizer(), {});
    const auto whole = Run(engine, one.request);
    const std::vector<TokenId> tokens = whole->all.tokens();
    const auto logprobs = whole->all.completion_tokens();
    ASSERT_FALSE(tokens.empty());
    for (std::size_t cut = 0; cut <= tokens.size(); ++cut) {
      SCOPED_TRACE(cut);
      CompletionRequest rest = one.request;
      rest.resumed.assign(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(cut));
      const auto resumed = Run(other, rest);
      const std::string said = cut == 0 ? "" : whole->text_after[cut - 1];
      EXPECT_EQ(resumed->resumed, said);
      EXPECT_EQ(said + resumed->text, whole->text);
      std::vector<TokenId> all = rest.resumed;
      for (const TokenId token : resumed->all.tokens()) all.push_back(token);
      EXPECT_EQ(all, tokens);
      EXPECT_EQ(resumed->all.Wait().end, whole->all.Wait().end);
      EXPECT_EQ(resumed->all.Wait().completion_tokens,
                std::ssize(tokens) - std::ssize(rest.resumed));
      const auto again = resumed->all.completion_tokens();
      for (std::size_t i = 0; i < again.size() && one.request.top_logprobs >= 0; ++i) {
        EXPECT_EQ(again[i].logprob->logprob, logprobs[cut + i].logprob->logprob);
      }
    }
  }

  std::unique_ptr<Loaded> first_;
  std::unique_ptr<Loaded> second_;
};

TEST_P(ResumeOn, GoesOnBehindAnyToken) {
  for (const Case& one : Cases()) CutEverywhere(one);
}

// Strings that do occur in the free answer, so that text is held back over the cuts.
TEST_P(ResumeOn, StopStringsHoldOverTheCut) {
  std::string text;
  std::vector<TokenId> tokens;
  {
    BatchEngine engine(*first_->runner, first_->model->tokenizer(), {});
    const auto whole = Run(engine, Base());
    text = whole->text;
    tokens = whole->all.tokens();
  }
  ASSERT_GE(text.size(), 12U);
  // Whole characters of the middle.
  std::size_t begin = text.size() / 2;
  while ((static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) ++begin;
  const std::string inside = text.substr(begin, 6);
  CompletionRequest request = Base();
  request.stops = {inside};
  CutEverywhere({"matches", request});
  request.stops = {inside.substr(0, 4) + "\x01 never"};
  CutEverywhere({"almost matches", request});
  request.stops = {text.substr(text.size() - 4) + " never"};
  CutEverywhere({"held back at the end", request});
  request.stops.clear();
  request.stop_tokens = {tokens[9]};
  CutEverywhere({"stop token", request});
  request.stop_tokens.clear();
  request.end_tokens = {tokens[12]};
  CutEverywhere({"end token", request});
}

// Letters of several bytes, one token each: most cuts lie within a character.
TEST_P(ResumeOn, HalfCharactersAreSaidOnce) {
  CompletionRequest request = Base();
  for (const TokenId byte : {0xE4, 0xBD, 0xA0, 0xC3, 0xA9}) {
    request.sampling.logit_bias.emplace_back(byte, 30.0F);
  }
  CutEverywhere({"half characters", request});
}

INSTANTIATE_TEST_SUITE_P(Chips, ResumeOn, testing::Values("reference", "cpu"),
                         [](const auto& given) { return given.param; });

}  // namespace
}  // namespace switchyard::engine
