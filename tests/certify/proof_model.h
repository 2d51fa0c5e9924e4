// Small models with random weights and every trait that a planted fault needs: sliding windows,
// rotary positions, grouped queries and, if asked for, a vocabulary beyond 65,536 or a mixture of
// experts. They say nothing that makes sense, but the same each time.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "tensor/block_formats.h"
#include "tensor/dtype.h"
#include "tests/support/gguf_writer.h"

namespace switchyard::test_support {

struct ProofTraits {
  std::int64_t vocabulary = 320;
  bool has_experts = false;  // and then no window
  tensor::DType weights = tensor::DType::kF16;
};

inline void WriteProofModel(const std::filesystem::path& path, ProofTraits traits) {
  constexpr std::uint64_t kHidden = 64;
  constexpr std::uint64_t kHeads = 4;
  constexpr std::uint64_t kKvHeads = 2;
  constexpr std::uint64_t kHeadDim = 16;
  constexpr std::uint64_t kInner = 96;
  constexpr std::uint64_t kLayers = 2;  // the first with a window
  constexpr std::uint64_t kExperts = 4;
  const auto rows = static_cast<std::uint64_t>(traits.vocabulary);
  const std::string architecture = traits.has_experts ? "llama" : "gemma2";
  GgufWriter writer;
  writer.Set("general.architecture", architecture);
  writer.Set("general.name", "proof");
  const auto set = [&](const std::string& key, auto value) {
    writer.Set(architecture + "." + key, value);
  };
  set("block_count", static_cast<std::uint32_t>(kLayers));
  set("context_length", std::uint32_t{1024});
  set("embedding_length", static_cast<std::uint32_t>(kHidden));
  set("feed_forward_length", static_cast<std::uint32_t>(kInner));
  set("attention.head_count", static_cast<std::uint32_t>(kHeads));
  set("attention.head_count_kv", static_cast<std::uint32_t>(kKvHeads));
  set("attention.key_length", static_cast<std::uint32_t>(kHeadDim));
  set("attention.value_length", static_cast<std::uint32_t>(kHeadDim));
  set("attention.layer_norm_rms_epsilon", 1e-6F);
  if (traits.has_experts) {
    set("expert_count", static_cast<std::uint32_t>(kExperts));
    set("expert_used_count", std::uint32_t{2});
  } else {
    set("attention.sliding_window", std::uint32_t{24});
  }

  // Text becomes one token a byte.
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types = {2, 3, 3};
  for (int byte = 0; byte < 256; ++byte) {
    constexpr const char* kDigits = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">");
    types.push_back(6);
  }
  while (static_cast<std::int64_t>(tokens.size()) < traits.vocabulary) {
    tokens.push_back("<unused" + std::to_string(tokens.size()) + ">");
    types.push_back(5);
  }
  writer.Set("tokenizer.ggml.model", "llama");
  writer.SetArray("tokenizer.ggml.tokens", tokens);
  writer.SetArray("tokenizer.ggml.scores", std::vector<float>(tokens.size(), 0.0F));
  writer.SetArray("tokenizer.ggml.token_type", types);
  writer.Set("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  writer.Set("tokenizer.ggml.eos_token_id", std::uint32_t{2});

  std::mt19937 random(1);
  const auto tensor = [&](const std::string& name, const std::vector<std::uint64_t>& dims,
                          float deviation) {
    std::uint64_t count = 1;
    for (const std::uint64_t dim : dims) count *= dim;
    std::normal_distribution<float> normal(0.0F, deviation);
    std::vector<float> values(count);
    for (float& value : values) value = normal(random);
    std::vector<std::byte> bytes(
        switchyard::tensor::RowBytes(traits.weights, static_cast<std::int64_t>(count)).value());
    switchyard::tensor::Quantise(traits.weights, values, bytes).value();
    writer.AddTensor(name, traits.weights, dims, std::move(bytes));
  };
  const auto matrix = [&](const std::string& name, std::uint64_t n, std::uint64_t k,
                          float deviation) { tensor(name, {n, k}, deviation); };
  const auto norm = [&](const std::string& name) {
    std::normal_distribution<float> normal(1.0F, 0.1F);
    std::vector<float> values(kHidden);
    for (float& value : values) value = normal(random);
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    writer.AddTensor(name, switchyard::tensor::DType::kF32, {kHidden}, std::move(bytes));
  };
  const float even = 1.0F / std::sqrt(static_cast<float>(kHidden));
  matrix("token_embd.weight", rows, kHidden, 0.02F);
  norm("output_norm.weight");
  for (std::uint64_t layer = 0; layer < kLayers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    norm(block + "attn_norm.weight");
    norm(block + "ffn_norm.weight");
    // Twice the usual, so that attention is sharp and its scale matters.
    matrix(block + "attn_q.weight", kHeads * kHeadDim, kHidden, 2 * even);
    matrix(block + "attn_k.weight", kKvHeads * kHeadDim, kHidden, 2 * even);
    matrix(block + "attn_v.weight", kKvHeads * kHeadDim, kHidden, even);
    matrix(block + "attn_output.weight", kHidden, kHeads * kHeadDim, even);
    if (traits.has_experts) {
      matrix(block + "ffn_gate_inp.weight", kExperts, kHidden, even);
      tensor(block + "ffn_gate_exps.weight", {kExperts, kInner, kHidden}, even);
      tensor(block + "ffn_up_exps.weight", {kExperts, kInner, kHidden}, even);
      tensor(block + "ffn_down_exps.weight", {kExperts, kHidden, kInner}, even);
      continue;
    }
    norm(block + "post_attention_norm.weight");
    norm(block + "post_ffw_norm.weight");
    matrix(block + "ffn_gate.weight", kInner, kHidden, even);
    matrix(block + "ffn_up.weight", kInner, kHidden, even);
    matrix(block + "ffn_down.weight", kHidden, kInner, even);
  }
  std::ofstream file(path, std::ios::binary);
  writer.Write(file);
}

}  // namespace switchyard::test_support
