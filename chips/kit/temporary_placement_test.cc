#include "kit/temporary_placement.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "ops/op_list.h"
#include "ops/tensor_span.h"

namespace switchyard::chips {
namespace {

using ops::OpList;
using ops::Tensor;
using tensor::DType;

TEST(PlaceTemporaries, SharesMemoryOfWhatIsNoLongerNeeded) {
  OpList list;
  Tensor x = list.Argument(DType::kF32, {1, 16});
  for (int i = 0; i < 10; ++i) x = list.Scale(x, 2);
  const TemporaryPlacement placement = PlaceTemporaries(list.desc(), 64);
  EXPECT_EQ(placement.workspace_bytes, 2 * 64U);  // one read, one written
}

TEST(PlaceTemporaries, NeedsNothingWithoutTemporaries) {
  EXPECT_EQ(PlaceTemporaries({}, 64).workspace_bytes, 0U);
}

// In random programs, two temporaries that some operation may see at once never overlap.
TEST(PlaceTemporaries, NeverOverlapsWhatIsAlive) {
  EXPECT_TRUE(rc::check([] {
    OpList list;
    std::vector<Tensor> pool = {list.Argument(DType::kF32, {1, 1})};
    const auto steps = *rc::gen::inRange(1, 30);
    for (int i = 0; i < steps; ++i) {
      const auto from = *rc::gen::inRange<std::size_t>(0, pool.size());
      const auto width = *rc::gen::inRange<std::int64_t>(1, 100);
      const Tensor w = list.Weight(0, DType::kF32, std::array{width, list.at(pool[from]).dims[1]});
      Tensor y = list.Linear(pool[from], w);
      if (*rc::gen::arbitrary<bool>()) y = list.View(y, 0, {1, (width + 1) / 2});
      pool.push_back(y);
    }
    const TemporaryPlacement placement = PlaceTemporaries(list.desc(), 64);
    // First and last operation that touches each tensor, views counting as their base.
    struct Life {
      std::size_t first = ~std::size_t{0};
      std::size_t last = 0;
    };
    std::vector<Life> lives(list.tensors().size());
    for (std::size_t op = 0; op < list.ops().size(); ++op) {
      for (const std::uint32_t tensor : {list.ops()[op].inputs[0], list.ops()[op].outputs[0]}) {
        Life& life = lives[ops::RootOf(list.tensors().data(), tensor)];
        life.first = std::min(life.first, op);
        life.last = op;
      }
    }
    for (std::uint32_t a = 0; a < lives.size(); ++a) {
      const sy_tensor& tensor = list.tensors()[a];
      if (tensor.storage != SY_STORAGE_TEMPORARY) continue;
      const std::uint64_t a_end = placement.offsets[a] + ops::SpanBytes(tensor);
      RC_ASSERT(placement.offsets[a] % 64 == 0U);
      RC_ASSERT(a_end <= placement.workspace_bytes);
      for (std::uint32_t b = 0; b < a; ++b) {
        if (list.tensors()[b].storage != SY_STORAGE_TEMPORARY) continue;
        if (lives[a].first > lives[b].last || lives[b].first > lives[a].last) continue;
        const std::uint64_t b_end = placement.offsets[b] + ops::SpanBytes(list.tensors()[b]);
        RC_ASSERT(a_end <= placement.offsets[b] || b_end <= placement.offsets[a]);
      }
    }
  }));
}

}  // namespace
}  // namespace switchyard::chips
