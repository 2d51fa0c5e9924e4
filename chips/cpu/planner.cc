// From an operation list to stages.
//
// Operations are placed in the order given, each into the latest stage of its kind that it may join
// without overtaking one that it depends on, or into a new one at the end. Three patterns are
// folded first: a linear whose only reader adds it to something, a gate and an up projection whose
// only reader multiplies them, and every linear's input, which is packed once for all that read it.
#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "access.h"
#include "attention_stage.h"
#include "device.h"
#include "linear_stage.h"
#include "op_rules.h"
#include "program.h"
#include "row_steps.h"

namespace switchyard::cpu {
namespace {

enum class StageKind { kRows, kLinear, kOther };

struct PlannedStage {
  StageKind kind;
  std::int64_t rows = 0;  // of kRows
  Accesses accesses;
  std::unique_ptr<Stage> stage;
};

class Planner {
 public:
  Planner(sy_device* device, Operands operands, std::vector<OpView> ops)
      : device_(*device),
        operands_(std::move(operands)),
        ops_(std::move(ops)),
        roots_(operands_.roots),
        is_folded_(ops_.size(), false),
        versions_(roots_.size(), 0) {}

  Plan Make() {
    CountReaders();
    for (std::size_t i = 0; i < ops_.size(); ++i) FindFolding(i);
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      if (!is_folded_[i]) PlaceOp(i);
    }
    return Finish();
  }

 private:
  // ---- Folding ----
  struct Folding {
    std::size_t linear = 0;  // of an Add: the linear it takes over
    const Operand* residual = nullptr;
    std::optional<std::size_t> gate;  // of a GatedActivation
    std::size_t up = 0;
  };

  void CountReaders();
  void FindFolding(std::size_t index);
  // The linear that alone wrote this temporary, for the one reader at `reader`; or none.
  std::optional<std::size_t> SoleLinearOf(const Operand& value, std::size_t reader) const;
  bool IsWrittenBetween(std::uint32_t root, std::size_t after, std::size_t before) const;

  // ---- Placing ----
  void PlaceOp(std::size_t index);
  void PlaceRows(std::int64_t rows, Accesses accesses, std::unique_ptr<RowStep> step);
  void PlaceLinear(const OpView& op, const Folding* folding);
  void PlaceGate(const OpView& op, const Folding& folding);
  void AddLinear(const LinearJob& job, Accesses accesses);
  void PlaceGrouped(const OpView& op);
  void PlaceAttention(const OpView& op);
  void PlaceRope(const OpView& op);
  void PlaceOther(Accesses accesses, std::unique_ptr<Stage> stage);
  void NoteWrites(const Accesses& accesses);
  std::uint32_t NewRoot(std::int64_t bytes);
  PackedRows Pack(const Operand& x, const sy_weight& weight);

  Plan Finish();

  sy_device& device_;
  Operands operands_;
  std::vector<OpView> ops_;
  std::vector<Root> roots_;
  std::vector<bool> is_folded_;
  std::vector<std::uint32_t> versions_;  // of each root: how often it was written
  std::vector<PlannedStage> stages_;
  std::map<std::size_t, Folding> foldings_;
  struct Use {
    int reads = 0;
    int writes = 0;
    std::size_t writer = 0;
  };
  std::vector<Use> uses_;

  using PackKey = std::tuple<std::uint32_t, std::uint32_t, std::int64_t, std::int64_t, std::int64_t,
                             int, std::int64_t, sy_dtype>;
  std::map<PackKey, PackedRows> packed_;
  using RopeKey = std::tuple<std::uint32_t, std::uint32_t, std::int64_t, const sy_weight*, float>;
  std::map<RopeKey, std::uint32_t> rope_tables_;
};

void Planner::CountReaders() {
  uses_.resize(roots_.size());
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    for (const Operand* input : ops_[i].inputs) {
      if (input != nullptr && !input->is_weight) ++uses_[input->root].reads;
    }
    for (const Operand* output : ops_[i].outputs) {
      if (output == nullptr) continue;
      ++uses_[output->root].writes;
      uses_[output->root].writer = i;
    }
  }
}

