// Texts that run together against the same texts alone, on a tiny golden model: with pages for all,
// with so few that sequences are preempted all the time, with shared prompts, with cancels.
#include "engine/batch_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <random>
#include <thread>

#include "engine/generation.h"
#include "tests/support/loaded_model.h"
#include "tests/support/recording_listener.h"

namespace switchyard::engine {
namespace {

using test_support::Load;
using test_support::Loaded;
using test_support::PluginOf;
using test_support::RecordingListener;
using test_support::Text;
using testing::HasSubstr;

constexpr RunnerOptions kTight{
    .context_tokens = 96, .sequences = 1, .pages = 8, .chunk_tokens = 16, .page_size = 16};
constexpr RunnerOptions kRoomy{
    .context_tokens = 96, .sequences = 24, .chunk_tokens = 32, .page_size = 16};

CompletionRequest BatchRequest(int which) {
  CompletionRequest request;
  request.prompt = Text(3 + (which * 7) % 23, 3 + which % 5);
  request.sampling.seed = static_cast<std::uint64_t>(which);
  request.sampling.temperature = which % 3 == 0 ? 0.0F : 0.9F;
  request.sampling.frequency_penalty = which % 4 == 0 ? 0.5F : 0.0F;
  request.max_tokens = 40 + (which * 11) % 31;
  request.priority = which % 7 == 0 ? 1 : 0;
  request.tenant = which % 2 == 0 ? "even" : "odd";
  return request;
}

class BatchEngineOn : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(PluginOf(GetParam()))) {
      GTEST_SKIP() << "chip '" << GetParam() << "' is not built";
    }
  }
  void Use(const RunnerOptions& options) {
    auto loaded = Load(GetParam(), options);
    ASSERT_TRUE(loaded) << loaded.error().message;
    loaded_ = std::move(*loaded);
  }
  const model::Tokenizer& tokenizer() { return loaded_->model->tokenizer(); }
  std::unique_ptr<BatchEngine> Engine(const BatchEngineOptions& options = {}) {
    return std::make_unique<BatchEngine>(*loaded_->runner, tokenizer(), options);
  }

  // What Generate gives for the request alone.
  Generation Alone(const CompletionRequest& request, std::string* text = nullptr) {
    Sequence sequence;
    auto result =
        Generate(*loaded_->runner, tokenizer(), sequence, request, [&](std::string_view piece) {
          if (text != nullptr) *text += piece;
          return true;
        });
    EXPECT_TRUE(result) << result.error().message;
    loaded_->runner->Release(sequence);
    return result ? *result : Generation{};
  }

  // Twenty requests at random times, a third of them cancelled; what ends is as if it were alone.
  void RunTogether(const BatchEngineOptions& options, ServiceStatus& status) {
    std::vector<Generation> alone;
    std::vector<std::string> texts(20);
    for (int i = 0; i < 20; ++i) {
      alone.push_back(Alone(BatchRequest(i), &texts[static_cast<std::size_t>(i)]));
    }
    const auto engine = Engine(options);
    std::mt19937 random(7);
    std::vector<RequestId> ids;
    std::vector<std::shared_ptr<RecordingListener>> listeners;
    for (int i = 0; i < 20; ++i) {
      listeners.push_back(std::make_shared<RecordingListener>());
      const auto id = engine->Submit(BatchRequest(i), listeners.back());
      ASSERT_TRUE(id) << id.error().message;
      ids.push_back(*id);
      if (random() % 2 == 0)
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
      if (i >= 5 && i % 3 == 2) engine->Cancel(ids[static_cast<std::size_t>(i - 3)]);
    }
    for (std::size_t i = 0; i < 20; ++i) {
      const CompletionSummary summary = listeners[i]->Wait();
      const std::vector<TokenId> tokens = listeners[i]->tokens();
      if (summary.end == CompletionEnd::kCancelled) {
        EXPECT_EQ(i % 3, 2U);
        ASSERT_LE(tokens.size(), alone[i].tokens.size());
        EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), alone[i].tokens.begin()));
        continue;
      }
      EXPECT_EQ(summary.end, CompletionEnd::kLength) << i << ": " << summary.error.message;
      EXPECT_EQ(tokens, alone[i].tokens) << "request " << i;
      EXPECT_EQ(listeners[i]->text(), texts[i]) << "request " << i;
      EXPECT_EQ(summary.completion_tokens, std::ssize(tokens));
    }
    status = engine->Status();
    EXPECT_EQ(status.running, 0);
    EXPECT_EQ(status.waiting, 0);
    EXPECT_EQ(status.prefill_tokens, 0);
    EXPECT_EQ(status.kv_pages_in_use, 0);
    EXPECT_EQ(status.requests_ended, 20U);
    EXPECT_GT(status.completion_tokens_s, 0);
    EXPECT_GE(status.computed_tokens_s, status.completion_tokens_s);
  }

  std::unique_ptr<Loaded> loaded_;
};

