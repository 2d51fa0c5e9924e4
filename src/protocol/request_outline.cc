#include "protocol/request_outline.h"

#include <algorithm>
#include <array>

#include "protocol/answer_chunk.h"
#include "protocol/json_items.h"

namespace switchyard::protocol {
namespace {

// OpenAI and all engines together know about eighty.
constexpr std::size_t kMostFields = 512;

// The fields that are looked at here.
enum Field : std::size_t {
  kModel, kStream, kStreamOptions, kReturnTokenIds, kSwitchyard, kTools, kFunctions,
  kResponseFormat, kGuidedJson, kGuidedRegex, kGuidedGrammar, kGuidedChoice, kStructuredOutputs,
  kLogprobs, kEcho, kN, kBestOf, kMaxTokens, kMaxCompletionTokens, kSeed, kPrompt, kMessages, kFields
};
constexpr std::array<std::string_view, kFields> kNames = {
    "model",          "stream",        "stream_options",        "return_token_ids",
    "switchyard",     "tools",         "functions",             "response_format",
    "guided_json",    "guided_regex",  "guided_grammar",        "guided_choice",
    "structured_outputs", "logprobs",  "echo",                  "n",
    "best_of",        "max_tokens",    "max_completion_tokens", "seed",
    "prompt",         "messages"};
using FieldValues = std::array<std::string_view, kFields>;  // empty: not there

ApiError NotInteger(std::string_view key) {
  return InvalidField(std::string(key), "invalid_type",
                      fmt::format("Invalid type for '{}': expected an integer.", key));
}

std::size_t CountPrompts(std::string_view prompt) {
  JsonItems items(prompt);
  if (IsJsonString(prompt) || !items.Next()) return 1;
  const bool is_tokens = JsonInteger(items.value()).has_value();
  if (is_tokens) return 1;
  std::size_t count = 1;
  while (items.Next()) ++count;
  return count;
}

ApiError TooManyChoices(const RequestOutline& outline) {
  return InvalidField(
      "prompt", "array_above_max_length",
      fmt::format("Invalid 'prompt': {} prompts with 'n' {} make more than the {} choices that one "
                  "answer may have. Send fewer prompts at once, or a smaller 'n'.",
                  outline.prompts, outline.n, kMostChoices));
}

bool IsTrueIn(std::string_view object, std::string_view key) {
  for (JsonItems items(object); items.Next();) {
    if (items.key() == key) return items.value() == "true";
  }
  return false;
}

bool HasIn(std::string_view object, std::string_view key) {
  for (JsonItems items(object); items.Next();) {
    if (items.key() == key) return !IsJsonFalsy(items.value());
  }
  return false;
}

bool AsksForForm(std::string_view response_format) {
  if (IsJsonFalsy(response_format)) return false;
  for (JsonItems items(response_format); items.Next();) {
    if (items.key() == "type") return items.value() != "\"text\"";
  }
  return true;
}

std::optional<ApiError> ReadNumbers(const FieldValues& values, RequestOutline& outline) {
  std::optional<std::int64_t> n;
  std::optional<std::int64_t> best_of;
  std::optional<std::int64_t> newer_max;
  const std::pair<Field, std::optional<std::int64_t>*> all[] = {
      {kN, &n},
      {kBestOf, &best_of},
      {kMaxTokens, &outline.max_tokens},
      {kMaxCompletionTokens, &newer_max},
      {kSeed, &outline.seed}};
  for (const auto& [field, target] : all) {
    const std::string_view value = values[field];
    if (value.empty() || value == "null") continue;
    *target = JsonInteger(value);
    if (!*target) return NotInteger(kNames[field]);
  }
  outline.n = std::clamp<std::int64_t>(n.value_or(1), 1, 1024);
  outline.best_of = best_of.value_or(0);
  if (newer_max) outline.max_tokens = newer_max;
  return std::nullopt;
}

}  // namespace

std::string_view RequestOutline::Find(std::string_view key) const {
  const auto found = std::ranges::find(fields, key, &BodyField::key);
  return found == fields.end() ? std::string_view() : found->value;
}

ApiResult<RequestOutline> ReadOutline(Endpoint endpoint, std::string_view body) {
  RequestOutline outline;
  outline.body_bytes = body.size();
  outline.fields.reserve(8);
  FieldValues values;
  JsonItems items(body);
  const bool is_object = items.is_object();
  while (items.Next()) {
    if (outline.fields.size() == kMostFields) {
      return std::unexpected(InvalidField(
          "", "too_many_fields", fmt::format("The request has more than {} fields.", kMostFields)));
    }
    // No field has a name that needs escapes; but one could be hidden behind them.
    if (items.key().find('\\') != std::string_view::npos) {
      return std::unexpected(InvalidField("", "invalid_value",
                                          "A field's name is written with escapes; write it as "
                                          "it is."));
    }
    const auto name = std::ranges::find(kNames, items.key());
    if (name != kNames.end()) {
      std::string_view& value = values[static_cast<std::size_t>(name - kNames.begin())];
      // Two readers may take different ones, so that the gateway would decide on another request
      // than is answered.
      if (!value.empty()) {
        return std::unexpected(InvalidField(std::string(items.key()), "duplicate_field",
                                            fmt::format("'{}' is given twice.", items.key())));
      }
      value = items.value();
    }
    outline.fields.push_back({items.key(), items.value()});
  }
  if (!is_object || !items.is_whole()) {
    return std::unexpected(
        ApiError{.status = 400, .message = "We could not parse the JSON body of your request."});
  }
  auto model = JsonString(values[kModel]);
  if (!model || model->empty()) {
    return std::unexpected(InvalidField("model", "missing_required_parameter",
                                        "You must provide a model parameter, a string."));
  }
  outline.model = std::move(*model);
  outline.stream = values[kStream] == "true";
  outline.include_usage = IsTrueIn(values[kStreamOptions], "include_usage");
  outline.return_token_ids = values[kReturnTokenIds] == "true";
  outline.has_extension = !IsJsonFalsy(values[kSwitchyard]);
  outline.has_resume = HasIn(values[kSwitchyard], "resume");
  outline.has_tools = !IsJsonFalsy(values[kTools]) || !IsJsonFalsy(values[kFunctions]);
  outline.has_grammar = AsksForForm(values[kResponseFormat]);
  for (const Field field :
       {kGuidedJson, kGuidedRegex, kGuidedGrammar, kGuidedChoice, kStructuredOutputs}) {
    outline.has_grammar = outline.has_grammar || !IsJsonFalsy(values[field]);
  }
  // Of a completion it is a number, and 0 asks for the token's own.
  const std::string_view logprobs = values[kLogprobs];
  outline.has_logprobs = !logprobs.empty() && logprobs != "null" && logprobs != "false";
  outline.echo = values[kEcho] == "true";
  if (auto error = ReadNumbers(values, outline)) return std::unexpected(std::move(*error));
  if (endpoint == Endpoint::kText) outline.prompts = CountPrompts(values[kPrompt]);
  if (outline.prompts > kMostChoices / static_cast<std::size_t>(outline.n)) {
    return std::unexpected(TooManyChoices(outline));
  }
  return outline;
}

void EditedBody::Set(const RequestOutline& outline, std::string_view key, std::string json) {
  const std::string_view old = outline.Find(key);
  // In a new one a comma is right, since the body has a member, its model.
  Edit edit = old.empty()
                  ? Edit{body_.find('{') + 1, 0, fmt::format("\"{}\":{},", key, json)}
                  : Edit{static_cast<std::size_t>(old.data() - body_.data()), old.size(),
                         std::move(json)};
  const auto behind = std::ranges::upper_bound(edits_, edit.at, {}, &Edit::at);
  edits_.insert(behind, std::move(edit));
}

std::vector<std::string_view> EditedBody::Pieces() const {
  std::vector<std::string_view> pieces;
  pieces.reserve(2 * edits_.size() + 1);
  std::size_t at = 0;
  for (const Edit& edit : edits_) {
    if (edit.at > at) pieces.push_back(body_.substr(at, edit.at - at));
    pieces.emplace_back(edit.text);
    at = edit.at + edit.length;
  }
  pieces.push_back(body_.substr(at));
  return pieces;
}

}  // namespace switchyard::protocol