bool Planner::IsWrittenBetween(std::uint32_t root, std::size_t after, std::size_t before) const {
  for (std::size_t i = after + 1; i < before; ++i) {
    for (const Operand* output : ops_[i].outputs) {
      if (output != nullptr && output->root == root) return true;
    }
    // A KV store writes what it lists among its inputs.
    if (ops_[i].op->kind == SY_OP_KV_STORE &&
        (ops_[i].in(3).root == root || ops_[i].in(4).root == root)) {
      return true;
    }
  }
  return false;
}

std::optional<std::size_t> Planner::SoleLinearOf(const Operand& value, std::size_t reader) const {
  const Use& use = uses_[value.root];
  if (roots_[value.root].kind != RootKind::kTemporary || use.reads != 1 || use.writes != 1 ||
      use.writer >= reader) {
    return std::nullopt;
  }
  const OpView& op = ops_[use.writer];
  if (op.op->kind != SY_OP_LINEAR || is_folded_[use.writer]) return std::nullopt;
  const Operand& y = op.out();
  const bool is_whole = y.offset == value.offset && y.dtype == SY_F32 && value.dtype == SY_F32 &&
                        value.rank == 2 && y.has_dims_of(value) && y.strides[0] == value.strides[0];
  if (!is_whole || IsWrittenBetween(op.in(0).root, use.writer, reader)) return std::nullopt;
  return use.writer;
}

void Planner::FindFolding(std::size_t index) {
  const OpView& op = ops_[index];
  if (op.op->kind == SY_OP_ADD && op.in(0).root != op.in(1).root) {
    for (int side = 0; side < 2; ++side) {
      const auto linear = SoleLinearOf(op.in(side), index);
      if (!linear) continue;
      foldings_[index] = {*linear, &op.in(1 - side), std::nullopt, 0};
      is_folded_[*linear] = true;
      return;
    }
  }
  if (op.op->kind == SY_OP_GATED_ACTIVATION && op.in(0).root != op.in(1).root) {
    const auto gate = SoleLinearOf(op.in(0), index);
    const auto up = SoleLinearOf(op.in(1), index);
    if (!gate || !up) return;
    const OpView& gate_op = ops_[*gate];
    const OpView& up_op = ops_[*up];
    if (gate_op.inputs[2] != nullptr || up_op.inputs[2] != nullptr) return;
    Folding folding;
    folding.gate = *gate;
    folding.up = *up;
    foldings_[index] = folding;
    is_folded_[*gate] = true;
    is_folded_[*up] = true;
  }
}

// ---- Placing ------------------------------------------------------------------------------------

std::uint32_t Planner::NewRoot(std::int64_t bytes) {
  roots_.push_back({RootKind::kTemporary, 0, bytes});
  versions_.push_back(0);
  return static_cast<std::uint32_t>(roots_.size() - 1);
}

void Planner::NoteWrites(const Accesses& accesses) {
  for (const Access& access : accesses) {
    if (access.is_write) ++versions_[access.root];
  }
}

void Planner::PlaceRows(std::int64_t rows, Accesses accesses, std::unique_ptr<RowStep> step) {
  NoteWrites(accesses);
  PlannedStage* found = nullptr;
  for (std::size_t i = stages_.size(); i-- > 0;) {
    PlannedStage& stage = stages_[i];
    const bool is_free = !Conflict(stage.accesses, accesses);
    if (stage.kind == StageKind::kRows && stage.rows == rows &&
        (is_free || ConflictByRowOnly(stage.accesses, accesses))) {
      found = &stage;
      break;
    }
    if (!is_free) break;
  }
  if (found == nullptr) {
    stages_.push_back({StageKind::kRows, rows, {}, std::make_unique<RowStage>(rows)});
    found = &stages_.back();
  }
  static_cast<RowStage&>(*found->stage).Add(std::move(step));
  found->accesses.insert(found->accesses.end(), accesses.begin(), accesses.end());
}

void Planner::AddLinear(const LinearJob& job, Accesses accesses) {
  NoteWrites(accesses);
  PlannedStage* found = nullptr;
  for (std::size_t i = stages_.size(); i-- > 0;) {
    if (Conflict(stages_[i].accesses, accesses)) break;
    if (stages_[i].kind == StageKind::kLinear) {
      found = &stages_[i];
      break;
    }
  }
  if (found == nullptr) {
    stages_.push_back(
        {StageKind::kLinear, 0, {}, std::make_unique<LinearStage>(device_.team->threads())});
    found = &stages_.back();
  }
  static_cast<LinearStage&>(*found->stage).Add(job);
  found->accesses.insert(found->accesses.end(), accesses.begin(), accesses.end());
}