TEST_P(BatchEngineOn, TextsDoNotDependOnWhatRunsBeside) {
  Use(kRoomy);
  ServiceStatus status;
  RunTogether({.step_budget_ms = 0, .prefix_cache = false}, status);
  EXPECT_EQ(status.kv_pages_cached, 0);
}

TEST_P(BatchEngineOn, TextsDoNotDependOnPreemptions) {
  Use(kTight);
  ServiceStatus status;
  RunTogether({.sequences = 8, .step_budget_ms = 0, .prefix_cache = false}, status);
  EXPECT_GT(status.preemptions, 0U);
  RecordProperty("preemptions", std::to_string(status.preemptions));
}

TEST_P(BatchEngineOn, TextsDoNotDependOnThePrefixCache) {
  Use(kTight);
  ServiceStatus status;
  RunTogether({.sequences = 8, .step_budget_ms = 1}, status);
  EXPECT_GT(status.preemptions, 0U);
}

TEST_P(BatchEngineOn, AnswersToOnePromptShareItsPages) {
  Use(kRoomy);
  CompletionRequest request = BatchRequest(1);
  request.prompt = Text(30, 7);
  request.max_tokens = 6;
  std::vector<std::vector<TokenId>> alone;
  for (std::uint32_t choice = 0; choice < 4; ++choice) {
    request.sampling.choice = choice;
    alone.push_back(Alone(request).tokens);
  }
  EXPECT_NE(alone[0], alone[1]);
  const auto engine = Engine();
  std::vector<std::shared_ptr<RecordingListener>> listeners;
  for (std::uint32_t choice = 0; choice < 4; ++choice) {
    request.sampling.choice = choice;
    listeners.push_back(std::make_shared<RecordingListener>());
    ASSERT_TRUE(engine->Submit(request, listeners.back()));
  }
  std::int64_t cached = 0;
  for (std::size_t choice = 0; choice < 4; ++choice) {
    cached += listeners[choice]->Wait().cached_prompt_tokens;
    EXPECT_EQ(listeners[choice]->tokens(), alone[choice]);
  }
  EXPECT_EQ(cached, 3 * 16);  // a whole page, for all but the first
  EXPECT_EQ(engine->CachedTokens(request.prompt), 16);
  EXPECT_EQ(engine->Status().cached_prompt_tokens, 48U);
}

TEST_P(BatchEngineOn, GoesOnBehindResumedTokens) {
  Use(kRoomy);
  CompletionRequest request = BatchRequest(4);
  request.max_tokens = 20;
  std::string text;
  const Generation whole = Alone(request, &text);
  const auto engine = Engine();
  for (const std::size_t cut : {1U, 7U, 19U, 20U}) {
    auto before = std::make_shared<RecordingListener>();
    CompletionRequest first = request;
    first.max_tokens = static_cast<std::int64_t>(cut);
    ASSERT_TRUE(engine->Submit(first, before));
    before->Wait();
    CompletionRequest rest = request;
    rest.resumed.assign(whole.tokens.begin(),
                        whole.tokens.begin() + static_cast<std::ptrdiff_t>(cut));
    auto after = std::make_shared<RecordingListener>();
    ASSERT_TRUE(engine->Submit(rest, after));
    const CompletionSummary summary = after->Wait();
    EXPECT_EQ(summary.end, CompletionEnd::kLength);
    EXPECT_EQ(summary.completion_tokens, static_cast<std::int64_t>(20 - cut));
    EXPECT_EQ(after->tokens(),
              std::vector<TokenId>(whole.tokens.begin() + static_cast<std::ptrdiff_t>(cut),
                                   whole.tokens.end()));
  }
}

