// Operations on rows: norms, elementwise, gathers, embedding, rope.
#include <algorithm>
#include <array>
#include <cmath>

#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

// Dims of rank 1 to 4, from one element to a prefill's rows, with odd sizes.
const std::vector<std::vector<std::int64_t>> kShapes = {
    {1},       {7},      {1, 1},     {1, 64},       {2, 17},  {3, 100},
    {17, 576}, {70, 31}, {5, 3, 64}, {2, 3, 4, 33}, {512, 48}};

std::vector<float> NormalOf(Scenario& s, const std::vector<std::int64_t>& dims,
                            float deviation = 1) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  return Normal(s.random(), count, deviation);
}

// The interface of Scenario takes braces; shapes here are vectors.
Tensor FloatsOf(Scenario& s, DType dtype, const std::vector<std::int64_t>& dims,
                float deviation = 1) {
  const std::vector<float> values = NormalOf(s, dims, deviation);
  switch (dims.size()) {
    case 1:
      return s.Floats(dtype, {dims[0]}, values);
    case 2:
      return s.Floats(dtype, {dims[0], dims[1]}, values);
    case 3:
      return s.Floats(dtype, {dims[0], dims[1], dims[2]}, values);
    default:
      return s.Floats(dtype, {dims[0], dims[1], dims[2], dims[3]}, values);
  }
}

// One operation over all shapes, and once with gaps after rows of input and output.
void AddOverShapes(std::vector<Case>& cases, sy_op_kind kind, const std::string& name, DType act,
                   const std::string& trait, std::size_t least_rank, std::size_t most_rank,
                   const std::function<Tensor(Scenario&, Tensor)>& apply) {
  const std::string row = name + " " + Text(act);
  std::vector<std::vector<std::int64_t>> shapes;
  for (const auto& shape : kShapes) {
    if (shape.size() >= least_rank && shape.size() <= most_rank) shapes.push_back(shape);
  }
  const Tolerance tolerance = ToleranceOf(kind, act);
  const std::string prefix = name + "/" + Text(act) + "/" + trait;
  cases.push_back({prefix + "/shapes", row, trait, [=](Context& context) {
                     return CompareEach(
                         context, static_cast<int>(shapes.size()), [&](Scenario& s, int i) {
                           const auto& shape = shapes[static_cast<std::size_t>(i)];
                           s.Compare(apply(s, FloatsOf(s, act, shape)), "y", tolerance);
                         });
                   }});
  cases.push_back(ScenarioCase(prefix + "/strided", row, "strided", [=](Scenario& s) {
    const Tensor x = s.Floats(act, {9, 40});
    const Tensor y = apply(s, x);
    s.Compare(y, "y", tolerance);
    s.Seal();
    s.SpreadRows(x, 24);
    s.SpreadRows(y, 5);
  }));
}

void AddNorms(std::vector<Case>& cases, DType act) {
  AddOverShapes(cases, SY_OP_RMS_NORM, "rms_norm", act, "plain", 1, 4, [](Scenario& s, Tensor x) {
    const sy_tensor& tensor = s.list.at(x);
    return s.list.RmsNorm(x, s.Vector(tensor.dims[tensor.rank - 1], 1, 0.3F), 1e-5F);
  });
  cases.push_back({"rms_norm/" + Text(act) + "/magnitudes", "rms_norm " + Text(act), "magnitudes",
                   [act](Context& context) {
                     // Rows so small that eps decides, and so large that squares need f32's range.
                     const std::array deviations = {1e-3F, 1.0F, 200.0F};
                     return CompareEach(context, 3, [&](Scenario& s, int i) {
                       const Tensor x =
                           s.Floats(act, {4, 256}, deviations[static_cast<std::size_t>(i)]);
                       s.Compare(s.list.RmsNorm(x, s.Vector(256), 1e-6F), "y",
                                 ToleranceOf(SY_OP_RMS_NORM, act));
                     });
                   }});
  cases.push_back(ScenarioCase("rms_norm/" + Text(act) + "/zero_row", "rms_norm " + Text(act),
                               "zero row", [act](Scenario& s) {
                                 std::vector<float> values = Normal(s.random(), 3 * 64);
                                 std::fill_n(values.begin() + 64, 64, 0.0F);
                                 const Tensor x = s.Floats(act, {3, 64}, values);
                                 s.Compare(s.list.RmsNorm(x, s.Vector(64), 1e-6F), "y",
                                           ToleranceOf(SY_OP_RMS_NORM, act));
                               }));
}