void Planner::PlaceOther(Accesses accesses, std::unique_ptr<Stage> stage) {
  NoteWrites(accesses);
  stages_.push_back({StageKind::kOther, 0, std::move(accesses), std::move(stage)});
}

PackedRows Planner::Pack(const Operand& x, const sy_weight& weight) {
  PackedRows packed;
  packed.kind = ActivationOf(*device_.kernels, weight.format->panel);
  packed.rows = x.dims[0];
  packed.k = x.dims[1];
  packed.padded_k = weight.layout.k;
  const PackKey key = {x.root,          versions_[x.root],
                       x.offset,        x.strides[0],
                       x.dims[1],       static_cast<int>(packed.kind),
                       packed.padded_k, x.dtype};
  const auto known = packed_.find(key);
  if (known != packed_.end()) return known->second;
  packed.root = NewRoot(packed.bytes());
  packed_[key] = packed;
  PlaceRows(packed.rows,
            {Access::Of(x, false, true), Access::Whole(packed.root, packed.bytes(), true)},
            MakePack(x, packed));
  return packed;
}

void Planner::PlaceLinear(const OpView& op, const Folding* folding) {
  const OpView& linear = folding == nullptr ? op : ops_[folding->linear];
  LinearJob job;
  job.weight = linear.in(1).weight;
  job.x = Pack(linear.in(0), *job.weight);
  job.bias = linear.inputs[2] == nullptr ? nullptr : linear.in(2).weight->vector();
  job.y = op.out();
  Accesses accesses = {Access::Whole(job.x.root, job.x.bytes(), false),
                       Access::Of(job.y, true, true)};
  if (folding != nullptr) {
    job.has_residual = true;
    job.residual = *folding->residual;
    accesses.push_back(Access::Of(job.residual, false, true));
  }
  AddLinear(job, std::move(accesses));
}

void Planner::PlaceGate(const OpView& op, const Folding& folding) {
  const OpView& gate = ops_[*folding.gate];
  const OpView& up = ops_[folding.up];
  LinearJob job;
  job.weight = gate.in(1).weight;
  job.up = up.in(1).weight;
  job.x = Pack(gate.in(0), *job.weight);
  job.up_x = Pack(up.in(0), *job.up);
  job.activation = op.op->activation;
  job.y = op.out();
  AddLinear(job,
            {Access::Whole(job.x.root, job.x.bytes(), false),
             Access::Whole(job.up_x.root, job.up_x.bytes(), false), Access::Of(job.y, true, true)});
}

void Planner::PlaceGrouped(const OpView& op) {
  auto groups = std::make_shared<RowGroups>();  // the two stages share it
  groups->weight = op.in(1).weight;
  groups->is_batched = op.op->kind == SY_OP_BATCHED_LINEAR;
  groups->x = op.in(0);
  groups->y = op.out();
  Accesses pack = {Access::Of(groups->x, false, false)};
  if (!groups->is_batched) {
    groups->ids = op.in(2);
    pack.push_back(Access::Of(groups->ids, false, false));
  }
  groups->packed.kind = ActivationOf(*device_.kernels, groups->weight->format->panel);
  groups->packed.k = groups->weight->k;
  groups->packed.padded_k = groups->weight->layout.k;
  const std::int64_t bytes = groups->packed_bytes();
  groups->packed.root = NewRoot(bytes);
  pack.push_back(Access::Whole(groups->packed.root, bytes, true));
  PlaceOther(std::move(pack), MakeGroupedPack(groups));
  PlaceOther({Access::Whole(groups->packed.root, bytes, false), Access::Of(groups->y, true, false)},
             MakeGroupedLinear(groups));
}

