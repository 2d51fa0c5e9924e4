#include "ops/op_rules.h"

#include "ops/internal/memory_rules.h"
#include "ops/internal/signature_rules.h"
#include "ops/internal/signatures.h"
#include "ops/internal/tensor_rules.h"

namespace switchyard::ops {

std::string_view OpName(sy_op_kind kind) {
  switch (kind) {
    case SY_OP_EMBEDDING:
      return "embedding";
    case SY_OP_RMS_NORM:
      return "rms_norm";
    case SY_OP_LINEAR:
      return "linear";
    case SY_OP_ROPE:
      return "rope";
    case SY_OP_KV_STORE:
      return "kv_store";
    case SY_OP_ATTENTION:
      return "attention";
    case SY_OP_GATED_ACTIVATION:
      return "gated_activation";
    case SY_OP_ADD:
      return "add";
    case SY_OP_SCALE:
      return "scale";
    case SY_OP_ROW_GATHER:
      return "row_gather";
    case SY_OP_COPY:
      return "copy";
    case SY_OP_TOP_K:
      return "top_k";
    case SY_OP_ROUTER_TOP_K:
      return "router_top_k";
    case SY_OP_GROUPED_LINEAR:
      return "grouped_linear";
    case SY_OP_COMBINE:
      return "combine";
    case SY_OP_BATCHED_LINEAR:
      return "batched_linear";
    default:
      return "unknown";
  }
}

base::Status Validate(const sy_program_desc& desc) {
  using base::ErrorCode;
  using base::Fail;
  if (desc.struct_size < sizeof(sy_program_desc)) {
    return Fail(ErrorCode::kInvalidArgument, "the program has struct_size {}; it must be {}",
                desc.struct_size, sizeof(sy_program_desc));
  }
  if ((desc.tensor_count > 0 && desc.tensors == nullptr) ||
      (desc.op_count > 0 && desc.ops == nullptr)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the program has {} tensors and {} operations but null arrays", desc.tensor_count,
                desc.op_count);
  }
  SWITCHYARD_RETURN_IF_ERROR(internal::CheckTensors(desc));
  internal::MemoryRules memory(desc);
  for (std::uint32_t index = 0; index < desc.op_count; ++index) {
    const sy_op& op = desc.ops[index];
    if (op.struct_size != sizeof(sy_op)) {
      return Fail(ErrorCode::kInvalidArgument, "op {} ({}) has struct_size {}; it must be {}",
                  index, OpName(op.kind), op.struct_size, sizeof(sy_op));
    }
    const std::uint32_t first_rank =
        op.inputs[0] < desc.tensor_count ? desc.tensors[op.inputs[0]].rank : 0;
    const internal::Signature* signature = internal::FindSignature(op.kind, first_rank);
    if (signature == nullptr) {
      return Fail(ErrorCode::kInvalidArgument, "op {} has kind {}, which is none", index, op.kind);
    }
    SWITCHYARD_RETURN_IF_ERROR(internal::CheckSignature(desc, index, *signature));
    SWITCHYARD_RETURN_IF_ERROR(memory.Check(index, *signature));
  }
  return {};
}

}  // namespace switchyard::ops
