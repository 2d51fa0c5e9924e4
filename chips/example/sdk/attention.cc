// The card's attention over pages, and the store that fills them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "rows.h"

namespace pretend {
namespace {

bool IsAligned(const Tensor& tensor, Type type) {
  return tensor.type == type && tensor.memory % kAlignmentBytes == 0;
}

// The call with its host memory copied, as the caller may change it once Attention has returned.
struct Plan {
  AttentionCall call;
  std::vector<std::int32_t> query_start, kv_length;
  bool has_sinks = false;
  Tensor sinks;
};

class Worker {
 public:
  Worker(const Card* card, const Plan& plan)
      : plan_(plan),
        query_(card, plan.call.query),
        keys_(card, plan.call.keys),
        values_(card, plan.call.values),
        page_table_(card, plan.call.page_table),
        result_(card, plan.call.result),
        // [M * P, widest]: the keys or values that one head sees, side by side.
        gathered_(reinterpret_cast<float*>(
            Translate(card, plan.call.workspace,
                      AttentionWorkspaceBytes(plan.call.keys, plan.call.page_table)))) {
    if (plan.has_sinks) sinks_ = LoadVector(Rows(card, plan.sinks));
  }

  Result Run() {
    for (const Rows* rows : {&query_, &keys_, &values_, &page_table_, &result_}) {
      if (!rows->is_there()) return Result::kFault;
    }
    if (gathered_ == nullptr) return Result::kFault;
    for (std::size_t b = 0; b < plan_.kv_length.size(); ++b) {
      for (std::int64_t head = 0; head < query_.dim(1); ++head) RunHead(b, head);
    }
    return Result::kOk;
  }

 private:
  // Rows of nowhere become zeros.
  void Gather(const Rows& pages, std::size_t sequence, std::int64_t kv_head, std::int64_t first) {
    const std::int64_t page_size = pages.dim(1);
    for (std::int64_t p = first; p < plan_.kv_length[sequence]; ++p) {
      const std::int32_t page =
          page_table_.Index(static_cast<std::int64_t>(sequence), p / page_size);
      float* const to = gathered_ + (p - first) * pages.width();
      if (page < 0 || page >= pages.dim(0)) {
        std::fill_n(to, pages.width(), 0.0F);
      } else {
        pages.Load((page * page_size + p % page_size) * pages.dim(2) + kv_head, to);
      }
    }
  }

  void RunHead(std::size_t sequence, std::int64_t head) {
    const AttentionCall& call = plan_.call;
    const std::int64_t begin = plan_.query_start[sequence];
    const std::int64_t rows = plan_.query_start[sequence + 1] - begin;
    const std::int64_t length = plan_.kv_length[sequence];
    const std::int64_t kv_head = head / (query_.dim(1) / keys_.dim(2));
    // The first key that any query of the sequence sees.
    const auto first_seen = [&](std::int64_t position) {
      return call.window == 0 ? 0 : std::max<std::int64_t>(0, position + 1 - call.window);
    };
    const std::int64_t first = first_seen(length - rows);
    std::vector<std::vector<float>> weights(
        static_cast<std::size_t>(std::max<std::int64_t>(rows, 0)));
    Gather(keys_, sequence, kv_head, first);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t position = length - rows + i;
      const std::vector<float> q = query_.Load((begin + i) * query_.dim(1) + head);
      std::vector<float>& scores = weights[static_cast<std::size_t>(i)];
      for (std::int64_t p = first_seen(position); p <= position; ++p) {
        const float* const k = gathered_ + (p - first) * keys_.width();
        float score = 0;
        for (std::size_t j = 0; j < q.size(); ++j) score += q[j] * k[j];
        score *= call.scale;
        if (call.softcap > 0) score = call.softcap * std::tanh(score / call.softcap);
        scores.push_back(score);
      }
      Normalise(scores, head);
    }
    Gather(values_, sequence, kv_head, first);
    std::vector<float> sum(static_cast<std::size_t>(values_.width()));
    for (std::int64_t i = 0; i < rows; ++i) {
      std::fill(sum.begin(), sum.end(), 0.0F);
      const float* v = gathered_ + (first_seen(length - rows + i) - first) * values_.width();
      for (const float weight : weights[static_cast<std::size_t>(i)]) {
        for (float& element : sum) element += weight * *v++;
      }
      result_.Store((begin + i) * query_.dim(1) + head, sum.data());
    }
  }

