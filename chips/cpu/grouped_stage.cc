// Grouped linears (mixtures of experts) and batched ones (a matrix a head).
#include <algorithm>
#include <cstring>

#include "linear_stage.h"

namespace switchyard::cpu {
namespace {

constexpr std::int64_t kPanelsOfUnit = 4;
constexpr std::int64_t kRowsOfPackUnit = 8;

// Bytes of a group's tiles.
std::int64_t GroupBytes(const PackedRows& packed, std::int64_t count) {
  const std::int64_t full = count / kTileTokens * kTileTokens;
  return (full + PackedRows::TileWidth(count - full)) * packed.row_bytes();
}

class GroupedPackStage : public Stage {
 public:
  explicit GroupedPackStage(std::shared_ptr<RowGroups> groups) : groups_(std::move(groups)) {}

  std::int64_t Open(RunContext& context) override {
    Sort(context);
    return (static_cast<std::int64_t>(groups_->rows.size()) + kRowsOfPackUnit - 1) /
           kRowsOfPackUnit;
  }

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, int thread) override {
    auto* scratch = reinterpret_cast<float*>(context.Scratch(thread));
    const auto count = static_cast<std::int64_t>(groups_->rows.size());
    const std::int64_t last = std::min(end * kRowsOfPackUnit, count);
    for (std::int64_t i = begin * kRowsOfPackUnit; i < last; ++i) PackRow(context, i, scratch);
  }
  std::int64_t scratch_bytes() const override { return groups_->x.dims[groups_->x.rank - 1] * 4; }

 private:
  // Counting sort by matrix: stable, so the order is the same in every run.
  void Sort(RunContext& context) {
    RowGroups& g = *groups_;
    const std::int64_t count = g.tokens() * g.slots();
    std::vector<std::int64_t> starts(static_cast<std::size_t>(g.weight->matrices) + 1);
    matrix_of_.assign(static_cast<std::size_t>(count), -1);
    for (std::int64_t row = 0; row < count; ++row) {
      const std::int64_t matrix = MatrixOf(context, row);
      matrix_of_[static_cast<std::size_t>(row)] = matrix;
      if (matrix >= 0) ++starts[static_cast<std::size_t>(matrix) + 1];
    }
    for (std::size_t m = 1; m < starts.size(); ++m) starts[m] += starts[m - 1];
    g.groups.clear();
    group_of_matrix_.assign(static_cast<std::size_t>(g.weight->matrices), 0);
    std::int64_t offset = 0;
    for (std::int64_t m = 0; m < g.weight->matrices; ++m) {
      const std::int64_t first = starts[static_cast<std::size_t>(m)];
      const std::int64_t rows = starts[static_cast<std::size_t>(m) + 1] - first;
      if (rows == 0) continue;
      group_of_matrix_[static_cast<std::size_t>(m)] = g.groups.size();
      g.groups.push_back({m, first, rows, offset});
      offset += GroupBytes(g.packed, rows);
    }
    g.rows.assign(static_cast<std::size_t>(starts.back()), 0);
    std::vector<std::int64_t> next = starts;
    for (std::int64_t row = 0; row < count; ++row) {
      const std::int64_t matrix = matrix_of_[static_cast<std::size_t>(row)];
      if (matrix < 0) continue;
      g.rows[static_cast<std::size_t>(next[static_cast<std::size_t>(matrix)]++)] = row;
    }
  }

  std::int64_t MatrixOf(RunContext& context, std::int64_t row) const {
    const RowGroups& g = *groups_;
    if (g.is_batched) return row % g.slots();
    const auto* ids = reinterpret_cast<const std::int32_t*>(context.At(g.ids, row / g.slots()));
    const std::int32_t id = ids[row % g.slots()];
    if (id >= 0 && id < g.weight->matrices) return id;
    context.NoteFailure({SY_INVALID_ARGUMENT, "grouped_linear: expert " + std::to_string(id) +
                                                  " is outside of " +
                                                  std::to_string(g.weight->matrices)});
    return -1;
  }

