#include "linear_stage.h"

#include <algorithm>

namespace switchyard::cpu {
namespace {

// A unit for one tile of a few tokens reads about this much of a weight; for many tiles it takes
// panels and tiles that stay in the nearer caches while they meet.
constexpr std::int64_t kBytesOfUnit = 16384;
constexpr int kFewTokens = 4;
constexpr std::int64_t kTilesOfUnit = 8;
// Panels that one call of a kernel takes, with up to kTilesOfUnit whole tiles; their results must
// fit RunBlock's buffers.
constexpr std::int64_t kPanelsOfCall = 8;

using TileResults = float[kTilesOfUnit * kPanelsOfCall * kTileTokens * kMaxLanes];

// Tiles from `tile` on that are as wide as it: one call takes them.
std::int64_t TilesOfCall(const PackedRows& x, std::int64_t tile, std::int64_t end) {
  std::int64_t count = 1;
  while (tile + count < end && count < kTilesOfUnit && x.tokens(tile + count) == kTileTokens) {
    ++count;
  }
  return count;
}

}  // namespace

void LinearStage::Add(const LinearJob& job) {
  Split split;
  split.job = job;
  const std::int64_t panels = job.weight->panels;
  const std::int64_t tiles = job.x.tiles();
  if (tiles == 1) {
    split.panels =
        std::clamp<std::int64_t>(kBytesOfUnit / job.weight->layout.panel_bytes, 1, kPanelsOfCall);
    // Plain floats hide the latency of their sums by taking several panels at once, and many tokens
    // are read from the nearest cache by all panels of a call.
    const bool has_many = job.x.kind != kActivationInt15 || job.x.tokens(0) > kFewTokens;
    if (has_many && panels >= threads_ * kPanelsOfCall) split.panels = kPanelsOfCall;
  } else {
    split.panels = kPanelsOfCall;
    split.tiles = kTilesOfUnit;
  }
  split.panel_groups = (panels + split.panels - 1) / split.panels;
  split.tile_groups = (tiles + split.tiles - 1) / split.tiles;
  split.first_unit = units_;
  units_ += split.panel_groups * split.tile_groups;
  splits_.push_back(split);
}

void LinearStage::Run(RunContext& context, std::int64_t begin, std::int64_t end, int) {
  for (const Split& split : splits_) {
    const std::int64_t units = split.panel_groups * split.tile_groups;
    const std::int64_t from = std::max<std::int64_t>(begin - split.first_unit, 0);
    const std::int64_t to = std::min(end - split.first_unit, units);
    if (from < to) RunUnits(context, split, from, to);
  }
}

void LinearStage::RunUnits(const RunContext& context, const Split& split, std::int64_t begin,
                           std::int64_t end) const {
  const std::int64_t panels = split.job.weight->panels;
  const std::int64_t tiles = split.job.x.tiles();
  if (split.tile_groups == 1) {
    return RunBlock(context, split.job, begin * split.panels, std::min(end * split.panels, panels),
                    0, tiles);
  }
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t panel = unit / split.tile_groups * split.panels;
    const std::int64_t tile = unit % split.tile_groups * split.tiles;
    RunBlock(context, split.job, panel, std::min(panel + split.panels, panels), tile,
             std::min(tile + split.tiles, tiles));
  }
}

void LinearStage::RunBlock(const RunContext& context, const LinearJob& job,
                           std::int64_t panel_begin, std::int64_t panel_end,
                           std::int64_t tile_begin, std::int64_t tile_end) {
  const KernelTable& kernels = *context.kernels;
  alignas(64) TileResults out;
  alignas(64) TileResults second;
  for (std::int64_t tile = tile_begin; tile < tile_end;) {
    const std::int64_t tiles = TilesOfCall(job.x, tile, tile_end);
    const int width = PackedRows::TileWidth(job.x.tokens(tile));
    for (std::int64_t panel = panel_begin; panel < panel_end; panel += kPanelsOfCall) {
      const auto panels = static_cast<int>(std::min(kPanelsOfCall, panel_end - panel));
      const auto multiply = [&](const sy_weight& weight, const PackedRows& x, float* results) {
        const char* from = context.bases[x.root] + x.tile_offset(tile);
        kernels.linear[weight.format->panel](&weight.layout, weight.panel(0, panel), panels, from,
                                             width, static_cast<int>(tiles), x.tile_offset(1),
                                             results);
      };
      multiply(*job.weight, job.x, out);
      if (job.up != nullptr) multiply(*job.up, job.up_x, second);
      for (std::int64_t i = 0; i < tiles; ++i) {
        const std::int64_t at = i * panels * width * kernels.lanes;
        StoreTileOf(context, job, tile + i, panel, panels, out + at,
                    job.up == nullptr ? nullptr : second + at);
      }
    }
    tile += tiles;
  }
}

void LinearStage::StoreTileOf(const RunContext& context, const LinearJob& job, std::int64_t tile,
                              std::int64_t panel, int panels, const float* out,
                              const float* second) {
  std::int64_t y_row[kTileTokens];
  std::int64_t residual_row[kTileTokens] = {};
  TileStore store = {};
  store.out = out;
  store.second = second;
  store.activation = static_cast<int>(job.activation);
  store.tokens = static_cast<int>(job.x.tokens(tile));
  store.tile = PackedRows::TileWidth(store.tokens);
  for (int t = 0; t < store.tokens; ++t) {
    const std::int64_t row = tile * kTileTokens + t;
    y_row[t] = row * job.y.row_stride();
    if (job.has_residual) residual_row[t] = row * job.residual.row_stride();
  }
  store.y_row = y_row;
  store.residual_row = residual_row;
  store.column = panel * context.kernels->lanes;
  store.columns = job.weight->rows - store.column;
  store.bias = job.bias;
  store.residual = job.has_residual ? context.At(job.residual) : nullptr;
  store.y = context.At(job.y);
  store.y_type = ElementTypeOf(job.y.dtype);
  context.kernels->store_tile(&store, panels);
}

}  // namespace switchyard::cpu
