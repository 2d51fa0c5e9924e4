// The steps of row stages, one for each operation that works row by row.
#pragma once

#include <memory>

#include "op_rules.h"
#include "row_stage.h"

namespace switchyard::cpu {

std::unique_ptr<RowStep> MakeEmbedding(const OpView& op);
std::unique_ptr<RowStep> MakeRmsNorm(const OpView& op);
std::unique_ptr<RowStep> MakeGatedActivation(const OpView& op);
std::unique_ptr<RowStep> MakeAdd(const OpView& op);
std::unique_ptr<RowStep> MakeScale(const OpView& op);
std::unique_ptr<RowStep> MakeCopy(const OpView& op);
std::unique_ptr<RowStep> MakeRowGather(const OpView& op);
std::unique_ptr<RowStep> MakeCombine(const OpView& op);
std::unique_ptr<RowStep> MakeKvStore(const OpView& op);
std::unique_ptr<RowStep> MakeTopK(const OpView& op);
std::unique_ptr<RowStep> MakeRouterTopK(const OpView& op);

// Cosines and sines of a batch's positions, worked out once for all layers: [T][r] floats, r / 2
// cosines and r / 2 sines, times the op's scale.
std::unique_ptr<RowStep> MakeRopeTable(const OpView& op, std::uint32_t table_root);
std::unique_ptr<RowStep> MakeRope(const OpView& op, std::uint32_t table_root);

// x [T, K] into tiles.
std::unique_ptr<RowStep> MakePack(const Operand& x, const PackedRows& packed);

}  // namespace switchyard::cpu
