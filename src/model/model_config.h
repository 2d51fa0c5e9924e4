// The hyperparameters of a model in one neutral form, read from GGUF metadata or from a Hugging
// Face config.json. Everything in such a file may be hostile: each number is bounded when it is
// read, and ModelWeights later compares every tensor's shape with what these numbers ask for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "model/gguf.h"
#include "switchyard/chip.h"

namespace switchyard::model {

enum class Architecture : std::uint8_t {
  kLlama,  // Llama 2 and 3.x, Mistral, Yi, SmolLM
  kMixtral,
  kQwen2,
  kQwen3,
  kQwen3Moe,
  kGemma2,
  kGemma3,
};

// "qwen3_moe"; the name of its file under architectures/.
std::string_view Name(Architecture architecture);

enum class RopeScaling : std::uint8_t { kNone, kLinear, kLlama3, kYarn };

// Rotary position embedding of one kind of layer.
struct RopeConfig {
  std::int64_t dims = 0;  // the first `dims` elements of each head turn
  double theta = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;                // all scalings but kNone
  std::int64_t original_context = 0;  // kLlama3, kYarn
  double low_frequency_factor = 1.0;  // kLlama3
  double high_frequency_factor = 4.0;
  double beta_fast = 32.0;  // kYarn
  double beta_slow = 1.0;
  bool truncate = true;           // kYarn: the ramp's ends are whole dimensions
  double attention_factor = 1.0;  // multiplies rotated queries and keys
};

struct ExpertConfig {
  std::int64_t count = 0;   // 0: a dense model
  std::int64_t used = 0;    // for each token
  std::int64_t ffn = 0;     // width of one expert
  bool renormalise = true;  // the chosen experts' weights sum to `scale`
  double scale = 1.0;
};

// How the hidden states of a text's tokens become its embedding.
enum class Pooling : std::uint8_t { kLast, kMean };

struct ModelConfig {
  Architecture architecture = Architecture::kLlama;
  std::string name;  // as the file calls the model; may be empty
  std::int64_t vocabulary = 0;
  std::int64_t context_length = 0;
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t key_dim = 0;  // of one head, of queries too
  std::int64_t value_dim = 0;
  std::int64_t ffn = 0;
  double norm_eps = 1e-5;
  double attention_scale = 0.0;
  double attention_softcap = 0.0;  // 0: none
  double logit_softcap = 0.0;      // 0: none
  double embedding_scale = 1.0;
  sy_activation activation = SY_ACTIVATION_SILU;
  bool tied_embeddings = false;
  // Queries, keys and values have biases; where this is false, they have those that the file holds.
  bool needs_qkv_bias = false;
  RopeConfig rope;
  std::optional<RopeConfig> window_rope;  // for layers with a window, where it differs
  // Whether rotary pairs are adjacent: GGUF files of the Llama family store Q and K that way.
  bool rope_interleaved = false;
  std::vector<std::uint32_t> windows;  // [layers]; 0: the layer sees the whole context
  ExpertConfig experts;
  std::vector<bool> has_experts;  // [layers]
  // Files of models that were made for text say nothing of it: the last token has seen them all.
  Pooling pooling = Pooling::kLast;

  const RopeConfig& RopeOf(std::int64_t layer) const {
    return windows[static_cast<std::size_t>(layer)] != 0 && window_rope ? *window_rope : rope;
  }
};

// Fail with the field's name, its value and what would be accepted.
base::Result<ModelConfig> ReadGgufConfig(const GgufFile& file);
// `config` as in config.json.
base::Result<ModelConfig> ReadHuggingFaceConfig(const base::Json& config);

}  // namespace switchyard::model
