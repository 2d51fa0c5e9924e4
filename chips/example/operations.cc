// Which operations the card runs, and each as a call of the vendor's library.
#include <algorithm>
#include <cstring>
#include <optional>

#include "card.h"
#include "kit/element_types.h"
#include "kit/weights.h"

namespace switchyard::chips {
namespace {

// What each operand may be, one letter an input and an output:
//   h  f16, the only activations that the card takes     i  i32
//   r  f16 or f32, as the card's sums come out           v  f32 vector of parameters
//   m  matrix, made f16 at weight_create: not f32, which f16 does not hold
struct Rule {
  sy_op_kind kind;
  const char* inputs;
  const char* outputs;
};

constexpr Rule kRules[] = {
    {SY_OP_EMBEDDING, "mi", "h"},
    {SY_OP_RMS_NORM, "hv", "h"},
    {SY_OP_LINEAR, "hmv", "r"},
    {SY_OP_ROPE, "hiv", "h"},
    {SY_OP_KV_STORE, "hhihh", ""},
    {SY_OP_ATTENTION, "hhhiiiv", "h"},
    {SY_OP_GATED_ACTIVATION, "hh", "h"},
    {SY_OP_ADD, "hh", "h"},
    {SY_OP_SCALE, "h", "h"},
    {SY_OP_ROW_GATHER, "hi", "h"},
    {SY_OP_COPY, "r", "r"},
    {SY_OP_TOP_K, "h", "ri"},
};

bool IsOf(char letter, const Operand& operand) {
  const sy_dtype dtype = operand.dtype();
  switch (letter) {
    case 'h':
      return dtype == SY_F16;
    case 'r':
      return dtype == SY_F16 || dtype == SY_F32;
    case 'i':
      return dtype == SY_I32;
    case 'v':
      return dtype == SY_F32;
    default:
      return dtype == SY_F16 || dtype == SY_BF16 || IsBlockFormat(dtype);
  }
}

std::string WhyNotTypes(const char* letters, const Operand* operands) {
  for (std::size_t i = 0; i < std::strlen(letters); ++i) {
    if (!operands[i] || IsOf(letters[i], operands[i])) continue;
    const std::string type = FindElementType(operands[i].dtype())->name;
    return letters[i] == 'm' ? "the card's matrices are f16, which does not hold " + type
                             : "the card computes in f16, not in " + type;
  }
  return {};
}

// The operand as the library describes tensors, in elements.
pretend::Tensor TensorOf(const Operand& operand) {
  const bool is_weight = operand.weight != nullptr;
  const sy_dtype dtype = is_weight ? operand.weight->dtype : operand.dtype();
  const std::int64_t element = FindElementType(dtype)->block_bytes;
  pretend::Tensor tensor;
  tensor.memory = operand.base;
  tensor.offset = static_cast<std::int64_t>(operand.offset_bytes) / element;
  tensor.type = dtype == SY_F16   ? pretend::Type::kF16
                : dtype == SY_F32 ? pretend::Type::kF32
                                  : pretend::Type::kI32;
  tensor.rank = static_cast<int>(operand.tensor->rank);
  std::copy_n(operand.tensor->dims, tensor.rank, tensor.dims);
  for (int i = 0; i < tensor.rank; ++i) tensor.strides[i] = operand.tensor->strides[i] / element;
  if (is_weight && tensor.rank == 2) {
    tensor.strides[0] = static_cast<std::int64_t>(operand.weight->row_bytes) / element;
    tensor.strides[1] = 1;
  }
  return tensor;
}

// One that may be absent, for the library's optional arguments.
class OptionalTensor {
 public:
  explicit OptionalTensor(const Operand& operand) {
    if (operand) tensor_ = TensorOf(operand);
  }
  const pretend::Tensor* get() const { return tensor_ ? &*tensor_ : nullptr; }

