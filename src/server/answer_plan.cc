#include "server/answer_plan.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/random_bits.h"
#include "server/answer_grammar.h"
#include "server/chat_form.h"
#include "server/prompt_encoding.h"

namespace switchyard::server {
namespace {

using protocol::ApiError;
using protocol::ApiResult;
using protocol::Endpoint;

template <typename T, typename U>
void Take(T& target, const std::optional<U>& value) {
  if (value) target = static_cast<T>(*value);
}

engine::SamplingParameters Sampling(const protocol::SamplingFields& fields,
                                    const engine::SamplingParameters& defaults) {
  engine::SamplingParameters sampling = defaults;
  Take(sampling.temperature, fields.temperature);
  Take(sampling.top_p, fields.top_p);
  Take(sampling.top_k, fields.top_k);
  Take(sampling.min_p, fields.min_p);
  Take(sampling.typical_p, fields.typical_p);
  Take(sampling.presence_penalty, fields.presence_penalty);
  Take(sampling.frequency_penalty, fields.frequency_penalty);
  Take(sampling.repetition_penalty, fields.repetition_penalty);
  sampling.logit_bias = fields.logit_bias;
  // Every reader of JSON holds 53 bits exactly.
  sampling.seed =
      fields.seed ? static_cast<std::uint64_t>(*fields.seed) : base::RandomBits() >> 11U;
  return sampling;
}

// What a resumed request says of its tokens.
std::optional<ApiError> CheckResume(const protocol::CompletionRequest& request,
                                    const std::vector<Tokens>& prompts, std::int64_t context_tokens,
                                    std::int32_t vocabulary) {
  if (!request.member.resume) return std::nullopt;
  for (const auto& prompt : request.member.resume->prompts) {
    auto error = CheckTokens("switchyard.resume.prompt_token_ids", prompt, vocabulary);
    if (error) return error;
  }
  constexpr std::string_view kParam = "switchyard.resume.choices";
  for (const protocol::ResumedChoice& choice : request.member.resume->choices) {
    if (auto error = CheckTokens(kParam, choice.token_ids, vocabulary)) return error;
    const auto prompt = std::ssize(prompts[static_cast<std::size_t>(choice.index / request.n)]);
    const auto tokens = prompt + std::ssize(choice.token_ids);
    if (tokens > context_tokens) {
      return protocol::ContextLengthExceeded(context_tokens, prompt, tokens - prompt,
                                             std::string(kParam));
    }
  }
  return std::nullopt;
}

// Everything that can be said against a request before the engine sees it.
std::optional<ApiError> CheckAgainstModel(const protocol::CompletionRequest& request,
                                          const std::vector<Tokens>& prompts,
                                          const engine::SamplingParameters& sampling,
                                          std::int64_t context_tokens, std::int32_t vocabulary) {
  const std::string param = request.endpoint == Endpoint::kChat ? "messages" : "prompt";
  if (auto error = CheckResume(request, prompts, context_tokens, vocabulary)) return error;
  if (auto error = CheckLengths(prompts, request.max_tokens.value_or(0), context_tokens, param)) {
    return error;
  }
  for (const auto& [token, bias] : sampling.logit_bias) {
    if (token >= vocabulary) return OutsideVocabulary("logit_bias", token, vocabulary);
  }
  if (auto error = CheckTokens("stop_token_ids", request.stop_token_ids, vocabulary)) return error;
  if (auto error = CheckTokens("allowed_token_ids", request.output.allowed_token_ids, vocabulary)) {
    return error;
  }
  if (const auto status = engine::Validate(sampling); !status) {
    return protocol::ToApiError(status.error());
  }
  return std::nullopt;
}

protocol::AnswerHead NewHead(const protocol::CompletionRequest& request) {
  const char* kind = request.endpoint == Endpoint::kChat ? "chatcmpl" : "cmpl";
  protocol::AnswerHead head;
  head.endpoint = request.endpoint;
  head.id =
      fmt::format("{}-{:016x}{:08x}", kind, base::RandomBits(), base::RandomBits() & 0xFFFFFFFFU);
  head.created = std::chrono::duration_cast<std::chrono::seconds>(
                     std::chrono::system_clock::now().time_since_epoch())
                     .count();
  head.model = request.model;
  head.usage_follows = request.include_usage;
  return head;
}

void PlanMember(const protocol::CompletionRequest& request, const std::vector<Tokens>& prompts,
                const engine::SamplingParameters& sampling, AnswerPlan& plan) {
  MemberPlan& member = plan.member;
  member.token_ids = request.member.return_token_ids;
  member.has_extension = request.member.has_extension;
  member.prompt_ids_once = request.member.prompt_ids_once;
  member.seed = static_cast<std::int64_t>(sampling.seed);
  // Told to everyone, so that whoever sees a stream break can go on with it.
  plan.headers.emplace_back("x-switchyard-seed", std::to_string(member.seed));
  if (member.speaks()) member.prompts = prompts;
  if (member.has_extension) plan.head.seed = member.seed;
  if (!request.member.resume) return;
  member.is_resumed = true;
  if (!request.member.resume->id.empty()) plan.head.id = request.member.resume->id;
  if (request.member.resume->created) plan.head.created = *request.member.resume->created;
}

// By prompt, what stands before its answers.
std::vector<std::string> Echoes(const protocol::CompletionRequest& request,
                                const std::vector<Tokens>& prompts, const TextModel& text) {
  std::vector<std::string> echoes;
  if (!request.output.echo) return echoes;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto* words = std::get_if<std::string>(&request.prompts[i]);
    const bool is_whole = words != nullptr && !request.output.truncate_prompt_tokens;
    // Not decoded, or it would show the special tokens that the model wants around a text.
    echoes.push_back(is_whole ? *words : text.Decode(prompts[i]));
  }
  return echoes;
}

// What all choices have in common: all but prompt and number.
engine::CompletionRequest OneChoice(const protocol::CompletionRequest& request,
                                    const engine::SamplingParameters& sampling,
                                    std::vector<Tokens> bad_words, const TextModel& text) {
  engine::CompletionRequest one;
  one.sampling = sampling;
  one.max_tokens = request.max_tokens.value_or(-1);
  one.stops = request.stop;
  one.stop_tokens = request.stop_token_ids;
  if (!request.ignore_eos) {
    const auto ends = text.end_tokens();
    one.end_tokens.assign(ends.begin(), ends.end());
  }
  // The best are found by their logprobs.
  const bool rates = request.n < request.output.best_of;
  one.top_logprobs = rates ? std::max(request.top_logprobs, 0) : request.top_logprobs;
  one.rules.min_tokens = request.output.min_tokens;
  one.rules.allowed = request.output.allowed_token_ids;
  one.rules.bad = std::move(bad_words);
  one.includes_stop = request.output.include_stop;
  one.skips_special = request.output.skip_special_tokens;
  one.continues_text =
      request.endpoint == Endpoint::kText || request.chat.fields.continue_final_message;
  return one;
}

void AddChoices(engine::CompletionRequest one, std::vector<Tokens> prompts, std::int32_t best_of,
                AnswerPlan& plan) {
  for (Tokens& prompt : prompts) {
    plan.prompt_tokens += std::ssize(prompt);
    one.prompt = std::move(prompt);
    for (std::int32_t choice = 0; choice < best_of; ++choice) {
      one.sampling.choice = static_cast<std::uint32_t>(choice);
      plan.requests.push_back(one);
    }
  }
}

void ResumeChoices(std::vector<protocol::ResumedChoice> choices, AnswerPlan& plan) {
  plan.member.is_begun.resize(plan.requests.size());
  plan.member.is_finished.resize(plan.requests.size());
  for (protocol::ResumedChoice& choice : choices) {
    const auto index = static_cast<std::size_t>(choice.index);
    plan.member.is_begun[index] = true;
    plan.member.is_finished[index] = choice.is_finished;
    plan.requests[index].resumed = std::move(choice.token_ids);
  }
}

}  // namespace

