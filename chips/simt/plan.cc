#include "plan.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kit/temporary_placement.h"
#include "ops/op_rules.h"
#include "ops/tensor_span.h"
#include "parameters_on_host.h"
#include "weight_layout.h"

namespace switchyard::simt {

const std::uint64_t kAttentionLocalBytes =
    (2 * ATTENTION_NUMBERS + 64 * 33 + ATTENTION_ROWS * (32 + 3) + 2 * 32) * sizeof(float);

namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::int64_t kMostInDim = std::int64_t{1} << 30;  // kernels count elements in 32 bits
constexpr std::int64_t kColumnTile = 4096;                  // COLUMN_TILE of kernels/rows.cl
// Two query rows fit into a group of attention.
constexpr std::int64_t kMostHeadWidth = ATTENTION_NUMBERS / 2;
constexpr std::uint64_t kMostGroupsY = 65535;  // of CUDA's and HIP's grids

std::uint64_t Ceil(std::int64_t value, std::int64_t by) {
  return static_cast<std::uint64_t>((value + by - 1) / by);
}

i32 Int(std::int64_t value) { return static_cast<i32>(value); }

// All dims but the last.
Rows RowsOf(const sy_tensor& tensor) {
  Rows rows{{0, 0, 0}, {1, 1, 1}, Int(tensor.dtype)};
  for (std::uint32_t i = 0; i + 1 < tensor.rank; ++i) {
    const std::uint32_t to = 3 - (tensor.rank - 1) + i;
    rows.dims[to] = Int(tensor.dims[i]);
    rows.strides[to] = tensor.strides[i];
  }
  return rows;
}

i32 LengthOf(const sy_tensor& tensor) { return Int(tensor.dims[tensor.rank - 1]); }

class Planner {
 public:
  Planner(const sy_program_desc& desc, const PlanOptions& options)
      : desc_(desc), options_(options) {
    placement_ = chips::PlaceTemporaries(desc, options.alignment);
    plan_.workspace_bytes = placement_.workspace_bytes;
    plan_.slot_bytes.resize(desc.slot_count, 0);
    for (std::uint32_t i = 0; i < desc.tensor_count; ++i) {
      const sy_tensor& tensor = desc.tensors[i];
      if (tensor.storage == SY_STORAGE_ARGUMENT) {
        plan_.slot_bytes[tensor.slot] = ops::SpanBytes(tensor);
      }
    }
  }

  Plan Make() {
    for (std::uint32_t i = 0; i < desc_.op_count; ++i) {
      op_ = &desc_.ops[i];
      Append();
    }
    return std::move(plan_);
  }

 private:
  const sy_tensor& In(int i) const { return desc_.tensors[op_->inputs[i]]; }
  bool Has(int i) const { return op_->inputs[i] != SY_NO_TENSOR; }
  const sy_tensor& Out(int i = 0) const { return desc_.tensors[op_->outputs[i]]; }

  MemoryPlace PlaceOf(std::uint32_t index) const {
    const sy_tensor& tensor = desc_.tensors[index];
    if (tensor.storage == SY_STORAGE_WEIGHT) return {MemoryKind::kWeight, 0, tensor.weight, 0};
    const std::uint32_t root = ops::RootOf(desc_.tensors, index);
    const std::uint64_t offset = tensor.storage == SY_STORAGE_VIEW ? tensor.offset_bytes : 0;
    if (desc_.tensors[root].storage == SY_STORAGE_TEMPORARY) {
      return {MemoryKind::kWorkspace, 0, nullptr, placement_.offsets[root] + offset};
    }
    return {MemoryKind::kSlot, desc_.tensors[root].slot, nullptr, offset};
  }
  MemoryPlace InPlace(int i) const { return PlaceOf(op_->inputs[i]); }
  MemoryPlace OutPlace(int i = 0) const { return PlaceOf(op_->outputs[i]); }
  // A kernel's argument must be some memory even where it is not read.
  MemoryPlace InPlaceOr(int i, MemoryPlace otherwise) const {
    return Has(i) ? InPlace(i) : otherwise;
  }

  template <typename Parameters>
  void Add(Kernel kernel, std::uint64_t groups_x, std::uint64_t groups_y,
           std::vector<MemoryPlace> places, const Parameters& parameters,
           sy_dtype format = SY_F32) {
    Launch launch{kernel, format, groups_x, groups_y, std::move(places), {}};
    launch.parameters.resize(sizeof parameters);
    std::memcpy(launch.parameters.data(), &parameters, sizeof parameters);
    plan_.launches.push_back(std::move(launch));
  }

