// ModelConfig from a Hugging Face config.json. Field names and defaults are those of transformers'
// configuration classes, of versions 4 (rope_theta, rope_scaling) and 5 (rope_parameters).
#include <array>
#include <cmath>

#include "model/internal/config_limits.h"
#include "model/internal/printable.h"
#include "model/model_config.h"

namespace switchyard::model {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;
using base::Result;
using internal::FieldReader;
using internal::FieldSource;

// Fields of one JSON object; null counts as absent. `path` names the object in errors.
class JsonFields : public FieldSource {
 public:
  JsonFields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}

  std::string FullName(std::string_view field) const override {
    return fmt::format("{}{}", path_, field);
  }

  Result<std::optional<std::int64_t>> Int(std::string_view field) const override {
    const Json* value = Find(field);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_unsigned() &&
        value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX)) {
      return value->get<std::int64_t>();
    }
    if (value->is_number_integer() && !value->is_number_unsigned()) {
      return value->get<std::int64_t>();
    }
    // Some files have whole numbers as 32768.0.
    if (value->is_number_float()) {
      const double number = value->get<double>();
      if (std::abs(number) < 1e15 && std::floor(number) == number) {
        return static_cast<std::int64_t>(number);
      }
    }
    return WrongType(field, "a whole number");
  }

  Result<std::optional<double>> Float(std::string_view field) const override {
    const Json* value = Find(field);
    if (value == nullptr) return std::nullopt;
    if (value->is_number()) return value->get<double>();
    return WrongType(field, "a number");
  }

  Result<std::optional<bool>> Bool(std::string_view field) const override {
    const Json* value = Find(field);
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) return value->get<bool>();
    return WrongType(field, "true or false");
  }

  Result<std::optional<std::string>> String(std::string_view field) const override {
    const Json* value = Find(field);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) return value->get<std::string>();
    return WrongType(field, "a text");
  }

  const Json* Find(std::string_view field) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(field);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  // An explicit null, which turns off what an absent field would leave at its default.
  bool IsNull(std::string_view field) const {
    return object_.is_object() && object_.contains(field) && object_[field].is_null();
  }

 private:
  std::unexpected<base::Error> WrongType(std::string_view field, std::string_view wanted) const {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' in config.json must be {}; the file is damaged, so fetch it again",
                FullName(field), wanted);
  }

  const Json& object_;
  std::string path_;
};

struct ClassName {
  std::string_view name;
  Architecture architecture;
  bool is_wrapped;  // the language model is described by text_config
};

constexpr std::array kClassNames{
    ClassName{"LlamaForCausalLM", Architecture::kLlama, false},
    ClassName{"MistralForCausalLM", Architecture::kLlama, false},
    ClassName{"MixtralForCausalLM", Architecture::kMixtral, false},
    ClassName{"Qwen2ForCausalLM", Architecture::kQwen2, false},
    ClassName{"Qwen3ForCausalLM", Architecture::kQwen3, false},
    ClassName{"Qwen3MoeForCausalLM", Architecture::kQwen3Moe, false},
    ClassName{"Gemma2ForCausalLM", Architecture::kGemma2, false},
    ClassName{"Gemma3ForCausalLM", Architecture::kGemma3, false},
    ClassName{"Gemma3ForConditionalGeneration", Architecture::kGemma3, true},
};

// What a configuration class fills in where config.json is silent; 0: the field is required.
struct Defaults {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;  // 0: as many as heads
  std::int64_t head_dim = 0;  // 0: hidden / heads
  std::int64_t vocabulary = 0;
  std::int64_t context_length = 0;
  std::int64_t window = 0;
  double norm_eps = 1e-6;
  double theta = 10000.0;
  bool tied_embeddings = false;
};

