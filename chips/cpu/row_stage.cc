#include "row_stage.h"

#include <algorithm>

namespace switchyard::cpu {
namespace {

// Rows with less work than this together are not worth another thread's attention.
constexpr std::int64_t kWorthSharing = 16384;

}  // namespace

RowRuns::RowRuns(const Operand& operand, bool is_whole_row) : operand_(operand) {
  const std::uint32_t last = operand.rank - 1;
  if (is_whole_row) {
    length_ = operand.row_elements();
    offsets_ = {0};
    return;
  }
  length_ = operand.dims[last];
  const std::uint32_t first = operand.rank <= 1 ? last : 1;
  offsets_ = {0};
  for (std::uint32_t i = first; i < last; ++i) {
    std::vector<std::int64_t> inner;
    for (const std::int64_t offset : offsets_) {
      for (std::int64_t j = 0; j < operand.dims[i]; ++j) {
        inner.push_back(offset + j * operand.strides[i]);
      }
    }
    offsets_ = std::move(inner);
  }
}

const float* RowRuns::Read(const RunContext& context, std::int64_t row, std::int64_t run,
                           float* room) const {
  const char* from = Address(context, row, run);
  if (operand_.dtype == SY_F32) return reinterpret_cast<const float*>(from);
  context.kernels->widen(from, ElementTypeOf(operand_.dtype), room, length_);
  return room;
}

float* RowRuns::Target(const RunContext& context, std::int64_t row, std::int64_t run,
                       float* room) const {
  if (operand_.dtype != SY_F32) return room;
  return reinterpret_cast<float*>(Address(context, row, run));
}

void RowRuns::Finish(const RunContext& context, std::int64_t row, std::int64_t run,
                     const float* room) const {
  if (operand_.dtype == SY_F32) return;
  context.kernels->narrow(room, Address(context, row, run), ElementTypeOf(operand_.dtype), length_);
}

void RowStage::Add(std::unique_ptr<RowStep> step) {
  row_work_ += step->row_work();
  scratch_floats_ = std::max(scratch_floats_, step->scratch_floats());
  steps_.push_back(std::move(step));
}

Status RowStage::Check(const RunContext& context) const {
  for (const auto& step : steps_) SWITCHYARD_CPU_RETURN_IF_ERROR(step->Check(context));
  return {};
}

std::int64_t RowStage::Open(RunContext&) {
  // Tiles of packed rows are written whole, so that no two threads write one cache line.
  rows_of_unit_ = rows_ > kTileTokens || rows_ * row_work_ < kWorthSharing ? kTileTokens : 1;
  return (rows_ + rows_of_unit_ - 1) / rows_of_unit_;
}

void RowStage::Run(RunContext& context, std::int64_t begin, std::int64_t end, int thread) {
  auto* scratch = reinterpret_cast<float*>(context.Scratch(thread));
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t first = unit * rows_of_unit_;
    const std::int64_t last = std::min(rows_, first + rows_of_unit_);
    for (const auto& step : steps_) step->Run(context, first, last, scratch);
  }
}

}  // namespace switchyard::cpu
