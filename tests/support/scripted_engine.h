// An engine for tests of the server: a fake that never sees a model. Its vocabulary is the 256
// bytes; each request is answered with the bytes of `answer`, one a step, or with the same
// embedding, from a thread of the engine's own.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/completion_service.h"
#include "server/text_model.h"

namespace switchyard::server {

class BytesText : public TextModel {
 public:
  // Settings, before requests come.
  protocol::TemplateTraits template_traits;
  bool begins_in_reasoning = false;

  base::Result<EncodedChat> EncodeChat(const protocol::ChatInput& input) const override {
    std::string text;
    if (const base::Json tools = input.tools.Definitions(); !tools.is_null()) {
      text += "tools:" + tools.dump() + "\n";
    }
    for (const base::Json& message : input.messages) {
      const auto content = message.at("content").get<std::string>();
      if (content == "no template") {
        return base::Fail(base::ErrorCode::kFailedPrecondition, "the model has no chat template");
      }
      text += message.at("role").get<std::string>() + ":" + content + "\n";
      if (message.contains("tool_calls")) text += message["tool_calls"].dump() + "\n";
    }
    SWITCHYARD_TRY(std::vector<engine::TokenId> tokens, Encode(text, false));
    return EncodedChat{std::move(tokens), begins_in_reasoning};
  }
  const protocol::TemplateTraits& traits() const override { return template_traits; }
  std::optional<engine::TokenId> FindToken(std::string_view) const override { return {}; }
  base::Result<std::vector<engine::TokenId>> Encode(std::string_view text, bool) const override {
    std::vector<engine::TokenId> tokens;
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
  }
  std::string Decode(std::span<const engine::TokenId> tokens) const override {
    std::string text;
    for (const engine::TokenId token : tokens) text += static_cast<char>(token);
    return text;
  }
  std::string TokenBytes(engine::TokenId token) const override {
    return {static_cast<char>(token)};
  }
  std::int32_t vocabulary_size() const override { return 256; }
  std::span<const engine::TokenId> end_tokens() const override { return ends_; }
  std::shared_ptr<const grammar::Vocabulary> vocabulary() const override { return vocabulary_; }

 private:
  static std::shared_ptr<const grammar::Vocabulary> AllBytes() {
    grammar::VocabularyBytes bytes;
    for (int byte = 0; byte < 256; ++byte) bytes.tokens.emplace_back(1, static_cast<char>(byte));
    return std::make_shared<const grammar::Vocabulary>(std::move(bytes));
  }

  std::vector<engine::TokenId> ends_ = {0};
  std::shared_ptr<const grammar::Vocabulary> vocabulary_ = AllBytes();  // with the grammars
};

class ScriptedEngine : public engine::CompletionService {
 public:
  ScriptedEngine() : thread_([this] { Loop(); }) {}
  ~ScriptedEngine() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  // Settings, before requests come.
  std::string answer = "Hello there";
  // Instead, of prompts that hold the first.
  std::vector<std::pair<std::string, std::string>> answers;
  std::size_t fail_at = static_cast<std::size_t>(-1);  // after so many steps of a request
  std::size_t hold_at = static_cast<std::size_t>(-1);  // go no further
  std::int64_t context = 1000;
  std::size_t max_requests = 1000;

  base::Result<engine::RequestId> Submit(
      engine::CompletionRequest request,
      std::shared_ptr<engine::CompletionListener> listener) override {
    const std::lock_guard lock(mutex_);
    if (running_.size() >= max_requests) {
      return base::Fail(base::ErrorCode::kResourceExhausted, "too many requests wait");
    }
    const engine::RequestId id = ++last_id_;
    seen_.push_back(request);
    std::string text = AnswerTo(request.prompt);
    const std::size_t said = request.resumed.size();
    if (said > 0) listener->OnResumed(text.substr(0, said));
    running_.emplace(
        id, Running{std::move(request), std::move(listener), std::move(text), said, false});
    changed_.notify_all();
    return id;
  }
  void Cancel(engine::RequestId id) override {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(id);
    if (found != running_.end()) found->second.is_cancelled = true;
    changed_.notify_all();
  }
  engine::ServiceStatus Status() const override {
    const std::lock_guard lock(mutex_);
    engine::ServiceStatus status;
    status.running = static_cast<std::int64_t>(running_.size());
    status.kv_pages = 10;
    status.kv_pages_in_use = 5;
    status.prompt_tokens = 7;
    status.completion_tokens = tokens_;
    status.requests_ended = ended_;
    status.replicas.resize(1);
    return status;
  }
  std::int64_t context_tokens() const override { return context; }

