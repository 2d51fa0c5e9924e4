// Programs of many operations: whole transformer layers, against the truth and against the same
// operations one by one; and random chains.
#include <algorithm>
#include <array>
#include <cmath>

#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

struct LayerShape {
  std::int64_t tokens = 5;
  std::int64_t hidden = 256;
  std::int64_t heads = 4;
  std::int64_t kv_heads = 2;
  std::int64_t width = 64;
  std::int64_t feed_forward = 512;
  bool is_fused = true;  // one matrix for q, k and v, and one for gate and up
  bool has_experts = false;
};

// What several layers have in common.
struct Inputs {
  Tensor positions, slots, table, starts, lengths, frequencies;
  std::int32_t page_size;
};

class LayerBuilder {
 public:
  LayerBuilder(Scenario& scenario, DType act, DType weight, const LayerShape& shape,
               std::int32_t page_size)
      : s_(scenario), act_(act), weight_(weight), shape_(shape) {
    const std::vector<std::int32_t> counting = Counting(shape.tokens);
    const std::int64_t pages = (shape.tokens - 1) / page_size + 1;
    const std::vector<std::int32_t> starts = {0, static_cast<std::int32_t>(shape.tokens)};
    const std::vector<std::int32_t> lengths = {static_cast<std::int32_t>(shape.tokens)};
    std::vector<float> frequencies;
    for (std::int64_t i = 0; i < shape.width / 2; ++i) {
      frequencies.push_back(static_cast<float>(
          std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(shape.width))));
    }
    inputs_ = {s_.Integers({shape.tokens}, counting),
               s_.Integers({shape.tokens}, counting),
               s_.HostIntegers({1, pages}, Counting(pages)),
               s_.HostIntegers({2}, starts),
               s_.HostIntegers({1}, lengths),
               s_.Vector(frequencies),
               page_size};
    k_pages_ = {pages, page_size, shape.kv_heads, shape.width};
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
    const Tensor window = s_.list.View(whole, static_cast<std::uint64_t>(first) * bytes,
                                       {shape_.tokens, heads, width});
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
      q = s_.list.Reshape(Linear(x, q_columns, shape_.hidden),
                          {shape_.tokens, shape_.heads, shape_.width});
      k = s_.list.Reshape(Linear(x, k_columns, shape_.hidden),
                          {shape_.tokens, shape_.kv_heads, shape_.width});
      v = s_.list.Reshape(Linear(x, k_columns, shape_.hidden),
                          {shape_.tokens, shape_.kv_heads, shape_.width});
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
        {.scale = 0.125F});
    return Linear(s_.list.Reshape(attended, {shape_.tokens, q_columns}), shape_.hidden, q_columns);
  }

  Tensor FeedForward(Tensor x) {
    const std::int64_t inner = shape_.feed_forward;
    Tensor gate;
    Tensor up;
    if (shape_.is_fused) {
      const Tensor both = Linear(x, 2 * inner, shape_.hidden);
      gate = s_.list.View(both, 0, {shape_.tokens, inner});
      up = s_.list.View(both, static_cast<std::uint64_t>(inner * s_.list.at(both).strides[1]),
                        {shape_.tokens, inner});
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
    std::vector<float> logits = Normal(s_.random(), shape_.tokens * kExperts, 2);
    for (float& logit : logits) logit = std::round(logit * 16) / 16;
    const ops::RoutedExperts routed =
        s_.list.RouterTopK(s_.Floats(act_, {shape_.tokens, kExperts}, logits), {.chosen = kChosen});
    const std::int64_t inner = shape_.feed_forward;
    const auto grouped = [&](Tensor from, std::int64_t outer, std::int64_t columns) {
      return s_.list.Scale(
          s_.list.GroupedLinear(from, s_.Matrix(weight_, {kExperts, outer, columns}), routed.ids),
          10 / std::sqrt(static_cast<float>(columns)));
    };
    const std::int64_t rows = shape_.tokens * kChosen;
    const Tensor gate = s_.list.Reshape(grouped(x, inner, shape_.hidden), {rows, inner});
    const Tensor up = s_.list.Reshape(grouped(x, inner, shape_.hidden), {rows, inner});
    const Tensor gated = s_.list.GatedActivation(gate, up, SY_ACTIVATION_SILU);
    const Tensor down =
        grouped(s_.list.Reshape(gated, {shape_.tokens, kChosen, inner}), shape_.hidden, inner);
    return s_.list.Combine(down, routed.weights);
  }

  Scenario& s_;
  DType act_;
  DType weight_;
  LayerShape shape_;
  Inputs inputs_{};
  std::array<std::int64_t, 4> k_pages_{};
  std::vector<std::pair<Tensor, Tensor>> windows_;
  std::vector<std::pair<std::size_t, Tensor>> in_place_;
};

// Embedding, two layers, the last row's logits.
void BuildModel(Scenario& s, DType act, DType weight, const LayerShape& shape,
                std::int32_t page_size) {
  LayerBuilder builder(s, act, weight, shape, page_size);
  std::vector<std::int32_t> ids;
  for (std::int64_t t = 0; t < shape.tokens; ++t) {
    ids.push_back(static_cast<std::int32_t>(s.random()() % 97));
  }
  const Tensor table = s.Matrix(weight, {97, shape.hidden}, SY_WEIGHT_EMBEDDING | SY_WEIGHT_LINEAR);
  Tensor x = s.list.Embedding(table, s.Integers({shape.tokens}, ids), 10, act);
  for (int layer = 0; layer < 2; ++layer) x = builder.Layer(x);
  const std::vector<std::int32_t> last = {static_cast<std::int32_t>(shape.tokens - 1)};
  x = builder.Norm(s.list.RowGather(x, s.Integers({1}, last)));
  const Tensor logits = s.list.Linear(x, table);
  s.Compare(logits, "logits", LayerTolerance(act, weight) * 2, 1);
  builder.Seal();
}