  // For kernels that take a row and a tile of columns.
  template <typename Parameters>
  void AddByRows(Kernel kernel, const sy_tensor& y, std::vector<MemoryPlace> places,
                 const Parameters& parameters) {
    Add(kernel, static_cast<std::uint64_t>(ops::RowCount(y)), Ceil(y.dims[y.rank - 1], kColumnTile),
        std::move(places), parameters);
  }

  void AddElementwise(i32 kind) {
    const bool has_second = kind != ELEMENTWISE_SCALE;
    ElementwiseParameters p{RowsOf(In(0)), RowsOf(has_second ? In(1) : In(0)),
                            RowsOf(Out()), LengthOf(In(0)),
                            kind,          op_->scale,
                            op_->softcap};
    AddByRows(Kernel::kElementwise, Out(), {InPlace(0), InPlace(has_second ? 1 : 0), OutPlace()},
              p);
  }

  void AddCopy(bool is_indexed) {
    const sy_tensor& x = In(0);
    const bool converts = x.dtype != Out().dtype;
    CopyParameters p{RowsOf(x), RowsOf(Out()),    LengthOf(x),
                     4,         converts ? 1 : 0, is_indexed ? Int(x.dims[0]) : 0};
    if (x.dtype == SY_F16 || x.dtype == SY_BF16) p.element_bytes = 2;
    if (x.dtype == SY_I64) p.element_bytes = 8;
    if (x.dtype == SY_I8) p.element_bytes = 1;
    AddByRows(Kernel::kCopyRows, Out(), {InPlace(0), InPlace(is_indexed ? 1 : 0), OutPlace()}, p);
  }

  void AddSelection(Kernel kernel) {
    SelectParameters p{RowsOf(In(0)),
                       RowsOf(Out(0)),
                       RowsOf(Out(1)),
                       LengthOf(In(0)),
                       LengthOf(Out(0)),
                       op_->scoring == SY_SCORING_SIGMOID ? 1 : 0,
                       op_->router_renormalise != 0 ? 1 : 0,
                       0,
                       op_->scale};
    std::vector<MemoryPlace> places = {InPlace(0)};
    if (kernel == Kernel::kRouterTopK) {
      p.has_bias = Has(1) ? 1 : 0;
      places.push_back(InPlaceOr(1, InPlace(0)));
    }
    places.push_back(OutPlace(0));
    places.push_back(OutPlace(1));
    Add(kernel, static_cast<std::uint64_t>(In(0).dims[0]), 1, std::move(places), p);
  }

  void AddStore() {
    const sy_tensor& key = In(0);
    const sy_tensor& pages = In(3);
    StoreParameters p{
        RowsOf(key),      RowsOf(In(1)),    Int(pages.dtype),   Int(pages.dims[0] * pages.dims[1]),
        Int(key.dims[1]), Int(key.dims[2]), Int(In(1).dims[2]), 0};
    Add(Kernel::kKvStore, static_cast<std::uint64_t>(key.dims[0]), 1,
        {InPlace(0), InPlace(1), InPlace(2), InPlace(3), InPlace(4)}, p);
  }

  void AddAttention() {
    const sy_tensor& q = In(0);
    const sy_tensor& pages = In(1);
    const sy_tensor& table = In(3);
    AttentionParameters p{};
    p.q = RowsOf(q);
    p.y = RowsOf(Out());
    p.page_dtype = Int(pages.dtype);
    p.heads_each = Int(q.dims[1] / pages.dims[2]);
    p.kv_heads = Int(pages.dims[2]);
    p.key_width = Int(q.dims[2]);
    p.value_width = Int(Out().dims[2]);
    p.page_size = Int(pages.dims[1]);
    p.page_count = Int(pages.dims[0]);
    p.sequences = Int(table.dims[0]);
    p.window = Int(std::min<std::uint32_t>(op_->window, std::numeric_limits<i32>::max()));
    p.has_sinks = Has(6) ? 1 : 0;
    p.scale = op_->scale;
    p.softcap = op_->softcap;
    p.table_stride = Int(table.strides[0]);
    plan_.checks.push_back({In(3).slot, In(4).slot, In(5).slot, table.dims[0], table.dims[1],
                            table.strides[0], pages.dims[1], pages.dims[0], q.dims[0]});
    // As many query rows in a group as it holds, but no more of its tokens than a sequence has: a
    // group takes sequences one after the other.
    const std::int64_t width = std::max(q.dims[2], (Out().dims[2] + 7) / 8 * 8);
    const std::int64_t rows =
        std::clamp<std::int64_t>(ATTENTION_NUMBERS / width, 1, ATTENTION_ROWS);
    const std::int64_t heads = std::min(q.dims[1] / pages.dims[2], rows);
    const std::int64_t tokens_each = std::max<std::int64_t>(1, q.dims[0] / table.dims[0]);
    p.tokens = Int(q.dims[0]);
    p.block_heads = Int(heads);
    p.head_blocks = (p.heads_each + p.block_heads - 1) / p.block_heads;
    p.block_tokens = Int(std::min(rows / heads, tokens_each));
    Add(Kernel::kAttention,
        static_cast<std::uint64_t>((p.tokens + p.block_tokens - 1) / p.block_tokens),
        static_cast<std::uint64_t>(p.kv_heads) * static_cast<std::uint64_t>(p.head_blocks),
        {InPlace(0), InPlace(1), InPlace(2), InPlace(3), InPlace(4), InPlace(5),
         InPlaceOr(6, InPlace(0)), OutPlace()},
        p);
  }

