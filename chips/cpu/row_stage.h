// Stages that treat rows of activations one by one. Several operations in a row of the list become
// steps of one stage when row t of each depends on row t of the others only: normalisation and
// packing, RoPE of queries and keys and the KV store, and so on.
#pragma once

#include <memory>
#include <vector>

#include "stage.h"

namespace switchyard::cpu {

// The runs of dense elements that a row of a tensor is made of.
class RowRuns {
 public:
  // One run for each vector of the last dimension, or the whole row at once.
  RowRuns(const Operand& operand, bool is_whole_row);

  std::int64_t count() const { return static_cast<std::int64_t>(offsets_.size()); }
  std::int64_t length() const { return length_; }
  char* Address(const RunContext& context, std::int64_t row, std::int64_t run) const {
    return context.At(operand_, row) + offsets_[static_cast<std::size_t>(run)];
  }
  // As floats: in place if they are, else widened into `room`.
  const float* Read(const RunContext& context, std::int64_t row, std::int64_t run,
                    float* room) const;
  // Where to put floats: the run itself, or `room`, which Finish then narrows.
  float* Target(const RunContext& context, std::int64_t row, std::int64_t run, float* room) const;
  void Finish(const RunContext& context, std::int64_t row, std::int64_t run,
              const float* room) const;

 private:
  Operand operand_;
  std::vector<std::int64_t> offsets_;
  std::int64_t length_;
};

class RowStep {
 public:
  virtual ~RowStep() = default;
  virtual Status Check(const RunContext&) const { return {}; }
  // scratch: as many floats as scratch_floats says.
  virtual void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) = 0;
  virtual std::int64_t scratch_floats() const { return 0; }
  // Roughly how many floats a row costs, to judge when rows are worth sharing out.
  virtual std::int64_t row_work() const = 0;
};

class RowStage : public Stage {
 public:
  explicit RowStage(std::int64_t rows) : rows_(rows) {}
  void Add(std::unique_ptr<RowStep> step);

  Status Check(const RunContext& context) const override;
  std::int64_t Open(RunContext& context) override;
  void Run(RunContext& context, std::int64_t begin, std::int64_t end, int thread) override;
  std::int64_t scratch_bytes() const override { return scratch_floats_ * 4; }

 private:
  std::int64_t rows_;
  std::int64_t rows_of_unit_ = 1;
  std::int64_t row_work_ = 0;
  std::int64_t scratch_floats_ = 0;
  std::vector<std::unique_ptr<RowStep>> steps_;
};

}  // namespace switchyard::cpu
