#include "model/checkpoint.h"

#include <cstring>
#include <system_error>
#include <utility>

#include "model/internal/expert_stacks.h"
#include "model/internal/printable.h"
#include "model/internal/text_file.h"
#include "tensor/half.h"

namespace switchyard::model {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Status;
using internal::Printable;
using tensor::DType;

// One number of a plain type at `bytes`, which need not be aligned.
template <typename T>
T Read(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

float ReadFloat(DType dtype, const std::byte* bytes) {
  if (dtype == DType::kF16) return tensor::F16ToFloat(Read<std::uint16_t>(bytes));
  if (dtype == DType::kBF16) return tensor::BF16ToFloat(Read<std::uint16_t>(bytes));
  return Read<float>(bytes);
}

bool IsPlainFloat(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

std::vector<std::byte> ToF32(DType dtype, std::span<const std::byte> bytes, float offset) {
  const auto size = static_cast<std::size_t>(tensor::Traits(dtype).block_bytes);
  std::vector<std::byte> result(bytes.size() / size * sizeof(float));
  for (std::size_t i = 0; i * size < bytes.size(); ++i) {
    const float value = ReadFloat(dtype, bytes.data() + i * size) + offset;
    std::memcpy(result.data() + i * sizeof(float), &value, sizeof value);
  }
  return result;
}

}  // namespace

Result<Checkpoint> Checkpoint::Open(const std::filesystem::path& path) {
  std::error_code failure;
  if (!std::filesystem::is_directory(path, failure)) {
    SWITCHYARD_TRY(GgufFile file, GgufFile::Open(path));
    auto checkpoint = FromGguf(std::move(file));
    if (!checkpoint) return internal::About(path, std::move(checkpoint.error()));
    return checkpoint;
  }
  Checkpoint checkpoint;
  checkpoint.folder_ = path;
  if (Status status = checkpoint.AddHuggingFaceTensors(); !status) {
    return internal::About(path, std::move(status.error()));
  }
  return checkpoint;
}

Result<Checkpoint> Checkpoint::FromGguf(GgufFile file) {
  Checkpoint checkpoint;
  checkpoint.gguf_ = std::make_unique<GgufFile>(std::move(file));
  SWITCHYARD_TRY(checkpoint.config_, ReadGgufConfig(*checkpoint.gguf_));
  SWITCHYARD_RETURN_IF_ERROR(checkpoint.AddGgufTensors());
  return checkpoint;
}

Status Checkpoint::AddGgufTensors() {
  internal::ExpertStacks stacks;
  for (const GgufTensor& tensor : gguf_->tensors()) {
    CheckpointTensor entry{tensor.dtype, tensor.dims, {tensor.data}, false};
    // Files of before 2024-04 hold experts one by one: "blk.0.ffn_gate.7.weight".
    if (auto stacked = internal::ParseGgufExpert(tensor.name)) {
      SWITCHYARD_RETURN_IF_ERROR(
          stacks.Add(stacked->name, stacked->expert, config_.experts.count, std::move(entry)));
    } else {
      tensors_.emplace(tensor.name, std::move(entry));
    }
  }
  return stacks.MoveTo(tensors_);
}

const CheckpointTensor* Checkpoint::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

Result<device::HostWeight> Checkpoint::Load(std::string_view name, sy_weight_use use) const {
  const CheckpointTensor* tensor = Find(name);
  if (tensor == nullptr) {
    return Fail(ErrorCode::kNotFound, "the model has no tensor '{}'", Printable(name));
  }
  device::HostWeight weight;
  weight.name = name;
  weight.dtype = tensor->dtype;
  weight.dims = tensor->dims;
  weight.use = use;
  if ((use & SY_WEIGHT_VECTOR) != 0) {
    if (!IsPlainFloat(tensor->dtype) || tensor->parts.size() != 1) {
      return Fail(ErrorCode::kUnimplemented,
                  "tensor '{}' is of type {}; norms, biases and frequencies must be f32, f16 or "
                  "bf16",
                  Printable(name), tensor::Name(tensor->dtype));
    }
    weight.dtype = DType::kF32;
    weight.owned = ToF32(tensor->dtype, tensor->parts[0], tensor->add_one ? 1.0F : 0.0F);
    return weight;
  }
  if (!IsPlainFloat(tensor->dtype) && !tensor::IsQuantised(tensor->dtype)) {
    return Fail(ErrorCode::kUnimplemented, "tensor '{}' is of type {}, which no operation takes",
                Printable(name), tensor::Name(tensor->dtype));
  }
  // Safetensors may lay numbers at odd addresses; chips are promised natural alignment.
  const bool is_aligned =
      reinterpret_cast<std::uintptr_t>(tensor->parts[0].data()) % alignof(float) == 0;
  if (tensor->parts.size() == 1 && is_aligned) {
    weight.bytes = tensor->parts[0];
    return weight;
  }
  weight.owned.reserve(tensor->parts.size() * tensor->parts[0].size());
  for (const std::span<const std::byte> part : tensor->parts) {
    weight.owned.insert(weight.owned.end(), part.begin(), part.end());
  }
  return weight;
}

}  // namespace switchyard::model
