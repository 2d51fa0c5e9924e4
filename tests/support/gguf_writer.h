// Writes small GGUF files (version 3 unless told otherwise) for tests and synthetic models. It
// checks nothing, so a test can also write what no sound writer would. Not thread-safe.
//
//   GgufWriter writer;
//   writer.Set("general.architecture", "llama");
//   writer.Set("llama.block_count", std::uint32_t{2});
//   writer.AddTensor("output.weight", tensor::DType::kF32, {32, 64}, bytes);  // [rows, columns]
//   std::vector<std::byte> file = writer.Bytes();
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ostream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "tensor/dtype.h"

namespace switchyard::test_support {

// Little-endian fields, one after the other.
class GgufFields {
 public:
  template <typename T>
    requires std::is_arithmetic_v<T>
  GgufFields& Put(T value) {
    return PutText({reinterpret_cast<const char*>(&value), sizeof(T)});
  }
  GgufFields& PutRaw(std::span<const std::byte> bytes) {
    return PutText({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  GgufFields& PutText(std::string_view text) {
    text_.append(text);
    return *this;
  }
  GgufFields& PutString(std::string_view text) {
    return Put(static_cast<std::uint64_t>(text.size())).PutText(text);
  }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(text_)); }

 private:
  std::string text_;
};

// GGUF's number for a metadata value of type T.
template <typename T>
constexpr std::uint32_t GgufValueNumber() {
  if constexpr (std::is_same_v<T, std::uint8_t>) return 0;
  if constexpr (std::is_same_v<T, std::int8_t>) return 1;
  if constexpr (std::is_same_v<T, std::uint16_t>) return 2;
  if constexpr (std::is_same_v<T, std::int16_t>) return 3;
  if constexpr (std::is_same_v<T, std::uint32_t>) return 4;
  if constexpr (std::is_same_v<T, std::int32_t>) return 5;
  if constexpr (std::is_same_v<T, float>) return 6;
  if constexpr (std::is_same_v<T, bool>) return 7;
  if constexpr (std::is_same_v<T, std::uint64_t>) return 10;
  if constexpr (std::is_same_v<T, std::int64_t>) return 11;
  if constexpr (std::is_same_v<T, double>) return 12;
}

inline constexpr std::uint32_t kGgufStringNumber = 8;
inline constexpr std::uint32_t kGgufArrayNumber = 9;

// ggml's number for a tensor's type.
inline std::uint32_t GgmlTypeNumber(tensor::DType dtype) {
  using tensor::DType;
  switch (dtype) {
    case DType::kF32:
      return 0;
    case DType::kF16:
      return 1;
    case DType::kQ4_0:
      return 2;
    case DType::kQ4_1:
      return 3;
    case DType::kQ5_0:
      return 6;
    case DType::kQ5_1:
      return 7;
    case DType::kQ8_0:
      return 8;
    case DType::kQ2_K:
      return 10;
    case DType::kQ3_K:
      return 11;
    case DType::kQ4_K:
      return 12;
    case DType::kQ5_K:
      return 13;
    case DType::kQ6_K:
      return 14;
    case DType::kIQ4_NL:
      return 20;
    case DType::kIQ4_XS:
      return 23;
    case DType::kI8:
      return 24;
    case DType::kI32:
      return 26;
    case DType::kI64:
      return 27;
    case DType::kBF16:
      return 30;
    case DType::kMXFP4:
      return 39;
  }
  return 0xffffffffU;
}

class GgufWriter {
 public:
  // Called while the file is written, so that a model need not fit in memory; returns the tensor's
  // bytes, as many as were announced.
  using Contents = std::function<std::vector<std::byte>()>;

