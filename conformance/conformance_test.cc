// Tests of the suite itself: it must find what is wrong and forgive what is not, on a chip that
// breaks on demand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "conformance/comparison.h"
#include "conformance/memory_watch.h"
#include "conformance/report.h"
#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

using testing::HasSubstr;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Difference CompareF32(const std::vector<float>& actual, const std::vector<float>& truth,
                      Tolerance tolerance, float expected_rms = 0) {
  return Compare(DType::kF32, Encode(DType::kF32, actual), Encode(DType::kF32, truth),
                 {Tensor{}, "y", tolerance, expected_rms});
}

TEST(Compare, MeasuresAgainstTheRootMeanSquare) {
  // Root mean square 5; differences 1 and 0: max error 0.2, NMSE (1 / 2) / 25.
  const Difference difference = CompareF32({2, 7}, {1, 7}, {1, 1});
  EXPECT_NEAR(difference.max_error, 0.2, 1e-9);
  EXPECT_NEAR(difference.nmse, 0.02, 1e-9);
  EXPECT_TRUE(difference.is_within());
}

TEST(Compare, FindsASingleWrongElement) {
  EXPECT_THAT(CompareF32({2, 7}, {1, 7}, {0.1, 1}).complaint, HasSubstr("element 0 is 2, not 1"));
}

TEST(Compare, FindsCoarseArithmetic) {
  EXPECT_THAT(CompareF32({2, 7}, {1, 7}, {1, 0.001}).complaint, HasSubstr("NMSE 0.02"));
}

TEST(Compare, MeasuresSmallResultsAgainstWhatIsExpected) {
  EXPECT_FALSE(CompareF32({0.02F}, {0.01F}, {0.1, 0.1}).is_within());
  EXPECT_TRUE(CompareF32({0.02F}, {0.01F}, {0.1, 0.1}, 1).is_within());
}

TEST(Compare, WantsNaNAndInfinityWhereTheTruthHasThem) {
  const Tolerance wide = {1e9, 1e9};
  EXPECT_TRUE(CompareF32({kNaN, kInfinity}, {kNaN, kInfinity}, wide).is_within());
  EXPECT_FALSE(CompareF32({1}, {kNaN}, wide).is_within());
  EXPECT_FALSE(CompareF32({kNaN}, {1}, wide).is_within());
  EXPECT_FALSE(CompareF32({-kInfinity}, {kInfinity}, wide).is_within());
}

TEST(Compare, AllowsOneUnitInTheLastPlace) {
  const auto compare = [](float actual) {
    return Compare(DType::kBF16, Encode(DType::kBF16, std::vector<float>{actual, 1}),
                   Encode(DType::kBF16, std::vector<float>{256, 1}), {Tensor{}, "y", {1e-9, 1}});
  };
  EXPECT_TRUE(compare(258).is_within());
  EXPECT_FALSE(compare(260).is_within());
}

TEST(Compare, ExactMeansBits) {
  EXPECT_TRUE(CompareF32({1, kNaN}, {1, kNaN}, kExact).is_within());
  EXPECT_FALSE(CompareF32({std::nextafter(1.0F, 2.0F)}, {1}, kExact).is_within());
  EXPECT_FALSE(CompareF32({-0.0F}, {0.0F}, kExact).is_within());
}

TEST(Tolerances, CoarserTypesMayErrMore) {
  for (const sy_op_kind kind : {SY_OP_LINEAR, SY_OP_ATTENTION}) {
    const double f32 = ToleranceOf(kind, DType::kF32, DType::kF32).nmse;
    const double f16 = ToleranceOf(kind, DType::kF32, DType::kF16).nmse;
    const double bf16 = ToleranceOf(kind, DType::kF32, DType::kBF16).nmse;
    EXPECT_LT(f32, f16);
    EXPECT_LT(f16, bf16);
  }
  EXPECT_LT(ToleranceOf(SY_OP_LINEAR, DType::kF32, DType::kBF16).nmse,
            ToleranceOf(SY_OP_LINEAR, DType::kF32, DType::kQ4_0).nmse);
  EXPECT_TRUE(ToleranceOf(SY_OP_TOP_K, DType::kBF16).is_exact());
}

TEST(Tolerances, HaveAReasonEach) {
  for (sy_op_kind kind = 0; kind < SY_OP_KIND_COUNT; ++kind) {
    EXPECT_FALSE(ReasonFor(kind).empty());
    EXPECT_FALSE(ReasonFor(kind, DType::kQ4_0).empty());
  }
}