TEST_P(BatchEngineOn, StopsAndLogprobs) {
  Use(kRoomy);
  CompletionRequest request = BatchRequest(3);
  request.max_tokens = 12;
  const Generation free = Alone(request);
  const auto engine = Engine();
  for (const bool own : {true, false}) {
    CompletionRequest ends = request;
    (own ? ends.end_tokens : ends.stop_tokens) = {free.tokens[4]};
    ends.top_logprobs = 2;
    auto listener = std::make_shared<RecordingListener>();
    ASSERT_TRUE(engine->Submit(ends, listener));
    EXPECT_EQ(listener->Wait().end, own ? CompletionEnd::kEnd : CompletionEnd::kStop);
    for (const CompletionToken& token : listener->completion_tokens()) {
      ASSERT_TRUE(token.logprob);
      ASSERT_EQ(token.best.size(), 2U);
      EXPECT_EQ(token.best[0].token, token.token);  // greedy
      EXPECT_EQ(token.best[0].logprob, token.logprob->logprob);
      EXPECT_LE(token.best[1].logprob, token.best[0].logprob);
      EXPECT_LT(token.best[0].logprob, 0.0F);
    }
  }
}

TEST_P(BatchEngineOn, RulesForbidTokens) {
  Use(kRoomy);
  CompletionRequest request = BatchRequest(3);
  request.max_tokens = 12;
  const Generation free = Alone(request);
  request.end_tokens = {free.tokens[4]};
  const auto engine = Engine();
  const auto answer = [&](const CompletionRequest& asked) {
    auto listener = std::make_shared<RecordingListener>();
    EXPECT_TRUE(engine->Submit(asked, listener));
    EXPECT_NE(listener->Wait().end, CompletionEnd::kFailed);
    return listener->tokens();
  };
  CompletionRequest longer = request;
  longer.rules.min_tokens = 9;
  const auto tokens = answer(longer);
  EXPECT_GE(tokens.size(), 9U);
  EXPECT_EQ(std::count(tokens.begin(), tokens.begin() + 9, free.tokens[4]), 0);
  CompletionRequest bad = request;
  bad.rules.bad = {{free.tokens[1], free.tokens[2]}};
  EXPECT_EQ(answer(bad)[1], free.tokens[1]);
  EXPECT_NE(answer(bad)[2], free.tokens[2]);
  CompletionRequest few = request;
  few.rules.allowed = {65, 66};
  for (const TokenId token : answer(few)) EXPECT_TRUE(token == 65 || token == 66);
  // What forbids everything fails alone, with a sentence.
  few.rules.bad = {{65}, {66}};
  auto listener = std::make_shared<RecordingListener>();
  ASSERT_TRUE(engine->Submit(few, listener));
  EXPECT_THAT(listener->Wait().error.message, HasSubstr("leave no token"));
}

TEST_P(BatchEngineOn, RefusesWhatCanNeverRun) {
  Use(kTight);
  const auto engine = Engine();
  const auto refused = [&](auto change) {
    CompletionRequest request = BatchRequest(1);
    change(request);
    const auto id = engine->Submit(request, std::make_shared<RecordingListener>());
    EXPECT_FALSE(id);
    return id ? "" : id.error().message;
  };
  EXPECT_THAT(refused([](auto& r) { r.prompt.clear(); }), HasSubstr("no tokens"));
  EXPECT_THAT(refused([](auto& r) { r.prompt = Text(96, 3); }), HasSubstr("the context 96"));
  EXPECT_THAT(refused([](auto& r) { r.prompt[0] = -1; }), HasSubstr("outside the vocabulary"));
  EXPECT_THAT(refused([](auto& r) { r.sampling.top_p = 2; }), HasSubstr("top_p"));
}

