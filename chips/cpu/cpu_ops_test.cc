// The operations that are not linears, each against plain loops in double.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cpu_test_program.h"

namespace switchyard::cpu {
namespace {

using CpuOps = VariantTest;

double At(const std::vector<float>& values, std::int64_t i) {
  return static_cast<double>(values[static_cast<std::size_t>(i)]);
}

TEST_P(CpuOps, RmsNormOverRowsAndOverHeads) {
  TestDevice device(GetParam(), 2);
  for (const std::int64_t d : {1, 5, 16, 64, 100, 576}) {
    for (const bool has_heads : {false, true}) {
      TestProgram program(device);
      const Dims dims = has_heads ? Dims{9, 3, d} : Dims{9, d};
      const auto x = RandomFloats(Elements(dims), 1);
      const auto w = RandomFloats(d, 2);
      const auto in = program.Floats(SY_F32, dims, x, 64);
      const auto out = program.Argument(SY_F32, dims);
      program.Op(SY_OP_RMS_NORM, {in, program.Vector(w)}, {out}).eps = 1e-3F;
      program.MustRun();
      const auto y = program.Read(out);
      for (std::int64_t i = 0; i < Elements(dims); ++i) {
        double square = 0;
        for (std::int64_t j = i / d * d; j < i / d * d + d; ++j) square += At(x, j) * At(x, j);
        const double expected =
            At(x, i) / std::sqrt(square / static_cast<double>(d) + 1e-3) * At(w, i % d);
        ASSERT_NEAR(At(y, i), expected, 2e-6 * (1 + std::abs(expected))) << "d " << d;
      }
    }
  }
}

TEST_P(CpuOps, ActivationsAreAccurateOverTheirRange) {
  TestDevice device(GetParam());
  std::vector<float> x;
  for (float v = -40.0F; v < 40.0F; v += 0.0137F) x.push_back(v);
  for (const float v : {0.0F, 1e-6F, -1e-6F, 100.0F, -100.0F, 1e30F, -1e30F}) x.push_back(v);
  const auto n = static_cast<std::int64_t>(x.size());
  for (const sy_activation activation :
       {SY_ACTIVATION_SILU, SY_ACTIVATION_GELU_TANH, SY_ACTIVATION_GELU_ERF}) {
    TestProgram program(device);
    const auto gate = program.Floats(SY_F32, {1, n}, x);
    const auto up = program.Floats(SY_F32, {1, n}, std::vector<float>(x.size(), 1.5F));
    const auto out = program.Argument(SY_F32, {1, n});
    program.Op(SY_OP_GATED_ACTIVATION, {gate, up}, {out}).activation = activation;
    program.MustRun();
    const auto y = program.Read(out);
    for (std::int64_t i = 0; i < n; ++i) {
      const double v = At(x, i);
      double expected = v / (1 + std::exp(-v));
      if (activation == SY_ACTIVATION_GELU_TANH) {
        expected = 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
      } else if (activation == SY_ACTIVATION_GELU_ERF) {
        expected = 0.5 * v * std::erfc(-v / std::sqrt(2.0));
      }
      // Where tanh cancels against 1, the formula itself has no more than a float's absolute worth.
      ASSERT_NEAR(At(y, i), 1.5 * expected, 1e-6 * (1 + std::abs(expected)))
          << "activation " << activation << " of " << v;
    }
  }
}

TEST_P(CpuOps, NaNStaysInActivationsNormsAndSoftcaps) {
  TestDevice device(GetParam());
  std::vector<float> x(40, 0.5F);
  x[21] = std::nanf("");
  TestProgram program(device);
  const auto in = program.Floats(SY_F32, {2, 20}, x);
  std::vector<std::uint32_t> outs;
  for (int i = 0; i < 5; ++i) outs.push_back(program.Argument(SY_F32, {2, 20}));
  for (sy_activation a = 0; a < 3; ++a) {
    program.Op(SY_OP_GATED_ACTIVATION, {in, in}, {outs[a]}).activation = a;
  }
  program.Op(SY_OP_SCALE, {in}, {outs[3]}).softcap = 30.0F;
  program.Op(SY_OP_RMS_NORM, {in, program.Vector(std::vector<float>(20, 1.0F))}, {outs[4]});
  program.MustRun();
  for (const auto out : outs) {
    const auto y = program.Read(out);
    EXPECT_TRUE(std::isnan(y[21]));
    EXPECT_FALSE(std::isnan(y[3]));
  }
}

TEST_P(CpuOps, AddScaleCopyGatherCombine) {
  TestDevice device(GetParam(), 2);
  for (const sy_dtype dtype : {SY_F32, SY_F16, SY_BF16}) {
    const double tolerance = dtype == SY_F32 ? 1e-6 : (dtype == SY_F16 ? 1e-3 : 8e-3);
    TestProgram program(device);
    const std::int64_t t = 11;
    const std::int64_t d = 37;
    const auto a = program.Floats(dtype, {t, d}, RandomFloats(t * d, 1), 2 * 64);
    const auto b = program.Floats(dtype, {t, d}, RandomFloats(t * d, 2));
    const auto va = program.Read(a);
    const auto vb = program.Read(b);
    const auto sum = program.Argument(dtype, {t, d});
    const auto scaled = program.Argument(dtype, {t, d}, 64);
    const auto capped = program.Argument(dtype, {t, d});
    const auto copied = program.Argument(SY_F32, {t, d}, 64);
    const auto gathered = program.Argument(dtype, {3, d});
    const auto experts = program.Floats(dtype, {t, 3, d}, RandomFloats(t * 3 * d, 4));
    const auto ve = program.Read(experts);
    const auto shares = program.Floats(SY_F32, {t, 3}, RandomFloats(t * 3, 5));
    const auto vs = program.Read(shares);
    const auto combined = program.Argument(dtype, {t, d});
    program.Op(SY_OP_ADD, {a, b}, {sum});
    program.Op(SY_OP_SCALE, {a}, {scaled}).scale = -2.5F;
    sy_op& cap = program.Op(SY_OP_SCALE, {a}, {capped});
    cap.scale = 3.0F;
    cap.softcap = 1.5F;
    program.Op(SY_OP_COPY, {a}, {copied});
    program.Op(SY_OP_ROW_GATHER, {a, program.Indices({3}, {10, 0, 10})}, {gathered});
    program.Op(SY_OP_COMBINE, {experts, shares}, {combined});
    program.MustRun();
    const auto y_sum = program.Read(sum);
    const auto y_scaled = program.Read(scaled);
    const auto y_capped = program.Read(capped);
    const auto y_gathered = program.Read(gathered);
    const auto y_combined = program.Read(combined);
    EXPECT_EQ(program.Read(copied), va);
    for (std::int64_t i = 0; i < t * d; ++i) {
      const auto near = [&](const std::vector<float>& y, double expected) {
        ASSERT_NEAR(At(y, i), expected, tolerance * (1 + std::abs(expected))) << "type " << dtype;
      };
      near(y_sum, At(va, i) + At(vb, i));
      near(y_scaled, At(va, i) * -2.5);
      near(y_capped, 1.5 * std::tanh(At(va, i) * 3.0 / 1.5));
      double expected = 0;
      for (std::int64_t j = 0; j < 3; ++j) {
        expected += At(vs, i / d * 3 + j) * At(ve, (i / d * 3 + j) * d + i % d);
      }
      near(y_combined, expected);
    }
    for (std::int64_t i = 0; i < 3 * d; ++i) {
      EXPECT_EQ(At(y_gathered, i), At(va, (i / d == 1 ? 0 : 10) * d + i % d));
    }
  }
}

TEST_P(CpuOps, RopeTurnsPairs) {
  TestDevice device(GetParam(), 2);
  for (const bool is_interleaved : {false, true}) {
    for (const std::int64_t pairs : {3, 16, 32}) {
      const std::int64_t d = 70;
      TestProgram program(device);
      const Dims dims = {13, 2, d};
      const auto x = RandomFloats(Elements(dims), 1);
      std::vector<float> frequencies;
      for (std::int64_t i = 0; i < pairs; ++i) {
        frequencies.push_back(std::pow(10000.0F, -static_cast<float>(i) / 16.0F));
      }
      std::vector<std::int32_t> positions(13);
      std::iota(positions.begin(), positions.end(), 31000);
      const auto in = program.Floats(SY_F32, dims, x);
      sy_op& op = program.Op(
          SY_OP_ROPE, {in, program.Indices({13}, positions), program.Vector(frequencies)}, {in});
      op.scale = 1.25F;
      op.rope_interleaved = is_interleaved ? 1 : 0;
      program.MustRun();
      const auto y = program.Read(in);
      for (std::int64_t row = 0; row < 26; ++row) {
        std::vector<double> expected;
        for (std::int64_t i = 0; i < d; ++i) expected.push_back(At(x, row * d + i));
        for (std::int64_t i = 0; i < pairs; ++i) {
          const double angle = (31000.0 + static_cast<double>(row / 2)) * At(frequencies, i);
          const auto p = static_cast<std::size_t>(is_interleaved ? 2 * i : i);
          const auto q = static_cast<std::size_t>(is_interleaved ? 2 * i + 1 : i + pairs);
          const double a = expected[p];
          const double b = expected[q];
          expected[p] = 1.25 * (a * std::cos(angle) - b * std::sin(angle));
          expected[q] = 1.25 * (a * std::sin(angle) + b * std::cos(angle));
        }
        for (std::int64_t i = 0; i < d; ++i) {
          ASSERT_NEAR(At(y, row * d + i), expected[static_cast<std::size_t>(i)], 3e-6);
        }
      }
    }
  }
}

TEST_P(CpuOps, TopKAndRouter) {
  TestDevice device(GetParam(), 2);
  TestProgram program(device);
  const std::int64_t v = 5000;
  auto x = RandomFloats(3 * v, 1);
  x[7] = x[4000] = 9.0F;  // equal: the lower index first
  x[static_cast<std::size_t>(v) + 100] = std::nanf("");
  const auto in = program.Floats(SY_F32, {3, v}, x);
  const auto values = program.Argument(SY_F32, {3, 40});
  const auto ids = program.Argument(SY_I32, {3, 40});
  program.Op(SY_OP_TOP_K, {in}, {values, ids});
  const std::int64_t experts = 19;
  const auto logits_values = RandomFloats(5 * experts, 2);
  const auto bias_values = RandomFloats(experts, 3, 0.1F);
  const auto logits = program.Floats(SY_F32, {5, experts}, logits_values);
  const auto bias = program.Vector(bias_values);
  const auto chosen = program.Argument(SY_I32, {5, 4});
  const auto shares = program.Argument(SY_F32, {5, 4});
  const auto sigmoid_chosen = program.Argument(SY_I32, {5, 4});
  const auto sigmoid_shares = program.Argument(SY_F32, {5, 4});
  program.Op(SY_OP_ROUTER_TOP_K, {logits}, {chosen, shares}).router_renormalise = 1;
  sy_op& router = program.Op(SY_OP_ROUTER_TOP_K, {logits, bias}, {sigmoid_chosen, sigmoid_shares});
  router.scoring = SY_SCORING_SIGMOID;
  router.scale = 2.0F;
  program.MustRun();

  const auto y = program.Read(values);
  const auto y_ids = program.ReadIndices(ids);
  for (std::int64_t row = 0; row < 3; ++row) {
    std::vector<std::int32_t> order(static_cast<std::size_t>(v));
    std::iota(order.begin(), order.end(), 0);
    const auto value = [&](std::int32_t i) {
      const double each = At(x, row * v + i);
      return std::isnan(each) ? -std::numeric_limits<double>::infinity() : each;
    };
    std::ranges::sort(order, [&](std::int32_t a, std::int32_t b) {
      return value(a) != value(b) ? value(a) > value(b) : a < b;
    });
    for (std::int64_t j = 0; j < 40; ++j) {
      ASSERT_EQ(y_ids[static_cast<std::size_t>(row * 40 + j)], order[static_cast<std::size_t>(j)]);
      ASSERT_EQ(At(y, row * 40 + j), value(order[static_cast<std::size_t>(j)]));
    }
  }
  for (const bool is_sigmoid : {false, true}) {
    const auto got_ids = program.ReadIndices(is_sigmoid ? sigmoid_chosen : chosen);
    const auto got = program.Read(is_sigmoid ? sigmoid_shares : shares);
    for (std::int64_t t = 0; t < 5; ++t) {
      std::vector<double> scores;
      for (std::int64_t e = 0; e < experts; ++e) {
        const double logit = At(logits_values, t * experts + e);
        scores.push_back(is_sigmoid ? 1 / (1 + std::exp(-logit)) : std::exp(logit));
      }
      std::vector<std::size_t> order(static_cast<std::size_t>(experts));
      std::iota(order.begin(), order.end(), std::size_t{0});
      const auto rank = [&](std::size_t i) {
        return is_sigmoid ? scores[i] + static_cast<double>(bias_values[i]) : scores[i];
      };
      std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
        return rank(a) != rank(b) ? rank(a) > rank(b) : a < b;
      });
      double chosen_sum = 0;
      for (std::size_t j = 0; j < 4; ++j) chosen_sum += scores[order[j]];
      for (std::size_t j = 0; j < 4; ++j) {
        const auto at = static_cast<std::size_t>(t) * 4 + j;
        ASSERT_EQ(got_ids[at], static_cast<std::int32_t>(order[j]));
        const double expected = is_sigmoid ? 2 * scores[order[j]] : scores[order[j]] / chosen_sum;
        ASSERT_NEAR(static_cast<double>(got[at]), expected, 1e-6);
      }
    }
  }
}

