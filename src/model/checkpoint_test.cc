#include "model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "model/architecture.h"
#include "model/footprint.h"
#include "model/model_weights.h"
#include "ops/op_rules.h"
#include "tests/support/tiny_model.h"

namespace switchyard::model {
namespace {

using test_support::TinyModel;
using testing::HasSubstr;

const std::filesystem::path kGoldens = "tests/goldens/architectures";

// Reads the model as far as its weights; empty if that works, else the error's sentence.
std::string Complaint(const TinyModel& model) {
  const std::vector<std::byte> bytes = model.Bytes();
  auto file = GgufFile::Parse(bytes, "test");
  if (!file) return file.error().message;
  const auto checkpoint = Checkpoint::FromGguf(std::move(*file));
  if (!checkpoint) return checkpoint.error().message;
  const auto weights = ModelWeights::Load(checkpoint->config(), *checkpoint);
  return weights ? "" : weights.error().message;
}

TEST(Checkpoint, TakesTheTinyModels) {
  EXPECT_EQ(Complaint(TinyModel::Llama()), "");
  EXPECT_EQ(Complaint(TinyModel::Mixture()), "");
}

TEST(Checkpoint, NamesTheSettingThatIsWrong) {
  struct Wrong {
    std::string key;
    TinyModel::Value value;
    std::string complaint;
  };
  const std::vector<Wrong> cases{
      {"general.architecture", "mamba", "supported are llama"},
      {"llama.block_count", 0U, "'llama.block_count' is 0"},
      {"llama.block_count", 4000000000U, "'llama.block_count' is 4000000000"},
      {"llama.block_count", "many", "llama.block_count"},
      {"llama.block_count", 2U, "'blk.1.attn_norm.weight' is missing"},
      {"llama.embedding_length", 8U, "'token_embd.weight' is [5, 4]"},
      {"llama.attention.head_count", 0U, "'llama.attention.head_count' is 0"},
      {"llama.attention.head_count_kv", 3U, "2 query heads cannot share 3"},
      {"llama.attention.head_count_kv", std::vector<std::int32_t>{1, 2}, "differs between layers"},
      {"llama.attention.key_length", 1U, "rotary dimensions for heads of 1"},
      {"llama.rope.dimension_count", 3U, "3 rotary dimensions"},
      {"llama.rope.freq_base", std::numeric_limits<float>::quiet_NaN(), "'llama.rope.freq_base'"},
      {"llama.rope.scaling.factor", -2.0F, "'llama.rope.scaling.factor' is -2"},
      {"llama.rope.scaling.type", "longrope", "'llama.rope.scaling.type' is 'longrope'"},
      {"llama.rope.scaling.type", "llama3", "'llama.rope.scaling.type' is 'llama3'"},
      {"llama.attention.layer_norm_rms_epsilon", 5.0F, "layer_norm_rms_epsilon' is 5"},
      {"llama.expert_count", 100000U, "'llama.expert_count' is 100000"},
      {"llama.expert_count", 4U, "'llama.expert_used_count' is missing"},
  };
  for (const Wrong& wrong : cases) {
    TinyModel model = TinyModel::Llama();
    model.settings[wrong.key] = wrong.value;
    EXPECT_THAT(Complaint(model), HasSubstr(wrong.complaint)) << wrong.key;
  }
}

TEST(Checkpoint, NamesTheSettingThatIsMissing) {
  for (const char* key : {"llama.block_count", "llama.context_length", "llama.embedding_length",
                          "llama.feed_forward_length", "llama.attention.head_count",
                          "llama.attention.layer_norm_rms_epsilon", "general.architecture"}) {
    TinyModel model = TinyModel::Llama();
    model.settings.erase(key);
    EXPECT_THAT(Complaint(model), HasSubstr(key));
  }
}

TEST(Checkpoint, NamesTheTensorThatIsWrong) {
  for (const auto& [name, dims] : TinyModel::Llama().tensors) {
    TinyModel missing = TinyModel::Llama();
    missing.tensors.erase(name);
    EXPECT_THAT(Complaint(missing), HasSubstr(name));

    TinyModel larger = TinyModel::Llama();
    // One row more of token_embd.weight is one more token, which is no fault.
    if (name != "token_embd.weight") ++larger.tensors[name][0];
    ++larger.tensors[name].back();
    EXPECT_THAT(Complaint(larger), HasSubstr(name));
  }
}

TEST(Checkpoint, RefusesATensorWithoutAPlace) {
  TinyModel model = TinyModel::Llama();
  model.tensors["blk.0.attn_q_norm.weight"] = {2};
  EXPECT_THAT(Complaint(model), HasSubstr("'blk.0.attn_q_norm.weight' has no place"));
}

TEST(Checkpoint, WantsTheBiasesOfQwen2) {
  TinyModel model = TinyModel::Llama();
  std::map<std::string, TinyModel::Value> settings;
  for (const auto& [key, value] : model.settings) {
    settings[key.starts_with("llama.") ? "qwen2" + key.substr(5) : key] = value;
  }
  settings["general.architecture"] = "qwen2";
  model.settings = settings;
  EXPECT_THAT(Complaint(model), HasSubstr("'blk.0.attn_q.bias' is missing"));
  model.tensors["blk.0.attn_q.bias"] = {4};
  model.tensors["blk.0.attn_k.bias"] = {2};
  model.tensors["blk.0.attn_v.bias"] = {2};
  EXPECT_EQ(Complaint(model), "");
}

TEST(Checkpoint, RefusesIncompleteExperts) {
  TinyModel gap = TinyModel::Mixture();
  gap.tensors.erase("blk.0.ffn_up.1.weight");
  EXPECT_THAT(Complaint(gap), HasSubstr("'blk.0.ffn_up_exps.weight' has 1 of 2 experts"));

  TinyModel beyond = TinyModel::Mixture();
  beyond.tensors["blk.0.ffn_up.2.weight"] = {6, 4};
  EXPECT_THAT(Complaint(beyond), HasSubstr("has an expert 2"));

  TinyModel uneven = TinyModel::Mixture();
  uneven.tensors["blk.0.ffn_up.1.weight"] = {7, 4};
  EXPECT_THAT(Complaint(uneven), HasSubstr("differs in shape"));

  TinyModel both = TinyModel::Mixture();
  both.tensors["blk.0.ffn_up_exps.weight"] = {2, 6, 4};
  EXPECT_THAT(Complaint(both), HasSubstr("both whole and expert by expert"));
}

TEST(Checkpoint, RefusesRopeDivisorsOfAnotherLength) {
  TinyModel model = TinyModel::Llama();
  model.tensors["rope_freqs.weight"] = {3};
  EXPECT_THAT(Complaint(model), HasSubstr("rope_freqs.weight has 3 numbers"));
}

// The tensor's zeros are refused only once the scaling is not.
TEST(Checkpoint, RefusesRopeDivisorsBesideAScaling) {
  const std::string taken = "is not a finite number";
  const std::string refused = "has the tensor rope_freqs.weight and also rope.scaling.type";
  struct Case {
    std::string type;
    float factor;
    std::string complaint;
  };
  const std::vector<Case> cases{
      {"none", 8.0F, taken},   {"linear", 1.0F, taken},
      {"linear", 0.0F, taken}, {"yarn", 1.0F, taken},
      {"llama3", 8.0F, taken}, {"linear", 8.0F, refused},
      {"yarn", 8.0F, refused}, {"longrope", 1.0F, "'llama.rope.scaling.type' is 'longrope'"},
  };
  for (const Case& one : cases) {
    TinyModel model = TinyModel::Llama();
    model.tensors["rope_freqs.weight"] = {1};
    model.settings["llama.rope.scaling.type"] = one.type;
    model.settings["llama.rope.scaling.factor"] = one.factor;
    EXPECT_THAT(Complaint(model), HasSubstr(one.complaint)) << one.type << " " << one.factor;
  }
}

TEST(Checkpoint, RefusesRopeDivisorsOfZero) {
  TinyModel model = TinyModel::Llama();
  model.tensors["rope_freqs.weight"] = {1};
  EXPECT_THAT(Complaint(model), HasSubstr("is not a finite number"));
}

TEST(Checkpoint, ConvertsVectorsToF32) {
  const auto checkpoint = Checkpoint::Open(kGoldens / "gemma2");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const CheckpointTensor* stored = checkpoint->Find("output_norm.weight");
  ASSERT_NE(stored, nullptr);
  EXPECT_EQ(stored->dtype, tensor::DType::kBF16);
  const auto loaded = checkpoint->Load("output_norm.weight", SY_WEIGHT_VECTOR);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->dtype, tensor::DType::kF32);
  ASSERT_EQ(loaded->owned.size(), 40 * sizeof(float));
  for (std::size_t i = 0; i < 40; ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, stored->parts[0].data() + 2 * i, 2);
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
    float weight = 0.0F;
    std::memcpy(&weight, &bits, 4);
    float actual = 0.0F;
    std::memcpy(&actual, loaded->owned.data() + 4 * i, 4);
    EXPECT_EQ(actual, weight + 1.0F);  // Gemma stores w of 1 + w
  }
}

