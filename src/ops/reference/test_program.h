// For tests: an operation list whose tensors have memory, run by the reference.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <span>
#include <vector>

#include "ops/op_list.h"
#include "ops/op_rules.h"
#include "ops/reference/reference.h"
#include "ops/tensor_span.h"
#include "tensor/block_formats.h"

namespace switchyard::ops::reference {

class TestProgram {
 public:
  using DType = tensor::DType;
  using Dims = std::initializer_list<std::int64_t>;

  OpList list;

  Tensor Floats(Dims dims, const std::vector<float>& values, DType dtype = DType::kF32) {
    const Tensor tensor = list.Argument(dtype, dims);
    Fill(tensor, values);
    return tensor;
  }

  Tensor Integers(Dims dims, const std::vector<std::int32_t>& values) {
    const Tensor tensor = list.Argument(DType::kI32, dims);
    auto& bytes = memory_[tensor.index];
    bytes.resize(SpanBytes(list.at(tensor)));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    EXPECT_EQ(bytes.size(), values.size() * 4);
    return tensor;
  }

  Tensor Weight(Dims dims, const std::vector<float>& values, DType dtype = DType::kF32) {
    const Tensor tensor = list.Weight(0, dtype, std::span(dims.begin(), dims.size()));
    Fill(tensor, values);
    return tensor;
  }

  // Runs all operations, each temporary in memory of its own that is NaN before.
  base::Status Run(base::Status (*run)(const Call&) = reference::Run) {
    const sy_program_desc desc = list.desc();
    SWITCHYARD_RETURN_IF_ERROR(Validate(desc));
    for (std::uint32_t i = 0; i < desc.tensor_count; ++i) {
      if (desc.tensors[i].storage == SY_STORAGE_VIEW) continue;
      auto& bytes = memory_[i];
      if (bytes.empty()) bytes.assign(SpanBytes(desc.tensors[i]), std::byte{0xff});
    }
    for (const sy_op& op : list.ops()) {
      Call call{op, {}, {}};
      std::ranges::transform(op.inputs, call.inputs.begin(), [&](auto i) { return OperandOf(i); });
      std::ranges::transform(op.outputs, call.outputs.begin(),
                             [&](auto i) { return OperandOf(i); });
      SWITCHYARD_RETURN_IF_ERROR(run(call));
    }
    return {};
  }

  std::vector<float> Read(Tensor tensor) { return LoadRows(OperandOf(tensor.index)); }

  std::vector<std::int32_t> ReadIntegers(Tensor tensor) {
    const auto& bytes = memory_[tensor.index];
    std::vector<std::int32_t> values(bytes.size() / 4);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

 private:
  void Fill(Tensor tensor, const std::vector<float>& values) {
    auto& bytes = memory_[tensor.index];
    bytes.resize(SpanBytes(list.at(tensor)));
    EXPECT_TRUE(tensor::Quantise(static_cast<DType>(list.at(tensor).dtype), values, bytes))
        << "the values do not fill the tensor";
  }

  Operand OperandOf(std::uint32_t index) {
    if (index == SY_NO_TENSOR) return {};
    const sy_tensor& tensor = list.tensors()[index];
    if (tensor.storage != SY_STORAGE_VIEW) return {&tensor, memory_[index].data()};
    return {&tensor, memory_[tensor.base].data() + tensor.offset_bytes};
  }

  std::map<std::uint32_t, std::vector<std::byte>> memory_;
};

}  // namespace switchyard::ops::reference
