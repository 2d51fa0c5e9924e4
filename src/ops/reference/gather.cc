// Rows picked by index: from an embedding table, or from activations.
#include "ops/reference/operations.h"

namespace switchyard::ops::reference {

// y[t] = scale * table[ids[t]]
base::Status Embedding(const Call& call) {
  const Operand& table = call.inputs[0];  // [V, D]
  const Operand& ids = call.inputs[1];    // [T]
  const Operand& y = call.outputs[0];     // [T, D]
  for (std::int64_t t = 0; t < ids.dim(0); ++t) {
    const std::int32_t id = LoadIndex(ids, t);
    if (id < 0 || id >= table.dim(0)) {
      return base::Fail(base::ErrorCode::kInvalidArgument,
                        "embedding: ids[{}] is {}, but the table has {} rows", t, id, table.dim(0));
    }
    std::vector<float> row = LoadRow(table, id);
    for (float& value : row) value *= call.op.scale;
    StoreRow(y, t, row);
  }
  return {};
}

// y[b] = x[rows[b]]
base::Status RowGather(const Call& call) {
  const Operand& x = call.inputs[0];     // [T, D]
  const Operand& rows = call.inputs[1];  // [B]
  const Operand& y = call.outputs[0];    // [B, D]
  for (std::int64_t b = 0; b < rows.dim(0); ++b) {
    const std::int32_t row = LoadIndex(rows, b);
    if (row < 0 || row >= x.dim(0)) {
      return base::Fail(base::ErrorCode::kInvalidArgument,
                        "row_gather: rows[{}] is {}, but x has {} rows", b, row, x.dim(0));
    }
    StoreRow(y, b, LoadRow(x, row));
  }
  return {};
}

}  // namespace switchyard::ops::reference
