// Linears of every weight type against plain sums in double over the same dequantised weights and,
// where the layout says so, the same rounding of activations.
#include <cmath>

#include "cpu_test_program.h"
#include "tensor/block_formats.h"

namespace switchyard::cpu {
namespace {

constexpr sy_dtype kTypes[] = {SY_F32,  SY_F16,    SY_BF16,   SY_Q4_0, SY_Q4_1, SY_Q5_0,
                               SY_Q5_1, SY_Q8_0,   SY_Q2_K,   SY_Q3_K, SY_Q4_K, SY_Q5_K,
                               SY_Q6_K, SY_IQ4_NL, SY_IQ4_XS, SY_MXFP4};
struct Matrix {
  std::vector<std::byte> bytes;
  std::vector<float> values;  // as the bytes say
};

Matrix RandomMatrix(sy_dtype dtype, std::int64_t rows, std::int64_t k, unsigned seed) {
  Matrix matrix;
  matrix.values = RandomFloats(rows * k, seed, 0.05F);
  const auto type = static_cast<tensor::DType>(dtype);
  const auto row_bytes = tensor::RowBytes(type, k);
  EXPECT_TRUE(row_bytes.has_value());
  matrix.bytes.resize(*row_bytes * static_cast<std::uint64_t>(rows));
  if (dtype == SY_F32) {
    std::memcpy(matrix.bytes.data(), matrix.values.data(), matrix.bytes.size());
    return matrix;
  }
  if (dtype == SY_F16 || dtype == SY_BF16) {
    for (std::size_t i = 0; i < matrix.values.size(); ++i) {
      const std::uint16_t half = dtype == SY_F16 ? tensor::FloatToF16(matrix.values[i])
                                                 : tensor::FloatToBF16(matrix.values[i]);
      std::memcpy(matrix.bytes.data() + i * 2, &half, 2);
      matrix.values[i] = dtype == SY_F16 ? tensor::F16ToFloat(half) : tensor::BF16ToFloat(half);
    }
    return matrix;
  }
  EXPECT_TRUE(tensor::Quantise(type, matrix.values, matrix.bytes).has_value());
  EXPECT_TRUE(tensor::Dequantise(type, matrix.bytes, matrix.values).has_value());
  return matrix;
}

// What a row of activations becomes according to the weight's layout sentence.
std::vector<double> RoundedActivations(const std::string& layout, const float* x, std::int64_t k) {
  std::vector<double> rounded(static_cast<std::size_t>(k));
  for (std::int64_t b = 0; b < k; b += 32) {
    float largest = 0;
    for (std::int64_t i = b; i < std::min(b + 32, k); ++i) {
      largest = std::max(largest, std::abs(x[i]));
    }
    for (std::int64_t i = b; i < std::min(b + 32, k); ++i) {
      double value = static_cast<double>(x[i]);
      if (layout.ends_with("activations bf16")) {
        value = static_cast<double>(tensor::BF16ToFloat(tensor::FloatToBF16(x[i])));
      } else if (layout.ends_with("activations int15 by 32")) {
        value = static_cast<double>(std::nearbyint(x[i] * (16256.0F / largest))) *
                static_cast<double>(largest) / 16256.0;
      }
      rounded[static_cast<std::size_t>(i)] = value;
    }
  }
  return rounded;
}

std::string LayoutOf(sy_weight* weight) {
  sy_weight_properties properties = {};
  properties.struct_size = sizeof(properties);
  EXPECT_EQ(TestDevice::api().weight_properties(weight, &properties), SY_OK);
  return properties.layout;
}

// y = x w^T for T rows, with row padding on both sides.
std::vector<float> RunLinear(TestDevice& device, sy_weight* weight, sy_dtype dtype, std::int64_t n,
                             std::int64_t k, std::int64_t tokens, const std::vector<float>& x,
                             std::int64_t padding = 0) {
  TestProgram program(device);
  const auto in = program.Floats(SY_F32, {tokens, k}, x, padding);
  const auto out = program.Argument(SY_F32, {tokens, n}, padding);
  program.Op(SY_OP_LINEAR, {in, program.Weight(weight, dtype, {n, k})}, {out});
  program.MustRun();
  return program.Read(out);
}

void ExpectNear(const std::vector<float>& y, const std::vector<float>& x, const Matrix& w,
                const std::string& layout, std::int64_t n, std::int64_t k, const char* what) {
  const auto tokens = static_cast<std::int64_t>(x.size()) / k;
  int failures = 0;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto row = RoundedActivations(layout, x.data() + t * k, k);
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = 0;
      double size = 0;
      for (std::int64_t j = 0; j < k; ++j) {
        const double term = row[static_cast<std::size_t>(j)] *
                            static_cast<double>(w.values[static_cast<std::size_t>(i * k + j)]);
        sum += term;
        size += std::abs(term);
      }
      const double error =
          std::abs(sum - static_cast<double>(y[static_cast<std::size_t>(t * n + i)]));
      // Mins are multiplied by sums of activations of their own, so the bound is on magnitudes.
      if (!(error <= 4e-6 * size + 1e-5) && failures++ < 3) {
        ADD_FAILURE() << what << " row " << t << " column " << i << ": "
                      << y[static_cast<std::size_t>(t * n + i)] << " for " << sum;
      }
    }
  }
}

