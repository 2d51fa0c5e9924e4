// Products with weights: linear, grouped by expert, batched by head.
#include <algorithm>
#include <array>
#include <cmath>

#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

struct LinearShape {
  std::int64_t tokens, outer, inner;
};

// Inner sizes are whole blocks of 256; those for blocks of 32 and for none come after.
std::vector<LinearShape> ShapesFor(DType weight) {
  std::vector<LinearShape> shapes = {{1, 1, 256},   {1, 7, 256},    {1, 17, 512},  {2, 250, 256},
                                     {3, 33, 768},  {5, 64, 256},   {8, 96, 512},  {16, 48, 1536},
                                     {31, 40, 256}, {1, 1000, 256}, {129, 20, 512}};
  if (BlockOf(weight) <= 32) {
    shapes.insert(shapes.end(),
                  {{1, 5, 32}, {2, 16, 96}, {4, 9, 160}, {17, 32, 576}, {3, 12, 1120}});
  }
  if (BlockOf(weight) == 1) {
    shapes.insert(shapes.end(), {{1, 1, 1}, {3, 2, 7}, {2, 5, 33}, {9, 11, 100}});
  }
  return shapes;
}

// Weights have deviation 0.1 and inputs 1.
float ExpectedRms(std::int64_t inner) { return 0.1F * std::sqrt(static_cast<float>(inner)); }

void AddLinear(std::vector<Case>& cases, DType act, DType weight) {
  const std::string row = "linear " + Text(act);
  const std::string prefix = "linear/" + Text(act) + "/" + Text(weight);
  const Tolerance tolerance = ToleranceOf(SY_OP_LINEAR, act, weight);
  for (const LinearShape& shape : ShapesFor(weight)) {
    for (const bool has_bias : {false, true}) {
      if (has_bias && shape.outer != 33 && shape.outer != 1) continue;
      cases.push_back(ScenarioCase(
          fmt::format("{}/T{}_N{}_K{}{}", prefix, shape.tokens, shape.outer, shape.inner,
                      has_bias ? "_bias" : ""),
          row, Text(weight), [=](Scenario& s) {
            const Tensor x = s.Floats(act, {shape.tokens, shape.inner});
            const Tensor w = s.Matrix(weight, {shape.outer, shape.inner});
            const Tensor bias = has_bias ? s.Vector(shape.outer) : ops::kAbsent;
            s.Compare(s.list.Linear(x, w, bias), "y", tolerance, ExpectedRms(shape.inner));
          }));
    }
  }
  // Every number of tokens that a kernel may have a tail for.
  cases.push_back({prefix + "/T1..70", row, Text(weight), [=](Context& context) {
                     return CompareEach(context, 70, [&](Scenario& s, int i) {
                       const Tensor x = s.Floats(act, {i + 1, 256});
                       s.Compare(s.list.Linear(x, s.Matrix(weight, {19, 256})), "y", tolerance,
                                 ExpectedRms(256));
                     });
                   }});
  // And every number of outputs.
  cases.push_back({prefix + "/N1..70", row, Text(weight), [=](Context& context) {
                     return CompareEach(context, 70, [&](Scenario& s, int i) {
                       const Tensor x = s.Floats(act, {1 + i % 5, 256});
                       s.Compare(s.list.Linear(x, s.Matrix(weight, {i + 1, 256})), "y", tolerance,
                                 ExpectedRms(256));
                     });
                   }});
  cases.push_back(ScenarioCase(prefix + "/strided", row, "strided", [=](Scenario& s) {
    const Tensor x = s.Floats(act, {6, 256});
    const Tensor y = s.list.Linear(x, s.Matrix(weight, {24, 256}));
    s.Compare(y, "y", tolerance, ExpectedRms(256));
    s.Seal();
    s.SpreadRows(x, 64);
    s.SpreadRows(y, 8);
  }));
  if (BlockOf(weight) > 1) {
    cases.push_back({prefix + "/any_bits", row, Text(weight), [=](Context& context) {
                       return CompareEach(context, 4, [&](Scenario& s, int i) {
                         const Tensor x = s.Floats(act, {1 + 3 * i, 512});
                         s.Compare(s.list.Linear(x, s.MatrixOfAnyBits(weight, {37, 512})), "y",
                                   tolerance);
                       });
                     }});
  }
}

