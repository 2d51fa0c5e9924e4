#include "protocol/prompts.h"

#include <limits>

namespace switchyard::protocol {

std::vector<Prompt> ReadPrompts(FieldReader& reader, std::string_view name, std::size_t max_count,
                                std::size_t max_tokens) {
  std::vector<Prompt> prompts;
  const auto fail = [&](ApiError error) {
    reader.Fail(std::move(error));
    return std::vector<Prompt>();
  };
  const base::Json* value = reader.Find(name);
  if (value == nullptr) {
    reader.FailMissing(name);
    return {};
  }
  if (value->is_string()) return {value->get<std::string>()};
  if (!value->is_array()) {
    return fail(WrongType(name, "a string, an array of strings or arrays of token ids", *value));
  }
  if (value->empty()) {
    return fail(InvalidField(
        std::string(name), "empty_array",
        fmt::format("Invalid '{}': empty array. Expected an array with minimum length 1.", name)));
  }
  if (value->front().is_number()) {
    auto ids = ReadTokenIds(*value, name, max_tokens);
    if (!ids) return fail(std::move(ids.error()));
    return {std::move(*ids)};
  }
  if (value->size() > max_count) {
    return fail(InvalidField(
        std::string(name), "array_above_max_length",
        fmt::format("Invalid '{}': array too long. Expected at most {} texts, but got {}.", name,
                    max_count, value->size())));
  }
  const bool texts = value->front().is_string();
  for (std::size_t i = 0; i < value->size(); ++i) {
    const base::Json& item = (*value)[i];
    const std::string param = fmt::format("{}[{}]", name, i);
    if (texts) {
      if (!item.is_string()) return fail(WrongType(param, "a string", item));
      prompts.emplace_back(item.get<std::string>());
      continue;
    }
    auto ids = ReadTokenIds(item, param, max_tokens);
    if (!ids) return fail(std::move(ids.error()));
    if (ids->empty()) {
      return fail(
          InvalidField(param, "empty_array", fmt::format("Invalid '{}': empty array.", param)));
    }
    prompts.emplace_back(std::move(*ids));
  }
  return prompts;
}

std::optional<std::int64_t> ReadTruncation(FieldReader& reader) {
  const auto kept =
      reader.Integer("truncate_prompt_tokens", -1, std::numeric_limits<std::int32_t>::max());
  if (kept == 0) {
    reader.Fail(InvalidField("truncate_prompt_tokens", "invalid_value",
                             "Invalid 'truncate_prompt_tokens': expected -1 or 1 and more, but got "
                             "0 instead."));
  }
  return kept;
}

}  // namespace switchyard::protocol