TEST_P(BatchEngineOn, EndsEverybodyWhenItGoes) {
  Use(kTight);
  std::vector<std::shared_ptr<RecordingListener>> listeners;
  {
    const auto engine = Engine();
    for (int i = 0; i < 12; ++i) {
      listeners.push_back(std::make_shared<RecordingListener>());
      ASSERT_TRUE(engine->Submit(BatchRequest(i), listeners.back()));
    }
  }
  for (const auto& listener : listeners) {
    const CompletionEnd end = listener->Wait().end;
    EXPECT_TRUE(end == CompletionEnd::kCancelled || end == CompletionEnd::kLength);
  }
}

// Calls back from the engine's thread.
struct Watcher final : CompletionListener {
  std::function<void()> on_delta = [] {};
  std::function<void(const CompletionSummary&)> on_end = [](const auto&) {};
  void OnDelta(const CompletionDelta&) override { on_delta(); }
  void OnEnd(const CompletionSummary& summary) override { on_end(summary); }
};

TEST_P(BatchEngineOn, ACancelDuringThePromptTakesEffectBeforeTheNextStep) {
  Use(kTight);
  const auto engine = Engine({.sequences = 8, .step_budget_ms = 0});
  std::promise<std::pair<CompletionSummary, std::uint64_t>> ended;
  const auto victim = std::make_shared<Watcher>();
  victim->on_end = [&](const CompletionSummary& summary) {
    ended.set_value({summary, engine->Status().steps});
  };
  CompletionRequest long_one = BatchRequest(2);
  long_one.prompt = Text(80, 3);  // five steps and more
  RequestId id = 0;
  int deltas = 0;
  std::uint64_t steps = 0;
  const auto watcher = std::make_shared<Watcher>();
  watcher->on_delta = [&] {
    if (++deltas == 1) id = engine->Submit(long_one, victim).value();
    if (deltas != 3) return;
    steps = engine->Status().steps;
    engine->Cancel(id);
  };
  CompletionRequest first = BatchRequest(1);
  first.max_tokens = 10;
  first.prompt = Text(4, 3);
  ASSERT_TRUE(engine->Submit(first, watcher));
  const auto [summary, steps_at_end] = ended.get_future().get();
  engine->Stop();  // its thread would still call back, to what is gone with this scope
  EXPECT_EQ(summary.end, CompletionEnd::kCancelled);
  EXPECT_EQ(summary.completion_tokens, 0);
  EXPECT_GT(summary.prefill_s, 0);  // it had begun
  EXPECT_EQ(steps_at_end, steps);
}

INSTANTIATE_TEST_SUITE_P(Chips, BatchEngineOn, testing::Values("reference", "cpu"),
                         [](const auto& given) { return given.param; });

TEST(BatchEngine, ALostChipEndsItsRequests) {
  auto loaded = Load("null", kRoomy, 1, {{"lose_device_after", "60"}});
  ASSERT_TRUE(loaded) << loaded.error().message;
  BatchEngine engine(*(*loaded)->runner, (*loaded)->model->tokenizer(), {});
  std::vector<std::shared_ptr<RecordingListener>> listeners;
  bool refused = false;
  for (int i = 0; i < 40 && !refused; ++i) {
    auto listener = std::make_shared<RecordingListener>();
    const auto id = engine.Submit(BatchRequest(i % 20), listener);
    refused = !id;
    if (refused) {
      EXPECT_EQ(id.error().code, base::ErrorCode::kUnavailable);
    } else {
      listeners.push_back(listener);
    }
    if (i % 4 == 3) listeners.back()->Wait();
  }
  EXPECT_TRUE(refused);
  bool failed = false;
  for (const auto& listener : listeners) {
    const CompletionSummary summary = listener->Wait();
    if (summary.end != CompletionEnd::kFailed) continue;
    failed = true;
    EXPECT_EQ(summary.error.code, base::ErrorCode::kUnavailable);
  }
  EXPECT_TRUE(failed);
}

}  // namespace
}  // namespace switchyard::engine
