#include "row_steps.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "device.h"

namespace switchyard::cpu {
namespace {

// ---- Elementwise --------------------------------------------------------------------------------

enum class Elementwise { kGated, kAdd, kScale };

bool AreDense(const Operand& a, const Operand& b, const Operand& y) {
  return a.has_dense_rows() && b.has_dense_rows() && y.has_dense_rows();
}

class ElementwiseStep : public RowStep {
 public:
  ElementwiseStep(Elementwise kind, const OpView& op, const Operand& a, const Operand& b)
      : kind_(kind),
        op_(*op.op),
        a_(a, AreDense(a, b, op.out())),
        b_(b, AreDense(a, b, op.out())),
        y_(op.out(), AreDense(a, b, op.out())) {}

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    const std::int64_t n = a_.length();
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t run = 0; run < a_.count(); ++run) {
        const float* a = a_.Read(context, row, run, scratch);
        const float* b = b_.Read(context, row, run, scratch + n);
        float* y = y_.Target(context, row, run, scratch + 2 * n);
        switch (kind_) {
          case Elementwise::kGated:
            context.kernels->gated(a, b, y, n, static_cast<int>(op_.activation));
            break;
          case Elementwise::kAdd:
            context.kernels->add(a, b, y, n);
            break;
          case Elementwise::kScale:
            context.kernels->scale(a, y, n, op_.scale, op_.softcap);
            break;
        }
        y_.Finish(context, row, run, y);
      }
    }
  }
  std::int64_t scratch_floats() const override { return 3 * a_.length(); }
  std::int64_t row_work() const override { return a_.length() * a_.count(); }

 private:
  Elementwise kind_;
  sy_op op_;
  RowRuns a_;
  RowRuns b_;
  RowRuns y_;
};

class RmsNormStep : public RowStep {
 public:
  explicit RmsNormStep(const OpView& op)
      : x_(op.in(0), op.in(0).rank <= 2),
        y_(op.out(), op.in(0).rank <= 2),
        weight_(op.in(1).weight->vector()),
        eps_(op.op->eps) {}

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    const std::int64_t n = x_.length();
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t run = 0; run < x_.count(); ++run) {
        const float* x = x_.Read(context, row, run, scratch);
        float* y = y_.Target(context, row, run, scratch + n);
        context.kernels->rms_norm(x, weight_, y, n, eps_);
        y_.Finish(context, row, run, y);
      }
    }
  }
  std::int64_t scratch_floats() const override { return 2 * x_.length(); }
  std::int64_t row_work() const override { return x_.length() * x_.count(); }

 private:
  RowRuns x_;
  RowRuns y_;
  const float* weight_;
  float eps_;
};

class CopyStep : public RowStep {
 public:
  explicit CopyStep(const OpView& op)
      : x_(op.in(0), op.in(0).has_dense_rows() && op.out().has_dense_rows()),
        y_(op.out(), op.in(0).has_dense_rows() && op.out().has_dense_rows()),
        is_same_type_(op.in(0).dtype == op.out().dtype),
        element_bytes_(ElementBytes(op.in(0).dtype)) {}

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t run = 0; run < x_.count(); ++run) {
        if (is_same_type_) {
          std::memcpy(y_.Address(context, row, run), x_.Address(context, row, run),
                      static_cast<std::size_t>(x_.length() * element_bytes_));
          continue;
        }
        const float* x = x_.Read(context, row, run, scratch);
        float* y = y_.Target(context, row, run, scratch);
        if (y != x) std::memcpy(y, x, static_cast<std::size_t>(x_.length()) * 4);
        y_.Finish(context, row, run, y);
      }
    }
  }
  std::int64_t scratch_floats() const override { return x_.length(); }
  std::int64_t row_work() const override { return x_.length() * x_.count(); }

 private:
  RowRuns x_;
  RowRuns y_;
  bool is_same_type_;
  std::int64_t element_bytes_;
};