TEST(Checkpoint, SaysWhatAFolderLacks) {
  const auto checkpoint = Checkpoint::Open("tests/goldens");
  ASSERT_FALSE(checkpoint);
  EXPECT_THAT(checkpoint.error().message, HasSubstr("config.json' is missing; give the folder"));
}

TEST(BuildForward, MakesValidProgramsOfEveryShape) {
  for (const auto& folder : std::filesystem::directory_iterator(kGoldens)) {
    std::filesystem::path path = folder.path();
    if (std::filesystem::exists(path / "model.gguf")) path /= "model.gguf";
    const auto checkpoint = Checkpoint::Open(path);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    const auto weights = ModelWeights::Load(checkpoint->config(), *checkpoint);
    ASSERT_TRUE(weights) << weights.error().message;
    for (const tensor::DType dtype :
         {tensor::DType::kF32, tensor::DType::kF16, tensor::DType::kBF16}) {
      for (const ForwardShape& shape :
           {ForwardShape{}, ForwardShape{7, 3, 2, 11, 16, 5}, ForwardShape{4, 4, 4, 1, 1, 1}}) {
        const auto forward =
            BuildForward(checkpoint->config(), *weights, shape, {dtype, tensor::DType::kBF16});
        ASSERT_TRUE(forward) << forward.error().message;
        const auto valid = ops::Validate(forward->ops.desc());
        EXPECT_TRUE(valid) << path << ": " << valid.error().message;
      }
    }
  }
}

