// What the member's endpoints for KV pages are asked and answer in JSON, docs/member_protocol.md.
// The pages themselves are no JSON: engine/kv_pages.h. Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/api_error.h"

namespace switchyard::protocol {

struct KvExportFields {
  std::vector<std::int32_t> tokens;  // at least one
  std::int64_t first_token = 0;      // the pages before it are not wanted
  std::optional<std::int64_t> max_bytes;
};

ApiResult<KvExportFields> ParseKvExport(std::string_view body, std::size_t max_tokens);

std::string KvImportAnswer(std::int64_t imported_tokens, std::int64_t cached_tokens);

}  // namespace switchyard::protocol
