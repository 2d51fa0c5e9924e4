#include "attention_stage.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>

#include "device.h"

namespace switchyard::cpu {
namespace {

// (row, head) pairs of one portion: their running outputs stay in the nearest cache.
constexpr std::int64_t kPairsOfItem = 64;
// Portions a thread should have at least, else chunks are shared out too.
constexpr std::int64_t kItemsOfThread = 4;

std::int64_t ChunksUpTo(std::int64_t position) { return position / kChunk + 1; }

struct Running {
  float max;
  float sum;
};

// Adds the sink's weight, divides, and stores one (row, head).
void StoreRow(const RunContext& context, const AttentionPlan& plan, std::int64_t row,
              std::int64_t head, Running running, float* o) {
  if (plan.sinks != nullptr) {
    // A chunk that holds the sink alone: weight 1 at its own maximum, and no value.
    const float sink = plan.sinks[head];
    const float larger = std::max(running.max, sink);
    const float keep = std::exp(running.max - larger);
    for (std::int64_t i = 0; i < plan.dv; ++i) o[i] *= keep;
    running.sum = running.sum * keep + std::exp(sink - larger);
  }
  context.kernels->divide(o, running.sum, plan.dv);
  char* y = context.At(plan.y, row) + head * plan.y.strides[1];
  context.kernels->narrow(o, y, ElementTypeOf(plan.y.dtype), plan.dv);
}

class AttentionStage : public Stage {
 public:
  explicit AttentionStage(std::shared_ptr<AttentionPlan> plan) : plan_(std::move(plan)) {}

  Status Check(const RunContext& context) const override;
  std::int64_t Open(RunContext& context) override;
  void Run(RunContext& context, std::int64_t begin, std::int64_t end, int thread) override;
  std::int64_t scratch_bytes() const override {
    const AttentionPlan& p = *plan_;
    const std::int64_t pairs = p.rows_of_item * p.heads_each;
    return (pairs * (p.d + p.dv + 2) + kAttentionRows * (p.dv + 2) + 64) * 4;
  }

 private:
  void AddItems(std::int64_t sequence, std::int64_t row, std::int64_t row_end,
                std::int64_t position);
  void SplitItems();
  void RunItem(const RunContext& context, const AttentionPlan::Item& item, float* scratch) const;
  // Points the chunk at its pages; returns the positions that exist in it.
  void PlaceChunk(const RunContext& context, const AttentionPlan::Item& item, std::int64_t chunk,
                  std::int64_t last_position, AttentionChunk& place) const;

