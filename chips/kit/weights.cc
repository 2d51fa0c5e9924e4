#include "kit/weights.h"

#include <cmath>
#include <cstring>

#include "kit/dequantise.h"
#include "kit/element_types.h"
#include "kit/half.h"

namespace switchyard::chips {
namespace {

std::uint64_t GivenRowBytes(const sy_weight_desc& desc) {
  const ElementType& type = *FindElementType(desc.dtype);
  return static_cast<std::uint64_t>(desc.dims[desc.rank - 1] / type.block_elements *
                                    type.block_bytes);
}

}  // namespace

void CheckWeight(const sy_weight_desc& desc) {
  const ElementType* type = FindElementType(desc.dtype);
  if (type == nullptr) {
    throw Failure(SY_INVALID_ARGUMENT, "a weight has type %u, which is none", desc.dtype);
  }
  if (desc.rank < 1 || desc.rank > SY_MAX_RANK) {
    throw Failure(SY_INVALID_ARGUMENT, "a weight has rank %u; it must be 1 to %d", desc.rank,
                  SY_MAX_RANK);
  }
  const std::int64_t width = desc.dims[desc.rank - 1];
  if (width < 1 || width % type->block_elements != 0) {
    throw Failure(
        SY_INVALID_ARGUMENT, "a weight's rows have %lld elements; %s wants multiples of %lld",
        static_cast<long long>(width), type->name, static_cast<long long>(type->block_elements));
  }
  std::uint64_t bytes = GivenRowBytes(desc);
  for (std::uint32_t i = 0; i + 1 < desc.rank; ++i) {
    if (desc.dims[i] < 1 ||
        __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(desc.dims[i]), &bytes)) {
      throw Failure(SY_INVALID_ARGUMENT, "a weight has dim %u = %lld", i,
                    static_cast<long long>(desc.dims[i]));
    }
  }
  if (desc.data == nullptr || bytes != desc.data_bytes) {
    throw Failure(SY_INVALID_ARGUMENT, "a weight has %llu bytes of data; its dims want %llu",
                  static_cast<unsigned long long>(desc.data_bytes),
                  static_cast<unsigned long long>(bytes));
  }
}

WeightImage AsGiven(const sy_weight_desc& desc) {
  const auto* bytes = static_cast<const std::byte*>(desc.data);
  return {desc.dtype,
          GivenRowBytes(desc),
          {bytes, bytes + desc.data_bytes},
          std::string(FindElementType(desc.dtype)->name) + ", as the file has it"};
}

WeightImage As16Bit(const sy_weight_desc& desc, sy_dtype dtype, std::uint64_t alignment_bytes) {
  const auto width = static_cast<std::size_t>(desc.dims[desc.rank - 1]);
  const std::uint64_t given_bytes = GivenRowBytes(desc);
  const std::uint64_t rows = desc.data_bytes / given_bytes;
  const std::uint64_t row_bytes =
      (width * 2 + alignment_bytes - 1) / alignment_bytes * alignment_bytes;
  WeightImage image{dtype, row_bytes, std::vector<std::byte>(rows * row_bytes), {}};
  std::vector<float> values(width);
  std::vector<std::uint16_t> narrow(width);
  for (std::uint64_t row = 0; row < rows; ++row) {
    DequantiseRow(desc.dtype, static_cast<const std::byte*>(desc.data) + row * given_bytes,
                  static_cast<std::int64_t>(width), values.data());
    for (std::size_t i = 0; i < width; ++i) {
      narrow[i] = dtype == SY_F16 ? FloatToF16(values[i]) : FloatToBf16(values[i]);
      if (dtype == SY_F16 && (narrow[i] & 0x7fffU) == 0x7c00U && std::isfinite(values[i])) {
        throw Failure(SY_UNIMPLEMENTED, "a weight's value %g is beyond f16",
                      static_cast<double>(values[i]));
      }
    }
    std::memcpy(image.bytes.data() + row * row_bytes, narrow.data(), width * 2);
  }
  image.layout = std::string(FindElementType(dtype)->name) + " from " +
                 FindElementType(desc.dtype)->name + ", rows of " + std::to_string(row_bytes) +
                 " bytes";
  return image;
}

}  // namespace switchyard::chips