void AddElementwise(std::vector<Case>& cases, DType act) {
  AddOverShapes(cases, SY_OP_ADD, "add", act, "plain", 1, 4, [act](Scenario& s, Tensor x) {
    const sy_tensor& tensor = s.list.at(x);
    return s.list.Add(
        x, FloatsOf(s, act, std::vector<std::int64_t>(tensor.dims, tensor.dims + tensor.rank)));
  });
  AddOverShapes(cases, SY_OP_SCALE, "scale", act, "plain", 1, 4,
                [](Scenario& s, Tensor x) { return s.list.Scale(x, -0.37F); });
  AddOverShapes(cases, SY_OP_SCALE, "scale", act, "softcap", 1, 4,
                [](Scenario& s, Tensor x) { return s.list.Scale(x, 20, 30); });
  const std::array activations = {std::pair{SY_ACTIVATION_SILU, "silu"},
                                  std::pair{SY_ACTIVATION_GELU_TANH, "gelu_tanh"},
                                  std::pair{SY_ACTIVATION_GELU_ERF, "gelu_erf"}};
  for (const auto& [activation, text] : activations) {
    AddOverShapes(cases, SY_OP_GATED_ACTIVATION, "gated_activation", act, text, 2, 2,
                  [act, kind = static_cast<sy_activation>(activation)](Scenario& s, Tensor x) {
                    const sy_tensor& tensor = s.list.at(x);
                    const Tensor gate = FloatsOf(s, act, {tensor.dims[0], tensor.dims[1]}, 4);
                    return s.list.GatedActivation(gate, x, kind);
                  });
    cases.push_back(ScenarioCase(
        "gated_activation/" + Text(act) + "/" + text + "/far", "gated_activation " + Text(act),
        text, [act, kind = static_cast<sy_activation>(activation)](Scenario& s) {
          // Where exp overflows or vanishes the function is x or 0, never NaN.
          const std::vector<float> gate = {-1e4F, -200, -90, -20, -1e-6F, 0, 1e-6F, 20, 90, 1e4F};
          s.Compare(
              s.list.GatedActivation(s.Floats(act, {1, 10}, gate), s.Floats(act, {1, 10}), kind),
              "y", ToleranceOf(SY_OP_GATED_ACTIVATION, act));
        }));
  }
  for (const bool is_add : {true, false}) {
    const std::string name = is_add ? "add" : "scale";
    cases.push_back(ScenarioCase(name + "/" + Text(act) + "/in_place", name + " " + Text(act),
                                 "in place", [act, is_add](Scenario& s) {
                                   const Tensor x = s.Floats(act, {7, 65});
                                   if (is_add) {
                                     s.list.Add(x, s.Floats(act, {7, 65}));
                                   } else {
                                     s.list.Scale(x, 3);
                                   }
                                   s.CompareArgument(x, "x", ToleranceOf(SY_OP_ADD, act));
                                   s.Seal();
                                   s.WriteInPlace(0, x);
                                 }));
  }
  cases.push_back(ScenarioCase("add/" + Text(act) + "/same_twice", "add " + Text(act),
                               "same input twice", [act](Scenario& s) {
                                 const Tensor x = s.Floats(act, {3, 40});
                                 s.Compare(s.list.Add(x, x), "y", ToleranceOf(SY_OP_ADD, act));
                               }));
}

