#include "operand.h"

#include <algorithm>
#include <limits>

#include "panel_packing.h"

namespace switchyard::cpu {
namespace {

constexpr std::int64_t kLimit = std::int64_t{1}
                                << 46;  // bytes and elements; keeps products in range
constexpr std::uint32_t kMaxTensors = 1U << 20;
constexpr std::uint32_t kMaxSlots = 1U << 16;

Status CheckShape(const sy_tensor& tensor, std::uint32_t index, Operand& operand) {
  if (tensor.rank < 1 || tensor.rank > SY_MAX_RANK) {
    return Fail(SY_INVALID_ARGUMENT, "tensor %u has rank %u; ranks are 1 to %d", index, tensor.rank,
                SY_MAX_RANK);
  }
  std::int64_t elements = 1;
  for (std::uint32_t i = 0; i < tensor.rank; ++i) {
    if (tensor.dims[i] < 1 || tensor.dims[i] > kLimit / elements) {
      return Fail(SY_INVALID_ARGUMENT, "dimension %u of tensor %u is %lld, which is not usable", i,
                  index, static_cast<long long>(tensor.dims[i]));
    }
    elements *= tensor.dims[i];
  }
  operand.dtype = tensor.dtype;
  operand.rank = tensor.rank;
  std::copy_n(tensor.dims, tensor.rank, operand.dims);
  return {};
}

Status CheckStrides(const sy_tensor& tensor, std::uint32_t index, Operand& operand) {
  const std::int64_t element = ElementBytes(tensor.dtype);
  if (element == 0) {
    return Fail(SY_INVALID_ARGUMENT, "tensor %u is of type %u, which only weights have", index,
                tensor.dtype);
  }
  std::int64_t dense = element;
  for (std::uint32_t i = tensor.rank; i-- > 0;) {
    const std::int64_t stride = tensor.strides[i];
    const bool is_last = i + 1 == tensor.rank;
    if ((is_last && stride != element) || stride < dense || stride > kLimit ||
        stride % element != 0) {
      return Fail(SY_INVALID_ARGUMENT,
                  "stride %u of tensor %u is %lld bytes; rows must not overlap and the last "
                  "dimension must be dense",
                  i, index, static_cast<long long>(stride));
    }
    operand.strides[i] = stride;
    if (tensor.dims[i] > kLimit / stride) {
      return Fail(SY_INVALID_ARGUMENT, "tensor %u is larger than any memory", index);
    }
    dense = stride * tensor.dims[i];
  }
  return {};
}

}  // namespace

std::int64_t ElementBytes(sy_dtype dtype) {
  switch (dtype) {
    case SY_F32:
    case SY_I32:
      return 4;
    case SY_F16:
    case SY_BF16:
      return 2;
    case SY_I64:
      return 8;
    case SY_I8:
      return 1;
    default:
      return 0;
  }
}

ElementType ElementTypeOf(sy_dtype dtype) {
  if (dtype == SY_F16) return kElementF16;
  if (dtype == SY_BF16) return kElementBF16;
  return kElementF32;
}

const sy_tensor& TensorAt(const sy_program_desc& desc, std::uint32_t index) {
  const auto* bytes = reinterpret_cast<const char*>(desc.tensors);
  return *reinterpret_cast<const sy_tensor*>(bytes + static_cast<std::size_t>(index) *
                                                         desc.tensors->struct_size);
}

const sy_op& OpAt(const sy_program_desc& desc, std::uint32_t index) {
  const auto* bytes = reinterpret_cast<const char*>(desc.ops);
  return *reinterpret_cast<const sy_op*>(bytes +
                                         static_cast<std::size_t>(index) * desc.ops->struct_size);
}

std::int64_t Operand::row_elements() const {
  std::int64_t elements = 1;
  for (std::uint32_t i = rank <= 1 ? 0 : 1; i < rank; ++i) elements *= dims[i];
  return elements;
}

std::int64_t Operand::row_extent() const {
  std::int64_t last = 0;
  for (std::uint32_t i = rank <= 1 ? 0 : 1; i < rank; ++i) last += (dims[i] - 1) * strides[i];
  return last + ElementBytes(dtype);
}

std::int64_t Operand::extent() const { return (rows() - 1) * row_stride() + row_extent(); }

bool Operand::has_dense_rows() const {
  return row_extent() == row_elements() * ElementBytes(dtype);
}

bool Operand::has_dims_of(const Operand& other) const {
  return rank == other.rank && std::equal(dims, dims + rank, other.dims);
}

Result<Operands> ResolveTensors(const sy_program_desc& desc) {
  if (desc.tensor_count > kMaxTensors || desc.slot_count > kMaxSlots ||
      (desc.tensor_count > 0 && desc.tensors == nullptr)) {
    return Fail(SY_INVALID_ARGUMENT, "a program of %u tensors and %u slots is not usable",
                desc.tensor_count, desc.slot_count);
  }
  if (desc.tensor_count > 0 && desc.tensors->struct_size < sizeof(sy_tensor)) {
    return Fail(SY_INVALID_ARGUMENT, "tensors of %u bytes are older than version 1",
                desc.tensors->struct_size);
  }
  Operands result;
  result.slot_count = desc.slot_count;
  result.tensors.resize(desc.tensor_count);
  std::vector<std::uint32_t> root_of_slot(desc.slot_count, kNoRoot);
  for (std::uint32_t i = 0; i < desc.tensor_count; ++i) {
    const sy_tensor& tensor = TensorAt(desc, i);
    Operand& operand = result.tensors[i];
    SWITCHYARD_CPU_RETURN_IF_ERROR(CheckShape(tensor, i, operand));
    if (tensor.storage == SY_STORAGE_WEIGHT) {
      if (FindWeightFormat(tensor.dtype) == nullptr) {
        return Fail(SY_UNIMPLEMENTED, "tensor %u is a weight of type %u, which the cpu chip lacks",
                    i, tensor.dtype);
      }
      operand.is_weight = true;
      operand.weight = tensor.weight;
      continue;
    }
    SWITCHYARD_CPU_RETURN_IF_ERROR(CheckStrides(tensor, i, operand));
    if (tensor.storage == SY_STORAGE_TEMPORARY) {
      operand.root = static_cast<std::uint32_t>(result.roots.size());
      result.roots.push_back({RootKind::kTemporary, 0, operand.extent()});
    } else if (tensor.storage == SY_STORAGE_ARGUMENT) {
      if (tensor.slot >= desc.slot_count) {
        return Fail(SY_INVALID_ARGUMENT, "tensor %u is in slot %u of %u", i, tensor.slot,
                    desc.slot_count);
      }
      std::uint32_t& root = root_of_slot[tensor.slot];
      if (root == kNoRoot) {
        root = static_cast<std::uint32_t>(result.roots.size());
        result.roots.push_back({RootKind::kArgument, tensor.slot, 0});
      }
      operand.root = root;
      result.roots[root].bytes = std::max(result.roots[root].bytes, operand.extent());
    } else if (tensor.storage != SY_STORAGE_VIEW) {
      return Fail(SY_INVALID_ARGUMENT, "tensor %u has storage %u, which does not exist", i,
                  tensor.storage);
    }
  }
  // Views last: a base may come after its views.
  for (std::uint32_t i = 0; i < desc.tensor_count; ++i) {
    const sy_tensor& tensor = TensorAt(desc, i);
    if (tensor.storage != SY_STORAGE_VIEW) continue;
    if (tensor.base >= desc.tensor_count ||
        TensorAt(desc, tensor.base).storage == SY_STORAGE_VIEW ||
        TensorAt(desc, tensor.base).storage == SY_STORAGE_WEIGHT) {
      return Fail(SY_INVALID_ARGUMENT, "tensor %u is a view of %u, which cannot be looked into", i,
                  tensor.base);
    }
    const Operand& base = result.tensors[tensor.base];
    Operand& operand = result.tensors[i];
    const std::int64_t space = base.extent();
    if (tensor.offset_bytes > static_cast<std::uint64_t>(space) ||
        operand.extent() > space - static_cast<std::int64_t>(tensor.offset_bytes)) {
      return Fail(SY_INVALID_ARGUMENT, "tensor %u, a view, reaches past the end of tensor %u", i,
                  tensor.base);
    }
    if (tensor.offset_bytes % static_cast<std::uint64_t>(ElementBytes(tensor.dtype)) != 0) {
      return Fail(SY_INVALID_ARGUMENT, "tensor %u, a view, begins inside an element", i);
    }
    operand.root = base.root;
    operand.offset = static_cast<std::int64_t>(tensor.offset_bytes);
  }
  return result;
}

}  // namespace switchyard::cpu