  std::shared_ptr<AttentionPlan> plan_;  // with the step that merges
  std::vector<AttentionPlan::Item> whole_;
};

Status AttentionStage::Check(const RunContext& context) const {
  const AttentionPlan& p = *plan_;
  const std::int32_t* starts = context.HostIndex(p.query_start);
  const std::int32_t* lengths = context.HostIndex(p.kv_length);
  const std::int32_t* table = context.HostIndex(p.page_table);
  const std::int64_t sequences = p.kv_length.dims[0];
  const std::int64_t most_pages = p.page_table.dims[1];
  for (std::int64_t b = 0; b < sequences; ++b) {
    if (starts[b] < 0 || starts[b + 1] < starts[b] || starts[b + 1] > p.q.dims[0]) {
      return Fail(SY_INVALID_ARGUMENT,
                  "attention: query_start[%lld] and the next are %d and %d; they must rise within "
                  "%lld rows",
                  static_cast<long long>(b), starts[b], starts[b + 1],
                  static_cast<long long>(p.q.dims[0]));
    }
    if (lengths[b] < starts[b + 1] - starts[b] || lengths[b] > most_pages * p.page_size) {
      return Fail(SY_INVALID_ARGUMENT,
                  "attention: kv_length[%lld] is %d, for %d queries and pages for %lld keys",
                  static_cast<long long>(b), lengths[b], starts[b + 1] - starts[b],
                  static_cast<long long>(most_pages * p.page_size));
    }
    if (starts[b + 1] == starts[b]) continue;
    const std::int64_t first =
        p.FirstVisible(lengths[b] - (starts[b + 1] - starts[b])) / p.page_size;
    for (std::int64_t i = first; i * p.page_size < lengths[b]; ++i) {
      const std::int32_t page = table[b * most_pages + i];
      if (page < 0 || page >= p.k_pages.dims[0]) {
        return Fail(SY_INVALID_ARGUMENT,
                    "attention: page_table[%lld, %lld] is %d, but there are %lld pages",
                    static_cast<long long>(b), static_cast<long long>(i), page,
                    static_cast<long long>(p.k_pages.dims[0]));
      }
    }
  }
  return {};
}

std::int64_t AttentionStage::Open(RunContext& context) {
  AttentionPlan& p = *plan_;
  const std::int32_t* starts = context.HostIndex(p.query_start);
  const std::int32_t* lengths = context.HostIndex(p.kv_length);
  for (AttentionPlan::Row& row : p.rows) {
    row.position = -1;
    row.partial.clear();
  }
  whole_.clear();
  for (std::int64_t b = 0; b < p.kv_length.dims[0]; ++b) {
    AddItems(b, starts[b], starts[b + 1], lengths[b] - (starts[b + 1] - starts[b]));
  }
  // The longest first, so that no thread begins one when the others are done.
  std::ranges::sort(whole_, {}, [](const AttentionPlan::Item& item) {
    return std::tuple(item.chunk_begin - item.chunk_end, item.sequence, item.row_begin, item.kv_head);
  });
  SplitItems();
  return static_cast<std::int64_t>(p.items.size());
}

void AttentionStage::AddItems(std::int64_t sequence, std::int64_t row, std::int64_t row_end,
                              std::int64_t position) {
  AttentionPlan& p = *plan_;
  for (std::int64_t r = row; r < row_end; ++r) {
    AttentionPlan::Row& each = p.rows[static_cast<std::size_t>(r)];
    each.position = position + (r - row);
    each.first_chunk = p.FirstVisible(each.position) / kChunk;
    each.last_chunk = ChunksUpTo(each.position);
  }
  for (std::int64_t first = row; first < row_end; first += p.rows_of_item) {
    const std::int64_t last = std::min(first + p.rows_of_item, row_end);
    const std::int64_t first_position = position + (first - row);
    for (std::int64_t g = 0; g < p.kv_heads; ++g) {
      AttentionPlan::Item item = {};
      item.sequence = sequence;
      item.kv_head = g;
      item.row_begin = first;
      item.row_end = last;
      item.position = first_position;
      item.chunk_begin = p.FirstVisible(first_position) / kChunk;
      item.chunk_end = ChunksUpTo(first_position + (last - first) - 1);
      item.partial = -1;
      item.first_chunk = item.chunk_begin;
      whole_.push_back(item);
    }
  }
}

void AttentionStage::SplitItems() {
  AttentionPlan& p = *plan_;
  p.items.clear();
  std::int64_t chunks = 0;
  for (const auto& item : whole_) chunks += item.chunk_end - item.chunk_begin;
  const auto count = static_cast<std::int64_t>(whole_.size());
  const bool is_enough = p.threads == 1 || count >= kItemsOfThread * p.threads;
  const std::int64_t chunks_of_part =
      std::max<std::int64_t>(1, chunks / (2 * kItemsOfThread * p.threads));
  std::int64_t used = 0;
  for (const auto& item : whole_) {
    const std::int64_t own = item.chunk_end - item.chunk_begin;
    const std::int64_t triples = (item.row_end - item.row_begin) * p.heads_each * own;
    if (is_enough || own <= chunks_of_part || used + triples > p.partial_chunks) {
      p.items.push_back(item);
      continue;
    }
    for (std::int64_t r = item.row_begin; r < item.row_end; ++r) {
      auto& partial = p.rows[static_cast<std::size_t>(r)].partial;
      if (partial.empty()) partial.assign(static_cast<std::size_t>(p.kv_heads) * 3, -1);
      const auto at = static_cast<std::size_t>(item.kv_head) * 3;
      partial[at] = used + (r - item.row_begin) * p.heads_each * own;
      partial[at + 1] = own;
      partial[at + 2] = item.chunk_begin;
    }
    for (std::int64_t c = item.chunk_begin; c < item.chunk_end; c += chunks_of_part) {
      AttentionPlan::Item part = item;
      part.chunk_begin = c;
      part.chunk_end = std::min(c + chunks_of_part, item.chunk_end);
      part.partial = used;
      part.partial_step = own;
      p.items.push_back(part);
    }
    used += triples;
  }
}

void AttentionStage::Run(RunContext& context, std::int64_t begin, std::int64_t end, int thread) {
  auto* scratch = reinterpret_cast<float*>(context.Scratch(thread));
  for (std::int64_t i = begin; i < end; ++i) {
    RunItem(context, plan_->items[static_cast<std::size_t>(i)], scratch);
  }
}

void AttentionStage::PlaceChunk(const RunContext& context, const AttentionPlan::Item& item,
                                std::int64_t chunk, std::int64_t last_position,
                                AttentionChunk& place) const {
  const AttentionPlan& p = *plan_;
  const std::int32_t* pages =
      context.HostIndex(p.page_table) + item.sequence * p.page_table.dims[1];
  const std::int64_t element = ElementBytes(p.k_pages.dtype);
  const std::int64_t first = chunk * kChunk;
  const std::int64_t last = std::min(first + kChunk - 1, last_position);
  place.blocks = static_cast<int>((last - first) / kKeyBlock + 1);
  for (int b = 0; b < place.blocks; ++b) {
    const std::int64_t position = first + b * kKeyBlock;
    // Blocks before a window are read but masked, and their pages may be gone, so any will do.
    const std::int32_t given = pages[position / p.page_size];
    const std::int64_t page = given >= 0 && given < p.k_pages.dims[0] ? given : 0;
    const std::int64_t row =
        (page * p.kv_heads + item.kv_head) * p.page_size + position % p.page_size;
    place.k[b] = context.At(p.k_pages) + row * p.d * element;
    place.v[b] = context.At(p.v_pages) + row * p.dv * element;
  }
}

void AttentionStage::RunItem(const RunContext& context, const AttentionPlan::Item& item,
                             float* scratch) const {
  const AttentionPlan& p = *plan_;
  const KernelTable& kernels = *context.kernels;
  const std::int64_t pairs = (item.row_end - item.row_begin) * p.heads_each;
  float* q = scratch;             // [pairs, d]
  float* o = q + pairs * p.d;     // [pairs, dv]
  float* max = o + pairs * p.dv;  // [pairs]
  float* sum = max + pairs;       // [pairs]
  float* chunk_o = sum + pairs;   // [kAttentionRows, dv]
  float* chunk_max = chunk_o + kAttentionRows * p.dv;
  float* chunk_sum = chunk_max + kAttentionRows;
  for (std::int64_t i = 0; i < pairs; ++i) {
    const std::int64_t row = item.row_begin + i / p.heads_each;
    const std::int64_t head = item.kv_head * p.heads_each + i % p.heads_each;
    kernels.widen(context.At(p.q, row) + head * p.q.strides[1], ElementTypeOf(p.q.dtype),
                  q + i * p.d, p.d);
    max[i] = -std::numeric_limits<float>::infinity();
    sum[i] = 0;
  }
  std::memset(o, 0, static_cast<std::size_t>(pairs * p.dv) * 4);
  auto* partials = reinterpret_cast<float*>(context.bases[p.partial_root]);

  AttentionChunk chunk = {};
  chunk.kv_type = ElementTypeOf(p.k_pages.dtype);
  chunk.d = p.d;
  chunk.dv = p.dv;
  chunk.scale = p.scale;
  chunk.softcap = p.softcap;
  chunk.max = chunk_max;
  chunk.sum = chunk_sum;
  chunk.o = chunk_o;
  for (std::int64_t c = item.chunk_begin; c < item.chunk_end; ++c) {
    for (std::int64_t first = 0; first < pairs; first += kAttentionRows) {
      chunk.rows = static_cast<int>(std::min<std::int64_t>(kAttentionRows, pairs - first));
      std::int64_t last_position = -1;
      for (int r = 0; r < chunk.rows; ++r) {
        const std::int64_t position = item.position + (first + r) / p.heads_each;
        chunk.begin[r] = static_cast<int>(
            std::clamp<std::int64_t>(p.FirstVisible(position) - c * kChunk, 0, kChunk));
        chunk.end[r] =
            static_cast<int>(std::clamp<std::int64_t>(position + 1 - c * kChunk, 0, kChunk));
        if (chunk.begin[r] < chunk.end[r]) last_position = std::max(last_position, position);
      }
      if (last_position < 0) continue;
      PlaceChunk(context, item, c, last_position, chunk);
      chunk.q = q + first * p.d;
      kernels.attend(&chunk);
      for (int r = 0; r < chunk.rows; ++r) {
        if (chunk.begin[r] >= chunk.end[r]) continue;
        const std::int64_t i = first + r;
        if (item.partial < 0) {
          kernels.merge(max + i, sum + i, o + i * p.dv, chunk_max[r], chunk_sum[r],
                        chunk_o + r * p.dv, p.dv);
          continue;
        }
        float* partial =
            partials + (item.partial + i * item.partial_step + c - item.first_chunk) * (p.dv + 2);
        partial[0] = chunk_max[r];
        partial[1] = chunk_sum[r];
        std::memcpy(partial + 2, chunk_o + r * p.dv, static_cast<std::size_t>(p.dv) * 4);
      }
    }
  }
  if (item.partial >= 0) return;
  for (std::int64_t i = 0; i < pairs; ++i) {
    StoreRow(context, p, item.row_begin + i / p.heads_each,
             item.kv_head * p.heads_each + i % p.heads_each, {max[i], sum[i]}, o + i * p.dv);
  }
}

class AttentionFinishStep : public RowStep {
 public:
  explicit AttentionFinishStep(std::shared_ptr<AttentionPlan> plan) : plan_(std::move(plan)) {}

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    const AttentionPlan& p = *plan_;
    for (std::int64_t row = begin; row < end; ++row) {
      const AttentionPlan::Row& each = p.rows[static_cast<std::size_t>(row)];
      if (each.position < 0) ZeroRow(context, row);
      if (each.position < 0 || each.partial.empty()) continue;
      for (std::int64_t head = 0; head < p.heads; ++head) {
        MergeHead(context, each, row, head, scratch);
      }
    }
  }
  std::int64_t scratch_floats() const override { return plan_->dv; }
  std::int64_t row_work() const override { return plan_->heads * plan_->dv; }

