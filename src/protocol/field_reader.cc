#include "protocol/field_reader.h"

#include <cmath>

namespace switchyard::protocol {
namespace {

std::string_view WithArticle(base::Json::value_t type) {
  using Type = base::Json::value_t;
  switch (type) {
    case Type::null:
      return "null";
    case Type::object:
      return "an object";
    case Type::array:
      return "an array";
    case Type::string:
      return "a string";
    case Type::boolean:
      return "a boolean";
    case Type::number_integer:
    case Type::number_unsigned:
      return "an integer";
    case Type::number_float:
      return "a decimal number";
    default:
      return "something else";
  }
}

// 2 for 2.0, as it stands in a sentence.
std::string Shown(double value) { return fmt::format("{:g}", value); }

template <typename T>
ApiError OutOfRange(const std::string& param, std::string_view kind, T value, T min, T max) {
  const bool above = value > max;
  return InvalidField(
      param, fmt::format("{}_{}", kind, above ? "above_max_value" : "below_min_value"),
      fmt::format("Invalid '{}': {} {} value. Expected a value {} {}, but got {} instead.", param,
                  kind, above ? "above maximum" : "below minimum",
                  above ? "<=" : ">=", Shown(static_cast<double>(above ? max : min)),
                  Shown(static_cast<double>(value))));
}

// As an integer; 3.0 counts, as it does for OpenAI.
std::optional<std::int64_t> WholeNumber(const base::Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return static_cast<std::int64_t>(std::min(number, kMax));
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const auto number = value.get<double>();
  if (!(std::abs(number) <= 9007199254740992.0) || number != std::floor(number)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(number);
}

}  // namespace

std::string_view JsonTypeName(const base::Json& value) { return WithArticle(value.type()); }

ApiError WrongType(std::string_view param, std::string_view expected, const base::Json& got) {
  return InvalidField(std::string(param), "invalid_type",
                      fmt::format("Invalid type for '{}': expected {}, but got {} instead.", param,
                                  expected, JsonTypeName(got)));
}

const base::Json* FieldReader::Find(std::string_view name) const {
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<double> FieldReader::Decimal(std::string_view name, double min, double max) {
  const base::Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) {
    Fail(WrongType(Param(name), "a decimal number", *value));
    return std::nullopt;
  }
  const auto number = value->get<double>();
  if (!(number >= min && number <= max)) {
    Fail(OutOfRange(Param(name), "decimal", number, min, max));
    return std::nullopt;
  }
  return number;
}

std::optional<std::int64_t> FieldReader::Integer(std::string_view name, std::int64_t min,
                                                 std::int64_t max) {
  const base::Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const auto number = WholeNumber(*value);
  if (!number) {
    Fail(WrongType(Param(name), "an integer", *value));
    return std::nullopt;
  }
  if (*number < min || *number > max) {
    Fail(OutOfRange(Param(name), "integer", *number, min, max));
    return std::nullopt;
  }
  return number;
}

std::optional<bool> FieldReader::Boolean(std::string_view name) {
  const base::Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) {
    Fail(WrongType(Param(name), "a boolean", *value));
    return std::nullopt;
  }
  return value->get<bool>();
}

std::optional<std::string> FieldReader::String(std::string_view name, std::size_t max_bytes) {
  const base::Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    Fail(WrongType(Param(name), "a string", *value));
    return std::nullopt;
  }
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > max_bytes) {
    Fail(InvalidField(Param(name), "string_above_max_length",
                      fmt::format("Invalid '{}': string too long. Expected a string with at most "
                                  "{} bytes, but got one with {} instead.",
                                  Param(name), max_bytes, text.size())));
    return std::nullopt;
  }
  return text;
}

std::vector<std::string> FieldReader::Strings(std::string_view name, std::size_t max_count,
                                              std::size_t max_bytes) {
  const base::Json* value = Find(name);
  if (value == nullptr) return {};
  if (value->is_string()) {
    auto text = String(name, max_bytes);
    if (!text) return {};
    return {std::move(*text)};
  }
  if (!value->is_array()) {
    Fail(WrongType(Param(name), "a string or an array of strings", *value));
    return {};
  }
  if (value->size() > max_count) {
    Fail(InvalidField(Param(name), "array_above_max_length",
                      fmt::format("Invalid '{}': array too long. Expected an array with at most {} "
                                  "elements, but got {} instead.",
                                  Param(name), max_count, value->size())));
    return {};
  }
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < value->size(); ++i) {
    const base::Json& item = (*value)[i];
    const std::string param = fmt::format("{}[{}]", Param(name), i);
    if (!item.is_string()) {
      Fail(WrongType(param, "a string", item));
      return {};
    }
    texts.push_back(item.get<std::string>());
    if (texts.back().size() > max_bytes) {
      Fail(InvalidField(param, "string_above_max_length",
                        fmt::format("Invalid '{}': string too long. Expected a string with at most "
                                    "{} bytes, but got one with {} instead.",
                                    param, max_bytes, texts.back().size())));
      return {};
    }
  }
  return texts;
}

std::vector<std::int32_t> FieldReader::TokenIds(std::string_view name, std::size_t max_count) {
  const base::Json* value = Find(name);
  if (value == nullptr) return {};
  auto ids = ReadTokenIds(*value, Param(name), max_count);
  if (!ids) {
    Fail(std::move(ids.error()));
    return {};
  }
  return std::move(*ids);
}

void FieldReader::FailMissing(std::string_view name) {
  Fail(InvalidField(Param(name), "missing_required_parameter",
                    fmt::format("Missing required parameter: '{}'.", Param(name))));
}

ApiResult<std::vector<std::int32_t>> ReadTokenIds(const base::Json& list, std::string_view param,
                                                  std::size_t max_count) {
  if (!list.is_array()) return std::unexpected(WrongType(param, "an array of token ids", list));
  if (list.size() > max_count) {
    return std::unexpected(
        InvalidField(std::string(param), "array_above_max_length",
                     fmt::format("Invalid '{}': array too long. Expected an array with at most {} "
                                 "elements, but got {} instead.",
                                 param, max_count, list.size())));
  }
  std::vector<std::int32_t> ids;
  ids.reserve(list.size());
  constexpr std::int64_t kMax = std::numeric_limits<std::int32_t>::max();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto id = WholeNumber(list[i]);
    const std::string item = id && *id >= 0 && *id <= kMax ? "" : fmt::format("{}[{}]", param, i);
    if (!id) return std::unexpected(WrongType(item, "a token id", list[i]));
    if (!item.empty()) {
      return std::unexpected(OutOfRange(item, "integer", *id, std::int64_t{0}, kMax));
    }
    ids.push_back(static_cast<std::int32_t>(*id));
  }
  return ids;
}

ApiResult<base::Json> ParseBody(std::string_view body) {
  auto json = base::ParseJson(body, "the request's body");
  if (!json) {
    return std::unexpected(InvalidField(
        "", "", "We could not parse the JSON body of your request: " + json.error().message));
  }
  if (!json->is_object()) {
    return std::unexpected(InvalidField(
        "", "invalid_type",
        fmt::format("The request's body must be a JSON object, but is {}.", JsonTypeName(*json))));
  }
  return std::move(*json);
}

}  // namespace switchyard::protocol
