// The forward passes, one file each, and the blocks that several of them share because the
// mathematics is truly the same. Used by BuildForward only.
//
// Shapes: T tokens, D hidden, H query heads, G key/value heads, d head dim, E experts, k chosen.
#pragma once

#include <cstdint>

#include "model/internal/forward_builder.h"

namespace switchyard::model::architectures {

using internal::ForwardBuilder;
using internal::LayerName;
using internal::Tensor;

void BuildLlama(ForwardBuilder& forward);
void BuildMixtral(ForwardBuilder& forward);
void BuildQwen2(ForwardBuilder& forward);
void BuildQwen3(ForwardBuilder& forward);
void BuildQwen3Moe(ForwardBuilder& forward);
void BuildGemma2(ForwardBuilder& forward);
void BuildGemma3(ForwardBuilder& forward);

// Whether queries and keys are normalised head by head before they are rotated.
enum class QueryKeyNorm : std::uint8_t { kNone, kPerHead };

// A layer's feed-forward part: x[T, D] -> [T, D].
using Mlp = Tensor (*)(ForwardBuilder& forward, std::int64_t layer, Tensor x);

// A whole pass: embedding, layers, logits. Each layer has a norm before attention and one before
// the MLP, and adds what each of them says to the residual stream.
void PreNormPass(ForwardBuilder& forward, QueryKeyNorm norm, Mlp mlp);

// The same with further norms behind attention and behind the gated MLP.
void SandwichNormPass(ForwardBuilder& forward, QueryKeyNorm norm);

// Grouped-query self-attention with rotary positions: x[T, D] -> [T, D], or the logit rows of it in
// the last layer.
Tensor SelfAttention(ForwardBuilder& forward, std::int64_t layer, Tensor x, QueryKeyNorm norm);

// down(activation(gate(x)) * up(x)): [T, D] -> [T, D].
Tensor GatedMlp(ForwardBuilder& forward, std::int64_t layer, Tensor x);

// The same for the k experts that a router picks for each token, mixed by its weights.
Tensor ExpertMlp(ForwardBuilder& forward, std::int64_t layer, Tensor x);

}  // namespace switchyard::model::architectures