 private:
  void ZeroRow(const RunContext& context, std::int64_t row) const {
    const AttentionPlan& p = *plan_;
    const auto bytes = static_cast<std::size_t>(p.dv * ElementBytes(p.y.dtype));
    for (std::int64_t head = 0; head < p.heads; ++head) {
      std::memset(context.At(p.y, row) + head * p.y.strides[1], 0, bytes);
    }
  }

  void MergeHead(const RunContext& context, const AttentionPlan::Row& each, std::int64_t row,
                 std::int64_t head, float* o) const {
    const AttentionPlan& p = *plan_;
    const auto at = static_cast<std::size_t>(head / p.heads_each) * 3;
    if (each.partial[at] < 0) return;  // its item was not split, and stored the result itself
    const std::int64_t step = each.partial[at + 1];
    const std::int64_t first_chunk = each.partial[at + 2];
    const float* partials = reinterpret_cast<const float*>(context.bases[p.partial_root]);
    const std::int64_t triple = each.partial[at] + head % p.heads_each * step;
    Running running = {-std::numeric_limits<float>::infinity(), 0};
    std::memset(o, 0, static_cast<std::size_t>(p.dv) * 4);
    for (std::int64_t c = each.first_chunk; c < each.last_chunk; ++c) {
      const float* partial = partials + (triple + c - first_chunk) * (p.dv + 2);
      context.kernels->merge(&running.max, &running.sum, o, partial[0], partial[1], partial + 2,
                             p.dv);
    }
    StoreRow(context, p, row, head, running, o);
  }

