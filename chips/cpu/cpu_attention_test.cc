// The KV store and attention against a plain softmax in double; a transformer block for what must
// not depend on batches, chunks or threads; pages to and from the neutral layout.
#include <cmath>
#include <limits>
#include <numeric>

#include "cpu_test_program.h"

namespace switchyard::cpu {
namespace {

struct Shape {
  std::int64_t heads = 6;
  std::int64_t kv_heads = 2;
  std::int64_t d = 32;
  std::int64_t dv = 32;
  std::int64_t page = 16;
  sy_dtype kv_type = SY_F32;
  sy_dtype type = SY_F32;
  std::uint32_t window = 0;
  float softcap = 0;
  bool has_sinks = false;
};

struct Sequence {
  std::int64_t queries;
  std::int64_t length;
};

// Keys and values of all sequences are stored first, in programs of a few tokens, then all queries
// attend at once.
class AttentionCase {
 public:
  AttentionCase(TestDevice& device, const Shape& shape, const std::vector<Sequence>& sequences)
      : device_(device), shape_(shape), sequences_(sequences) {
    for (const Sequence& s : sequences) {
      tokens_ += s.queries;
      pages_each_ = std::max(pages_each_, (s.length + shape.page - 1) / shape.page);
      keys_.push_back(Rounded(RandomFloats(s.length * shape.kv_heads * shape.d, ++seed_)));
      values_.push_back(Rounded(RandomFloats(s.length * shape.kv_heads * shape.dv, ++seed_)));
    }
    query_ = RandomFloats(tokens_ * shape.heads * shape.d, ++seed_);
    sinks_ = RandomFloats(shape.heads, ++seed_);
  }

  std::vector<float> Run() {
    const auto count = static_cast<std::int64_t>(sequences_.size());
    const std::int64_t pages = count * pages_each_ + 1;
    TestProgram program(device_);
    const auto k_pages =
        program.Argument(shape_.kv_type, {pages, shape_.page, shape_.kv_heads, shape_.d});
    const auto v_pages =
        program.Argument(shape_.kv_type, {pages, shape_.page, shape_.kv_heads, shape_.dv});
    // What nobody stored must not matter.
    FillWithNaN(program, k_pages);
    FillWithNaN(program, v_pages);
    std::vector<std::int32_t> table(static_cast<std::size_t>(count * pages_each_), -1);
    std::vector<std::int32_t> starts = {0};
    std::vector<std::int32_t> lengths;
    for (std::int64_t b = 0; b < count; ++b) {
      const Sequence& s = sequences_[static_cast<std::size_t>(b)];
      for (std::int64_t p = 0; p * shape_.page < s.length; ++p) {
        // Scattered: pages of a sequence are not neighbours.
        table[static_cast<std::size_t>(b * pages_each_ + p)] =
            static_cast<std::int32_t>((p * count + b) % (pages - 1) + 1);
      }
      starts.push_back(starts.back() + static_cast<std::int32_t>(s.queries));
      lengths.push_back(static_cast<std::int32_t>(s.length));
      std::vector<std::int32_t> slots;
      for (std::int64_t i = 0; i < s.length; ++i) {
        const auto page = table[static_cast<std::size_t>(b * pages_each_ + i / shape_.page)];
        slots.push_back(page * static_cast<std::int32_t>(shape_.page) +
                        static_cast<std::int32_t>(i % shape_.page));
      }
      const auto k = program.Floats(SY_F32, {s.length, shape_.kv_heads, shape_.d},
                                    keys_[static_cast<std::size_t>(b)]);
      const auto v = program.Floats(SY_F32, {s.length, shape_.kv_heads, shape_.dv},
                                    values_[static_cast<std::size_t>(b)]);
      program.Op(SY_OP_KV_STORE, {k, v, program.Indices({s.length}, slots), k_pages, v_pages}, {});
    }
    const auto q = program.Floats(shape_.type, {tokens_, shape_.heads, shape_.d}, query_);
    if (shape_.type != SY_F32) query_ = program.Read(q);
    const auto y = program.Argument(shape_.type, {tokens_, shape_.heads, shape_.dv});
    const auto table_index = program.Indices({count, pages_each_}, table);
    const auto start_index = program.Indices({count + 1}, starts);
    const auto length_index = program.Indices({count}, lengths);
    sy_op& op =
        shape_.has_sinks
            ? program.Op(SY_OP_ATTENTION,
                         {q, k_pages, v_pages, table_index, start_index, length_index,
                          program.Vector(sinks_)},
                         {y})
            : program.Op(SY_OP_ATTENTION,
                         {q, k_pages, v_pages, table_index, start_index, length_index}, {y});
    op.scale = 1.0F / std::sqrt(static_cast<float>(shape_.d));
    op.window = shape_.window;
    op.softcap = shape_.softcap;
    program.binding(table_index).host_copy = table.data();
    program.binding(start_index).host_copy = starts.data();
    program.binding(length_index).host_copy = lengths.data();
    program.MustRun();
    return program.Read(y);
  }

