#include "ops/reference/operand.h"

#include <cstring>

#include "base/error.h"
#include "ops/tensor_span.h"
#include "tensor/block_formats.h"
#include "tensor/dtype.h"
#include "tensor/half.h"

namespace switchyard::ops::reference {

std::byte* RowAddress(const Operand& operand, std::int64_t row) {
  const sy_tensor& tensor = *operand.tensor;
  std::int64_t offset = 0;
  for (std::uint32_t i = tensor.rank - 1; i-- > 0;) {
    offset += row % tensor.dims[i] * tensor.strides[i];
    row /= tensor.dims[i];
  }
  return operand.bytes + offset;
}

void LoadRow(const Operand& operand, std::int64_t row, std::span<float> values) {
  const std::byte* from = RowAddress(operand, row);
  switch (operand.tensor->dtype) {
    case SY_F32:
      std::memcpy(values.data(), from, values.size_bytes());
      return;
    case SY_F16:
    case SY_BF16: {
      const bool is_f16 = operand.tensor->dtype == SY_F16;
      for (std::size_t i = 0; i < values.size(); ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, from + 2 * i, sizeof bits);
        values[i] = is_f16 ? tensor::F16ToFloat(bits) : tensor::BF16ToFloat(bits);
      }
      return;
    }
    default: {
      // Fails for integers and for rows of broken blocks, which Validate has refused before.
      const auto dtype = static_cast<tensor::DType>(operand.tensor->dtype);
      SWITCHYARD_CHECK(
          tensor::Dequantise(dtype, {from, RowBytes(*operand.tensor)}, values).has_value());
    }
  }
}

std::vector<float> LoadRow(const Operand& operand, std::int64_t row) {
  std::vector<float> values(static_cast<std::size_t>(operand.row_length()));
  LoadRow(operand, row, values);
  return values;
}

std::vector<float> LoadRows(const Operand& operand) {
  const auto length = static_cast<std::size_t>(operand.row_length());
  const std::int64_t rows = RowCount(*operand.tensor);
  std::vector<float> values(length * static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    LoadRow(operand, row,
            std::span(values).subspan(static_cast<std::size_t>(row) * length, length));
  }
  return values;
}

void StoreRow(const Operand& operand, std::int64_t row, std::span<const float> values) {
  std::byte* to = RowAddress(operand, row);
  switch (operand.tensor->dtype) {
    case SY_F32:
      std::memcpy(to, values.data(), values.size_bytes());
      return;
    case SY_F16:
    case SY_BF16: {
      const bool is_f16 = operand.tensor->dtype == SY_F16;
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint16_t bits =
            is_f16 ? tensor::FloatToF16(values[i]) : tensor::FloatToBF16(values[i]);
        std::memcpy(to + 2 * i, &bits, sizeof bits);
      }
      return;
    }
    default:
      SWITCHYARD_CHECK(false);
  }
}

std::int32_t LoadIndex(const Operand& operand, std::int64_t row, std::int64_t column) {
  std::int32_t value = 0;
  std::memcpy(&value, RowAddress(operand, row) + column * 4, sizeof value);
  return value;
}

void StoreIndex(const Operand& operand, std::int64_t row, std::int64_t column, std::int32_t value) {
  std::memcpy(RowAddress(operand, row) + column * 4, &value, sizeof value);
}

}  // namespace switchyard::ops::reference
