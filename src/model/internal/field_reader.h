// Reads bounded fields of a model's description, whatever holds it. The first failure sticks and
// everything after it returns in-range fallbacks, so that a reader is a plain list of assignments
// with one check at its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::model::internal {

// Where fields come from. An absent field is an empty optional; one of another type is an error.
class FieldSource {
 public:
  virtual ~FieldSource() = default;
  virtual base::Result<std::optional<std::int64_t>> Int(std::string_view field) const = 0;
  virtual base::Result<std::optional<double>> Float(std::string_view field) const = 0;
  virtual base::Result<std::optional<bool>> Bool(std::string_view field) const = 0;
  virtual base::Result<std::optional<std::string>> String(std::string_view field) const = 0;
  virtual std::string FullName(std::string_view field) const = 0;
};

class FieldReader {
 public:
  struct IntRange {
    std::int64_t least;
    std::int64_t most;
  };
  struct FloatRange {
    double least;
    double most;
  };

  // `source` must outlive the reader.
  explicit FieldReader(const FieldSource& source) : source_(source) {}

  // Without a fallback the field is required.
  std::int64_t Int(std::string_view field, IntRange range,
                   std::optional<std::int64_t> fallback = std::nullopt);
  double Float(std::string_view field, FloatRange range,
               std::optional<double> fallback = std::nullopt);
  bool Bool(std::string_view field, bool fallback);
  std::string String(std::string_view field, std::string_view fallback);

  // Records a failure found by the caller, unless there is one already.
  void Fail(base::Error error);
  bool failed() const { return error_.has_value(); }
  base::Status status() const;
  const FieldSource& source() const { return source_; }

 private:
  template <typename T>
  std::optional<T> Take(base::Result<std::optional<T>> value);
  void FailMissing(std::string_view field);

  const FieldSource& source_;
  std::optional<base::Error> error_;
};

}  // namespace switchyard::model::internal