ApiResult<AnswerPlan> PlanCompletion(protocol::CompletionRequest request, ServerState& state) {
  const TextModel& text = state.text;
  const std::int64_t context = state.service.context_tokens();
  auto encoded = EncodePrompts(request, text);
  if (!encoded) return std::unexpected(std::move(encoded.error()));
  std::vector<Tokens>& prompts = encoded->prompts;
  if (request.member.resume && !request.member.resume->prompts.empty()) {
    prompts = request.member.resume->prompts;
  }
  Truncate(prompts, request.output.truncate_prompt_tokens,
           context - std::max<std::int64_t>(1, request.max_tokens.value_or(1)));
  const auto sampling = Sampling(request.sampling, state.options.sampling);
  if (auto error = CheckAgainstModel(request, prompts, sampling, context, text.vocabulary_size())) {
    return std::unexpected(std::move(*error));
  }

  AnswerPlan plan;
  if (request.endpoint == Endpoint::kChat) {
    plan.form = FormOf(request, text.traits(), encoded->begins_in_reasoning);
  }
  auto grammar = CompileGrammar(request, plan.form.answer, state);
  if (!grammar) return std::unexpected(std::move(grammar.error()));
  auto bad_words = EncodeWords(request.output.bad_words, text);
  if (!bad_words) return std::unexpected(std::move(bad_words.error()));

  plan.head = NewHead(request);
  plan.stream = request.stream;
  plan.logprobs = request.top_logprobs >= 0;
  plan.choices_by_prompt = static_cast<std::size_t>(request.output.best_of);
  plan.given_by_prompt = static_cast<std::size_t>(request.n);
  plan.echoes = Echoes(request, prompts, text);
  PlanMember(request, prompts, sampling, plan);
  // What a request does not announce is charged when it has been used.
  plan.announced_tokens =
      request.max_tokens.value_or(0) * request.output.best_of * std::ssize(prompts);
  auto one = OneChoice(request, sampling, std::move(*bad_words), text);
  one.grammar = std::move(*grammar);
  one.shown_tokens = ShownTokens(plan.form.answer, text);
  AddChoices(std::move(one), std::move(prompts), request.output.best_of, plan);
  if (request.member.resume) ResumeChoices(std::move(request.member.resume->choices), plan);
  return plan;
}

ApiResult<AnswerPlan> PlanEmbeddings(const protocol::EmbeddingRequest& request,
                                     const ServerState& state) {
  auto inputs = EncodeTexts(request.inputs, "input", state.text);
  if (!inputs) return std::unexpected(std::move(inputs.error()));
  const std::int64_t context = state.service.context_tokens();
  Truncate(*inputs, request.truncate_prompt_tokens, context - 1);
  if (auto error = CheckLengths(*inputs, 0, context, "input")) {
    return std::unexpected(std::move(*error));
  }
  AnswerPlan plan;
  plan.head.model = request.model;
  plan.embedding = request.form;
  engine::CompletionRequest one;
  one.embeds = true;
  AddChoices(std::move(one), std::move(*inputs), 1, plan);
  return plan;
}

}  // namespace switchyard::server
