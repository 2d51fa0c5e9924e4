// Qwen3: Llama's layers with a norm on each head of queries and keys, and no biases
// (arXiv:2505.09388).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildQwen3(ForwardBuilder& forward) { PreNormPass(forward, QueryKeyNorm::kPerHead, GatedMlp); }

}  // namespace switchyard::model::architectures
