#include "ops/internal/tensor_rules.h"

#include <fmt/ranges.h>

#include <span>
#include <string>
#include <unordered_map>

#include "ops/tensor_span.h"
#include "tensor/dtype.h"

namespace switchyard::ops::internal {
namespace {

using base::ErrorCode;
using base::Fail;

// No memory is that large; below it, sums of a few spans cannot overflow.
constexpr std::int64_t kMostSpanBytes = std::int64_t{1} << 62;

base::Status CheckDims(const sy_tensor& tensor, std::uint32_t index) {
  if (tensor.rank < 1 || tensor.rank > SY_MAX_RANK) {
    return Fail(ErrorCode::kInvalidArgument, "tensor {} has rank {}; it must be 1 to {}", index,
                tensor.rank, SY_MAX_RANK);
  }
  for (std::uint32_t i = 0; i < SY_MAX_RANK; ++i) {
    if (i < tensor.rank ? tensor.dims[i] < 1 : tensor.dims[i] != 1) {
      return Fail(ErrorCode::kInvalidArgument,
                  "tensor {} of rank {} has dim {} = {}; it must be {}", index, tensor.rank, i,
                  tensor.dims[i], i < tensor.rank ? "at least 1" : "1");
    }
  }
  return {};
}

// Each stride must step over everything below it, so that no two elements share memory.
base::Status CheckStrides(const sy_tensor& tensor, const tensor::DTypeTraits& traits,
                          std::uint32_t index) {
  const std::uint32_t last = tensor.rank - 1;
  if (tensor.strides[last] != traits.block_bytes) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "tensor {} has a last stride of {} bytes; the last dimension is always dense, which "
        "is {} for {}",
        index, tensor.strides[last], traits.block_bytes, traits.name);
  }
  const base::Result<std::uint64_t> row =
      tensor::RowBytes(static_cast<tensor::DType>(tensor.dtype), tensor.dims[last]);
  if (!row) return base::Rethrow(row.error(), "tensor {}", index);
  if (*row > static_cast<std::uint64_t>(kMostSpanBytes)) {
    return Fail(ErrorCode::kInvalidArgument, "tensor {} has rows of {} bytes; that is too large",
                index, *row);
  }
  auto span = static_cast<std::int64_t>(*row);
  for (std::uint32_t i = last; i-- > 0;) {
    const std::int64_t stride = tensor.strides[i];
    if (stride <= 0 || stride % traits.block_bytes != 0) {
      return Fail(ErrorCode::kInvalidArgument,
                  "tensor {} has stride {} = {} bytes; it must be a positive multiple of {}", index,
                  i, stride, traits.block_bytes);
    }
    if (tensor.dims[i] > 1 && stride < span) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "tensor {} has stride {} = {} bytes over {} bytes of elements; they would overlap", index,
          i, stride, span);
    }
    std::int64_t step = 0;
    if (__builtin_mul_overflow(tensor.dims[i] - 1, stride, &step) ||
        __builtin_add_overflow(span, step, &span) || span > kMostSpanBytes) {
      return Fail(ErrorCode::kInvalidArgument, "tensor {} with dims {} covers more than 2^62 bytes",
                  index, DimsText(tensor));
    }
  }
  return {};
}

base::Status CheckView(const sy_program_desc& desc, std::uint32_t index) {
  const sy_tensor& view = desc.tensors[index];
  if (view.base >= desc.tensor_count) {
    return Fail(ErrorCode::kInvalidArgument,
                "tensor {} is a view of tensor {}, but there are only {}", index, view.base,
                desc.tensor_count);
  }
  const sy_tensor& root = desc.tensors[view.base];
  if (root.storage != SY_STORAGE_TEMPORARY && root.storage != SY_STORAGE_ARGUMENT) {
    return Fail(ErrorCode::kInvalidArgument,
                "tensor {} is a view of tensor {}, which is itself a {}; only temporaries and "
                "arguments can be viewed",
                index, view.base, root.storage == SY_STORAGE_VIEW ? "view" : "weight");
  }
  if (view.dtype != root.dtype) {
    return Fail(ErrorCode::kInvalidArgument,
                "tensor {} has type {} but is a view of tensor {}, whose type is {}", index,
                view.dtype, view.base, root.dtype);
  }
  const tensor::DTypeTraits& traits = *tensor::FindTraits(view.dtype);
  if (view.offset_bytes % static_cast<std::uint64_t>(traits.block_bytes) != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "tensor {} begins {} bytes into tensor {}, which is no multiple of {}'s {} bytes",
                index, view.offset_bytes, view.base, traits.name, traits.block_bytes);
  }
  const std::uint64_t root_span = SpanBytes(root);
  const std::uint64_t span = SpanBytes(view);
  if (view.offset_bytes > root_span || span > root_span - view.offset_bytes) {
    return Fail(ErrorCode::kInvalidArgument,
                "tensor {} covers {} bytes from byte {} of tensor {}, which has only {}", index,
                span, view.offset_bytes, view.base, root_span);
  }
  return {};
}

}  // namespace

std::string DimsText(const sy_tensor& tensor) {
  return fmt::format("[{}]", fmt::join(std::span(tensor.dims, tensor.rank), ", "));
}

base::Status CheckTensors(const sy_program_desc& desc) {
  std::unordered_map<std::uint32_t, std::uint32_t> slot_users;
  for (std::uint32_t index = 0; index < desc.tensor_count; ++index) {
    const sy_tensor& tensor = desc.tensors[index];
    if (tensor.struct_size != sizeof(sy_tensor)) {
      return Fail(ErrorCode::kInvalidArgument, "tensor {} has struct_size {}; it must be {}", index,
                  tensor.struct_size, sizeof(sy_tensor));
    }
    const tensor::DTypeTraits* traits = tensor::FindTraits(tensor.dtype);
    if (traits == nullptr) {
      return Fail(ErrorCode::kInvalidArgument, "tensor {} has type {}, which is none", index,
                  tensor.dtype);
    }
    if (tensor.storage > SY_STORAGE_VIEW) {
      return Fail(ErrorCode::kInvalidArgument, "tensor {} has storage {}, which is none", index,
                  tensor.storage);
    }
    if (traits->block_elements > 1 && tensor.storage != SY_STORAGE_WEIGHT) {
      return Fail(ErrorCode::kInvalidArgument, "tensor {} has type {}, which only weights can have",
                  index, traits->name);
    }
    SWITCHYARD_RETURN_IF_ERROR(CheckDims(tensor, index));
    SWITCHYARD_RETURN_IF_ERROR(CheckStrides(tensor, *traits, index));
    if (tensor.storage == SY_STORAGE_WEIGHT && !IsDense(tensor)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "tensor {} is a weight but its strides are not dense", index);
    }
    if (tensor.storage == SY_STORAGE_ARGUMENT) {
      if (tensor.slot >= desc.slot_count) {
        return Fail(ErrorCode::kInvalidArgument, "tensor {} has slot {}, but slot_count is {}",
                    index, tensor.slot, desc.slot_count);
      }
      if (const auto [user, is_new] = slot_users.emplace(tensor.slot, index); !is_new) {
        return Fail(ErrorCode::kInvalidArgument, "tensors {} and {} both have slot {}",
                    user->second, index, tensor.slot);
      }
    }
  }
  for (std::uint32_t index = 0; index < desc.tensor_count; ++index) {
    if (desc.tensors[index].storage != SY_STORAGE_VIEW) continue;
    SWITCHYARD_RETURN_IF_ERROR(CheckView(desc, index));
  }
  return {};
}

}  // namespace switchyard::ops::internal
