#include "certify/examination.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "certify/lockstep.h"
#include "certify/operation_facts.h"
#include "ops/comparison.h"
#include "ops/op_rules.h"
#include "ops/tensor_span.h"

namespace switchyard::certify {
namespace {

using engine::Sequence;
using engine::StepItem;
using model::TokenId;

constexpr std::size_t kExcessesKept = 40;

// Columns of x [rows, width] at ids [rows, k], f32.
std::vector<float> Gather(std::span<const std::byte> x, std::int64_t width,
                          std::span<const std::byte> ids, std::int64_t k) {
  std::vector<float> values(ids.size() / sizeof(std::int32_t));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int32_t id = 0;
    std::memcpy(&id, ids.data() + i * sizeof id, sizeof id);
    values[i] = NAN;
    if (id < 0 || id >= width) continue;
    const auto row = static_cast<std::int64_t>(i) / k;
    std::memcpy(&values[i], x.data() + static_cast<std::size_t>(row * width + id) * sizeof(float),
                sizeof(float));
  }
  return values;
}

// Puts together what is seen of operations.
class Findings {
 public:
  Findings(const device::WeightTable& weights, ops::Operands operands)
      : weights_(weights), operands_(operands) {}

  void BeginStep(std::string name) {
    step_ = std::move(name);
    layers_.clear();
  }

  void See(const OperationSeen& seen) {
    const ops::OpList& list = seen.forward.ops;
    if (layers_.empty()) layers_ = LayersOf(list, weights_);
    const sy_op& op = list.ops()[seen.op];
    const OperationFacts facts = FactsOf(list, seen.op, weights_);
    OperationAgreement& agreement = by_kind_[{op.kind, facts.weight_type}];
    agreement.operation = facts.operation;
    agreement.weight_type = facts.weight_type;
    agreement.reason = ops::ReasonFor(op.kind, facts.stored, operands_);
    if (seen.b_on_fallback) {
      ++agreement.on_fallback;
      return;
    }
    ++agreement.compared;
    const ops::Difference difference = Compare(seen, facts);
    agreement.worst_nmse = std::max(agreement.worst_nmse, std::min(difference.nmse, 1e9));
    // What is no number is infinitely far off, which not every reader of JSON can read.
    agreement.worst_share = std::max(agreement.worst_share, std::min(difference.share, 1e9));
    if (difference.is_within()) return;
    ++agreement.exceeded;
    if (std::ranges::find(found_.guilty, facts.operation) == found_.guilty.end()) {
      found_.guilty.push_back(facts.operation);
    }
    if (found_.excesses.size() < kExcessesKept) {
      found_.excesses.push_back({step_, layers_[seen.op], facts.operation, facts.weight,
                                 facts.shape, difference.complaint});
    }
  }

  Examination Finish() {
    for (auto& [kind, agreement] : by_kind_) found_.operations.push_back(std::move(agreement));
    return std::move(found_);
  }

 private:
  ops::Difference Compare(const OperationSeen& seen, const OperationFacts& facts) const {
    const ops::OpList& list = seen.forward.ops;
    const sy_op& op = list.ops()[seen.op];
    const ops::Tolerance tolerance =
        ops::ToleranceOnRealActivations(op.kind, facts.activation, facts.stored, operands_);
    ops::Difference worst;
    for (const WrittenTensor& one : seen.written) {
      const sy_tensor& tensor = list.tensors()[one.tensor];
      const auto dtype = static_cast<tensor::DType>(tensor.dtype);
      ops::Difference difference;
      if (dtype == tensor::DType::kI32) {
        // Ids may differ where the numbers that they were chosen by are as good as equal.
        const std::int64_t width = list.tensors()[op.inputs[0]].dims[1];
        const std::int64_t k = tensor.dims[1];
        const auto x = seen.input(0);
        const std::vector<float> of_a = Gather(x, width, one.a, k);
        const std::vector<float> of_b = Gather(x, width, one.b, k);
        difference = ops::Compare(
            tensor::DType::kF32, std::as_bytes(std::span(of_b)), std::as_bytes(std::span(of_a)),
            ops::ToleranceOf(SY_OP_ROUTER_TOP_K, dtype, tensor::DType::kF32, operands_));
      } else {
        difference =
            ops::Compare(dtype, one.b, one.a, tolerance,
                         {.row_elements = static_cast<std::size_t>(tensor.dims[tensor.rank - 1])});
      }
      if (difference.share > worst.share || (worst.is_within() && !difference.is_within())) {
        worst = std::move(difference);
      }
    }
    return worst;
  }

  const device::WeightTable& weights_;
  ops::Operands operands_;
  std::string step_;
  std::vector<std::int64_t> layers_;  // of the step's list
  std::map<std::pair<sy_op_kind, std::string>, OperationAgreement> by_kind_;
  Examination found_;
};

StepGeometry GeometryOf(const ExaminationOptions& options) {
  return {.page_size = options.page_size,
          .sequences = options.batch_sequences,
          .context = 320,
          .step_tokens = options.batch_tokens,
          .kv_dtype = options.kv_dtype,
          .activation_dtype = options.activation_dtype};
}

// Texts that begin at different places; their first lengths lie around a page's edge.
std::vector<Sequence> TakeSequences(std::span<const TokenId> text, const StepGeometry& geometry) {
  std::vector<Sequence> sequences(static_cast<std::size_t>(geometry.sequences));
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    for (std::int64_t t = 0; t < geometry.context; ++t) {
      sequences[i].tokens.push_back(text[(i * 61 + static_cast<std::size_t>(t)) % text.size()]);
    }
  }
  return sequences;
}

}  // namespace

