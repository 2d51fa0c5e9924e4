// Programs of many operations: whole transformer layers, against the truth and against the same
// operations one by one; and random chains.
#include <algorithm>
#include <array>

#include "conformance/layer_model.h"
#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

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
