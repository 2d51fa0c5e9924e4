// Expected values are computed by hand, or by a second, direct statement of the formula in chip.h
// without pages, heads in common or batches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <random>

#include "ops/reference/test_program.h"

namespace switchyard::ops::reference {
namespace {

using tensor::DType;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;

// One head of width 1 over keys that are 0, ln 1, ln 2, ... so that with q = 1 the weights are the
// keys' own ratios.
struct Small {
  TestProgram program;
  Tensor k_pages;
  Tensor v_pages;
  Tensor table;

  // Pages of two rows, of which 2 and 0 hold positions 0 to 3: keys ln(1, 2, 3, 2), values 1, 10,
  // 100, 1000.
  Small() {
    const auto ln = [](float x) { return std::log(x); };
    k_pages = program.Floats({3, 2, 1, 1}, {ln(3), ln(2), 99, 99, ln(1), ln(2)});
    v_pages = program.Floats({3, 2, 1, 1}, {100, 1000, NAN, NAN, 1, 10});
    table = program.Integers({1, 2}, {2, 0});
  }

  Tensor Attend(std::vector<float> q, std::int32_t length, const AttentionOptions& options,
                Tensor sinks = kAbsent) {
    const auto rows = static_cast<std::int32_t>(q.size());
    return program.list.Attention(
        {program.Floats({rows, 1, 1}, q), k_pages, v_pages, table, program.Integers({2}, {0, rows}),
         program.Integers({1}, {length}), sinks},
        options);
  }
};

TEST(Attention, WeighsByKeysUpToItsOwnPosition) {
  Small small;
  const Tensor y = small.Attend({1, 1, 1, 1}, 4, {});
  ASSERT_TRUE(small.program.Run());
  EXPECT_THAT(small.program.Read(y),
              ElementsAre(FloatNear(1, 1e-5F), FloatNear(21.0F / 3, 1e-5F),
                          FloatNear(321.0F / 6, 1e-4F), FloatNear(2321.0F / 8, 1e-3F)));
}

TEST(Attention, PutsTheLastQueryAtTheEnd) {
  Small small;
  const Tensor y = small.Attend({1}, 3, {});
  ASSERT_TRUE(small.program.Run());
  EXPECT_THAT(small.program.Read(y), ElementsAre(FloatNear(321.0F / 6, 1e-4F)));
}

TEST(Attention, SeesOnlyTheWindow) {
  Small small;
  const Tensor y = small.Attend({1, 1}, 4, {.window = 2});
  ASSERT_TRUE(small.program.Run());
  EXPECT_THAT(small.program.Read(y),
              ElementsAre(FloatNear(320.0F / 5, 1e-4F), FloatNear(2300.0F / 5, 1e-3F)));
}

TEST(Attention, NeedsNoPagesBeforeTheWindow) {
  Small small;
  small.table = small.program.Integers({1, 2}, {-1, 0});
  const Tensor y = small.Attend({1}, 4, {.window = 2});
  ASSERT_TRUE(small.program.Run());
  EXPECT_THAT(small.program.Read(y), ElementsAre(FloatNear(2300.0F / 5, 1e-3F)));
}

TEST(Attention, ScalesScores) {
  Small small;
  const Tensor y = small.Attend({1}, 2, {.scale = 2});  // weights 1 and 4
  ASSERT_TRUE(small.program.Run());
  EXPECT_THAT(small.program.Read(y), ElementsAre(FloatNear(41.0F / 5, 1e-5F)));
}

TEST(Attention, CapsScores) {
  Small small;
  const Tensor y = small.Attend({1}, 2, {.softcap = 0.5F});
  ASSERT_TRUE(small.program.Run());
  const double weight = std::exp(0.5 * std::tanh(std::log(2.0) / 0.5));
  EXPECT_THAT(small.program.Read(y),
              ElementsAre(FloatNear(static_cast<float>((1 + 10 * weight) / (1 + weight)), 1e-5F)));
}

TEST(Attention, LosesWeightToTheSink) {
  Small small;
  const Tensor y = small.Attend({1}, 2, {}, small.program.Weight({1}, {std::log(7.0F)}));
  ASSERT_TRUE(small.program.Run());
  EXPECT_THAT(small.program.Read(y), ElementsAre(FloatNear(21.0F / 10, 1e-5F)));
}

TEST(Attention, ZeroesRowsThatNoSequenceOwns) {
  Small small;
  const Tensor y = small.program.list.Attention(
      {small.program.Floats({3, 1, 1}, {1, 1, 1}), small.k_pages, small.v_pages, small.table,
       small.program.Integers({2}, {1, 2}), small.program.Integers({1}, {1}), kAbsent},
      {});
  ASSERT_TRUE(small.program.Run());
  EXPECT_THAT(small.program.Read(y), ElementsAre(0, 1, 0));
}

TEST(Attention, RefusesIndicesOutOfRange) {
  struct Bad {
    std::vector<std::int32_t> table, starts, lengths;
    const char* complaint;
  };
  for (const Bad& bad :
       {Bad{{2, 7}, {0, 1}, {4}, "page_table[0, 1] is 7"},
        Bad{{2, 0}, {0, 2}, {4}, "must rise within 1 rows"}, Bad{{2, 0}, {1, 0}, {4}, "must rise"},
        Bad{{2, 0}, {0, 1}, {5}, "kv_length[0] is 5"},
        Bad{{2, 0}, {0, 1}, {0}, "kv_length[0] is 0"}}) {
    Small small;
    small.program.list.Attention(
        {small.program.Floats({1, 1, 1}, {1}), small.k_pages, small.v_pages,
         small.program.Integers({1, 2}, bad.table), small.program.Integers({2}, bad.starts),
         small.program.Integers({1}, bad.lengths), kAbsent},
        {});
    const base::Status status = small.program.Run();
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr(bad.complaint));
  }
}

TEST(KvStore, PutsRowsInTheirSlotsAndSkipsNegativeOnes) {
  TestProgram program;
  const Tensor k = program.Floats({3, 2, 1}, {1, 2, 3, 4, 5, 6});
  const Tensor v = program.Floats({3, 2, 2}, {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6});
  const Tensor k_pages = program.Floats({2, 2, 2, 1}, std::vector<float>(8, 0), DType::kF16);
  const Tensor v_pages = program.Floats({2, 2, 2, 2}, std::vector<float>(16, 0), DType::kBF16);
  program.list.KvStore(k, v, program.Integers({3}, {3, -1, 0}), k_pages, v_pages);
  ASSERT_TRUE(program.Run());
  EXPECT_THAT(program.Read(k_pages), ElementsAre(5, 6, 0, 0, 0, 0, 1, 2));
  EXPECT_THAT(program.Read(v_pages), ElementsAre(5, 5, 6, 6, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2));
}

TEST(KvStore, RefusesASlotBeyondThePages) {
  TestProgram program;
  const Tensor k = program.Floats({1, 1, 1}, {1});
  program.list.KvStore(k, k, program.Integers({1}, {4}), program.Floats({2, 2, 1, 1}, {0, 0, 0, 0}),
                       program.Floats({2, 2, 1, 1}, {0, 0, 0, 0}));
  EXPECT_THAT(program.Run().error().message, HasSubstr("slots[0] is 4, but 2 pages of 2 rows"));
}

// The formula of chip.h for one query over plain arrays of its keys and values, in double.
std::vector<double> Direct(std::span<const float> q, const std::vector<std::vector<float>>& keys,
                           const std::vector<std::vector<float>>& values, std::size_t first,
                           std::size_t last, const AttentionOptions& options) {
  std::vector<double> y(values[0].size());
  double sum = 0;
  for (std::size_t p = first; p <= last; ++p) {
    double score = 0;
    for (std::size_t j = 0; j < q.size(); ++j) score += double{q[j]} * double{keys[p][j]};
    score *= double{options.scale};
    if (options.softcap > 0) {
      score = double{options.softcap} * std::tanh(score / double{options.softcap});
    }
    sum += std::exp(score);
    for (std::size_t j = 0; j < y.size(); ++j) y[j] += std::exp(score) * double{values[p][j]};
  }
  for (double& value : y) value /= sum;
  return y;
}

// Several sequences, some in prefill and some in decode, through pages in random order.
TEST(Attention, AgreesWithTheFormulaOnRandomBatches) {
  EXPECT_TRUE(rc::check([] {
    const auto page_size = *rc::gen::inRange<std::int32_t>(1, 6);
    const auto kv_heads = *rc::gen::inRange<std::int32_t>(1, 4);
    const auto heads = kv_heads * *rc::gen::inRange<std::int32_t>(1, 5);
    const auto width = *rc::gen::inRange<std::int32_t>(1, 9);
    const auto value_width = *rc::gen::inRange<std::int32_t>(1, 9);
    const auto batch = *rc::gen::inRange<std::int32_t>(1, 4);
    const AttentionOptions options{.scale = 0.5F,
                                   .softcap = *rc::gen::arbitrary<bool>() ? 1.5F : 0.0F,
                                   .window = *rc::gen::inRange<std::uint32_t>(0, 5)};
    std::mt19937 random(*rc::gen::arbitrary<unsigned>());
    std::normal_distribution<float> normal;
    const std::int32_t pages_each = 4;
    const std::int32_t pages = batch * pages_each;
    const auto draw = [&](std::int32_t count) {
      std::vector<float> values(static_cast<std::size_t>(count));
      for (float& value : values) value = normal(random);
      return values;
    };
    std::vector<std::int32_t> table(static_cast<std::size_t>(pages));
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::int32_t>(i);
    std::shuffle(table.begin(), table.end(), random);
    std::vector<std::int32_t> starts = {0};
    std::vector<std::int32_t> lengths;
    for (std::int32_t b = 0; b < batch; ++b) {
      lengths.push_back(*rc::gen::inRange<std::int32_t>(1, pages_each * page_size + 1));
      const auto rows = *rc::gen::inRange<std::int32_t>(b == 0 ? 1 : 0, lengths.back() + 1);
      starts.push_back(starts.back() + rows);
    }
    const std::int32_t rows = starts.back();
    const std::vector<float> q = draw(rows * heads * width);
    const std::vector<float> k = draw(pages * page_size * kv_heads * width);
    const std::vector<float> v = draw(pages * page_size * kv_heads * value_width);
    TestProgram program;
    const Tensor y = program.list.Attention(
        {program.Floats({rows, heads, width}, q),
         program.Floats({pages, page_size, kv_heads, width}, k),
         program.Floats({pages, page_size, kv_heads, value_width}, v),
         program.Integers({batch, pages_each}, table), program.Integers({batch + 1}, starts),
         program.Integers({batch}, lengths), kAbsent},
        options);
    RC_ASSERT(program.Run().has_value());
    const std::vector<float> result = program.Read(y);
    const auto slice = [](const std::vector<float>& from, std::int32_t row, std::int32_t length) {
      const auto begin = from.begin() + std::ptrdiff_t{row} * length;
      return std::vector<float>(begin, begin + length);
    };
    for (std::int32_t b = 0; b < batch; ++b) {
      const auto at = static_cast<std::size_t>(b);
      for (std::int32_t h = 0; h < heads; ++h) {
        std::vector<std::vector<float>> keys;
        std::vector<std::vector<float>> values;
        for (std::int32_t p = 0; p < lengths[at]; ++p) {
          const std::int32_t page = table[static_cast<std::size_t>(b * pages_each + p / page_size)];
          const std::int32_t row =
              (page * page_size + p % page_size) * kv_heads + h / (heads / kv_heads);
          keys.push_back(slice(k, row, width));
          values.push_back(slice(v, row, value_width));
        }
        const std::int32_t queries = starts[at + 1] - starts[at];
        for (std::int32_t i = 0; i < queries; ++i) {
          const std::int32_t position = lengths[at] - queries + i;
          const auto seen = options.window == 0
                                ? position + 1
                                : std::min(position + 1, static_cast<std::int32_t>(options.window));
          const std::int32_t row = (starts[at] + i) * heads + h;
          const std::vector<double> expected = Direct(slice(q, row, width), keys, values,
                                                      static_cast<std::size_t>(position + 1 - seen),
                                                      static_cast<std::size_t>(position), options);
          const std::vector<float> actual = slice(result, row, value_width);
          for (std::size_t j = 0; j < actual.size(); ++j) {
            RC_ASSERT(std::abs(double{actual[j]} - expected[j]) < 1e-5);
          }
        }
      }
    }
  }));
}

}  // namespace
}  // namespace switchyard::ops::reference
