// Splitting is tested on true numbers: the null chip's device 1 computes as the reference does, in
// memory that the host cannot map, and lacks whatever operations a test takes away.
#include "device/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cmath>
#include <cstring>

#include "ops/op_rules.h"

namespace switchyard::device {
namespace {

using tensor::DType;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::int64_t kTokens = 5;
constexpr std::int64_t kHidden = 8;
constexpr std::int64_t kHeads = 2;
constexpr std::int64_t kHeadDim = 4;
constexpr std::int64_t kVocabulary = 16;
constexpr std::int64_t kPages = 3;
constexpr std::int64_t kPageSize = 4;

Chip LoadChip(std::string_view name) {
  auto chip = Chip::Load(fmt::format("{}/switchyard_chip_{}.so", SWITCHYARD_CHIP_DIR, name));
  SWITCHYARD_CHECK(chip.has_value());
  return *chip;
}

// A chip and its queue.
struct Opened {
  std::unique_ptr<Device> device;
  Queue queue;
};

Opened OpenDevice(std::string_view chip, std::uint32_t index,
                  std::vector<DeviceOption> options = {}) {
  auto device = Device::Open(LoadChip(chip), index, options);
  SWITCHYARD_CHECK(device.has_value());
  auto queue = Queue::Create(**device);
  SWITCHYARD_CHECK(queue.has_value());
  return {std::move(*device), std::move(*queue)};
}

std::vector<float> SomeFloats(std::int64_t count, float seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(seed + 1.7F * static_cast<float>(i));
  }
  return values;
}

ops::WeightIndex AddWeight(WeightTable& table, std::vector<std::int64_t> dims, sy_weight_use use,
                           float seed) {
  HostWeight weight;
  weight.name = fmt::format("w{}", table.size());
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  weight.dims = std::move(dims);
  weight.use = use;
  const auto values = SomeFloats(count, seed);
  weight.owned.resize(values.size() * sizeof(float));
  std::memcpy(weight.owned.data(), values.data(), weight.owned.size());
  return table.Add(std::move(weight));
}

// A small attention layer with everything that can cross: arguments read and written, temporaries,
// views, KV pages.
struct Layer {
  ops::OpList list;
  WeightTable weights;
  ops::Tensor ids, positions, slots, table, starts, lengths, keys, values;
  std::uint32_t logits = 0;

