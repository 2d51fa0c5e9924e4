#include "model/architecture.h"

#include <array>
#include <limits>

#include "model/architectures/architectures.h"
#include "model/internal/forward_builder.h"

namespace switchyard::model {
namespace {

using base::ErrorCode;
using base::Fail;
using tensor::DType;

struct Registration {
  Architecture architecture;
  void (*build)(internal::ForwardBuilder& forward);
};

constexpr std::array kArchitectures{
    Registration{Architecture::kLlama, architectures::BuildLlama},
    Registration{Architecture::kMixtral, architectures::BuildMixtral},
    Registration{Architecture::kQwen2, architectures::BuildQwen2},
    Registration{Architecture::kQwen3, architectures::BuildQwen3},
    Registration{Architecture::kQwen3Moe, architectures::BuildQwen3Moe},
    Registration{Architecture::kGemma2, architectures::BuildGemma2},
    Registration{Architecture::kGemma3, architectures::BuildGemma3},
};

base::Status CheckShape(const ForwardShape& shape) {
  struct Field {
    const char* name;
    std::int64_t value;
  };
  for (const Field& field : {Field{"tokens", shape.tokens}, Field{"sequences", shape.sequences},
                             Field{"logit_rows", shape.logit_rows}, Field{"pages", shape.pages},
                             Field{"page_size", shape.page_size},
                             Field{"pages_per_sequence", shape.pages_per_sequence}}) {
    if (field.value < 1 || field.value > std::numeric_limits<std::int32_t>::max()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "a forward pass with {} = {}: it must be positive "
                  "and fit 31 bits",
                  field.name, field.value);
    }
  }
  if (shape.logit_rows > shape.tokens) {
    return Fail(ErrorCode::kInvalidArgument, "logits for {} rows of {} tokens", shape.logit_rows,
                shape.tokens);
  }
  if (shape.pages > std::numeric_limits<std::int32_t>::max() / shape.page_size) {
    return Fail(ErrorCode::kInvalidArgument,
                "{} pages of {} tokens are more than 31-bit slots can number", shape.pages,
                shape.page_size);
  }
  return {};
}

bool IsActivationType(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

}  // namespace

base::Result<Forward> internal::BuildForwardWith(const ModelConfig& config,
                                                 const ForwardShape& shape,
                                                 const ForwardOptions& options,
                                                 const WeightLookup& find_weight) {
  SWITCHYARD_RETURN_IF_ERROR(CheckShape(shape));
  if (!IsActivationType(options.activation_dtype) || !IsActivationType(options.kv_dtype)) {
    return Fail(ErrorCode::kInvalidArgument,
                "activations of type {} and a KV cache of type {}: each must be f32, f16 or bf16",
                tensor::Name(options.activation_dtype), tensor::Name(options.kv_dtype));
  }
  for (const Registration& registered : kArchitectures) {
    if (registered.architecture != config.architecture) continue;
    ForwardBuilder forward(config, shape, options, find_weight);
    registered.build(forward);
    return forward.Take();
  }
  return Fail(ErrorCode::kUnimplemented, "architecture '{}' has no forward pass",
              Name(config.architecture));
}

base::Result<Forward> BuildForward(const ModelConfig& config, const ModelWeights& weights,
                                   const ForwardShape& shape, const ForwardOptions& options) {
  return internal::BuildForwardWith(
      config, shape, options,
      [&weights](std::string_view name, sy_weight_use) { return weights.Find(name); });
}

}  // namespace switchyard::model
