#include "ops/tensor_span.h"

#include "tensor/dtype.h"

namespace switchyard::ops {

std::uint64_t RowBytes(const sy_tensor& tensor) {
  const tensor::DTypeTraits& traits = tensor::Traits(static_cast<tensor::DType>(tensor.dtype));
  return static_cast<std::uint64_t>(tensor.dims[tensor.rank - 1] / traits.block_elements) *
         static_cast<std::uint64_t>(traits.block_bytes);
}

std::uint64_t SpanBytes(const sy_tensor& tensor) {
  std::uint64_t bytes = RowBytes(tensor);
  for (std::uint32_t i = 0; i + 1 < tensor.rank; ++i) {
    bytes += static_cast<std::uint64_t>(tensor.dims[i] - 1) *
             static_cast<std::uint64_t>(tensor.strides[i]);
  }
  return bytes;
}

std::int64_t RowCount(const sy_tensor& tensor) {
  std::int64_t rows = 1;
  for (std::uint32_t i = 0; i + 1 < tensor.rank; ++i) rows *= tensor.dims[i];
  return rows;
}

bool IsDense(const sy_tensor& tensor) {
  std::uint64_t dense = RowBytes(tensor);
  for (std::uint32_t i = tensor.rank - 1; i-- > 0;) {
    if (static_cast<std::uint64_t>(tensor.strides[i]) != dense) return false;
    dense *= static_cast<std::uint64_t>(tensor.dims[i]);
  }
  return true;
}

}  // namespace switchyard::ops
