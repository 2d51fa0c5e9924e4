#include "protocol/kv_request.h"

#include <limits>

#include "base/json.h"
#include "protocol/field_reader.h"

namespace switchyard::protocol {

ApiResult<KvExportFields> ParseKvExport(std::string_view body, std::size_t max_tokens) {
  auto json = ParseBody(body);
  if (!json) return std::unexpected(std::move(json.error()));
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
  FieldReader reader(*json);
  KvExportFields fields;
  fields.tokens = reader.TokenIds("prompt_token_ids", max_tokens);
  fields.first_token = reader.Integer("first_token", 0, kAny).value_or(0);
  fields.max_bytes = reader.Integer("max_bytes", 1, kAny);
  if (fields.tokens.empty()) reader.FailMissing("prompt_token_ids");
  if (reader.error()) return std::unexpected(*reader.error());
  return fields;
}

std::string KvImportAnswer(std::int64_t imported_tokens, std::int64_t cached_tokens) {
  const base::Json body = {{"imported_tokens", imported_tokens}, {"cached_tokens", cached_tokens}};
  return body.dump();
}

}  // namespace switchyard::protocol
