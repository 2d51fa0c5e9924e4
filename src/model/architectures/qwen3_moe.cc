// Qwen3-MoE: Qwen3's attention; layers have a mixture of experts or, where the configuration says
// so, one dense MLP (arXiv:2505.09388).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {
namespace {

Tensor ExpertOrGatedMlp(ForwardBuilder& forward, std::int64_t layer, Tensor x) {
  const bool has_experts = forward.config().has_experts[static_cast<std::size_t>(layer)];
  return has_experts ? ExpertMlp(forward, layer, x) : GatedMlp(forward, layer, x);
}

}  // namespace

void BuildQwen3Moe(ForwardBuilder& forward) {
  PreNormPass(forward, QueryKeyNorm::kPerHead, ExpertOrGatedMlp);
}

}  // namespace switchyard::model::architectures
