// One answer in progress: a request of one or several choices, or of texts to embed, each a request
// to the engine, whose deltas become an OpenAI answer, whole or streamed. Everything runs on the
// connection's sequence, where the engine's calls are posted to; the engine and the connection own
// it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/key_ring.h"
#include "access/member_access.h"
#include "engine/completion_service.h"
#include "net/http_server.h"
#include "protocol/api_error.h"
#include "protocol/choice_writer.h"
#include "protocol/completion_response.h"
#include "protocol/embeddings.h"
#include "server/api_server.h"
#include "server/drain.h"
#include "server/grammar_cache.h"
#include "server/live_answers.h"
#include "server/metrics.h"
#include "server/request_log.h"
#include "server/request_spans.h"

namespace switchyard::server {

// What the server and its answers share.
struct ServerState {
  ServerState(ApiServerOptions chosen, engine::CompletionService& engine, const TextModel& model)
      : options(std::move(chosen)),
        keys(options.keys),
        member(options.member_keys),
        service(engine),
        text(model) {}

  const ApiServerOptions options;
  access::KeyRing keys;
  access::MemberAccess member;
  engine::CompletionService& service;
  const TextModel& text;
  Metrics metrics;
  GrammarCache grammars;
  std::int64_t started = 0;  // seconds since 1970
  Drain drain;
  std::atomic<std::int64_t> in_flight = 0;
  LiveAnswers live;
};

// What a gateway may ask for beyond OpenAI's answer, docs/member_protocol.md.
struct MemberPlan {
  bool token_ids = false;
  bool has_extension = false;
  bool prompt_ids_once = false;  // of a stream, not with each choice
  bool is_resumed = false;
  std::int64_t seed = 0;
  // Each prompt's tokens, if the answer may have to tell them.
  std::vector<std::vector<engine::TokenId>> prompts;
  std::vector<bool> is_begun;     // by choice: it is resumed, what opens it was said before
  std::vector<bool> is_finished;  // by choice: nothing is said of it any more

  bool speaks() const { return token_ids || has_extension; }
};

struct AnswerPlan {
  protocol::AnswerHead head;
  bool stream = false;
  bool logprobs = false;
  protocol::ChoiceForm form;          // of chats
  std::size_t choices_by_prompt = 1;  // that are made
  std::size_t given_by_prompt = 1;    // of them, the best
  std::vector<std::string> echoes;    // by prompt, what stands before its answers; empty: nothing
  std::optional<protocol::EmbeddingForm> embedding;  // no choices but embeddings are wanted
  std::vector<engine::CompletionRequest> requests;   // choices of one prompt side by side
  access::KeyUse key;
  net::HttpHeaders headers;            // of the answer, besides those of every answer
  std::optional<TracedRequest> trace;  // if it is to be traced
  MemberPlan member;
  RequestLine line;
  std::chrono::steady_clock::time_point arrival;
};

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