  void ExpectNear(const std::vector<float>& y, double tolerance) const {
    std::int64_t row = 0;
    for (std::size_t b = 0; b < sequences_.size(); ++b) {
      const Sequence& s = sequences_[b];
      for (std::int64_t i = 0; i < s.queries; ++i, ++row) {
        for (std::int64_t h = 0; h < shape_.heads; ++h) {
          const auto expected = Attend(b, row, s.length - s.queries + i, h);
          for (std::int64_t j = 0; j < shape_.dv; ++j) {
            const auto at = static_cast<std::size_t>((row * shape_.heads + h) * shape_.dv + j);
            ASSERT_NEAR(static_cast<double>(y[at]), expected[static_cast<std::size_t>(j)],
                        tolerance)
                << "sequence " << b << " query " << i << " head " << h;
          }
        }
      }
    }
  }

 private:
  std::vector<float> Rounded(std::vector<float> values) const {
    for (float& value : values) {
      if (shape_.kv_type == SY_F16) value = tensor::F16ToFloat(tensor::FloatToF16(value));
      if (shape_.kv_type == SY_BF16) value = tensor::BF16ToFloat(tensor::FloatToBF16(value));
    }
    return values;
  }

  static void FillWithNaN(TestProgram& program, std::uint32_t pages) {
    const sy_tensor& t = program.tensor(pages);
    const std::int64_t elements = t.dims[0] * t.dims[1] * t.dims[2] * t.dims[3];
    program.Write(pages, std::vector<float>(static_cast<std::size_t>(elements), std::nanf("")));
  }

  std::vector<double> Attend(std::size_t b, std::int64_t row, std::int64_t position,
                             std::int64_t head) const {
    const std::int64_t g = head / (shape_.heads / shape_.kv_heads);
    const std::int64_t window = shape_.window;
    const std::int64_t first = window > 0 ? std::max<std::int64_t>(0, position + 1 - window) : 0;
    std::vector<double> scores;
    double largest = shape_.has_sinks ? static_cast<double>(sinks_[static_cast<std::size_t>(head)])
                                      : -std::numeric_limits<double>::infinity();
    for (std::int64_t p = first; p <= position; ++p) {
      double dot = 0;
      for (std::int64_t i = 0; i < shape_.d; ++i) {
        dot += static_cast<double>(
                   query_[static_cast<std::size_t>((row * shape_.heads + head) * shape_.d + i)]) *
               static_cast<double>(
                   keys_[b][static_cast<std::size_t>((p * shape_.kv_heads + g) * shape_.d + i)]);
      }
      dot /= std::sqrt(static_cast<double>(shape_.d));
      const auto cap = static_cast<double>(shape_.softcap);
      scores.push_back(cap > 0 ? cap * std::tanh(dot / cap) : dot);
      largest = std::max(largest, scores.back());
    }
    double sum =
        shape_.has_sinks
            ? std::exp(static_cast<double>(sinks_[static_cast<std::size_t>(head)]) - largest)
            : 0;
    for (double& score : scores) sum += score = std::exp(score - largest);
    std::vector<double> y(static_cast<std::size_t>(shape_.dv));
    for (std::int64_t p = first; p <= position; ++p) {
      for (std::int64_t j = 0; j < shape_.dv; ++j) {
        y[static_cast<std::size_t>(j)] +=
            scores[static_cast<std::size_t>(p - first)] / sum *
            static_cast<double>(
                values_[b][static_cast<std::size_t>((p * shape_.kv_heads + g) * shape_.dv + j)]);
      }
    }
    return y;
  }

