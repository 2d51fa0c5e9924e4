// How fast this chip is on this machine: each weight type's product with one row and with many, and
// whole synthetic models, with the share of the ceilings that the chip measures itself.
//
//   cpu_bench kernels [threads] [isa|""] [TYPE,...]
//   cpu_bench model 135m|1.5b TYPE [threads] [isa]    TYPE is of weights: q4_0, q8_0, q4_k, bf16,
//   ...
//
// Models have random weights in the shapes of SmolLM2-135M and Qwen2.5-1.5B; as converters do, a
// type whose blocks do not fit the rows gives way to q5_0 or q8_0, and the tied table of a
// quantised model is q8_0 or q6_k. Timings are the best of several.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "cpu_test_program.h"

namespace switchyard::cpu {
namespace {

using Clock = std::chrono::steady_clock;

// With one thread, seconds are of processor time, which other processes disturb less.
bool uses_processor_time = false;

double Seconds() {
  if (!uses_processor_time) {
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
  }
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double BestSeconds(int rounds, const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    const double start = Seconds();
    work();
    best = std::min(best, Seconds() - start);
  }
  return best;
}

double Ceiling(TestDevice& device, sy_ceiling ceiling, sy_dtype dtype) {
  double value = 0;
  TestDevice::api().measure_ceiling(device.handle(), ceiling, dtype, &value);
  return value;
}

// Random bytes with halves that are small numbers: any bytes are codes.
sy_weight* RandomWeight(TestDevice& device, sy_dtype dtype, std::int64_t n, std::int64_t k) {
  const auto bytes = tensor::RowBytes(static_cast<tensor::DType>(dtype), k).value() *
                     static_cast<std::uint64_t>(n);
  std::vector<std::uint8_t> data(bytes);
  std::uint32_t state = static_cast<std::uint32_t>(n * 31 + k);
  for (auto& byte : data) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(state >> 24) & 0x1f;
  }
  return device.Weight(dtype, {n, k}, data.data(), data.size());
}

std::uint64_t ReadBytes(sy_weight* weight) {
  sy_weight_properties properties = {};
  properties.struct_size = sizeof(properties);
  TestDevice::api().weight_properties(weight, &properties);
  return properties.read_bytes;
}

constexpr std::int64_t kManyRows[] = {4, 16, 64, 512};

// One row as a share of the memory's speed, more as a share of the arithmetic's.
void BenchKernels(int threads, const std::string& isa, const std::string& types) {
  uses_processor_time = threads == 1;
  TestDevice device(isa, threads);
  const double memory = Ceiling(device, SY_CEILING_MEMORY_GB_S, SY_F32);
  const double int8 = Ceiling(device, SY_CEILING_GFLOP_S, SY_I8);
  const double bf16 = Ceiling(device, SY_CEILING_GFLOP_S, SY_BF16);
  const double f32 = Ceiling(device, SY_CEILING_GFLOP_S, SY_F32);
  fmt::print("memory {:.1f} GB/s, int8 {:.0f}, bf16 {:.0f}, f32 {:.0f} GFLOP/s\n", memory, int8,
             bf16, f32);
  fmt::print("{:8} {:>19} {:>11}", "type", "1 row, GB/s", "from cache");
  for (const std::int64_t rows : kManyRows) fmt::print(" {:>6} rows", rows);
  fmt::print("  GFLOP/s\n");
  for (const char* name : {"f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k",
                           "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs", "mxfp4"}) {
    const bool is_asked = fmt::format(",{},", types).contains(fmt::format(",{},", name));
    if (!types.empty() && !is_asked) continue;
    const auto dtype = static_cast<sy_dtype>(*tensor::DTypeFromName(name));
    const std::int64_t n = 2048;
    const std::int64_t k = 1536;
    sy_weight* weight = RandomWeight(device, dtype, n, k);
    const auto bytes = static_cast<double>(ReadBytes(weight));
    // Enough copies to come from memory, one to come from a cache.
    const auto copies = static_cast<int>(160e6 / bytes) + 1;
    std::vector<sy_weight*> weights = {weight};
    for (int i = 1; i < copies; ++i) weights.push_back(RandomWeight(device, dtype, n, k));
    const auto run = [&](const std::vector<sy_weight*>& used, std::int64_t tokens, int repeats) {
      TestProgram program(device);
      const auto x = program.Floats(SY_F32, {tokens, k}, RandomFloats(tokens * k, 1));
      for (int r = 0; r < repeats; ++r) {
        for (sy_weight* each : used) {
          const auto y = program.Temporary(SY_F32, {tokens, n});
          program.Op(SY_OP_LINEAR, {x, program.Weight(each, dtype, {n, k})}, {y});
        }
      }
      program.Build();
      return BestSeconds(5, [&] { program.Run(); }) / repeats;
    };
    const double far = bytes * copies / run(weights, 1, 1) / 1e9;
    const double near = bytes / run({weight}, 1, 50) / 1e9;
    const bool is_quantised = tensor::IsQuantised(static_cast<tensor::DType>(dtype));
    const double ceiling = is_quantised ? int8 : (dtype == SY_BF16 ? bf16 : f32);
    fmt::print("{:8} {:12.1f} {:4.0f} % {:11.1f}", name, far, 100 * far / memory, near);
    for (const std::int64_t rows : kManyRows) {
      const double seconds = run({weight}, rows, rows < 64 ? 8 : 1);
      const double flops = 2.0 * static_cast<double>(rows * n * k) / seconds / 1e9;
      fmt::print(" {:5.0f} {:3.0f} %", flops, 100 * flops / ceiling);
    }
    fmt::print("\n");
    std::fflush(stdout);
  }
}

struct ModelShape {
  std::int64_t layers, hidden, heads, kv_heads, d, inner, vocabulary;
};
constexpr ModelShape k135M = {30, 576, 9, 3, 64, 1536, 49152};
constexpr ModelShape k1_5B = {28, 1536, 12, 2, 128, 8960, 151936};

struct Matrix {
  sy_weight* weight;
  sy_dtype dtype;
  std::int64_t n, k;
};

struct Layer {
  Matrix q, k, v, o, gate, up, down;
};

class Model {
 public:
  Model(TestDevice& device, const ModelShape& shape, const std::string& type)
      : device_(device), s_(shape) {
    const auto base = static_cast<sy_dtype>(*tensor::DTypeFromName(type));
    const auto pick = [&](std::int64_t k) {
      const auto block = tensor::Traits(static_cast<tensor::DType>(base)).block_elements;
      if (k % block == 0) return base;
      return static_cast<sy_dtype>(base == SY_Q6_K ? SY_Q8_0 : SY_Q5_0);
    };
    const bool is_quantised = tensor::IsQuantised(static_cast<tensor::DType>(base));
    const sy_dtype head = !is_quantised || base == SY_Q8_0
                              ? base
                              : static_cast<sy_dtype>(s_.hidden % 256 == 0 ? SY_Q6_K : SY_Q8_0);
    // The better half of layers of a "_M" mix has its value and down projections in q6_k.
    const bool is_mixed = base == SY_Q4_K;
    for (std::int64_t l = 0; l < s_.layers; ++l) {
      const bool is_better =
          is_mixed && (l < s_.layers / 8 || l >= s_.layers * 7 / 8 || (l - s_.layers / 8) % 3 == 2);
      const auto make = [&](std::int64_t n, std::int64_t k, bool may_be_better) {
        sy_dtype dtype = pick(k);
        if (is_better && may_be_better) dtype = k % 256 == 0 ? SY_Q6_K : SY_Q8_0;
        return Matrix{RandomWeight(device_, dtype, n, k), dtype, n, k};
      };
      Layer layer;
      layer.q = make(s_.heads * s_.d, s_.hidden, false);
      layer.k = make(s_.kv_heads * s_.d, s_.hidden, false);
      layer.v = make(s_.kv_heads * s_.d, s_.hidden, true);
      layer.o = make(s_.hidden, s_.heads * s_.d, false);
      layer.gate = make(s_.inner, s_.hidden, false);
      layer.up = make(s_.inner, s_.hidden, false);
      layer.down = make(s_.hidden, s_.inner, true);
      layers_.push_back(layer);
    }
    head_ = {RandomWeight(device_, head, s_.vocabulary, s_.hidden), head, s_.vocabulary, s_.hidden};
    const std::vector<float> ones(static_cast<std::size_t>(s_.hidden), 1.0F);
    norm_ = device_.Weight(SY_F32, {s_.hidden}, ones.data(), ones.size() * 4);
    std::vector<float> frequencies;
    for (std::int64_t i = 0; i < s_.d / 2; ++i) {
      frequencies.push_back(
          std::pow(10000.0F, -2.0F * static_cast<float>(i) / static_cast<float>(s_.d)));
    }
    frequencies_ = device_.Weight(SY_F32, {s_.d / 2}, frequencies.data(), frequencies.size() * 4);
    const auto bytes = static_cast<std::uint64_t>(kPages * kPage * s_.kv_heads * s_.d * 2);
    for (std::int64_t i = 0; i < 2 * s_.layers; ++i) {
      pages_.push_back(nullptr);
      TestDevice::api().buffer_create(device_.handle(), bytes, &pages_.back());
    }
  }
  ~Model() {
    for (sy_buffer* buffer : pages_) TestDevice::api().buffer_destroy(buffer);
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  double WeightBytes() const {
    double bytes = static_cast<double>(ReadBytes(head_.weight));
    for (const Layer& l : layers_) {
      for (const Matrix& m : {l.q, l.k, l.v, l.o, l.gate, l.up, l.down}) {
        bytes += static_cast<double>(ReadBytes(m.weight));
      }
    }
    return bytes;
  }

  // `tokens` rows, of one sequence or of as many sequences.
  class Step {
   public:
    Step(Model& model, std::int64_t tokens, std::int64_t sequences)
        : model_(model), tokens_(tokens), sequences_(sequences), p_(model.device_) {
      Build();
    }
    ~Step() {
      for (std::size_t i = 0; i < own_.size(); ++i) p_.binding(page_tensors_[i]).buffer = own_[i];
    }
    void Run(std::int64_t position) {
      const std::int64_t each = tokens_ / sequences_;
      auto* positions = reinterpret_cast<std::int32_t*>(p_.Data(positions_));
      auto* slots = reinterpret_cast<std::int32_t*>(p_.Data(slots_));
      for (std::int64_t i = 0; i < tokens_; ++i) {
        positions[i] = static_cast<std::int32_t>(position + i % each);
        const std::int64_t page =
            table_[static_cast<std::size_t>(i / each * kPagesEach + (position + i % each) / kPage)];
        slots[i] = static_cast<std::int32_t>(page * kPage + (position + i % each) % kPage);
      }
      for (auto& length : lengths_) length = static_cast<std::int32_t>(position + each);
      std::memcpy(p_.Data(length_index_), lengths_.data(), lengths_.size() * 4);
      if (p_.Run() != SY_OK) fmt::print("failed: {}\n", TestDevice::api().last_error());
    }

   private:
    std::uint32_t WeightOf(const Matrix& m) { return p_.Weight(m.weight, m.dtype, {m.n, m.k}); }
    std::uint32_t Linear(std::uint32_t x, const Matrix& m) {
      const auto y = p_.Temporary(SY_F32, {p_.tensor(x).dims[0], m.n});
      p_.Op(SY_OP_LINEAR, {x, WeightOf(m)}, {y});
      return y;
    }
    std::uint32_t Norm(std::uint32_t x) {
      const std::int64_t hidden = model_.s_.hidden;
      const auto y = p_.Temporary(SY_F32, {p_.tensor(x).dims[0], hidden});
      p_.Op(SY_OP_RMS_NORM, {x, p_.Weight(model_.norm_, SY_F32, {hidden})}, {y});
      return y;
    }
    std::uint32_t Pages(sy_buffer* buffer) {
      const ModelShape& s = model_.s_;
      const auto pages = p_.Argument(SY_F16, {kPages, kPage, s.kv_heads, s.d});
      own_.push_back(p_.binding(pages).buffer);
      page_tensors_.push_back(pages);
      p_.binding(pages).buffer = buffer;
      return pages;
    }

    void Build() {
      const ModelShape& s = model_.s_;
      const std::int64_t t = tokens_;
      std::vector<std::int32_t> ids(static_cast<std::size_t>(t));
      for (std::size_t i = 0; i < ids.size(); ++i)
        ids[i] = static_cast<std::int32_t>(i * 37 % 40000);
      for (std::int64_t i = 0; i < sequences_ * kPagesEach; ++i) {
        table_.push_back(static_cast<std::int32_t>(i % kPages));
      }
      for (std::int64_t b = 0; b <= sequences_; ++b) {
        starts_.push_back(static_cast<std::int32_t>(b * t / sequences_));
      }
      lengths_.assign(static_cast<std::size_t>(sequences_), 1);
      positions_ = p_.Indices({t}, std::vector<std::int32_t>(static_cast<std::size_t>(t)));
      slots_ = p_.Indices({t}, std::vector<std::int32_t>(static_cast<std::size_t>(t)));
      const auto table = p_.Indices({sequences_, kPagesEach}, table_);
      const auto start = p_.Indices({sequences_ + 1}, starts_);
      length_index_ = p_.Indices({sequences_}, lengths_);
      const auto inverse = p_.Weight(model_.frequencies_, SY_F32, {s.d / 2});
      auto x = p_.Temporary(SY_F32, {t, s.hidden});
      p_.Op(SY_OP_EMBEDDING, {WeightOf(model_.head_), p_.Indices({t}, ids)}, {x});
      for (std::size_t l = 0; l < model_.layers_.size(); ++l) {
        const Layer& layer = model_.layers_[l];
        const auto k_pages = Pages(model_.pages_[2 * l]);
        const auto v_pages = Pages(model_.pages_[2 * l + 1]);
        const auto h = Norm(x);
        const auto q = p_.View(Linear(h, layer.q), 0, {t, s.heads, s.d});
        const auto k = p_.View(Linear(h, layer.k), 0, {t, s.kv_heads, s.d});
        const auto v = p_.View(Linear(h, layer.v), 0, {t, s.kv_heads, s.d});
        p_.Op(SY_OP_ROPE, {q, positions_, inverse}, {q});
        p_.Op(SY_OP_ROPE, {k, positions_, inverse}, {k});
        p_.Op(SY_OP_KV_STORE, {k, v, slots_, k_pages, v_pages}, {});
        const auto a = p_.Temporary(SY_F32, {t, s.heads * s.d});
        p_.Op(SY_OP_ATTENTION, {q, k_pages, v_pages, table, start, length_index_},
              {p_.View(a, 0, {t, s.heads, s.d})})
            .scale = 1.0F / std::sqrt(static_cast<float>(s.d));
        x = Add(x, Linear(a, layer.o));
        const auto h2 = Norm(x);
        const auto gate = Linear(h2, layer.gate);
        const auto up = Linear(h2, layer.up);
        const auto m = p_.Temporary(SY_F32, {t, s.inner});
        p_.Op(SY_OP_GATED_ACTIVATION, {gate, up}, {m});
        x = Add(x, Linear(m, layer.down));
      }
      std::vector<std::int32_t> last;
      for (std::int64_t b = 0; b < sequences_; ++b)
        last.push_back(starts_[static_cast<std::size_t>(b) + 1] - 1);
      const auto rows = p_.Temporary(SY_F32, {sequences_, s.hidden});
      p_.Op(SY_OP_ROW_GATHER, {x, p_.Indices({sequences_}, last)}, {rows});
      const auto logits = p_.Argument(SY_F32, {sequences_, s.vocabulary});
      p_.Op(SY_OP_LINEAR, {Norm(rows), WeightOf(model_.head_)}, {logits});
      if (p_.Build() != SY_OK) fmt::print("no program: {}\n", TestDevice::api().last_error());
    }
    std::uint32_t Add(std::uint32_t a, std::uint32_t b) {
      const auto y = p_.Temporary(SY_F32, {tokens_, model_.s_.hidden});
      p_.Op(SY_OP_ADD, {a, b}, {y});
      return y;
    }

    Model& model_;
    std::int64_t tokens_;
    std::int64_t sequences_;
    TestProgram p_;
    std::uint32_t positions_ = 0;
    std::uint32_t slots_ = 0;
    std::uint32_t length_index_ = 0;
    std::vector<std::int32_t> table_;
    std::vector<std::int32_t> starts_;
    std::vector<std::int32_t> lengths_;
    std::vector<std::uint32_t> page_tensors_;
    std::vector<sy_buffer*> own_;
  };

 private:
  static constexpr std::int64_t kPage = 64;
  static constexpr std::int64_t kPagesEach = 32;
  static constexpr std::int64_t kPages = 32 * 4;

  TestDevice& device_;
  ModelShape s_;
  std::vector<Layer> layers_;
  Matrix head_ = {};
  sy_weight* norm_ = nullptr;
  sy_weight* frequencies_ = nullptr;
  std::vector<sy_buffer*> pages_;
};

void BenchModel(const std::string& shape, const std::string& type, int threads,
                const std::string& isa) {
  uses_processor_time = threads == 1;
  TestDevice device(isa, threads);
  const double memory = Ceiling(device, SY_CEILING_MEMORY_GB_S, SY_F32);
  Model model(device, shape == "1.5b" ? k1_5B : k135M, type);
  const double bytes = model.WeightBytes();
  Model::Step one(model, 1, 1);
  const std::int64_t length = shape == "1.5b" ? 256 : 512;
  double prefill = 0;
  {
    Model::Step many(model, length, 1);
    many.Run(0);
    prefill = static_cast<double>(length) / BestSeconds(3, [&] { many.Run(0); });
  }
  const int decoded = shape == "1.5b" ? 24 : 128;
  const double decode = decoded / BestSeconds(3, [&] {
                          for (int i = 0; i < decoded; ++i) one.Run(i);
                        });
  const double deep = 16 / BestSeconds(3, [&] {
                        for (int i = 0; i < 16; ++i) one.Run(1024 + i);
                      });
  double batched = 0;
  {
    Model::Step eight(model, 8, 8);
    batched = 8 * 8 / BestSeconds(3, [&] {
                for (int i = 0; i < 8; ++i) eight.Run(64 + i);
              });
  }
  fmt::print(
      "{} {} threads {}: prefill {} {:.0f} tok/s, decode {} {:.1f} tok/s ({:.0f} % of {:.1f} "
      "GB/s), "
      "at 1024 {:.1f}, batch of 8 {:.1f}; {:.0f} MB a token\n",
      shape, type, threads, length, prefill, decoded, decode, decode * bytes / 1e7 / memory, memory,
      deep, batched, bytes / 1e6);
}

}  // namespace
}  // namespace switchyard::cpu

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto word = [&](std::size_t i, const char* otherwise) {
    return i < words.size() ? words[i] : std::string(otherwise);
  };
  if (word(0, "") == "kernels") {
    switchyard::cpu::BenchKernels(std::atoi(word(1, "1").c_str()), word(2, ""), word(3, ""));
    return 0;
  }
  if (word(0, "") == "model") {
    switchyard::cpu::BenchModel(word(1, "135m"), word(2, "q4_0"), std::atoi(word(3, "1").c_str()),
                                word(4, ""));
    return 0;
  }
  fmt::print(
      "usage: cpu_bench kernels [threads] [isa|\"\"] [TYPE,...]\n"
      "       cpu_bench model 135m|1.5b TYPE [threads] [isa]\n");
  return 2;
}
