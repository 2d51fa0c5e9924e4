// The tensors of a GGUF file or a Hugging Face folder under one set of names, GGUF's
// ("blk.3.attn_q.weight"), so that architectures need not know where a model came from.
//
// Nothing is copied at Open; Load copies only what must be converted (vectors to F32, experts
// stored one by one into one tensor). Immutable, so any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "device/weight_table.h"
#include "model/gguf.h"
#include "model/model_config.h"
#include "model/safetensors.h"
#include "tensor/dtype.h"

namespace switchyard::model {

struct CheckpointTensor {
  tensor::DType dtype = tensor::DType::kF32;
  std::vector<std::int64_t> dims;                 // outermost first
  std::vector<std::span<const std::byte>> parts;  // one, or one for each expert along dims[0]
  bool add_one = false;                           // Gemma's norm weights in Hugging Face folders
};

class Checkpoint {
 public:
  // A .gguf file, or a folder with config.json and safetensors.
  static base::Result<Checkpoint> Open(const std::filesystem::path& path);
  static base::Result<Checkpoint> FromGguf(GgufFile file);

  const ModelConfig& config() const { return config_; }
  const CheckpointTensor* Find(std::string_view name) const;  // null if absent
  const std::map<std::string, CheckpointTensor, std::less<>>& tensors() const { return tensors_; }

  // Ready for a weight table. Vectors come as F32; other uses keep the file's type.
  base::Result<device::HostWeight> Load(std::string_view name, sy_weight_use use) const;

  // One of the two is set: what tokenizers and chat templates are read from.
  const GgufFile* gguf() const { return gguf_.get(); }
  const std::filesystem::path& folder() const { return folder_; }  // empty for a GGUF file

 private:
  base::Status AddGgufTensors();
  base::Status AddHuggingFaceTensors();

  ModelConfig config_;
  std::unique_ptr<GgufFile> gguf_;
  std::filesystem::path folder_;
  SafetensorsWeights safetensors_;
  std::map<std::string, CheckpointTensor, std::less<>> tensors_;
};

}  // namespace switchyard::model
