// Expected values are computed by hand, from the formulas in chip.h.
#include "ops/reference/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>

#include "ops/reference/test_program.h"

namespace switchyard::ops::reference {
namespace {

using tensor::DType;
using testing::ElementsAre;
using testing::FloatEq;
using testing::FloatNear;
using testing::HasSubstr;
using testing::IsNan;
using testing::Pointwise;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Embedding, PicksAndScalesRows) {
  TestProgram program;
  const Tensor table = program.Weight({3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor y =
      program.list.Embedding(table, program.Integers({4}, {2, 0, 2, 1}), 10, DType::kF32);
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(y), ElementsAre(50, 60, 10, 20, 50, 60, 30, 40));
}

TEST(Embedding, ReadsQuantisedTables) {
  TestProgram program;
  std::vector<float> rows(2 * 32);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i < 32 ? 0.0F : 127.0F;
  const Tensor table = program.Weight({2, 32}, rows, DType::kQ8_0);
  const Tensor y = program.list.Embedding(table, program.Integers({1}, {1}), 1, DType::kBF16);
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(y), testing::Each(127.0F));
}

TEST(Embedding, RefusesAnIdOutOfRange) {
  for (const std::int32_t id : {-1, 3}) {
    TestProgram program;
    const Tensor table = program.Weight({3, 1}, {1, 2, 3});
    program.list.Embedding(table, program.Integers({1}, {id}), 1, DType::kF32);
    EXPECT_THAT(program.Run().error().message, HasSubstr("ids[0] is"));
  }
}

TEST(RmsNorm, DividesByTheRootMeanSquare) {
  TestProgram program;
  const Tensor x = program.Floats({1, 1, 2}, {3, 4});
  // mean of squares 12.5, eps 12.5: root 5
  const Tensor y = program.list.RmsNorm(x, program.Weight({2}, {1, 10}), 12.5F);
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(y), ElementsAre(FloatEq(0.6F), FloatEq(8)));
}

TEST(Linear, MultipliesAndAddsTheBias) {
  TestProgram program;
  const Tensor x = program.Floats({2, 3}, {1, 2, 3, 0, 1, 0});
  const Tensor w = program.Weight({2, 3}, {1, 1, 1, 2, 0, -1});
  const Tensor y = program.list.Linear(x, w, program.Weight({2}, {0.5F, 100}));
  const Tensor plain = program.list.Linear(x, w);
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(y), ElementsAre(6.5F, 99, 1.5F, 100));
  EXPECT_THAT(program.Read(plain), ElementsAre(6, -1, 1, 0));
}

TEST(Linear, SumsInMoreThanF32) {
  TestProgram program;
  const Tensor x = program.Floats({1, 3}, {1e8F, 1, -1e8F});
  const Tensor y = program.list.Linear(x, program.Weight({1, 3}, {1, 1, 1}));
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(y), ElementsAre(1));
}

TEST(Linear, ReadsEveryWeightType) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ8_0,
                            DType::kQ6_K, DType::kMXFP4}) {
    TestProgram program;
    // One block row of equal values: 4 is exact in every type.
    const Tensor w = program.Weight({1, 256}, std::vector<float>(256, 4.0F), dtype);
    const Tensor y =
        program.list.Linear(program.Floats({1, 256}, std::vector<float>(256, 0.5F)), w);
    ASSERT_TRUE(program.Run());
    EXPECT_THAT(program.Read(y), ElementsAre(FloatNear(512, 2))) << tensor::Name(dtype);
  }
}

TEST(GroupedLinear, ChoosesTheExpertsMatrix) {
  TestProgram program;
  const Tensor w = program.Weight({3, 1, 2}, {1, 0, 0, 1, 1, 1});
  const Tensor ids = program.Integers({2, 2}, {2, 0, 1, 2});
  const Tensor one = program.list.GroupedLinear(program.Floats({2, 2}, {3, 4, 5, 6}), w, ids);
  const Tensor each =
      program.list.GroupedLinear(program.Floats({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), w, ids);
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(one), ElementsAre(7, 3, 6, 11));
  EXPECT_THAT(program.Read(each), ElementsAre(3, 3, 6, 15));
}

TEST(GroupedLinear, RefusesAnExpertOutOfRange) {
  TestProgram program;
  const Tensor w = program.Weight({1, 1, 1}, {1});
  program.list.GroupedLinear(program.Floats({1, 1}, {1}), w, program.Integers({1, 1}, {1}));
  EXPECT_THAT(program.Run().error().message, HasSubstr("ids[0, 0] is 1, but there are 1 experts"));
}

