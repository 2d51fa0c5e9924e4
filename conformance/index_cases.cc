// Indices from outside of what they name, as a damaged request could bring them: the rows that used
// them may hold anything, all others are right, and the device is none the worse.
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

using base::ErrorCode;

struct Indexed {
  std::string name;
  std::string row;
  std::string column;
  std::vector<std::int32_t> wrong;
  std::int32_t right = 0;
  std::size_t rows = 0;  // of the one result
  std::size_t first_undefined = 0;
  std::size_t end_undefined = 0;
  std::function<void(Scenario&, std::int32_t index, std::int32_t page_size)> build;
};

// The run fails, or rows that did not use the index are right; nothing else is touched.
Outcome SurvivesIndices(Context& context, const Indexed& indexed) {
  const auto multiple = static_cast<std::int32_t>(context.tested.properties().kv_page_multiple);
  const std::int32_t page_size = (16 + multiple - 1) / multiple * multiple;
  const std::uint64_t seed = context.random();
  Random random(seed);
  Scenario good(random);
  indexed.build(good, indexed.right, page_size);
  good.Seal();
  auto truth = Execution::Prepare(context.truth, good);
  if (!truth) return Failure("the reference: " + truth.error().message);
  const auto expected = (*truth)->Run();
  if (!expected) return Failure("the reference: " + expected.error().message);
  for (const std::int32_t wrong : indexed.wrong) {
    random.seed(seed);
    Scenario s(random);
    indexed.build(s, wrong, page_size);
    s.Seal();
    auto tested = Execution::Prepare(context.tested, s);
    if (!tested) return OutcomeOf(tested.error());
    const auto actual = (*tested)->Run();
    if (!actual) {
      if (actual.error().code != ErrorCode::kInvalidArgument) {
        return Failure(fmt::format("index {}: {}", wrong, actual.error().message));
      }
      const auto after = (*tested)->ReadResults(context.tested.queue());
      if (!after)
        return Failure(fmt::format("index {}, refused: {}", wrong, after.error().message));
      continue;
    }
    const Result& result = s.results()[0];
    const std::size_t row_bytes = (*expected)[0].size() / indexed.rows;
    const std::span<const std::byte> is((*actual)[0]);
    const std::span<const std::byte> want((*expected)[0]);
    for (const auto& [first, end] : {std::pair{std::size_t{0}, indexed.first_undefined},
                                     {indexed.end_undefined, indexed.rows}}) {
      if (first == end) continue;
      const std::size_t at = first * row_bytes;
      const std::size_t count = (end - first) * row_bytes;
      const Difference difference =
          Compare(DType::kF32, is.subspan(at, count), want.subspan(at, count), result);
      if (difference.is_within()) continue;
      return Failure(fmt::format("index {} in one row, rows {} to {}: {}", wrong, first, end - 1,
                                 difference.complaint));
    }
  }
  // The device is none the worse.
  auto again = Execution::Prepare(context.tested, good);
  if (!again) return OutcomeOf(again.error());
  const auto after = (*again)->Run();
  if (!after) return Failure("after wrong indices: " + after.error().message);
  return OutcomeOf(CompareAll(good, *after, *expected));
}

constexpr std::int32_t kMostIndex = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kLeastIndex = std::numeric_limits<std::int32_t>::min();

// Three sequences of one query each, over 20 keys apiece in two pages of their own; then wrong in
// one place.
enum class BadPlace { kPage, kLength, kStart };

void BuildThreeSequences(Scenario& s, BadPlace place, std::int32_t index, std::int32_t page_size) {
  constexpr std::int32_t kLength = 20;
  const std::int32_t pages_each = (kLength - 1) / page_size + 2;  // one that is never read
  std::vector<std::int32_t> slots;
  std::vector<std::int32_t> table;
  for (std::int32_t b = 0; b < 3; ++b) {
    for (std::int32_t p = 0; p < pages_each; ++p) table.push_back(b * pages_each + p);
    for (std::int32_t p = 0; p < kLength; ++p) slots.push_back(b * pages_each * page_size + p);
  }
  std::vector<std::int32_t> starts = {0, 1, 2, 3};
  std::vector<std::int32_t> lengths = {kLength, kLength, kLength};
  switch (place) {
    case BadPlace::kPage:
      table[static_cast<std::size_t>(pages_each)] = index;
      break;
    case BadPlace::kLength:
      lengths[1] = index;
      break;
    case BadPlace::kStart:
      starts[2] = index;
      break;
  }
  const Tensor k_pages = s.Pages(DType::kF32, {3 * pages_each, page_size, 1, 64});
  const Tensor v_pages = s.Pages(DType::kF32, {3 * pages_each, page_size, 1, 64});
  s.list.KvStore(s.Floats(DType::kF32, {3 * kLength, 1, 64}),
                 s.Floats(DType::kF32, {3 * kLength, 1, 64}), s.Integers({3 * kLength}, slots),
                 k_pages, v_pages);
  const Tensor y = s.list.Attention(
      {s.Floats(DType::kF32, {3, 2, 64}), k_pages, v_pages, s.HostIntegers({3, pages_each}, table),
       s.HostIntegers({4}, starts), s.HostIntegers({3}, lengths), ops::kAbsent},
      {.scale = 0.125F});
  s.Compare(y, "y", ToleranceOf(SY_OP_ATTENTION, DType::kF32, DType::kF32));
}

