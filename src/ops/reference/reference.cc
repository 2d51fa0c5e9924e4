#include "ops/reference/reference.h"

#include "ops/reference/operations.h"

namespace switchyard::ops::reference {

base::Status Run(const Call& call) {
  switch (call.op.kind) {
    case SY_OP_EMBEDDING:
      return Embedding(call);
    case SY_OP_RMS_NORM:
      return RmsNorm(call);
    case SY_OP_LINEAR:
      return Linear(call);
    case SY_OP_ROPE:
      return Rope(call);
    case SY_OP_KV_STORE:
      return KvStore(call);
    case SY_OP_ATTENTION:
      return Attention(call);
    case SY_OP_GATED_ACTIVATION:
      return GatedActivation(call);
    case SY_OP_ADD:
      return Add(call);
    case SY_OP_SCALE:
      return Scale(call);
    case SY_OP_ROW_GATHER:
      return RowGather(call);
    case SY_OP_COPY:
      return Copy(call);
    case SY_OP_TOP_K:
      return TopK(call);
    case SY_OP_ROUTER_TOP_K:
      return RouterTopK(call);
    case SY_OP_GROUPED_LINEAR:
      return GroupedLinear(call);
    case SY_OP_COMBINE:
      return Combine(call);
    case SY_OP_BATCHED_LINEAR:
      return BatchedLinear(call);
    default:
      return base::Fail(base::ErrorCode::kUnimplemented, "there is no operation {}", call.op.kind);
  }
}

}  // namespace switchyard::ops::reference
