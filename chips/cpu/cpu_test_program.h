// Drives the chip through its own table for tests and the benchmark: programs built tensor by
// tensor, arguments in buffers of their own.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "switchyard/chip.h"
#include "tensor/dtype.h"
#include "tensor/half.h"
#include "variants.h"

extern "C" const sy_chip_api* switchyard_chip_entry(const sy_host* host);

namespace switchyard::cpu {

using Dims = std::vector<std::int64_t>;

inline std::int64_t Elements(const Dims& dims) {
  std::int64_t n = 1;
  for (const std::int64_t d : dims) n *= d;
  return n;
}

class TestDevice {
 public:
  explicit TestDevice(const std::string& isa = "", int threads = 1) {
    const std::string count = std::to_string(threads);
    std::vector<sy_option> options = {{sizeof(sy_option), "threads", count.c_str()}};
    if (!isa.empty()) options.push_back({sizeof(sy_option), "isa", isa.c_str()});
    EXPECT_EQ(
        api().device_open(0, options.data(), static_cast<std::uint32_t>(options.size()), &device_),
        SY_OK)
        << api().last_error();
    EXPECT_EQ(api().queue_create(device_, &queue_), SY_OK);
  }
  ~TestDevice() {
    for (sy_weight* weight : weights_) api().weight_destroy(weight);
    api().queue_destroy(queue_);
    api().device_close(device_);
  }
  TestDevice(const TestDevice&) = delete;
  TestDevice& operator=(const TestDevice&) = delete;

  static const sy_chip_api& api() { return *switchyard_chip_entry(nullptr); }
  sy_device* handle() const { return device_; }
  sy_queue* queue() const { return queue_; }

  // Lives as long as the device.
  sy_weight* Weight(sy_dtype dtype, const Dims& dims, const void* data, std::uint64_t bytes) {
    sy_weight_desc desc = {};
    desc.struct_size = sizeof(desc);
    desc.dtype = dtype;
    desc.rank = static_cast<std::uint32_t>(dims.size());
    std::copy(dims.begin(), dims.end(), desc.dims);
    desc.use = dims.size() == 1 ? SY_WEIGHT_VECTOR : SY_WEIGHT_LINEAR;
    desc.data = data;
    desc.data_bytes = bytes;
    sy_weight* weight = nullptr;
    EXPECT_EQ(api().weight_create(device_, &desc, &weight), SY_OK) << api().last_error();
    weights_.push_back(weight);
    return weight;
  }

 private:
  sy_device* device_ = nullptr;
  sy_queue* queue_ = nullptr;
  std::vector<sy_weight*> weights_;
};

class TestProgram {
 public:
  explicit TestProgram(TestDevice& device) : device_(device) {}
  ~TestProgram() {
    const sy_chip_api& api = TestDevice::api();
    if (program_ != nullptr) api.program_destroy(program_);
    if (workspace_ != nullptr) api.buffer_destroy(workspace_);
    for (const sy_binding& binding : bindings_) api.buffer_destroy(binding.buffer);
  }
  TestProgram(const TestProgram&) = delete;
  TestProgram& operator=(const TestProgram&) = delete;

