#include "model/model_config.h"

#include <cmath>

#include "model/internal/config_limits.h"

namespace switchyard::model {

using base::ErrorCode;

std::string_view Name(Architecture architecture) {
  switch (architecture) {
    case Architecture::kLlama:
      return "llama";
    case Architecture::kMixtral:
      return "mixtral";
    case Architecture::kQwen2:
      return "qwen2";
    case Architecture::kQwen3:
      return "qwen3";
    case Architecture::kQwen3Moe:
      return "qwen3_moe";
    case Architecture::kGemma2:
      return "gemma2";
    case Architecture::kGemma3:
      return "gemma3";
  }
  return "unknown";
}

namespace internal {

double YarnAttentionFactor(double factor) {
  return factor <= 1.0 ? 1.0 : 0.1 * std::log(factor) + 1.0;
}

std::vector<std::uint32_t> AlternatingWindows(std::int64_t layers, std::int64_t pattern,
                                              std::uint32_t window) {
  std::vector<std::uint32_t> windows;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    windows.push_back((layer + 1) % pattern == 0 ? 0 : window);
  }
  return windows;
}

base::Status CheckConfig(const ModelConfig& config) {
  if (config.heads % config.kv_heads != 0) {
    return base::Fail(ErrorCode::kInvalidArgument,
                      "{} query heads cannot share {} key/value heads evenly; the head counts in "
                      "the file contradict each other",
                      config.heads, config.kv_heads);
  }
  for (const RopeConfig* rope :
       {&config.rope, config.window_rope ? &*config.window_rope : &config.rope}) {
    if (rope->dims < 2 || rope->dims % 2 != 0 || rope->dims > config.key_dim) {
      return base::Fail(ErrorCode::kInvalidArgument,
                        "{} rotary dimensions for heads of {}: an even number from 2 up to the "
                        "head's size is needed",
                        rope->dims, config.key_dim);
    }
  }
  if (config.experts.count > 0 &&
      (config.experts.used < 1 || config.experts.used > config.experts.count)) {
    return base::Fail(
        ErrorCode::kInvalidArgument,
        "{} of {} experts are to be used for each token; from 1 up to all of them are "
        "possible",
        config.experts.used, config.experts.count);
  }
  const bool is_mixture = config.architecture == Architecture::kMixtral ||
                          config.architecture == Architecture::kQwen3Moe;
  if (is_mixture && config.experts.count == 0) {
    return base::Fail(ErrorCode::kInvalidArgument,
                      "architecture '{}' needs a number of experts above 0",
                      Name(config.architecture));
  }
  return {};
}

}  // namespace internal
}  // namespace switchyard::model
