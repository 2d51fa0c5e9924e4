// Every kernel on the emulator, in work-groups of 8, 32 and 64, against the reference operations,
// on random shapes. Each argument lies in memory of exactly its size, so that ASan sees what
// reaches beyond it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <span>

#include "emulator.h"
#include "ops/op_list.h"
#include "ops/reference/reference.h"
#include "ops/tensor_span.h"
#include "tensor/block_formats.h"
#include "weight_layout.h"

namespace switchyard::simt::emulator {
namespace {

using ops::OpList;
using ops::Tensor;
using tensor::DType;
using Bytes = std::vector<std::byte>;

constexpr DType kActivations[] = {DType::kF32, DType::kF16, DType::kBF16};
constexpr DType kWeights[] = {DType::kF32,  DType::kF16,    DType::kBF16,   DType::kQ4_0,
                              DType::kQ4_1, DType::kQ5_0,   DType::kQ5_1,   DType::kQ8_0,
                              DType::kQ2_K, DType::kQ3_K,   DType::kQ4_K,   DType::kQ5_K,
                              DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS, DType::kMXFP4};

// A list of operations with contents, run twice: by the reference, and as a plan on the emulator.
class Trial {
 public:
  explicit Trial(std::uint32_t seed) : random(seed) {}

  OpList list;
  std::mt19937 random;

  std::int64_t Number(std::int64_t from, std::int64_t to) {
    return std::uniform_int_distribution<std::int64_t>(from, to)(random);
  }
  DType Activation() { return kActivations[Number(0, 2)]; }

  Tensor Floats(DType dtype, std::initializer_list<std::int64_t> dims) {
    const Tensor made = list.Argument(dtype, dims);
    contents_[made.index] = Random(dtype, dims);
    return made;
  }
  Tensor Integers(std::initializer_list<std::int64_t> dims,
                  const std::vector<std::int32_t>& values) {
    const Tensor made = list.Argument(DType::kI32, dims);
    Bytes& bytes = contents_[made.index];
    bytes.resize(values.size() * 4);
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return made;
  }
  std::vector<std::int32_t> Indices(std::int64_t count, std::int64_t below) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(count));
    for (auto& value : values) value = static_cast<std::int32_t>(Number(0, below - 1));
    return values;
  }
  Tensor Weight(DType dtype, std::initializer_list<std::int64_t> dims) {
    const Tensor made = list.Weight(0, dtype, std::span(dims.begin(), dims.size()));
    contents_[made.index] = Random(dtype, dims);
    return made;
  }
  void Keep(Tensor result) { list.Export(result); }

  void ExpectSame(std::int32_t width) {
    tensors_.assign(list.tensors().begin(), list.tensors().end());
    std::map<std::uint32_t, Bytes> expected = Memory();
    std::map<std::uint32_t, Bytes> actual = Memory();
    RunReference(expected);
    RunEmulator(actual, width);
    for (const auto& [index, bytes] : expected) {
      if (tensors_[index].storage == SY_STORAGE_ARGUMENT) Compare(index, actual[index], bytes);
    }
  }

 private:
  Bytes Random(DType dtype, std::initializer_list<std::int64_t> dims) {
    std::size_t count = 1;
    for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    for (float& value : values) value = normal(random);
    const auto& traits = tensor::Traits(dtype);
    Bytes bytes(count / static_cast<std::size_t>(traits.block_elements) *
                static_cast<std::size_t>(traits.block_bytes));
    EXPECT_TRUE(tensor::Quantise(dtype, values, bytes));
    return bytes;
  }

  std::map<std::uint32_t, Bytes> Memory() const {
    std::map<std::uint32_t, Bytes> memory;
    for (std::uint32_t i = 0; i < tensors_.size(); ++i) {
      if (tensors_[i].storage == SY_STORAGE_VIEW) continue;
      const auto found = contents_.find(i);
      memory[i] = found != contents_.end() ? found->second
                                           : Bytes(ops::SpanBytes(tensors_[i]), std::byte{0xff});
    }
    return memory;
  }

  void RunReference(std::map<std::uint32_t, Bytes>& memory) {
    const auto operand = [&](std::uint32_t index) -> ops::reference::Operand {
      if (index == SY_NO_TENSOR) return {};
      const std::uint32_t root = ops::RootOf(tensors_.data(), index);
      const std::uint64_t offset = root == index ? 0 : tensors_[index].offset_bytes;
      return {&tensors_[index], memory[root].data() + offset};
    };
    for (const sy_op& op : list.ops()) {
      ops::reference::Call call{op, {}, {}};
      for (std::size_t i = 0; i < SY_MAX_INPUTS; ++i) call.inputs[i] = operand(op.inputs[i]);
      for (std::size_t i = 0; i < SY_MAX_OUTPUTS; ++i) call.outputs[i] = operand(op.outputs[i]);
      const base::Status status = ops::reference::Run(call);
      ASSERT_TRUE(status) << status.error().message;
    }
  }