// z[t] = sum over j, in order, of weights[t, j] * y[t, j].
class CombineStep : public RowStep {
 public:
  explicit CombineStep(const OpView& op)
      : y_(op.in(0), false), weights_(op.in(1)), z_(op.out(), true) {}

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    const std::int64_t n = y_.length();
    for (std::int64_t row = begin; row < end; ++row) {
      const auto* weights = reinterpret_cast<const float*>(context.At(weights_, row));
      float* z = z_.Target(context, row, 0, scratch + n);
      for (std::int64_t j = 0; j < y_.count(); ++j) {
        const float* y = y_.Read(context, row, j, scratch);
        context.kernels->accumulate(y, weights[j], z, n, j == 0 ? 1 : 0);
      }
      z_.Finish(context, row, 0, z);
    }
  }
  std::int64_t scratch_floats() const override { return 2 * y_.length(); }
  std::int64_t row_work() const override { return y_.length() * y_.count(); }

 private:
  RowRuns y_;
  Operand weights_;
  RowRuns z_;
};

// ---- Rows picked by index -----------------------------------------------------------------------

Status CheckIndices(const RunContext& context, const Operand& indices, std::int64_t limit,
                    bool may_be_negative, const char* name) {
  const std::int32_t* index = context.HostIndex(indices);
  for (std::int64_t i = 0; i < indices.dims[0]; ++i) {
    if (index[i] >= limit || (index[i] < 0 && !may_be_negative)) {
      return Fail(SY_INVALID_ARGUMENT, "%s: index %lld is %d, outside of %lld rows", name,
                  static_cast<long long>(i), index[i], static_cast<long long>(limit));
    }
  }
  return {};
}

// Indices that the program itself computes can only be checked when they are used.
bool IsUsable(RunContext& context, std::int64_t index, std::int64_t limit, const char* name) {
  if (index >= 0 && index < limit) return true;
  context.NoteFailure({SY_INVALID_ARGUMENT, std::string(name) + ": index " + std::to_string(index) +
                                                " is outside of " + std::to_string(limit) +
                                                " rows"});
  return false;
}

class EmbeddingStep : public RowStep {
 public:
  explicit EmbeddingStep(const OpView& op)
      : table_(*op.in(0).weight), ids_(op.in(1)), y_(op.out(), true), scale_(op.op->scale) {}

  Status Check(const RunContext& context) const override {
    if (context.is_argument(ids_)) {
      return CheckIndices(context, ids_, table_.rows, false, "embedding");
    }
    return {};
  }
  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    const std::int64_t n = y_.length();
    const int lanes = context.kernels->lanes;
    const std::int32_t* ids = context.Index(ids_);
    for (std::int64_t row = begin; row < end; ++row) {
      if (!IsUsable(context, ids[row], table_.rows, "embedding")) continue;
      float* y = y_.Target(context, row, 0, scratch);
      UnpackRow(*table_.format, table_.layout, lanes, context.kernels->signed_codes != 0,
                table_.panel(0, ids[row] / lanes), ids[row] % lanes, n, y);
      if (scale_ != 1.0F) context.kernels->scale(y, y, n, scale_, 0.0F);
      y_.Finish(context, row, 0, y);
    }
  }
  std::int64_t scratch_floats() const override { return y_.length(); }
  std::int64_t row_work() const override { return 4 * y_.length(); }

 private:
  const sy_weight& table_;
  Operand ids_;
  RowRuns y_;
  float scale_;
};

class RowGatherStep : public RowStep {
 public:
  explicit RowGatherStep(const OpView& op) : x_(op.in(0)), rows_(op.in(1)), y_(op.out()) {}

  Status Check(const RunContext& context) const override {
    if (context.is_argument(rows_)) {
      return CheckIndices(context, rows_, x_.dims[0], false, "row_gather");
    }
    return {};
  }
  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float*) override {
    const std::int32_t* rows = context.Index(rows_);
    for (std::int64_t row = begin; row < end; ++row) {
      if (!IsUsable(context, rows[row], x_.dims[0], "row_gather")) continue;
      std::memcpy(context.At(y_, row), context.At(x_, rows[row]),
                  static_cast<std::size_t>(y_.row_extent()));
    }
  }
  std::int64_t row_work() const override { return x_.dims[1]; }

 private:
  Operand x_;
  Operand rows_;
  Operand y_;
};