void AddCopies(std::vector<Case>& cases, DType from) {
  for (const DType to : kActivationTypes) {
    AddOverShapes(cases, SY_OP_COPY, "copy", from, "to " + Text(to), 1, 4,
                  [to](Scenario& s, Tensor x) { return s.list.Copy(x, to); });
    cases.push_back(
        ScenarioCase("copy/" + Text(from) + "/to " + Text(to) + "/edges", "copy " + Text(from),
                     "to " + Text(to), [from, to](Scenario& s) {
                       // Ties, the smallest numbers, the largest, and what is none.
                       const std::vector<float> values = {
                           257,       259,     0x1.004p0F, 0x1.00cp0F, 65504,     65519.9F,
                           65520,     -65536,  0x1p-24F,   0x1.8p-25F, 0x1p-25F,  0x1p-126F,
                           0x1p-149F, 3.4e38F, -0.0F,      INFINITY,   -INFINITY, NAN};
                       s.Compare(s.list.Copy(s.Floats(from, {2, 9}, values), to), "y", kExact);
                     }));
  }
  cases.push_back(ScenarioCase(
      "copy/" + Text(from) + "/columns", "copy " + Text(from), "view", [from](Scenario& s) {
        const Tensor whole = s.Floats(from, {6, 50});
        const auto width = static_cast<std::uint64_t>(s.list.at(whole).strides[1]);
        const Tensor window = s.list.View(whole, 13 * width, {6, 3, 10});
        s.Compare(s.list.Copy(window, from), "y", kExact);
        s.Seal();
        s.tensors[window.index].strides[0] = s.tensors[whole.index].strides[0];
      }));
}

void AddGathers(std::vector<Case>& cases, DType act) {
  cases.push_back({"row_gather/" + Text(act) + "/shapes", "row_gather " + Text(act), "plain",
                   [act](Context& context) {
                     return CompareEach(context, 12, [&](Scenario& s, int i) {
                       const std::int64_t rows = 1 + i * i;
                       const std::int64_t width = 1 + i * 37;
                       std::vector<std::int32_t> picks;
                       for (int b = 0; b <= i; ++b) {
                         picks.push_back(static_cast<std::int32_t>(
                             s.random()() % static_cast<std::uint64_t>(rows)));
                       }
                       const Tensor x = s.Floats(act, {rows, width});
                       s.Compare(s.list.RowGather(x, s.Integers({i + 1}, picks)), "y", kExact);
                     });
                   }});
  cases.push_back(ScenarioCase("row_gather/" + Text(act) + "/strided", "row_gather " + Text(act),
                               "strided", [act](Scenario& s) {
                                 const Tensor x = s.Floats(act, {10, 24});
                                 const std::vector<std::int32_t> rows = {9, 0, 9};
                                 const Tensor y = s.list.RowGather(x, s.Integers({3}, rows));
                                 s.Compare(y, "y", kExact);
                                 s.Seal();
                                 s.SpreadRows(x, 8);
                                 s.SpreadRows(y, 3);
                               }));
}

std::vector<std::int32_t> Ids(Random& random, std::int64_t count, std::int64_t below) {
  std::vector<std::int32_t> ids = {static_cast<std::int32_t>(below - 1)};
  while (static_cast<std::int64_t>(ids.size()) < count) {
    ids.push_back(static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(below)));
  }
  return ids;
}

