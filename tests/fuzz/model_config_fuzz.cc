// Any bytes as a model's description: a config.json if they begin with '{', else a GGUF file, which
// is then read as far as its weights. What is accepted must make a valid program.
#include <cstdlib>

#include "base/json.h"
#include "model/architecture.h"
#include "model/checkpoint.h"
#include "model/model_config.h"
#include "model/model_weights.h"
#include "model/rope_frequencies.h"
#include "ops/op_rules.h"

namespace {

using namespace switchyard;

void ReadJson(std::string_view text) {
  const auto json = base::ParseJson(text, "fuzz");
  if (!json) return;
  const auto config = model::ReadHuggingFaceConfig(*json);
  if (!config) return;
  if (config->windows.size() != static_cast<std::size_t>(config->layers)) std::abort();
  if (config->has_experts.size() != static_cast<std::size_t>(config->layers)) std::abort();
  if (!model::InverseFrequencies(config->rope, {})) return;
  if (config->window_rope) (void)model::InverseFrequencies(*config->window_rope, {});
}

void ReadGguf(std::span<const std::byte> bytes) {
  auto file = model::GgufFile::Parse(bytes, "fuzz");
  if (!file) return;
  const auto checkpoint = model::Checkpoint::FromGguf(std::move(*file));
  if (!checkpoint) return;
  const auto weights = model::ModelWeights::Load(checkpoint->config(), *checkpoint);
  if (!weights) return;
  const auto forward = model::BuildForward(checkpoint->config(), *weights, {5, 2, 3, 4, 16, 2}, {});
  if (!forward || !ops::Validate(forward->ops.desc())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0 && data[0] == '{') {
    ReadJson({reinterpret_cast<const char*>(data), size});
  } else {
    ReadGguf({reinterpret_cast<const std::byte*>(data), size});
  }
  return 0;
}