  // Row padding: bytes between rows beyond what they hold.
  std::uint32_t Temporary(sy_dtype dtype, const Dims& dims, std::int64_t row_padding = 0) {
    sy_tensor tensor = {};
    tensor.struct_size = sizeof(tensor);
    tensor.dtype = dtype;
    tensor.storage = SY_STORAGE_TEMPORARY;
    tensor.rank = static_cast<std::uint32_t>(dims.size());
    std::int64_t stride = dtype == SY_F16 || dtype == SY_BF16 ? 2 : 4;
    for (std::size_t i = dims.size(); i-- > 0;) {
      tensor.dims[i] = dims[i];
      tensor.strides[i] = stride + (i == 0 && dims.size() > 1 ? row_padding : 0);
      stride *= dims[i];
    }
    tensors_.push_back(tensor);
    return static_cast<std::uint32_t>(tensors_.size() - 1);
  }
  std::uint32_t Argument(sy_dtype dtype, const Dims& dims, std::int64_t row_padding = 0) {
    const std::uint32_t index = Temporary(dtype, dims, row_padding);
    sy_tensor& tensor = tensors_[index];
    tensor.storage = SY_STORAGE_ARGUMENT;
    tensor.slot = static_cast<std::uint32_t>(bindings_.size());
    sy_binding binding = {};
    binding.struct_size = sizeof(binding);
    const auto bytes = static_cast<std::uint64_t>(tensor.dims[0] * tensor.strides[0]);
    EXPECT_EQ(TestDevice::api().buffer_create(device_.handle(), bytes, &binding.buffer), SY_OK);
    bindings_.push_back(binding);
    return index;
  }
  std::uint32_t Floats(sy_dtype dtype, const Dims& dims, const std::vector<float>& values,
                       std::int64_t row_padding = 0) {
    const std::uint32_t index = Argument(dtype, dims, row_padding);
    Write(index, values);
    return index;
  }
  std::uint32_t Indices(const Dims& dims, const std::vector<std::int32_t>& values) {
    const std::uint32_t index = Argument(SY_I32, dims);
    std::memcpy(Data(index), values.data(), values.size() * 4);
    return index;
  }
  std::uint32_t Weight(sy_weight* weight, sy_dtype dtype, const Dims& dims) {
    const std::uint32_t index = Temporary(dtype, dims);
    tensors_[index].storage = SY_STORAGE_WEIGHT;
    tensors_[index].weight = weight;
    return index;
  }
  std::uint32_t Vector(const std::vector<float>& values) {
    const Dims dims = {static_cast<std::int64_t>(values.size())};
    return Weight(device_.Weight(SY_F32, dims, values.data(), values.size() * 4), SY_F32, dims);
  }
  std::uint32_t View(std::uint32_t base, std::uint64_t offset, const Dims& dims,
                     std::int64_t row_stride = 0) {
    const std::uint32_t index = Temporary(tensors_[base].dtype, dims);
    tensors_[index].storage = SY_STORAGE_VIEW;
    tensors_[index].base = base;
    tensors_[index].offset_bytes = offset;
    if (row_stride != 0) tensors_[index].strides[0] = row_stride;
    return index;
  }
  sy_op& Op(sy_op_kind kind, std::initializer_list<std::uint32_t> inputs,
            std::initializer_list<std::uint32_t> outputs) {
    sy_op op = {};
    op.struct_size = sizeof(op);
    op.kind = kind;
    std::fill(std::begin(op.inputs), std::end(op.inputs), SY_NO_TENSOR);
    std::fill(std::begin(op.outputs), std::end(op.outputs), SY_NO_TENSOR);
    std::copy(inputs.begin(), inputs.end(), op.inputs);
    std::copy(outputs.begin(), outputs.end(), op.outputs);
    op.scale = 1.0F;
    op.eps = 1e-5F;
    ops_.push_back(op);
    return ops_.back();
  }
  sy_tensor& tensor(std::uint32_t index) { return tensors_[index]; }
  sy_binding& binding(std::uint32_t tensor) { return bindings_[tensors_[tensor].slot]; }

  sy_program_desc desc() const {
    sy_program_desc desc = {};
    desc.struct_size = sizeof(desc);
    desc.tensor_count = static_cast<std::uint32_t>(tensors_.size());
    desc.tensors = tensors_.data();
    desc.op_count = static_cast<std::uint32_t>(ops_.size());
    desc.ops = ops_.data();
    desc.slot_count = static_cast<std::uint32_t>(bindings_.size());
    return desc;
  }
  sy_status Build() {
    const sy_chip_api& api = TestDevice::api();
    const sy_program_desc described = desc();
    const sy_status status = api.program_create(device_.handle(), &described, &program_);
    if (status != SY_OK) return status;
    sy_program_properties properties = {};
    properties.struct_size = sizeof(properties);
    EXPECT_EQ(api.program_properties(program_, &properties), SY_OK);
    return api.buffer_create(device_.handle(), properties.workspace_bytes, &workspace_);
  }
  sy_status Run() {
    if (program_ == nullptr) {
      const sy_status status = Build();
      if (status != SY_OK) return status;
    }
    return TestDevice::api().program_run(program_, bindings_.data(),
                                         static_cast<std::uint32_t>(bindings_.size()), workspace_,
                                         0, device_.queue());
  }
  void MustRun() { ASSERT_EQ(Run(), SY_OK) << TestDevice::api().last_error(); }

