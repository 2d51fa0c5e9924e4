#include "engine/step_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

namespace switchyard::engine {
namespace {

using testing::ElementsAre;

TEST(StepShape, RoundedHoldsTheShapeAndWastesLittle) {
  rc::check([] {
    StepShape shape;
    shape.sequences = *rc::gen::inRange<std::int64_t>(1, 300);
    shape.tokens = shape.sequences + *rc::gen::inRange<std::int64_t>(0, 3000);
    shape.logit_rows = shape.sequences;
    const StepShape rounded = shape.Rounded();
    RC_ASSERT(rounded.tokens >= shape.tokens);
    RC_ASSERT(rounded.sequences >= shape.sequences);
    RC_ASSERT(rounded.logit_rows >= shape.logit_rows);
    // As many rows as tokens mean all tokens in their order.
    RC_ASSERT((rounded.logit_rows == rounded.tokens) == (shape.logit_rows == shape.tokens));
    if (shape.tokens > 8 * shape.sequences) RC_ASSERT(2 * rounded.tokens <= 3 * shape.tokens);
    RC_ASSERT(rounded.Rounded().tokens == rounded.tokens);
  });
}

TEST(StepShape, ABatchThatGrowsAndShrinksNeedsFewPrograms) {
  std::set<StepShape> decode;
  std::set<StepShape> mixed;
  for (std::int64_t sequences = 1; sequences <= 16; ++sequences) {
    decode.insert(StepShape{sequences, sequences, sequences}.Rounded());
    for (std::int64_t tokens = sequences + 1; tokens <= 512; ++tokens) {
      mixed.insert(StepShape{tokens, sequences, sequences}.Rounded());
    }
  }
  EXPECT_EQ(decode.size(), 8U);
  EXPECT_LE(decode.size() + mixed.size(), 64U);
}

TEST(StepShape, RowsOfAllTokensStayThoseOfAllTokens) {
  std::set<StepShape> shapes;
  for (std::int64_t sequences = 1; sequences <= 16; ++sequences) {
    for (std::int64_t tokens = sequences + 1; tokens <= 512; ++tokens) {
      const StepShape rounded = StepShape{tokens, sequences, tokens}.Rounded();
      EXPECT_EQ(rounded.logit_rows, rounded.tokens);
      EXPECT_GE(rounded.tokens, tokens);
      EXPECT_GE(rounded.sequences, sequences);
      EXPECT_LT(rounded.sequences, rounded.tokens);  // no decoding, which these are not
      shapes.insert(rounded);
    }
  }
  EXPECT_LE(shapes.size(), 48U);
}

TEST(StepShape, RowsOfSomeTokensKeepTheirShape) {
  const StepShape shape{7, 2, 6};
  EXPECT_EQ(shape.Rounded(), shape);
}

TEST(StepInputs, PaddingBelongsToNoSequence) {
  Sequence one{{5, 6, 7}, 1, {3}};
  const std::vector<StepItem> items{{&one, 2}};
  StepInputs inputs = StepInputs::Of(items, 4, 2);
  inputs.PadTo({4, 2, 2}, 2);
  EXPECT_THAT(inputs.token_ids, ElementsAre(6, 7, 0, 0));
  EXPECT_THAT(inputs.kv_slots, ElementsAre(13, 14, -1, -1));
  EXPECT_THAT(inputs.page_table, ElementsAre(3, 0, 0, 0));
  EXPECT_THAT(inputs.query_start, ElementsAre(0, 2, 2));
  EXPECT_THAT(inputs.kv_length, ElementsAre(3, 0));
  EXPECT_THAT(inputs.logit_rows, ElementsAre(1, 0));
}

}  // namespace
}  // namespace switchyard::engine