void AddLargeLinear(std::vector<Case>& cases, DType weight) {
  const std::string row = "linear f32";
  const std::string prefix = "linear/f32/" + Text(weight);
  const Tolerance tolerance = ToleranceOf(SY_OP_LINEAR, DType::kF32, weight);
  cases.push_back(ScenarioCase(prefix + "/T512", row, Text(weight), [=](Scenario& s) {
    const Tensor x = s.Floats(DType::kF32, {512, 512});
    s.Compare(s.list.Linear(x, s.Matrix(weight, {56, 512})), "y", tolerance, ExpectedRms(512));
  }));
  // One channel far above the others, as real activations have it.
  cases.push_back(ScenarioCase(prefix + "/outlier_channel", row, Text(weight), [=](Scenario& s) {
    std::vector<float> values = Normal(s.random(), 4 * 512);
    for (std::size_t t = 0; t < 4; ++t) values[t * 512 + 77] = 25.0F + static_cast<float>(t);
    const Tensor x = s.Floats(DType::kF32, {4, 512}, values);
    s.Compare(s.list.Linear(x, s.Matrix(weight, {120, 512})), "y", tolerance, ExpectedRms(512));
  }));
  // A row of zeros has no scale to divide by.
  cases.push_back(ScenarioCase(prefix + "/zero_row", row, Text(weight), [=](Scenario& s) {
    std::vector<float> values = Normal(s.random(), 3 * 256);
    std::fill_n(values.begin() + 256, 256, 0.0F);
    const Tensor x = s.Floats(DType::kF32, {3, 256}, values);
    s.Compare(s.list.Linear(x, s.Matrix(weight, {20, 256})), "y", tolerance, ExpectedRms(256));
  }));
  const bool is_output_type = weight == DType::kBF16 || weight == DType::kQ4_0 ||
                              weight == DType::kQ8_0 || weight == DType::kQ6_K;
  if (is_output_type) {
    cases.push_back(
        ScenarioCase(prefix + "/vocabulary_262144", row, Text(weight), [=](Scenario& s) {
          const Tensor x = s.Floats(DType::kF32, {1, 256});
          s.Compare(s.list.Linear(x, s.Matrix(weight, {262144, 256})), "y", tolerance,
                    ExpectedRms(256));
        }));
  }
  if (weight == DType::kQ4_K) {
    cases.push_back(
        ScenarioCase(prefix + "/vocabulary_248320", row, Text(weight), [=](Scenario& s) {
          const Tensor x = s.Floats(DType::kF32, {2, 256});
          s.Compare(s.list.Linear(x, s.Matrix(weight, {248320, 256})), "y", tolerance,
                    ExpectedRms(256));
        }));
  }
}

// Few outputs, so that the reference keeps up.
void AddLargeBatches(std::vector<Case>& cases, DType act, DType weight) {
  const auto each = [](Context& context,
                       const std::function<void(Scenario&, std::int64_t)>& build) {
    return CompareEach(context, kLargeBatches.size(), [&build](Scenario& s, int i) {
      build(s, kLargeBatches[static_cast<std::size_t>(i)]);
    });
  };
  const auto add = [&](const std::string& name, sy_op_kind kind,
                       const std::function<Tensor(Scenario&, std::int64_t)>& apply) {
    cases.push_back({name + "/" + Text(act) + "/" + Text(weight) + "/large_batches",
                     name + " " + Text(act), Text(weight), [=](Context& context) {
                       return each(context, [&](Scenario& s, std::int64_t tokens) {
                         s.Compare(apply(s, tokens), "y", ToleranceOf(kind, act, weight),
                                   ExpectedRms(256));
                       });
                     }});
  };
  add("linear", SY_OP_LINEAR, [=](Scenario& s, std::int64_t tokens) {
    return s.list.Linear(s.Floats(act, {tokens, 256}), s.Matrix(weight, {24, 256}));
  });
  const bool is_one_of_a_kind =
      weight == DType::kF32 || weight == DType::kQ8_0 || weight == DType::kQ4_K;
  if (!is_one_of_a_kind) return;
  add("grouped_linear", SY_OP_GROUPED_LINEAR, [=](Scenario& s, std::int64_t tokens) {
    std::vector<std::int32_t> ids;
    for (std::int64_t t = 0; t < tokens; ++t) {
      const auto first = static_cast<std::int32_t>(s.random()() % 6);
      ids.insert(ids.end(), {first, first + 1});
    }
    const Tensor x = s.Floats(act, {tokens, 256});
    return s.list.GroupedLinear(x, s.Matrix(weight, {7, 12, 256}), s.Integers({tokens, 2}, ids));
  });
  add("batched_linear", SY_OP_BATCHED_LINEAR, [=](Scenario& s, std::int64_t tokens) {
    return s.list.BatchedLinear(s.Floats(act, {tokens, 2, 256}), s.Matrix(weight, {2, 12, 256}));
  });
}

