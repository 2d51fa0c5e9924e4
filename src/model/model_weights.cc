#include "model/model_weights.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "model/architecture.h"
#include "model/internal/forward_builder.h"
#include "model/internal/printable.h"
#include "model/rope_frequencies.h"

namespace switchyard::model {
namespace {

using base::ErrorCode;
using base::Result;
using base::Rethrow;
using tensor::DType;

constexpr std::string_view kRopeDivisors = "rope_freqs.weight";

// What the trial build asked for, in the order in which it asked first.
struct Request {
  std::string name;
  sy_weight_use use = 0;
};

device::HostWeight AsWeight(std::string_view name, std::span<const float> values) {
  device::HostWeight weight;
  weight.name = name;
  weight.dtype = DType::kF32;
  weight.dims = {std::ssize(values)};
  weight.use = SY_WEIGHT_VECTOR;
  weight.owned.resize(values.size_bytes());
  std::memcpy(weight.owned.data(), values.data(), values.size_bytes());
  return weight;
}

Result<std::vector<float>> LoadRopeDivisors(const Checkpoint& checkpoint) {
  std::vector<float> divisors;
  if (checkpoint.Find(kRopeDivisors) == nullptr) return divisors;
  SWITCHYARD_TRY(const device::HostWeight weight, checkpoint.Load(kRopeDivisors, SY_WEIGHT_VECTOR));
  const std::span<const std::byte> bytes = weight.owned.empty() ? weight.bytes : weight.owned;
  divisors.resize(bytes.size() / sizeof(float));
  std::memcpy(divisors.data(), bytes.data(), divisors.size() * sizeof(float));
  return divisors;
}

// Tensors that say nothing the configuration does not: precomputed rotary tables, and an output
// matrix that a tied model ignores.
bool IsRedundant(const ModelConfig& config, std::string_view name) {
  return name == kRopeDivisors || name.find("rot_embd") != std::string_view::npos ||
         name.ends_with("rotary_emb.inv_freq") ||
         (config.tied_embeddings && name == "output.weight");
}

}  // namespace

Result<ModelWeights> ModelWeights::Load(const ModelConfig& config, const Checkpoint& checkpoint) {
  ModelWeights weights;
  const auto add = [&weights](device::HostWeight weight) {
    std::string name = weight.name;
    weights.indices_.emplace(std::move(name), weights.table_.Add(std::move(weight)));
  };
  SWITCHYARD_TRY(const std::vector<float> divisors, LoadRopeDivisors(checkpoint));
  SWITCHYARD_TRY(const std::vector<float> frequencies, InverseFrequencies(config.rope, divisors));
  add(AsWeight(kRopeFrequencies, frequencies));
  if (config.window_rope) {
    SWITCHYARD_TRY(const std::vector<float> window_frequencies,
                   InverseFrequencies(*config.window_rope, {}));
    add(AsWeight(kWindowRopeFrequencies, window_frequencies));
  }

  std::vector<Request> requests;
  std::map<std::string, std::size_t, std::less<>> request_index;
  const internal::WeightLookup record = [&](std::string_view name,
                                            sy_weight_use use) -> std::optional<WeightView> {
    if (const auto known = weights.Find(name)) return known;
    const CheckpointTensor* tensor = checkpoint.Find(name);
    if (tensor == nullptr) return std::nullopt;
    if (use != 0) {
      const auto [place, is_new] = request_index.emplace(name, requests.size());
      if (is_new) requests.push_back({std::string(name), 0});
      requests[place->second].use |= use;
    }
    return WeightView{ops::kNotAWeight, tensor->dtype, tensor->dims};
  };
  SWITCHYARD_TRY(const Forward trial, internal::BuildForwardWith(config, {}, {}, record));

  for (const auto& [name, tensor] : checkpoint.tensors()) {
    if (request_index.contains(name) || IsRedundant(config, name)) continue;
    return base::Fail(ErrorCode::kUnimplemented,
                      "tensor '{}' has no place in architecture '{}'; without it the answers would "
                      "be wrong, so this variant of the model is not supported",
                      internal::Printable(name), Name(config.architecture));
  }
  for (const Request& request : requests) {
    SWITCHYARD_TRY(device::HostWeight weight, checkpoint.Load(request.name, request.use));
    add(std::move(weight));
  }
  return weights;
}

std::optional<WeightView> ModelWeights::Find(std::string_view name) const {
  const auto found = indices_.find(name);
  if (found == indices_.end()) return std::nullopt;
  const device::HostWeight& weight = table_.at(found->second);
  return WeightView{found->second, weight.dtype, weight.dims};
}

}  // namespace switchyard::model
