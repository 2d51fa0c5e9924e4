// The KV cache: store and attention, through pages in random order, and pages that leave and return
// by way of the host.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

struct SequenceShape {
  std::int32_t queries, length;
};

struct AttentionShape {
  std::int64_t kv_heads = 2;
  std::int64_t ratio = 3;  // query heads for each key/value head
  std::int64_t width = 64;
  std::int64_t value_width = 64;
  std::int32_t page_size = 16;  // taken up to a multiple of what the chip asks for
  std::vector<SequenceShape> sequences = {{1, 17}, {7, 7}, {1, 40}, {3, 33}, {16, 16}};
  std::uint32_t window = 0;
  float softcap = 0;
  bool has_sinks = false;
  float query_deviation = 1;
};

struct AttentionTensors {
  Tensor keys, values, k_pages, v_pages, y;
};

std::int32_t PageSize(const Session& session, std::int32_t wanted) {
  const auto multiple = static_cast<std::int32_t>(session.properties().kv_page_multiple);
  return (wanted + multiple - 1) / multiple * multiple;
}

// Stores every key and value of all sequences, then attends.
AttentionTensors BuildAttention(Scenario& s, DType act, DType pages, const AttentionShape& shape,
                                std::int32_t page_size) {
  std::int32_t most_pages = 1;
  std::int32_t page_count = 3;  // some that nobody owns
  for (const SequenceShape& sequence : shape.sequences) {
    const std::int32_t needed = (sequence.length + page_size - 1) / page_size;
    most_pages = std::max(most_pages, needed);
    page_count += needed;
  }
  std::vector<std::int32_t> free_pages = Counting(page_count);
  std::ranges::shuffle(free_pages, s.random());
  const auto batch = static_cast<std::int64_t>(shape.sequences.size());
  std::vector<std::int32_t> table;
  std::vector<std::int32_t> slots;
  std::vector<std::int32_t> starts = {0};
  std::vector<std::int32_t> lengths;
  for (const SequenceShape& sequence : shape.sequences) {
    std::vector<std::int32_t> own(static_cast<std::size_t>(most_pages), 0);
    for (std::int32_t p = 0; p < sequence.length; ++p) {
      if (p % page_size == 0) {
        own[static_cast<std::size_t>(p / page_size)] = free_pages.back();
        free_pages.pop_back();
      }
      slots.push_back(own[static_cast<std::size_t>(p / page_size)] * page_size + p % page_size);
    }
    table.insert(table.end(), own.begin(), own.end());
    starts.push_back(starts.back() + sequence.queries);
    lengths.push_back(sequence.length);
  }
  // Rows that pad a batch go nowhere.
  slots.push_back(-1);
  const auto rows = static_cast<std::int64_t>(slots.size());
  AttentionTensors made;
  made.keys = s.Floats(act, {rows, shape.kv_heads, shape.width});
  made.values = s.Floats(act, {rows, shape.kv_heads, shape.value_width});
  made.k_pages = s.Pages(pages, {page_count, page_size, shape.kv_heads, shape.width});
  made.v_pages = s.Pages(pages, {page_count, page_size, shape.kv_heads, shape.value_width});
  s.list.KvStore(made.keys, made.values, s.Integers({rows}, slots), made.k_pages, made.v_pages);
  const std::int64_t heads = shape.kv_heads * shape.ratio;
  const Tensor query = s.Floats(act, {starts.back(), heads, shape.width}, shape.query_deviation);
  made.y = s.list.Attention(
      {query, made.k_pages, made.v_pages, s.HostIntegers({batch, most_pages}, table),
       s.HostIntegers({batch + 1}, starts), s.HostIntegers({batch}, lengths),
       shape.has_sinks ? s.Vector(heads) : ops::kAbsent},
      {.scale = 1 / std::sqrt(static_cast<float>(shape.width)),
       .softcap = shape.softcap,
       .window = shape.window});
  s.Compare(made.y, "y", ToleranceOf(SY_OP_ATTENTION, act, pages));
  return made;
}

void AddShape(std::vector<Case>& cases, DType act, DType pages, const std::string& name,
              const std::string& column, const std::vector<AttentionShape>& shapes) {
  cases.push_back(
      {"attention/" + Text(act) + "/pages_" + Text(pages) + "/" + name, "attention " + Text(act),
       column + ", pages " + Text(pages), [=](Context& context) {
         return CompareEach(context, static_cast<int>(shapes.size()), [&](Scenario& s, int i) {
           const AttentionShape& shape = shapes[static_cast<std::size_t>(i)];
           BuildAttention(s, act, pages, shape, PageSize(context.tested, shape.page_size));
         });
       }});
}

