#include "model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace switchyard::model {
namespace {

using base::Json;
using testing::HasSubstr;

ModelConfig Read(std::string_view text) {
  const auto json = base::ParseJson(text, "test");
  EXPECT_TRUE(json);
  const auto config = ReadHuggingFaceConfig(*json);
  EXPECT_TRUE(config) << config.error().message;
  return config.value_or(ModelConfig{});
}

// The settings below are those of published models.

TEST(HuggingFaceConfig, ReadsLlama32) {
  const ModelConfig config = Read(R"({
    "architectures": ["LlamaForCausalLM"], "head_dim": 64, "hidden_act": "silu",
    "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 131072,
    "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0,
    "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    "rope_theta": 500000.0, "tie_word_embeddings": true, "vocab_size": 128256})");
  EXPECT_EQ(config.architecture, Architecture::kLlama);
  EXPECT_EQ(config.key_dim, 64);
  EXPECT_EQ(config.kv_heads, 8);
  EXPECT_DOUBLE_EQ(config.attention_scale, 0.125);
  EXPECT_EQ(config.rope.scaling, RopeScaling::kLlama3);
  EXPECT_EQ(config.rope.original_context, 8192);
  EXPECT_DOUBLE_EQ(config.rope.theta, 500000.0);
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_FALSE(config.rope_interleaved);
}

TEST(HuggingFaceConfig, ReadsMistralWithItsWindow) {
  const ModelConfig config = Read(R"({
    "architectures": ["MistralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
    "max_position_embeddings": 32768, "num_attention_heads": 32, "num_hidden_layers": 32,
    "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
    "sliding_window": 4096, "vocab_size": 32000})");
  EXPECT_THAT(config.windows, testing::Each(4096U));
  EXPECT_EQ(config.windows.size(), 32U);
}

TEST(HuggingFaceConfig, ReadsQwen25WhoseWindowIsOff) {
  const ModelConfig config = Read(R"({
    "architectures": ["Qwen2ForCausalLM"], "hidden_size": 896, "intermediate_size": 4864,
    "max_position_embeddings": 32768, "max_window_layers": 21, "num_attention_heads": 14,
    "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true,
    "use_sliding_window": false, "vocab_size": 151936})");
  EXPECT_THAT(config.windows, testing::Each(0U));
}

TEST(HuggingFaceConfig, StretchesTheContextOfYarn) {
  const ModelConfig config = Read(R"({
    "architectures": ["Qwen2ForCausalLM"], "hidden_size": 896, "intermediate_size": 4864,
    "max_position_embeddings": 32768, "num_attention_heads": 14, "num_hidden_layers": 24,
    "num_key_value_heads": 2, "vocab_size": 151936,
    "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}})");
  EXPECT_EQ(config.context_length, 131072);
  EXPECT_NEAR(config.rope.attention_factor, 1.13863, 1e-5);  // 0.1 ln 4 + 1
}

TEST(HuggingFaceConfig, FillsInWhatGemma3Leaves) {
  const ModelConfig config = Read(R"({
    "architectures": ["Gemma3ForConditionalGeneration"], "text_config": {"hidden_size": 2560,
    "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}})");
  EXPECT_EQ(config.heads, 8);
  EXPECT_EQ(config.kv_heads, 4);
  EXPECT_EQ(config.key_dim, 256);
  EXPECT_EQ(config.vocabulary, 262208);
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_EQ(config.windows[4], 1024U);
  EXPECT_EQ(config.windows[5], 0U);
  EXPECT_EQ(config.RopeOf(5).scaling, RopeScaling::kLinear);
  EXPECT_DOUBLE_EQ(config.RopeOf(5).theta, 1e6);
  EXPECT_EQ(config.RopeOf(4).scaling, RopeScaling::kNone);
  EXPECT_DOUBLE_EQ(config.RopeOf(4).theta, 1e4);
  EXPECT_DOUBLE_EQ(config.attention_scale, 1.0 / 16.0);
}

TEST(HuggingFaceConfig, ReadsQwen3Moe) {
  const ModelConfig config = Read(R"({
    "architectures": ["Qwen3MoeForCausalLM"], "decoder_sparse_step": 1, "head_dim": 128,
    "hidden_size": 2048, "intermediate_size": 6144, "max_position_embeddings": 40960,
    "mlp_only_layers": [], "moe_intermediate_size": 768, "norm_topk_prob": true,
    "num_attention_heads": 32, "num_experts": 128, "num_experts_per_tok": 8,
    "num_hidden_layers": 48, "num_key_value_heads": 4, "rms_norm_eps": 1e-06,
    "rope_scaling": null, "rope_theta": 1000000.0, "sliding_window": null, "vocab_size": 151936})");
  EXPECT_EQ(config.experts.count, 128);
  EXPECT_EQ(config.experts.used, 8);
  EXPECT_EQ(config.experts.ffn, 768);
  EXPECT_TRUE(config.experts.renormalise);
  EXPECT_THAT(config.has_experts, testing::Each(true));
}