  TestDevice& device_;
  Shape shape_;
  std::vector<Sequence> sequences_;
  std::int64_t tokens_ = 0;
  std::int64_t pages_each_ = 0;
  unsigned seed_ = 0;
  std::vector<std::vector<float>> keys_;
  std::vector<std::vector<float>> values_;
  std::vector<float> query_;
  std::vector<float> sinks_;
};

using CpuAttention = VariantTest;

TEST_P(CpuAttention, AgreesWithPlainSoftmax) {
  TestDevice device(GetParam(), 2);
  std::vector<Shape> shapes(12);
  shapes[1].kv_type = SY_F16;
  shapes[2].kv_type = SY_BF16;
  shapes[3].window = 20;
  shapes[4].softcap = 2.0F;
  shapes[5].has_sinks = true;
  shapes[6] = {3, 1, 20, 12, 32, SY_F32, SY_F32, 0, 0, false};  // odd widths
  shapes[7] = {8, 8, 64, 64, 64, SY_F16, SY_F32, 0, 0, false};
  shapes[8] = {14, 2, 80, 72, 16, SY_F16, SY_F32, 150, 0, true};
  shapes[9] = {16, 1, 96, 128, 128, SY_F32, SY_F32, 0, 0, false};  // one shared latent head
  shapes[10].type = SY_F16;
  shapes[11].type = SY_BF16;
  const std::vector<std::vector<Sequence>> batches = {
      {{1, 1}}, {{1, 300}}, {{40, 40}}, {{1, 130}, {7, 128}, {1, 5}, {0, 9}, {33, 270}}, {{3, 129}},
  };
  for (const Shape& shape : shapes) {
    for (const auto& batch : batches) {
      AttentionCase attention(device, shape, batch);
      const double tolerance = shape.type == SY_F32 ? 3e-6 : (shape.type == SY_F16 ? 2e-3 : 2e-2);
      attention.ExpectNear(attention.Run(), tolerance);
    }
  }
}

// A block of a transformer over a KV cache: what an engine runs, cut in different ways.
class Block {
 public:
  Block(TestDevice& device, sy_dtype kv_type) : device_(device), kv_type_(kv_type) {
    const auto weight = [&](std::int64_t n, std::int64_t k) {
      const auto values = RandomFloats(n * k, ++seed_, 0.05F);
      return device.Weight(SY_F32, {n, k}, values.data(), values.size() * 4);
    };
    wq_ = weight(kHeads * kD, kHidden);
    wk_ = weight(kKvHeads * kD, kHidden);
    wv_ = weight(kKvHeads * kD, kHidden);
    wo_ = weight(kHidden, kHeads * kD);
    gate_ = weight(kInner, kHidden);
    up_ = weight(kInner, kHidden);
    down_ = weight(kHidden, kInner);
    pages_bytes_ = kPages * kPage * kKvHeads * kD * 4;
    const sy_chip_api& api = TestDevice::api();
    EXPECT_EQ(api.buffer_create(device.handle(), pages_bytes_, &k_pages_), SY_OK);
    EXPECT_EQ(api.buffer_create(device.handle(), pages_bytes_, &v_pages_), SY_OK);
  }
  ~Block() {
    TestDevice::api().buffer_destroy(k_pages_);
    TestDevice::api().buffer_destroy(v_pages_);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  static constexpr std::int64_t kHidden = 96;
  static constexpr std::int64_t kInner = 160;

  struct Part {
    std::int64_t first_page;
    std::int64_t position;
    std::vector<float> x;  // [tokens, kHidden]
  };

  // Every part is the next tokens of a sequence whose pages begin at first_page.
  std::vector<float> Run(const std::vector<Part>& parts) {
    std::vector<float> x;
    std::vector<std::int32_t> positions;
    std::vector<std::int32_t> slots;
    std::vector<std::int32_t> table;
    std::vector<std::int32_t> starts = {0};
    std::vector<std::int32_t> lengths;
    for (const Part& part : parts) {
      const auto count = static_cast<std::int64_t>(part.x.size()) / kHidden;
      x.insert(x.end(), part.x.begin(), part.x.end());
      for (std::int64_t i = 0; i < count; ++i) {
        positions.push_back(static_cast<std::int32_t>(part.position + i));
        slots.push_back(static_cast<std::int32_t>(part.first_page * kPage + part.position + i));
      }
      for (std::int64_t p = 0; p < kPagesEach; ++p) {
        table.push_back(static_cast<std::int32_t>(part.first_page + p));
      }
      starts.push_back(starts.back() + static_cast<std::int32_t>(count));
      lengths.push_back(static_cast<std::int32_t>(part.position + count));
    }
    const auto t = static_cast<std::int64_t>(positions.size());
    const auto b = static_cast<std::int64_t>(parts.size());
    TestProgram p(device_);
    const auto in = p.Floats(SY_F32, {t, kHidden}, x);
    const auto position_index = p.Indices({t}, positions);
    const auto slot_index = p.Indices({t}, slots);
    const auto table_index = p.Indices({b, kPagesEach}, table);
    const auto start_index = p.Indices({b + 1}, starts);
    const auto length_index = p.Indices({b}, lengths);
    const auto k_pages = p.Argument(kv_type_, {kPages, kPage, kKvHeads, kD});
    const auto v_pages = p.Argument(kv_type_, {kPages, kPage, kKvHeads, kD});
    sy_buffer* own_k = p.binding(k_pages).buffer;
    sy_buffer* own_v = p.binding(v_pages).buffer;
    p.binding(k_pages).buffer = k_pages_;
    p.binding(v_pages).buffer = v_pages_;
    const auto norm = p.Vector(RandomFloats(kHidden, 77));
    std::vector<float> frequencies;
    for (int i = 0; i < kD / 2; ++i)
      frequencies.push_back(std::pow(1000.0F, -static_cast<float>(i) / 16));
    const auto inverse = p.Vector(frequencies);
    const auto temporary = [&](std::int64_t n) { return p.Temporary(SY_F32, {t, n}); };
    const auto weight = [&](sy_weight* w, std::int64_t n, std::int64_t k) {
      return p.Weight(w, SY_F32, {n, k});
    };
    const auto h = temporary(kHidden);
    p.Op(SY_OP_RMS_NORM, {in, norm}, {h});
    const auto q = temporary(kHeads * kD);
    const auto k = temporary(kKvHeads * kD);
    const auto v = temporary(kKvHeads * kD);
    p.Op(SY_OP_LINEAR, {h, weight(wq_, kHeads * kD, kHidden)}, {q});
    const auto q3 = p.View(q, 0, {t, kHeads, kD});
    p.Op(SY_OP_ROPE, {q3, position_index, inverse}, {q3});
    p.Op(SY_OP_LINEAR, {h, weight(wk_, kKvHeads * kD, kHidden)}, {k});
    p.Op(SY_OP_LINEAR, {h, weight(wv_, kKvHeads * kD, kHidden)}, {v});
    const auto k3 = p.View(k, 0, {t, kKvHeads, kD});
    const auto v3 = p.View(v, 0, {t, kKvHeads, kD});
    p.Op(SY_OP_ROPE, {k3, position_index, inverse}, {k3});
    p.Op(SY_OP_KV_STORE, {k3, v3, slot_index, k_pages, v_pages}, {});
    const auto a = temporary(kHeads * kD);
    p.Op(SY_OP_ATTENTION, {q3, k_pages, v_pages, table_index, start_index, length_index},
         {p.View(a, 0, {t, kHeads, kD})});
    const auto o = temporary(kHidden);
    const auto x2 = temporary(kHidden);
    p.Op(SY_OP_LINEAR, {a, weight(wo_, kHidden, kHeads * kD)}, {o});
    p.Op(SY_OP_ADD, {in, o}, {x2});
    const auto h2 = temporary(kHidden);
    p.Op(SY_OP_RMS_NORM, {x2, norm}, {h2});
    const auto g = temporary(kInner);
    const auto u = temporary(kInner);
    const auto m = temporary(kInner);
    p.Op(SY_OP_LINEAR, {h2, weight(gate_, kInner, kHidden)}, {g});
    p.Op(SY_OP_LINEAR, {h2, weight(up_, kInner, kHidden)}, {u});
    p.Op(SY_OP_GATED_ACTIVATION, {g, u}, {m});
    const auto down = temporary(kHidden);
    const auto y = p.Argument(SY_F32, {t, kHidden});
    p.Op(SY_OP_LINEAR, {m, weight(down_, kHidden, kInner)}, {down});
    p.Op(SY_OP_ADD, {x2, down}, {y});
    p.binding(table_index).host_copy = table.data();
    p.binding(start_index).host_copy = starts.data();
    p.binding(length_index).host_copy = lengths.data();
    p.MustRun();
    auto result = p.Read(y);
    p.binding(k_pages).buffer = own_k;
    p.binding(v_pages).buffer = own_v;
    return result;
  }

 private:
  static constexpr std::int64_t kHeads = 6;
  static constexpr std::int64_t kKvHeads = 2;
  static constexpr std::int64_t kD = 32;
  static constexpr std::int64_t kPage = 32;
  static constexpr std::int64_t kPagesEach = 12;
  static constexpr std::int64_t kPages = 4 * kPagesEach;

  TestDevice& device_;
  sy_dtype kv_type_;
  unsigned seed_ = 0;
  std::uint64_t pages_bytes_ = 0;
  sy_buffer* k_pages_ = nullptr;
  sy_buffer* v_pages_ = nullptr;
  sy_weight* wq_;
  sy_weight* wk_;
  sy_weight* wv_;
  sy_weight* wo_;
  sy_weight* gate_;
  sy_weight* up_;
  sy_weight* down_;
};

std::vector<float> Slice(const std::vector<float>& x, std::int64_t from, std::int64_t to) {
  return {x.begin() + from * Block::kHidden, x.begin() + to * Block::kHidden};
}

TEST_P(CpuAttention, ABlockGivesTheSameBitsHoweverItsTokensAreBatched) {
  for (const sy_dtype kv_type : {SY_F16, SY_F32}) {
    const auto x = RandomFloats(300 * Block::kHidden, 1);
    const auto other = RandomFloats(40 * Block::kHidden, 2);
    TestDevice device(GetParam(), 1);
    Block block(device, kv_type);
    const auto whole = block.Run({{0, 0, x}});
    for (const int threads : {1, 2, 5}) {
      TestDevice team(GetParam(), threads);
      Block parts(team, kv_type);
      std::vector<float> y;
      const auto append = [&](const std::vector<float>& more) {
        y.insert(y.end(), more.begin(), more.end());
      };
      append(parts.Run({{0, 0, Slice(x, 0, 140)}}));
      append(parts.Run({{0, 140, Slice(x, 140, 157)}}));
      // Among strangers.
      auto mixed = parts.Run({{12, 0, other}, {0, 157, Slice(x, 157, 290)}, {24, 0, other}});
      append(Slice(mixed, 40, 173));
      for (std::int64_t i = 290; i < 300; ++i) append(parts.Run({{0, i, Slice(x, i, i + 1)}}));
      ASSERT_EQ(y.size(), whole.size());
      EXPECT_EQ(std::memcmp(y.data(), whole.data(), y.size() * 4), 0) << threads << " threads";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, CpuAttention, testing::ValuesIn(VariantNames()),
                         VariantTest::NameOf);

TEST(CpuKvPages, GoOutAndComeBackInTheNeutralLayout) {
  TestDevice device;
  const sy_chip_api& api = TestDevice::api();
  for (const sy_dtype dtype : {SY_F32, SY_F16}) {
    TestProgram program(device);
    const std::int64_t page = 32;
    const std::int64_t heads = 3;
    const std::int64_t d = dtype == SY_F32 ? 20 : 24;
    const std::int64_t dv = d + 4;
    const auto k_pages = program.Argument(dtype, {4, page, heads, d});
    const auto v_pages = program.Argument(dtype, {4, page, heads, dv});
    std::vector<std::int32_t> slots(static_cast<std::size_t>(page));
    std::iota(slots.begin(), slots.end(), static_cast<std::int32_t>(2 * page));
    const auto k = program.Floats(dtype, {page, heads, d}, RandomFloats(page * heads * d, 1));
    const auto v = program.Floats(dtype, {page, heads, dv}, RandomFloats(page * heads * dv, 2));
    std::vector<char> out(static_cast<std::size_t>(page * heads * dv * 4));
    program.Op(SY_OP_KV_STORE, {k, v, program.Indices({page}, slots), k_pages, v_pages}, {});
    program.MustRun();
    for (const bool is_key : {true, false}) {
      const auto pages = is_key ? k_pages : v_pages;
      const auto from = is_key ? k : v;
      const sy_kv_part part = is_key ? SY_KV_KEYS : SY_KV_VALUES;
      const auto bytes =
          static_cast<std::size_t>(page * heads * (is_key ? d : dv)) * (dtype == SY_F32 ? 4 : 2);
      ASSERT_EQ(api.kv_export(device.queue(), part, &program.tensor(pages), &program.binding(pages),
                              2, out.data()),
                SY_OK);
      EXPECT_EQ(std::memcmp(out.data(), program.Data(from), bytes), 0);
      ASSERT_EQ(api.kv_import(device.queue(), part, &program.tensor(pages), &program.binding(pages),
                              1, out.data()),
                SY_OK);
      EXPECT_EQ(std::memcmp(program.Data(pages) + bytes, program.Data(pages) + 2 * bytes, bytes),
                0);
      EXPECT_EQ(api.kv_export(device.queue(), part, &program.tensor(pages), &program.binding(pages),
                              4, out.data()),
                SY_INVALID_ARGUMENT);
    }
  }
}

}  // namespace
}  // namespace switchyard::cpu
