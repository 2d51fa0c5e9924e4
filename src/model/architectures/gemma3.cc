// Gemma 3: Gemma 2's layers with a norm on each head of queries and keys in place of soft caps;
// layers with a sliding window have rotary frequencies of their own (arXiv:2503.19786).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildGemma3(ForwardBuilder& forward) { SandwichNormPass(forward, QueryKeyNorm::kPerHead); }

}  // namespace switchyard::model::architectures