  char* Data(std::uint32_t tensor) {
    void* address = nullptr;
    EXPECT_EQ(TestDevice::api().buffer_map(binding(tensor).buffer, &address), SY_OK);
    return static_cast<char*>(address);
  }
  // Dense in, dense out, whatever the strides and the type.
  void Write(std::uint32_t index, const std::vector<float>& values) {
    VisitElements(index, [&](char* at, std::size_t i) {
      const sy_dtype dtype = tensors_[index].dtype;
      if (dtype == SY_F32) {
        std::memcpy(at, &values[i], 4);
      } else {
        const std::uint16_t half =
            dtype == SY_F16 ? tensor::FloatToF16(values[i]) : tensor::FloatToBF16(values[i]);
        std::memcpy(at, &half, 2);
      }
    });
  }
  std::vector<float> Read(std::uint32_t index) {
    std::vector<float> values;
    VisitElements(index, [&](const char* at, std::size_t) {
      const sy_dtype dtype = tensors_[index].dtype;
      if (dtype == SY_F32) {
        values.push_back(0);
        std::memcpy(&values.back(), at, 4);
      } else {
        std::uint16_t half = 0;
        std::memcpy(&half, at, 2);
        values.push_back(dtype == SY_F16 ? tensor::F16ToFloat(half) : tensor::BF16ToFloat(half));
      }
    });
    return values;
  }
  std::vector<std::int32_t> ReadIndices(std::uint32_t index) {
    std::vector<std::int32_t> values;
    VisitElements(index, [&](const char* at, std::size_t) {
      values.push_back(0);
      std::memcpy(&values.back(), at, 4);
    });
    return values;
  }

 private:
  template <class Visit>
  void VisitElements(std::uint32_t index, Visit visit) {
    const sy_tensor& t = tensors_[index];
    std::size_t i = 0;
    const auto dim = [&](std::uint32_t d) { return d < t.rank ? t.dims[d] : 1; };
    char* data = Data(index);
    for (std::int64_t a = 0; a < dim(0); ++a) {
      for (std::int64_t b = 0; b < dim(1); ++b) {
        for (std::int64_t c = 0; c < dim(2); ++c) {
          for (std::int64_t d = 0; d < dim(3); ++d) {
            visit(data + a * t.strides[0] + b * t.strides[1] + c * t.strides[2] + d * t.strides[3],
                  i++);
          }
        }
      }
    }
  }

  TestDevice& device_;
  std::vector<sy_tensor> tensors_;
  std::vector<sy_op> ops_;
  std::vector<sy_binding> bindings_;
  sy_program* program_ = nullptr;
  sy_buffer* workspace_ = nullptr;
};

// What tests run over: every variant that is linked, whether or not this machine has it.
inline std::vector<std::string> VariantNames() {
  std::vector<std::string> names;
  for (const Variant& variant : Variants()) names.emplace_back(variant.name);
  return names;
}

class VariantTest : public testing::TestWithParam<std::string> {
 public:
  static std::string NameOf(const testing::TestParamInfo<std::string>& given) {
    return given.param;
  }

 protected:
  void SetUp() override {
    if (FindVariant(GetParam()) == nullptr) GTEST_SKIP() << "this machine has no " << GetParam();
  }
};

inline std::vector<float> RandomFloats(std::int64_t count, unsigned seed, float spread = 1.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

}  // namespace switchyard::cpu
