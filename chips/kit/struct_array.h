// Reading structs that another compiler's version of chip.h laid out: no byte beyond the
// struct_size that they came with, and zeros for fields that they lack.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "switchyard/chip.h"

namespace switchyard::chips {

template <typename T>
T ReadStruct(const T* from) {
  std::uint32_t size = 0;
  std::memcpy(&size, from, sizeof size);
  T value{};
  std::memcpy(&value, from, std::min<std::size_t>(size, sizeof value));
  value.struct_size = sizeof value;
  return value;
}

// Elements lie as far apart as the first one's struct_size says.
template <typename T>
std::vector<T> ReadStructs(const T* from, std::uint32_t count) {
  std::vector<T> values;
  values.reserve(count);
  if (count == 0) return values;
  const std::size_t step = from->struct_size;
  const auto* bytes = reinterpret_cast<const std::byte*>(from);
  for (std::uint32_t i = 0; i < count; ++i) {
    values.push_back(ReadStruct(reinterpret_cast<const T*>(bytes + i * step)));
  }
  return values;
}

// A program's description with its arrays as this side compiled them.
struct ReadDesc {
  std::vector<sy_tensor> tensors;
  std::vector<sy_op> ops;
  sy_program_desc desc;

  explicit ReadDesc(const sy_program_desc* from) : desc(ReadStruct(from)) {
    if (desc.tensors != nullptr) tensors = ReadStructs(desc.tensors, desc.tensor_count);
    if (desc.ops != nullptr) ops = ReadStructs(desc.ops, desc.op_count);
    desc.tensors = tensors.data();
    desc.tensor_count = static_cast<std::uint32_t>(tensors.size());
    desc.ops = ops.data();
    desc.op_count = static_cast<std::uint32_t>(ops.size());
  }
  ReadDesc(const ReadDesc&) = delete;
  ReadDesc& operator=(const ReadDesc&) = delete;
};

// Fills in a struct of the caller's, whose struct_size says how much of it the caller knows.
template <typename T>
void WriteStruct(const T& value, T* to) {
  const std::uint32_t size = to->struct_size;
  std::memcpy(to, &value, std::min<std::size_t>(size, sizeof value));
  to->struct_size = size;
}

}  // namespace switchyard::chips
