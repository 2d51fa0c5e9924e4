#include "conformance/scenario.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensor/block_formats.h"

namespace switchyard::conformance {
namespace {

std::size_t Product(Dims dims) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  return static_cast<std::size_t>(count);
}

// Repeats the bytes of the first rows until `bytes` is full.
std::vector<std::byte> Repeat(std::span<const std::byte> rows, std::size_t bytes) {
  std::vector<std::byte> filled(bytes);
  for (std::size_t at = 0; at < bytes; at += rows.size()) {
    std::memcpy(filled.data() + at, rows.data(), std::min(rows.size(), bytes - at));
  }
  return filled;
}

// Where a block keeps its scales: halves at byte offsets, an exponent byte for MXFP4.
struct ScaleFields {
  std::vector<std::size_t> halves;
  bool has_exponent = false;
};

ScaleFields ScaleFieldsOf(DType dtype) {
  using namespace tensor;  // a dozen block types
  switch (dtype) {
    case DType::kQ4_0:
      return {{offsetof(BlockQ4_0, scale)}};
    case DType::kQ4_1:
      return {{offsetof(BlockQ4_1, scale), offsetof(BlockQ4_1, minimum)}};
    case DType::kQ5_0:
      return {{offsetof(BlockQ5_0, scale)}};
    case DType::kQ5_1:
      return {{offsetof(BlockQ5_1, scale), offsetof(BlockQ5_1, minimum)}};
    case DType::kQ8_0:
      return {{offsetof(BlockQ8_0, scale)}};
    case DType::kQ2_K:
      return {{offsetof(BlockQ2_K, scale), offsetof(BlockQ2_K, minimum)}};
    case DType::kQ3_K:
      return {{offsetof(BlockQ3_K, scale)}};
    case DType::kQ4_K:
      return {{offsetof(BlockQ4_K, scale), offsetof(BlockQ4_K, minimum)}};
    case DType::kQ5_K:
      return {{offsetof(BlockQ5_K, scale), offsetof(BlockQ5_K, minimum)}};
    case DType::kQ6_K:
      return {{offsetof(BlockQ6_K, scale)}};
    case DType::kIQ4_NL:
      return {{offsetof(BlockIQ4_NL, scale)}};
    case DType::kIQ4_XS:
      return {{offsetof(BlockIQ4_XS, scale)}};
    case DType::kMXFP4:
      return {{}, true};
    default:
      return {{0}};  // F32, F16 and BF16 are not blocks; see AnyBits
  }
}

// `count` elements as blocks of random bits; half scales are of magnitude 2^-7 to 2^-6.
std::vector<std::byte> AnyBits(Random& random, DType dtype, std::int64_t count) {
  const tensor::DTypeTraits& traits = tensor::Traits(dtype);
  const auto blocks = static_cast<std::size_t>(count / traits.block_elements);
  const auto size = static_cast<std::size_t>(traits.block_bytes);
  std::vector<std::byte> bytes(blocks * size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  const ScaleFields fields = ScaleFieldsOf(dtype);
  for (std::size_t block = 0; block < blocks; ++block) {
    std::byte* at = bytes.data() + block * size;
    for (const std::size_t half : fields.halves) {
      const auto bits = static_cast<std::uint16_t>(0x2000U | (random() & 0x83ffU));
      std::memcpy(at + half, &bits, sizeof bits);
    }
    if (fields.has_exponent) at[0] = static_cast<std::byte>(118 + random() % 8);
  }
  return bytes;
}

}  // namespace

std::vector<float> Normal(Random& random, std::int64_t count, float deviation) {
  // Four even draws of 16 bits, whose sum (Irwin and Hall) has a variance of a third of their
  // range.
  const float scale = deviation * std::sqrt(3.0F) / 65'536.0F;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    const std::uint64_t bits = random();
    const std::uint64_t sum =
        (bits & 0xffffU) + (bits >> 16 & 0xffffU) + (bits >> 32 & 0xffffU) + (bits >> 48);
    value = scale * static_cast<float>(static_cast<std::int64_t>(sum) - 2 * 65'535);
  }
  return values;
}

std::vector<std::byte> RandomBytes(Random& random, std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

std::vector<std::byte> Encode(DType dtype, std::span<const float> values) {
  const auto bytes = tensor::RowBytes(dtype, static_cast<std::int64_t>(values.size()));
  SWITCHYARD_CHECK(bytes.has_value());
  std::vector<std::byte> encoded(*bytes);
  SWITCHYARD_CHECK(tensor::Quantise(dtype, values, encoded).has_value());
  return encoded;
}

std::vector<float> Decode(DType dtype, std::span<const std::byte> bytes) {
  const auto width = static_cast<std::size_t>(tensor::Traits(dtype).block_bytes);
  std::vector<float> values(bytes.size() / width);
  SWITCHYARD_CHECK(tensor::Dequantise(dtype, bytes, values).has_value());
  return values;
}

Scenario::Argument& Scenario::ArgumentOf(Tensor tensor) {
  const std::uint32_t slot = list.slot(tensor);
  if (slot >= arguments_.size()) arguments_.resize(slot + 1);
  return arguments_[slot];
}

Tensor Scenario::Floats(DType dtype, Dims dims, float deviation) {
  return Floats(dtype, dims, Normal(*random_, static_cast<std::int64_t>(Product(dims)), deviation));
}

Tensor Scenario::Floats(DType dtype, Dims dims, std::span<const float> values) {
  SWITCHYARD_CHECK(values.size() == Product(dims));
  const Tensor tensor = list.Argument(dtype, dims);
  ArgumentOf(tensor).contents = Encode(dtype, values);
  return tensor;
}

Tensor Scenario::Integers(Dims dims, std::span<const std::int32_t> values) {
  SWITCHYARD_CHECK(values.size() == Product(dims));
  const Tensor tensor = list.Argument(DType::kI32, dims);
  const auto bytes = std::as_bytes(values);
  ArgumentOf(tensor).contents.assign(bytes.begin(), bytes.end());
  return tensor;
}

Tensor Scenario::HostIntegers(Dims dims, std::span<const std::int32_t> values) {
  const Tensor tensor = Integers(dims, values);
  ArgumentOf(tensor).has_host_copy = true;
  return tensor;
}

Tensor Scenario::Pages(DType dtype, Dims dims) {
  const Tensor tensor = list.Argument(dtype, dims);
  ArgumentOf(tensor).is_pages = true;
  return tensor;
}

Tensor Scenario::AddWeight(DType dtype, Dims dims, sy_weight_use use,
                           std::vector<std::byte> bytes) {
  weights_.push_back({use, std::move(bytes)});
  return list.Weight(static_cast<ops::WeightIndex>(weights_.size() - 1), dtype,
                     std::span(dims.begin(), dims.size()));
}

Tensor Scenario::Matrix(DType dtype, Dims dims, sy_weight_use use) {
  const std::int64_t length = *(dims.end() - 1);
  const auto rows = static_cast<std::int64_t>(Product(dims)) / length;
  const std::int64_t distinct = std::min(rows, kDistinctRows);
  const std::vector<std::byte> encoded = Encode(dtype, Normal(*random_, distinct * length, 0.1F));
  const std::size_t row_bytes = encoded.size() / static_cast<std::size_t>(distinct);
  return AddWeight(dtype, dims, use, Repeat(encoded, row_bytes * static_cast<std::size_t>(rows)));
}

Tensor Scenario::MatrixOfAnyBits(DType dtype, Dims dims, sy_weight_use use) {
  return AddWeight(dtype, dims, use,
                   AnyBits(*random_, dtype, static_cast<std::int64_t>(Product(dims))));
}

Tensor Scenario::Vector(std::int64_t length, float mean, float deviation) {
  std::vector<float> values = Normal(*random_, length, deviation);
  for (float& value : values) value += mean;
  return Vector(values);
}

Tensor Scenario::Vector(std::span<const float> values) {
  return AddWeight(DType::kF32, {static_cast<std::int64_t>(values.size())}, SY_WEIGHT_VECTOR,
                   Encode(DType::kF32, values));
}

void Scenario::Compare(Tensor tensor, std::string name, Tolerance tolerance, float expected_rms) {
  list.Export(tensor);
  results_.push_back({tensor, std::move(name), tolerance, expected_rms});
}

void Scenario::CompareArgument(Tensor tensor, std::string name, Tolerance tolerance,
                               float expected_rms) {
  results_.push_back({tensor, std::move(name), tolerance, expected_rms});
}

void Scenario::Seal() {
  tensors.assign(list.tensors().begin(), list.tensors().end());
  ops.assign(list.ops().begin(), list.ops().end());
}

void Scenario::SpreadRows(Tensor tensor, std::int64_t elements) {
  sy_tensor& spread = tensors[tensor.index];
  SWITCHYARD_CHECK(spread.rank >= 2);
  std::int64_t stride = spread.strides[spread.rank - 1] * (spread.dims[spread.rank - 1] + elements);
  for (std::uint32_t i = spread.rank - 1; i-- > 0;) {
    spread.strides[i] = stride;
    stride *= spread.dims[i];
  }
}

sy_program_desc Scenario::desc() const {
  sy_program_desc desc = list.desc();
  desc.tensors = tensors.data();
  desc.ops = ops.data();
  return desc;
}

std::span<const std::byte> Scenario::contents(std::uint32_t slot) const {
  if (slot >= arguments_.size()) return {};
  return arguments_[slot].contents;
}

bool Scenario::has_host_copy(std::uint32_t slot) const {
  return slot < arguments_.size() && arguments_[slot].has_host_copy;
}

bool Scenario::is_pages(std::uint32_t slot) const {
  return slot < arguments_.size() && arguments_[slot].is_pages;
}

}  // namespace switchyard::conformance
