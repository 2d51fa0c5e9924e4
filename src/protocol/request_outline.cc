#include "protocol/request_outline.h"

#include <algorithm>
#include <array>

#include "protocol/json_items.h"

namespace switchyard::protocol {
namespace {

// OpenAI and all engines together know about eighty.
constexpr std::size_t kMostFields = 512;

// Two readers may take different ones of two fields with one name, so that the gateway would decide
// on another request than is answered.
constexpr std::array<std::string_view, 22> kLookedAt = {
    "model",           "stream",        "stream_options",   "return_token_ids",
    "switchyard",      "tools",         "functions",        "response_format",
    "guided_json",     "guided_regex",  "guided_grammar",   "guided_choice",
    "structured_outputs", "logprobs",   "echo",             "n",
    "best_of",         "max_tokens",    "max_completion_tokens", "seed",
    "prompt",          "messages"};

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

ApiResult<std::optional<std::int64_t>> ReadInteger(const RequestOutline& outline,
                                                   std::string_view key) {
  const std::string_view value = outline.Find(key);
  if (value.empty() || value == "null") return std::optional<std::int64_t>();
  const auto number = JsonInteger(value);
  if (!number) return std::unexpected(NotInteger(key));
  return number;
}

std::optional<ApiError> ReadNumbers(RequestOutline& outline) {
  std::optional<std::int64_t> n;
  std::optional<std::int64_t> best_of;
  std::optional<std::int64_t> newer_max;
  const std::pair<std::string_view, std::optional<std::int64_t>*> all[] = {
      {"n", &n},
      {"best_of", &best_of},
      {"max_tokens", &outline.max_tokens},
      {"max_completion_tokens", &newer_max},
      {"seed", &outline.seed}};
  for (const auto& [key, target] : all) {
    auto number = ReadInteger(outline, key);
    if (!number) return std::move(number.error());
    *target = *number;
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
    const bool is_looked_at = std::ranges::find(kLookedAt, items.key()) != kLookedAt.end();
    if (is_looked_at && !outline.Find(items.key()).empty()) {
      return std::unexpected(InvalidField(std::string(items.key()), "duplicate_field",
                                          fmt::format("'{}' is given twice.", items.key())));
    }
    outline.fields.push_back({items.key(), items.value()});
  }
  if (!is_object || !items.is_whole()) {
    return std::unexpected(
        ApiError{.status = 400, .message = "We could not parse the JSON body of your request."});
  }
  auto model = JsonString(outline.Find("model"));
  if (!model || model->empty()) {
    return std::unexpected(InvalidField("model", "missing_required_parameter",
                                        "You must provide a model parameter, a string."));
  }
  outline.model = std::move(*model);
  outline.stream = outline.Find("stream") == "true";
  outline.include_usage = IsTrueIn(outline.Find("stream_options"), "include_usage");
  outline.return_token_ids = outline.Find("return_token_ids") == "true";
  outline.has_extension = !IsJsonFalsy(outline.Find("switchyard"));
  outline.has_resume = HasIn(outline.Find("switchyard"), "resume");
  outline.has_tools =
      !IsJsonFalsy(outline.Find("tools")) || !IsJsonFalsy(outline.Find("functions"));
  outline.has_grammar = AsksForForm(outline.Find("response_format"));
  for (const std::string_view key : {"guided_json", "guided_regex", "guided_grammar",
                                     "guided_choice", "structured_outputs"}) {
    outline.has_grammar = outline.has_grammar || !IsJsonFalsy(outline.Find(key));
  }
  // Of a completion it is a number, and 0 asks for the token's own.
  const std::string_view logprobs = outline.Find("logprobs");
  outline.has_logprobs = !logprobs.empty() && logprobs != "null" && logprobs != "false";
  outline.echo = outline.Find("echo") == "true";
  if (auto error = ReadNumbers(outline)) return std::unexpected(std::move(*error));
  if (endpoint == Endpoint::kText) outline.prompts = CountPrompts(outline.Find("prompt"));
  return outline;
}

void EditedBody::Set(const RequestOutline& outline, std::string_view key, std::string json) {
  const std::string_view old = outline.Find(key);
  if (!old.empty()) {
    edits_.push_back({static_cast<std::size_t>(old.data() - body_.data()), old.size(),
                      std::move(json)});
    return;
  }
  // The body has a member, its model, so that a comma is right.
  edits_.push_back({body_.find('{') + 1, 0, fmt::format("\"{}\":{},", key, json)});
}

std::vector<std::string_view> EditedBody::Pieces() const {
  std::vector<const Edit*> sorted;
  for (const Edit& edit : edits_) sorted.push_back(&edit);
  std::ranges::stable_sort(sorted, {}, [](const Edit* edit) { return edit->at; });
  std::vector<std::string_view> pieces;
  std::size_t at = 0;
  for (const Edit* edit : sorted) {
    if (edit->at > at) pieces.push_back(body_.substr(at, edit->at - at));
    pieces.emplace_back(edit->text);
    at = edit->at + edit->length;
  }
  pieces.push_back(body_.substr(at));
  return pieces;
}

}  // namespace switchyard::protocol
