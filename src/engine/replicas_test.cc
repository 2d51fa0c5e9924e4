// Chips that are lost in mid-answer: the null chip's second device computes as the reference does
// and goes away when told to.
#include "engine/replicas.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "tests/support/loaded_model.h"
#include "tests/support/recording_listener.h"

namespace switchyard::engine {
namespace {

using test_support::Load;
using test_support::Loaded;
using test_support::RecordingListener;
using test_support::Text;

constexpr RunnerOptions kOptions{
    .context_tokens = 96, .sequences = 6, .chunk_tokens = 16, .page_size = 16};
constexpr int kReplicaRequests = 30;

CompletionRequest ReplicaRequest(int which) {
  CompletionRequest request;
  request.prompt = Text(3 + (which * 7) % 23, 3 + which % 5);
  request.sampling.seed = static_cast<std::uint64_t>(which);
  request.max_tokens = 10 + (which * 11) % 40;
  request.tenant = which % 2 == 0 ? "even" : "odd";
  return request;
}

struct FleetOptions {
  std::int64_t waiting = 1024;              // of each engine
  std::vector<std::int64_t> contexts = {};  // of each; none: as kOptions says
};

// Replicas on null chips that are lost after so many runs each; -1: never.
struct Fleet {
  explicit Fleet(const std::vector<int>& lost_after, const FleetOptions& fleet = {})
      : told_lost(lost_after.size()) {
    std::vector<std::unique_ptr<BatchEngine>> engines;
    for (const int runs : lost_after) {
      std::vector<device::DeviceOption> options;
      if (runs >= 0) options.push_back({"lose_device_after", std::to_string(runs)});
      RunnerOptions runner = kOptions;
      if (!fleet.contexts.empty()) runner.context_tokens = fleet.contexts[engines.size()];
      auto one = Load("null", runner, 1, options);
      EXPECT_TRUE(one) << one.error().message;
      loaded.push_back(std::move(*one));
      engines.push_back(std::make_unique<BatchEngine>(
          *loaded.back()->runner, loaded.back()->model->tokenizer(),
          BatchEngineOptions{.sequences = 4,
                             .waiting = fleet.waiting,
                             .step_budget_ms = 0,
                             .on_lost = [&told = told_lost[engines.size()]](
                                            const base::Error&, std::size_t) { ++told; }}));
    }
    service = std::make_unique<Replicas>(std::move(engines), ReplicasOptions{});
  }

  std::vector<std::shared_ptr<RecordingListener>> SubmitAll() const {
    std::vector<std::shared_ptr<RecordingListener>> listeners;
    for (int i = 0; i < kReplicaRequests; ++i) {
      listeners.push_back(std::make_shared<RecordingListener>());
      const auto id = service->Submit(ReplicaRequest(i), listeners.back());
      EXPECT_TRUE(id) << id.error().message;
    }
    return listeners;
  }