  Layer() {
    const auto matrix = [&](std::int64_t n, std::int64_t k, sy_weight_use use, float seed) {
      const std::vector<std::int64_t> dims{n, k};
      return list.Weight(AddWeight(weights, dims, use, seed), DType::kF32, dims);
    };
    const auto vector = [&](std::int64_t n, float seed) {
      const std::vector<std::int64_t> dims{n};
      return list.Weight(AddWeight(weights, dims, SY_WEIGHT_VECTOR, seed), DType::kF32, dims);
    };
    ids = list.Argument(DType::kI32, {kTokens});
    positions = list.Argument(DType::kI32, {kTokens});
    slots = list.Argument(DType::kI32, {kTokens});
    table = list.Argument(DType::kI32, {1, kPages});
    starts = list.Argument(DType::kI32, {2});
    lengths = list.Argument(DType::kI32, {1});
    keys = list.Argument(DType::kF32, {kPages, kPageSize, kHeads, kHeadDim});
    values = list.Argument(DType::kF32, {kPages, kPageSize, kHeads, kHeadDim});

    const auto embedding =
        matrix(kVocabulary, kHidden, SY_WEIGHT_LINEAR | SY_WEIGHT_EMBEDDING, 0.1F);
    const auto frequencies = vector(kHeadDim / 2, 0.9F);
    const auto x = list.Embedding(embedding, ids, 1.0F, DType::kF32);
    const auto h = list.RmsNorm(x, vector(kHidden, 1.0F), 1e-5F);
    const auto heads = [&](ops::Tensor y) { return list.Reshape(y, {kTokens, kHeads, kHeadDim}); };
    const auto q = list.Rope(heads(list.Linear(h, matrix(kHidden, kHidden, SY_WEIGHT_LINEAR, 2))),
                             positions, frequencies, false);
    const auto k = list.Rope(heads(list.Linear(h, matrix(kHidden, kHidden, SY_WEIGHT_LINEAR, 3))),
                             positions, frequencies, false);
    const auto v = heads(list.Linear(h, matrix(kHidden, kHidden, SY_WEIGHT_LINEAR, 4)));
    list.KvStore(k, v, slots, keys, values);
    const auto attended = list.Attention({.query = q,
                                          .key_pages = keys,
                                          .value_pages = values,
                                          .page_table = table,
                                          .query_start = starts,
                                          .kv_length = lengths,
                                          .sinks = {}},
                                         {.scale = 0.5F});
    const auto out = list.Linear(list.Reshape(attended, {kTokens, kHidden}),
                                 matrix(kHidden, kHidden, SY_WEIGHT_LINEAR, 5));
    const auto y = list.Add(out, x);
    const auto gate = list.Linear(y, matrix(kHidden, kHidden, SY_WEIGHT_LINEAR, 6));
    const auto mixed = list.GatedActivation(gate, y, SY_ACTIVATION_SILU);
    logits = list.Export(list.Linear(mixed, embedding));
  }
};

// Runs the layer and gives its logits.
base::Result<std::vector<float>> RunLayer(const Target& target, LoadReport* report = nullptr,
                                          int runs = 1) {
  Layer layer;
  const std::array<const ops::OpList*, 1> lists{&layer.list};
  SWITCHYARD_TRY(const KvHome home, ChooseKvHome(lists, target));
  SWITCHYARD_TRY(const auto program, Program::Create(layer.list, layer.weights, target, home));
  if (report != nullptr) *report = program->report();

  const std::vector<std::int32_t> ids{3, 1, 4, 1, 5};
  const std::vector<std::int32_t> positions{0, 1, 2, 3, 4};
  const std::vector<std::int32_t> slots{8, 9, 10, 11, 0};  // pages 2, then 0
  const std::vector<std::int32_t> table{2, 0, 1};
  const std::vector<std::int32_t> starts{0, kTokens};
  const std::vector<std::int32_t> lengths{kTokens};
  std::vector<Buffer> buffers(layer.list.slot_count());
  std::vector<Argument> arguments(layer.list.slot_count());
  const auto bind = [&](ops::Tensor tensor,
                        const std::vector<std::int32_t>& values) -> base::Status {
    Buffer& buffer = buffers[layer.list.slot(tensor)];
    SWITCHYARD_TRY(buffer, Buffer::Create(*target.chip, values.size() * sizeof(std::int32_t)));
    arguments[layer.list.slot(tensor)] = {&buffer, 0, values.data()};
    return target.queue->Upload(buffer, 0, values.data(), values.size() * sizeof(std::int32_t));
  };
  SWITCHYARD_RETURN_IF_ERROR(bind(layer.ids, ids));
  SWITCHYARD_RETURN_IF_ERROR(bind(layer.positions, positions));
  SWITCHYARD_RETURN_IF_ERROR(bind(layer.slots, slots));
  SWITCHYARD_RETURN_IF_ERROR(bind(layer.table, table));
  SWITCHYARD_RETURN_IF_ERROR(bind(layer.starts, starts));
  SWITCHYARD_RETURN_IF_ERROR(bind(layer.lengths, lengths));
  Device& pages_home = home == KvHome::kChip ? *target.chip : *target.fallback;
  for (const ops::Tensor pages : {layer.keys, layer.values}) {
    Buffer& buffer = buffers[layer.list.slot(pages)];
    SWITCHYARD_TRY(buffer, Buffer::Create(pages_home, kPages * kPageSize * kHidden * 4));
    arguments[layer.list.slot(pages)] = {&buffer, 0, nullptr};
  }
  Buffer& out = buffers[layer.logits];
  std::vector<float> logits(kTokens * kVocabulary);
  SWITCHYARD_TRY(out, Buffer::Create(*target.chip, logits.size() * sizeof(float)));
  arguments[layer.logits] = {&out, 0, nullptr};
  for (int i = 0; i < runs; ++i) SWITCHYARD_RETURN_IF_ERROR(program->Run(arguments));
  SWITCHYARD_RETURN_IF_ERROR(
      target.queue->Download(logits.data(), out, 0, logits.size() * sizeof(float)));
  SWITCHYARD_RETURN_IF_ERROR(target.queue->Sync());
  return logits;
}

std::vector<float> Truth() {
  Opened reference = OpenDevice("reference", 0);
  auto logits = RunLayer({reference.device.get(), &reference.queue, nullptr, nullptr});
  SWITCHYARD_CHECK(logits.has_value());
  return *logits;
}

TEST(Program, WhatTheChipHasStaysThere) {
  Opened chip = OpenDevice("null", 1);
  LoadReport report;
  auto logits = RunLayer({chip.device.get(), &chip.queue, nullptr, nullptr}, &report);
  ASSERT_TRUE(logits) << logits.error().message;
  EXPECT_EQ(*logits, Truth());
  EXPECT_EQ(report.ops_on_fallback, 0U);
  EXPECT_EQ(report.crossing_bytes, 0U);
  EXPECT_EQ(report.Describe("a", "b"), "");
}

TEST(Program, WhatTheChipLacksRunsOnTheFallbackAndIsReported) {
  Opened chip = OpenDevice("null", 1, {{"unsupported", "rms_norm,add"}});
  Opened fallback = OpenDevice("reference", 0);
  LoadReport report;
  auto logits = RunLayer({chip.device.get(), &chip.queue, fallback.device.get(), &fallback.queue},
                         &report, 2);
  ASSERT_TRUE(logits) << logits.error().message;
  EXPECT_EQ(*logits, Truth());
  EXPECT_EQ(report.ops_on_fallback, 2U);
  // rms_norm: x over, h back; add: out over (x is there already), y back: 4 tensors [5, 8] f32.
  EXPECT_EQ(report.crossing_bytes, 4U * kTokens * kHidden * 4);
  EXPECT_THAT(report.Describe("null", "reference"), HasSubstr("1 x rms_norm f32"));
}

TEST(Program, ASurveyTellsWhatAProgramWould) {
  Opened chip = OpenDevice("null", 1, {{"unsupported", "rms_norm,add"}});
  Opened fallback = OpenDevice("reference", 0);
  const Target target{chip.device.get(), &chip.queue, fallback.device.get(), &fallback.queue};
  LoadReport report;
  ASSERT_TRUE(RunLayer(target, &report));
  const Layer layer;
  const auto placement = Program::Survey(layer.list, target, KvHome::kChip);
  ASSERT_TRUE(placement) << placement.error().message;
  EXPECT_EQ(placement->report.crossing_bytes, report.crossing_bytes);
  EXPECT_EQ(placement->report.Describe("a", "b"), report.Describe("a", "b"));
  EXPECT_EQ(std::ranges::count(placement->on_fallback, true), 2);
  const auto refused = Program::Survey(
      layer.list, {chip.device.get(), &chip.queue, nullptr, nullptr}, KvHome::kChip);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("cannot run rms_norm"));
}