using AddShapes = std::function<void(const std::string& name, const std::string& column,
                                     const std::vector<AttentionShape>& shapes)>;

// Lengths about every edge that a page or a tile may have, many sequences, and long contexts.
void AddEdges(DType act, DType pages, const AddShapes& add) {
  std::vector<SequenceShape> decodes;
  for (const std::int32_t edge : {32, 48, 64, 96, 128, 256, 512, 1024}) {
    for (const std::int32_t length : {edge - 1, edge, edge + 1}) decodes.push_back({1, length});
  }
  // Alone and after a prefix.
  std::vector<SequenceShape> prefills = {{16, 48}, {17, 33}, {64, 128}, {65, 129}, {33, 160}};
  for (const std::int32_t edge : {16, 32, 64, 128}) {
    for (const std::int32_t length : {edge - 1, edge, edge + 1})
      prefills.push_back({length, length});
  }
  std::vector<AttentionShape> shapes;
  for (const std::int32_t page_size : {1, 16, 64, 128}) {
    shapes.push_back({.kv_heads = 1, .ratio = 2, .page_size = page_size, .sequences = decodes});
  }
  add("decode_around_tile_edges", "decode", shapes);
  shapes.clear();
  for (const std::int32_t page_size : {16, 32, 64}) {
    shapes.push_back({.kv_heads = 1, .ratio = 2, .page_size = page_size, .sequences = prefills});
  }
  add("prefill_around_tile_edges", "prefill", shapes);
  if (act != DType::kF32 && act != pages) return;
  shapes.clear();
  for (const int count : {64, 65, 130}) {
    std::vector<SequenceShape> sequences;
    for (int i = 0; i < count; ++i) sequences.push_back({1, 1 + (37 * i) % 190});
    shapes.push_back(
        {.kv_heads = 1, .ratio = 2, .width = 32, .value_width = 32, .sequences = sequences});
  }
  add("many_sequences", "mixed batch", shapes);
  add("large_batches", "prefill",
      {{.kv_heads = 1, .ratio = 1, .sequences = {{1024, 1024}}},
       {.kv_heads = 1, .ratio = 1, .sequences = {{1025, 1025}}, .window = 100},
       {.kv_heads = 1,
        .ratio = 1,
        .width = 32,
        .value_width = 32,
        .sequences = std::vector<SequenceShape>(8, {256, 256})}});
  if (act != DType::kF32) return;
  // Of f32 queries, whose sums over so many keys show an error of the accumulator best.
  add("long_context", "decode",
      {{.kv_heads = 1, .ratio = 1, .sequences = {{1, 32768}}},
       {.kv_heads = 1, .ratio = 1, .page_size = 128, .sequences = {{1, 32769}}, .window = 5000},
       {.kv_heads = 1, .ratio = 1, .page_size = 64, .sequences = {{16, 33000}, {1, 17}}}});
}