Defaults DefaultsOf(const ClassName& kind) {
  Defaults defaults;
  switch (kind.architecture) {
    case Architecture::kLlama:
      if (kind.name == "MistralForCausalLM") {
        defaults.kv_heads = 8;
        defaults.window = 4096;
      }
      break;
    case Architecture::kMixtral:
      defaults.kv_heads = 8;
      defaults.norm_eps = 1e-5;
      defaults.theta = 1e6;
      break;
    case Architecture::kQwen2:
      defaults.window = 4096;
      break;
    case Architecture::kQwen3:
      defaults.head_dim = 128;
      defaults.window = 4096;
      break;
    case Architecture::kQwen3Moe:
      defaults.kv_heads = 4;
      defaults.window = 4096;
      break;
    case Architecture::kGemma2:
      defaults = {.heads = 8,
                  .kv_heads = 4,
                  .head_dim = 256,
                  .vocabulary = 256000,
                  .context_length = 8192,
                  .window = 4096,
                  .tied_embeddings = true};
      break;
    case Architecture::kGemma3:
      defaults = {.heads = 8,
                  .kv_heads = 4,
                  .head_dim = 256,
                  .vocabulary = 262208,
                  .context_length = 131072,
                  .window = 4096,
                  .theta = 1e6,
                  .tied_embeddings = true};
      break;
  }
  return defaults;
}

std::optional<std::int64_t> IfSet(std::int64_t value) {
  return value == 0 ? std::nullopt : std::optional(value);
}

// One object of rope parameters. `outer` has the fields that version 4 kept beside rope_scaling.
void ReadRope(const Json& object, FieldReader& outer, double default_theta,
              const ModelConfig& config, RopeConfig& rope) {
  const JsonFields source(object, "rope_parameters.");
  FieldReader fields(source);
  const double outer_theta = outer.Float("rope_theta", internal::kThetaRange, default_theta);
  rope.theta = fields.Float("rope_theta", internal::kThetaRange, outer_theta);
  const double outer_share = outer.Float("partial_rotary_factor", {0.0, 1.0}, 1.0);
  const double share = fields.Float("partial_rotary_factor", {0.0, 1.0}, outer_share);
  rope.dims = static_cast<std::int64_t>(static_cast<double>(config.key_dim) * share);

  const std::string type = fields.String("rope_type", fields.String("type", "default"));
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
  } else if (type == "llama3") {
    rope.scaling = RopeScaling::kLlama3;
    rope.low_frequency_factor = fields.Float("low_freq_factor", internal::kFactorRange, 1.0);
    rope.high_frequency_factor = fields.Float("high_freq_factor", internal::kFactorRange, 4.0);
    if (!(rope.high_frequency_factor > rope.low_frequency_factor)) {
      fields.Fail({ErrorCode::kInvalidArgument,
                   fmt::format("rope high_freq_factor {} must be above low_freq_factor {}",
                               rope.high_frequency_factor, rope.low_frequency_factor)});
    }
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::kYarn;
    rope.beta_fast = fields.Float("beta_fast", {1e-3, 1e6}, 32.0);
    rope.beta_slow = fields.Float("beta_slow", {1e-3, 1e6}, 1.0);
    rope.truncate = fields.Bool("truncate", true);
  } else if (type != "default" && type != "dynamic") {
    // "dynamic" changes nothing up to max_position_embeddings, which stays the context's limit.
    fields.Fail({ErrorCode::kUnimplemented,
                 fmt::format("rope_type '{}' is not supported; supported are default, linear, "
                             "dynamic, llama3 and yarn",
                             internal::Printable(type))});
  }
  if (rope.scaling != RopeScaling::kNone) {
    rope.factor = fields.Float("factor", internal::kFactorRange);
    rope.original_context = fields.Int("original_max_position_embeddings", internal::kContextRange,
                                       config.context_length);
  }
  if (rope.scaling == RopeScaling::kYarn) {
    // DeepSeek's form of the factor, where both numbers are given.
    const double mscale = fields.Float("mscale", {0.0, 1e3}, 0.0);
    const double mscale_all = fields.Float("mscale_all_dim", {0.0, 1e3}, 0.0);
    double factor = internal::YarnAttentionFactor(rope.factor);
    if (mscale > 0.0 && mscale_all > 0.0) {
      factor = (1.0 + mscale * (factor - 1.0)) / (1.0 + mscale_all * (factor - 1.0));
    }
    rope.attention_factor = fields.Float("attention_factor", internal::kFactorRange, factor);
  }
  if (const base::Status status = fields.status(); !status) outer.Fail(status.error());
}

