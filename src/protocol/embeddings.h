// POST /v1/embeddings as OpenAI writes it. Values and pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/api_error.h"
#include "protocol/completion_request.h"
#include "protocol/completion_response.h"

namespace switchyard::protocol {

// How each vector is written.
struct EmbeddingForm {
  bool base64 = false;  // of little-endian f32; else a list of numbers
  // Only the first so many, at length 1 again; vectors of models that were not trained for it lose
  // by that.
  std::optional<std::int32_t> dimensions = {};
};

struct EmbeddingRequest {
  std::string model;
  std::vector<Prompt> inputs;
  EmbeddingForm form;
  std::optional<std::int64_t> truncate_prompt_tokens;  // vLLM's
  std::int32_t priority = 0;                           // vLLM's: lower first
};

ApiResult<EmbeddingRequest> ParseEmbeddingRequest(std::string_view body,
                                                  const RequestLimits& limits = {});

std::string EmbeddingAnswer(std::string_view model, std::span<const std::vector<float>> embeddings,
                            const EmbeddingForm& form, const Usage& usage);

}  // namespace switchyard::protocol
