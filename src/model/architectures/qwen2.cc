// Qwen2 and Qwen2.5: Llama's layers with biases on queries, keys and values (arXiv:2407.10671).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildQwen2(ForwardBuilder& forward) { PreNormPass(forward, QueryKeyNorm::kNone, GatedMlp); }

}  // namespace switchyard::model::architectures
