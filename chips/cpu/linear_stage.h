// Stages of matrix products: plain linears, several with independent results side by side, with
// what follows them folded in; and products whose matrix differs from row to row.
#pragma once

#include <memory>
#include <vector>

#include "device.h"
#include "op_rules.h"
#include "stage.h"

namespace switchyard::cpu {

// y = weight . x + bias + residual, or activation(weight . x) * (up . x).
struct LinearJob {
  const sy_weight* weight = nullptr;
  const sy_weight* up = nullptr;
  PackedRows x;
  PackedRows up_x;  // the same rows, as up's format takes them
  sy_activation activation = SY_ACTIVATION_SILU;
  const float* bias = nullptr;
  bool has_residual = false;
  Operand residual;
  Operand y;
};

class LinearStage : public Stage {
 public:
  explicit LinearStage(int threads) : threads_(threads) {}
  void Add(const LinearJob& job);

  std::int64_t Open(RunContext&) override { return units_; }
  void Run(RunContext& context, std::int64_t begin, std::int64_t end, int thread) override;

 private:
  // A unit is `panels` panels of a job times `tiles` of its tiles; panels come first.
  struct Split {
    LinearJob job;
    std::int64_t first_unit = 0;
    std::int64_t panels = 1;
    std::int64_t tiles = 1;
    std::int64_t tile_groups = 1;
    std::int64_t panel_groups = 1;
  };
  void RunUnits(const RunContext& context, const Split& split, std::int64_t begin,
                std::int64_t end) const;
  static void RunBlock(const RunContext& context, const LinearJob& job, std::int64_t panel_begin,
                       std::int64_t panel_end, std::int64_t tile_begin, std::int64_t tile_end);
  // The sums of one tile and some panels on their way to memory.
  static void StoreTileOf(const RunContext& context, const LinearJob& job, std::int64_t tile,
                          std::int64_t panel, int panels, const float* out, const float* second);

  int threads_;
  std::int64_t units_ = 0;
  std::vector<Split> splits_;
};

// Which matrix each row of a grouped or batched linear meets: row (t, j) of [T, k]. Rows are put in
// order of their matrix, so that each matrix is read once for all of its rows.
struct RowGroups {
  struct Group {
    std::int64_t matrix = 0;
    std::int64_t first = 0;  // into rows
    std::int64_t count = 0;
    std::int64_t offset = 0;  // bytes into the packed rows
  };
  const sy_weight* weight = nullptr;
  bool is_batched = false;  // matrix j for (t, j), and no ids
  Operand ids;
  Operand x;
  Operand y;
  PackedRows packed;               // its `rows` are not used: groups have their own
  std::vector<std::int64_t> rows;  // t * k + j
  std::vector<Group> groups;

  std::int64_t tokens() const { return y.dims[0]; }
  std::int64_t slots() const { return y.dims[1]; }
  // What the packed rows of any grouping take at most.
  std::int64_t packed_bytes() const;
};

// Sorts the rows by matrix when opened, then packs them.
std::unique_ptr<Stage> MakeGroupedPack(std::shared_ptr<RowGroups> groups);
std::unique_ptr<Stage> MakeGroupedLinear(std::shared_ptr<RowGroups> groups);

}  // namespace switchyard::cpu