TEST(BuildForward, RefusesImpossibleShapes) {
  const auto checkpoint = Checkpoint::Open(kGoldens / "llama");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const auto weights = ModelWeights::Load(checkpoint->config(), *checkpoint);
  ASSERT_TRUE(weights) << weights.error().message;
  for (const ForwardShape& shape : {ForwardShape{0, 1, 1, 1, 1, 1}, ForwardShape{1, 1, 2, 1, 1, 1},
                                    ForwardShape{1, 1, 1, 1 << 30, 16, 1},
                                    ForwardShape{std::int64_t{1} << 40, 1, 1, 1, 1, 1}}) {
    EXPECT_FALSE(BuildForward(checkpoint->config(), *weights, shape, {}));
  }
  EXPECT_FALSE(
      BuildForward(checkpoint->config(), *weights, {}, {tensor::DType::kI32, tensor::DType::kF16}));
}

TEST(Footprint, CountsADenseModel) {
  const auto checkpoint = Checkpoint::Open(kGoldens / "llama");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const auto weights = ModelWeights::Load(checkpoint->config(), *checkpoint);
  ASSERT_TRUE(weights) << weights.error().message;
  const auto footprint = MeasureFootprint(checkpoint->config(), *weights, tensor::DType::kF16);
  ASSERT_TRUE(footprint) << footprint.error().message;
  // 197 tokens by 36, twice; two layers of Q and O 36 x 36, K and V 18 x 36, three 53 x 36, two
  // norms; the final norm.
  constexpr int kLayer = 2 * 36 * 36 + 2 * 18 * 36 + 3 * 53 * 36 + 2 * 36;
  EXPECT_EQ(footprint->parameters, 2 * 197 * 36 + 2 * kLayer + 36);
  EXPECT_EQ(footprint->weight_bytes, 4 * (2 * 197 * 36 + 2 * kLayer + 36));
  ASSERT_EQ(footprint->types.size(), 1U);
  // Nine in each layer, the embedding, the output matrix and its norm.
  EXPECT_EQ(footprint->types.at(tensor::DType::kF32).tensors, 2 * 9 + 3);
  EXPECT_EQ(footprint->types.at(tensor::DType::kF32).bytes, footprint->weight_bytes);
  // Of the embedding one row is read.
  EXPECT_EQ(footprint->TotalReadBytesPerToken(), 4 * (36 + 197 * 36 + 2 * kLayer + 36));
  // Two layers, three heads, keys and values of 6 halves.
  EXPECT_EQ(footprint->kv_bytes_per_token, 2 * 3 * (6 + 6) * 2);
}

TEST(Footprint, CountsTheExpertsInUse) {
  const auto checkpoint = Checkpoint::Open(kGoldens / "qwen3_moe_gguf" / "model.gguf");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const auto weights = ModelWeights::Load(checkpoint->config(), *checkpoint);
  ASSERT_TRUE(weights) << weights.error().message;
  const auto footprint = MeasureFootprint(checkpoint->config(), *weights, tensor::DType::kF32);
  ASSERT_TRUE(footprint) << footprint.error().message;
  // Two layers: Q and O 64 x 64, K and V 32 x 64, the router 8 x 64, three of eight experts with
  // three matrices 32 x 64; one embedding and the output 192 x 64. Q8_0 has 34 bytes for 32.
  constexpr int kLayer = 2 * 64 * 64 + 2 * 32 * 64 + 8 * 64 + 3 * 3 * 32 * 64;
  EXPECT_EQ(footprint->read_bytes_per_token.at(tensor::DType::kQ8_0),
            (2 * kLayer + 64 + 192 * 64) / 32 * 34);
  // Norms of 64, 64, 16 and 16 in each layer, and the last.
  EXPECT_EQ(footprint->read_bytes_per_token.at(tensor::DType::kF32), 4 * (2 * 160 + 64));
  EXPECT_EQ(footprint->kv_bytes_per_token, 2 * 2 * (16 + 16) * 4);
}

}  // namespace
}  // namespace switchyard::model