using CpuLinear = VariantTest;
using CpuTileLinear = VariantTest;

TEST_P(CpuLinear, AgreesWithPlainSums) {
  TestDevice device(GetParam(), 2);
  for (const sy_dtype dtype : kTypes) {
    const auto& traits = tensor::Traits(static_cast<tensor::DType>(dtype));
    const std::int64_t k = traits.block_elements == 1 ? 77 : 3 * traits.block_elements;
    const std::int64_t n = 45;
    const Matrix w = RandomMatrix(dtype, n, k, dtype + 1);
    sy_weight* weight = device.Weight(dtype, {n, k}, w.bytes.data(), w.bytes.size());
    for (const std::int64_t tokens : {1, 2, 3, 5, 7, 8, 13, 70}) {
      const auto x = RandomFloats(tokens * k, 7);
      const auto y = RunLinear(device, weight, dtype, n, k, tokens, x, 64);
      ExpectNear(y, x, w, LayoutOf(weight), n, k, std::string(traits.name).c_str());
    }
  }
}

TEST_P(CpuLinear, RowsDependNeitherOnTheBatchNorOnThreads) {
  TestDevice one(GetParam(), 1);
  TestDevice three(GetParam(), 3);
  for (const sy_dtype dtype : kTypes) {
    const auto& traits = tensor::Traits(static_cast<tensor::DType>(dtype));
    const std::int64_t k = std::max<std::int64_t>(512, traits.block_elements);
    const std::int64_t n = 200;
    const Matrix w = RandomMatrix(dtype, n, k, dtype + 1);
    sy_weight* single = one.Weight(dtype, {n, k}, w.bytes.data(), w.bytes.size());
    sy_weight* shared = three.Weight(dtype, {n, k}, w.bytes.data(), w.bytes.size());
    const auto x = RandomFloats(70 * k, 11);
    const auto all = RunLinear(three, shared, dtype, n, k, 70, x);
    for (const std::int64_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 31, 69}) {
      const std::vector<float> some(x.begin(), x.begin() + tokens * k);
      const auto y = RunLinear(one, single, dtype, n, k, tokens, some);
      ASSERT_EQ(std::memcmp(y.data(), all.data(), y.size() * 4), 0)
          << traits.name << " with " << tokens << " of 70 rows";
    }
  }
}

// Tile instructions take subnormal numbers for zeros, so whatever stands in for them must too.
TEST_P(CpuLinear, RowsAgreeWhereNumbersAreSubnormal) {
  TestDevice device(GetParam(), 1);
  const std::int64_t k = 96;
  const std::int64_t n = 40;
  const auto numbers = RandomFloats(n * k, 21, 1e-20F);
  std::vector<std::uint16_t> halves;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    halves.push_back(tensor::FloatToBF16(i % 7 == 0 ? numbers[i] * 1e-19F : numbers[i]));
  }
  sy_weight* weight = device.Weight(SY_BF16, {n, k}, halves.data(), halves.size() * 2);
  const auto x = RandomFloats(19 * k, 22, 1e-18F);
  const auto all = RunLinear(device, weight, SY_BF16, n, k, 19, x);
  for (const std::int64_t tokens : {1, 2, 4, 5, 8, 16}) {
    const std::vector<float> some(x.begin(), x.begin() + tokens * k);
    const auto y = RunLinear(device, weight, SY_BF16, n, k, tokens, some);
    ASSERT_EQ(std::memcmp(y.data(), all.data(), y.size() * 4), 0) << tokens << " of 19 rows";
  }
}

