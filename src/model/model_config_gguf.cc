// ModelConfig from GGUF metadata. The keys are those of the GGUF specification (ggml repository,
// docs/gguf.md); where a file leaves something out, the defaults are llama.cpp's, since files are
// made for it.
#include <cmath>
#include <limits>
#include <type_traits>

#include "model/internal/config_limits.h"
#include "model/internal/printable.h"
#include "model/model_config.h"

namespace switchyard::model {
namespace {

using base::Error;
using base::ErrorCode;
using base::Fail;
using base::Result;
using internal::FieldReader;
using internal::FieldSource;

// "<architecture>.field", with arrays of one number repeated (a value for each layer) taken as that
// number.
class GgufFields : public FieldSource {
 public:
  GgufFields(const GgufFile& file, std::string_view prefix) : file_(file), prefix_(prefix) {}

  std::string FullName(std::string_view field) const override {
    return fmt::format("{}.{}", prefix_, field);
  }

  Result<std::optional<std::int64_t>> Int(std::string_view field) const override {
    const GgufValue* value = file_.Find(FullName(field));
    if (value == nullptr) return std::nullopt;
    if (const auto* list = std::get_if<std::vector<std::int64_t>>(value)) {
      if (list->empty()) return std::nullopt;
      for (const std::int64_t item : *list) {
        if (item == list->front()) continue;
        return Fail(ErrorCode::kUnimplemented,
                    "'{}' differs between layers ({} and {}), which is not supported yet",
                    FullName(field), list->front(), item);
      }
      return list->front();
    }
    return Present(file_.GetInt(FullName(field)));
  }

  Result<std::optional<double>> Float(std::string_view field) const override {
    if (file_.Find(FullName(field)) == nullptr) return std::nullopt;
    return Present(file_.GetFloat(FullName(field)));
  }

  Result<std::optional<bool>> Bool(std::string_view field) const override {
    if (file_.Find(FullName(field)) == nullptr) return std::nullopt;
    return Present(file_.GetBool(FullName(field)));
  }

  Result<std::optional<std::string>> String(std::string_view field) const override {
    if (file_.Find(FullName(field)) == nullptr) return std::nullopt;
    SWITCHYARD_TRY(const std::string_view text, file_.GetString(FullName(field)));
    return std::string(text);
  }

 private:
  template <typename T>
  static Result<std::optional<T>> Present(Result<T> value) {
    if (!value) return std::unexpected(std::move(value.error()));
    return std::optional<T>(*value);
  }