TEST(BatchedLinear, HasOneMatrixForEachHead) {
  TestProgram program;
  const Tensor x = program.Floats({2, 2, 1}, {1, 2, 3, 4});
  const Tensor y = program.list.BatchedLinear(x, program.Weight({2, 2, 1}, {1, 2, 10, 20}));
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(y), ElementsAre(1, 2, 20, 40, 3, 6, 40, 80));
}

// A quarter turn and no turn: position 1 with frequencies pi/2 and 0.
TEST(Rope, TurnsHalvesOrNeighbours) {
  const auto quarter = static_cast<float>(std::acos(0.0));
  for (const bool is_interleaved : {false, true}) {
    TestProgram program;
    const Tensor x = program.Floats({1, 1, 5}, {1, 2, 3, 4, 9});
    const Tensor y = program.list.Rope(x, program.Integers({1}, {1}),
                                       program.Weight({2}, {quarter, 0}), is_interleaved, 2);
    ASSERT_TRUE(program.Run());
    // Halves: (1, 3) -> (-3, 1), (2, 4) stays. Neighbours: (1, 2) -> (-2, 1), (3, 4) stays. All
    // times 2; the fifth element passes.
    const std::vector<float> halves = {-6, 4, 2, 8, 9};
    const std::vector<float> neighbours = {-4, 2, 6, 8, 9};
    EXPECT_THAT(program.Read(y), Pointwise(FloatNear(1e-6F), is_interleaved ? neighbours : halves));
  }
}

TEST(Rope, KeepsLengthsAndAddsAngles) {
  EXPECT_TRUE(rc::check([] {
    const auto first = *rc::gen::inRange<std::int32_t>(0, 500);
    const auto second = *rc::gen::inRange<std::int32_t>(0, 500);
    const bool is_interleaved = *rc::gen::arbitrary<bool>();
    TestProgram program;
    const Tensor x = program.Floats({1, 1, 4}, {0.5F, -1, 2, 0.25F});
    const Tensor frequencies = program.Weight({2}, {1, 0.01F});
    const auto turn = [&](Tensor from, std::int32_t by) {
      return program.list.Rope(from, program.Integers({1}, {by}), frequencies, is_interleaved);
    };
    const Tensor twice = turn(turn(x, first), second);
    const Tensor once = turn(x, first + second);
    RC_ASSERT(program.Run().has_value());
    const std::vector<float> a = program.Read(twice);
    const std::vector<float> b = program.Read(once);
    double length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      RC_ASSERT(std::abs(a[i] - b[i]) < 1e-5F);
      length += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    }
    RC_ASSERT(std::abs(length - 5.3125) < 1e-5);
  }));
}

TEST(GatedActivation, KnowsThreeFunctions) {
  struct Expected {
    sy_activation activation;
    float at_one;
  };
  // SiLU(1) = 1 / (1 + 1/e); GELU(1) = Phi(1) = 0.841344746, its tanh form 0.841191991
  for (const Expected& expected :
       {Expected{SY_ACTIVATION_SILU, 0.731058579F}, Expected{SY_ACTIVATION_GELU_ERF, 0.841344746F},
        Expected{SY_ACTIVATION_GELU_TANH, 0.841191991F}}) {
    TestProgram program;
    const Tensor gate = program.Floats({1, 4}, {1, 0, -1, 100});
    const Tensor y = program.list.GatedActivation(gate, program.Floats({1, 4}, {2, 5, 1, 1}),
                                                  expected.activation);
    ASSERT_TRUE(program.Run());
    // f(-1) = f(1) - 1, as all three are x times a function that is symmetric about one half
    EXPECT_THAT(program.Read(y), ElementsAre(FloatNear(2 * expected.at_one, 1e-6F), 0,
                                             FloatNear(expected.at_one - 1, 1e-6F), 100));
  }
}

TEST(Add, AddsInEveryType) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    TestProgram program;
    const Tensor y = program.list.Add(program.Floats({2, 1, 2}, {1, 2, 3, 4}, dtype),
                                      program.Floats({2, 1, 2}, {0.5F, 0, -3, 100}, dtype));
    ASSERT_TRUE(program.Run());
    EXPECT_THAT(program.Read(y), ElementsAre(1.5F, 2, 0, 104));
  }
}