// Where a block's sum is as large as it can be and has a last bit that floats do not hold. Few rows
// take integers and many may take floats, which have to round the sum alike.
TEST_P(CpuLinear, RowsAgreeWhereSumsAreLargest) {
  TestDevice device(GetParam(), 1);
  const std::int64_t k = 96;
  const std::int64_t n = 40;
  for (const sy_dtype dtype : {SY_Q8_0, SY_IQ4_NL, SY_Q5_1, SY_Q4_0}) {
    Matrix w = RandomMatrix(dtype, n, k, 3);
    const auto row_bytes = static_cast<std::int64_t>(w.bytes.size()) / n;
    const std::int64_t block_bytes = row_bytes * 32 / k;
    const std::int64_t scale_bytes = dtype == SY_Q5_1 ? 4 : 2;
    const auto extreme = static_cast<std::byte>(dtype == SY_Q8_0 ? 0x81 : 0x00);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(w.bytes.size()); ++i) {
      const bool is_code = i % block_bytes >= scale_bytes;
      if (is_code && i % 13 != 5) w.bytes[static_cast<std::size_t>(i)] = extreme;
    }
    sy_weight* weight = device.Weight(dtype, {n, k}, w.bytes.data(), w.bytes.size());
    auto x = RandomFloats(19 * k, 22);
    for (std::size_t i = 0; i < x.size(); i += 3) x[i] = 1.0F;  // and fractions of it between
    const auto all = RunLinear(device, weight, dtype, n, k, 19, x);
    for (const std::int64_t tokens : {1, 2, 4, 5, 8, 16}) {
      const std::vector<float> some(x.begin(), x.begin() + tokens * k);
      const auto y = RunLinear(device, weight, dtype, n, k, tokens, some);
      ASSERT_EQ(std::memcmp(y.data(), all.data(), y.size() * 4), 0)
          << tensor::Name(static_cast<tensor::DType>(dtype)) << ", " << tokens << " of 19 rows";
    }
  }
}

TEST_P(CpuLinear, KeepsNaNInItsRow) {
  TestDevice device(GetParam(), 1);
  for (const sy_dtype dtype : {SY_F32, SY_BF16, SY_Q4_0, SY_Q8_0, SY_Q6_K}) {
    const std::int64_t k = 256;
    const std::int64_t n = 20;
    const Matrix w = RandomMatrix(dtype, n, k, 3);
    sy_weight* weight = device.Weight(dtype, {n, k}, w.bytes.data(), w.bytes.size());
    auto x = RandomFloats(3 * k, 5);
    const auto clean = RunLinear(device, weight, dtype, n, k, 3, x);
    x[static_cast<std::size_t>(k + 9)] = std::nanf("");
    const auto y = RunLinear(device, weight, dtype, n, k, 3, x);
    for (std::size_t i = 0; i < 20; ++i) {
      EXPECT_EQ(y[i], clean[i]);
      EXPECT_TRUE(std::isnan(y[20 + i]));
      EXPECT_EQ(y[40 + i], clean[40 + i]);
    }
  }
}

TEST_P(CpuLinear, EmbeddingReadsRowsOutOfPanels) {
  TestDevice device(GetParam(), 1);
  for (const sy_dtype dtype : kTypes) {
    const std::int64_t k = 512;
    const Matrix w = RandomMatrix(dtype, 37, k, dtype + 1);
    sy_weight* weight = device.Weight(dtype, {37, k}, w.bytes.data(), w.bytes.size());
    TestProgram program(device);
    const auto ids = program.Indices({4}, {0, 36, 17, 17});
    const auto y = program.Argument(SY_F32, {4, k});
    program.Op(SY_OP_EMBEDDING, {program.Weight(weight, dtype, {37, k}), ids}, {y}).scale = 2.0F;
    program.MustRun();
    const auto rows = program.Read(y);
    const std::int64_t expected[] = {0, 36, 17, 17};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto at = static_cast<std::size_t>(expected[i / 512] * k) + i % 512;
      ASSERT_NEAR(rows[i], 2.0F * w.values[at], 1e-6) << "type " << dtype << " element " << i;
    }
  }
}