  const GgufFile& file_;
  std::string_view prefix_;
};

Result<Architecture> FindArchitecture(const GgufFile& file, std::string_view name) {
  if (name == "llama") {
    const auto experts = file.GetInt("llama.expert_count");
    return experts && *experts > 0 ? Architecture::kMixtral : Architecture::kLlama;
  }
  if (name == "qwen2") return Architecture::kQwen2;
  if (name == "qwen3") return Architecture::kQwen3;
  if (name == "qwen3moe") return Architecture::kQwen3Moe;
  if (name == "gemma2") return Architecture::kGemma2;
  if (name == "gemma3") return Architecture::kGemma3;
  return Fail(ErrorCode::kUnimplemented,
              "general.architecture is '{}'; supported are llama, qwen2, qwen3, qwen3moe, gemma2 "
              "and gemma3",
              internal::Printable(name));
}

// Whether a rule that a file names is one that ReadRope knows; "llama3" if it is worked out in
// rope_freqs.weight.
bool IsKnownScaling(const GgufFile& file, std::string_view type) {
  return type == "none" || type == "linear" || type == "yarn" ||
         (type == "llama3" && file.FindTensor("rope_freqs.weight") != nullptr);
}

void ReadRope(const GgufFile& file, FieldReader& fields, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  rope.dims = fields.Int("rope.dimension_count", internal::kHeadDimRange, config.key_dim);
  rope.theta = fields.Float("rope.freq_base", internal::kThetaRange, 10000.0);

  // Files of before 2023-09 have only rope.scale_linear.
  const double linear = fields.Float("rope.scale_linear", internal::kFactorRange, 1.0);
  rope.factor = fields.Float("rope.scaling.factor", {0.0, internal::kFactorRange.most}, linear);
  const std::string type = fields.String("rope.scaling.type", "linear");
  if (!IsKnownScaling(file, type)) {
    fields.Fail(
        {ErrorCode::kUnimplemented,
         fmt::format("'{}' is '{}'; supported are none, linear, yarn, and llama3 with the tensor "
                     "rope_freqs.weight",
                     fields.source().FullName("rope.scaling.type"), internal::Printable(type))});
    return;
  }
  if (rope.factor == 0.0 || type == "none" || type == "llama3") rope.factor = 1.0;
  if (rope.factor == 1.0) return;
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
  } else {
    rope.scaling = RopeScaling::kYarn;
    rope.original_context = fields.Int("rope.scaling.original_context_length",
                                       internal::kContextRange, config.context_length);
    rope.beta_fast = fields.Float("rope.scaling.yarn_beta_fast", {1e-3, 1e6}, 32.0);
    rope.beta_slow = fields.Float("rope.scaling.yarn_beta_slow", {1e-3, 1e6}, 1.0);
    rope.attention_factor = fields.Float("rope.scaling.attn_factor", internal::kFactorRange, 1.0) *
                            internal::YarnAttentionFactor(rope.factor);
  }
}

// Which layers have a window: a pattern of n means all but every n-th; a list says it layer by
// layer.
void ReadWindows(const GgufFile& file, FieldReader& fields, std::int64_t default_pattern,
                 std::int64_t default_window, ModelConfig& config) {
  const auto window = static_cast<std::uint32_t>(
      fields.Int("attention.sliding_window", {0, internal::kContextRange.most}, default_window));
  const std::string key = fields.source().FullName("attention.sliding_window_pattern");
  const GgufValue* value = file.Find(key);
  if (value != nullptr && std::holds_alternative<std::vector<bool>>(*value)) {
    const auto& list = std::get<std::vector<bool>>(*value);
    if (std::ssize(list) != config.layers) {
      fields.Fail({ErrorCode::kInvalidArgument,
                   fmt::format("'{}' has {} values for {} layers; the file is damaged", key,
                               list.size(), config.layers)});
      return;
    }
    for (const bool has_window : list) config.windows.push_back(has_window ? window : 0);
    return;
  }
  const std::int64_t pattern =
      fields.Int("attention.sliding_window_pattern", internal::kLayerRange, default_pattern);
  config.windows = internal::AlternatingWindows(config.layers, pattern, window);
}

void ReadGemma(const GgufFile& file, FieldReader& fields, ModelConfig& config) {
  config.activation = SY_ACTIVATION_GELU_TANH;
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden));
  const bool is_gemma2 = config.architecture == Architecture::kGemma2;
  ReadWindows(file, fields, is_gemma2 ? 2 : 6, is_gemma2 ? 4096 : 0, config);
  // The format has no key for query_pre_attn_scalar; only the 27B models differ from the head's
  // size: 4608 / 32 and 5376 / 32.
  const bool is_27b = config.layers == (is_gemma2 ? 46 : 62);
  const auto scalar = static_cast<double>(is_27b ? config.hidden / config.heads : config.key_dim);
  config.attention_scale = 1.0 / std::sqrt(scalar);
  if (is_gemma2) {
    config.attention_softcap =
        fields.Float("attn_logit_softcapping", internal::kSoftcapRange, 50.0);
    config.logit_softcap = fields.Float("final_logit_softcapping", internal::kSoftcapRange, 30.0);
  } else {
    config.logit_softcap = fields.Float("final_logit_softcapping", internal::kSoftcapRange, 0.0);
    RopeConfig local;
    local.dims = config.rope.dims;
    local.theta = fields.Float("rope.freq_base_swa", internal::kThetaRange, 10000.0);
    config.window_rope = local;
  }
}

