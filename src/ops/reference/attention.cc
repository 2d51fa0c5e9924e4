// Attention over a paged KV cache, and the store that fills it. Softmax attention as in Vaswani et
// al. 2017 (arXiv 1706.03762, equation 1); pages as in Kwon et al. 2023 (arXiv 2309.06180); the
// sink is one more logit whose value is nothing (Xiao et al. 2023, arXiv 2309.17453).
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/reference/operations.h"

namespace switchyard::ops::reference {
namespace {

using base::ErrorCode;
using base::Fail;

// One sequence's place in the batch.
struct Sequence {
  std::int64_t index = 0;
  std::int64_t first_row = 0;  // of q
  std::int64_t row_count = 0;
  std::int64_t first_position = 0;  // of its first query
  std::int64_t length = 0;          // keys

  // The first key that the query at `position` sees; it sees all up to itself.
  static std::int64_t FirstVisible(std::int64_t position, std::uint32_t window) {
    return window == 0 ? 0 : std::max<std::int64_t>(0, position + 1 - std::int64_t{window});
  }
};

// Rows of pages [n, P, G, d] for one key/value head, from `first` to the sequence's end.
base::Result<std::vector<float>> Gather(const Operand& pages, const Operand& page_table,
                                        const Sequence& sequence, std::int64_t kv_head,
                                        std::int64_t first) {
  const std::int64_t page_size = pages.dim(1);
  const auto width = static_cast<std::size_t>(pages.dim(3));
  std::vector<float> rows(static_cast<std::size_t>(sequence.length - first) * width);
  for (std::int64_t position = first; position < sequence.length; ++position) {
    const std::int32_t page = LoadIndex(page_table, sequence.index, position / page_size);
    if (page < 0 || page >= pages.dim(0)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "attention: page_table[{}, {}] is {}, but there are {} pages", sequence.index,
                  position / page_size, page, pages.dim(0));
    }
    const std::int64_t row = (page * page_size + position % page_size) * pages.dim(2) + kv_head;
    LoadRow(pages, row,
            std::span(rows).subspan(static_cast<std::size_t>(position - first) * width, width));
  }
  return rows;
}

// Scores become probabilities. The largest is taken out first so that exp cannot overflow.
void Softmax(std::span<double> scores, const float* sink) {
  double largest =
      sink != nullptr ? static_cast<double>(*sink) : -std::numeric_limits<double>::infinity();
  for (const double score : scores) largest = std::max(largest, score);
  double sum = sink != nullptr ? std::exp(static_cast<double>(*sink) - largest) : 0;
  for (double& score : scores) {
    score = std::exp(score - largest);
    sum += score;
  }
  for (double& score : scores) score /= sum;
}

base::Status AttendSequence(const Call& call, const Sequence& sequence,
                            std::span<const float> sinks) {
  const Operand& q = call.inputs[0];        // [T, H, d]
  const Operand& k_pages = call.inputs[1];  // [n, P, G, d]
  const Operand& v_pages = call.inputs[2];  // [n, P, G, dv]
  const Operand& page_table = call.inputs[3];
  const Operand& y = call.outputs[0];  // [T, H, dv]
  const std::int64_t heads = q.dim(1);
  const std::int64_t kv_heads = k_pages.dim(2);
  const std::int64_t heads_each = heads / kv_heads;
  const auto key_width = static_cast<std::size_t>(q.dim(2));
  const auto value_width = static_cast<std::size_t>(y.dim(2));
  const std::int64_t first = Sequence::FirstVisible(sequence.first_position, call.op.window);
  for (std::int64_t kv_head = 0; kv_head < kv_heads; ++kv_head) {
    SWITCHYARD_TRY(const std::vector<float> keys,
                   Gather(k_pages, page_table, sequence, kv_head, first));
    SWITCHYARD_TRY(const std::vector<float> values,
                   Gather(v_pages, page_table, sequence, kv_head, first));
    for (std::int64_t i = 0; i < sequence.row_count; ++i) {
      const std::int64_t position = sequence.first_position + i;
      const auto begin =
          static_cast<std::size_t>(Sequence::FirstVisible(position, call.op.window) - first);
      const auto end = static_cast<std::size_t>(position + 1 - first);
      for (std::int64_t h = kv_head * heads_each; h < (kv_head + 1) * heads_each; ++h) {
        const std::int64_t row = (sequence.first_row + i) * heads + h;
        const std::vector<float> query = LoadRow(q, row);
        std::vector<double> scores(end - begin);
        for (std::size_t p = begin; p < end; ++p) {
          double dot = 0;
          for (std::size_t j = 0; j < key_width; ++j) {
            dot += static_cast<double>(query[j]) * static_cast<double>(keys[p * key_width + j]);
          }
          dot *= static_cast<double>(call.op.scale);
          const auto cap = static_cast<double>(call.op.softcap);
          scores[p - begin] = cap > 0 ? cap * std::tanh(dot / cap) : dot;
        }
        Softmax(scores, sinks.empty() ? nullptr : &sinks[static_cast<std::size_t>(h)]);
        std::vector<double> sums(value_width);
        for (std::size_t p = begin; p < end; ++p) {
          for (std::size_t j = 0; j < value_width; ++j) {
            sums[j] += scores[p - begin] * static_cast<double>(values[p * value_width + j]);
          }
        }
        StoreRow(y, row, std::vector<float>(sums.begin(), sums.end()));
      }
    }
  }
  return {};
}

base::Result<Sequence> PlaceSequence(const Call& call, std::int64_t b) {
  const std::int64_t rows = call.inputs[0].dim(0);
  const std::int64_t most_keys = call.inputs[3].dim(1) * call.inputs[1].dim(1);
  const std::int32_t begin = LoadIndex(call.inputs[4], b);
  const std::int32_t end = LoadIndex(call.inputs[4], b + 1);
  const std::int32_t length = LoadIndex(call.inputs[5], b);
  if (begin < 0 || end < begin || end > rows) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "attention: query_start[{}] and the next are {} and {}; they must rise within {} rows", b,
        begin, end, rows);
  }
  if (length < end - begin || length > most_keys) {
    return Fail(ErrorCode::kInvalidArgument,
                "attention: kv_length[{}] is {}, for {} queries and pages for {} keys", b, length,
                end - begin, most_keys);
  }
  return Sequence{b, begin, end - begin, length - (end - begin), length};
}

}  // namespace