TEST_P(CpuLinear, FoldsBiasResidualAndGateWithoutChangingAnything) {
  TestDevice device(GetParam(), 2);
  const std::int64_t k = 96;
  const std::int64_t n = 50;
  const Matrix w = RandomMatrix(SY_Q4_1, n, k, 1);
  const Matrix u = RandomMatrix(SY_Q8_0, n, k, 2);
  sy_weight* gate_weight = device.Weight(SY_Q4_1, {n, k}, w.bytes.data(), w.bytes.size());
  sy_weight* up_weight = device.Weight(SY_Q8_0, {n, k}, u.bytes.data(), u.bytes.size());
  for (const std::int64_t tokens : {1, 11}) {
    const auto values = RandomFloats(tokens * k, 3);
    const auto other = RandomFloats(tokens * n, 4);
    std::vector<std::vector<float>> results[2];
    for (const bool is_folded : {true, false}) {
      TestProgram program(device);
      // Read by the host as well, an intermediate result is an argument and cannot be folded away.
      const auto middle = [&] {
        return is_folded ? program.Temporary(SY_F32, {tokens, n})
                         : program.Argument(SY_F32, {tokens, n});
      };
      const auto x = program.Floats(SY_F32, {tokens, k}, values);
      const auto residual = program.Floats(SY_F32, {tokens, n}, other);
      const auto gate = program.Weight(gate_weight, SY_Q4_1, {n, k});
      const auto up = program.Weight(up_weight, SY_Q8_0, {n, k});
      const auto linear = middle();
      const auto sum = program.Argument(SY_F32, {tokens, n});
      program.Op(SY_OP_LINEAR, {x, gate, program.Vector(RandomFloats(n, 9))}, {linear});
      program.Op(SY_OP_ADD, {residual, linear}, {sum});
      const auto a = middle();
      const auto b = middle();
      const auto gated = program.Argument(SY_F32, {tokens, n});
      program.Op(SY_OP_LINEAR, {x, gate}, {a});
      program.Op(SY_OP_LINEAR, {x, up}, {b});
      program.Op(SY_OP_GATED_ACTIVATION, {a, b}, {gated}).activation = SY_ACTIVATION_GELU_TANH;
      program.MustRun();
      results[is_folded ? 0 : 1] = {program.Read(sum), program.Read(gated)};
    }
    EXPECT_EQ(results[0], results[1]);
  }
}

TEST_P(CpuLinear, ExpertsAndHeadsMeetTheirOwnMatrix) {
  TestDevice device(GetParam(), 2);
  const std::int64_t k = 64;
  const std::int64_t n = 40;
  const std::int64_t experts = 5;
  for (const sy_dtype dtype : {SY_Q4_0, SY_F32}) {
    const Matrix w = RandomMatrix(dtype, experts * n, k, 1);
    sy_weight* weight = device.Weight(dtype, {experts, n, k}, w.bytes.data(), w.bytes.size());
    const std::int64_t tokens = 23;
    std::vector<std::int32_t> ids;
    for (int i = 0; i < tokens * 2; ++i) ids.push_back((i * i + i / 3) % 5);
    const auto check = [&](const std::vector<float>& y, const std::vector<float>& x,
                           std::int64_t row, std::int64_t x_row, std::int64_t matrix) {
      const Matrix part = {
          {}, {w.values.begin() + matrix * n * k, w.values.begin() + (matrix + 1) * n * k}};
      const std::vector<float> one_y(y.begin() + row * n, y.begin() + (row + 1) * n);
      const std::vector<float> one_x(x.begin() + x_row * k, x.begin() + (x_row + 1) * k);
      ExpectNear(one_y, one_x, part, LayoutOf(weight), n, k, "grouped");
    };
    for (const bool is_shared : {true, false}) {
      TestProgram program(device);
      const auto x = RandomFloats(tokens * k * (is_shared ? 1 : 2), 5);
      const auto in = program.Floats(SY_F32, is_shared ? Dims{tokens, k} : Dims{tokens, 2, k}, x);
      const auto out = program.Argument(SY_F32, {tokens, 2, n});
      program.Op(
          SY_OP_GROUPED_LINEAR,
          {in, program.Weight(weight, dtype, {experts, n, k}), program.Indices({tokens, 2}, ids)},
          {out});
      program.MustRun();
      const auto y = program.Read(out);
      for (std::int64_t row = 0; row < tokens * 2; ++row) {
        check(y, x, row, is_shared ? row / 2 : row, ids[static_cast<std::size_t>(row)]);
      }
    }
    TestProgram program(device);
    const auto x = RandomFloats(tokens * experts * k, 6);
    const auto in = program.Floats(SY_F32, {tokens, experts, k}, x, 64);
    const auto out = program.Argument(SY_F32, {tokens, experts, n});
    program.Op(SY_OP_BATCHED_LINEAR, {in, program.Weight(weight, dtype, {experts, n, k})}, {out});
    program.MustRun();
    const auto y = program.Read(out);
    for (std::int64_t row = 0; row < tokens * experts; ++row) check(y, x, row, row, row % experts);
  }
}

