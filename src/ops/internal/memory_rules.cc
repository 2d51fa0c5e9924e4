#include "ops/internal/memory_rules.h"

#include <algorithm>

#include "ops/op_rules.h"
#include "ops/tensor_span.h"

namespace switchyard::ops::internal {
namespace {

using base::ErrorCode;
using base::Fail;

std::uint64_t OffsetOf(const sy_tensor& tensor) {
  return tensor.storage == SY_STORAGE_VIEW ? tensor.offset_bytes : 0;
}

// The stride between rows of everything below the outermost dim that has more than one index.
struct Rows {
  std::uint64_t stride = 0;  // 0: a single row
  std::uint64_t bytes = 0;   // span of one row
};

Rows OutermostRows(const sy_tensor& tensor) {
  for (std::uint32_t i = 0; i + 1 < tensor.rank; ++i) {
    if (tensor.dims[i] == 1) continue;
    const auto stride = static_cast<std::uint64_t>(tensor.strides[i]);
    return {stride, SpanBytes(tensor) - static_cast<std::uint64_t>(tensor.dims[i] - 1) * stride};
  }
  return {0, SpanBytes(tensor)};
}

}  // namespace

bool SharesMemory(const sy_tensor* tensors, std::uint32_t a, std::uint32_t b) {
  if (RootOf(tensors, a) != RootOf(tensors, b)) return false;
  const std::uint64_t a_begin = OffsetOf(tensors[a]);
  const std::uint64_t b_begin = OffsetOf(tensors[b]);
  if (a_begin >= b_begin + SpanBytes(tensors[b]) || b_begin >= a_begin + SpanBytes(tensors[a])) {
    return false;
  }
  Rows a_rows = OutermostRows(tensors[a]);
  Rows b_rows = OutermostRows(tensors[b]);
  if (a_rows.stride == 0) a_rows.stride = b_rows.stride;
  if (b_rows.stride == 0) b_rows.stride = a_rows.stride;
  const std::uint64_t stride = a_rows.stride;
  if (stride == 0 || stride != b_rows.stride) return true;
  // Both repeat every `stride` bytes: compare their windows on the circle of that length.
  const std::uint64_t from_a_to_b = (b_begin % stride + stride - a_begin % stride) % stride;
  const std::uint64_t from_b_to_a = (stride - from_a_to_b) % stride;
  return from_a_to_b < a_rows.bytes || from_b_to_a < b_rows.bytes;
}

bool IsSameMemory(const sy_tensor* tensors, std::uint32_t a, std::uint32_t b) {
  if (a == b) return true;
  const sy_tensor& left = tensors[a];
  const sy_tensor& right = tensors[b];
  if (RootOf(tensors, a) != RootOf(tensors, b) || OffsetOf(left) != OffsetOf(right) ||
      left.dtype != right.dtype || left.rank != right.rank) {
    return false;
  }
  for (std::uint32_t i = 0; i < left.rank; ++i) {
    if (left.dims[i] != right.dims[i]) return false;
    if (left.dims[i] > 1 && left.strides[i] != right.strides[i]) return false;
  }
  return true;
}

MemoryRules::MemoryRules(const sy_program_desc& desc)
    : desc_(desc), written_(desc.tensor_count, false), roles_(desc.tensor_count, Role::kUnused) {}

base::Status MemoryRules::CheckRead(std::uint32_t op, const Place& place, std::uint32_t tensor) {
  const std::uint32_t root = RootOf(desc_.tensors, tensor);
  if (desc_.tensors[root].storage == SY_STORAGE_TEMPORARY && !written_[root]) {
    return Fail(ErrorCode::kInvalidArgument,
                "op {} ({}): {} reads temporary {} before any operation wrote to it", op,
                OpName(desc_.ops[op].kind), place.name, root);
  }
  return {};
}

base::Status MemoryRules::CheckRole(std::uint32_t op, const Place& place, std::uint32_t tensor) {
  const Role role = place.kind == Kind::kPages ? Role::kPages : Role::kElements;
  Role& known = roles_[RootOf(desc_.tensors, tensor)];
  if (known != Role::kUnused && known != role) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "op {} ({}): {} is tensor {}, which is used both as KV pages and otherwise; what is "
        "inside pages is the chip's own business",
        op, OpName(desc_.ops[op].kind), place.name, tensor);
  }
  known = role;
  return {};
}

base::Status MemoryRules::Check(std::uint32_t op_index, const Signature& signature) {
  const sy_op& op = desc_.ops[op_index];
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    if (op.inputs[i] == SY_NO_TENSOR) continue;
    SWITCHYARD_RETURN_IF_ERROR(CheckRead(op_index, signature.inputs[i], op.inputs[i]));
    SWITCHYARD_RETURN_IF_ERROR(CheckRole(op_index, signature.inputs[i], op.inputs[i]));
  }
  if (op.kind == SY_OP_KV_STORE && op.inputs[3] == op.inputs[4]) {
    return Fail(ErrorCode::kInvalidArgument,
                "op {} (kv_store): k_pages and v_pages are both tensor {}", op_index, op.inputs[3]);
  }
  for (std::size_t o = 0; o < signature.outputs.size(); ++o) {
    const Place& place = signature.outputs[o];
    const std::uint32_t output = op.outputs[o];
    SWITCHYARD_RETURN_IF_ERROR(CheckRole(op_index, place, output));
    for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
      if (op.inputs[i] == SY_NO_TENSOR || !SharesMemory(desc_.tensors, output, op.inputs[i])) {
        continue;
      }
      const bool may_be_in_place =
          o == 0 && static_cast<std::int32_t>(i) == signature.in_place_input;
      if (may_be_in_place && IsSameMemory(desc_.tensors, output, op.inputs[i])) continue;
      return Fail(
          ErrorCode::kInvalidArgument,
          "op {} ({}): output {} (tensor {}) shares memory with input {} (tensor {}); {}", op_index,
          OpName(op.kind), place.name, output, signature.inputs[i].name, op.inputs[i],
          may_be_in_place ? "in place they must be exactly the same memory" : "it must not");
    }
    if (o == 1 && SharesMemory(desc_.tensors, op.outputs[0], output)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "op {} ({}): outputs {} and {} (tensors {} and {}) share memory", op_index,
                  OpName(op.kind), signature.outputs[0].name, place.name, op.outputs[0], output);
    }
  }
  for (std::size_t o = 0; o < signature.outputs.size(); ++o) {
    written_[RootOf(desc_.tensors, op.outputs[o])] = true;
  }
  return {};
}

}  // namespace switchyard::ops::internal
