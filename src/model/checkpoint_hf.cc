// The Hugging Face side of Checkpoint: transformers' parameter names to GGUF's.
#include <array>
#include <optional>
#include <utility>

#include "model/checkpoint.h"
#include "model/internal/expert_stacks.h"
#include "model/internal/text_file.h"

namespace switchyard::model {
namespace {

struct Renaming {
  std::string_view hugging_face;
  std::string_view canonical;
};

// Inside "model.layers.N.".
constexpr std::array kLayerNames{
    Renaming{"input_layernorm", "attn_norm"},
    Renaming{"self_attn.q_proj", "attn_q"},
    Renaming{"self_attn.k_proj", "attn_k"},
    Renaming{"self_attn.v_proj", "attn_v"},
    Renaming{"self_attn.o_proj", "attn_output"},
    Renaming{"self_attn.q_norm", "attn_q_norm"},
    Renaming{"self_attn.k_norm", "attn_k_norm"},
    Renaming{"pre_feedforward_layernorm", "ffn_norm"},
    Renaming{"post_feedforward_layernorm", "post_ffw_norm"},
    Renaming{"mlp.gate_proj", "ffn_gate"},
    Renaming{"mlp.up_proj", "ffn_up"},
    Renaming{"mlp.down_proj", "ffn_down"},
    Renaming{"mlp.gate", "ffn_gate_inp"},
    Renaming{"block_sparse_moe.gate", "ffn_gate_inp"},
};

// Inside "mlp.experts.E." (Qwen) or "block_sparse_moe.experts.E." (Mixtral).
constexpr std::array kExpertNames{
    Renaming{"gate_proj.weight", "ffn_gate_exps"}, Renaming{"w1.weight", "ffn_gate_exps"},
    Renaming{"up_proj.weight", "ffn_up_exps"},     Renaming{"w3.weight", "ffn_up_exps"},
    Renaming{"down_proj.weight", "ffn_down_exps"}, Renaming{"w2.weight", "ffn_down_exps"},
};

// Parts of multimodal models beside the language model, which is all that is run.
constexpr std::array<std::string_view, 4> kOtherModalities{"vision_tower.", "model.vision_tower.",
                                                           "multi_modal_projector.",
                                                           "model.multi_modal_projector."};

struct CanonicalName {
  std::string name;
  std::optional<std::int64_t> expert;  // the matrix is one of a stack
};

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<CanonicalName> RenameInLayer(std::int64_t layer, std::string_view rest,
                                           bool is_gemma) {
  std::string_view expert_part = rest;
  if (TakePrefix(expert_part, "mlp.experts.") ||
      TakePrefix(expert_part, "block_sparse_moe.experts.")) {
    const std::optional<std::int64_t> expert = internal::TakeNumber(expert_part);
    if (!expert || !TakePrefix(expert_part, ".")) return std::nullopt;
    for (const Renaming& renaming : kExpertNames) {
      if (expert_part == renaming.hugging_face) {
        return CanonicalName{fmt::format("blk.{}.{}.weight", layer, renaming.canonical), expert};
      }
    }
    return std::nullopt;
  }
  const std::size_t dot = rest.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view base = rest.substr(0, dot);
  const std::string_view kind = rest.substr(dot);  // ".weight" or ".bias"
  if (base == "post_attention_layernorm") {
    // Before the MLP in most families; behind attention in Gemma, which has both.
    return CanonicalName{
        fmt::format("blk.{}.{}{}", layer, is_gemma ? "post_attention_norm" : "ffn_norm", kind), {}};
  }
  for (const Renaming& renaming : kLayerNames) {
    if (base == renaming.hugging_face) {
      return CanonicalName{fmt::format("blk.{}.{}{}", layer, renaming.canonical, kind), {}};
    }
  }
  return std::nullopt;
}

// Nothing for a name of no known meaning.
std::optional<CanonicalName> Rename(std::string_view name, bool is_gemma) {
  TakePrefix(name, "language_model.");  // multimodal models of transformers 4
  if (name == "lm_head.weight") return CanonicalName{"output.weight", {}};
  if (!TakePrefix(name, "model.")) return std::nullopt;
  TakePrefix(name, "language_model.");  // of transformers 5
  if (name == "embed_tokens.weight") return CanonicalName{"token_embd.weight", {}};
  if (name == "norm.weight") return CanonicalName{"output_norm.weight", {}};
  if (!TakePrefix(name, "layers.")) return std::nullopt;
  const std::optional<std::int64_t> layer = internal::TakeNumber(name);
  if (!layer || !TakePrefix(name, ".")) return std::nullopt;
  return RenameInLayer(*layer, name, is_gemma);
}

bool IsOfOtherModality(std::string_view name) {
  for (const std::string_view prefix : kOtherModalities) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

base::Status Checkpoint::AddHuggingFaceTensors() {
  SWITCHYARD_TRY(const base::Json config, internal::ReadJsonFile(folder_ / "config.json"));
  SWITCHYARD_TRY(config_, ReadHuggingFaceConfig(config));
  SWITCHYARD_TRY(safetensors_, SafetensorsWeights::Open(folder_));
  const bool is_gemma = config_.architecture == Architecture::kGemma2 ||
                        config_.architecture == Architecture::kGemma3;
  internal::ExpertStacks stacks;
  for (const SafetensorsTensor& tensor : safetensors_.tensors()) {
    if (IsOfOtherModality(tensor.name)) continue;
    CheckpointTensor entry{tensor.dtype, tensor.dims, {tensor.data}, false};
    std::optional<CanonicalName> canonical = Rename(tensor.name, is_gemma);
    // A name of no known meaning stays as it is; ModelWeights refuses what it has no place for.
    if (!canonical) canonical = CanonicalName{tensor.name, {}};
    // Gemma's norms multiply by 1 + w; files hold w.
    entry.add_one = is_gemma && canonical->name.ends_with("norm.weight");
    if (canonical->expert) {
      SWITCHYARD_RETURN_IF_ERROR(
          stacks.Add(canonical->name, *canonical->expert, config_.experts.count, std::move(entry)));
    } else if (!tensors_.emplace(canonical->name, std::move(entry)).second) {
      return base::Fail(base::ErrorCode::kInvalidArgument,
                        "two tensors have the meaning of '{}'; get an undamaged copy of the model",
                        canonical->name);
    }
  }
  return stacks.MoveTo(tensors_);
}

}  // namespace switchyard::model