void AddTypeChanges(std::vector<Case>& cases) {
  for (const DType from : kActivationTypes) {
    for (const DType to : kActivationTypes) {
      if (from == to) continue;
      cases.push_back(
          ScenarioCase("linear/" + Text(from) + "/to_" + Text(to), "linear " + Text(from),
                       "y of other type", [from, to](Scenario& s) {
                         const Tensor x = s.Floats(from, {5, 256});
                         const Tensor y = s.list.Linear(x, s.Matrix(DType::kQ8_0, {33, 256}));
                         s.Compare(y, "y",
                                   ToleranceOf(SY_OP_LINEAR, from, DType::kQ8_0) +
                                       ToleranceOf(SY_OP_LINEAR, to, DType::kF32),
                                   ExpectedRms(256));
                         s.Seal();
                         sy_tensor& tensor = s.tensors[y.index];
                         const auto width = tensor::Traits(to).block_bytes;
                         tensor.dtype = static_cast<sy_dtype>(to);
                         tensor.strides[1] = width;
                         tensor.strides[0] = width * tensor.dims[1];
                       }));
    }
  }
}

struct GroupedShape {
  std::int64_t tokens, chosen, experts, outer, inner;
};

void AddGrouped(std::vector<Case>& cases, DType act, DType weight) {
  const std::string row = "grouped_linear " + Text(act);
  const std::string prefix = "grouped_linear/" + Text(act) + "/" + Text(weight);
  const Tolerance tolerance = ToleranceOf(SY_OP_GROUPED_LINEAR, act, weight);
  for (const bool is_each : {false, true}) {
    cases.push_back(
        {prefix + (is_each ? "/x_each" : "/x_shared"), row, Text(weight), [=](Context& context) {
           const std::vector<GroupedShape> shapes = {{1, 1, 1, 8, 256},   {1, 2, 8, 17, 256},
                                                     {5, 2, 4, 33, 512},  {17, 8, 16, 24, 256},
                                                     {70, 4, 60, 7, 256}, {40, 2, 8, 64, 256}};
           return CompareEach(context, static_cast<int>(shapes.size()), [&](Scenario& s, int i) {
             const GroupedShape& shape = shapes[static_cast<std::size_t>(i)];
             std::vector<std::int32_t> ids;
             for (std::int64_t t = 0; t < shape.tokens; ++t) {
               // Distinct experts in each row, some of which no row chooses.
               const auto first = static_cast<std::int64_t>(s.random()());
               for (std::int64_t j = 0; j < shape.chosen; ++j) {
                 const std::int64_t span = std::max(shape.experts * 3 / 4, shape.chosen);
                 ids.push_back(
                     static_cast<std::int32_t>(((first % span + span) % span + j) % span));
               }
             }
             const Tensor x = is_each ? s.Floats(act, {shape.tokens, shape.chosen, shape.inner})
                                      : s.Floats(act, {shape.tokens, shape.inner});
             const Tensor w = s.Matrix(weight, {shape.experts, shape.outer, shape.inner});
             s.Compare(s.list.GroupedLinear(x, w, s.Integers({shape.tokens, shape.chosen}, ids)),
                       "y", tolerance, ExpectedRms(shape.inner));
           });
         }});
  }
}

void AddBatched(std::vector<Case>& cases, DType act, DType weight) {
  cases.push_back(
      {"batched_linear/" + Text(act) + "/" + Text(weight) + "/shapes",
       "batched_linear " + Text(act), Text(weight), [=](Context& context) {
         const std::vector<GroupedShape> shapes = {
             {1, 0, 1, 8, 256}, {1, 0, 5, 17, 256}, {7, 0, 4, 64, 512}, {33, 0, 2, 40, 256}};
         return CompareEach(context, static_cast<int>(shapes.size()), [&](Scenario& s, int i) {
           const GroupedShape& shape = shapes[static_cast<std::size_t>(i)];
           const Tensor x = s.Floats(act, {shape.tokens, shape.experts, shape.inner});
           const Tensor w = s.Matrix(weight, {shape.experts, shape.outer, shape.inner});
           s.Compare(s.list.BatchedLinear(x, w), "y",
                     ToleranceOf(SY_OP_BATCHED_LINEAR, act, weight), ExpectedRms(shape.inner));
         });
       }});
}

}  // namespace

void AddLinearCases(std::vector<Case>& cases) {
  for (const DType act : kActivationTypes) {
    for (const DType weight : WeightTypes()) {
      AddLinear(cases, act, weight);
      AddGrouped(cases, act, weight);
      AddBatched(cases, act, weight);
    }
  }
  for (const DType weight : WeightTypes()) {
    AddLargeLinear(cases, weight);
    AddLargeBatches(cases, DType::kF32, weight);
  }
  for (const DType act : {DType::kF16, DType::kBF16}) {
    for (const DType weight : {act, DType::kQ8_0, DType::kQ4_K})
      AddLargeBatches(cases, act, weight);
  }
  AddTypeChanges(cases);
}

}  // namespace switchyard::conformance
