#include "ops/internal/signature_rules.h"

#include <array>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "ops/internal/tensor_rules.h"
#include "ops/op_rules.h"
#include "ops/tensor_span.h"
#include "tensor/dtype.h"

namespace switchyard::ops::internal {
namespace {

using base::ErrorCode;
using base::Fail;

bool IsActivationType(sy_dtype dtype) {
  return dtype == SY_F32 || dtype == SY_F16 || dtype == SY_BF16;
}

bool IsMultiplicable(sy_dtype dtype) {
  return IsActivationType(dtype) || tensor::IsQuantised(static_cast<tensor::DType>(dtype));
}

std::string_view Expectation(Kind kind) {
  switch (kind) {
    case Kind::kActivation:
    case Kind::kOtherActivation:
      return "f32, f16 or bf16, and no weight";
    case Kind::kF32:
      return "f32, and no weight";
    case Kind::kI32:
      return "i32, and no weight";
    case Kind::kHostI32:
      return "an i32 argument, as its binding carries a host copy";
    case Kind::kPages:
      return "a dense f32, f16 or bf16 argument";
    case Kind::kWeight:
      return "a weight of f32, f16, bf16 or a quantised type";
    case Kind::kF32Weight:
      return "an f32 weight";
    case Kind::kAny:
      return "no weight";
  }
  return "";
}

bool Fits(const sy_tensor& tensor, Kind kind) {
  const bool is_weight = tensor.storage == SY_STORAGE_WEIGHT;
  switch (kind) {
    case Kind::kActivation:
    case Kind::kOtherActivation:
      return !is_weight && IsActivationType(tensor.dtype);
    case Kind::kF32:
      return !is_weight && tensor.dtype == SY_F32;
    case Kind::kI32:
      return !is_weight && tensor.dtype == SY_I32;
    case Kind::kHostI32:
      return tensor.storage == SY_STORAGE_ARGUMENT && tensor.dtype == SY_I32;
    case Kind::kPages:
      return tensor.storage == SY_STORAGE_ARGUMENT && IsActivationType(tensor.dtype) &&
             IsDense(tensor);
    case Kind::kWeight:
      return is_weight && IsMultiplicable(tensor.dtype);
    case Kind::kF32Weight:
      return is_weight && tensor.dtype == SY_F32;
    case Kind::kAny:
      return !is_weight;
  }
  return false;
}

// Matches places one after the other and remembers what each letter and "*" stood for.
class Matcher {
 public:
  Matcher(const sy_program_desc& desc, std::uint32_t op) : desc_(desc), op_(op) {}

  base::Status Match(const Place& place, std::uint32_t index);
  // 0 where no place had the letter.
  std::int64_t Dim(char letter) const { return letters_[static_cast<unsigned char>(letter)].value; }

 private:
  struct Bound {
    std::int64_t value = 0;
    std::string_view place;
  };

  base::Status MatchDims(const Place& place, const sy_tensor& tensor);