TEST_P(CpuOps, ViewsOfOneTensorActAsTensors) {
  TestDevice device(GetParam(), 2);
  TestProgram program(device);
  // One buffer of [T, 3 * 32]: the halves of a fused projection, read by column.
  const std::int64_t t = 20;
  const auto x = RandomFloats(t * 96, 1);
  const auto fused = program.Floats(SY_F32, {t, 96}, x);
  const auto first = program.View(fused, 0, {t, 32}, 384);
  const auto second = program.View(fused, 128, {t, 32}, 384);
  const auto third = program.View(fused, 256, {t, 32}, 384);
  program.Op(SY_OP_ADD, {first, second}, {third});
  program.Op(SY_OP_SCALE, {third}, {second}).scale = 3.0F;
  program.MustRun();
  const auto y = program.Read(fused);
  for (std::int64_t row = 0; row < t; ++row) {
    for (std::int64_t i = 0; i < 32; ++i) {
      const float sum = x[static_cast<std::size_t>(row * 96 + i)] +
                        x[static_cast<std::size_t>(row * 96 + 32 + i)];
      ASSERT_EQ(y[static_cast<std::size_t>(row * 96 + 64 + i)], sum);
      ASSERT_EQ(y[static_cast<std::size_t>(row * 96 + 32 + i)], sum * 3.0F);
      ASSERT_EQ(y[static_cast<std::size_t>(row * 96 + i)],
                x[static_cast<std::size_t>(row * 96 + i)]);
    }
  }
}