// Tiles of every width, whole and cut off; rows of weights that end within a group of blocks and
// within a panel.
TEST_P(CpuTileLinear, ChangesNoBit) {
  TestDevice tiles(GetParam(), 1);
  TestDevice vectors("avx512_vnni", 1);
  for (const sy_dtype dtype : kTypes) {
    const auto& traits = tensor::Traits(static_cast<tensor::DType>(dtype));
    if (traits.block_elements == 1) continue;
    for (const std::int64_t blocks : {1, 3, 5, 18}) {
      const std::int64_t k = blocks * traits.block_elements;
      for (const std::int64_t n : {1, 17, 45}) {
        const Matrix w = RandomMatrix(dtype, n, k, dtype + 1);
        sy_weight* by_tiles = tiles.Weight(dtype, {n, k}, w.bytes.data(), w.bytes.size());
        sy_weight* by_vectors = vectors.Weight(dtype, {n, k}, w.bytes.data(), w.bytes.size());
        for (const std::int64_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16, 17, 33}) {
          auto x = RandomFloats(tokens * k, static_cast<unsigned>(tokens));
          // One row of the largest codes there are.
          for (std::int64_t i = 0; i < k; ++i) {
            float& value = x[static_cast<std::size_t>(i)];
            value = std::copysign(1.0F, value);
          }
          const auto y = RunLinear(tiles, by_tiles, dtype, n, k, tokens, x);
          const auto expected = RunLinear(vectors, by_vectors, dtype, n, k, tokens, x);
          ASSERT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0)
              << traits.name << " [" << n << ", " << k << "] with " << tokens << " rows";
        }
      }
    }
  }
}

// The processor's own tiles and the model of them.
TEST(CpuTiles, MultiplyBF16AsTheModelDoes) {
  for (const char* name : {"avx512_amx", "avx512_amx_emulated"}) {
    if (FindVariant(name) == nullptr) GTEST_SKIP() << "this machine has no " << name;
  }
  TestDevice real("avx512_amx", 1);
  TestDevice model("avx512_amx_emulated", 1);
  for (const std::int64_t k : {32, 77, 320}) {
    for (const float spread : {1.0F, 1e-20F}) {
      const std::int64_t n = 70;
      std::vector<std::uint16_t> halves;
      for (const float w : RandomFloats(n * k, 1, spread)) halves.push_back(tensor::FloatToBF16(w));
      sy_weight* by_real = real.Weight(SY_BF16, {n, k}, halves.data(), halves.size() * 2);
      sy_weight* by_model = model.Weight(SY_BF16, {n, k}, halves.data(), halves.size() * 2);
      for (const std::int64_t tokens : {1, 3, 6, 16, 21}) {
        const auto x = RandomFloats(tokens * k, 2, spread);
        const auto y = RunLinear(real, by_real, SY_BF16, n, k, tokens, x);
        const auto expected = RunLinear(model, by_model, SY_BF16, n, k, tokens, x);
        ASSERT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0)
            << tokens << " rows of " << k << ", spread " << spread;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, CpuLinear, testing::ValuesIn(VariantNames()),
                         VariantTest::NameOf);
INSTANTIATE_TEST_SUITE_P(Variants, CpuTileLinear,
                         testing::Values("avx512_amx", "avx512_amx_emulated"), VariantTest::NameOf);

}  // namespace
}  // namespace switchyard::cpu