 private:
  std::optional<pretend::Tensor> tensor_;
};

pretend::Gate GateOf(sy_activation activation) {
  switch (activation) {
    case SY_ACTIVATION_SILU:
      return pretend::Gate::kSilu;
    case SY_ACTIVATION_GELU_TANH:
      return pretend::Gate::kGeluTanh;
    default:
      return pretend::Gate::kGeluErf;
  }
}

// The library plans attention on the host, so it gets the lengths from there.
pretend::Result RunAttention(pretend::Stream* stream, const Operation& operation) {
  const Operand* const in = operation.inputs;
  if (in[4].host_copy == nullptr || in[5].host_copy == nullptr) {
    throw Failure(SY_INVALID_ARGUMENT, "attention's lengths are bound without their host copy");
  }
  const OptionalTensor sinks(in[6]);
  pretend::AttentionCall call;
  call.query = TensorOf(in[0]);
  call.keys = TensorOf(in[1]);
  call.values = TensorOf(in[2]);
  call.page_table = TensorOf(in[3]);
  call.query_start = static_cast<const std::int32_t*>(in[4].host_copy);
  call.kv_length = static_cast<const std::int32_t*>(in[5].host_copy);
  call.sinks = sinks.get();
  call.scale = operation.op.scale;
  call.softcap = operation.op.softcap;
  call.window = operation.op.window;
  call.result = TensorOf(operation.outputs[0]);
  call.workspace = operation.scratch;
  return pretend::Attention(stream, call);
}

pretend::Result Launch(pretend::Stream* stream, const Operation& operation) {
  const sy_op& op = operation.op;
  const Operand* const in = operation.inputs;
  const auto x = [&](int i) { return TensorOf(in[i]); };
  const auto y = [&](int i) { return TensorOf(operation.outputs[i]); };
  switch (op.kind) {
    case SY_OP_EMBEDDING:
      return pretend::Embedding(stream, x(0), x(1), op.scale, y(0));
    case SY_OP_RMS_NORM:
      return pretend::RmsNorm(stream, x(0), x(1), op.eps, y(0));
    case SY_OP_LINEAR:
      return pretend::Matmul(stream, x(0), x(1), OptionalTensor(in[2]).get(), y(0));
    case SY_OP_ROPE:
      return pretend::Rope(stream, x(0), x(1), x(2), op.scale, op.rope_interleaved != 0, y(0));
    case SY_OP_KV_STORE: {
      const pretend::Result keys = pretend::StorePages(stream, x(0), x(2), x(3));
      return keys == pretend::Result::kOk ? pretend::StorePages(stream, x(1), x(2), x(4)) : keys;
    }
    case SY_OP_ATTENTION:
      return RunAttention(stream, operation);
    case SY_OP_GATED_ACTIVATION:
      return pretend::GatedActivation(stream, x(0), x(1), GateOf(op.activation), y(0));
    case SY_OP_ADD:
      return pretend::Add(stream, x(0), x(1), y(0));
    case SY_OP_SCALE:
      return pretend::Scale(stream, x(0), op.scale, op.softcap, y(0));
    case SY_OP_ROW_GATHER:
      return pretend::GatherRows(stream, x(0), x(1), y(0));
    case SY_OP_COPY:
      return pretend::Cast(stream, x(0), y(0));
    case SY_OP_TOP_K:
      return pretend::TopK(stream, x(0), y(0), y(1));
    default:
      throw Failure(SY_INTERNAL, "operation %u has no call", op.kind);
  }
}

}  // namespace

WeightImage Card::PrepareWeight(const sy_weight_desc& desc) const {
  return desc.rank == 1 ? AsGiven(desc) : As16Bit(desc, SY_F16, pretend::kMatrixRowBytes);
}

std::string Card::WhyNot(const Operation& operation) const {
  const auto* const rule =
      std::find_if(std::begin(kRules), std::end(kRules),
                   [&](const Rule& candidate) { return candidate.kind == operation.op.kind; });
  if (rule == std::end(kRules)) return "the card's library has no such operation";
  if (std::string reason = WhyNotTypes(rule->inputs, operation.inputs); !reason.empty()) {
    return reason;
  }
  if (std::string reason = WhyNotTypes(rule->outputs, operation.outputs); !reason.empty()) {
    return reason;
  }
  if (rule->kind != SY_OP_ATTENTION) return {};
  if (operation.inputs[1].dim(1) % pretend::kPageMultiple != 0) {
    return "the card's pages are multiples of 16 positions";
  }
  return operation.inputs[2].dim(3) <= 2 * operation.inputs[1].dim(3)
             ? std::string()
             : "values are more than twice as wide as keys";
}

std::uint64_t Card::ScratchBytes(const Operation& operation) const {
  if (operation.op.kind != SY_OP_ATTENTION) return 0;
  return pretend::AttentionWorkspaceBytes(TensorOf(operation.inputs[1]),
                                          TensorOf(operation.inputs[3]));
}

void CardQueue::Run(const Operation& operation) {
  Check(Launch(stream_, operation), "starting an operation");
}

}  // namespace switchyard::chips
