// GGUF files, versions 2 and 3: typed metadata and a table of tensors that lie in the file. Nothing
// is copied but the directory; names and strings point into the bytes. Immutable after Parse, so
// any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "tensor/dtype.h"

namespace switchyard::model {

// One metadata value; all integers are widened. Arrays of arrays are refused, as no model has them.
using GgufValue =
    std::variant<bool, std::uint64_t, std::int64_t, double, std::string_view, std::vector<bool>,
                 std::vector<std::int64_t>, std::vector<double>, std::vector<std::string_view>>;

struct GgufTensor {
  std::string_view name;
  tensor::DType dtype;
  std::vector<std::int64_t> dims;   // outermost first, the reverse of the file's order
  std::span<const std::byte> data;  // in the mapped file
};

class GgufFile {
 public:
  static base::Result<GgufFile> Open(const std::filesystem::path& path);
  // `bytes` must outlive the result; `subject` names them in errors.
  static base::Result<GgufFile> Parse(std::span<const std::byte> bytes, std::string_view subject);

  const GgufValue* Find(std::string_view key) const;  // null if absent

  // The value of `key`; kNotFound if absent, kInvalidArgument if of another type. An integer is
  // accepted for a float and an in-range signed one for an unsigned one.
  base::Result<std::string_view> GetString(std::string_view key) const;
  base::Result<std::int64_t> GetInt(std::string_view key) const;
  base::Result<double> GetFloat(std::string_view key) const;
  base::Result<bool> GetBool(std::string_view key) const;
  // Pointers into this object.
  base::Result<const std::vector<std::string_view>*> GetStrings(std::string_view key) const;
  base::Result<const std::vector<std::int64_t>*> GetInts(std::string_view key) const;
  base::Result<const std::vector<double>*> GetFloats(std::string_view key) const;

  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const GgufTensor* FindTensor(std::string_view name) const;  // null if absent
  const std::map<std::string_view, GgufValue>& metadata() const { return metadata_; }
  std::uint32_t version() const { return version_; }

 private:
  base::MappedFile file_;  // empty if made by Parse
  std::string subject_;
  std::uint32_t version_ = 0;
  std::map<std::string_view, GgufValue> metadata_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string_view, std::size_t> tensor_index_;
};

}  // namespace switchyard::model