TEST(HuggingFaceConfig, NamesTheFieldThatIsWrong) {
  const Json sound = Json::parse(R"({
    "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
    "max_position_embeddings": 128, "num_attention_heads": 4, "num_hidden_layers": 2,
    "num_key_value_heads": 2, "vocab_size": 100})");
  ASSERT_TRUE(ReadHuggingFaceConfig(sound));
  struct Wrong {
    const char* field;
    const char* value;  // JSON
    const char* complaint;
  };
  const std::vector<Wrong> cases{
      {"architectures", R"(["MambaForCausalLM"])", "is [MambaForCausalLM]; supported are Llama"},
      {"architectures", "[]", "supported are"},
      {"architectures", "{}", "supported are"},
      {"num_hidden_layers", "0", "'num_hidden_layers' is 0"},
      {"num_hidden_layers", "-1", "'num_hidden_layers' is -1"},
      {"num_hidden_layers", "2.5", "'num_hidden_layers' in config.json must be a whole number"},
      {"num_hidden_layers", "1e300", "must be a whole number"},
      {"num_hidden_layers", "18446744073709551615", "must be a whole number"},
      {"num_hidden_layers", "\"two\"", "must be a whole number"},
      {"num_hidden_layers", "null", "'num_hidden_layers' is missing"},
      {"num_key_value_heads", "3", "4 query heads cannot share 3"},
      {"head_dim", "7", "7 rotary dimensions for heads of 7"},
      {"vocab_size", "10000000000", "'vocab_size' is 10000000000"},
      {"rms_norm_eps", "-1", "'rms_norm_eps' is -1"},
      {"rms_norm_eps", "[]", "'rms_norm_eps' in config.json must be a number"},
      {"hidden_act", "\"relu2\"", "activation 'relu2' is not supported"},
      {"rope_scaling", "7", "must be an object"},
      {"rope_scaling", R"({"rope_type": "longrope"})", "rope_type 'longrope'"},
      {"rope_scaling", R"({"rope_type": "linear"})", "'rope_parameters.factor' is missing"},
      {"rope_scaling", R"({"rope_type": "linear", "factor": 0})", "'rope_parameters.factor' is 0"},
      {"rope_theta", "0", "'rope_theta' is 0"},
      {"tie_word_embeddings", "\"yes\"",
       "must be true or false; the file is damaged, so fetch it again"},
      {"layer_types", R"(["full_attention"])", "must list 2 layers"},
      {"layer_types", R"(["full_attention", "linear_attention"])", "kind of layer"},
      {"quantization_config", R"({"quant_method": "awq"})", "quantised Hugging Face folders"},
  };
  for (const Wrong& wrong : cases) {
    Json config = sound;
    config[wrong.field] = Json::parse(wrong.value);
    const auto read = ReadHuggingFaceConfig(config);
    ASSERT_FALSE(read) << wrong.field << " = " << wrong.value;
    EXPECT_THAT(read.error().message, HasSubstr(wrong.complaint));
  }
}

}  // namespace
}  // namespace switchyard::model
