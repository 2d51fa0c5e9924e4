// A program with everything that a run of it needs: its operations, the contents of arguments and
// weights, and which arguments are results, to be compared with the truth within a tolerance.
//
// Build it with the operation list; then Seal; then bend strides and places, which the list's own
// functions cannot say. Contents are kept dense whatever the strides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "conformance/tolerances.h"
#include "ops/op_list.h"
#include "switchyard/chip.h"
#include "tensor/dtype.h"

namespace switchyard::conformance {

using ops::Tensor;
using tensor::DType;
using Random = std::mt19937_64;
using Dims = std::initializer_list<std::int64_t>;

// Nearly normal values, none beyond 3.5 deviations, and the same with each standard library.
// std::normal_distribution took a third of the suite's time.
std::vector<float> Normal(Random& random, std::int64_t count, float deviation = 1);
std::vector<std::byte> RandomBytes(Random& random, std::size_t count);
std::vector<std::byte> Encode(DType dtype, std::span<const float> values);
// Elements of a dense tensor; F32, F16 and BF16 only.
std::vector<float> Decode(DType dtype, std::span<const std::byte> bytes);

struct Result {
  Tensor tensor;
  std::string name;
  Tolerance tolerance;
  // What the results' root mean square is expected to be: errors are measured against the larger of
  // this and the actual one, so that a single value near zero is no failure.
  float expected_rms = 0;
};

struct WeightContents {
  sy_weight_use use = 0;
  std::vector<std::byte> bytes;
};

class Scenario {
 public:
  explicit Scenario(Random& random) : random_(&random) {}

  ops::OpList list;

  // Arguments with contents. Floats without values are drawn from a normal distribution.
  Tensor Floats(DType dtype, Dims dims, float deviation = 1);
  Tensor Floats(DType dtype, Dims dims, std::span<const float> values);
  Tensor Integers(Dims dims, std::span<const std::int32_t> values);
  // For attention's index tensors, whose bindings carry a host copy too.
  Tensor HostIntegers(Dims dims, std::span<const std::int32_t> values);
  // Undefined at first, as memory is.
  Tensor Pages(DType dtype, Dims dims);

  // Weights. Matrices: normal values of deviation 0.1, quantised; rows repeat after kDistinctRows.
  Tensor Matrix(DType dtype, Dims dims, sy_weight_use use = SY_WEIGHT_LINEAR);
  // Any bits that the format allows, with scales that keep values small.
  Tensor MatrixOfAnyBits(DType dtype, Dims dims, sy_weight_use use = SY_WEIGHT_LINEAR);
  Tensor Vector(std::int64_t length, float mean = 0, float deviation = 1);
  Tensor Vector(std::span<const float> values);

  // A temporary becomes an argument that is compared.
  void Compare(Tensor tensor, std::string name, Tolerance tolerance, float expected_rms = 0);
  // An argument that some operation changes in place.
  void CompareArgument(Tensor tensor, std::string name, Tolerance tolerance,
                       float expected_rms = 0);

  // No more operations; from here on the functions below.
  void Seal();
  std::vector<sy_tensor> tensors;
  std::vector<sy_op> ops;
  // Puts `elements` of gap after each row of the tensor.
  void SpreadRows(Tensor tensor, std::int64_t elements);
  void WriteInPlace(std::size_t op, Tensor output) { ops[op].outputs[0] = output.index; }

  sy_program_desc desc() const;
  const std::vector<Result>& results() const { return results_; }
  std::span<const std::byte> contents(std::uint32_t slot) const;
  bool has_host_copy(std::uint32_t slot) const;
  bool is_pages(std::uint32_t slot) const;
  const WeightContents& weight(std::uint32_t tensor) const {
    return weights_[list.weight_index(tensor)];
  }
  Random& random() { return *random_; }

  // A prime, so that a row taken from a wrong place shows.
  static constexpr std::int64_t kDistinctRows = 251;

 private:
  struct Argument {
    std::vector<std::byte> contents;  // dense; empty: undefined
    bool has_host_copy = false;
    bool is_pages = false;
  };

  Argument& ArgumentOf(Tensor tensor);
  Tensor AddWeight(DType dtype, Dims dims, sy_weight_use use, std::vector<std::byte> bytes);

  Random* random_;
  std::vector<Argument> arguments_;  // by slot; those beyond its end are undefined
  std::vector<WeightContents> weights_;
  std::vector<Result> results_;
};

}  // namespace switchyard::conformance
