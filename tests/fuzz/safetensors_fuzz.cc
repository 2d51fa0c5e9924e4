// Any bytes as a safetensors file and as the index of one in several files.
#include <cstdlib>

#include "model/internal/safetensors_index.h"
#include "model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  if (auto weights = switchyard::model::SafetensorsWeights::Parse(bytes, "fuzz")) {
    for (const auto& tensor : weights->tensors()) {
      if (weights->FindTensor(tensor.name) != &tensor) std::abort();
      if (tensor.data.empty()) continue;
      if (tensor.data.data() < bytes.data() ||
          tensor.data.data() + tensor.data.size() > bytes.data() + bytes.size()) {
        std::abort();
      }
    }
  }
  if (auto places = switchyard::model::internal::ParseSafetensorsIndex(bytes)) {
    for (const auto& place : *places) {
      if (place.shard.find('/') != std::string::npos || place.shard.front() == '.') std::abort();
    }
  }
  return 0;
}
