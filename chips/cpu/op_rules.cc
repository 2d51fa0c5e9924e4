#include "op_rules.h"

#include <array>
#include <cmath>

#include "device.h"

namespace switchyard::cpu {
namespace {

using Rule = Status (*)(const OpView&);

std::unexpected<Error> Refuse(const OpView& view, const char* reason) {
  return Fail(SY_UNIMPLEMENTED, "%s: %s", OpName(view.op->kind), reason);
}

bool IsVector(const Operand* weight, std::int64_t length) {
  return weight->is_weight && weight->dtype == SY_F32 && weight->rank == 1 &&
         weight->dims[0] == length;
}

// I32 [length], anywhere but in a weight.
bool IsIndex(const Operand& x, std::int64_t length) {
  return !x.is_weight && x.dtype == SY_I32 && x.rank == 1 && x.dims[0] == length;
}

bool IsActivation(const Operand& x, std::uint32_t rank) {
  return !x.is_weight && x.is_activation() && x.rank == rank;
}

bool IsMatrix(const Operand& w, std::int64_t n, std::int64_t k) {
  return w.is_weight && w.rank == 2 && w.dims[0] == n && w.dims[1] == k;
}

Status Embedding(const OpView& v) {
  const Operand& table = v.in(0);
  const Operand& y = v.out();
  if (!table.is_weight || table.rank != 2) return Refuse(v, "the table must be a weight [V, D]");
  if (!IsActivation(y, 2) || y.dims[1] != table.dims[1] || !IsIndex(v.in(1), y.dims[0])) {
    return Refuse(v, "ids must be I32 [T] and the result [T, D] of floats");
  }
  return {};
}

Status RmsNorm(const OpView& v) {
  const Operand& x = v.in(0);
  if (x.is_weight || !x.is_activation() || !v.out().has_dims_of(x) || v.out().dtype != x.dtype) {
    return Refuse(v, "x and y must be floats of the same type and dims");
  }
  if (!IsVector(v.inputs[1], x.dims[x.rank - 1])) return Refuse(v, "the weight must be F32 [D]");
  return {};
}

Status Linear(const OpView& v) {
  const Operand& x = v.in(0);
  const Operand& y = v.out();
  if (!IsActivation(x, 2) || !IsActivation(y, 2) || x.dims[0] != y.dims[0]) {
    return Refuse(v, "x must be [T, K] and y [T, N] of floats");
  }
  if (!IsMatrix(v.in(1), y.dims[1], x.dims[1])) return Refuse(v, "the weight must be [N, K]");
  if (v.inputs[2] != nullptr && !IsVector(v.inputs[2], y.dims[1])) {
    return Refuse(v, "the bias must be F32 [N]");
  }
  return {};
}

Status Rope(const OpView& v) {
  const Operand& x = v.in(0);
  if (!IsActivation(x, 3) || !v.out().has_dims_of(x) || v.out().dtype != x.dtype) {
    return Refuse(v, "x and y must be [T, H, d] of floats of one type");
  }
  const Operand& frequencies = v.in(2);
  if (!IsIndex(v.in(1), x.dims[0])) return Refuse(v, "positions must be I32 [T]");
  if (!frequencies.is_weight || frequencies.dtype != SY_F32 || frequencies.rank != 1 ||
      2 * frequencies.dims[0] > x.dims[2]) {
    return Refuse(v, "frequencies must be F32 [r / 2] with r at most d");
  }
  return {};
}

bool ArePages(const Operand& pages) {
  return !pages.is_weight && pages.is_activation() && pages.rank == 4 &&
         pages.extent() == pages.dims[0] * pages.dims[1] * pages.dims[2] * pages.dims[3] *
                               ElementBytes(pages.dtype);
}

Status CheckPages(const OpView& v, const Operand& k_pages, const Operand& v_pages) {
  if (!ArePages(k_pages) || !ArePages(v_pages) || k_pages.dtype != v_pages.dtype) {
    return Refuse(v, "pages must be dense [n, P, G, d] of floats of one type");
  }
  if (k_pages.dims[0] != v_pages.dims[0] || k_pages.dims[1] != v_pages.dims[1] ||
      k_pages.dims[2] != v_pages.dims[2]) {
    return Refuse(v, "key and value pages must agree in n, P and G");
  }
  if (k_pages.dims[1] % kKeyBlock != 0) {
    return Refuse(v, "the page size P must be a multiple of 16");
  }
  return {};
}

Status KvStore(const OpView& v) {
  const Operand& key = v.in(0);
  const Operand& value = v.in(1);
  const Operand& k_pages = v.in(3);
  const Operand& v_pages = v.in(4);
  SWITCHYARD_CPU_RETURN_IF_ERROR(CheckPages(v, k_pages, v_pages));
  if (!IsActivation(key, 3) || !IsActivation(value, 3) || key.dtype != value.dtype ||
      key.dims[0] != value.dims[0] || key.dims[1] != k_pages.dims[2] ||
      value.dims[1] != v_pages.dims[2] || key.dims[2] != k_pages.dims[3] ||
      value.dims[2] != v_pages.dims[3]) {
    return Refuse(v, "keys and values must be [T, G, d] of floats that fit the pages");
  }
  if (!IsIndex(v.in(2), key.dims[0])) return Refuse(v, "slots must be I32 [T]");
  return {};
}

Status Attention(const OpView& v) {
  const Operand& q = v.in(0);
  const Operand& k_pages = v.in(1);
  const Operand& v_pages = v.in(2);
  const Operand& table = v.in(3);
  const Operand& y = v.out();
  SWITCHYARD_CPU_RETURN_IF_ERROR(CheckPages(v, k_pages, v_pages));
  if (!IsActivation(q, 3) || !IsActivation(y, 3) || y.dtype != q.dtype || y.dims[0] != q.dims[0] ||
      y.dims[1] != q.dims[1] || q.dims[2] != k_pages.dims[3] || y.dims[2] != v_pages.dims[3]) {
    return Refuse(v, "q must be [T, H, d] and y [T, H, dv] of floats that fit the pages");
  }
  if (q.dims[1] % k_pages.dims[2] != 0) {
    return Refuse(v, "query heads must be a multiple of key/value heads");
  }
  if (table.is_weight || table.dtype != SY_I32 || table.rank != 2 ||
      !IsIndex(v.in(4), table.dims[0] + 1) || !IsIndex(v.in(5), table.dims[0]) ||
      table.strides[0] != table.dims[1] * 4) {
    return Refuse(v, "page_table must be dense I32 [B, M] with query_start [B+1], kv_length [B]");
  }
  if (v.inputs[6] != nullptr && !IsVector(v.inputs[6], q.dims[1])) {
    return Refuse(v, "sinks must be F32 [H]");
  }
  return {};
}

Status GatedActivation(const OpView& v) {
  const Operand& gate = v.in(0);
  if (gate.is_weight || !gate.is_activation() || !v.in(1).has_dims_of(gate) ||
      !v.out().has_dims_of(gate) || v.in(1).dtype != gate.dtype || v.out().dtype != gate.dtype) {
    return Refuse(v, "gate, up and y must be floats of one type and dims");
  }
  if (v.op->activation > SY_ACTIVATION_GELU_ERF) return Refuse(v, "no such activation");
  return {};
}

Status Add(const OpView& v) {
  const Operand& a = v.in(0);
  if (a.is_weight || !a.is_activation() || v.in(1).is_weight || !v.in(1).has_dims_of(a) ||
      !v.out().has_dims_of(a) || v.in(1).dtype != a.dtype || v.out().dtype != a.dtype) {
    return Refuse(v, "a, b and y must be floats of one type and dims");
  }
  return {};
}

Status Scale(const OpView& v) {
  const Operand& x = v.in(0);
  if (x.is_weight || !x.is_activation() || !v.out().has_dims_of(x) || v.out().dtype != x.dtype) {
    return Refuse(v, "x and y must be floats of one type and dims");
  }
  return {};
}

Status RowGather(const OpView& v) {
  const Operand& x = v.in(0);
  const Operand& y = v.out();
  if (!IsActivation(x, 2) || !IsActivation(y, 2) || x.dtype != y.dtype || x.dims[1] != y.dims[1] ||
      !IsIndex(v.in(1), y.dims[0])) {
    return Refuse(v, "x must be [T, D], rows I32 [B] and y [B, D] of x's type");
  }
  return {};
}

Status Copy(const OpView& v) {
  const Operand& x = v.in(0);
  const Operand& y = v.out();
  if (x.is_weight || !y.has_dims_of(x)) return Refuse(v, "x and y must have the same dims");
  if (x.dtype != y.dtype && !(x.is_activation() && y.is_activation())) {
    return Refuse(v, "only floats change their type");
  }
  return {};
}

Status TopK(const OpView& v) {
  const Operand& x = v.in(0);
  const Operand& values = v.out(0);
  const Operand& ids = v.out(1);
  if (!IsActivation(x, 2) || values.rank != 2 || values.dtype != SY_F32 || ids.dtype != SY_I32 ||
      !ids.has_dims_of(values) || values.dims[0] != x.dims[0] || values.dims[1] > x.dims[1]) {
    return Refuse(v, "x must be [B, V], values F32 [B, k] and ids I32 [B, k] with k at most V");
  }
  if (x.dims[1] > INT32_MAX) return Refuse(v, "more columns than 31 bits count");
  return {};
}

Status RouterTopK(const OpView& v) {
  const Operand& x = v.in(0);
  const Operand& ids = v.out(0);
  const Operand& weights = v.out(1);
  if (!IsActivation(x, 2) || ids.rank != 2 || ids.dtype != SY_I32 || weights.dtype != SY_F32 ||
      !weights.has_dims_of(ids) || ids.dims[0] != x.dims[0] || ids.dims[1] > x.dims[1]) {
    return Refuse(v, "logits must be [T, E], ids I32 [T, k] and weights F32 [T, k], k at most E");
  }
  if (x.dims[1] > 65536) return Refuse(v, "more than 65536 experts");
  if (v.inputs[1] != nullptr && !IsVector(v.inputs[1], x.dims[1])) {
    return Refuse(v, "the bias must be F32 [E]");
  }
  if (v.op->scoring > SY_SCORING_SIGMOID) return Refuse(v, "no such scoring");
  return {};
}

Status GroupedLinear(const OpView& v) {
  const Operand& x = v.in(0);
  const Operand& w = v.in(1);
  const Operand& ids = v.in(2);
  const Operand& y = v.out();
  const bool shares_rows = x.rank == 2;
  if (ids.is_weight || ids.dtype != SY_I32 || ids.rank != 2 || !IsActivation(y, 3) || x.is_weight ||
      !x.is_activation() || (x.rank != 2 && x.rank != 3)) {
    return Refuse(v, "x must be [T, K] or [T, k, K], ids I32 [T, k] and y [T, k, N]");
  }
  if (x.dims[0] != ids.dims[0] || y.dims[0] != ids.dims[0] || y.dims[1] != ids.dims[1] ||
      (!shares_rows && x.dims[1] != ids.dims[1])) {
    return Refuse(v, "x, ids and y disagree in T or k");
  }
  if (!w.is_weight || w.rank != 3 || w.dims[1] != y.dims[2] || w.dims[2] != x.dims[x.rank - 1]) {
    return Refuse(v, "the weight must be [E, N, K]");
  }
  return {};
}

Status Combine(const OpView& v) {
  const Operand& y = v.in(0);
  const Operand& weights = v.in(1);
  const Operand& z = v.out();
  if (!IsActivation(y, 3) || !IsActivation(z, 2) || z.dtype != y.dtype || z.dims[0] != y.dims[0] ||
      z.dims[1] != y.dims[2] || weights.is_weight || weights.dtype != SY_F32 || weights.rank != 2 ||
      weights.dims[0] != y.dims[0] || weights.dims[1] != y.dims[1]) {
    return Refuse(v, "y must be [T, k, D], weights F32 [T, k] and z [T, D] of y's type");
  }
  return {};
}

Status BatchedLinear(const OpView& v) {
  const Operand& x = v.in(0);
  const Operand& w = v.in(1);
  const Operand& y = v.out();
  if (!IsActivation(x, 3) || !IsActivation(y, 3) || x.dims[0] != y.dims[0] ||
      x.dims[1] != y.dims[1]) {
    return Refuse(v, "x must be [T, H, K] and y [T, H, N] of floats");
  }
  if (!w.is_weight || w.rank != 3 || w.dims[0] != x.dims[1] || w.dims[1] != y.dims[2] ||
      w.dims[2] != x.dims[2]) {
    return Refuse(v, "the weight must be [H, N, K]");
  }
  return {};
}

struct OpRow {
  const char* name;
  Rule rule;
  int required_inputs;  // the first so many must be there
  int inputs;           // and up to so many may be
  int outputs;
};

constexpr std::array<OpRow, SY_OP_KIND_COUNT> kRows = {{
    {"embedding", Embedding, 2, 2, 1},
    {"rms_norm", RmsNorm, 2, 2, 1},
    {"linear", Linear, 2, 3, 1},
    {"rope", Rope, 3, 3, 1},
    {"kv_store", KvStore, 5, 5, 0},
    {"attention", Attention, 6, 7, 1},
    {"gated_activation", GatedActivation, 2, 2, 1},
    {"add", Add, 2, 2, 1},
    {"scale", Scale, 1, 1, 1},
    {"row_gather", RowGather, 2, 2, 1},
    {"copy", Copy, 1, 1, 1},
    {"top_k", TopK, 1, 1, 2},
    {"router_top_k", RouterTopK, 1, 2, 2},
    {"grouped_linear", GroupedLinear, 3, 3, 1},
    {"combine", Combine, 2, 2, 1},
    {"batched_linear", BatchedLinear, 2, 2, 1},
}};

}  // namespace

const char* OpName(sy_op_kind kind) {
  return kind < kRows.size() ? kRows[kind].name : "an unknown operation";
}

Result<OpView> CheckOp(const sy_program_desc& desc, const Operands& operands, std::uint32_t index) {
  if (index >= desc.op_count || desc.ops == nullptr) {
    return Fail(SY_INVALID_ARGUMENT, "operation %u of a program of %u", index, desc.op_count);
  }
  if (desc.ops->struct_size < sizeof(sy_op)) {
    return Fail(SY_INVALID_ARGUMENT, "operations of %u bytes are older than version 1",
                desc.ops->struct_size);
  }
  OpView view;
  view.op = &OpAt(desc, index);
  if (view.op->kind >= kRows.size()) {
    return Fail(SY_UNIMPLEMENTED, "the cpu chip has no operation %u", view.op->kind);
  }
  const OpRow& row = kRows[view.op->kind];
  const auto find = [&](std::uint32_t tensor, bool is_required, const Operand*& found) -> Status {
    if (tensor == SY_NO_TENSOR && !is_required) return {};
    if (tensor >= operands.tensors.size()) {
      return Fail(SY_INVALID_ARGUMENT, "%s, operation %u, names tensor %u of %zu", row.name, index,
                  tensor, operands.tensors.size());
    }
    found = &operands.tensors[tensor];
    return {};
  };
  for (int i = 0; i < row.inputs; ++i) {
    SWITCHYARD_CPU_RETURN_IF_ERROR(
        find(view.op->inputs[i], i < row.required_inputs, view.inputs[i]));
  }
  for (int i = 0; i < row.outputs; ++i) {
    SWITCHYARD_CPU_RETURN_IF_ERROR(find(view.op->outputs[i], true, view.outputs[i]));
    if (view.outputs[i]->is_weight) {
      return Fail(SY_INVALID_ARGUMENT, "%s, operation %u, would write to a weight", row.name,
                  index);
    }
  }
  SWITCHYARD_CPU_RETURN_IF_ERROR(row.rule(view));
  return view;
}

Status CheckWeights(const OpView& view, const sy_device* device) {
  for (const Operand* operand : view.inputs) {
    if (operand == nullptr || !operand->is_weight) continue;
    const sy_weight* weight = operand->weight;
    if (weight == nullptr) {
      return Fail(SY_INVALID_ARGUMENT, "%s: a weight is missing", OpName(view.op->kind));
    }
    bool is_same = weight->device == device && weight->dtype == operand->dtype &&
                   weight->rank == operand->rank;
    for (std::uint32_t i = 0; is_same && i < operand->rank; ++i) {
      is_same = weight->dims[i] == operand->dims[i];
    }
    if (!is_same) {
      return Fail(SY_INVALID_ARGUMENT,
                  "%s: a weight is of another device, type or shape than its tensor says",
                  OpName(view.op->kind));
    }
    if ((operand->rank == 1) != weight->is_vector) {
      return Fail(SY_INVALID_ARGUMENT, "%s: a weight was made for another use (vector or linear)",
                  OpName(view.op->kind));
    }
  }
  return {};
}

}  // namespace switchyard::cpu