void ReadRopes(const JsonFields& source, FieldReader& fields, double default_theta,
               ModelConfig& config) {
  static const Json kNothing = Json::object();
  const Json* parameters = source.Find("rope_parameters");
  if (parameters == nullptr) parameters = source.Find("rope_scaling");
  if (parameters == nullptr) parameters = &kNothing;
  if (!parameters->is_object()) {
    fields.Fail({ErrorCode::kInvalidArgument,
                 "'rope_parameters' or 'rope_scaling' in config.json must be an object"});
    return;
  }
  const JsonFields by_layer(*parameters, "rope_parameters.");
  const Json* full = by_layer.Find("full_attention");
  const Json* windowed = by_layer.Find("sliding_attention");
  ReadRope(full != nullptr ? *full : *parameters, fields, default_theta, config, config.rope);
  if (windowed != nullptr) {
    RopeConfig rope;
    ReadRope(*windowed, fields, 10000.0, config, rope);
    config.window_rope = rope;
  } else if (config.architecture == Architecture::kGemma3) {
    RopeConfig rope;
    rope.dims = config.rope.dims;
    rope.theta = fields.Float("rope_local_base_freq", internal::kThetaRange, 10000.0);
    config.window_rope = rope;
  }
  // A YaRN model may be used up to the stretched length, whatever max_position_embeddings says.
  if (config.rope.scaling == RopeScaling::kYarn) {
    const double stretched = static_cast<double>(config.rope.original_context) * config.rope.factor;
    config.context_length = std::max(
        config.context_length, static_cast<std::int64_t>(std::min(
                                   stretched, static_cast<double>(internal::kContextRange.most))));
  }
}

void ReadWindows(const JsonFields& source, FieldReader& fields, const ClassName& kind,
                 std::int64_t default_window, ModelConfig& config) {
  auto window = static_cast<std::uint32_t>(
      fields.Int("sliding_window", {0, internal::kContextRange.most}, default_window));
  if (source.IsNull("sliding_window")) window = 0;
  if (kind.name == "LlamaForCausalLM") window = 0;  // the class knows no windows
  const bool is_qwen = config.architecture == Architecture::kQwen2 ||
                       config.architecture == Architecture::kQwen3 ||
                       config.architecture == Architecture::kQwen3Moe;
  if (is_qwen && !fields.Bool("use_sliding_window", false)) window = 0;

  const Json* layer_types = source.Find("layer_types");
  // Mistral's class has one window for all layers and ignores layer_types.
  if (layer_types != nullptr && kind.name != "MistralForCausalLM") {
    if (!layer_types->is_array() || std::ssize(*layer_types) != config.layers) {
      fields.Fail({ErrorCode::kInvalidArgument,
                   fmt::format("'{}' in config.json must list {} layers",
                               source.FullName("layer_types"), config.layers)});
      return;
    }
    for (const Json& type : *layer_types) {
      if (type == "sliding_attention") {
        config.windows.push_back(window);
      } else if (type == "full_attention") {
        config.windows.push_back(0);
      } else {
        fields.Fail({ErrorCode::kUnimplemented,
                     fmt::format("'{}' in config.json has a kind of layer that is not supported; "
                                 "supported are full_attention and sliding_attention",
                                 source.FullName("layer_types"))});
        return;
      }
    }
    return;
  }
  if (config.architecture == Architecture::kGemma2) {
    config.windows = internal::AlternatingWindows(config.layers, 2, window);
  } else if (config.architecture == Architecture::kGemma3) {
    const std::int64_t pattern =
        fields.Int("sliding_window_pattern", internal::kLayerRange,
                   fields.Int("_sliding_window_pattern", internal::kLayerRange, 6));
    config.windows = internal::AlternatingWindows(config.layers, pattern, window);
  } else {
    config.windows.assign(static_cast<std::size_t>(config.layers), window);
    if (config.architecture == Architecture::kQwen2 ||
        config.architecture == Architecture::kQwen3) {
      const std::int64_t whole =
          fields.Int("max_window_layers", {0, 1 << 20}, 28);  // layers below it have no window
      for (std::int64_t i = 0; i < std::min(whole, config.layers); ++i) {
        config.windows[static_cast<std::size_t>(i)] = 0;
      }
    }
  }
}

