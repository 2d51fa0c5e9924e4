#include "protocol/completion_request.h"

#include <charconv>

#include "protocol/field_reader.h"

namespace switchyard::protocol {
namespace {

// OpenAI's ranges, https://platform.openai.com/docs/api-reference/chat/create; where a number is
// bounded by no one, by us.
constexpr std::size_t kStops = 32;
constexpr std::size_t kStopBytes = 4096;
constexpr std::size_t kBiases = 1024;
constexpr std::int32_t kTopLogprobs = 20;
constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();

std::optional<std::int32_t> Narrow(std::optional<std::int64_t> value) {
  if (!value) return std::nullopt;
  return static_cast<std::int32_t>(*value);
}

void ReadLogitBias(FieldReader& reader, SamplingFields& sampling) {
  const base::Json* value = reader.Find("logit_bias");
  if (value == nullptr) return;
  if (!value->is_object()) return reader.Fail(WrongType("logit_bias", "an object", *value));
  if (value->size() > kBiases) {
    return reader.Fail(
        InvalidField("logit_bias", "object_above_max_properties",
                     fmt::format("Invalid 'logit_bias': at most {} tokens, but got {}.", kBiases,
                                 value->size())));
  }
  FieldReader biases(*value, "logit_bias.");
  for (const auto& [key, bias] : value->items()) {
    std::int32_t token = -1;
    const auto end = key.data() + key.size();
    const auto parsed = std::from_chars(key.data(), end, token);
    if (parsed.ec != std::errc() || parsed.ptr != end || token < 0) {
      return reader.Fail(
          InvalidField("logit_bias", "invalid_value",
                       fmt::format("Invalid key in 'logit_bias': '{}' is not a token id.", key)));
    }
    if (bias.is_null()) return reader.Fail(WrongType("logit_bias." + key, "a number", bias));
    if (const auto number = biases.Decimal(key, -100, 100)) {
      sampling.logit_bias.emplace_back(token, static_cast<float>(*number));
    }
  }
  if (biases.error()) reader.Fail(*biases.error());
}

void ReadSampling(FieldReader& reader, SamplingFields& sampling) {
  sampling.temperature = reader.Decimal("temperature", 0, 2);
  sampling.top_p = reader.Decimal("top_p", 0, 1);
  if (sampling.top_p == 0.0) sampling.top_p = 1e-6;  // the best token alone
  sampling.top_k = Narrow(reader.Integer("top_k", -1, kInt32Max));
  if (sampling.top_k == -1) sampling.top_k = 0;  // vLLM's way to say off
  sampling.min_p = reader.Decimal("min_p", 0, 1);
  sampling.typical_p = reader.Decimal("typical_p", 1e-6, 1);
  sampling.presence_penalty = reader.Decimal("presence_penalty", -2, 2);
  sampling.frequency_penalty = reader.Decimal("frequency_penalty", -2, 2);
  sampling.repetition_penalty = reader.Decimal("repetition_penalty", 0.01, 10);
  sampling.seed = reader.Integer("seed", std::numeric_limits<std::int64_t>::min(),
                                 std::numeric_limits<std::int64_t>::max());
  ReadLogitBias(reader, sampling);
}

void ReadStop(FieldReader& reader, CompletionRequest& request) {
  request.stop = reader.Strings("stop", kStops, kStopBytes);
  std::erase(request.stop, std::string());
  request.stop_token_ids = reader.TokenIds("stop_token_ids", kStops);
}

void ReadMaxTokens(FieldReader& reader, CompletionRequest& request) {
  request.max_tokens =
      reader.Integer("max_tokens", request.endpoint == Endpoint::kText ? 0 : 1, kInt32Max);
  if (request.endpoint == Endpoint::kText) {
    // The default of OpenAI's completions.
    if (!request.max_tokens) request.max_tokens = 16;
    return;
  }
  const auto newer = reader.Integer("max_completion_tokens", 1, kInt32Max);
  if (newer && request.max_tokens && *newer != *request.max_tokens) {
    reader.Fail(InvalidField("max_tokens", "invalid_parameter_combination",
                             "Setting 'max_tokens' and 'max_completion_tokens' at the same time is "
                             "not supported."));
  }
  if (newer) request.max_tokens = newer;
}

void ReadLogprobs(FieldReader& reader, CompletionRequest& request) {
  if (request.endpoint == Endpoint::kText) {
    request.top_logprobs = Narrow(reader.Integer("logprobs", 0, kTopLogprobs)).value_or(-1);
    return;
  }
  const bool wanted = reader.Boolean("logprobs").value_or(false);
  const auto best = Narrow(reader.Integer("top_logprobs", 0, kTopLogprobs));
  if (best && *best > 0 && !wanted) {
    reader.Fail(InvalidField("top_logprobs", "invalid_parameter_combination",
                             "The 'top_logprobs' parameter is only allowed when 'logprobs' is "
                             "enabled."));
  }
  if (wanted) request.top_logprobs = best.value_or(0);
}

void ReadStream(FieldReader& reader, CompletionRequest& request) {
  request.stream = reader.Boolean("stream").value_or(false);
  const base::Json* options = reader.Find("stream_options");
  if (options == nullptr) return;
  if (!options->is_object()) {
    return reader.Fail(WrongType("stream_options", "an object", *options));
  }
  if (!request.stream) {
    return reader.Fail(InvalidField("stream_options", "invalid_parameter_combination",
                                    "The 'stream_options' parameter is only allowed when 'stream' "
                                    "is enabled."));
  }
  FieldReader inner(*options, "stream_options.");
  request.include_usage = inner.Boolean("include_usage").value_or(false);
  if (inner.error()) reader.Fail(*inner.error());
}

void ReadChatFields(FieldReader& reader, CompletionRequest& request) {
  request.chat.tools = ReadTools(reader);
  request.chat.fields = ReadTemplateFields(reader);
  request.tells_reasoning = reader.Boolean("include_reasoning").value_or(true);
  if (auto error = CheckContinuation(request.chat)) reader.Fail(std::move(*error));
}

}  // namespace

ApiResult<CompletionRequest> ParseCompletionRequest(Endpoint endpoint, std::string_view body,
                                                    const RequestLimits& limits) {
  auto json = ParseBody(body);
  if (!json) return std::unexpected(std::move(json.error()));
  FieldReader reader(*json);
  CompletionRequest request;
  request.endpoint = endpoint;

  const auto model = reader.String("model", kNameBytes);
  if (!model) reader.FailMissing("model");
  request.model = model.value_or("");
  if (endpoint == Endpoint::kText) {
    request.prompts = ReadPrompts(reader, "prompt", limits.choices, limits.prompt_tokens);
  } else if (const base::Json* messages = reader.Find("messages"); messages == nullptr) {
    reader.FailMissing("messages");
  } else if (auto read = ReadMessages(*messages, limits.messages); !read) {
    reader.Fail(std::move(read.error()));
  } else {
    request.chat.messages = std::move(*read);
    ReadChatFields(reader, request);
  }

  RefuseUnsupported(reader, endpoint);
  ReadSampling(reader, request.sampling);
  request.n = Narrow(reader.Integer("n", 1, 128)).value_or(1);
  ReadStop(reader, request);
  ReadMaxTokens(reader, request);
  ReadLogprobs(reader, request);
  ReadStream(reader, request);
  request.output = ReadOutputFields(reader, {.endpoint = endpoint,
                                             .n = request.n,
                                             .stream = request.stream,
                                             .logprobs = request.top_logprobs >= 0,
                                             .max_tokens = request.max_tokens});
  request.structured_output = ReadStructuredOutput(reader);
  request.ignore_eos = reader.Boolean("ignore_eos").value_or(false);
  request.priority = Narrow(reader.Integer("priority", -1'000'000, 1'000'000)).value_or(0);
  request.user = reader.String("user", kNameBytes).value_or("");
  const std::size_t prompts = endpoint == Endpoint::kChat ? 1 : request.prompts.size();
  request.member = ReadMemberFields(reader, prompts, request.n, limits.prompt_tokens);
  const std::int32_t answers = request.output.best_of;
  if (request.member.resume && answers > request.n) {
    reader.Fail(InvalidField("best_of", "invalid_parameter_combination",
                             "An answer of which the best is still to be chosen has not been given "
                             "to anyone: it cannot be resumed."));
  }
  if (reader.error()) return std::unexpected(*reader.error());

  if (prompts * static_cast<std::size_t>(answers) > limits.choices) {
    return std::unexpected(InvalidField(
        "n", "integer_above_max_value",
        fmt::format("Invalid 'n': {} prompts with {} answers each are more than the {} answers "
                    "that one request may ask for.",
                    prompts, answers, limits.choices)));
  }
  return request;
}

}  // namespace switchyard::protocol
