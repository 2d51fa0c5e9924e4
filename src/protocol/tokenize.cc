#include "protocol/tokenize.h"

#include "protocol/completion_request.h"
#include "protocol/field_reader.h"

namespace switchyard::protocol {
namespace {

constexpr std::size_t kMostTokens = 1 << 20;

}  // namespace

ApiResult<TokenizeRequest> ParseTokenizeRequest(std::string_view body) {
  auto json = ParseBody(body);
  if (!json) return std::unexpected(std::move(json.error()));
  FieldReader reader(*json);
  TokenizeRequest request;
  request.model = reader.String("model", kNameBytes).value_or("");
  request.add_special = reader.Boolean("add_special_tokens").value_or(true);
  if (const base::Json* messages = reader.Find("messages")) {
    auto read = ReadMessages(*messages, RequestLimits{}.messages);
    if (!read) return std::unexpected(std::move(read.error()));
    request.chat.messages = std::move(*read);
    request.chat.tools = ReadTools(reader);
    request.chat.fields = ReadTemplateFields(reader);
    if (auto error = CheckContinuation(request.chat)) reader.Fail(std::move(*error));
  } else if (auto prompt = reader.String("prompt", std::string::npos)) {
    request.prompt = std::move(*prompt);
  } else {
    reader.FailMissing("prompt");
  }
  if (reader.error()) return std::unexpected(*reader.error());
  return request;
}

std::string TokenizeAnswer(std::span<const std::int32_t> tokens, std::int64_t max_model_len) {
  base::Json list = base::Json::array();
  for (const std::int32_t token : tokens) list.push_back(token);
  return base::WriteJson({{"count", tokens.size()},
                          {"max_model_len", max_model_len},
                          {"tokens", std::move(list)},
                          {"token_strs", nullptr}});
}

ApiResult<DetokenizeRequest> ParseDetokenizeRequest(std::string_view body) {
  auto json = ParseBody(body);
  if (!json) return std::unexpected(std::move(json.error()));
  FieldReader reader(*json);
  DetokenizeRequest request;
  request.model = reader.String("model", kNameBytes).value_or("");
  if (reader.Find("tokens") == nullptr) reader.FailMissing("tokens");
  request.tokens = reader.TokenIds("tokens", kMostTokens);
  if (reader.error()) return std::unexpected(*reader.error());
  return request;
}

std::string DetokenizeAnswer(std::string_view prompt) {
  return base::WriteJson({{"prompt", prompt}});
}

}  // namespace switchyard::protocol