  void RunEmulator(std::map<std::uint32_t, Bytes>& memory, std::int32_t width) {
    // The emulator's weights are their packed bytes.
    std::vector<Bytes> packed(tensors_.size());
    std::vector<std::byte*> slots(list.slot_count());
    for (std::uint32_t i = 0; i < tensors_.size(); ++i) {
      sy_tensor& tensor = tensors_[i];
      if (tensor.storage == SY_STORAGE_ARGUMENT) slots[tensor.slot] = memory[i].data();
      if (tensor.storage != SY_STORAGE_WEIGHT) continue;
      packed[i] = memory[i];
      if (tensor.rank > 1) {
        WeightShape shape{tensor.dtype, tensor.rank, {1, 1, 1, 1}};
        std::copy_n(tensor.dims, tensor.rank, shape.dims);
        const WeightLayout layout = LayoutOf(shape);
        packed[i].resize(layout.total_bytes);
        PackPanels(shape, layout, memory[i].data(), 0, layout.panels * shape.matrices(), packed[i]);
      }
      tensor.weight = reinterpret_cast<sy_weight*>(packed[i].data());
    }
    sy_program_desc desc = list.desc();
    desc.tensors = tensors_.data();
    for (std::uint32_t op = 0; op < desc.op_count; ++op) {
      const base::Status supported = CheckSupport(desc, op);
      ASSERT_TRUE(supported) << supported.error().message;
    }
    const auto plan = MakePlan(desc, {static_cast<std::uint32_t>(width),
                                      static_cast<std::uint32_t>(RowsOfLane(width)), 128});
    ASSERT_TRUE(plan) << plan.error().message;
    Bytes workspace(plan->workspace_bytes, std::byte{0xff});
    for (const Launch& launch : plan->launches) {
      std::vector<std::byte*> addresses;
      for (const MemoryPlace& place : launch.places) {
        std::byte* const start = place.kind == MemoryKind::kWorkspace ? workspace.data()
                                 : place.kind == MemoryKind::kSlot
                                     ? slots[place.slot]
                                     : reinterpret_cast<std::byte*>(place.weight);
        addresses.push_back(start + place.offset);
      }
      const base::Status status = RunLaunch(launch, addresses, width);
      ASSERT_TRUE(status) << KernelName(launch.kernel) << ": " << status.error().message;
    }
  }

  void Compare(std::uint32_t index, const Bytes& actual, const Bytes& expected) const {
    const auto dtype = static_cast<DType>(tensors_[index].dtype);
    if (dtype == DType::kI32 || dtype == DType::kI64 || dtype == DType::kI8) {
      EXPECT_EQ(actual, expected) << "tensor " << index;
      return;
    }
    std::vector<float> a(expected.size() /
                         static_cast<std::size_t>(tensor::Traits(dtype).block_bytes));
    std::vector<float> b(a.size());
    ASSERT_TRUE(tensor::Dequantise(dtype, actual, a));
    ASSERT_TRUE(tensor::Dequantise(dtype, expected, b));
    double squares = 0;
    for (const float value : b) {
      if (std::isfinite(value)) squares += static_cast<double>(value) * static_cast<double>(value);
    }
    const auto rms = static_cast<float>(std::sqrt(squares / static_cast<double>(b.size())));
    // A few roundings of f32 sums, and one of the type.
    const float unit = dtype == DType::kF32 ? 2e-5F : dtype == DType::kF16 ? 1.1e-3F : 9e-3F;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (std::isnan(b[i])) {
        EXPECT_TRUE(std::isnan(a[i])) << "tensor " << index << ", element " << i;
      } else {
        ASSERT_NEAR(a[i], b[i], unit * std::max(std::abs(b[i]), rms))
            << "tensor " << index << ", element " << i;
      }
    }
  }

  std::map<std::uint32_t, Bytes> contents_;
  std::vector<sy_tensor> tensors_;
};