void ReadExperts(const JsonFields& source, FieldReader& fields, ModelConfig& config) {
  config.has_experts.assign(static_cast<std::size_t>(config.layers), false);
  ExpertConfig& experts = config.experts;
  if (config.architecture == Architecture::kMixtral) {
    experts.count = fields.Int("num_local_experts", internal::kExpertRange, 8);
    experts.used = fields.Int("num_experts_per_tok", internal::kExpertRange, 2);
    experts.ffn = config.ffn;
    config.has_experts.assign(config.has_experts.size(), true);
  } else if (config.architecture == Architecture::kQwen3Moe) {
    experts.count = fields.Int("num_experts", internal::kExpertRange,
                               fields.Int("num_local_experts", internal::kExpertRange, 128));
    experts.used = fields.Int("num_experts_per_tok", internal::kExpertRange, 8);
    experts.ffn = fields.Int("moe_intermediate_size", internal::kFfnRange, 768);
    experts.renormalise = fields.Bool("norm_topk_prob", false);
    const std::int64_t step = fields.Int("decoder_sparse_step", internal::kLayerRange, 1);
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
      config.has_experts[static_cast<std::size_t>(layer)] = (layer + 1) % step == 0;
    }
    const Json* dense = source.Find("mlp_only_layers");
    if (dense == nullptr) return;
    bool is_list = dense->is_array();
    for (std::size_t i = 0; is_list && i < dense->size(); ++i) {
      const Json& layer = (*dense)[i];
      is_list = layer.is_number_unsigned();
      if (is_list && layer.get<std::uint64_t>() < config.has_experts.size()) {
        config.has_experts[layer.get<std::size_t>()] = false;
      }
    }
    if (!is_list) {
      fields.Fail({ErrorCode::kInvalidArgument,
                   "'mlp_only_layers' in config.json must be a list of layer numbers"});
    }
  }
}

void ReadActivation(FieldReader& fields, ModelConfig& config) {
  const bool is_gemma =
      config.architecture == Architecture::kGemma2 || config.architecture == Architecture::kGemma3;
  // Gemma's hidden_act says "gelu" where the tanh form is meant; hidden_activation is what counts.
  const std::string name = is_gemma ? fields.String("hidden_activation", "gelu_pytorch_tanh")
                                    : fields.String("hidden_act", "silu");
  if (name == "silu" || name == "swish") {
    config.activation = SY_ACTIVATION_SILU;
  } else if (name == "gelu_pytorch_tanh" || name == "gelu_new") {
    config.activation = SY_ACTIVATION_GELU_TANH;
  } else if (name == "gelu") {
    config.activation = SY_ACTIVATION_GELU_ERF;
  } else {
    fields.Fail({ErrorCode::kUnimplemented,
                 fmt::format("activation '{}' is not supported; supported are silu, "
                             "gelu_pytorch_tanh and gelu",
                             internal::Printable(name))});
  }
}

// The class that config.json names. Its list could have several; the first that is known counts.
Result<ClassName> FindClass(const Json& config) {
  std::string named;
  if (const auto classes = config.find("architectures");
      classes != config.end() && classes->is_array()) {
    for (const Json& name : *classes) {
      if (!name.is_string()) continue;
      for (const ClassName& known : kClassNames) {
        if (name.get_ref<const std::string&>() == known.name) return known;
      }
      named += (named.empty() ? "" : ", ") + internal::Printable(name.get<std::string>());
      if (named.size() > 200) break;
    }
  }
  std::string supported;
  for (const ClassName& known : kClassNames) {
    supported += (supported.empty() ? "" : ", ") + std::string(known.name);
  }
  return Fail(ErrorCode::kUnimplemented, "'architectures' in config.json is [{}]; supported are {}",
              named, supported);
}

}  // namespace

