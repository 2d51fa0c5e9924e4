// Inside the pretended library: tensors as rows of floats, and halves of its own, as a vendor's
// library shares no code with who uses it.
#pragma once

#include <cstring>
#include <vector>

#include "stream.h"

namespace pretend {

inline float Widen(std::uint16_t bits) {
  std::uint32_t moved = (bits & 0x7fffU) << 13;
  float value = 0;
  std::memcpy(&value, &moved, sizeof value);
  value *= 0x1p112F;
  std::memcpy(&moved, &value, sizeof moved);
  moved |= ((bits & 0x7fffU) >= 0x7c00U ? 0x7f800000U : 0U) | (bits & 0x8000U) << 16;
  std::memcpy(&value, &moved, sizeof value);
  return value;
}

inline std::uint16_t Narrow(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  bits &= 0x7fffffffU;
  if (bits > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);
  if (bits >= 0x477ff000U) return static_cast<std::uint16_t>(sign | 0x7c00U);
  if (bits >= 0x38800000U) {
    bits += 0xfffU + ((bits >> 13) & 1U);
    return static_cast<std::uint16_t>(sign | (bits - 0x38000000U) >> 13);
  }
  std::memcpy(&value, &bits, sizeof value);
  value += 0.5F;  // rounds at the last place of a subnormal half
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<std::uint16_t>(sign | (bits - 0x3f000000U));
}

inline std::int64_t BytesOf(Type type) { return type == Type::kF16 ? 2 : 4; }

// A tensor where it really lies. Good only if `is_there`: all of it is the card's.
class Rows {
 public:
  Rows(const Card* card, const Tensor& tensor) : tensor_(tensor) {
    std::int64_t last = tensor.dims[tensor.rank - 1];
    for (int i = 0; i + 1 < tensor.rank; ++i) {
      last += (tensor.dims[i] - 1) * tensor.strides[i];
      count_ *= tensor.dims[i];
    }
    first_ = Translate(card, tensor.memory + Bytes(tensor.offset), Bytes(last));
  }

  bool is_there() const { return first_ != nullptr; }
  std::int64_t count() const { return count_; }
  std::int64_t width() const { return tensor_.dims[tensor_.rank - 1]; }
  std::int64_t dim(int i) const { return tensor_.dims[i]; }

  std::byte* At(std::int64_t row) const {
    std::int64_t offset = 0;
    for (int i = tensor_.rank - 1; i-- > 0; row /= tensor_.dims[i]) {
      offset += row % tensor_.dims[i] * tensor_.strides[i];
    }
    return first_ + Bytes(offset);
  }
  void Load(std::int64_t row, float* out) const {
    const std::byte* const from = At(row);
    if (tensor_.type == Type::kF32) {
      std::memcpy(out, from, Bytes(width()));
      return;
    }
    const auto* const halves = reinterpret_cast<const std::uint16_t*>(from);
    for (std::int64_t i = 0; i < width(); ++i) out[i] = Widen(halves[i]);
  }
  std::vector<float> Load(std::int64_t row) const {
    std::vector<float> values(static_cast<std::size_t>(width()));
    Load(row, values.data());
    return values;
  }
  void Store(std::int64_t row, const float* values) const {
    std::byte* const to = At(row);
    if (tensor_.type == Type::kF32) {
      std::memcpy(to, values, Bytes(width()));
      return;
    }
    auto* const halves = reinterpret_cast<std::uint16_t*>(to);
    for (std::int64_t i = 0; i < width(); ++i) halves[i] = Narrow(values[i]);
  }
  // Of integers.
  std::int32_t Index(std::int64_t row, std::int64_t column = 0) const {
    std::int32_t index = 0;
    std::memcpy(&index, At(row) + Bytes(column), sizeof index);
    return index;
  }

 private:
  std::uint64_t Bytes(std::int64_t elements) const {
    return static_cast<std::uint64_t>(elements * BytesOf(tensor_.type));
  }

  Tensor tensor_;
  std::byte* first_ = nullptr;
  std::int64_t count_ = 1;
};

// A vector of parameters or indices [n] as one row.
inline std::vector<float> LoadVector(const Rows& rows) { return rows.Load(0); }

}  // namespace pretend