  WeightLayout LayoutOfInput(int i) const {
    WeightShape shape{In(i).dtype, In(i).rank, {1, 1, 1, 1}};
    std::copy_n(In(i).dims, SY_MAX_RANK, shape.dims);
    return LayoutOf(shape);
  }

  void AddEmbedding() {
    const WeightLayout layout = LayoutOfInput(0);
    EmbeddingParameters p{RowsOf(Out()),      static_cast<i64>(layout.matrix_bytes),
                          Int(layout.blocks), Int(In(0).dims[0]),
                          LengthOf(Out()),    op_->scale};
    Add(Kernel::kEmbedding, static_cast<std::uint64_t>(Out().dims[0]), 1,
        {InPlace(0), InPlace(1), OutPlace()}, p, In(0).dtype);
  }

  void AddLinear(i32 mode) {
    const sy_tensor& x = In(0);
    const sy_tensor& w = In(1);
    const sy_tensor& y = Out();
    const WeightLayout layout = LayoutOfInput(1);
    LinearParameters p{};
    p.x_token_stride = x.strides[0];
    p.x_column_stride = x.rank == 3 ? x.strides[1] : 0;
    p.y_token_stride = y.strides[0];
    p.y_column_stride = y.rank == 3 ? y.strides[1] : 0;
    p.ids_stride = mode == LINEAR_GROUPED ? In(2).strides[0] : 0;
    p.matrix_bytes = static_cast<i64>(layout.matrix_bytes);
    p.tokens = Int(x.dims[0]);
    p.columns = y.rank == 3 ? Int(y.dims[1]) : 1;
    p.outer = LengthOf(y);
    p.inner = LengthOf(x);
    p.blocks = Int(layout.blocks);
    p.x_dtype = Int(x.dtype);
    p.y_dtype = Int(y.dtype);
    p.mode = mode;
    p.matrices = w.rank == 3 ? Int(w.dims[0]) : 1;
    const bool has_bias = mode == LINEAR_PLAIN && Has(2);
    p.has_bias = has_bias ? 1 : 0;
    // Rows that meet at one matrix share what is read of it; those of experts seldom do.
    const Kernel kernel = mode == LINEAR_GROUPED ? Kernel::kGroupedLinear
                          : x.dims[0] == 1       ? Kernel::kLinear1
                                                 : Kernel::kLinear8;
    const std::int64_t tile = kernel == Kernel::kLinear8 ? 8 : 1;
    const std::int64_t group_rows = std::min<std::int64_t>(
        std::int64_t{options_.linear_lanes} * options_.rows_of_lane, kPanelRows);
    Add(kernel, Ceil(x.dims[0], tile) * static_cast<std::uint64_t>(p.columns),
        Ceil(p.outer, group_rows),
        {InPlace(0), InPlace(1), has_bias ? InPlace(2) : InPlace(0),
         mode == LINEAR_GROUPED ? InPlace(2) : InPlace(0), OutPlace()},
        p, w.dtype);
  }

  void Append();