  template <typename T>
    requires std::is_arithmetic_v<T>
  void Set(std::string_view key, T value) {
    Begin(key, GgufValueNumber<T>());
    metadata_.Put(value);
  }
  void Set(std::string_view key, std::string_view value) {
    Begin(key, kGgufStringNumber);
    metadata_.PutString(value);
  }
  template <typename T>
  void SetArray(std::string_view key, const std::vector<T>& values) {
    Begin(key, kGgufArrayNumber);
    constexpr bool kIsText = !std::is_arithmetic_v<T>;
    if constexpr (kIsText) {
      metadata_.Put(kGgufStringNumber);
    } else {
      metadata_.Put(GgufValueNumber<T>());
    }
    metadata_.Put(static_cast<std::uint64_t>(values.size()));
    for (const auto& value : values) {
      if constexpr (kIsText) {
        metadata_.PutString(value);
      } else {
        metadata_.Put(static_cast<T>(value));  // vector<bool> yields proxies
      }
    }
  }
  // Announces the alignment to readers and keeps it.
  void SetAlignment(std::uint32_t alignment) {
    Set("general.alignment", alignment);
    alignment_ = alignment;
  }
  void set_version(std::uint32_t version) { version_ = version; }

  // `dims` outermost first. `size_bytes` is the contents' size.
  void AddTensor(std::string_view name, std::uint32_t ggml_type,
                 const std::vector<std::uint64_t>& dims, std::uint64_t size_bytes,
                 Contents contents) {
    data_end_ = AlignUp(data_end_);
    AddEntry(name, ggml_type, dims, data_end_);
    tensors_.push_back({data_end_, std::move(contents)});
    data_end_ += size_bytes;
  }
  void AddTensor(std::string_view name, tensor::DType dtype, const std::vector<std::uint64_t>& dims,
                 std::vector<std::byte> bytes) {
    const std::uint64_t size = bytes.size();
    AddTensor(name, GgmlTypeNumber(dtype), dims, size, [held = std::move(bytes)] { return held; });
  }
  // An entry in the directory alone, at an offset of the caller's choice.
  void AddEntry(std::string_view name, std::uint32_t ggml_type,
                const std::vector<std::uint64_t>& dims, std::uint64_t offset) {
    directory_.PutString(name).Put(static_cast<std::uint32_t>(dims.size()));
    for (auto dim = dims.rbegin(); dim != dims.rend(); ++dim) directory_.Put(*dim);
    directory_.Put(ggml_type).Put(offset);
    ++tensor_count_;
  }

  void Write(std::ostream& out) const {
    GgufFields header;
    header.PutText("GGUF").Put(version_).Put(tensor_count_).Put(metadata_count_);
    header.PutRaw(metadata_.bytes()).PutRaw(directory_.bytes());
    WriteBytes(out, header.bytes());
    WritePadding(out, AlignUp(header.bytes().size()) - header.bytes().size());
    std::uint64_t position = 0;
    for (const Tensor& tensor : tensors_) {
      WritePadding(out, tensor.offset - position);
      const std::vector<std::byte> bytes = tensor.contents();
      WriteBytes(out, bytes);
      position = tensor.offset + bytes.size();
    }
    WritePadding(out, AlignUp(position) - position);
  }

  std::vector<std::byte> Bytes() const {
    std::ostringstream out;
    Write(out);
    const std::string text = std::move(out).str();
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
  }

 private:
  struct Tensor {
    std::uint64_t offset;
    Contents contents;
  };

  void Begin(std::string_view key, std::uint32_t number) {
    metadata_.PutString(key).Put(number);
    ++metadata_count_;
  }
  std::uint64_t AlignUp(std::uint64_t position) const {
    return (position + alignment_ - 1) / alignment_ * alignment_;
  }
  static void WriteBytes(std::ostream& out, std::span<const std::byte> bytes) {
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }
  static void WritePadding(std::ostream& out, std::uint64_t size) {
    for (std::uint64_t i = 0; i < size; ++i) out.put('\0');
  }

  std::uint32_t version_ = 3;
  std::uint64_t alignment_ = 32;
  std::uint64_t metadata_count_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t data_end_ = 0;
  GgufFields metadata_;
  GgufFields directory_;
  std::vector<Tensor> tensors_;
};

}  // namespace switchyard::test_support
