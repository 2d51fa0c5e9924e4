#include "protocol/output_fields.h"

#include "protocol/prompts.h"

namespace switchyard::protocol {
namespace {

constexpr std::size_t kBadWords = 256;
constexpr std::size_t kBadWordBytes = 256;
constexpr std::size_t kAllowedTokens = 65536;
constexpr std::int64_t kMostBestOf = 20;  // OpenAI's

void ReadBestOf(FieldReader& reader, const OutputContext& request, OutputFields& fields) {
  fields.best_of = static_cast<std::int32_t>(reader.Integer("best_of", 0, kMostBestOf).value_or(0));
  if (fields.best_of == 0) {
    fields.best_of = request.n;
  } else if (fields.best_of < request.n) {
    reader.Fail(InvalidField(
        "best_of", "invalid_value",
        fmt::format("Invalid 'best_of': it must be at least 'n', which is {}.", request.n)));
  } else if (fields.best_of > request.n && request.stream) {
    reader.Fail(InvalidField("best_of", "invalid_parameter_combination",
                             "The 'best_of' parameter can't be used with 'stream': which answer is "
                             "best is known at the end."));
  }
}

void ReadEcho(FieldReader& reader, const OutputContext& request, OutputFields& fields) {
  fields.echo = reader.Boolean("echo").value_or(false);
  if (!fields.echo || !request.logprobs) return;
  reader.Fail(InvalidField("echo", "unsupported_parameter",
                           "Unsupported parameter: 'echo' together with 'logprobs' is not "
                           "supported by this server; leave one of them out."));
}

}  // namespace

OutputFields ReadOutputFields(FieldReader& reader, const OutputContext& request) {
  OutputFields fields;
  fields.best_of = request.n;
  if (request.endpoint == Endpoint::kText) {
    ReadBestOf(reader, request, fields);
    ReadEcho(reader, request, fields);
  }
  fields.min_tokens =
      reader.Integer("min_tokens", 0, std::numeric_limits<std::int32_t>::max()).value_or(0);
  if (request.max_tokens && fields.min_tokens > *request.max_tokens) {
    reader.Fail(InvalidField("min_tokens", "invalid_value",
                             fmt::format("Invalid 'min_tokens': {} is more than 'max_tokens', "
                                         "which is {}.",
                                         fields.min_tokens, *request.max_tokens)));
  }
  fields.bad_words = reader.Strings("bad_words", kBadWords, kBadWordBytes);
  fields.allowed_token_ids = reader.TokenIds("allowed_token_ids", kAllowedTokens);
  if (reader.Find("allowed_token_ids") != nullptr && fields.allowed_token_ids.empty()) {
    reader.Fail(InvalidField("allowed_token_ids", "empty_array",
                             "Invalid 'allowed_token_ids': empty array. Expected an array with "
                             "minimum length 1."));
  }
  fields.include_stop = reader.Boolean("include_stop_str_in_output").value_or(false);
  fields.skip_special_tokens = reader.Boolean("skip_special_tokens").value_or(true);
  fields.truncate_prompt_tokens = ReadTruncation(reader);
  return fields;
}

}  // namespace switchyard::protocol
