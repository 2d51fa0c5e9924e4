// What members say of themselves, read from the texts in which they say it. Pure; any text may
// come.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "gateway/member_state.h"

namespace switchyard::gateway {

// GET /switchyard/v1/state of docs/member_protocol.md. All but what probing finds.
// `now`, "2026-11-29T03:54:12Z", is the time here: a certificate that is over by it is not in
// force, whatever the member's clock says.
base::Result<MemberState> ReadState(std::string_view json, std::string_view now);

// GET /v1/models, as OpenAI has it; vLLM's max_model_len and our certificates where they stand.
base::Result<std::vector<ModelState>> ReadModels(std::string_view json,
                                                 std::string_view now);

// GET /metrics in Prometheus' text form: what vLLM, SGLang and llama.cpp call what waits and runs;
// nullopt if none of it is there.
std::optional<policy::Load> ReadMetrics(std::string_view text);

}  // namespace switchyard::gateway