void AddEmbeddings(std::vector<Case>& cases, DType act, DType weight) {
  const std::string row = "embedding " + Text(act);
  const std::string prefix = "embedding/" + Text(act) + "/" + Text(weight);
  const Tolerance tolerance = ToleranceOf(SY_OP_EMBEDDING, act, weight);
  cases.push_back(
      {prefix + "/shapes", row, Text(weight), [=](Context& context) {
         const std::array tokens = {1, 2, 7, 70};
         const std::array blocks = {1, 2, 3, 9};
         return CompareEach(context, 4, [&](Scenario& s, int i) {
           const auto at = static_cast<std::size_t>(i);
           const std::int64_t width = blocks[at] * std::max(BlockOf(weight), std::int64_t{7});
           const std::int64_t rows = 5 + 40 * i;
           const Tensor table = i % 2 == 0 || BlockOf(weight) == 1
                                    ? s.Matrix(weight, {rows, width}, SY_WEIGHT_EMBEDDING)
                                    : s.MatrixOfAnyBits(weight, {rows, width}, SY_WEIGHT_EMBEDDING);
           const Tensor ids = s.Integers({tokens[at]}, Ids(s.random(), tokens[at], rows));
           s.Compare(s.list.Embedding(table, ids, i == 3 ? 11.5F : 1.0F, act), "y", tolerance);
         });
       }});
  const bool is_tied = weight == DType::kQ6_K || weight == DType::kBF16;
  if (act != DType::kF32 || !(is_tied || weight == DType::kQ8_0)) return;
  cases.push_back(ScenarioCase(prefix + "/vocabulary_262144", row, Text(weight), [=](Scenario& s) {
    // Tables are often the last linear's matrix as well.
    const sy_weight_use use =
        is_tied ? SY_WEIGHT_EMBEDDING | SY_WEIGHT_LINEAR : SY_WEIGHT_EMBEDDING;
    const Tensor table = s.Matrix(weight, {262144, 256}, use);
    s.Compare(s.list.Embedding(table, s.Integers({5}, Ids(s.random(), 5, 262144)), 1, act), "y",
              tolerance);
  }));
}

struct RopeShape {
  std::int64_t tokens, heads, width, turned;
};

void AddRopes(std::vector<Case>& cases, DType act, bool is_interleaved) {
  const std::string row = "rope " + Text(act);
  const std::string column = is_interleaved ? "neighbours" : "halves";
  const std::string prefix = "rope/" + Text(act) + "/" + column;
  const auto frequencies = [](Scenario& s, std::int64_t turned) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < turned / 2; ++i) {
      values.push_back(static_cast<float>(
          std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(turned))));
    }
    return s.Vector(values);
  };
  const auto positions = [](Scenario& s, std::int64_t count, std::uint64_t below) {
    std::vector<std::int32_t> values = {0};
    while (static_cast<std::int64_t>(values.size()) < count) {
      values.push_back(static_cast<std::int32_t>(s.random()() % below));
    }
    return s.Integers({count}, values);
  };
  cases.push_back(
      {prefix + "/shapes", row, column, [=](Context& context) {
         const std::vector<RopeShape> shapes = {
             {1, 1, 32, 32},   {1, 9, 64, 64},  {3, 3, 64, 32},   {7, 2, 80, 80}, {17, 4, 96, 96},
             {70, 3, 128, 64}, {2, 8, 256, 64}, {5, 1, 256, 256}, {4, 2, 6, 2},   {512, 2, 64, 64}};
         return CompareEach(context, static_cast<int>(shapes.size()), [&](Scenario& s, int i) {
           const RopeShape& shape = shapes[static_cast<std::size_t>(i)];
           const Tensor x = s.Floats(act, {shape.tokens, shape.heads, shape.width});
           s.Compare(s.list.Rope(x, positions(s, shape.tokens, 4096), frequencies(s, shape.turned),
                                 is_interleaved, i % 2 == 0 ? 1.0F : 1.19F),
                     "y", ToleranceOf(SY_OP_ROPE, act));
         });
       }});
  cases.push_back(
      ScenarioCase(prefix + "/in_place_in_fused_rows", row, "in place", [=](Scenario& s) {
        // Heads 4 to 6 of rows that hold queries, keys and values.
        const Tensor fused = s.Floats(act, {5, 8 * 64});
        const auto width = static_cast<std::uint64_t>(s.list.at(fused).strides[1]);
        const Tensor keys = s.list.View(fused, 4 * 64 * width, {5, 2, 64});
        s.list.Rope(keys, positions(s, 5, 4096), frequencies(s, 64), is_interleaved);
        s.CompareArgument(fused, "rows", ToleranceOf(SY_OP_ROPE, act));
        s.Seal();
        s.tensors[keys.index].strides[0] = s.tensors[fused.index].strides[0];
        s.WriteInPlace(0, keys);
      }));
  cases.push_back(ScenarioCase(prefix + "/far_positions", row, "far", [=](Scenario& s) {
    const std::vector<std::int32_t> far = {131071, 100003, 65536};
    s.Compare(s.list.Rope(s.Floats(act, {3, 2, 128}), s.Integers({3}, far), frequencies(s, 128),
                          is_interleaved),
              "y", FarRopeTolerance(act));
  }));
}