// Keys go interleaved by sixteen positions, [G][P / 16][d][16] in a page, and values by head,
// [G][P][dv]: what attention.cc of the kernels streams.
class KvStoreStep : public RowStep {
 public:
  explicit KvStoreStep(const OpView& op)
      : key_(op.in(0), false),
        value_(op.in(1), false),
        slots_(op.in(2)),
        k_pages_(op.in(3)),
        v_pages_(op.in(4)) {}

  Status Check(const RunContext& context) const override {
    if (!context.is_argument(slots_)) return {};
    return CheckIndices(context, slots_, k_pages_.dims[0] * k_pages_.dims[1], true, "kv_store");
  }
  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    const std::int32_t* slots = context.Index(slots_);
    const std::int64_t page_size = k_pages_.dims[1];
    const std::int64_t heads = k_pages_.dims[2];
    const std::int64_t d = k_pages_.dims[3];
    const std::int64_t dv = v_pages_.dims[3];
    const ElementType type = ElementTypeOf(k_pages_.dtype);
    const std::int64_t element = ElementBytes(k_pages_.dtype);
    for (std::int64_t row = begin; row < end; ++row) {
      if (slots[row] < 0) continue;
      if (!IsUsable(context, slots[row], k_pages_.dims[0] * page_size, "kv_store")) continue;
      const std::int64_t page = slots[row] / page_size;
      const std::int64_t place = slots[row] % page_size;
      for (std::int64_t g = 0; g < heads; ++g) {
        const std::int64_t first = (page * heads + g) * page_size;
        char* block = context.At(k_pages_) + (first + place / kKeyBlock * kKeyBlock) * d * element;
        context.kernels->store_key(key_.Read(context, row, g, scratch), d, block,
                                   static_cast<int>(place % kKeyBlock), type);
        context.kernels->narrow(value_.Read(context, row, g, scratch),
                                context.At(v_pages_) + (first + place) * dv * element, type, dv);
      }
    }
  }
  std::int64_t scratch_floats() const override { return std::max(key_.length(), value_.length()); }
  std::int64_t row_work() const override {
    return (4 * key_.length() + value_.length()) * key_.count();
  }

 private:
  RowRuns key_;
  RowRuns value_;
  Operand slots_;
  Operand k_pages_;
  Operand v_pages_;
};

// ---- RoPE ---------------------------------------------------------------------------------------

class RopeTableStep : public RowStep {
 public:
  RopeTableStep(const OpView& op, std::uint32_t table_root)
      : positions_(op.in(1)),
        frequencies_(op.in(2).weight->vector()),
        pairs_(op.in(2).dims[0]),
        scale_(op.op->scale),
        table_root_(table_root) {}

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float*) override {
    const std::int32_t* positions = context.Index(positions_);
    auto* table = reinterpret_cast<float*>(context.bases[table_root_]);
    for (std::int64_t row = begin; row < end; ++row) {
      float* cosines = table + row * 2 * pairs_;
      for (std::int64_t i = 0; i < pairs_; ++i) {
        // In double: at position 100,000 a float's angle is off by 0.004.
        const double angle =
            static_cast<double>(positions[row]) * static_cast<double>(frequencies_[i]);
        cosines[i] = static_cast<float>(std::cos(angle) * static_cast<double>(scale_));
        cosines[pairs_ + i] = static_cast<float>(std::sin(angle) * static_cast<double>(scale_));
      }
    }
  }
  std::int64_t row_work() const override { return 64 * pairs_; }

 private:
  Operand positions_;
  const float* frequencies_;
  std::int64_t pairs_;
  float scale_;
  std::uint32_t table_root_;
};