  void Normalise(std::vector<float>& scores, std::int64_t head) const {
    float largest = sinks_.empty() ? -std::numeric_limits<float>::infinity()
                                   : sinks_[static_cast<std::size_t>(head)];
    for (const float score : scores) largest = std::max(largest, score);
    float sum = sinks_.empty() ? 0 : std::exp(sinks_[static_cast<std::size_t>(head)] - largest);
    for (float& score : scores) sum += score = std::exp(score - largest);
    for (float& score : scores) score /= sum;
  }

  const Plan& plan_;
  Rows query_, keys_, values_, page_table_, result_;
  float* gathered_;
  std::vector<float> sinks_;
};

}  // namespace

std::uint64_t AttentionWorkspaceBytes(const Tensor& keys, const Tensor& page_table) {
  // Room for the wider of keys and values, which no model has above twice the keys' width.
  return static_cast<std::uint64_t>(page_table.dims[1] * keys.dims[1] * keys.dims[3] * 2) *
         sizeof(float);
}

Result Attention(Stream* stream, const AttentionCall& call) {
  if (!IsAligned(call.query, Type::kF16) || !IsAligned(call.keys, Type::kF16) ||
      !IsAligned(call.values, Type::kF16) || !IsAligned(call.result, Type::kF16) ||
      !IsAligned(call.page_table, Type::kI32) || call.workspace % kAlignmentBytes != 0) {
    return Result::kMisaligned;
  }
  if (call.keys.dims[1] % kPageMultiple != 0 || call.values.dims[3] > 2 * call.keys.dims[3] ||
      call.query_start == nullptr || call.kv_length == nullptr) {
    return Result::kBadArgument;
  }
  const std::int64_t sequences = call.page_table.dims[0];
  Plan plan{call,
            {call.query_start, call.query_start + sequences + 1},
            {call.kv_length, call.kv_length + sequences},
            call.sinks != nullptr,
            {}};
  if (plan.has_sinks) plan.sinks = *call.sinks;
  for (std::size_t b = 0; b < plan.kv_length.size(); ++b) {
    const std::int32_t rows = plan.query_start[b + 1] - plan.query_start[b];
    if (plan.query_start[b] < 0 || rows < 0 || plan.query_start[b + 1] > call.query.dims[0] ||
        plan.kv_length[b] < rows ||
        plan.kv_length[b] > call.page_table.dims[1] * call.keys.dims[1]) {
      return Result::kBadArgument;
    }
  }
  stream->Push([stream, plan = std::move(plan)] { return Worker(stream->card, plan).Run(); });
  return Result::kOk;
}

Result StorePages(Stream* stream, const Tensor& rows, const Tensor& slots, const Tensor& pages) {
  if (!IsAligned(rows, Type::kF16) || !IsAligned(pages, Type::kF16) ||
      !IsAligned(slots, Type::kI32)) {
    return Result::kMisaligned;
  }
  stream->Push([=] {
    const Rows from(stream->card, rows);
    const Rows numbers(stream->card, slots);
    const Rows to(stream->card, pages);
    if (!from.is_there() || !numbers.is_there() || !to.is_there()) return Result::kFault;
    const std::int64_t heads = from.dim(1);
    for (std::int64_t t = 0; t < from.dim(0); ++t) {
      const std::int32_t slot = numbers.Index(0, t);
      if (slot < 0 || slot >= to.dim(0) * to.dim(1)) continue;
      for (std::int64_t g = 0; g < heads; ++g) {
        std::memcpy(to.At(slot * heads + g), from.At(t * heads + g),
                    static_cast<std::size_t>(from.width()) * 2);
      }
    }
    return Result::kOk;
  });
  return Result::kOk;
}

}  // namespace pretend