base::Result<Examination> Examine(model::Model& model, const device::Target& a,
                                  const device::Target& b, std::span<const TokenId> text,
                                  const ExaminationOptions& options, const Progress& progress) {
  SWITCHYARD_TRY(const auto lockstep, Lockstep::Create(model, a, b, GeometryOf(options)));
  const StepGeometry& geometry = lockstep->geometry();
  std::vector<Sequence> sequences = TakeSequences(text, geometry);
  Findings findings(model.weights().table(), options.operands);

  const auto step = [&](std::string name, const std::vector<StepItem>& items) -> base::Status {
    findings.BeginStep(name);
    return lockstep->Step(items, [&](const OperationSeen& seen) {
      findings.See(seen);
      progress(name, seen.op + 1, static_cast<std::int64_t>(seen.forward.ops.ops().size()));
    });
  };
  // Room is left for the steps that follow the first.
  const std::int64_t each =
      std::min(geometry.step_tokens / geometry.sequences, geometry.context / 2);
  std::vector<StepItem> batch;
  std::int64_t tokens = 0;
  for (std::int64_t i = 0; i < geometry.sequences; ++i) {
    const std::int64_t count = std::max<std::int64_t>(1, each - geometry.sequences / 2 + i);
    batch.push_back({&sequences[static_cast<std::size_t>(i)], count});
    tokens += count;
  }
  SWITCHYARD_RETURN_IF_ERROR(
      step(fmt::format("prefill of {} tokens in {} sequences", tokens, batch.size()), batch));
  for (StepItem& item : batch) item.count = 1;
  SWITCHYARD_RETURN_IF_ERROR(step(fmt::format("decode of {} sequences", batch.size()), batch));
  const std::int64_t more = std::min<std::int64_t>(200, geometry.context - sequences[0].cached - 1);
  SWITCHYARD_RETURN_IF_ERROR(
      step(fmt::format("prefill of {} tokens after {}", more, sequences[0].cached),
           {{&sequences[0], more}}));
  SWITCHYARD_RETURN_IF_ERROR(
      step(fmt::format("decode at depth {}", sequences[0].cached), {{&sequences[0], 1}}));
  return findings.Finish();
}

base::Result<std::vector<LayerDrift>> MeasureDrift(model::Model& model, const device::Target& a,
                                                   const device::Target& b,
                                                   std::span<const TokenId> text,
                                                   const ExaminationOptions& options) {
  SWITCHYARD_TRY(const auto lockstep, Lockstep::Create(model, a, b, GeometryOf(options)));
  std::vector<Sequence> sequences = TakeSequences(text, lockstep->geometry());
  const StepItem item{&sequences[0], lockstep->geometry().context};
  SWITCHYARD_TRY(Lockstep::Prepared prepared, lockstep->Prepare({&item, 1}));
  ops::OpList& list = prepared.forward.ops;

  // The last result of each layer is the stream as the next one finds it.
  const std::vector<std::int64_t> layers = LayersOf(list, model.weights().table());
  std::map<std::int64_t, std::uint32_t> stream;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::uint32_t output = list.ops()[i].outputs[0];
    if (layers[i] >= 0 && output != SY_NO_TENSOR) stream[layers[i]] = output;
  }
  std::map<std::int64_t, std::uint32_t> slot_of;
  for (const auto& [layer, tensor] : stream) {
    if (list.tensors()[tensor].storage == SY_STORAGE_TEMPORARY) {
      slot_of[layer] = list.Export({tensor});
    }
  }
  std::vector<std::uint32_t> origins(list.slot_count());
  for (std::uint32_t t = 0; t < list.tensors().size(); ++t) {
    if (list.tensors()[t].storage == SY_STORAGE_ARGUMENT) origins[list.tensors()[t].slot] = t;
  }
  std::map<std::int64_t, std::vector<std::byte>> of_a;
  std::vector<LayerDrift> drift;
  for (ChipUnderStep* chip : {&lockstep->a(), &lockstep->b()}) {
    std::vector<SlotContents> slots(list.slot_count());
    for (std::size_t slot = 0; slot < prepared.integers.size(); ++slot) {
      slots[slot].bytes = prepared.integers[slot];
    }
    Lockstep::BindPages(prepared.forward, origins, chip->kv, slots);
    SWITCHYARD_TRY(const auto program, BoundProgram::Create(list, slots, model.weights().table(),
                                                            chip->target, chip->kv_home));
    SWITCHYARD_RETURN_IF_ERROR(program->Run());
    for (const auto& [layer, slot] : slot_of) {
      SWITCHYARD_TRY(std::vector<std::byte> contents, program->Read(slot));
      if (chip == &lockstep->a()) {
        of_a[layer] = std::move(contents);
        continue;
      }
      const auto dtype = static_cast<tensor::DType>(list.tensors()[origins[slot]].dtype);
      constexpr ops::Tolerance kAnything{1e30, 1e30};
      drift.push_back({layer, ops::Compare(dtype, contents, of_a[layer], kAnything).nmse});
    }
  }
  return drift;
}

}  // namespace switchyard::certify