TEST(CpuChip, RefusesWhatIsWrongInSentences) {
  TestDevice device;
  const sy_chip_api& api = TestDevice::api();
  {
    TestProgram program(device);
    const auto x = program.Argument(SY_F32, {2, 8});
    const auto y = program.Argument(SY_F32, {2, 9});
    program.Op(SY_OP_ADD, {x, y}, {x});
    EXPECT_EQ(program.Build(), SY_UNIMPLEMENTED);
    EXPECT_STREQ(api.last_error(), "add: a, b and y must be floats of one type and dims");
    const sy_program_desc desc = program.desc();
    EXPECT_EQ(api.op_supported(device.handle(), &desc, 0), 0);
  }
  {
    TestProgram program(device);
    const auto x = program.Argument(SY_F32, {2, 8});
    program.tensor(x).strides[0] = 16;
    program.Op(SY_OP_SCALE, {x}, {x});
    EXPECT_EQ(program.Build(), SY_INVALID_ARGUMENT);
  }
  {
    TestProgram program(device);
    const auto x = program.Argument(SY_F32, {2, 8});
    program.Op(SY_OP_SCALE, {x + 77}, {x});
    EXPECT_EQ(program.Build(), SY_INVALID_ARGUMENT);
  }
  {
    TestProgram program(device);
    const auto x = program.Floats(SY_F32, {2, 8}, std::vector<float>(16, 1.0F));
    const auto y = program.Floats(SY_F32, {1, 8}, std::vector<float>(8, 7.0F));
    program.Op(SY_OP_ROW_GATHER, {x, program.Indices({1}, {2})}, {y});
    EXPECT_EQ(program.Run(), SY_INVALID_ARGUMENT);
    EXPECT_STREQ(api.last_error(), "row_gather: index 0 is 2, outside of 2 rows");
    EXPECT_EQ(program.Read(y), std::vector<float>(8, 7.0F));
  }
  sy_buffer* buffer = nullptr;
  EXPECT_EQ(api.buffer_create(device.handle(), std::uint64_t{1} << 50, &buffer),
            SY_RESOURCE_EXHAUSTED);
  sy_device* other = nullptr;
  const sy_option option = {sizeof(sy_option), "isa", "z80"};
  EXPECT_EQ(api.device_open(0, &option, 1, &other), SY_INVALID_ARGUMENT);
}