  const sy_program_desc& desc_;
  const PlanOptions& options_;
  chips::TemporaryPlacement placement_;
  const sy_op* op_ = nullptr;
  Plan plan_;
};

void Planner::Append() {
  switch (op_->kind) {
    case SY_OP_EMBEDDING:
      return AddEmbedding();
    case SY_OP_RMS_NORM:
      return Add(Kernel::kRmsNorm, static_cast<std::uint64_t>(ops::RowCount(In(0))), 1,
                 {InPlace(0), InPlace(1), OutPlace()},
                 NormParameters{RowsOf(In(0)), RowsOf(Out()), LengthOf(In(0)), op_->eps});
    case SY_OP_LINEAR:
      return AddLinear(LINEAR_PLAIN);
    case SY_OP_ROPE:
      return Add(Kernel::kRope, static_cast<std::uint64_t>(ops::RowCount(In(0))), 1,
                 {InPlace(0), InPlace(1), InPlace(2), OutPlace()},
                 RopeParameters{RowsOf(In(0)), RowsOf(Out()), LengthOf(In(0)), LengthOf(In(2)),
                                op_->rope_interleaved != 0 ? 1 : 0, op_->scale});
    case SY_OP_KV_STORE:
      return AddStore();
    case SY_OP_ATTENTION:
      return AddAttention();
    case SY_OP_GATED_ACTIVATION:
      return AddElementwise(op_->activation == SY_ACTIVATION_GELU_TANH  ? ELEMENTWISE_GELU_TANH
                            : op_->activation == SY_ACTIVATION_GELU_ERF ? ELEMENTWISE_GELU_ERF
                                                                        : ELEMENTWISE_SILU);
    case SY_OP_ADD:
      return AddElementwise(ELEMENTWISE_ADD);
    case SY_OP_SCALE:
      return AddElementwise(ELEMENTWISE_SCALE);
    case SY_OP_ROW_GATHER:
      return AddCopy(true);
    case SY_OP_COPY:
      return AddCopy(false);
    case SY_OP_TOP_K:
      return AddSelection(Kernel::kTopK);
    case SY_OP_ROUTER_TOP_K:
      return AddSelection(Kernel::kRouterTopK);
    case SY_OP_GROUPED_LINEAR:
      return AddLinear(LINEAR_GROUPED);
    case SY_OP_COMBINE:
      return AddByRows(Kernel::kCombine, Out(), {InPlace(0), InPlace(1), OutPlace()},
                       CombineParameters{RowsOf(In(0)), RowsOf(In(1)), RowsOf(Out()),
                                         LengthOf(Out()), Int(In(0).dims[1])});
    case SY_OP_BATCHED_LINEAR:
      return AddLinear(LINEAR_BATCHED);
    default:
      SWITCHYARD_CHECK(false);
  }
}

// What kernels count in 32 bits, and the widths that their local memory holds.
base::Status CheckLimits(const sy_program_desc& desc, const sy_op& op) {
  const auto check = [&](std::uint32_t index) -> base::Status {
    if (index == SY_NO_TENSOR) return {};
    const sy_tensor& tensor = desc.tensors[index];
    for (std::uint32_t i = 0; i < tensor.rank; ++i) {
      if (tensor.dims[i] > kMostInDim) {
        return Fail(ErrorCode::kUnimplemented, "{}: dimension {} of tensor {} is {}, above {}",
                    ops::OpName(op.kind), i, index, tensor.dims[i], kMostInDim);
      }
    }
    if (static_cast<std::uint64_t>(ops::RowCount(tensor)) > (std::uint64_t{1} << 31) - 1) {
      return Fail(ErrorCode::kUnimplemented, "{}: tensor {} has {} rows, above 2^31 - 1",
                  ops::OpName(op.kind), index, ops::RowCount(tensor));
    }
    return {};
  };
  for (const std::uint32_t index : op.inputs) SWITCHYARD_RETURN_IF_ERROR(check(index));
  for (const std::uint32_t index : op.outputs) SWITCHYARD_RETURN_IF_ERROR(check(index));
  if (op.kind == SY_OP_ATTENTION) {
    const sy_tensor& q = desc.tensors[op.inputs[0]];
    const sy_tensor& y = desc.tensors[op.outputs[0]];
    if (std::max(q.dims[2], y.dims[2]) > kMostHeadWidth ||
        q.dims[1] > static_cast<std::int64_t>(kMostGroupsY) ||
        desc.tensors[op.inputs[3]].strides[0] > kMostInDim) {
      return Fail(ErrorCode::kUnimplemented,
                  "attention: {} heads of {} and {} elements; at most {} heads of {}", q.dims[1],
                  q.dims[2], y.dims[2], kMostGroupsY, kMostHeadWidth);
    }
  }
  const bool is_product =
      op.kind == SY_OP_LINEAR || op.kind == SY_OP_GROUPED_LINEAR || op.kind == SY_OP_BATCHED_LINEAR;
  if (is_product) {
    const sy_tensor& y = desc.tensors[op.outputs[0]];
    // Of as few as 8 rows a group.
    if (y.dims[y.rank - 1] > static_cast<std::int64_t>(kMostGroupsY) * 8) {
      return Fail(ErrorCode::kUnimplemented, "{}: {} outputs; at most {}", ops::OpName(op.kind),
                  y.dims[y.rank - 1], kMostGroupsY * 8);
    }
  }
  return {};
}

base::Status CheckSequencesOf(const SequenceCheck& check, const char* table, const char* starts,
                              const char* lengths) {
  const auto load = [](const char* from) {
    std::int32_t value = 0;
    std::memcpy(&value, from, sizeof value);
    return value;
  };
  for (std::int64_t b = 0; b < check.sequences; ++b) {
    const std::int64_t begin = load(starts + b * 4);
    const std::int64_t end = load(starts + b * 4 + 4);
    if (begin < 0 || end < begin || end > check.rows) {
      return Fail(ErrorCode::kInvalidArgument,
                  "attention: query_start[{}] and the next are {} and {}; they must rise within {}",
                  b, begin, end, check.rows);
    }
    if (lengths == nullptr) continue;
    const std::int64_t length = load(lengths + b * 4);
    if (length < end - begin || length > check.most_pages * check.page_size) {
      return Fail(ErrorCode::kInvalidArgument,
                  "attention: kv_length[{}] is {}, for {} queries and pages for {} keys", b, length,
                  end - begin, check.most_pages * check.page_size);
    }
    if (table == nullptr || end == begin) continue;
    for (std::int64_t i = 0; i * check.page_size < length; ++i) {
      const std::int64_t page = load(table + b * check.table_stride + i * 4);
      if (page < 0 || page >= check.page_count) {
        return Fail(ErrorCode::kInvalidArgument,
                    "attention: page_table[{}, {}] is {}, but there are {} pages", b, i, page,
                    check.page_count);
      }
    }
  }
  return {};
}

}  // namespace

