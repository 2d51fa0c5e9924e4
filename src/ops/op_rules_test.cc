#include "ops/op_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <vector>

#include "ops/internal/memory_rules.h"
#include "ops/op_list.h"
#include "ops/tensor_span.h"

namespace switchyard::ops {
namespace {

using tensor::DType;
using testing::AllOf;
using testing::HasSubstr;

// A program's parts, open to damage.
struct Program {
  std::vector<sy_tensor> tensors;
  std::vector<sy_op> ops;
  std::uint32_t slot_count = 0;

  explicit Program(const OpList& list)
      : tensors(list.tensors().begin(), list.tensors().end()),
        ops(list.ops().begin(), list.ops().end()),
        slot_count(list.slot_count()) {}

  base::Status Check() const {
    sy_program_desc desc{};
    desc.struct_size = sizeof desc;
    desc.tensor_count = static_cast<std::uint32_t>(tensors.size());
    desc.tensors = tensors.data();
    desc.op_count = static_cast<std::uint32_t>(ops.size());
    desc.ops = ops.data();
    desc.slot_count = slot_count;
    return Validate(desc);
  }

  std::string Complaint() const {
    const base::Status status = Check();
    if (status) return "none";
    EXPECT_EQ(status.error().code, base::ErrorCode::kInvalidArgument);
    return status.error().message;
  }
};

Tensor WeightOf(OpList& list, DType dtype, std::vector<std::int64_t> dims) {
  return list.Weight(0, dtype, dims);
}

// One program with every operation in it, as a small mixture-of-experts layer would have them.
OpList EveryOperation() {
  OpList list;
  const Tensor ids = list.Argument(DType::kI32, {5});
  const Tensor positions = list.Argument(DType::kI32, {5});
  const Tensor slots = list.Argument(DType::kI32, {5});
  const Tensor k_pages = list.Argument(DType::kF16, {8, 16, 2, 8});
  const Tensor v_pages = list.Argument(DType::kF16, {8, 16, 2, 8});
  const Tensor table = list.Argument(DType::kI32, {2, 4});
  const Tensor starts = list.Argument(DType::kI32, {3});
  const Tensor lengths = list.Argument(DType::kI32, {2});
  const Tensor rows = list.Argument(DType::kI32, {2});
  Tensor x = list.Embedding(WeightOf(list, DType::kQ8_0, {100, 32}), ids, 1.0F, DType::kF32);
  x = list.RmsNorm(x, WeightOf(list, DType::kF32, {32}), 1e-5F);
  const Tensor qkv =
      list.Linear(x, WeightOf(list, DType::kQ4_0, {64, 32}), WeightOf(list, DType::kF32, {64}));
  const auto heads = [&](std::int64_t first, std::int64_t count) {
    const Tensor window = list.View(qkv, static_cast<std::uint64_t>(first) * 32, {5, count, 8});
    const_cast<sy_tensor&>(list.at(window)).strides[0] = 64 * 4;
    return window;
  };
  const Tensor frequencies = WeightOf(list, DType::kF32, {4});
  const Tensor q = list.Rope(heads(0, 4), positions, frequencies, false);
  const Tensor k = list.Rope(heads(4, 2), positions, frequencies, true);
  list.KvStore(k, heads(6, 2), slots, k_pages, v_pages);
  const Tensor attended = list.Attention(
      {q, k_pages, v_pages, table, starts, lengths, WeightOf(list, DType::kF32, {4})},
      {0.35F, 30.0F, 7});
  Tensor y = list.BatchedLinear(attended, WeightOf(list, DType::kBF16, {4, 8, 8}));
  y = list.Add(list.Reshape(y, {5, 32}), x);
  const RoutedExperts routed = list.RouterTopK(list.Linear(y, WeightOf(list, DType::kF32, {6, 32})),
                                               {}, WeightOf(list, DType::kF32, {6}));
  const Tensor up = list.GroupedLinear(y, WeightOf(list, DType::kQ4_0, {6, 32, 32}), routed.ids);
  const Tensor flat = list.Reshape(up, {5, 32});
  const Tensor gated = list.GatedActivation(flat, flat, SY_ACTIVATION_SILU);
  const Tensor down = list.GroupedLinear(list.Reshape(gated, {5, 1, 32}),
                                         WeightOf(list, DType::kQ4_0, {6, 32, 32}), routed.ids);
  y = list.Combine(down, routed.weights);
  y = list.RowGather(y, rows);
  y = list.Scale(y, 0.5F, 30.0F);
  list.Copy(list.TopK(y, 4).values, DType::kBF16);
  return list;
}

TEST(Validate, AcceptsEveryOperation) {
  const OpList list = EveryOperation();
  std::set<sy_op_kind> kinds;
  for (const sy_op& op : list.ops()) kinds.insert(op.kind);
  EXPECT_EQ(kinds.size(), SY_OP_KIND_COUNT) << "the example lacks an operation";
  EXPECT_EQ(Program(list).Complaint(), "none");
}

TEST(Validate, AcceptsAnEmptyProgram) { EXPECT_EQ(Program(OpList{}).Complaint(), "none"); }

TEST(OpName, KnowsEveryOperation) {
  std::set<std::string_view> names;
  for (sy_op_kind kind = 0; kind < SY_OP_KIND_COUNT; ++kind) names.insert(OpName(kind));
  EXPECT_EQ(names.size(), SY_OP_KIND_COUNT);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(OpName(SY_OP_KIND_COUNT), "unknown");
}

// A linear of x[3,64] and w[16,64]: tensors 0 x, 1 w, 2 y.
Program Linear(DType weight = DType::kF32) {
  OpList list;
  const Tensor x = list.Argument(DType::kF32, {3, 64});
  list.Export(list.Linear(x, WeightOf(list, weight, {16, 64})));
  return Program(list);
}

struct Damage {
  const char* name;
  std::function<void(Program&)> apply;
  const char* complaint;
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

class DamagedLinear : public testing::TestWithParam<Damage> {};

TEST_P(DamagedLinear, IsRefusedWithTheBrokenRule) {
  Program program = Linear();
  ASSERT_EQ(program.Complaint(), "none");
  GetParam().apply(program);
  EXPECT_THAT(program.Complaint(), HasSubstr(GetParam().complaint));
}

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

INSTANTIATE_TEST_SUITE_P(
    Tensors, DamagedLinear,
    testing::Values(
        Damage{"Size", [](Program& p) { p.tensors[0].struct_size = 8; }, "struct_size 8"},
        Damage{"Type", [](Program& p) { p.tensors[0].dtype = 77; }, "has type 77"},
        Damage{"Storage", [](Program& p) { p.tensors[0].storage = 9; }, "has storage 9"},
        Damage{"RankNone", [](Program& p) { p.tensors[0].rank = 0; }, "rank 0"},
        Damage{"RankMany", [](Program& p) { p.tensors[0].rank = 5; }, "rank 5"},
        Damage{"DimZero", [](Program& p) { p.tensors[0].dims[0] = 0; }, "dim 0 = 0"},
        Damage{"DimBeyond", [](Program& p) { p.tensors[0].dims[2] = 2; },
               "dim 2 = 2; it must be 1"},
        Damage{"DimHuge", [](Program& p) { p.tensors[0].dims[0] = kHuge; }, "2^62"},
        Damage{"RowHuge", [](Program& p) { p.tensors[0].dims[1] = kHuge; }, "overflow"},
        Damage{"StrideSmall", [](Program& p) { p.tensors[0].strides[0] = 128; }, "would overlap"},
        Damage{"StrideZero", [](Program& p) { p.tensors[0].strides[0] = 0; }, "stride 0 = 0"},
        Damage{"StrideNegative", [](Program& p) { p.tensors[0].strides[0] = -256; }, "positive"},
        Damage{"StrideOdd", [](Program& p) { p.tensors[0].strides[0] = 258; }, "multiple of 4"},
        Damage{"StrideLast", [](Program& p) { p.tensors[0].strides[1] = 8; }, "last dimension"},
        Damage{"QuantisedX", [](Program& p) { p.tensors[0].dtype = SY_Q8_0; },
               "which only weights can have"},
        Damage{"WeightGaps", [](Program& p) { p.tensors[1].strides[0] = 512; }, "not dense"},
        Damage{"WeightInteger", [](Program& p) { p.tensors[1].dtype = SY_I32; },
               "must be a weight"},
        Damage{"SlotHigh", [](Program& p) { p.tensors[0].slot = 2; }, "slot_count is 2"},
        Damage{"SlotTwice", [](Program& p) { p.tensors[0].slot = 1; }, "both have slot 1"},
        Damage{"WholeBlocks",
               [](Program& p) {
                 p.tensors[1].dtype = SY_Q4_K;
                 p.tensors[1].strides[1] = 144;
               },
               "whole blocks of 256"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Operations, DamagedLinear,
    testing::Values(
        Damage{"OpSize", [](Program& p) { p.ops[0].struct_size = 4; },
               "op 0 (linear) has struct_size"},
        Damage{"OpKind", [](Program& p) { p.ops[0].kind = 99; }, "op 0 has kind 99"},
        Damage{"InputHigh", [](Program& p) { p.ops[0].inputs[0] = 7; }, "x is tensor 7"},
        Damage{"InputAbsent", [](Program& p) { p.ops[0].inputs[1] = SY_NO_TENSOR; }, "w is absent"},
        Damage{"InputExtra", [](Program& p) { p.ops[0].inputs[3] = 0; }, "input 3 is tensor 0"},
        Damage{"OutputAbsent", [](Program& p) { p.ops[0].outputs[0] = SY_NO_TENSOR; },
               "y is absent"},
        Damage{"OutputExtra", [](Program& p) { p.ops[0].outputs[1] = 0; }, "output 1 is tensor 0"},
        Damage{"OutputWeight", [](Program& p) { p.ops[0].outputs[0] = 1; },
               "y (tensor 1) is a weight"},
        Damage{"InputNoWeight", [](Program& p) { p.ops[0].inputs[1] = 0; }, "must be a weight"},
        Damage{"ScaleUnused", [](Program& p) { p.ops[0].scale = 2; }, "scale is 2"},
        Damage{"ScaleNaN", [](Program& p) { p.ops[0].scale = NAN; }, "scale is nan"},
        Damage{"EpsUnused", [](Program& p) { p.ops[0].eps = 1e-5F; }, "eps is 1e-05"},
        Damage{"WindowUnused", [](Program& p) { p.ops[0].window = 3; }, "window is 3"},
        Damage{"InnerDim", [](Program& p) { p.tensors[0].dims[1] = 32; },
               "w has dims [16, 64], but dim 1 must be 32 as in x"},
        Damage{"Rank",
               [](Program& p) {
                 p.tensors[0].rank = 1;
                 p.tensors[0].dims[0] = 64;
                 p.tensors[0].dims[1] = 1;
                 p.tensors[0].strides[0] = 4;
               },
               "x has dims [64]; it must have rank 2"}),
    [](const auto& test) { return test.param.name; });

TEST(Validate, LetsLinearChangeTheActivationType) {
  Program program = Linear();
  program.tensors[2].dtype = SY_BF16;
  program.tensors[2].strides[1] = 2;
  EXPECT_EQ(program.Complaint(), "none");
}

TEST(Validate, WantsOneActivationTypeInOthers) {
  OpList list;
  const Tensor a = list.Argument(DType::kF32, {3, 8});
  const Tensor b = list.Argument(DType::kF16, {3, 8});
  list.Add(a, b);
  EXPECT_THAT(Program(list).Complaint(),
              AllOf(HasSubstr("op 0 (add)"), HasSubstr("b is f16, but a is f32")));
}

TEST(Validate, RefusesReadingATemporaryThatNothingWrote) {
  OpList list;
  list.Scale(list.Temporary(DType::kF32, std::array<std::int64_t, 1>{4}), 2.0F);
  EXPECT_THAT(Program(list).Complaint(), HasSubstr("before any operation wrote"));
}

TEST(Validate, RefusesPagesThatAreUsedOtherwise) {
  OpList list;
  const Tensor k = list.Argument(DType::kF32, {1, 1, 8});
  const Tensor slots = list.Argument(DType::kI32, {1});
  const Tensor k_pages = list.Argument(DType::kF32, {2, 4, 1, 8});
  const Tensor v_pages = list.Argument(DType::kF32, {2, 4, 1, 8});
  list.KvStore(k, k, slots, k_pages, v_pages);
  EXPECT_EQ(Program(list).Complaint(), "none");
  list.Scale(k_pages, 2.0F);
  EXPECT_THAT(Program(list).Complaint(), HasSubstr("used both as KV pages and otherwise"));
}

TEST(Validate, RefusesOnePageTensorForKeysAndValues) {
  OpList list;
  const Tensor k = list.Argument(DType::kF32, {1, 1, 8});
  const Tensor slots = list.Argument(DType::kI32, {1});
  const Tensor pages = list.Argument(DType::kF32, {2, 4, 1, 8});
  list.KvStore(k, k, slots, pages, pages);
  EXPECT_THAT(Program(list).Complaint(), HasSubstr("k_pages and v_pages are both"));
}

TEST(Validate, AllowsInPlaceWhereTheInterfaceDoes) {
  OpList list;
  const Tensor a = list.Argument(DType::kF32, {3, 8});
  const Tensor b = list.Argument(DType::kF32, {3, 8});
  list.Add(a, b);
  Program program(list);
  program.ops[0].outputs[0] = a.index;
  EXPECT_EQ(program.Complaint(), "none");
  program.ops[0].outputs[0] = b.index;
  EXPECT_THAT(program.Complaint(), HasSubstr("output y (tensor 1) shares memory with input b"));
}

TEST(Validate, RefusesAnOutputThatOverlapsItsInputPartly) {
  OpList list;
  const Tensor a = list.Argument(DType::kF32, {4, 8});
  const Tensor shifted = list.View(a, 32, {3, 8});
  const Tensor first = list.View(a, 0, {3, 8});
  list.Scale(first, 2.0F);
  Program program(list);
  program.ops[0].outputs[0] = shifted.index;
  EXPECT_THAT(program.Complaint(), HasSubstr("exactly the same memory"));
}

TEST(Validate, AllowsAnOutputBesideItsInputInOneTensor) {
  OpList list;
  const Tensor a = list.Argument(DType::kF32, {4, 8});
  const Tensor left = list.View(a, 0, {4, 4});
  const Tensor right = list.View(a, 16, {4, 4});
  list.Scale(left, 2.0F);
  Program program(list);
  program.ops[0].outputs[0] = right.index;
  for (const Tensor half : {left, right}) program.tensors[half.index].strides[0] = 32;
  EXPECT_EQ(program.Complaint(), "none");
  program.tensors[right.index].offset_bytes = 12;
  EXPECT_THAT(program.Complaint(), HasSubstr("shares memory"));
}

TEST(Validate, ChecksViews) {
  OpList list;
  const Tensor a = list.Argument(DType::kF32, {4, 8});
  const Tensor view = list.View(a, 64, {2, 8});
  const Program good(list);
  ASSERT_EQ(good.Complaint(), "none");
  const auto complaint = [&](const std::function<void(sy_tensor&)>& apply) {
    Program program = good;
    apply(program.tensors[view.index]);
    return program.Complaint();
  };
  EXPECT_THAT(complaint([](sy_tensor& t) { t.base = 5; }), HasSubstr("view of tensor 5"));
  EXPECT_THAT(complaint([](sy_tensor& t) { t.base = 1; }), HasSubstr("itself a view"));
  EXPECT_THAT(complaint([](sy_tensor& t) { t.dtype = SY_I32; }), HasSubstr("whose type is 0"));
  EXPECT_THAT(complaint([](sy_tensor& t) { t.offset_bytes = 66; }), HasSubstr("no multiple"));
  EXPECT_THAT(complaint([](sy_tensor& t) { t.offset_bytes = 68; }),
              HasSubstr("covers 64 bytes from byte 68 of tensor 0, which has only 128"));
  EXPECT_THAT(complaint([](sy_tensor& t) { t.offset_bytes = ~std::uint64_t{3}; }),
              HasSubstr("has only 128"));
}

// Attention over 4 query and 2 key/value heads; B = 1.
Program Attention() {
  OpList list;
  const Tensor q = list.Argument(DType::kF32, {3, 4, 8});
  const Tensor k_pages = list.Argument(DType::kF32, {2, 4, 2, 8});
  const Tensor v_pages = list.Argument(DType::kF32, {2, 4, 2, 6});
  const Tensor table = list.Argument(DType::kI32, {1, 2});
  const Tensor starts = list.Argument(DType::kI32, {2});
  const Tensor lengths = list.Argument(DType::kI32, {1});
  list.Attention({q, k_pages, v_pages, table, starts, lengths, kAbsent}, {});
  return Program(list);
}

TEST(Validate, ChecksAttention) {
  ASSERT_EQ(Attention().Complaint(), "none");
  Program heads = Attention();
  heads.tensors[0].dims[1] = 3;
  heads.tensors[6].dims[1] = 3;
  EXPECT_THAT(heads.Complaint(), HasSubstr("3 query heads are no multiple of 2"));
  Program starts = Attention();
  starts.tensors[4].dims[0] = 3;
  EXPECT_THAT(starts.Complaint(), HasSubstr("query_start has 3 elements; for 1 sequences"));
  Program softcap = Attention();
  softcap.ops[0].softcap = -1;
  EXPECT_THAT(softcap.Complaint(), HasSubstr("softcap is -1; it must be finite and not negative"));
  Program scale = Attention();
  scale.ops[0].scale = INFINITY;
  EXPECT_THAT(scale.Complaint(), HasSubstr("scale is inf"));
}

TEST(Validate, WantsAttentionsIndicesToBeArguments) {
  Program program = Attention();
  program.tensors[5].storage = SY_STORAGE_TEMPORARY;
  EXPECT_THAT(program.Complaint(),
              HasSubstr("kv_length (tensor 5) is of i32; it must be an i32 argument"));
}

TEST(Validate, ChecksDimsThatLettersCannotSay) {
  OpList rope;
  rope.Rope(rope.Argument(DType::kF32, {2, 1, 8}), rope.Argument(DType::kI32, {2}),
            WeightOf(rope, DType::kF32, {5}), false);
  EXPECT_THAT(Program(rope).Complaint(), HasSubstr("5 frequencies, which turn 10 elements"));
  OpList top;
  top.TopK(top.Argument(DType::kF32, {2, 8}), 9);
  EXPECT_THAT(Program(top).Complaint(), HasSubstr("k is 9"));
  OpList router;
  router.RouterTopK(router.Argument(DType::kF32, {2, 8}), {.chosen = 9});
  EXPECT_THAT(Program(router).Complaint(), HasSubstr("k is 9 but there are only 8 experts"));
  OpList copy;
  copy.Copy(copy.Argument(DType::kI32, {2, 8}), DType::kF32);
  EXPECT_THAT(Program(copy).Complaint(), HasSubstr("cannot turn i32 into f32"));
}

// Any bytes at all are accepted or refused, never read out of bounds (the sanitizers watch).
TEST(Validate, SurvivesHostileBytes) {
  const OpList list = EveryOperation();
  EXPECT_TRUE(rc::check([&] {
    Program program{list};
    const auto corrupt = [](auto& items) {
      auto& item = items[*rc::gen::inRange<std::size_t>(0, items.size())];
      const std::size_t at = *rc::gen::inRange<std::size_t>(0, sizeof item);
      const auto byte = *rc::gen::arbitrary<std::uint8_t>();
      std::memcpy(reinterpret_cast<char*>(&item) + at, &byte, 1);
    };
    const int count = *rc::gen::inRange(1, 6);
    for (int i = 0; i < count; ++i) {
      if (*rc::gen::arbitrary<bool>()) {
        corrupt(program.tensors);
      } else {
        corrupt(program.ops);
      }
    }
    const base::Status status = program.Check();
    if (!status) RC_ASSERT(!status.error().message.empty());
  }));
}

// The bytes that a tensor's elements occupy, one by one.
std::set<std::uint64_t> Bytes(const sy_tensor& tensor) {
  std::set<std::uint64_t> bytes;
  const std::uint64_t begin = tensor.storage == SY_STORAGE_VIEW ? tensor.offset_bytes : 0;
  for (std::int64_t row = 0; row < tensor.dims[0]; ++row) {
    for (std::int64_t column = 0; column < tensor.dims[1]; ++column) {
      for (std::uint64_t b = 0; b < RowBytes(tensor); ++b) {
        bytes.insert(begin + static_cast<std::uint64_t>(row * tensor.strides[0]) +
                     static_cast<std::uint64_t>(column * tensor.strides[1]) + b);
      }
    }
  }
  return bytes;
}

// Against counting every byte: an overlap is never missed, and windows of columns are told apart.
TEST(SharesMemory, MissesNoOverlap) {
  EXPECT_TRUE(rc::check([] {
    OpList list;
    const Tensor whole = list.Argument(DType::kF32, {6, 12});
    const auto window = [&] {
      const auto rows = *rc::gen::inRange<std::int64_t>(1, 4);
      const auto middle = *rc::gen::inRange<std::int64_t>(1, 3);
      const auto width = *rc::gen::inRange<std::int64_t>(1, 5);
      const auto offset = *rc::gen::inRange<std::uint64_t>(0, 36);
      const Tensor view = list.View(whole, offset * 4, {rows, middle, width});
      auto& tensor = const_cast<sy_tensor&>(list.at(view));
      tensor.strides[1] = 4 * *rc::gen::inRange<std::int64_t>(width, 6);
      tensor.strides[0] = 48;
      return view;
    };
    const Tensor a = window();
    const Tensor b = window();
    RC_PRE(Program(list).Complaint() == "none");
    const auto a_bytes = Bytes(list.at(a));
    const auto b_bytes = Bytes(list.at(b));
    bool overlaps = false;
    for (const std::uint64_t byte : a_bytes) overlaps = overlaps || b_bytes.contains(byte);
    const bool claimed = internal::SharesMemory(list.tensors().data(), a.index, b.index);
    if (overlaps) RC_ASSERT(claimed);
    const std::uint64_t a_end = *a_bytes.rbegin();
    const std::uint64_t b_end = *b_bytes.rbegin();
    if (a_end < *b_bytes.begin() || b_end < *a_bytes.begin()) RC_ASSERT(!claimed);
  }));
}

TEST(SpanBytes, CountsGapsBetweenRowsButNotAfterTheLast) {
  OpList list;
  const Tensor x = list.Argument(DType::kF16, {3, 5});
  sy_tensor tensor = list.at(x);
  EXPECT_EQ(SpanBytes(tensor), 30U);
  EXPECT_TRUE(IsDense(tensor));
  tensor.strides[0] = 16;
  EXPECT_EQ(SpanBytes(tensor), 42U);
  EXPECT_FALSE(IsDense(tensor));
  EXPECT_EQ(SpanBytes(list.at(WeightOf(list, DType::kQ4_0, {3, 64}))), 3U * 2 * 18);
}

}  // namespace
}  // namespace switchyard::ops