base::Status KvStore(const Call& call) {
  const Operand& slots = call.inputs[2];  // [T]
  for (std::size_t side = 0; side < 2; ++side) {
    const Operand& from = call.inputs[side];       // [T, G, d]
    const Operand& pages = call.inputs[3 + side];  // [n, P, G, d]
    const std::int64_t kv_heads = from.dim(1);
    for (std::int64_t t = 0; t < from.dim(0); ++t) {
      const std::int32_t slot = LoadIndex(slots, t);
      if (slot < 0) continue;
      if (slot >= pages.dim(0) * pages.dim(1)) {
        return Fail(ErrorCode::kInvalidArgument,
                    "kv_store: slots[{}] is {}, but {} pages of {} rows have only {}", t, slot,
                    pages.dim(0), pages.dim(1), pages.dim(0) * pages.dim(1));
      }
      for (std::int64_t g = 0; g < kv_heads; ++g) {
        StoreRow(pages, slot * kv_heads + g, LoadRow(from, t * kv_heads + g));
      }
    }
  }
  return {};
}

base::Status Attention(const Call& call) {
  const Operand& y = call.outputs[0];
  const std::vector<float> sinks =
      call.inputs[6].present() ? LoadRow(call.inputs[6], 0) : std::vector<float>();
  // Rows that no sequence owns pad the batch; they become zero rather than whatever was there.
  const std::vector<float> zeros(static_cast<std::size_t>(y.dim(2)));
  for (std::int64_t row = 0; row < y.dim(0) * y.dim(1); ++row) StoreRow(y, row, zeros);
  for (std::int64_t b = 0; b < call.inputs[5].dim(0); ++b) {
    SWITCHYARD_TRY(const Sequence sequence, PlaceSequence(call, b));
    SWITCHYARD_RETURN_IF_ERROR(AttendSequence(call, sequence, sinks));
  }
  return {};
}

}  // namespace switchyard::ops::reference