TEST(LoadReport, OfSeveralListsHasTheMostOfEachNote) {
  LoadReport report{.ops_on_chip = 8,
                    .ops_on_fallback = 2,
                    .fallbacks = {{SY_OP_ADD, "", "why", 2}},
                    .crossing_bytes = 0};
  report.Merge({.ops_on_chip = 7,
                .ops_on_fallback = 4,
                .fallbacks = {{SY_OP_ADD, "", "why", 1}, {SY_OP_LINEAR, "q4_0", "rows", 3}},
                .crossing_bytes = 50});
  EXPECT_EQ(report.ops_on_fallback, 4U);
  EXPECT_EQ(report.ops_on_chip, 7U);
  EXPECT_EQ(report.crossing_bytes, 50U);
  ASSERT_EQ(report.fallbacks.size(), 2U);
  EXPECT_EQ(report.fallbacks[0].count, 2U);
  EXPECT_EQ(report.fallbacks[1].count, 3U);
}

TEST(Placement, IsLikeOneThatEndsEarlier) {
  const Placement whole{.on_fallback = {false, true, false}, .report = {}};
  EXPECT_TRUE(whole.IsLike({.on_fallback = {false, true}, .report = {}}));
  EXPECT_FALSE(whole.IsLike({.on_fallback = {true, true}, .report = {}}));
}