TEST(AllCases, HaveNamesOfTheirOwn) {
  std::vector<std::string> names;
  for (const Case& one : AllCases()) names.push_back(one.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  EXPECT_EQ(twice, names.end()) << *twice;
}

// The suite over a fake card of the null chip, which computes as the reference does but for the
// faults that options ask for.
class FakeCard : public testing::Test {
 protected:
  void Open(std::uint32_t device, const Options& options) {
    const auto null_chip = LoadPlugin(SWITCHYARD_NULL_CHIP);
    ASSERT_TRUE(null_chip) << null_chip.error().message;
    const auto reference = LoadPlugin(SWITCHYARD_REFERENCE_CHIP);
    ASSERT_TRUE(reference) << reference.error().message;
    auto tested = Session::Open(*null_chip, device, options);
    ASSERT_TRUE(tested) << tested.error().message;
    tested_ = std::move(*tested);
    auto truth = Session::Open(*reference, 0, {});
    ASSERT_TRUE(truth) << truth.error().message;
    truth_ = std::move(*truth);
  }

  std::vector<CaseResult> Run(std::string_view filter) {
    return RunCases(cases_, filter, *tested_, *truth_, /*seed=*/7);
  }

  std::vector<Case> cases_ = AllCases();
  std::unique_ptr<Session> tested_;
  std::unique_ptr<Session> truth_;
};

TEST_F(FakeCard, PassesWithoutFaults) {
  Open(1, {});
  const auto results =
      Run("rms_norm/f32,attention/f32/pages_f16/head,attention/f32/pages_f16/mixed");
  EXPECT_GT(Count(results).passed, 5U);
  EXPECT_EQ(Count(results).failed + Count(results).skipped, 0U) << Report(results);
}

TEST_F(FakeCard, IsFoundOutWhenOneResultInAThousandIsWrong) {
  Open(1, {{"wrong_results", "0.001"}});
  for (const char* filter : {"linear/f32/q8_0/T129", "attention/bf16/pages_bf16/head_widths",
                             "rms_norm/f16/plain/shapes", "layers/f32/q4_k/seventy",
                             "embedding/f32/q6_k/shapes", "invariance/threads"}) {
    const auto results = Run(filter);
    ASSERT_FALSE(results.empty()) << filter;
    EXPECT_GT(Count(results).failed, 0U) << filter << "\n" << Report(results);
  }
}

TEST_F(FakeCard, IsFoundOutWhenItComputesNothing) {
  Open(0, {});
  const auto results = Run("linear/f32/f32/");
  EXPECT_EQ(Count(results).passed, 0U) << Report(results);
}

TEST_F(FakeCard, SkipsAndReportsWhatItLacks) {
  Open(1, {{"unsupported", "rope,attention"}});
  EXPECT_EQ(Count(Run("rope/")).skipped, Run("rope/").size());
  const auto attention = Run("attention/f32/pages_f32/windows");
  EXPECT_EQ(Count(attention).skipped, 1U);
  EXPECT_THAT(Report(attention), HasSubstr("was told to lack attention"));
  EXPECT_EQ(Count(Run("rms_norm/")).skipped, 0U);
}

TEST_F(FakeCard, FailsButLivesOutOfMemory) {
  Open(1, {{"fail_alloc_after", "2"}});
  const auto results = Run("add/f32");
  EXPECT_EQ(Count(results).passed, 0U);
  EXPECT_THAT(results[0].outcome.reason, HasSubstr("out of memory"));
}

TEST_F(FakeCard, FailsButLivesOnALostDevice) {
  Open(1, {{"lose_device_after", "3"}});
  const auto results = Run("add/f32/plain/shapes");
  ASSERT_EQ(Count(results).failed, 1U);
  EXPECT_THAT(results[0].outcome.reason, HasSubstr("the device is lost"));
  std::uint64_t available = 0;
  EXPECT_EQ(tested_->api().memory_available(tested_->device(), &available), SY_UNAVAILABLE);
  EXPECT_FALSE(tested_->CreateBuffer(1));
}

TEST_F(FakeCard, RefusesOptionsThatItDoesNotKnow) {
  const auto null_chip = LoadPlugin(SWITCHYARD_NULL_CHIP);
  ASSERT_TRUE(null_chip);
  for (const auto& [name, value] : {std::pair{"speed", "1"},
                                    {"delay_us", "-1"},
                                    {"delay_us", "many"},
                                    {"wrong_results", "2"},
                                    {"wrong_results", "nan"},
                                    {"unsupported", "telepathy"},
                                    {"compute", "magic"}}) {
    const auto session = Session::Open(*null_chip, 0, {{name, value}});
    ASSERT_FALSE(session) << name << "=" << value;
    EXPECT_THAT(session.error().message, HasSubstr("option"));
  }
}

TEST_F(FakeCard, SkipsWhatNeedsAnOptionThatItLacks) {
  const auto reference = LoadPlugin(SWITCHYARD_REFERENCE_CHIP);
  ASSERT_TRUE(reference);
  Open(1, {});
  EXPECT_EQ(Count(Run("interface/loss/")).passed, 2U);
  auto session = Session::Open(*reference, 0, {});
  ASSERT_TRUE(session);
  const auto results = RunCases(cases_, "interface/loss/", **session, *truth_, 7);
  EXPECT_EQ(Count(results).skipped, 2U) << Report(results);
  EXPECT_THAT(Report(results), HasSubstr("no option 'lose_device_after'"));
}

TEST_F(FakeCard, IsWatchedForMemoryThatIsGone) {
  Open(1, {});
  const auto watch = MemoryWatch::Begin(*tested_);
  ASSERT_TRUE(watch);
  constexpr std::int64_t kBytes = std::int64_t{200} << 20;
  auto leak = tested_->CreateBuffer(kBytes);
  ASSERT_TRUE(leak);
  const std::vector<std::byte> bytes(kBytes, std::byte{1});
  ASSERT_TRUE(tested_->Upload(leak->get(), 0, bytes.data(), bytes.size()));
  const auto lost = watch->LostBytes();
  ASSERT_TRUE(lost) << lost.error().message;
  EXPECT_GT(*lost, kBytes);  // this test's own copy counts as well
  leak->reset();
  EXPECT_LT(*watch->LostBytes(), *lost - kBytes / 2);
}

TEST(Matches, TakesAnyOfSeveralTexts) {
  EXPECT_TRUE(Matches("linear/f32", ""));
  EXPECT_TRUE(Matches("linear/f32", "add,f32"));
  EXPECT_TRUE(Matches("linear/f32", "linear,add"));
  EXPECT_FALSE(Matches("linear/f32", "add,f16"));
}

TEST(LoadPlugin, RefusesWhatIsNoPlugin) {
  EXPECT_FALSE(LoadPlugin("/nowhere/switchyard_chip_x.so"));
  EXPECT_FALSE(LoadPlugin("conformance/CMakeLists.txt"));
}

}  // namespace
}  // namespace switchyard::conformance
