// A scenario made ready on one device: its weights, program, buffers and bindings; and runs of it.
// Around and between the elements of every argument lies a pattern that no run may change.
#pragma once

#include <memory>
#include <vector>

#include "base/error.h"
#include "conformance/scenario.h"
#include "conformance/session.h"

namespace switchyard::conformance {

// Results in the scenario's order, each dense.
using Outputs = std::vector<std::vector<std::byte>>;

// Whether the operations are one program, or a program each, with temporaries that lie in memory
// between them: what a chip fuses must equal what it doesn't.
enum class Grouping { kOneProgram, kProgramForEach };

class Execution {
 public:
  // kUnimplemented if the chip says through op_supported that it lacks an operation. A chip that
  // says so but makes the program, or the reverse, is an error of another kind.
  static base::Result<std::unique_ptr<Execution>> Prepare(
      Session& session, const Scenario& scenario, Grouping grouping = Grouping::kOneProgram);

  // Uses another execution's memory for an argument, as that left it.
  void Borrow(Tensor argument, const Execution& lender, Tensor lent);

  // Fills in the arguments, runs and reads the results. Without a queue: the session's.
  base::Result<Outputs> Run(sy_queue* queue = nullptr);

  // Parts of Run, for what a run alone cannot show.
  base::Status FillArguments(sy_queue* queue);
  base::Status Launch(sy_queue* queue);
  base::Result<Outputs> ReadResults(sy_queue* queue);

  const sy_tensor& tensor(Tensor tensor) const { return tensors_[tensor.index]; }
  const sy_binding& binding(Tensor tensor) const { return bindings_[tensors_[tensor.index].slot]; }
  std::span<const sy_binding> bindings() const { return bindings_; }
  std::size_t program_count() const { return programs_.size(); }
  sy_program* program() const { return programs_.front().get(); }
  sy_buffer* workspace() const { return workspace_.get(); }

 private:
  Execution(Session& session, const Scenario& scenario)
      : session_(&session), scenario_(&scenario) {}

  void SeparateTemporaries();
  base::Status AskSupport();
  base::Status PrepareWeights();
  base::Status CreatePrograms(Grouping grouping);
  base::Status PrepareArguments();
  sy_program_desc desc() const;

  Session* session_;
  const Scenario* scenario_;
  std::vector<sy_tensor> tensors_;  // the scenario's, with this device's weights
  std::uint32_t slot_count_ = 0;
  std::vector<Handle<sy_weight>> weights_;
  std::vector<Handle<sy_program>> programs_;
  Handle<sy_buffer> workspace_{nullptr, nullptr};
  std::uint64_t workspace_bytes_ = 0;
  std::vector<Handle<sy_buffer>> buffers_;          // by slot
  std::vector<std::vector<std::byte>> images_;      // by slot: a buffer's bytes before a run
  std::vector<const sy_tensor*> argument_tensors_;  // by slot; null where no tensor has it
  std::vector<sy_binding> bindings_;
  std::vector<bool> is_borrowed_;  // by slot
};

}  // namespace switchyard::conformance
