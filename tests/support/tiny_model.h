// The smallest model that is whole, as a GGUF file whose settings and tensors a test may change
// before it is written. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "tests/support/gguf_writer.h"

namespace switchyard::test_support {

struct TinyModel {
  using Value = std::variant<std::uint32_t, float, std::string, std::vector<std::int32_t>>;
  std::map<std::string, Value> settings;
  std::map<std::string, std::vector<std::uint64_t>> tensors;  // dims, all zeros in F32

  // One layer of hidden size 4 with 2 heads, 5 tokens, tied embeddings.
  static TinyModel Llama() {
    return {{{"general.architecture", "llama"},
             {"llama.block_count", 1U},
             {"llama.context_length", 16U},
             {"llama.embedding_length", 4U},
             {"llama.feed_forward_length", 6U},
             {"llama.attention.head_count", 2U},
             {"llama.attention.head_count_kv", 1U},
             {"llama.attention.layer_norm_rms_epsilon", 1e-5F}},
            {{"token_embd.weight", {5, 4}},
             {"output_norm.weight", {4}},
             {"blk.0.attn_norm.weight", {4}},
             {"blk.0.attn_q.weight", {4, 4}},
             {"blk.0.attn_k.weight", {2, 4}},
             {"blk.0.attn_v.weight", {2, 4}},
             {"blk.0.attn_output.weight", {4, 4}},
             {"blk.0.ffn_norm.weight", {4}},
             {"blk.0.ffn_gate.weight", {6, 4}},
             {"blk.0.ffn_up.weight", {6, 4}},
             {"blk.0.ffn_down.weight", {4, 6}}}};
  }

  // The same with two experts, stored one by one.
  static TinyModel Mixture() {
    TinyModel model = Llama();
    model.settings["llama.expert_count"] = 2U;
    model.settings["llama.expert_used_count"] = 1U;
    model.tensors["blk.0.ffn_gate_inp.weight"] = {2, 4};
    for (const std::string matrix : {"blk.0.ffn_gate.", "blk.0.ffn_up.", "blk.0.ffn_down."}) {
      const auto dims = model.tensors[matrix + "weight"];
      model.tensors.erase(matrix + "weight");
      model.tensors[matrix + "0.weight"] = dims;
      model.tensors[matrix + "1.weight"] = dims;
    }
    return model;
  }

  std::vector<std::byte> Bytes() const {
    GgufWriter writer;
    for (const auto& [key, value] : settings) {
      if (const auto* list = std::get_if<std::vector<std::int32_t>>(&value)) {
        writer.SetArray(key, *list);
      } else if (const auto* text = std::get_if<std::string>(&value)) {
        writer.Set(key, *text);
      } else if (const auto* number = std::get_if<float>(&value)) {
        writer.Set(key, *number);
      } else {
        writer.Set(key, std::get<std::uint32_t>(value));
      }
    }
    for (const auto& [name, dims] : tensors) {
      std::size_t elements = 1;
      for (const std::uint64_t dim : dims) elements *= dim;
      writer.AddTensor(name, tensor::DType::kF32, dims,
                       std::vector<std::byte>(elements * sizeof(float)));
    }
    return writer.Bytes();
  }
};

}  // namespace switchyard::test_support
