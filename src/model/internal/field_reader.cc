#include "model/internal/field_reader.h"

#include <utility>

namespace switchyard::model::internal {

template <typename T>
std::optional<T> FieldReader::Take(base::Result<std::optional<T>> value) {
  if (value) return std::move(*value);
  Fail(std::move(value.error()));
  return std::nullopt;
}

std::int64_t FieldReader::Int(std::string_view field, IntRange range,
                              std::optional<std::int64_t> fallback) {
  const std::optional<std::int64_t> value = Take(source_.Int(field));
  if (!value) {
    if (!fallback) FailMissing(field);
    return fallback.value_or(range.least);
  }
  if (*value >= range.least && *value <= range.most) return *value;
  Fail({base::ErrorCode::kInvalidArgument,
        fmt::format("'{}' is {}, but must lie between {} and {}; the file is damaged or of a kind "
                    "that is not supported",
                    source_.FullName(field), *value, range.least, range.most)});
  return range.least;
}

double FieldReader::Float(std::string_view field, FloatRange range,
                          std::optional<double> fallback) {
  const std::optional<double> value = Take(source_.Float(field));
  if (!value) {
    if (!fallback) FailMissing(field);
    return fallback.value_or(range.least);
  }
  if (*value >= range.least && *value <= range.most) return *value;  // false for NaN
  Fail({base::ErrorCode::kInvalidArgument,
        fmt::format("'{}' is {}, but must lie between {} and {}; the file is damaged or of a kind "
                    "that is not supported",
                    source_.FullName(field), *value, range.least, range.most)});
  return range.least;
}

bool FieldReader::Bool(std::string_view field, bool fallback) {
  return Take(source_.Bool(field)).value_or(fallback);
}

std::string FieldReader::String(std::string_view field, std::string_view fallback) {
  return Take(source_.String(field)).value_or(std::string(fallback));
}

void FieldReader::Fail(base::Error error) {
  if (!error_) error_ = std::move(error);
}

void FieldReader::FailMissing(std::string_view field) {
  Fail({base::ErrorCode::kInvalidArgument,
        fmt::format("'{}' is missing; without it the model cannot be built, so get a complete copy "
                    "of the file",
                    source_.FullName(field))});
}

base::Status FieldReader::status() const {
  if (error_) return std::unexpected(*error_);
  return {};
}

}  // namespace switchyard::model::internal