  std::shared_ptr<AttentionPlan> plan_;  // with the stage that attends
};

}  // namespace

AttentionPlan::AttentionPlan(const OpView& op, int threads_of_team)
    : q(op.in(0)),
      k_pages(op.in(1)),
      v_pages(op.in(2)),
      page_table(op.in(3)),
      query_start(op.in(4)),
      kv_length(op.in(5)),
      y(op.out()),
      sinks(op.inputs[6] == nullptr ? nullptr : op.in(6).weight->vector()),
      scale(op.op->scale),
      softcap(op.op->softcap),
      window(op.op->window),
      threads(threads_of_team),
      heads(q.dims[1]),
      kv_heads(k_pages.dims[2]),
      heads_each(heads / kv_heads),
      d(q.dims[2]),
      dv(y.dims[2]),
      page_size(k_pages.dims[1]) {
  rows_of_item = std::max<std::int64_t>(1, kPairsOfItem / heads_each);
  // Room to split as many pairs as decoding a sequence or two has; a prefill has no need of it.
  const std::int64_t all = q.dims[0] * heads;
  const std::int64_t pairs = all <= 2 * kPairsOfItem ? all : heads;
  partial_chunks = threads == 1 ? 0 : pairs * (page_table.dims[1] * page_size / kChunk + 1);
  rows.resize(static_cast<std::size_t>(q.dims[0]));
}

std::unique_ptr<Stage> MakeAttention(std::shared_ptr<AttentionPlan> plan) {
  return std::make_unique<AttentionStage>(std::move(plan));
}

std::unique_ptr<RowStep> MakeAttentionFinish(std::shared_ptr<AttentionPlan> plan) {
  return std::make_unique<AttentionFinishStep>(std::move(plan));
}

}  // namespace switchyard::cpu