void AddAttention(std::vector<Case>& cases, DType act, DType pages) {
  const auto add = [&](const std::string& name, const std::string& column,
                       const std::vector<AttentionShape>& shapes) {
    AddShape(cases, act, pages, name, column, shapes);
  };
  std::vector<AttentionShape> shapes;
  for (const std::int32_t page_size : {1, 16, 32, 128}) {
    for (const std::int32_t length : {1, 15, 16, 17, 31, 33, 127, 129}) {
      shapes.push_back({.page_size = page_size, .sequences = {{1, length}}});
    }
  }
  add("decode_around_page_edges", "decode", shapes);
  add("prefill", "prefill",
      {{.sequences = {{1, 1}}},
       {.sequences = {{2, 2}}},
       {.sequences = {{70, 70}}},
       {.sequences = {{33, 33}}, .window = 5},
       {.sequences = {{19, 64}}}});
  add("mixed_batch", "mixed batch",
      {{}, {.page_size = 3}, {.sequences = {{1, 5}, {0, 9}, {4, 4}}}});
  shapes.clear();
  for (std::int64_t ratio = 1; ratio <= 8; ++ratio)
    shapes.push_back({.kv_heads = 2, .ratio = ratio});
  shapes.push_back({.kv_heads = 1, .ratio = 16});
  shapes.push_back({.kv_heads = 9, .ratio = 1});
  add("head_ratios", "head ratios", shapes);
  shapes.clear();
  for (const std::int64_t width : {32, 40, 64, 80, 96, 112, 128, 160, 192, 256}) {
    shapes.push_back({.width = width, .value_width = width});
  }
  add("head_widths", "head widths", shapes);
  add("unequal_widths", "unequal widths",
      {{.width = 192, .value_width = 128},
       {.width = 64, .value_width = 96},
       {.kv_heads = 1, .ratio = 4, .width = 576, .value_width = 512}});
  shapes.clear();
  for (const std::uint32_t window : {1U, 2U, 15U, 16U, 17U, 1000U})
    shapes.push_back({.window = window});
  add("windows", "window", shapes);
  add("softcap", "softcap", {{.softcap = 50}, {.softcap = 1.5F}, {.window = 9, .softcap = 2}});
  add("sinks", "sinks", {{.has_sinks = true}, {.window = 4, .has_sinks = true}});
  AddEdges(act, pages, add);
  if (act == DType::kF32) {
    add("long_decode", "decode",
        {{.kv_heads = 1, .ratio = 4, .sequences = {{1, 2050}, {1, 777}}},
         {.kv_heads = 1, .ratio = 2, .sequences = {{1, 1025}}, .window = 512}});
    add("long_prefill", "prefill", {{.kv_heads = 1, .ratio = 2, .sequences = {{512, 512}}}});
  }
  if (act == DType::kF32 && pages == DType::kF32) {
    add("peaked_scores", "peaked scores", {{.query_deviation = 40}});
  }
}

// Rows of queries, keys and values that lie side by side, as one linear gives them.
void AddFusedRows(std::vector<Case>& cases, DType act) {
  cases.push_back({"attention/" + Text(act) + "/fused_rows", "attention " + Text(act), "views",
                   [=](Context& context) {
                     Scenario s(context.random);
                     const std::int32_t page_size = PageSize(context.tested, 16);
                     const Tensor fused = s.Floats(act, {5, (4 + 2 + 2) * 32});
                     const auto width = static_cast<std::uint64_t>(s.list.at(fused).strides[1]);
                     const Tensor q = s.list.View(fused, 0, {5, 4, 32});
                     const Tensor k = s.list.View(fused, 4 * 32 * width, {5, 2, 32});
                     const Tensor v = s.list.View(fused, 6 * 32 * width, {5, 2, 32});
                     const Tensor k_pages = s.Pages(act, {2, page_size, 2, 32});
                     const Tensor v_pages = s.Pages(act, {2, page_size, 2, 32});
                     std::vector<std::int32_t> slots = Counting(5);
                     for (std::int32_t& slot : slots) slot += page_size;
                     s.list.KvStore(k, v, s.Integers({5}, slots), k_pages, v_pages);
                     const std::vector<std::int32_t> table = {1};
                     const std::vector<std::int32_t> starts = {0, 5};
                     const std::vector<std::int32_t> lengths = {5};
                     const Tensor y = s.list.Attention(
                         {q, k_pages, v_pages, s.HostIntegers({1, 1}, table),
                          s.HostIntegers({2}, starts), s.HostIntegers({1}, lengths), ops::kAbsent},
                         {.scale = 0.2F});
                     s.Compare(y, "y", ToleranceOf(SY_OP_ATTENTION, act, act));
                     s.Seal();
                     for (const Tensor view : {q, k, v}) {
                       s.tensors[view.index].strides[0] = s.tensors[fused.index].strides[0];
                     }
                     s.SpreadRows(y, 32);
                     return CompareWithTruth(context, s);
                   }});
}

// One page by way of the chip's own functions, or as its dims say where it has none.
base::Result<std::vector<std::byte>> ExportPage(Session& session, sy_kv_part part,
                                                const sy_tensor& pages, const sy_binding& binding,
                                                std::uint32_t page) {
  const auto bytes = static_cast<std::uint64_t>(pages.strides[0]);
  std::vector<std::byte> host(bytes);
  if (session.api().kv_export == nullptr) {
    SWITCHYARD_RETURN_IF_ERROR(
        session.Download(host.data(), binding.buffer, binding.offset_bytes + page * bytes, bytes));
    return host;
  }
  SWITCHYARD_RETURN_IF_ERROR(session.Check(
      session.api().kv_export(session.queue(), part, &pages, &binding, page, host.data()),
      "kv_export"));
  SWITCHYARD_RETURN_IF_ERROR(
      session.Check(session.api().queue_sync(session.queue()), "queue_sync"));
  return host;
}