std::vector<Indexed> IndexedOperations() {
  std::vector<Indexed> all;
  all.push_back({.name = "embedding/f32/f32/ids_outside",
                 .row = "embedding f32",
                 .column = "f32",
                 .wrong = {30, 1030, kMostIndex, -1, kLeastIndex},
                 .right = 3,
                 .rows = 5,
                 .first_undefined = 2,
                 .end_undefined = 3,
                 .build = [](Scenario& s, std::int32_t index, std::int32_t) {
                   const Tensor table = s.Matrix(DType::kF32, {30, 64}, SY_WEIGHT_EMBEDDING);
                   const std::vector<std::int32_t> ids = {0, 29, index, 7, 1};
                   s.Compare(s.list.Embedding(table, s.Integers({5}, ids), 1, DType::kF32), "y",
                             ToleranceOf(SY_OP_EMBEDDING, DType::kF32, DType::kF32));
                 }});
  all.push_back({.name = "row_gather/f32/rows_outside",
                 .row = "row_gather f32",
                 .column = "outside",
                 .wrong = {9, 1009, kMostIndex, -1, kLeastIndex},
                 .right = 3,
                 .rows = 4,
                 .first_undefined = 1,
                 .end_undefined = 2,
                 .build = [](Scenario& s, std::int32_t index, std::int32_t) {
                   const std::vector<std::int32_t> rows = {8, index, 0, 5};
                   const Tensor x = s.Floats(DType::kF32, {9, 48});
                   s.Compare(s.list.RowGather(x, s.Integers({4}, rows)), "y", kExact);
                 }});
  all.push_back({.name = "grouped_linear/f32/f32/experts_outside",
                 .row = "grouped_linear f32",
                 .column = "f32",
                 .wrong = {4, 1004, kMostIndex, -1, kLeastIndex},
                 .right = 3,
                 .rows = 6,  // [3, 2]
                 .first_undefined = 3,
                 .end_undefined = 4,
                 .build = [](Scenario& s, std::int32_t index, std::int32_t) {
                   const std::vector<std::int32_t> ids = {0, 1, 2, index, 3, 0};
                   const Tensor x = s.Floats(DType::kF32, {3, 64});
                   const Tensor w = s.Matrix(DType::kF32, {4, 16, 64});
                   s.Compare(s.list.GroupedLinear(x, w, s.Integers({3, 2}, ids)), "y",
                             ToleranceOf(SY_OP_GROUPED_LINEAR, DType::kF32, DType::kF32));
                 }});
  all.push_back(
      {.name = "attention/f32/pages_f32/slots_outside",
       .row = "attention f32",
       .column = "outside, pages f32",
       .wrong = {1 << 20, kMostIndex - 1, kMostIndex},
       .right = 3,
       .rows = 6,
       .first_undefined = 3,  // those that see position 3
       .end_undefined = 6,
       .build = [](Scenario& s, std::int32_t index, std::int32_t page_size) {
         const std::vector<std::int32_t> slots = {0, 1, 2, index, 4, 5};
         const std::vector<std::int32_t> table = {0};
         const std::vector<std::int32_t> starts = {0, 6};
         const std::vector<std::int32_t> lengths = {6};
         const Tensor k_pages = s.Pages(DType::kF32, {2, page_size, 1, 64});
         const Tensor v_pages = s.Pages(DType::kF32, {2, page_size, 1, 64});
         s.list.KvStore(s.Floats(DType::kF32, {6, 1, 64}), s.Floats(DType::kF32, {6, 1, 64}),
                        s.Integers({6}, slots), k_pages, v_pages);
         const Tensor y = s.list.Attention(
             {s.Floats(DType::kF32, {6, 2, 64}), k_pages, v_pages, s.HostIntegers({1, 1}, table),
              s.HostIntegers({2}, starts), s.HostIntegers({1}, lengths), ops::kAbsent},
             {.scale = 0.125F});
         s.Compare(y, "y", ToleranceOf(SY_OP_ATTENTION, DType::kF32, DType::kF32));
       }});
  const auto add = [&](const char* name, BadPlace place, std::vector<std::int32_t> wrong,
                       std::int32_t right, std::size_t first, std::size_t end) {
    all.push_back(
        {.name = std::string("attention/f32/pages_f32/") + name,
         .row = "attention f32",
         .column = "outside, pages f32",
         .wrong = std::move(wrong),
         .right = right,
         .rows = 3,
         .first_undefined = first,
         .end_undefined = end,
         .build = [place, right](Scenario& s, std::int32_t index, std::int32_t page_size) {
           // The second sequence's first page depends on the page size.
           const std::int32_t own = (20 - 1) / page_size + 2;
           const bool is_right = place == BadPlace::kPage && index == right;
           BuildThreeSequences(s, place, is_right ? own : index, page_size);
         }});
  };
  add("pages_outside", BadPlace::kPage, {1000, kMostIndex, -1, kLeastIndex}, 1, 1, 2);
  add("lengths_outside", BadPlace::kLength, {10'000, kMostIndex, 0, -1, kLeastIndex}, 20, 1, 2);
  add("starts_outside", BadPlace::kStart, {4, kMostIndex, 0, -1, kLeastIndex}, 2, 0, 3);
  return all;
}

}  // namespace

void AddIndexCases(std::vector<Case>& cases) {
  for (const Indexed& indexed : IndexedOperations()) {
    cases.push_back({indexed.name, indexed.row, indexed.column,
                     [indexed](Context& context) { return SurvivesIndices(context, indexed); }});
  }
}

}  // namespace switchyard::conformance