TEST(Lacking, NotesEachOperationThatTheChipLacks) {
  const Layer layer;
  EXPECT_THAT(Lacking(layer.list, *OpenDevice("null", 1).device), IsEmpty());
  const Opened chip = OpenDevice("null", 1, {{"unsupported", "rms_norm,linear"}});
  const std::vector<FallbackNote> notes = Lacking(layer.list, *chip.device);
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_THAT(notes[0].Describe(), StartsWith("1 x rms_norm f32: "));
  EXPECT_THAT(notes[1].Describe(), StartsWith("6 x linear f32: "));
}

TEST(Program, WithoutAFallbackALackIsAnError) {
  Opened chip = OpenDevice("null", 1, {{"unsupported", "rope"}});
  auto logits = RunLayer({chip.device.get(), &chip.queue, nullptr, nullptr});
  ASSERT_FALSE(logits);
  EXPECT_EQ(logits.error().code, base::ErrorCode::kUnimplemented);
  EXPECT_THAT(logits.error().message, HasSubstr("cannot run rope"));
}

TEST(Program, KvPagesFollowTheAttention) {
  Opened chip = OpenDevice("null", 1, {{"unsupported", "attention"}});
  Opened fallback = OpenDevice("reference", 0);
  LoadReport report;
  auto logits =
      RunLayer({chip.device.get(), &chip.queue, fallback.device.get(), &fallback.queue}, &report);
  ASSERT_TRUE(logits) << logits.error().message;
  EXPECT_EQ(*logits, Truth());
  EXPECT_EQ(report.ops_on_fallback, 2U);  // kv_store goes along
}

TEST(Program, ALostDeviceIsUnavailable) {
  Opened chip = OpenDevice("null", 1, {{"lose_device_after", "1"}});
  auto logits = RunLayer({chip.device.get(), &chip.queue, nullptr, nullptr}, nullptr, 3);
  ASSERT_FALSE(logits);
  EXPECT_EQ(logits.error().code, base::ErrorCode::kUnavailable);
}

TEST(Program, OutOfMemoryIsAnErrorAtEveryAllocation) {
  int failures = 0;
  for (int allowed = 0; allowed < 200; ++allowed) {
    Opened chip = OpenDevice("null", 1, {{"fail_alloc_after", std::to_string(allowed)}});
    auto logits = RunLayer({chip.device.get(), &chip.queue, nullptr, nullptr});
    if (logits) break;
    EXPECT_EQ(logits.error().code, base::ErrorCode::kResourceExhausted);
    ++failures;
  }
  EXPECT_GT(failures, 10);
  EXPECT_LT(failures, 200);
}

RC_GTEST_PROP(Program, AnySplitGivesTheSameNumbers, ()) {
  static const std::vector<float> truth = Truth();
  std::string unsupported;
  for (sy_op_kind kind = 0; kind < SY_OP_KIND_COUNT; ++kind) {
    if (*rc::gen::arbitrary<bool>()) {
      if (!unsupported.empty()) unsupported += ",";
      unsupported += ops::OpName(kind);
    }
  }
  Opened chip = OpenDevice("null", 1, {{"unsupported", unsupported}});
  Opened fallback = OpenDevice("reference", 0);
  auto logits = RunLayer({chip.device.get(), &chip.queue, fallback.device.get(), &fallback.queue},
                         nullptr, 2);
  RC_ASSERT(logits.has_value());
  RC_ASSERT(*logits == truth);
}

}  // namespace
}  // namespace switchyard::device
