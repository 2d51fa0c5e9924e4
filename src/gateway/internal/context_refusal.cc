#include "gateway/internal/context_refusal.h"

#include <algorithm>
#include <array>

namespace switchyard::gateway::internal {

bool IsTooLongForContext(std::string_view body) {
  constexpr std::array<std::string_view, 4> kWords{
      "context_length_exceeded",    // OpenAI, our servers
      "exceed_context_size_error",  // llama.cpp
      "maximum context length",     // vLLM
      "model's context length",     // SGLang
  };
  return std::ranges::any_of(kWords, [body](std::string_view words) {
    return body.find(words) != std::string_view::npos;
  });
}

}  // namespace switchyard::gateway::internal