Result<ModelConfig> ReadHuggingFaceConfig(const Json& whole) {
  if (!whole.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "config.json must hold an object");
  }
  SWITCHYARD_TRY(const ClassName kind, FindClass(whole));
  const Json* object = &whole;
  if (kind.is_wrapped) {
    const auto text = whole.find("text_config");
    if (text == whole.end() || !text->is_object()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "config.json names {}, but has no object 'text_config'", kind.name);
    }
    object = &*text;
  }
  for (const Json* place : {&whole, object}) {
    if (place->contains("quantization_config") && !(*place)["quantization_config"].is_null()) {
      return Fail(ErrorCode::kUnimplemented,
                  "config.json has a quantization_config, and quantised Hugging Face folders are "
                  "not supported; use the model's GGUF file or its unquantised folder");
    }
  }

  const Defaults defaults = DefaultsOf(kind);
  const JsonFields source(*object, kind.is_wrapped ? "text_config." : "");
  FieldReader fields(source);
  ModelConfig config;
  config.architecture = kind.architecture;
  if (const JsonFields outer(whole, ""); outer.Find("_name_or_path") != nullptr) {
    if (const auto name = outer.String("_name_or_path"); name) config.name = name->value_or("");
  }
  config.layers = fields.Int("num_hidden_layers", internal::kLayerRange);
  config.hidden = fields.Int("hidden_size", internal::kHiddenRange);
  config.ffn = fields.Int("intermediate_size", internal::kFfnRange);
  config.vocabulary =
      fields.Int("vocab_size", internal::kVocabularyRange, IfSet(defaults.vocabulary));
  config.context_length = fields.Int("max_position_embeddings", internal::kContextRange,
                                     IfSet(defaults.context_length));
  config.heads = fields.Int("num_attention_heads", internal::kHeadRange, IfSet(defaults.heads));
  config.kv_heads = fields.Int("num_key_value_heads", internal::kHeadRange,
                               IfSet(defaults.kv_heads).value_or(config.heads));
  const std::int64_t even_share = std::max<std::int64_t>(config.hidden / config.heads, 1);
  config.key_dim = fields.Int("head_dim", internal::kHeadDimRange,
                              IfSet(defaults.head_dim).value_or(even_share));
  config.value_dim = config.key_dim;
  config.norm_eps = fields.Float("rms_norm_eps", internal::kEpsRange, defaults.norm_eps);
  config.needs_qkv_bias =
      fields.Bool("attention_bias", false) || config.architecture == Architecture::kQwen2;
  config.tied_embeddings = fields.Bool("tie_word_embeddings", defaults.tied_embeddings);
  config.attention_scale = 1.0 / std::sqrt(static_cast<double>(config.key_dim));
  if (config.architecture == Architecture::kGemma2 ||
      config.architecture == Architecture::kGemma3) {
    config.embedding_scale = std::sqrt(static_cast<double>(config.hidden));
    config.attention_scale =
        1.0 / std::sqrt(fields.Float("query_pre_attn_scalar", {1e-3, 1e6}, 256.0));
    const bool is_gemma2 = config.architecture == Architecture::kGemma2;
    config.attention_softcap =
        fields.Float("attn_logit_softcapping", internal::kSoftcapRange, is_gemma2 ? 50.0 : 0.0);
    config.logit_softcap =
        fields.Float("final_logit_softcapping", internal::kSoftcapRange, is_gemma2 ? 30.0 : 0.0);
    if (source.IsNull("attn_logit_softcapping")) config.attention_softcap = 0.0;
    if (source.IsNull("final_logit_softcapping")) config.logit_softcap = 0.0;
    if (fields.Bool("use_bidirectional_attention", false)) {
      fields.Fail({ErrorCode::kUnimplemented,
                   "'use_bidirectional_attention' is true in config.json: an embedding model, and "
                   "only models that generate text are supported"});
    }
  }
  ReadActivation(fields, config);
  ReadRopes(source, fields, defaults.theta, config);
  ReadWindows(source, fields, kind, defaults.window, config);
  ReadExperts(source, fields, config);
  SWITCHYARD_RETURN_IF_ERROR(fields.status());
  SWITCHYARD_RETURN_IF_ERROR(internal::CheckConfig(config));
  return config;
}

}  // namespace switchyard::model
