#include "model/internal/expert_stacks.h"

#include <utility>

#include "model/internal/printable.h"

namespace switchyard::model::internal {

using base::ErrorCode;
using base::Fail;

std::optional<std::int64_t> TakeNumber(std::string_view& text) {
  std::int64_t number = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    if (digits == 6) return std::nullopt;
    number = number * 10 + (text[digits++] - '0');
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

std::optional<ExpertName> ParseGgufExpert(std::string_view name) {
  std::string_view rest = name;
  if (!rest.starts_with("blk.")) return std::nullopt;
  rest.remove_prefix(4);
  const std::optional<std::int64_t> layer = TakeNumber(rest);
  if (!layer) return std::nullopt;
  for (const std::string_view matrix : {"ffn_gate", "ffn_up", "ffn_down"}) {
    const std::string front = fmt::format(".{}.", matrix);
    if (!rest.starts_with(front)) continue;
    rest.remove_prefix(front.size());
    const std::optional<std::int64_t> expert = TakeNumber(rest);
    if (!expert || rest != ".weight") return std::nullopt;
    return ExpertName{fmt::format("blk.{}.{}_exps.weight", *layer, matrix), *expert};
  }
  return std::nullopt;
}

base::Status ExpertStacks::Add(const std::string& name, std::int64_t expert, std::int64_t experts,
                               CheckpointTensor tensor) {
  if (expert >= experts) {
    return Fail(ErrorCode::kInvalidArgument,
                "tensor '{}' has an expert {}, but the configuration has {} experts; the file and "
                "its configuration belong to different models",
                Printable(name), expert, experts);
  }
  const auto [place, is_new] =
      stacks_.try_emplace(name, Stack{tensor.dtype, tensor.dims, experts, {}});
  Stack& stack = place->second;
  if (tensor.dtype != stack.dtype || tensor.dims != stack.dims) {
    return Fail(ErrorCode::kInvalidArgument,
                "expert {} of '{}' differs in shape or type from the others; get an undamaged copy "
                "of the model",
                expert, Printable(name));
  }
  if (!stack.parts.emplace(expert, tensor.parts[0]).second) {
    return Fail(ErrorCode::kInvalidArgument,
                "expert {} of '{}' is there twice; get an undamaged copy of the model", expert,
                Printable(name));
  }
  return {};
}

base::Status ExpertStacks::MoveTo(std::map<std::string, CheckpointTensor, std::less<>>& tensors) {
  for (auto& [name, stack] : stacks_) {
    if (std::ssize(stack.parts) != stack.experts) {
      return Fail(ErrorCode::kInvalidArgument,
                  "'{}' has {} of {} experts; get a complete copy of the model", Printable(name),
                  stack.parts.size(), stack.experts);
    }
    CheckpointTensor whole{stack.dtype, std::move(stack.dims), {}, false};
    whole.dims.insert(whole.dims.begin(), stack.experts);
    for (const auto& [expert, bytes] : stack.parts) whole.parts.push_back(bytes);
    if (!tensors.emplace(name, std::move(whole)).second) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "'{}' is there both whole and expert by expert; get an undamaged copy of the model",
          Printable(name));
    }
  }
  stacks_.clear();
  return {};
}

}  // namespace switchyard::model::internal
