#include "kit/program_check.h"

#include "kit/element_types.h"

namespace switchyard::chips {
namespace {

// Well below where sums of such sizes could overflow.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 60;

void CheckTensor(std::size_t index, const sy_tensor& tensor) {
  const ElementType* type = FindElementType(tensor.dtype);
  if (type == nullptr) {
    throw Failure(SY_UNIMPLEMENTED, "tensor %zu has type %u, which this chip does not know", index,
                  tensor.dtype);
  }
  if (tensor.rank < 1 || tensor.rank > SY_MAX_RANK) {
    throw Failure(SY_INVALID_ARGUMENT, "tensor %zu has rank %u; it must be 1 to %d", index,
                  tensor.rank, SY_MAX_RANK);
  }
  std::int64_t bytes = type->block_bytes;
  for (std::uint32_t i = tensor.rank; i-- > 0;) {
    const std::int64_t dim = tensor.dims[i];
    const std::int64_t step = i + 1 == tensor.rank ? type->block_elements : 1;
    const bool is_row = i + 1 == tensor.rank;
    const std::int64_t stride =
        tensor.storage == SY_STORAGE_WEIGHT || is_row ? bytes : tensor.strides[i];
    if (dim < 1 || dim % step != 0 || stride < bytes || stride > kMostBytes ||
        __builtin_mul_overflow(dim / step, stride, &bytes) || bytes > kMostBytes) {
      throw Failure(SY_INVALID_ARGUMENT, "tensor %zu has dim %u = %lld with stride %lld", index, i,
                    static_cast<long long>(dim), static_cast<long long>(tensor.strides[i]));
    }
  }
}

void CheckView(std::size_t index, const std::vector<sy_tensor>& tensors) {
  const sy_tensor& view = tensors[index];
  if (view.base >= tensors.size() || tensors[view.base].storage == SY_STORAGE_VIEW ||
      tensors[view.base].dtype != view.dtype) {
    throw Failure(SY_INVALID_ARGUMENT, "tensor %zu is a view into %u, which it cannot be", index,
                  view.base);
  }
  const std::uint64_t span = SpanBytes(tensors[view.base]);
  if (view.offset_bytes > span || SpanBytes(view) > span - view.offset_bytes) {
    throw Failure(SY_INVALID_ARGUMENT, "tensor %zu is a view of %llu bytes from %llu into %llu",
                  index, static_cast<unsigned long long>(SpanBytes(view)),
                  static_cast<unsigned long long>(view.offset_bytes),
                  static_cast<unsigned long long>(span));
  }
}

// The first and the second of a kv_store's or an attention's inputs that are pages; 0: none.
std::uint32_t FirstPages(sy_op_kind kind) {
  if (kind == SY_OP_KV_STORE) return 3;
  return kind == SY_OP_ATTENTION ? 1 : 0;
}

}  // namespace

void CheckProgram(std::vector<sy_tensor>& tensors, const std::vector<sy_op>& ops,
                  std::uint32_t slot_count) {
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].kind >= SY_OP_KIND_COUNT) {
      throw Failure(SY_UNIMPLEMENTED, "op %zu is of kind %u, which this chip does not know", i,
                    ops[i].kind);
    }
    const auto check = [&](std::uint32_t tensor) {
      if (tensor == SY_NO_TENSOR || tensor < tensors.size()) return;
      throw Failure(SY_INVALID_ARGUMENT, "op %zu names tensor %u; there are %zu", i, tensor,
                    tensors.size());
    };
    for (const std::uint32_t input : ops[i].inputs) check(input);
    for (const std::uint32_t output : ops[i].outputs) check(output);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CheckTensor(i, tensors[i]);
    if (tensors[i].storage > SY_STORAGE_VIEW ||
        (tensors[i].storage == SY_STORAGE_ARGUMENT && tensors[i].slot >= slot_count)) {
      throw Failure(SY_INVALID_ARGUMENT, "tensor %zu has storage %u and slot %u of %u", i,
                    tensors[i].storage, tensors[i].slot, slot_count);
    }
    if (tensors[i].storage == SY_STORAGE_WEIGHT) MakeDense(tensors[i]);
  }
  for (const sy_op& op : ops) {
    const std::uint32_t first = FirstPages(op.kind);
    if (first == 0) continue;
    for (const std::uint32_t pages : {op.inputs[first], op.inputs[first + 1]}) {
      if (pages != SY_NO_TENSOR) MakeDense(tensors[pages]);
    }
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].storage == SY_STORAGE_VIEW) CheckView(i, tensors);
  }
}

Operation FindOperation(const std::vector<sy_tensor>& tensors, const sy_op& op) {
  Operation operation{};
  operation.op = op;
  for (int i = 0; i < SY_MAX_INPUTS; ++i) {
    if (op.inputs[i] != SY_NO_TENSOR) operation.inputs[i].tensor = &tensors[op.inputs[i]];
  }
  for (int i = 0; i < SY_MAX_OUTPUTS; ++i) {
    if (op.outputs[i] != SY_NO_TENSOR) operation.outputs[i].tensor = &tensors[op.outputs[i]];
  }
  return operation;
}

}  // namespace switchyard::chips