Outcome CompareGroupings(Context& context, const Scenario& scenario) {
  auto together = Execution::Prepare(context.tested, scenario);
  if (!together) return OutcomeOf(together.error());
  auto apart = Execution::Prepare(context.tested, scenario, Grouping::kProgramForEach);
  if (!apart) return OutcomeOf(apart.error());
  const base::Result<Outputs> fused = (*together)->Run();
  if (!fused) return Failure(fused.error().message);
  const base::Result<Outputs> single = (*apart)->Run();
  if (!single) return Failure("one by one: " + single.error().message);
  return OutcomeOf(CompareAll(scenario, *fused, *single));
}

void AddModels(std::vector<Case>& cases, DType act, DType weight) {
  const std::array<std::pair<const char*, LayerShape>, 5> shapes = {{
      {"one_token", {.tokens = 1}},
      {"five_tokens", {}},
      {"seventy_tokens", {.tokens = 70}},
      {"separate_matrices", {.tokens = 3, .is_fused = false}},
      {"experts", {.tokens = 6, .has_experts = true}},
  }};
  for (const auto& [name, shape] : shapes) {
    const std::string path = "layers/" + Text(act) + "/" + Text(weight) + "/" + name;
    const auto build = [=](Context& context, Scenario& s) {
      const auto multiple = static_cast<std::int32_t>(context.tested.properties().kv_page_multiple);
      BuildModel(s, act, weight, shape, (16 + multiple - 1) / multiple * multiple);
    };
    cases.push_back({path, "layers " + Text(act), Text(weight), [build](Context& context) {
                       Scenario s(context.random);
                       build(context, s);
                       return CompareWithTruth(context, s);
                     }});
    cases.push_back(
        {path + "/one_by_one", "layers " + Text(act), Text(weight), [build](Context& context) {
           Scenario s(context.random);
           build(context, s);
           return CompareGroupings(context, s);
         }});
  }
}

// Some ten operations on [T, 64], each on results picked from those before.
void BuildChain(Scenario& s, DType act, DType weight) {
  const auto tokens = static_cast<std::int64_t>(1 + s.random()() % 9);
  constexpr std::int64_t kWidth = 256;
  std::vector<Tensor> pool = {s.Floats(act, {tokens, kWidth}), s.Floats(act, {tokens, kWidth})};
  const auto pick = [&] { return pool[s.random()() % pool.size()]; };
  const auto normed = [&](Tensor x) { return s.list.RmsNorm(x, s.Vector(kWidth, 1, 0.2F), 1e-5F); };
  const std::size_t steps = 6 + s.random()() % 8;
  for (std::size_t i = 0; i < steps; ++i) {
    switch (s.random()() % 6) {
      case 0:
        pool.push_back(normed(s.list.Add(pick(), pool.back())));
        break;
      case 1:
        pool.push_back(s.list.Scale(pool.back(), 0.9F, s.random()() % 2 == 0 ? 0.0F : 5.0F));
        break;
      case 2:
        pool.push_back(normed(pool.back()));
        break;
      case 3:
        pool.push_back(
            normed(s.list.GatedActivation(pick(), pool.back(), SY_ACTIVATION_GELU_TANH)));
        break;
      case 4:
        pool.push_back(normed(s.list.Linear(pool.back(), s.Matrix(weight, {kWidth, kWidth}))));
        break;
      default:
        pool.push_back(s.list.Copy(s.list.Copy(pool.back(), DType::kF32), act));
    }
  }
  const double growth = 4;  // a sum of nearly opposite rows, normed again, magnifies what was wrong
  s.Compare(pool.back(), "last", LayerTolerance(act, weight) * growth * 2);
}

}  // namespace

void AddLayerCases(std::vector<Case>& cases) {
  for (const DType weight : WeightTypes()) AddModels(cases, DType::kF32, weight);
  for (const DType act : {DType::kF16, DType::kBF16}) {
    for (const DType weight : {DType::kBF16, DType::kQ8_0, DType::kQ4_K}) {
      AddModels(cases, act, weight);
    }
  }
  // One weight as the table and as the matrix of several products.
  cases.push_back(
      ScenarioCase("layers/f32/q8_0/shared_weight", "layers f32", "q8_0", [](Scenario& s) {
        const Tensor w = s.Matrix(DType::kQ8_0, {64, 64}, SY_WEIGHT_LINEAR | SY_WEIGHT_EMBEDDING);
        Tensor x = s.list.Embedding(w, s.Integers({2}, Counting(2)), 1, DType::kF32);
        for (int step = 0; step < 3; ++step) x = s.list.Linear(x, w);
        s.Compare(x, "y", ToleranceOf(SY_OP_LINEAR, DType::kF32, DType::kQ8_0) * 3);
      }));
  for (const DType act : kActivationTypes) {
    for (const DType weight : {DType::kF32, DType::kBF16, DType::kQ8_0}) {
      cases.push_back({"layers/" + Text(act) + "/" + Text(weight) + "/random_chains",
                       "layers " + Text(act), Text(weight), [=](Context& context) {
                         return CompareEach(context, 12,
                                            [=](Scenario& s, int) { BuildChain(s, act, weight); });
                       }});
    }
  }
}

}  // namespace switchyard::conformance