  const sy_program_desc& desc_;
  std::uint32_t op_;
  std::array<Bound, 128> letters_{};
  std::vector<std::int64_t> any_dims_;
  std::string_view any_dims_place_;
  sy_dtype activation_ = SY_F32;
  std::string_view activation_place_;
};

base::Status Matcher::Match(const Place& place, std::uint32_t index) {
  const std::string_view name = OpName(desc_.ops[op_].kind);
  if (index == SY_NO_TENSOR) {
    if (place.is_optional) return {};
    return Fail(ErrorCode::kInvalidArgument,
                "op {} ({}): {} is absent, which only optional inputs may be", op_, name,
                place.name);
  }
  if (index >= desc_.tensor_count) {
    return Fail(ErrorCode::kInvalidArgument, "op {} ({}): {} is tensor {}, but there are only {}",
                op_, name, place.name, index, desc_.tensor_count);
  }
  const sy_tensor& tensor = desc_.tensors[index];
  if (!Fits(tensor, place.kind)) {
    return Fail(ErrorCode::kInvalidArgument, "op {} ({}): {} (tensor {}) is {} {}; it must be {}",
                op_, name, place.name, index,
                tensor.storage == SY_STORAGE_WEIGHT ? "a weight of" : "of",
                tensor::Name(static_cast<tensor::DType>(tensor.dtype)), Expectation(place.kind));
  }
  if (place.kind == Kind::kActivation) {
    if (activation_place_.empty()) {
      activation_ = tensor.dtype;
      activation_place_ = place.name;
    } else if (tensor.dtype != activation_) {
      return Fail(ErrorCode::kInvalidArgument,
                  "op {} ({}): {} is {}, but {} is {}; an operation's activations have one type",
                  op_, name, place.name, tensor::Name(static_cast<tensor::DType>(tensor.dtype)),
                  activation_place_, tensor::Name(static_cast<tensor::DType>(activation_)));
    }
  }
  return MatchDims(place, tensor);
}

base::Status Matcher::MatchDims(const Place& place, const sy_tensor& tensor) {
  const std::string_view name = OpName(desc_.ops[op_].kind);
  std::string_view letters = place.dims;
  const bool has_any = letters.starts_with('*');
  if (has_any) letters.remove_prefix(1);
  if (has_any ? tensor.rank < letters.size() : tensor.rank != letters.size()) {
    return Fail(ErrorCode::kInvalidArgument, "op {} ({}): {} has dims {}; it must have rank {}",
                op_, name, place.name, DimsText(tensor), letters.size());
  }
  const std::size_t leading = tensor.rank - letters.size();
  if (has_any) {
    std::vector<std::int64_t> dims(tensor.dims, tensor.dims + leading);
    if (any_dims_place_.empty()) {
      any_dims_ = std::move(dims);
      any_dims_place_ = place.name;
    } else if (dims != any_dims_) {
      return Fail(ErrorCode::kInvalidArgument, "op {} ({}): {} has dims {}, which differ from {}'s",
                  op_, name, place.name, DimsText(tensor), any_dims_place_);
    }
  }
  for (std::size_t i = 0; i < letters.size(); ++i) {
    Bound& bound = letters_[static_cast<unsigned char>(letters[i])];
    const std::int64_t dim = tensor.dims[leading + i];
    if (bound.place.empty()) {
      bound = {dim, place.name};
    } else if (bound.value != dim) {
      return Fail(ErrorCode::kInvalidArgument,
                  "op {} ({}): {} has dims {}, but dim {} must be {} as in {}", op_, name,
                  place.name, DimsText(tensor), leading + i, bound.value, bound.place);
    }
  }
  return {};
}

// What letters alone cannot say.
base::Status CheckDimRelations(const sy_program_desc& desc, std::uint32_t op, const Matcher& dims) {
  const sy_op_kind kind = desc.ops[op].kind;
  if (kind == SY_OP_ROPE && dims.Dim('h') > dims.Dim('d') / 2) {
    return Fail(ErrorCode::kInvalidArgument,
                "op {} (rope): inv_freq has {} frequencies, which turn {} elements; a head has {}",
                op, dims.Dim('h'), 2 * dims.Dim('h'), dims.Dim('d'));
  }
  if (kind == SY_OP_ATTENTION && dims.Dim('H') % dims.Dim('G') != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "op {} (attention): {} query heads are no multiple of {} key/value heads", op,
                dims.Dim('H'), dims.Dim('G'));
  }
  if (kind == SY_OP_ATTENTION && dims.Dim('s') != dims.Dim('B') + 1) {
    return Fail(ErrorCode::kInvalidArgument,
                "op {} (attention): query_start has {} elements; for {} sequences it must have {}",
                op, dims.Dim('s'), dims.Dim('B'), dims.Dim('B') + 1);
  }
  if (kind == SY_OP_TOP_K && dims.Dim('k') > dims.Dim('V')) {
    return Fail(ErrorCode::kInvalidArgument,
                "op {} (top_k): k is {} but a row has only {} elements", op, dims.Dim('k'),
                dims.Dim('V'));
  }
  if (kind == SY_OP_ROUTER_TOP_K && dims.Dim('k') > dims.Dim('E')) {
    return Fail(ErrorCode::kInvalidArgument,
                "op {} (router_top_k): k is {} but there are only {} experts", op, dims.Dim('k'),
                dims.Dim('E'));
  }
  if (kind == SY_OP_COPY) {
    const sy_dtype from = desc.tensors[desc.ops[op].inputs[0]].dtype;
    const sy_dtype to = desc.tensors[desc.ops[op].outputs[0]].dtype;
    if (from != to && !(IsActivationType(from) && IsActivationType(to))) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "op {} (copy): cannot turn {} into {}; only f32, f16 and bf16 turn into one another", op,
          tensor::Name(static_cast<tensor::DType>(from)),
          tensor::Name(static_cast<tensor::DType>(to)));
    }
  }
  return {};
}