void Planner::PlaceAttention(const OpView& op) {
  auto plan = std::make_shared<AttentionPlan>(op, device_.team->threads());  // stage and step
  const std::int64_t bytes = std::max<std::int64_t>(plan->partial_floats() * 4, 4);
  plan->partial_root = NewRoot(bytes);
  Accesses accesses = {Access::Whole(plan->partial_root, bytes, true)};
  for (int i = 0; i < 6; ++i) accesses.push_back(Access::Of(op.in(i), false, false));
  accesses.push_back(Access::Of(op.out(), true, false));
  PlaceOther(std::move(accesses), MakeAttention(plan));
  PlaceRows(op.out().dims[0],
            {Access::Whole(plan->partial_root, bytes, false), Access::Of(op.out(), true, true)},
            MakeAttentionFinish(plan));
}

void Planner::PlaceRope(const OpView& op) {
  const Operand& positions = op.in(1);
  const std::int64_t rows = op.in(0).dims[0];
  const std::int64_t row_bytes = 2 * op.in(2).dims[0] * 4;
  const RopeKey key = {positions.root, versions_[positions.root], positions.offset, op.in(2).weight,
                       op.op->scale};
  Access table;
  table.rows = rows;
  table.stride = row_bytes;
  table.row_extent = row_bytes;
  table.is_by_row = true;
  const auto known = rope_tables_.find(key);
  if (known != rope_tables_.end()) {
    table.root = known->second;
  } else {
    table.root = NewRoot(rows * row_bytes);
    rope_tables_[key] = table.root;
    table.is_write = true;
    PlaceRows(rows, {Access::Of(positions, false, false), table}, MakeRopeTable(op, table.root));
  }
  table.is_write = false;
  PlaceRows(rows, {table, Access::Of(op.in(0), false, true), Access::Of(op.out(), true, true)},
            MakeRope(op, table.root));
}

void Planner::PlaceOp(std::size_t index) {
  const OpView& op = ops_[index];
  const auto folding = foldings_.find(index);
  // All inputs but weights and indices by row, and the outputs.
  const auto by_row = [&](std::initializer_list<int> inputs, std::initializer_list<int> indices) {
    Accesses accesses;
    for (const int i : inputs) accesses.push_back(Access::Of(op.in(i), false, true));
    for (const int i : indices) accesses.push_back(Access::Of(op.in(i), false, false));
    for (const Operand* output : op.outputs) {
      if (output != nullptr) accesses.push_back(Access::Of(*output, true, true));
    }
    return accesses;
  };
  switch (op.op->kind) {
    case SY_OP_EMBEDDING:
      return PlaceRows(op.out().rows(), by_row({}, {1}), MakeEmbedding(op));
    case SY_OP_RMS_NORM:
      return PlaceRows(op.out().rows(), by_row({0}, {}), MakeRmsNorm(op));
    case SY_OP_LINEAR:
      return PlaceLinear(op, nullptr);
    case SY_OP_ROPE:
      return PlaceRope(op);
    case SY_OP_KV_STORE: {
      Accesses accesses = by_row({0, 1}, {2});
      accesses.push_back(Access::Of(op.in(3), true, false));
      accesses.push_back(Access::Of(op.in(4), true, false));
      return PlaceRows(op.in(0).rows(), std::move(accesses), MakeKvStore(op));
    }
    case SY_OP_ATTENTION:
      return PlaceAttention(op);
    case SY_OP_GATED_ACTIVATION:
      if (folding != foldings_.end()) return PlaceGate(op, folding->second);
      return PlaceRows(op.out().rows(), by_row({0, 1}, {}), MakeGatedActivation(op));
    case SY_OP_ADD:
      if (folding != foldings_.end()) return PlaceLinear(op, &folding->second);
      return PlaceRows(op.out().rows(), by_row({0, 1}, {}), MakeAdd(op));
    case SY_OP_SCALE:
      return PlaceRows(op.out().rows(), by_row({0}, {}), MakeScale(op));
    case SY_OP_ROW_GATHER:
      return PlaceRows(op.out().rows(), by_row({}, {0, 1}), MakeRowGather(op));
    case SY_OP_COPY:
      return PlaceRows(op.out().rows(), by_row({0}, {}), MakeCopy(op));
    case SY_OP_TOP_K:
      return PlaceRows(op.in(0).rows(), by_row({0}, {}), MakeTopK(op));
    case SY_OP_ROUTER_TOP_K:
      return PlaceRows(op.in(0).rows(), by_row({0}, {}), MakeRouterTopK(op));
    case SY_OP_GROUPED_LINEAR:
    case SY_OP_BATCHED_LINEAR:
      return PlaceGrouped(op);
    case SY_OP_COMBINE:
      return PlaceRows(op.out().rows(), by_row({0, 1}, {}), MakeCombine(op));
    default:
      return;  // CheckOp knows no others
  }
}

