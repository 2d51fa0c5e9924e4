// Weights in safetensors files, one or several with an index, as Hugging Face folders hold them.
// Nothing is copied but the directory. Immutable after Open, so any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "tensor/dtype.h"

namespace switchyard::model {

struct SafetensorsTensor {
  std::string name;
  tensor::DType dtype;              // F32, F16, BF16, I8, I32 or I64
  std::vector<std::int64_t> dims;   // outermost first; empty for a single number
  std::span<const std::byte> data;  // in the mapped file, at any alignment
};

class SafetensorsWeights {
 public:
  // `path` is a .safetensors file, an index (.json), or a folder with model.safetensors.index.json
  // or model.safetensors. Shards lie beside their index.
  static base::Result<SafetensorsWeights> Open(const std::filesystem::path& path);
  // One file. `bytes` must outlive the result; `subject` names them in errors.
  static base::Result<SafetensorsWeights> Parse(std::span<const std::byte> bytes,
                                                std::string_view subject);

  // In the order of the files' bytes, shard by shard.
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }
  const SafetensorsTensor* FindTensor(std::string_view name) const;  // null if absent

 private:
  static base::Result<SafetensorsWeights> OpenSharded(const std::filesystem::path& index);
  base::Status BuildIndex(std::string_view subject);

  std::vector<base::MappedFile> files_;  // empty if made by Parse
  std::vector<SafetensorsTensor> tensors_;
  std::map<std::string_view, std::size_t> tensor_index_;
};

}  // namespace switchyard::model