void AddLargeBatches(std::vector<Case>& cases, DType act) {
  const auto add = [&](const std::string& name, const std::string& trait, sy_op_kind kind,
                       const std::function<Tensor(Scenario&, std::int64_t rows)>& apply) {
    cases.push_back({name + "/" + Text(act) + "/" + trait + "/large_batches",
                     name + " " + Text(act), trait, [=](Context& context) {
                       return CompareEach(context, kLargeBatches.size(), [&](Scenario& s, int i) {
                         s.Compare(apply(s, kLargeBatches[static_cast<std::size_t>(i)]), "y",
                                   ToleranceOf(kind, act));
                       });
                     }});
  };
  add("rms_norm", "plain", SY_OP_RMS_NORM, [act](Scenario& s, std::int64_t rows) {
    return s.list.RmsNorm(s.Floats(act, {rows, 96}), s.Vector(96, 1, 0.3F), 1e-5F);
  });
  add("add", "plain", SY_OP_ADD, [act](Scenario& s, std::int64_t rows) {
    return s.list.Add(s.Floats(act, {rows, 33}), s.Floats(act, {rows, 33}));
  });
  add("scale", "plain", SY_OP_SCALE, [act](Scenario& s, std::int64_t rows) {
    return s.list.Scale(s.Floats(act, {rows, 33}), -0.37F);
  });
  add("gated_activation", "silu", SY_OP_GATED_ACTIVATION, [act](Scenario& s, std::int64_t rows) {
    return s.list.GatedActivation(s.Floats(act, {rows, 33}), s.Floats(act, {rows, 33}),
                                  SY_ACTIVATION_SILU);
  });
  add("copy", "to " + Text(act), SY_OP_COPY, [act](Scenario& s, std::int64_t rows) {
    return s.list.Copy(s.Floats(act, {rows, 33}), act);
  });
  add("row_gather", "plain", SY_OP_ROW_GATHER, [act](Scenario& s, std::int64_t rows) {
    const Tensor x = s.Floats(act, {500, 33});
    return s.list.RowGather(x, s.Integers({rows}, Ids(s.random(), rows, 500)));
  });
  add("rope", "halves", SY_OP_ROPE, [act](Scenario& s, std::int64_t rows) {
    const std::vector<float> frequencies = {1, 0.1F, 0.01F, 0.001F};
    return s.list.Rope(s.Floats(act, {rows, 3, 10}), s.Integers({rows}, Counting(rows)),
                       s.Vector(frequencies), false);
  });
  add("embedding", "f32", SY_OP_EMBEDDING, [act](Scenario& s, std::int64_t rows) {
    const Tensor table = s.Matrix(DType::kF32, {300, 40}, SY_WEIGHT_EMBEDDING);
    return s.list.Embedding(table, s.Integers({rows}, Ids(s.random(), rows, 300)), 1, act);
  });
}

}  // namespace

void AddRowCases(std::vector<Case>& cases) {
  for (const DType act : kActivationTypes) {
    for (const DType weight : WeightTypes()) AddEmbeddings(cases, act, weight);
    AddNorms(cases, act);
    AddRopes(cases, act, false);
    AddRopes(cases, act, true);
    AddElementwise(cases, act);
    AddCopies(cases, act);
    AddGathers(cases, act);
    AddLargeBatches(cases, act);
  }
  cases.push_back(ScenarioCase("copy/i32/strided", "copy i32", "strided", [](Scenario& s) {
    const Tensor x = s.Integers({4, 5}, Counting(20));
    const Tensor y = s.list.Copy(x, DType::kI32);
    s.Compare(y, "y", kExact);
    s.Seal();
    s.SpreadRows(y, 2);
  }));
}

}  // namespace switchyard::conformance
