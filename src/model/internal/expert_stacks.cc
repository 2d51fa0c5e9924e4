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
  CheckpointTensor& stack = stacks_[name];
  if (stack.parts.empty()) {
    stack.dtype = tensor.dtype;
    stack.dims = tensor.dims;
    stack.dims.insert(stack.dims.begin(), experts);
    stack.parts.resize(static_cast<std::size_t>(experts));
  }
  std::span<const std::byte>& place = stack.parts[static_cast<std::size_t>(expert)];
  const bool is_alike = tensor.dtype == stack.dtype &&
                        tensor.dims.size() + 1 == stack.dims.size() &&
                        std::equal(tensor.dims.begin(), tensor.dims.end(), stack.dims.begin() + 1);
  if (!is_alike || !place.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "expert {} of '{}' {}; get an undamaged copy of the model", expert, Printable(name),
                is_alike ? "is there twice" : "differs in shape or type from the others");
  }
  place = tensor.parts[0];
  return {};
}

base::Status ExpertStacks::MoveTo(std::map<std::string, CheckpointTensor, std::less<>>& tensors) {
  for (auto& [name, stack] : stacks_) {
    for (std::size_t expert = 0; expert < stack.parts.size(); ++expert) {
      if (!stack.parts[expert].empty()) continue;
      return Fail(ErrorCode::kInvalidArgument,
                  "expert {} of '{}' is missing; get a complete copy of the model", expert,
                  Printable(name));
    }
    if (!tensors.emplace(name, std::move(stack)).second) {
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
