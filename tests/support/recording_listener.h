// Keeps all that a completion told, and waits for its end. Any thread.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/completion_service.h"

namespace switchyard::test_support {

class RecordingListener final : public engine::CompletionListener {
 public:
  void OnDelta(const engine::CompletionDelta& delta) override {
    const std::lock_guard lock(mutex_);
    tokens_.insert(tokens_.end(), delta.tokens.begin(), delta.tokens.end());
    text_ += delta.text;
  }
  void OnEnd(const engine::CompletionSummary& summary) override {
    {
      const std::lock_guard lock(mutex_);
      ++ends_;
      summary_ = summary;
    }
    over_.notify_all();
  }

  engine::CompletionSummary Wait() {
    std::unique_lock lock(mutex_);
    over_.wait(lock, [&] { return summary_.has_value(); });
    return *summary_;
  }
  std::vector<engine::TokenId> tokens() const {
    const std::lock_guard lock(mutex_);
    std::vector<engine::TokenId> ids;
    for (const engine::CompletionToken& token : tokens_) ids.push_back(token.token);
    return ids;
  }
  std::vector<engine::CompletionToken> completion_tokens() const {
    const std::lock_guard lock(mutex_);
    return tokens_;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  int ends() const {
    const std::lock_guard lock(mutex_);
    return ends_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable over_;
  std::vector<engine::CompletionToken> tokens_;
  std::string text_;
  std::optional<engine::CompletionSummary> summary_;
  int ends_ = 0;
};

}  // namespace switchyard::test_support