base::Status ImportPage(Session& session, sy_kv_part part, const sy_tensor& pages,
                        const sy_binding& binding, std::uint32_t page,
                        const std::vector<std::byte>& host) {
  if (session.api().kv_import == nullptr) {
    return session.Upload(binding.buffer, binding.offset_bytes + page * host.size(), host.data(),
                          host.size());
  }
  SWITCHYARD_RETURN_IF_ERROR(session.Check(
      session.api().kv_import(session.queue(), part, &pages, &binding, page, host.data()),
      "kv_import"));
  return session.Check(session.api().queue_sync(session.queue()), "queue_sync");
}

// Each page that the chip filled, moved through host memory to other pages of the same chip: what
// comes out must be what went in, rounded once, and attention over the moved pages must agree.
Outcome MovePages(Context& context, DType act, DType pages) {
  Session& session = context.tested;
  if ((session.api().kv_export == nullptr) != (session.api().kv_import == nullptr)) {
    return Failure("the chip has only one of kv_export and kv_import");
  }
  const std::int32_t page_size = PageSize(session, 16);
  const auto rows = std::int64_t{2} * page_size;
  constexpr std::int64_t kHeads = 2;
  constexpr std::int64_t kWidth = 64;
  Scenario s(context.random);
  // As the activations hold them, so that storing rounds once at most.
  const auto draw = [&] {
    return Decode(act, Encode(act, Normal(s.random(), rows * kHeads * kWidth)));
  };
  const std::vector<float> key_values = draw();
  const std::vector<float> value_values = draw();
  const Tensor keys = s.Floats(act, {rows, kHeads, kWidth}, key_values);
  const Tensor values = s.Floats(act, {rows, kHeads, kWidth}, value_values);
  const Tensor query = s.Floats(act, {1, kHeads, kWidth});
  const Tensor k_pages = s.Pages(pages, {4, page_size, kHeads, kWidth});
  const Tensor v_pages = s.Pages(pages, {4, page_size, kHeads, kWidth});
  s.list.KvStore(keys, values, s.Integers({rows}, Counting(rows)), k_pages, v_pages);
  const auto attend = [&](Scenario& to, Tensor q, Tensor k, Tensor v, std::int32_t first_page) {
    const std::vector<std::int32_t> table = {first_page, first_page + 1};
    const std::vector<std::int32_t> starts = {0, 1};
    const std::vector<std::int32_t> lengths = {2 * page_size};
    const Tensor y =
        to.list.Attention({q, k, v, to.HostIntegers({1, 2}, table), to.HostIntegers({2}, starts),
                           to.HostIntegers({1}, lengths), ops::kAbsent},
                          {.scale = 0.125F});
    to.Compare(y, "y", kExact);
  };
  attend(s, query, k_pages, v_pages, 0);
  s.Seal();
  auto first = Execution::Prepare(session, s);
  if (!first) return OutcomeOf(first.error());
  const base::Result<Outputs> before = (*first)->Run();
  if (!before) return Failure(before.error().message);
  for (const auto& [part, tensor, original] :
       {std::tuple{sy_kv_part{SY_KV_KEYS}, k_pages, &key_values},
        {sy_kv_part{SY_KV_VALUES}, v_pages, &value_values}}) {
    const sy_tensor& desc = (*first)->tensor(tensor);
    const sy_binding& binding = (*first)->binding(tensor);
    const std::vector<std::byte> expected = Encode(pages, *original);
    for (std::uint32_t page = 0; page < 2; ++page) {
      const auto exported = ExportPage(session, part, desc, binding, page);
      if (!exported) return Failure(exported.error().message);
      const auto begin = expected.begin() + static_cast<std::ptrdiff_t>(page * exported->size());
      if (!std::equal(exported->begin(), exported->end(), begin)) {
        return Failure(fmt::format("page {} comes out with other bits than were stored", page));
      }
      if (const base::Status imported =
              ImportPage(session, part, desc, binding, page + 2, *exported);
          !imported) {
        return Failure(imported.error().message);
      }
    }
  }
  Scenario moved(context.random);
  const Tensor same_query =
      moved.Floats(act, {1, kHeads, kWidth}, Decode(act, s.contents(s.list.slot(query))));
  const Tensor moved_k = moved.Pages(pages, {4, page_size, kHeads, kWidth});
  const Tensor moved_v = moved.Pages(pages, {4, page_size, kHeads, kWidth});
  attend(moved, same_query, moved_k, moved_v, 2);
  moved.Seal();
  auto second = Execution::Prepare(session, moved);
  if (!second) return OutcomeOf(second.error());
  (*second)->Borrow(moved_k, **first, k_pages);
  (*second)->Borrow(moved_v, **first, v_pages);
  const base::Result<Outputs> after = (*second)->Run();
  if (!after) return Failure(after.error().message);
  if (*after != *before) return Failure("attention over the moved pages gives other bits");
  return Pass();
}