base::Status CheckFloat(const sy_op& op, std::uint32_t index, std::string_view name, float value,
                        bool is_used, float neutral, bool may_be_negative) {
  if (!is_used && value != neutral) {  // also true for NaN
    return Fail(ErrorCode::kInvalidArgument,
                "op {} ({}): {} is {}, but the operation has none; set {}", index, OpName(op.kind),
                name, value, neutral);
  }
  if (!std::isfinite(value) || (value < 0 && !may_be_negative)) {
    return Fail(ErrorCode::kInvalidArgument, "op {} ({}): {} is {}; it must be finite{}", index,
                OpName(op.kind), name, value, may_be_negative ? "" : " and not negative");
  }
  return {};
}

base::Status CheckNumber(const sy_op& op, std::uint32_t index, std::string_view name,
                         std::uint32_t value, bool is_used, std::uint32_t most) {
  if (!is_used && value != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "op {} ({}): {} is {}, but the operation has none; set 0", index, OpName(op.kind),
                name, value);
  }
  if (value > most) {
    return Fail(ErrorCode::kInvalidArgument, "op {} ({}): {} is {}; it must be 0 to {}", index,
                OpName(op.kind), name, value, most);
  }
  return {};
}

base::Status CheckAttributes(const sy_op& op, std::uint32_t index, std::uint32_t used) {
  const auto has = [used](Attribute attribute) { return (used & attribute) != 0; };
  SWITCHYARD_RETURN_IF_ERROR(
      CheckFloat(op, index, "scale", op.scale, has(kScale), 1.0F, /*may_be_negative=*/true));
  SWITCHYARD_RETURN_IF_ERROR(
      CheckFloat(op, index, "eps", op.eps, has(kEps), 0.0F, /*may_be_negative=*/false));
  SWITCHYARD_RETURN_IF_ERROR(
      CheckFloat(op, index, "softcap", op.softcap, has(kSoftcap), 0.0F, /*may_be_negative=*/false));
  SWITCHYARD_RETURN_IF_ERROR(
      CheckNumber(op, index, "window", op.window, has(kWindow), 0xffffffffU));
  SWITCHYARD_RETURN_IF_ERROR(CheckNumber(op, index, "activation", op.activation,
                                         has(kActivationKind), SY_ACTIVATION_GELU_ERF));
  SWITCHYARD_RETURN_IF_ERROR(
      CheckNumber(op, index, "scoring", op.scoring, has(kScoring), SY_SCORING_SIGMOID));
  SWITCHYARD_RETURN_IF_ERROR(
      CheckNumber(op, index, "rope_interleaved", op.rope_interleaved, has(kInterleaved), 1));
  return CheckNumber(op, index, "router_renormalise", op.router_renormalise, has(kRenormalise), 1);
}

base::Status CheckNoneBeyond(const sy_op& op, std::uint32_t index, std::string_view side,
                             std::span<const std::uint32_t> places, std::size_t known) {
  for (std::size_t i = known; i < places.size(); ++i) {
    if (places[i] == SY_NO_TENSOR) continue;
    return Fail(ErrorCode::kInvalidArgument,
                "op {} ({}): {} {} is tensor {}, but there are only {} {}s", index, OpName(op.kind),
                side, i, places[i], known, side);
  }
  return {};
}

}  // namespace

base::Status CheckSignature(const sy_program_desc& desc, std::uint32_t op_index,
                            const Signature& signature) {
  const sy_op& op = desc.ops[op_index];
  Matcher matcher(desc, op_index);
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    SWITCHYARD_RETURN_IF_ERROR(matcher.Match(signature.inputs[i], op.inputs[i]));
  }
  for (std::size_t i = 0; i < signature.outputs.size(); ++i) {
    SWITCHYARD_RETURN_IF_ERROR(matcher.Match(signature.outputs[i], op.outputs[i]));
  }
  SWITCHYARD_RETURN_IF_ERROR(
      CheckNoneBeyond(op, op_index, "input", op.inputs, signature.inputs.size()));
  SWITCHYARD_RETURN_IF_ERROR(
      CheckNoneBeyond(op, op_index, "output", op.outputs, signature.outputs.size()));
  SWITCHYARD_RETURN_IF_ERROR(CheckDimRelations(desc, op_index, matcher));
  return CheckAttributes(op, op_index, signature.attributes);
}

}  // namespace switchyard::ops::internal
