#include "conformance/layer_model.h"

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

// What several layers have in common.
struct Inputs {
  Tensor positions, slots, table, starts, lengths, frequencies;
};

class LayerBuilder {
 public:
  LayerBuilder(Scenario& scenario, DType act, DType weight, const LayerShape& shape,
               std::int32_t page_size)
      : s_(scenario), act_(act), weight_(weight), shape_(shape) {
    rows_ = shape.tokens * shape.sequences;
    const std::int64_t pages_each = (shape.tokens - 1) / page_size + 1;
    std::vector<std::int32_t> positions;
    std::vector<std::int32_t> slots;
    std::vector<std::int32_t> starts = {0};
    for (std::int64_t b = 0; b < shape.sequences; ++b) {
      for (std::int32_t t = 0; t < shape.tokens; ++t) {
        positions.push_back(t);
        slots.push_back(static_cast<std::int32_t>(b * pages_each * page_size) + t);
      }
      starts.push_back(static_cast<std::int32_t>(positions.size()));
    }
    const std::vector<std::int32_t> lengths(static_cast<std::size_t>(shape.sequences),
                                            static_cast<std::int32_t>(shape.tokens));
    std::vector<float> frequencies;
    for (std::int64_t i = 0; i < shape.width / 2; ++i) {
      frequencies.push_back(static_cast<float>(
          std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(shape.width))));
    }
    inputs_ = {
        s_.Integers({rows_}, positions),
        s_.Integers({rows_}, slots),
        s_.HostIntegers({shape.sequences, pages_each}, Counting(shape.sequences * pages_each)),
        s_.HostIntegers({shape.sequences + 1}, starts),
        s_.HostIntegers({shape.sequences}, lengths),
        s_.Vector(frequencies)};
    k_pages_ = {shape.sequences * pages_each, page_size, shape.kv_heads, shape.width};
  }

  // The residual stream after one more layer.
  Tensor Layer(Tensor x) {
    x = s_.list.Add(x, AttentionBlock(Norm(x)));
    return s_.list.Add(x, shape_.has_experts ? Experts(Norm(x)) : FeedForward(Norm(x)));
  }

  // Views of columns get their strides once the scenario is sealed.
  void Seal() {
    s_.Seal();
    for (const auto& [window, whole] : windows_) {
      s_.tensors[window.index].strides[0] = s_.tensors[whole.index].strides[0];
    }
    for (const auto& [op, tensor] : in_place_) s_.WriteInPlace(op, tensor);
  }

  Tensor Norm(Tensor x) { return s_.list.RmsNorm(x, s_.Vector(shape_.hidden, 1, 0.2F), 1e-5F); }

  // Scaled so that results are about as large as inputs.
  Tensor Linear(Tensor x, std::int64_t outer, std::int64_t inner) {
    const Tensor y = s_.list.Linear(x, s_.Matrix(weight_, {outer, inner}));
    return s_.list.Scale(y, 10 / std::sqrt(static_cast<float>(inner)));
  }

 private:
  Tensor Columns(Tensor whole, std::int64_t first, std::int64_t heads, std::int64_t width) {
    const auto bytes = static_cast<std::uint64_t>(s_.list.at(whole).strides[1]);
    const Tensor window =
        s_.list.View(whole, static_cast<std::uint64_t>(first) * bytes, {rows_, heads, width});
    windows_.emplace_back(window, whole);
    return window;
  }

  Tensor Rope(Tensor x, bool is_in_place) {
    const std::size_t op = s_.list.ops().size();
    const Tensor turned = s_.list.Rope(x, inputs_.positions, inputs_.frequencies, false);
    if (!is_in_place) return turned;
    in_place_.emplace_back(op, x);
    return x;
  }

  Tensor AttentionBlock(Tensor x) {
    const std::int64_t q_columns = shape_.heads * shape_.width;
    const std::int64_t k_columns = shape_.kv_heads * shape_.width;
    Tensor q;
    Tensor k;
    Tensor v;
    if (shape_.is_fused) {
      const Tensor qkv = Linear(x, q_columns + 2 * k_columns, shape_.hidden);
      q = Columns(qkv, 0, shape_.heads, shape_.width);
      k = Columns(qkv, q_columns, shape_.kv_heads, shape_.width);
      v = Columns(qkv, q_columns + k_columns, shape_.kv_heads, shape_.width);
    } else {
      q = s_.list.Reshape(Linear(x, q_columns, shape_.hidden), {rows_, shape_.heads, shape_.width});
      k = s_.list.Reshape(Linear(x, k_columns, shape_.hidden),
                          {rows_, shape_.kv_heads, shape_.width});
      v = s_.list.Reshape(Linear(x, k_columns, shape_.hidden),
                          {rows_, shape_.kv_heads, shape_.width});
    }
    q = Rope(q, shape_.is_fused);
    k = Rope(k, shape_.is_fused);
    const auto pages = [&] {
      return s_.Pages(act_, {k_pages_[0], k_pages_[1], k_pages_[2], k_pages_[3]});
    };
    const Tensor k_pages = pages();
    const Tensor v_pages = pages();
    s_.list.KvStore(k, v, inputs_.slots, k_pages, v_pages);
    const Tensor attended = s_.list.Attention(
        {q, k_pages, v_pages, inputs_.table, inputs_.starts, inputs_.lengths, ops::kAbsent},
        {.scale = 0.125F, .window = shape_.window});
    return Linear(s_.list.Reshape(attended, {rows_, q_columns}), shape_.hidden, q_columns);
  }

  Tensor FeedForward(Tensor x) {
    const std::int64_t inner = shape_.feed_forward;
    Tensor gate;
    Tensor up;
    if (shape_.is_fused) {
      const Tensor both = Linear(x, 2 * inner, shape_.hidden);
      gate = s_.list.View(both, 0, {rows_, inner});
      up = s_.list.View(both, static_cast<std::uint64_t>(inner * s_.list.at(both).strides[1]),
                        {rows_, inner});
      windows_.emplace_back(gate, both);
      windows_.emplace_back(up, both);
    } else {
      gate = Linear(x, inner, shape_.hidden);
      up = Linear(x, inner, shape_.hidden);
    }
    return Linear(s_.list.GatedActivation(gate, up, SY_ACTIVATION_SILU), shape_.hidden, inner);
  }

  // Logits come from outside: a choice that hangs on a rounding would be no error.
  Tensor Experts(Tensor x) {
    constexpr std::int64_t kExperts = 8;
    constexpr std::int64_t kChosen = 2;
    std::vector<float> logits = Normal(s_.random(), rows_ * kExperts, 2);
    for (float& logit : logits) logit = std::round(logit * 16) / 16;
    const ops::RoutedExperts routed =
        s_.list.RouterTopK(s_.Floats(act_, {rows_, kExperts}, logits), {.chosen = kChosen});
    const std::int64_t inner = shape_.feed_forward;
    const auto grouped = [&](Tensor from, std::int64_t outer, std::int64_t columns) {
      return s_.list.Scale(
          s_.list.GroupedLinear(from, s_.Matrix(weight_, {kExperts, outer, columns}), routed.ids),
          10 / std::sqrt(static_cast<float>(columns)));
    };
    const std::int64_t rows = rows_ * kChosen;
    const Tensor gate = s_.list.Reshape(grouped(x, inner, shape_.hidden), {rows, inner});
    const Tensor up = s_.list.Reshape(grouped(x, inner, shape_.hidden), {rows, inner});
    const Tensor gated = s_.list.GatedActivation(gate, up, SY_ACTIVATION_SILU);
    const Tensor down =
        grouped(s_.list.Reshape(gated, {rows_, kChosen, inner}), shape_.hidden, inner);
    return s_.list.Combine(down, routed.weights);
  }

  Scenario& s_;
  DType act_;
  DType weight_;
  LayerShape shape_;
  std::int64_t rows_ = 0;  // of all sequences
  Inputs inputs_{};
  std::array<std::int64_t, 4> k_pages_{};
  std::vector<std::pair<Tensor, Tensor>> windows_;
  std::vector<std::pair<std::size_t, Tensor>> in_place_;
};

}  // namespace

void BuildModel(Scenario& s, DType act, DType weight, const LayerShape& shape,
                std::int32_t page_size) {
  LayerBuilder builder(s, act, weight, shape, page_size);
  const std::int64_t rows = shape.tokens * shape.sequences;
  std::vector<std::int32_t> ids;
  for (std::int64_t t = 0; t < rows; ++t) {
    ids.push_back(static_cast<std::int32_t>(s.random()() % 97));
  }
  const Tensor table = s.Matrix(weight, {97, shape.hidden}, SY_WEIGHT_EMBEDDING | SY_WEIGHT_LINEAR);
  Tensor x = s.list.Embedding(table, s.Integers({rows}, ids), 10, act);
  for (int layer = 0; layer < shape.layers; ++layer) x = builder.Layer(x);
  const std::vector<std::int32_t> last = {static_cast<std::int32_t>(rows - 1)};
  x = builder.Norm(s.list.RowGather(x, s.Integers({1}, last)));
  const Tensor logits = s.list.Linear(x, table);
  s.Compare(logits, "logits", LayerTolerance(act, weight) * 2, 1);
  builder.Seal();
}

}  // namespace switchyard::conformance