// A sequence that grows: each step is a program of its own over the same pages.
Outcome Grow(Context& context, DType act, DType pages) {
  const std::int32_t page_size = PageSize(context.tested, 4);
  const std::array<std::int32_t, 6> chunks = {5, 1, 1, 4, 1, 3};
  std::vector<std::unique_ptr<Scenario>> steps;
  std::vector<std::array<Tensor, 2>> page_tensors;
  std::int32_t length = 0;
  for (const std::int32_t chunk : chunks) {
    auto s = std::make_unique<Scenario>(context.random);
    std::vector<std::int32_t> slots;
    for (std::int32_t i = 0; i < chunk; ++i) slots.push_back(length++);
    const std::int64_t page_count = 15 / page_size + 1;
    const Tensor k_pages = s->Pages(pages, {page_count, page_size, 1, 32});
    const Tensor v_pages = s->Pages(pages, {page_count, page_size, 1, 32});
    s->list.KvStore(s->Floats(act, {chunk, 1, 32}), s->Floats(act, {chunk, 1, 32}),
                    s->Integers({chunk}, slots), k_pages, v_pages);
    const std::vector<std::int32_t> starts = {0, chunk};
    const std::vector<std::int32_t> lengths = {length};
    const Tensor y = s->list.Attention(
        {s->Floats(act, {chunk, 2, 32}), k_pages, v_pages,
         s->HostIntegers({1, page_count}, Counting(page_count)), s->HostIntegers({2}, starts),
         s->HostIntegers({1}, lengths), ops::kAbsent},
        {.scale = 0.2F});
    s->Compare(y, "y", ToleranceOf(SY_OP_ATTENTION, act, pages));
    s->Seal();
    page_tensors.push_back({k_pages, v_pages});
    steps.push_back(std::move(s));
  }
  std::array<std::vector<Outputs>, 2> outputs;
  for (std::size_t side = 0; side < 2; ++side) {
    std::vector<std::unique_ptr<Execution>> executions;
    for (std::size_t step = 0; step < steps.size(); ++step) {
      auto execution = Execution::Prepare(side == 0 ? context.tested : context.truth, *steps[step]);
      if (!execution) return OutcomeOf(execution.error());
      executions.push_back(std::move(*execution));
      for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        if (step == 0) continue;
        executions[step]->Borrow(page_tensors[step][i], *executions[0], page_tensors[0][i]);
      }
      base::Result<Outputs> result = executions[step]->Run();
      if (!result) return Failure(result.error().message);
      outputs[side].push_back(std::move(*result));
    }
  }
  Outcome outcome;
  for (std::size_t step = 0; step < steps.size(); ++step) {
    const Difference difference = CompareAll(*steps[step], outputs[0][step], outputs[1][step]);
    outcome.max_error = std::max(outcome.max_error, difference.max_error);
    outcome.nmse = std::max(outcome.nmse, difference.nmse);
    if (!difference.is_within()) {
      return Failure(fmt::format("step {}: {}", step, difference.complaint));
    }
  }
  return outcome;
}

}  // namespace

void AddAttentionCases(std::vector<Case>& cases) {
  for (const DType act : kActivationTypes) {
    for (const DType pages : kActivationTypes) {
      AddAttention(cases, act, pages);
      cases.push_back({"attention/" + Text(act) + "/pages_" + Text(pages) + "/growing",
                       "attention " + Text(act), "decode, pages " + Text(pages),
                       [act, pages](Context& context) { return Grow(context, act, pages); }});
    }
    AddFusedRows(cases, act);
  }
  for (const DType pages : kActivationTypes) {
    cases.push_back({"kv_pages/" + Text(pages) + "/move", "kv_export, kv_import", Text(pages),
                     [pages](Context& context) {
                       return WithAnyActivations(
                           [&](DType act) { return MovePages(context, act, pages); });
                     }});
  }
}

}  // namespace switchyard::conformance