TEST_P(CpuOps, MeasuresCeilings) {
  TestDevice device(GetParam());
  for (const sy_dtype dtype : {SY_F32, SY_BF16, SY_I8}) {
    if (dtype == SY_I8 && GetParam() == "portable") continue;
    double value = 0;
    EXPECT_EQ(TestDevice::api().measure_ceiling(device.handle(), SY_CEILING_GFLOP_S, dtype, &value),
              SY_OK);
    EXPECT_GT(value, 0.0);
  }
}

TEST_P(CpuOps, SaysWhichVariantItIsAndHowFarThatIsProven) {
  TestDevice device(GetParam());
  sy_device_properties properties = {};
  properties.struct_size = sizeof(properties);
  ASSERT_EQ(TestDevice::api().opened_properties(device.handle(), &properties), SY_OK);
  EXPECT_EQ(std::string(properties.architecture), GetParam());
  const bool is_emulated = GetParam().ends_with("_emulated");
  EXPECT_EQ(properties.proof, is_emulated ? SY_PROOF_RUN_ON_EMULATOR : SY_PROOF_RUN_ON_SILICON);
}

INSTANTIATE_TEST_SUITE_P(Variants, CpuOps, testing::ValuesIn(VariantNames()), VariantTest::NameOf);

}  // namespace
}  // namespace switchyard::cpu
