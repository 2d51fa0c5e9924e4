// The k largest of logits, routers, and the sum over chosen experts.
#include <array>
#include <cmath>

#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

struct SelectionShape {
  std::int64_t rows, width, chosen;
};

// Multiples of 1/16: many exact ties and no near ones, whose order an exp by polynomial might turn.
std::vector<float> OnAGrid(Random& random, std::int64_t count) {
  std::vector<float> values = Normal(random, count, 2);
  for (float& value : values) value = std::round(value * 16) / 16;
  return values;
}

void AddTopK(std::vector<Case>& cases, DType act) {
  const std::string row = "top_k " + Text(act);
  cases.push_back({"top_k/" + Text(act) + "/shapes", row, "plain", [act](Context& context) {
                     const std::vector<SelectionShape> shapes = {
                         {1, 1, 1},    {1, 7, 7},   {3, 100, 1},    {2, 1000, 8},
                         {5, 513, 40}, {17, 64, 3}, {1, 4099, 256}, {1025, 40, 2}};
                     return CompareEach(
                         context, static_cast<int>(shapes.size()), [&](Scenario& s, int i) {
                           const SelectionShape& shape = shapes[static_cast<std::size_t>(i)];
                           const ops::TopKResult top =
                               s.list.TopK(s.Floats(act, {shape.rows, shape.width}), shape.chosen);
                           s.Compare(top.values, "values", kExact);
                           s.Compare(top.ids, "ids", kExact);
                         });
                   }});
  cases.push_back(ScenarioCase("top_k/" + Text(act) + "/ties", row, "ties", [act](Scenario& s) {
    const ops::TopKResult top =
        s.list.TopK(s.Floats(act, {6, 300}, OnAGrid(s.random(), 6 * 300)), 50);
    s.Compare(top.values, "values", kExact);
    s.Compare(top.ids, "ids", kExact);
  }));
  cases.push_back(
      ScenarioCase("top_k/" + Text(act) + "/infinite", row, "infinite", [act](Scenario& s) {
        // Masked logits, and a row that is all masked but one.
        std::vector<float> values = Normal(s.random(), 2 * 40);
        for (std::size_t i = 0; i < 40; i += 3) values[i] = -INFINITY;
        for (std::size_t i = 40; i < 80; ++i) values[i] = i == 61 ? 1.0F : -INFINITY;
        values[5] = INFINITY;
        const ops::TopKResult top = s.list.TopK(s.Floats(act, {2, 40}, values), 4);
        s.Compare(top.values, "values", kExact);
        s.Compare(top.ids, "ids", kExact);
      }));
  for (const std::int64_t vocabulary : {262144, 248320}) {
    cases.push_back(ScenarioCase(fmt::format("top_k/{}/vocabulary_{}", Text(act), vocabulary), row,
                                 "vocabulary", [=](Scenario& s) {
                                   const ops::TopKResult top =
                                       s.list.TopK(s.Floats(act, {2, vocabulary}), 64);
                                   s.Compare(top.values, "values", kExact);
                                   s.Compare(top.ids, "ids", kExact);
                                 }));
  }
  cases.push_back(
      ScenarioCase("top_k/" + Text(act) + "/strided", row, "strided", [act](Scenario& s) {
        const Tensor x = s.Floats(act, {3, 50});
        const ops::TopKResult top = s.list.TopK(x, 5);
        s.Compare(top.values, "values", kExact);
        s.Compare(top.ids, "ids", kExact);
        s.Seal();
        s.SpreadRows(x, 14);
        s.SpreadRows(top.values, 3);
        s.SpreadRows(top.ids, 1);
      }));
}

void AddRouter(std::vector<Case>& cases, DType act) {
  const std::string row = "router_top_k " + Text(act);
  for (const sy_scoring scoring : {SY_SCORING_SOFTMAX, SY_SCORING_SIGMOID}) {
    const std::string column = scoring == SY_SCORING_SOFTMAX ? "softmax" : "sigmoid";
    for (const bool has_bias : {false, true}) {
      for (const bool renormalise : {false, true}) {
        const std::string name =
            fmt::format("router_top_k/{}/{}{}{}", Text(act), column, has_bias ? "/bias" : "",
                        renormalise ? "/renormalise" : "");
        cases.push_back(
            {name, row, column, [=](Context& context) {
               const std::vector<SelectionShape> shapes = {{1, 1, 1},    {1, 8, 2},   {5, 60, 4},
                                                           {17, 128, 8}, {70, 64, 6}, {3, 256, 8},
                                                           {1025, 16, 2}};
               return CompareEach(
                   context, static_cast<int>(shapes.size()), [&](Scenario& s, int i) {
                     const SelectionShape& shape = shapes[static_cast<std::size_t>(i)];
                     const Tensor logits = s.Floats(act, {shape.rows, shape.width},
                                                    OnAGrid(s.random(), shape.rows * shape.width));
                     const Tensor bias =
                         has_bias ? s.Vector(OnAGrid(s.random(), shape.width)) : ops::kAbsent;
                     const ops::RoutedExperts routed =
                         s.list.RouterTopK(logits,
                                           {.chosen = shape.chosen,
                                            .scoring = scoring,
                                            .renormalise = renormalise,
                                            .scale = i % 2 == 0 ? 1.0F : 2.5F},
                                           bias);
                     s.Compare(routed.ids, "ids", kExact);
                     // Weights are F32 whatever the logits are.
                     s.Compare(routed.weights, "weights",
                               ToleranceOf(SY_OP_ROUTER_TOP_K, DType::kF32));
                   });
             }});
      }
    }
  }
}

void AddCombine(std::vector<Case>& cases, DType act) {
  const std::string row = "combine " + Text(act);
  cases.push_back(
      {"combine/" + Text(act) + "/shapes", row, "plain", [act](Context& context) {
         const std::vector<SelectionShape> shapes = {{1, 1, 1},   {1, 64, 2},   {3, 100, 8},
                                                     {17, 33, 4}, {70, 256, 6}, {1025, 24, 4},
                                                     {2048, 9, 2}};
         return CompareEach(context, static_cast<int>(shapes.size()), [&](Scenario& s, int i) {
           const SelectionShape& shape = shapes[static_cast<std::size_t>(i)];
           const Tensor y = s.Floats(act, {shape.rows, shape.chosen, shape.width});
           const Tensor weights = s.Floats(DType::kF32, {shape.rows, shape.chosen});
           s.Compare(s.list.Combine(y, weights), "z", ToleranceOf(SY_OP_COMBINE, act), 1);
         });
       }});
  cases.push_back(
      ScenarioCase("combine/" + Text(act) + "/strided", row, "strided", [act](Scenario& s) {
        const Tensor y = s.Floats(act, {4, 3, 32});
        const Tensor weights = s.Floats(DType::kF32, {4, 3});
        const Tensor z = s.list.Combine(y, weights);
        s.Compare(z, "z", ToleranceOf(SY_OP_COMBINE, act));
        s.Seal();
        s.SpreadRows(y, 16);
        s.SpreadRows(weights, 1);
        s.SpreadRows(z, 8);
      }));
}

}  // namespace

void AddSelectionCases(std::vector<Case>& cases) {
  for (const DType act : kActivationTypes) {
    AddTopK(cases, act);
    AddRouter(cases, act);
    AddCombine(cases, act);
  }
}

}  // namespace switchyard::conformance
