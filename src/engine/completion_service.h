// What a server asks of an engine: to complete token sequences, or to embed them, many at once. The
// engine decides what runs when; neither text nor tokens depend on that.
//
// Submit, Cancel and Status may be called from any thread. A listener is called from the engine's
// own thread, one call at a time for each request, and must not block.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/sampling.h"
#include "engine/token_rules.h"
#include "grammar/compiled_grammar.h"

namespace switchyard::engine {

using RequestId = std::uint64_t;

// One answer to one prompt. Several answers are several requests with the same prompt and seed and
// another sampling.choice; they share the prompt's pages.
struct CompletionRequest {
  std::vector<TokenId> prompt;
  // Tokens that an earlier run of the same request gave already: it goes on behind them, with the
  // same randomness as if it had never stopped. They are not told again.
  std::vector<TokenId> resumed;
  SamplingParameters sampling;
  std::int64_t max_tokens = -1;      // -1: up to the context's end
  std::vector<std::string> stops;    // never part of the text, unless it includes the stop
  std::vector<TokenId> end_tokens;   // the model's own; none: go on past them
  std::vector<TokenId> stop_tokens;  // the caller's
  std::vector<TokenId> shown_tokens;  // special ones whose names are part of the text
  std::int32_t top_logprobs = -1;    // -1: none; 0: of the token alone; n: of the n best as well
  std::int32_t priority = 0;         // higher first
  std::string tenant;                // requests of different tenants take turns
  TokenRules rules;
  // What the answer must fit, shared with other requests; none: anything. The answer ends where
  // nothing can follow; end tokens come only where the text is complete.
  std::shared_ptr<const grammar::CompiledGrammar> grammar = nullptr;
  bool includes_stop = false;   // the text ends with the stop string or stop token that ended it
  bool skips_special = true;    // special tokens have no text
  bool continues_text = false;  // the text goes on from the prompt's: a first space is its own
  bool embeds = false;          // no answer is wanted but the prompt's embedding
};

struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0;  // of the model's own distribution, before sampling's changes
};

struct CompletionToken {
  TokenId token = 0;
  std::optional<TokenLogprob> logprob;
  std::vector<TokenLogprob> best;  // the most likely first
};

// What one step brought. `text` never ends within a character and never holds a stop string; it may
// be empty while either is undecided.
struct CompletionDelta {
  std::vector<CompletionToken> tokens;
  std::string text;
};

enum class CompletionEnd : std::uint8_t {
  kEnd,        // an end token
  kStop,       // a stop string or stop token
  kLength,     // max_tokens or the context
  kCancelled,  // by Cancel
  kFailed,     // `error` says why
};

struct CompletionSummary {
  CompletionEnd end = CompletionEnd::kEnd;
  base::Error error;  // of kFailed; kUnavailable: the chip was lost, go on elsewhere
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_prompt_tokens = 0;  // of them, found in the prefix cache
  std::int64_t completion_tokens = 0;     // `resumed` not counted
  std::vector<float> embedding = {};      // [hidden], of length 1; of requests that embed
  double queued_s = 0;
  double prefill_s = 0;
  double decode_s = 0;
};

class CompletionListener {
 public:
  virtual ~CompletionListener() = default;
  // Before all others, of a request with resumed tokens: what they said, which no delta tells again.
  virtual void OnResumed(const std::string& /*text*/) {}
  // It waits no longer: the engine has begun with it. Called under the engine's lock, so this must
  // not call the service.
  virtual void OnBegin() {}
  virtual void OnDelta(const CompletionDelta& delta) = 0;
  // The last call.
  virtual void OnEnd(const CompletionSummary& summary) = 0;
};

// What one chip has to do and has done, or all of them together.
struct EngineCounts {
  std::int64_t running = 0;
  std::int64_t waiting = 0;
  // Of prompts, and of texts that gave their pages back: to be computed before their next token.
  // What the prefix cache holds of those that wait is not taken off.
  std::int64_t prefill_tokens = 0;
  std::int64_t kv_page_tokens = 0;
  std::int64_t kv_pages = 0;
  std::int64_t kv_pages_in_use = 0;  // by requests that run; what is only cached is not in use
  std::int64_t kv_pages_cached = 0;
  std::int64_t planned_programs = 0;  // kept for shapes of steps, within a bound
  double computed_tokens_s = 0;    // lately, of prompts and answers
  double completion_tokens_s = 0;  // lately, of answers
  std::uint64_t prompt_tokens = 0;  // since the start, as all below
  std::uint64_t cached_prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t steps = 0;
  std::uint64_t requests_ended = 0;
};

// One chip of those that serve, in the order in which they were given.
struct ReplicaStatus {
  bool is_lost = false;
  std::uint64_t requests_moved = 0;       // to others, when it was lost
  std::uint64_t fallback_operations = 0;  // the most that a step had on the reference
  // Of the steps in which every sequence decoded, which read the weights once each.
  std::uint64_t decode_steps = 0;
  std::uint64_t decode_cached_tokens = 0;  // in the KV cache of their sequences
  double decode_s = 0;
  EngineCounts counts = {};
};

// The counts are of all replicas and the queue before them.
struct ServiceStatus : EngineCounts {
  std::vector<ReplicaStatus> replicas;
};

class CompletionService {
 public:
  virtual ~CompletionService() = default;

  // kInvalidArgument: the request can never run, and the sentence says why. kResourceExhausted: too
  // many wait already. `listener` is kept until its OnEnd has returned; it is shared with the
  // caller, who may still be reading from it.
  virtual base::Result<RequestId> Submit(CompletionRequest request,
                                         std::shared_ptr<CompletionListener> listener) = 0;
  // Takes effect before the next step. A request that is unknown or over is left alone.
  virtual void Cancel(RequestId id) = 0;
  virtual ServiceStatus Status() const = 0;
  // Tokens of prompt and answer together at most.
  virtual std::int64_t context_tokens() const = 0;
};

}  // namespace switchyard::engine