std::string_view KernelName(Kernel kernel) {
  constexpr std::string_view kNames[] = {
      "elementwise",  "rms_norm",  "copy_rows", "rope",     "kv_store", "combine",       "top_k",
      "router_top_k", "attention", "embedding", "linear_1", "linear_8", "grouped_linear"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Kernel::kCount));
  return kNames[static_cast<std::size_t>(kernel)];
}

bool ReadsBlocks(Kernel kernel) { return kernel >= Kernel::kEmbedding; }

base::Status CheckSupport(const sy_program_desc& desc, std::uint32_t op) {
  if (op >= desc.op_count || desc.ops == nullptr || desc.tensors == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "there is no op {}; there are {}", op, desc.op_count);
  }
  if (desc.ops[op].kind >= SY_OP_KIND_COUNT) {
    return Fail(ErrorCode::kUnimplemented, "there is no operation {}", desc.ops[op].kind);
  }
  // The operation alone: what it reads of temporaries others have written.
  std::vector<sy_tensor> tensors(desc.tensors, desc.tensors + desc.tensor_count);
  sy_program_desc alone = desc;
  for (sy_tensor& tensor : tensors) {
    if (tensor.storage != SY_STORAGE_TEMPORARY) continue;
    tensor.storage = SY_STORAGE_ARGUMENT;
    tensor.slot = alone.slot_count++;
  }
  alone.tensors = tensors.data();
  alone.ops = &desc.ops[op];
  alone.op_count = 1;
  if (const base::Status valid = ops::Validate(alone); !valid) {
    return Fail(ErrorCode::kUnimplemented, "{}", valid.error().message);
  }
  return CheckLimits(desc, desc.ops[op]);
}

base::Result<Plan> MakePlan(const sy_program_desc& desc, const PlanOptions& options) {
  for (std::uint32_t op = 0; op < desc.op_count; ++op) {
    if (desc.ops[op].kind >= SY_OP_KIND_COUNT) {
      return Fail(ErrorCode::kUnimplemented, "there is no operation {}", desc.ops[op].kind);
    }
  }
  SWITCHYARD_RETURN_IF_ERROR(ops::Validate(desc));
  for (std::uint32_t op = 0; op < desc.op_count; ++op) {
    SWITCHYARD_RETURN_IF_ERROR(CheckLimits(desc, desc.ops[op]));
  }
  return Planner(desc, options).Make();
}

base::Status CheckSequences(const Plan& plan, const sy_binding* bindings) {
  for (const SequenceCheck& check : plan.checks) {
    const auto copy = [&](std::uint32_t slot) {
      return static_cast<const char*>(bindings[slot].host_copy);
    };
    if (copy(check.start_slot) == nullptr) continue;
    SWITCHYARD_RETURN_IF_ERROR(CheckSequencesOf(check, copy(check.table_slot),
                                                copy(check.start_slot), copy(check.length_slot)));
  }
  return {};
}

}  // namespace switchyard::simt