class OfWidth : public testing::TestWithParam<std::int32_t> {
 protected:
  // `build` adds operations to a trial; several, of random shapes.
  template <typename Build>
  void Try(int trials, Build build) {
    for (int i = 0; i < trials; ++i) {
      SCOPED_TRACE("trial " + std::to_string(i));
      Trial trial(static_cast<std::uint32_t>(i + 1));
      build(trial);
      trial.ExpectSame(GetParam());
      if (HasFatalFailure()) return;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Kernels, OfWidth, testing::ValuesIn(kWidths),
                         [](const auto& width) { return "lanes_" + std::to_string(width.param); });

TEST_P(OfWidth, Elementwise) {
  Try(9, [i = 0](Trial& t) mutable {
    const DType act = t.Activation();
    const std::int64_t rows = t.Number(1, 5);
    const std::int64_t length = t.Number(1, 200);
    const Tensor a = t.Floats(act, {rows, length});
    const Tensor b = t.Floats(act, {rows, length});
    t.Keep(t.list.Add(a, b));
    t.Keep(t.list.Scale(a, 1.7F, i % 2 == 0 ? 0.0F : 1.3F));
    t.Keep(t.list.GatedActivation(a, b, static_cast<sy_activation>(i++ % 3)));
  });
}

TEST_P(OfWidth, RmsNorm) {
  Try(6, [](Trial& t) {
    const std::int64_t length = t.Number(1, 300);
    const Tensor x = t.Floats(t.Activation(), {t.Number(1, 3), t.Number(1, 3), length});
    t.Keep(t.list.RmsNorm(x, t.Weight(DType::kF32, {length}), 1e-5F));
  });
}

TEST_P(OfWidth, CopiesAndGathers) {
  Try(6, [](Trial& t) {
    const std::int64_t rows = t.Number(1, 6);
    const Tensor x = t.Floats(t.Activation(), {rows, t.Number(1, 150)});
    t.Keep(t.list.Copy(x, t.Activation()));
    const std::int64_t chosen = t.Number(1, 8);
    t.Keep(t.list.RowGather(x, t.Integers({chosen}, t.Indices(chosen, rows))));
  });
}

TEST_P(OfWidth, Rope) {
  Try(6, [i = 0](Trial& t) mutable {
    const std::int64_t tokens = t.Number(1, 4);
    const std::int64_t width = 2 * t.Number(1, 50);
    const Tensor x = t.Floats(t.Activation(), {tokens, t.Number(1, 4), width});
    const Tensor frequencies = t.Weight(DType::kF32, {t.Number(1, width / 2)});
    t.Keep(t.list.Rope(x, t.Integers({tokens}, t.Indices(tokens, 500)), frequencies, i++ % 2 == 0,
                       1.25F));
  });
}

TEST_P(OfWidth, AttentionOverStoredPages) {
  Try(8, [i = 0](Trial& t) mutable {
    const DType act = t.Activation();
    const DType pages = t.Activation();
    const std::int64_t groups = t.Number(1, 2);
    const std::int64_t heads = groups * t.Number(1, 3);
    const std::int64_t width = t.Number(1, 80);
    const std::int64_t value_width = t.Number(1, 80);
    const std::int64_t page_size = t.Number(1, 20);
    const auto length = static_cast<std::int32_t>(t.Number(1, 90));
    const auto queries = static_cast<std::int32_t>(t.Number(1, std::min(length, 5)));
    const std::int64_t most = (length + page_size - 1) / page_size;
    // Pages in falling order; the last row of the batch belongs to no sequence.
    std::vector<std::int32_t> table;
    for (std::int64_t p = 0; p < most; ++p) table.push_back(static_cast<std::int32_t>(most - p));
    std::vector<std::int32_t> slots;
    for (std::int64_t p = 0; p < length; ++p) {
      slots.push_back(static_cast<std::int32_t>(
          table[static_cast<std::size_t>(p / page_size)] * page_size + p % page_size));
    }
    const Tensor k = t.Floats(act, {length, groups, width});
    const Tensor v = t.Floats(act, {length, groups, value_width});
    const Tensor k_pages = t.Floats(pages, {most + 2, page_size, groups, width});
    const Tensor v_pages = t.Floats(pages, {most + 2, page_size, groups, value_width});
    t.list.KvStore(k, v, t.Integers({length}, slots), k_pages, v_pages);
    t.Keep(t.list.Attention(
        {t.Floats(act, {queries + 1, heads, width}), k_pages, v_pages, t.Integers({1, most}, table),
         t.Integers({2}, {0, queries}), t.Integers({1}, {length}),
         i % 3 == 0 ? t.Weight(DType::kF32, {heads}) : ops::kAbsent},
        {.scale = 0.3F,
         .softcap = i % 2 == 0 ? 0.0F : 2.0F,
         .window = static_cast<std::uint32_t>(i % 4 == 3 ? 7 : 0)}));
    ++i;
  });
}

TEST_P(OfWidth, Selection) {
  Try(6, [i = 0](Trial& t) mutable {
    const std::int64_t columns = t.Number(1, 200);
    const std::int64_t chosen = t.Number(1, std::min<std::int64_t>(columns, 9));
    const Tensor x = t.Floats(t.Activation(), {t.Number(1, 3), columns});
    const ops::TopKResult top = t.list.TopK(x, chosen);
    t.Keep(top.values);
    t.Keep(top.ids);
    const ops::RoutedExperts routed = t.list.RouterTopK(
        t.Floats(DType::kF32, {t.Number(1, 3), columns}),
        {.chosen = chosen,
         .scoring = i % 2 == 0 ? sy_scoring{SY_SCORING_SOFTMAX} : sy_scoring{SY_SCORING_SIGMOID},
         .renormalise = i % 3 != 0,
         .scale = 2.5F},
        i % 2 == 0 ? ops::kAbsent : t.Weight(DType::kF32, {columns}));
    t.Keep(routed.ids);
    t.Keep(routed.weights);
    ++i;
  });
}

TEST_P(OfWidth, Combine) {
  Try(4, [](Trial& t) {
    const std::int64_t tokens = t.Number(1, 4);
    const std::int64_t chosen = t.Number(1, 5);
    const Tensor y = t.Floats(t.Activation(), {tokens, chosen, t.Number(1, 150)});
    t.Keep(t.list.Combine(y, t.Floats(DType::kF32, {tokens, chosen})));
  });
}

std::int64_t RandomInner(Trial& t, DType weight) {
  const std::int64_t block = tensor::Traits(weight).block_elements;
  return block == 1 ? t.Number(1, 150) : block * t.Number(1, block == 32 ? 4 : 2);
}

TEST_P(OfWidth, ProductsOfEveryFormat) {
  for (const DType weight : kWeights) {
    SCOPED_TRACE(tensor::Name(weight));
    // One token, a few, and more than a tile.
    for (const std::int64_t tokens : {1, 3, 18}) {
      Try(1, [&](Trial& t) {
        const std::int64_t inner = RandomInner(t, weight);
        const std::int64_t outer = t.Number(1, 70);
        const Tensor x = t.Floats(t.Activation(), {tokens, inner});
        t.Keep(t.list.Linear(x, t.Weight(weight, {outer, inner}), t.Weight(DType::kF32, {outer})));
      });
    }
    Try(1, [&](Trial& t) {
      const std::int64_t inner = RandomInner(t, weight);
      const std::int64_t rows = t.Number(1, 70);
      const std::int64_t tokens = t.Number(1, 4);
      t.Keep(t.list.Embedding(t.Weight(weight, {rows, inner}),
                              t.Integers({tokens}, t.Indices(tokens, rows)), 3, t.Activation()));
    });
    Try(1, [&](Trial& t) {
      const std::int64_t inner = RandomInner(t, weight);
      const std::int64_t heads = t.Number(1, 3);
      t.Keep(t.list.BatchedLinear(t.Floats(t.Activation(), {t.Number(1, 6), heads, inner}),
                                  t.Weight(weight, {heads, t.Number(1, 40), inner})));
    });
    Try(1, [&](Trial& t) {
      const std::int64_t inner = RandomInner(t, weight);
      const std::int64_t tokens = t.Number(1, 3);
      t.Keep(t.list.GroupedLinear(t.Floats(t.Activation(), {tokens, 2, inner}),
                                  t.Weight(weight, {4, t.Number(1, 40), inner}),
                                  t.Integers({tokens, 2}, t.Indices(tokens * 2, 4))));
    });
  }
}

// A layer's worth of operations with temporaries between them, which share the workspace.
TEST_P(OfWidth, ChainsOfOperations) {
  Try(3, [](Trial& t) {
    const DType act = t.Activation();
    const std::int64_t tokens = t.Number(1, 6);
    const Tensor x = t.Floats(act, {tokens, 64});
    const Tensor normed = t.list.RmsNorm(x, t.Weight(DType::kF32, {64}), 1e-6F);
    const Tensor gate = t.list.Linear(normed, t.Weight(DType::kQ8_0, {96, 64}));
    const Tensor up = t.list.Linear(normed, t.Weight(DType::kQ4_1, {96, 64}));
    const Tensor inner = t.list.GatedActivation(gate, up, SY_ACTIVATION_SILU);
    t.Keep(t.list.Add(x, t.list.Linear(inner, t.Weight(DType::kF16, {64, 96}))));
  });
}

}  // namespace
}  // namespace switchyard::simt::emulator