// llama.cpp's numbers: 0 none, 1 mean, 2 the first token, 3 the last, 4 a reranker's score.
void ReadPooling(FieldReader& fields, ModelConfig& config) {
  const std::int64_t type = fields.Int("pooling_type", {0, 4}, 0);
  if (type == 1) config.pooling = Pooling::kMean;
  if (type != 2 && type != 4) return;
  fields.Fail({ErrorCode::kUnimplemented,
               fmt::format("'{}' is {}; supported are 0 (none), 1 (mean) and 3 (last token)",
                           fields.source().FullName("pooling_type"), type)});
}

void ReadExperts(FieldReader& fields, ModelConfig& config) {
  ExpertConfig& experts = config.experts;
  experts.count = fields.Int("expert_count", internal::kExpertRange, 0);
  if (experts.count == 0) return;
  experts.used = fields.Int("expert_used_count", internal::kExpertRange);
  experts.ffn = fields.Int("expert_feed_forward_length", internal::kFfnRange, config.ffn);
  experts.renormalise = fields.Bool("expert_weights_norm", true);
  experts.scale = fields.Float("expert_weights_scale", {0.0, 1e6}, 1.0);
  if (experts.scale == 0.0) experts.scale = 1.0;
}

}  // namespace

Result<ModelConfig> ReadGgufConfig(const GgufFile& file) {
  SWITCHYARD_TRY(const std::string_view prefix, file.GetString("general.architecture"));
  ModelConfig config;
  SWITCHYARD_TRY(config.architecture, FindArchitecture(file, prefix));
  const GgufFields source(file, prefix);
  FieldReader fields(source);
  if (const auto name = file.GetString("general.name")) config.name = *name;

  config.layers = fields.Int("block_count", internal::kLayerRange);
  config.hidden = fields.Int("embedding_length", internal::kHiddenRange);
  config.ffn = fields.Int("feed_forward_length", internal::kFfnRange);
  config.context_length = fields.Int("context_length", internal::kContextRange);
  config.heads = fields.Int("attention.head_count", internal::kHeadRange);
  config.kv_heads = fields.Int("attention.head_count_kv", internal::kHeadRange, config.heads);
  const std::int64_t even_share = std::max<std::int64_t>(config.hidden / config.heads, 1);
  config.key_dim = fields.Int("attention.key_length", internal::kHeadDimRange, even_share);
  config.value_dim = fields.Int("attention.value_length", internal::kHeadDimRange, even_share);
  config.norm_eps = fields.Float("attention.layer_norm_rms_epsilon", internal::kEpsRange);
  config.needs_qkv_bias = config.architecture == Architecture::kQwen2;
  config.rope_interleaved = prefix == "llama";
  ReadRope(file, fields, config);
  ReadExperts(fields, config);
  ReadPooling(fields, config);
  config.attention_scale = 1.0 / std::sqrt(static_cast<double>(config.key_dim));

  if (config.architecture == Architecture::kGemma2 ||
      config.architecture == Architecture::kGemma3) {
    ReadGemma(file, fields, config);
  } else {
    config.windows.assign(static_cast<std::size_t>(config.layers), 0);
  }
  config.has_experts.assign(static_cast<std::size_t>(config.layers), config.experts.count > 0);

  const GgufTensor* embedding = file.FindTensor("token_embd.weight");
  if (embedding == nullptr || embedding->dims.size() != 2) {
    return Fail(ErrorCode::kInvalidArgument,
                "tensor token_embd.weight is missing or is no matrix; this is not a whole language "
                "model (a split file, a vocabulary or an adapter?)");
  }
  config.vocabulary = embedding->dims[0];
  config.tied_embeddings = file.FindTensor("output.weight") == nullptr;
  SWITCHYARD_RETURN_IF_ERROR(fields.status());
  if (config.vocabulary > internal::kVocabularyRange.most) {
    return Fail(ErrorCode::kInvalidArgument,
                "token_embd.weight has {} rows, but at most {} tokens are supported",
                config.vocabulary, internal::kVocabularyRange.most);
  }
  SWITCHYARD_RETURN_IF_ERROR(internal::CheckConfig(config));
  return config;
}

}  // namespace switchyard::model