  void PackRow(const RunContext& context, std::int64_t i, float* scratch) const {
    const RowGroups& g = *groups_;
    const std::int64_t row = g.rows[static_cast<std::size_t>(i)];
    const auto matrix = static_cast<std::size_t>(matrix_of_[static_cast<std::size_t>(row)]);
    const RowGroups::Group& group = g.groups[group_of_matrix_[matrix]];
    const std::int64_t place = i - group.first;
    const std::int64_t tile = place / kTileTokens;
    const int width = PackedRows::TileWidth(
        std::min<std::int64_t>(kTileTokens, group.count - tile * kTileTokens));
    char* base = context.bases[g.packed.root] + group.offset + g.packed.tile_offset(tile);
    const char* x = context.At(g.x, row / g.slots());
    if (g.x.rank == 3) x += row % g.slots() * g.x.strides[1];
    const float* values = reinterpret_cast<const float*>(x);
    if (g.x.dtype != SY_F32) {
      context.kernels->widen(x, ElementTypeOf(g.x.dtype), scratch, g.packed.k);
      values = scratch;
    }
    const auto pack = context.kernels->pack_activations[g.packed.kind];
    pack(values, g.packed.k, g.packed.padded_k, base, width, static_cast<int>(place % kTileTokens));
    if (place + 1 < group.count) return;
    for (int slot = static_cast<int>(place % kTileTokens) + 1; slot < width; ++slot) {
      pack(scratch, 0, g.packed.padded_k, base, width, slot);
    }
  }

  std::shared_ptr<RowGroups> groups_;  // with the stage that multiplies
  std::vector<std::int64_t> matrix_of_;
  std::vector<std::size_t> group_of_matrix_;
};

class GroupedLinearStage : public Stage {
 public:
  explicit GroupedLinearStage(std::shared_ptr<RowGroups> groups)
      : groups_(std::move(groups)),
        panel_groups_((groups_->weight->panels + kPanelsOfUnit - 1) / kPanelsOfUnit) {}

  std::int64_t Open(RunContext&) override {
    return static_cast<std::int64_t>(groups_->groups.size()) * panel_groups_;
  }

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, int) override {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t panel = unit % panel_groups_ * kPanelsOfUnit;
      RunGroup(context, groups_->groups[static_cast<std::size_t>(unit / panel_groups_)], panel,
               std::min(kPanelsOfUnit, groups_->weight->panels - panel));
    }
  }

 private:
  void RunGroup(const RunContext& context, const RowGroups::Group& group, std::int64_t panel,
                std::int64_t panels) const {
    const RowGroups& g = *groups_;
    const sy_weight& weight = *g.weight;
    alignas(64) float out[kPanelsOfUnit * kTileTokens * kMaxLanes];
    std::int64_t y_row[kTileTokens];
    TileStore store = {};
    store.out = out;
    store.y_row = y_row;
    store.column = panel * context.kernels->lanes;
    store.columns = weight.rows - store.column;
    store.y = context.At(g.y);
    store.y_type = ElementTypeOf(g.y.dtype);
    for (std::int64_t first = 0; first < group.count; first += kTileTokens) {
      store.tokens = static_cast<int>(std::min<std::int64_t>(kTileTokens, group.count - first));
      store.tile = PackedRows::TileWidth(store.tokens);
      for (int t = 0; t < store.tokens; ++t) {
        const std::int64_t row = g.rows[static_cast<std::size_t>(group.first + first + t)];
        y_row[t] = row / g.slots() * g.y.strides[0] + row % g.slots() * g.y.strides[1];
      }
      const char* x = context.bases[g.packed.root] + group.offset + first * g.packed.row_bytes();
      context.kernels->linear[weight.format->panel](&weight.layout,
                                                    weight.panel(group.matrix, panel),
                                                    static_cast<int>(panels), x, store.tile, 1, 0,
                                                    out);
      context.kernels->store_tile(&store, static_cast<int>(panels));
    }
  }

  std::shared_ptr<RowGroups> groups_;  // with the stage that packs
  std::int64_t panel_groups_;
};

}  // namespace

std::int64_t RowGroups::packed_bytes() const {
  // Every tile's width is at most 4/3 of its rows: 3 rows take 4, and 9 take 12.
  const std::int64_t rows_in_all = tokens() * slots();
  return (rows_in_all + rows_in_all / 3 + 1) * packed.row_bytes();
}

std::unique_ptr<Stage> MakeGroupedPack(std::shared_ptr<RowGroups> groups) {
  return std::make_unique<GroupedPackStage>(std::move(groups));
}

std::unique_ptr<Stage> MakeGroupedLinear(std::shared_ptr<RowGroups> groups) {
  return std::make_unique<GroupedLinearStage>(std::move(groups));
}

}  // namespace switchyard::cpu