  std::vector<std::atomic<int>> told_lost;
  std::vector<std::unique_ptr<Loaded>> loaded;
  std::unique_ptr<Replicas> service;  // uses them
};

TEST(Replicas, ALostChipLosesNoRequestAndNoToken) {
  std::vector<std::pair<std::vector<TokenId>, std::string>> undisturbed;
  const Fleet whole({-1});
  for (const auto& listener : whole.SubmitAll()) {
    EXPECT_EQ(listener->Wait().end, CompletionEnd::kLength);
    undisturbed.emplace_back(listener->tokens(), listener->text());
  }
  for (const std::vector<int>& lost_after :
       std::vector<std::vector<int>>{{7, -1}, {40, 5, -1}, {60, -1, 30}}) {
    Fleet fleet(lost_after);
    const auto listeners = fleet.SubmitAll();
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      const CompletionSummary summary = listeners[i]->Wait();
      EXPECT_EQ(summary.end, CompletionEnd::kLength) << summary.error.message;
      EXPECT_EQ(listeners[i]->tokens(), undisturbed[i].first) << "request " << i;
      EXPECT_EQ(listeners[i]->text(), undisturbed[i].second) << "request " << i;
      EXPECT_EQ(summary.completion_tokens, std::ssize(undisturbed[i].first));
      EXPECT_EQ(listeners[i]->ends(), 1);
    }
    EXPECT_LT(fleet.service->alive(), std::ssize(lost_after));
    const ServiceStatus status = fleet.service->Status();
    EXPECT_EQ(status.requests_ended, static_cast<std::uint64_t>(kReplicaRequests));
    EXPECT_EQ(status.running + status.waiting, 0);
    EXPECT_EQ(status.prefill_tokens, 0);
    ASSERT_EQ(status.replicas.size(), lost_after.size());
    std::uint64_t moved = 0;
    for (std::size_t i = 0; i < lost_after.size(); ++i) {
      EXPECT_EQ(status.replicas[i].is_lost, fleet.told_lost[i] == 1) << i;
      EXPECT_LE(fleet.told_lost[i], lost_after[i] < 0 ? 0 : 1) << i;
      moved += status.replicas[i].requests_moved;
    }
    EXPECT_GT(moved, 0U);
  }
}

TEST(Replicas, AnEngineWithoutRoomIsNotLost) {
  const Fleet fleet({-1, -1}, {.waiting = 1});
  for (const auto& listener : fleet.SubmitAll()) {
    const CompletionSummary summary = listener->Wait();
    EXPECT_EQ(summary.end, CompletionEnd::kLength) << summary.error.message;
  }
  EXPECT_EQ(fleet.service->alive(), 2);
}

TEST(Replicas, WhatNoEngineTakesFailsAlone) {
  const Fleet fleet({-1}, {.waiting = 0});
  for (const auto& listener : fleet.SubmitAll()) {
    const CompletionSummary summary = listener->Wait();
    EXPECT_EQ(summary.end, CompletionEnd::kFailed);
    EXPECT_EQ(summary.error.code, base::ErrorCode::kResourceExhausted);
  }
  EXPECT_EQ(fleet.service->alive(), 1);
  EXPECT_EQ(fleet.service->Status().requests_ended, static_cast<std::uint64_t>(kReplicaRequests));
}

TEST(Replicas, AnAnswerIsNoLongerThanAnyChipCanTakeOver) {
  CompletionRequest request = ReplicaRequest(0);
  request.prompt = Text(5, 3);
  request.max_tokens = -1;
  for (const int runs : {-1, 25}) {  // the roomier chip is whole, or lost near the other's end
    const Fleet fleet({runs, -1}, {.contexts = {96, 32}});
    std::vector<std::shared_ptr<RecordingListener>> listeners;
    for (int i = 0; i < 4; ++i) {
      listeners.push_back(std::make_shared<RecordingListener>());
      ASSERT_TRUE(fleet.service->Submit(request, listeners.back()));
    }
    for (const auto& listener : listeners) {
      const CompletionSummary summary = listener->Wait();
      EXPECT_EQ(summary.end, CompletionEnd::kLength) << summary.error.message;
      EXPECT_EQ(summary.completion_tokens, 27);
    }
  }
}

TEST(Replicas, WithoutAnyChipAllFailAndSaySo) {
  const Fleet fleet({20, 10});
  std::vector<std::shared_ptr<RecordingListener>> listeners;
  bool refused = false;
  for (int i = 0; i < kReplicaRequests; ++i) {
    const auto listener = std::make_shared<RecordingListener>();
    const auto id = fleet.service->Submit(ReplicaRequest(i), listener);
    if (id) listeners.push_back(listener);
    refused = refused || !id;
  }
  for (const auto& listener : listeners) {
    const CompletionSummary summary = listener->Wait();
    if (summary.end == CompletionEnd::kLength) continue;
    EXPECT_EQ(summary.end, CompletionEnd::kFailed);
    EXPECT_EQ(summary.error.code, base::ErrorCode::kUnavailable);
    EXPECT_EQ(listener->ends(), 1);
  }
  const auto late = fleet.service->Submit(ReplicaRequest(1), std::make_shared<RecordingListener>());
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, base::ErrorCode::kUnavailable);
}

TEST(Replicas, CancelsWhatRunsAndWhatWaits) {
  const Fleet fleet({-1, -1});
  std::vector<RequestId> ids;
  std::vector<std::shared_ptr<RecordingListener>> listeners;
  for (int i = 0; i < kReplicaRequests; ++i) {
    listeners.push_back(std::make_shared<RecordingListener>());
    CompletionRequest request = ReplicaRequest(i);
    request.max_tokens = -1;
    const auto id = fleet.service->Submit(request, listeners.back());
    ASSERT_TRUE(id);
    ids.push_back(*id);
  }
  for (const RequestId id : ids) fleet.service->Cancel(id);
  int cancelled = 0;
  for (const auto& listener : listeners) {
    cancelled += listener->Wait().end == CompletionEnd::kCancelled ? 1 : 0;
  }
  EXPECT_GT(cancelled, kReplicaRequests / 2);
  EXPECT_EQ(fleet.service->Status().requests_ended, static_cast<std::uint64_t>(kReplicaRequests));
}

}  // namespace
}  // namespace switchyard::engine