  std::vector<engine::CompletionRequest> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  struct Running {
    engine::CompletionRequest request;
    std::shared_ptr<engine::CompletionListener> listener;  // with the server
    std::string answer;
    std::size_t steps;
    bool is_cancelled;
  };

  std::string AnswerTo(const std::vector<engine::TokenId>& prompt) const {
    std::string text;
    for (const engine::TokenId token : prompt) text += static_cast<char>(token);
    for (const auto& [words, said] : answers) {
      if (text.find(words) != std::string::npos) return said;
    }
    return answer;
  }

  // The end of a request, if it is there.
  std::optional<engine::CompletionEnd> EndOf(const Running& one) const {
    using engine::CompletionEnd;
    if (one.is_cancelled) return CompletionEnd::kCancelled;
    if (one.request.embeds && fail_at != 0) return CompletionEnd::kEnd;
    if (one.steps >= fail_at) return CompletionEnd::kFailed;
    if (one.steps >= one.answer.size()) return CompletionEnd::kEnd;
    if (one.request.max_tokens >= 0 &&
        one.steps >= static_cast<std::size_t>(one.request.max_tokens)) {
      return CompletionEnd::kLength;
    }
    return std::nullopt;
  }

  bool CanMove(const Running& one) const { return one.steps < hold_at || EndOf(one).has_value(); }

  void Loop() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] {
        return stopping_ || std::ranges::any_of(running_, [this](const auto& entry) {
                 return CanMove(entry.second);
               });
      });
      if (stopping_) return;
      std::vector<engine::RequestId> ids;
      for (const auto& [id, one] : running_) ids.push_back(id);
      for (const engine::RequestId id : ids) Step(lock, id);
    }
  }

  void Step(std::unique_lock<std::mutex>& lock, engine::RequestId id) {
    Running& one = running_.at(id);
    if (!CanMove(one)) return;
    const auto listener = one.listener;
    if (const auto end = EndOf(one)) {
      engine::CompletionSummary summary;
      summary.end = *end;
      summary.error = {base::ErrorCode::kUnavailable, "the chip was lost"};
      summary.prompt_tokens = static_cast<std::int64_t>(one.request.prompt.size());
      summary.cached_prompt_tokens = 2;
      summary.completion_tokens = static_cast<std::int64_t>(one.steps);
      if (one.request.embeds) summary.embedding = {0.2F, 0.4F, 0.4F, 0.8F};  // of length 1
      running_.erase(id);
      ++ended_;
      lock.unlock();
      listener->OnEnd(summary);
      lock.lock();
      return;
    }
    if (one.steps == 0) listener->OnBegin();
    engine::CompletionDelta delta;
    const char c = one.answer[one.steps++];
    delta.text = c;
    engine::CompletionToken token;
    token.token = static_cast<unsigned char>(c);
    if (one.request.top_logprobs >= 0) {
      token.logprob = engine::TokenLogprob{token.token, -0.25F};
      for (std::int32_t i = 0; i < one.request.top_logprobs; ++i) {
        token.best.push_back({token.token + i, -0.25F * static_cast<float>(i + 1)});
      }
    }
    delta.tokens.push_back(token);
    ++tokens_;
    lock.unlock();
    listener->OnDelta(delta);
    lock.lock();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<engine::RequestId, Running> running_;
  std::vector<engine::CompletionRequest> seen_;
  engine::RequestId last_id_ = 0;
  std::uint64_t tokens_ = 0;
  std::uint64_t ended_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace switchyard::server