class RopeStep : public RowStep {
 public:
  RopeStep(const OpView& op, std::uint32_t table_root)
      : x_(op.in(0), false),
        y_(op.out(), false),
        turned_(2 * op.in(2).dims[0]),
        is_interleaved_(op.op->rope_interleaved != 0),
        table_root_(table_root) {}

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    const std::int64_t d = x_.length();
    const auto* table = reinterpret_cast<const float*>(context.bases[table_root_]);
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t head = 0; head < x_.count(); ++head) {
        const float* x = x_.Read(context, row, head, scratch);
        float* y = y_.Target(context, row, head, scratch + d);
        context.kernels->rope(x, y, table + row * turned_, turned_, d, is_interleaved_ ? 1 : 0);
        y_.Finish(context, row, head, y);
      }
    }
  }
  std::int64_t scratch_floats() const override { return 2 * x_.length(); }
  std::int64_t row_work() const override { return x_.length() * x_.count(); }

 private:
  RowRuns x_;
  RowRuns y_;
  std::int64_t turned_;
  bool is_interleaved_;
  std::uint32_t table_root_;
};

// ---- Packing ------------------------------------------------------------------------------------

class PackStep : public RowStep {
 public:
  PackStep(const Operand& x, const PackedRows& packed) : x_(x, true), packed_(packed) {}

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    const auto pack = context.kernels->pack_activations[packed_.kind];
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t tile = row / kTileTokens;
      char* base = context.bases[packed_.root] + packed_.tile_offset(tile);
      const int width = PackedRows::TileWidth(packed_.tokens(tile));
      pack(x_.Read(context, row, 0, scratch), packed_.k, packed_.padded_k, base, width,
           static_cast<int>(row % kTileTokens));
      if (row + 1 < packed_.rows) continue;
      for (int slot = static_cast<int>(row % kTileTokens) + 1; slot < width; ++slot) {
        pack(scratch, 0, packed_.padded_k, base, width, slot);
      }
    }
  }
  std::int64_t scratch_floats() const override { return x_.length(); }
  std::int64_t row_work() const override { return 2 * x_.length(); }

 private:
  RowRuns x_;
  PackedRows packed_;
};

}  // namespace

std::unique_ptr<RowStep> MakeEmbedding(const OpView& op) {
  return std::make_unique<EmbeddingStep>(op);
}
std::unique_ptr<RowStep> MakeRmsNorm(const OpView& op) { return std::make_unique<RmsNormStep>(op); }
std::unique_ptr<RowStep> MakeGatedActivation(const OpView& op) {
  return std::make_unique<ElementwiseStep>(Elementwise::kGated, op, op.in(0), op.in(1));
}
std::unique_ptr<RowStep> MakeAdd(const OpView& op) {
  return std::make_unique<ElementwiseStep>(Elementwise::kAdd, op, op.in(0), op.in(1));
}
std::unique_ptr<RowStep> MakeScale(const OpView& op) {
  return std::make_unique<ElementwiseStep>(Elementwise::kScale, op, op.in(0), op.in(0));
}
std::unique_ptr<RowStep> MakeCopy(const OpView& op) { return std::make_unique<CopyStep>(op); }
std::unique_ptr<RowStep> MakeRowGather(const OpView& op) {
  return std::make_unique<RowGatherStep>(op);
}
std::unique_ptr<RowStep> MakeCombine(const OpView& op) { return std::make_unique<CombineStep>(op); }
std::unique_ptr<RowStep> MakeKvStore(const OpView& op) { return std::make_unique<KvStoreStep>(op); }
std::unique_ptr<RowStep> MakeRopeTable(const OpView& op, std::uint32_t table_root) {
  return std::make_unique<RopeTableStep>(op, table_root);
}
std::unique_ptr<RowStep> MakeRope(const OpView& op, std::uint32_t table_root) {
  return std::make_unique<RopeStep>(op, table_root);
}
std::unique_ptr<RowStep> MakePack(const Operand& x, const PackedRows& packed) {
  return std::make_unique<PackStep>(x, packed);
}

}  // namespace switchyard::cpu
