#include "ops/op_rules.h"

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

}  // namespace switchyard::ops