// ---- Memory -------------------------------------------------------------------------------------

std::int64_t Aligned(std::int64_t bytes) {
  constexpr auto kUnit = static_cast<std::int64_t>(kAlignment);
  return (bytes + kUnit - 1) / kUnit * kUnit;
}

struct Life {
  std::size_t first = 0;
  std::size_t last = 0;
  bool is_used = false;
};

// Temporaries whose lives overlap get memory apart: largest first, each at the lowest place that is
// free during its life.
std::int64_t PlaceTemporaries(const std::vector<Root>& roots, const std::vector<Life>& lives,
                              std::vector<std::int64_t>& offsets) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < roots.size(); ++i) {
    if (roots[i].kind == RootKind::kTemporary && lives[i].is_used) order.push_back(i);
  }
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return roots[a].bytes != roots[b].bytes ? roots[a].bytes > roots[b].bytes : a < b;
  });
  offsets.assign(roots.size(), -1);
  std::vector<std::size_t> placed;  // in order of offset
  std::int64_t total = 0;
  for (const std::size_t root : order) {
    const std::int64_t bytes = Aligned(roots[root].bytes);
    std::int64_t offset = 0;
    for (const std::size_t other : placed) {
      const bool overlaps =
          lives[other].first <= lives[root].last && lives[root].first <= lives[other].last;
      if (!overlaps) continue;
      if (offsets[other] - offset >= bytes) break;
      offset = std::max(offset, offsets[other] + Aligned(roots[other].bytes));
    }
    offsets[root] = offset;
    total = std::max(total, offset + bytes);
    const auto at =
        std::ranges::upper_bound(placed, offset, {}, [&](std::size_t i) { return offsets[i]; });
    placed.insert(at, root);
  }
  return total;
}

Plan Planner::Finish() {
  std::vector<Life> lives(roots_.size());
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    for (const Access& access : stages_[s].accesses) {
      Life& life = lives[access.root];
      if (!life.is_used) life.first = s;
      life.is_used = true;
      life.last = s;
    }
  }
  Plan plan;
  plan.workspace_bytes = PlaceTemporaries(roots_, lives, plan.workspace_offsets);
  for (PlannedStage& stage : stages_) {
    plan.scratch_bytes = std::max(plan.scratch_bytes, stage.stage->scratch_bytes());
    plan.stages.push_back(std::move(stage.stage));
  }
  plan.scratch_bytes = Aligned(plan.scratch_bytes) + 64;
  plan.scratch_offset = plan.workspace_bytes;
  plan.workspace_bytes += plan.scratch_bytes * device_.team->threads();
  plan.roots = std::move(roots_);
  plan.slot_count = operands_.slot_count;
  return plan;
}

}  // namespace

Status IsSupported(const sy_program_desc& desc, std::uint32_t op) {
  const auto operands = ResolveTensors(desc);
  if (!operands) return std::unexpected(operands.error());
  const auto view = CheckOp(desc, *operands, op);
  if (!view) return std::unexpected(view.error());
  return {};
}

Result<Plan> MakePlan(sy_device* device, const sy_program_desc& desc) {
  auto operands = ResolveTensors(desc);
  if (!operands) return std::unexpected(operands.error());
  std::vector<OpView> ops;
  ops.reserve(desc.op_count);
  for (std::uint32_t i = 0; i < desc.op_count; ++i) {
    const auto view = CheckOp(desc, *operands, i);
    if (!view) return std::unexpected(view.error());
    SWITCHYARD_CPU_RETURN_IF_ERROR(CheckWeights(*view, device));
    ops.push_back(*view);
  }
  // Views point into the operands, whose vector moves as a whole and stays where it is.
  return Planner(device, std::move(*operands), std::move(ops)).Make();
}

}  // namespace switchyard::cpu
