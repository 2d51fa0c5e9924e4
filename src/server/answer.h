// One answer in progress: a request of one or several choices, or of texts to embed, each a request
// to the engine, whose deltas become an OpenAI answer, whole or streamed. Everything runs on the
// connection's sequence, where the engine's calls are posted to; the engine and the connection own
// it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/completion_service.h"
#include "net/http_server.h"
#include "protocol/api_error.h"
#include "protocol/choice_writer.h"
#include "protocol/completion_response.h"
#include "server/answer_plan.h"
#include "server/server_state.h"

namespace switchyard::server {

class Answer : public std::enable_shared_from_this<Answer> {
 public:
  static void Begin(std::shared_ptr<ServerState> state,
                    std::shared_ptr<net::HttpResponder> responder, AnswerPlan plan);
  Answer(std::shared_ptr<ServerState> state, std::shared_ptr<net::HttpResponder> responder,
         AnswerPlan plan);
  ~Answer();

  // A drain has begun, or its time has changed. Any thread.
  void OnDrain();

 private:
  using Clock = std::chrono::steady_clock;
  class Listener;
  struct Progress {
    engine::RequestId id = 0;
    bool is_submitted = false;
    bool is_opened = false;
    bool is_ended = false;
    Clock::time_point first_token;
    Clock::time_point last_token;
    std::int64_t tokens = 0;
    double logprob_sum = 0;
    std::vector<engine::TokenId> given;  // all tokens, the resumed ones too, for a member's word
    std::int64_t resumed_tokens = 0;
    protocol::Choice choice;  // whole answers: all so far; streams: only index and text_offset
    std::unique_ptr<protocol::ChoiceWriter> writer;  // of chats
    engine::CompletionSummary summary;
  };

  void Start();
  bool SubmitNext();
  void OnResumed(std::size_t index, const std::string& text);
  void OnDelta(std::size_t index, const engine::CompletionDelta& delta);
  void OnEnd(std::size_t index, const engine::CompletionSummary& summary);
  void OnGone();
  bool IsTimeToGiveBack() const;
  void Watch();
  void OnTick();
  void Fail(const protocol::ApiError& error);
  void CancelAll();
  void Finish();
  void Resume(Progress& progress, const engine::CompletionRequest& request);
  void BeginStream();
  void OpenStream(Progress& progress);
  void WriteParts(Progress& progress, std::vector<protocol::Choice> parts,
                  std::vector<protocol::TokenLogprobs> logprobs, std::vector<engine::TokenId> ids);
  protocol::Finish EndChoice(Progress& progress, bool is_cut);
  void GiveBack();
  void CountTokens(Progress& progress, std::size_t tokens);
  void Observe(const Progress& progress, protocol::Finish finish);
  std::vector<protocol::TokenLogprobs> Logprobs(const engine::CompletionDelta& delta) const;
  protocol::Usage CountUsage() const;
  std::string_view EchoOf(const Progress& progress) const;
  std::vector<protocol::Choice> GivenChoices();
  std::string WholeBody(const protocol::Usage& usage);
  net::HttpHeaders Headers() const;
  void Close(int status);

  std::shared_ptr<ServerState> state_;             // with the server and other answers
  std::shared_ptr<net::HttpResponder> responder_;  // with the connection
  AnswerPlan plan_;
  std::vector<Progress> choices_;
  std::vector<bool> is_prompt_told_;  // its ids; by prompt
  std::size_t submitted_ = 0;
  std::size_t ended_ = 0;
  Clock::time_point last_written_;
  bool has_begun_ = false;  // one of the choices
  bool is_streaming_ = false;
  bool is_over_ = false;
};

}  // namespace switchyard::server