TEST(Scale, ScalesAndCaps) {
  TestProgram program;
  const Tensor x = program.Floats({3}, {1, -2, kInfinity});
  const Tensor plain = program.list.Scale(x, 0.5F);
  const Tensor capped = program.list.Scale(x, 0.5F, 2);
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(plain), ElementsAre(0.5F, -1, kInfinity));
  // 2 tanh(1/4), 2 tanh(-1/2)
  EXPECT_THAT(program.Read(capped),
              ElementsAre(FloatNear(0.489837325F, 1e-7F), FloatNear(-0.924234315F, 1e-7F), 2));
}

TEST(RowGather, PicksRows) {
  TestProgram program;
  const Tensor y = program.list.RowGather(program.Floats({3, 2}, {1, 2, 3, 4, 5, 6}),
                                          program.Integers({2}, {2, 2}));
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(y), ElementsAre(5, 6, 5, 6));
}

TEST(Copy, RoundsToNearestEven) {
  TestProgram program;
  // bf16 has 8 bits of significand: halfway between 256 and 258 goes to 256, between 258 and 260 to
  // 260.
  const Tensor x = program.Floats({4}, {257, 259, -kInfinity, NAN});
  const Tensor y = program.list.Copy(x, DType::kBF16);
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(y), ElementsAre(256, 260, -kInfinity, IsNan()));
}

TEST(Copy, ReadsWindowsOfColumns) {
  TestProgram program;
  const Tensor whole = program.Floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor window = program.list.View(whole, 4, {2, 2});
  const_cast<sy_tensor&>(program.list.at(window)).strides[0] = 12;
  const Tensor y = program.list.Copy(window, DType::kF32);
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(y), ElementsAre(2, 3, 5, 6));
}

TEST(TopK, PutsTheLowerIndexFirstAmongEqualsAndNaNLast) {
  TestProgram program;
  const Tensor x = program.Floats({2, 5}, {1, 7, 7, NAN, 3, -1, NAN, -kInfinity, -5, NAN});
  const TopKResult top = program.list.TopK(x, 4);
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.ReadIntegers(top.ids), ElementsAre(1, 2, 4, 0, 0, 3, 2, 1));
  EXPECT_THAT(program.Read(top.values), ElementsAre(7, 7, 3, 1, -1, -5, -kInfinity, IsNan()));
}

TEST(RouterTopK, RenormalisesSoftmaxScores) {
  TestProgram program;
  const auto ln2 = std::log(2.0F);
  // Softmax of (0, ln 2, ln 2, 0): 1/6, 2/6, 2/6, 1/6.
  const Tensor logits = program.Floats({1, 4}, {0, ln2, ln2, 0});
  const RoutedExperts shared = program.list.RouterTopK(logits, {.chosen = 3, .scale = 5});
  const RoutedExperts plain = program.list.RouterTopK(logits, {.chosen = 3, .renormalise = false});
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.ReadIntegers(shared.ids), ElementsAre(1, 2, 0));
  EXPECT_THAT(program.Read(shared.weights), ElementsAre(FloatEq(2), FloatEq(2), FloatEq(1)));
  EXPECT_THAT(program.Read(plain.weights),
              ElementsAre(FloatEq(1.0F / 3), FloatEq(1.0F / 3), FloatEq(1.0F / 6)));
}

TEST(RouterTopK, ChoosesByBiasButWeighsWithoutIt) {
  TestProgram program;
  // Sigmoids: 1/2, 3/4, 9/10.
  const Tensor logits = program.Floats({1, 3}, {0, std::log(3.0F), std::log(9.0F)});
  const RoutedExperts routed = program.list.RouterTopK(
      logits, {.chosen = 2, .scoring = SY_SCORING_SIGMOID, .renormalise = false},
      program.Weight({3}, {1, 0, 0}));
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.ReadIntegers(routed.ids), ElementsAre(0, 2));
  EXPECT_THAT(program.Read(routed.weights), ElementsAre(FloatEq(0.5F), FloatEq(0.9F)));
}

TEST(Combine, WeighsWhatTheExpertsGave) {
  TestProgram program;
  const Tensor y = program.Floats({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor z = program.list.Combine(y, program.Floats({2, 2}, {1, 0, 0.5F, 10}));
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(z), ElementsAre(1, 2, 72.5F, 83));
}

}  // namespace
}  // namespace switchyard::ops::reference
