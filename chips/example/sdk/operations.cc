// The card's operations but for attention. Each checks its rules while the caller waits, and is
// done when the stream gets there.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <numeric>
#include <optional>

#include "rows.h"

namespace pretend {
namespace {

Result CheckMemory(std::initializer_list<const Tensor*> tensors) {
  for (const Tensor* tensor : tensors) {
    if (tensor->rank < 1 || tensor->rank > 4) return Result::kBadArgument;
    if (tensor->memory % kAlignmentBytes != 0) return Result::kMisaligned;
  }
  return Result::kOk;
}

Result CheckTypes(std::initializer_list<const Tensor*> tensors, Type type) {
  for (const Tensor* tensor : tensors) {
    if (tensor->type != type) return Result::kUnsupportedType;
  }
  return CheckMemory(tensors);
}

Result First(std::initializer_list<Result> results) {
  for (const Result result : results) {
    if (result != Result::kOk) return result;
  }
  return Result::kOk;
}

bool AreThere(std::initializer_list<const Rows*> all) {
  return std::all_of(all.begin(), all.end(), [](const Rows* rows) { return rows->is_there(); });
}

// y = f(x) for each row, f given a row's number and its values to change; `others` are what else it
// reads.
template <typename Change>
Result ChangeRows(Stream* stream, const Tensor& x, const Tensor& y,
                  const std::vector<Tensor>& others, Change change) {
  if (const Result bad = CheckTypes({&x, &y}, Type::kF16); bad != Result::kOk) return bad;
  stream->Push([=] {
    const Rows from(stream->card, x);
    const Rows to(stream->card, y);
    if (!AreThere({&from, &to})) return Result::kFault;
    for (const Tensor& other : others) {
      if (!Rows(stream->card, other).is_there()) return Result::kFault;
    }
    std::vector<float> row(static_cast<std::size_t>(from.width()));
    for (std::int64_t r = 0; r < from.count(); ++r) {
      from.Load(r, row.data());
      change(r, row);
      to.Store(r, row.data());
    }
    return Result::kOk;
  });
  return Result::kOk;
}

// In 16 sums that are added up in the end: the same bits for every number of rows.
float Dot(const float* a, const float* b, std::int64_t count) {
  float sums[16] = {};
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int j = 0; j < 16; ++j) sums[j] += a[i + j] * b[i + j];
  }
  float sum = 0;
  for (; i < count; ++i) sum += a[i] * b[i];
  return std::accumulate(sums, sums + 16, sum);
}

float Activate(Gate kind, float x) {
  switch (kind) {
    case Gate::kSilu:
      return x / (1 + std::exp(-x));
    case Gate::kGeluTanh:
      return 0.5F * x * (1 + std::tanh(0.7978845608F * (x + 0.044715F * x * x * x)));
    default:
      return 0.5F * x * (1 + std::erf(x * 0.7071067812F));
  }
}

}  // namespace

Result Matmul(Stream* stream, const Tensor& x, const Tensor& w, const Tensor* bias,
              const Tensor& y) {
  if (w.rank != 2 || w.strides[0] * 2 % static_cast<std::int64_t>(kMatrixRowBytes) != 0) {
    return Result::kMisaligned;
  }
  if (y.type == Type::kI32) return Result::kUnsupportedType;
  if (const Result bad = First({CheckTypes({&x, &w}, Type::kF16), CheckMemory({&y})});
      bad != Result::kOk) {
    return bad;
  }
  const std::optional<Tensor> offset = bias == nullptr ? std::nullopt : std::optional(*bias);
  stream->Push([=] {
    const Rows in(stream->card, x);
    const Rows matrix(stream->card, w);
    const Rows out(stream->card, y);
    if (!AreThere({&in, &matrix, &out})) return Result::kFault;
    const auto rows = static_cast<std::size_t>(in.count());
    const auto inner = static_cast<std::size_t>(in.width());
    const auto outer = static_cast<std::size_t>(out.width());
    std::vector<float> added(outer);
    if (offset) {
      const Rows given(stream->card, *offset);
      if (!given.is_there()) return Result::kFault;
      added = LoadVector(given);
    }
    std::vector<float> inputs(rows * inner);
    for (std::size_t t = 0; t < rows; ++t) {
      in.Load(static_cast<std::int64_t>(t), &inputs[t * inner]);
    }
    std::vector<float> products(rows * outer);
    std::vector<float> weights(inner);
    for (std::size_t n = 0; n < outer; ++n) {
      matrix.Load(static_cast<std::int64_t>(n), weights.data());
      for (std::size_t t = 0; t < rows; ++t) {
        products[t * outer + n] =
            Dot(&inputs[t * inner], weights.data(), static_cast<std::int64_t>(inner)) + added[n];
      }
    }
    for (std::size_t t = 0; t < rows; ++t) {
      out.Store(static_cast<std::int64_t>(t), &products[t * outer]);
    }
    return Result::kOk;
  });
  return Result::kOk;
}

Result Embedding(Stream* stream, const Tensor& table, const Tensor& ids, float scale,
                 const Tensor& y) {
  if (const Result bad =
          First({CheckTypes({&table, &y}, Type::kF16), CheckTypes({&ids}, Type::kI32)});
      bad != Result::kOk) {
    return bad;
  }
  stream->Push([=] {
    const Rows from(stream->card, table);
    const Rows numbers(stream->card, ids);
    const Rows to(stream->card, y);
    if (!AreThere({&from, &numbers, &to})) return Result::kFault;
    for (std::int64_t t = 0; t < to.count(); ++t) {
      const std::int32_t id = numbers.Index(0, t);
      if (id < 0 || id >= from.count()) continue;
      std::vector<float> row = from.Load(id);
      for (float& value : row) value *= scale;
      to.Store(t, row.data());
    }
    return Result::kOk;
  });
  return Result::kOk;
}

Result RmsNorm(Stream* stream, const Tensor& x, const Tensor& gamma, float eps, const Tensor& y) {
  if (const Result bad = CheckTypes({&gamma}, Type::kF32); bad != Result::kOk) return bad;
  return ChangeRows(stream, x, y, {gamma}, [=](std::int64_t, std::vector<float>& row) {
    const std::vector<float> weights = LoadVector(Rows(stream->card, gamma));
    double squares = 0;
    for (const float value : row) squares += static_cast<double>(value) * value;
    const double mean = squares / static_cast<double>(row.size());
    const auto factor = static_cast<float>(1 / std::sqrt(mean + eps));
    for (std::size_t i = 0; i < row.size(); ++i) row[i] *= factor * weights[i];
  });
}

Result Rope(Stream* stream, const Tensor& x, const Tensor& positions, const Tensor& frequencies,
            float scale, bool interleaved, const Tensor& y) {
  if (const Result bad =
          First({CheckTypes({&positions}, Type::kI32), CheckTypes({&frequencies}, Type::kF32)});
      bad != Result::kOk) {
    return bad;
  }
  const std::int64_t heads = x.dims[1];
  return ChangeRows(
      stream, x, y, {positions, frequencies}, [=](std::int64_t r, std::vector<float>& row) {
        const std::vector<float> turns = LoadVector(Rows(stream->card, frequencies));
        const std::int32_t position = Rows(stream->card, positions).Index(0, r / heads);
        for (std::size_t i = 0; i < turns.size(); ++i) {
          const std::size_t first = interleaved ? 2 * i : i;
          const std::size_t second = interleaved ? 2 * i + 1 : i + turns.size();
          const float angle = static_cast<float>(position) * turns[i];
          const float cosine = std::cos(angle) * scale;
          const float sine = std::sin(angle) * scale;
          const float a = row[first];
          const float b = row[second];
          row[first] = a * cosine - b * sine;
          row[second] = a * sine + b * cosine;
        }
      });
}

Result GatedActivation(Stream* stream, const Tensor& gate, const Tensor& up, Gate kind,
                       const Tensor& y) {
  if (const Result bad = CheckTypes({&up}, Type::kF16); bad != Result::kOk) return bad;
  return ChangeRows(stream, gate, y, {up}, [=](std::int64_t r, std::vector<float>& row) {
    const std::vector<float> factors = Rows(stream->card, up).Load(r);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = Activate(kind, row[i]) * factors[i];
  });
}

Result Add(Stream* stream, const Tensor& a, const Tensor& b, const Tensor& y) {
  if (const Result bad = CheckTypes({&b}, Type::kF16); bad != Result::kOk) return bad;
  return ChangeRows(stream, a, y, {b}, [=](std::int64_t r, std::vector<float>& row) {
    const std::vector<float> other = Rows(stream->card, b).Load(r);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] += other[i];
  });
}

Result Scale(Stream* stream, const Tensor& x, float scale, float softcap, const Tensor& y) {
  return ChangeRows(stream, x, y, {}, [=](std::int64_t, std::vector<float>& row) {
    for (float& value : row) {
      value *= scale;
      if (softcap > 0) value = softcap * std::tanh(value / softcap);
    }
  });
}

Result GatherRows(Stream* stream, const Tensor& x, const Tensor& rows, const Tensor& y) {
  if (const Result bad = First({CheckTypes({&x, &y}, Type::kF16), CheckTypes({&rows}, Type::kI32)});
      bad != Result::kOk) {
    return bad;
  }
  stream->Push([=] {
    const Rows from(stream->card, x);
    const Rows numbers(stream->card, rows);
    const Rows to(stream->card, y);
    if (!AreThere({&from, &numbers, &to})) return Result::kFault;
    for (std::int64_t b = 0; b < to.count(); ++b) {
      const std::int32_t row = numbers.Index(0, b);
      if (row < 0 || row >= from.count()) continue;
      std::memcpy(to.At(b), from.At(row), static_cast<std::size_t>(to.width()) * 2);
    }
    return Result::kOk;
  });
  return Result::kOk;
}

Result Cast(Stream* stream, const Tensor& x, const Tensor& y) {
  if (x.type == Type::kI32 || y.type == Type::kI32) return Result::kUnsupportedType;
  if (const Result bad = CheckMemory({&x, &y}); bad != Result::kOk) return bad;
  stream->Push([=] {
    const Rows from(stream->card, x);
    const Rows to(stream->card, y);
    if (!AreThere({&from, &to})) return Result::kFault;
    for (std::int64_t r = 0; r < from.count(); ++r) to.Store(r, from.Load(r).data());
    return Result::kOk;
  });
  return Result::kOk;
}

Result TopK(Stream* stream, const Tensor& x, const Tensor& values, const Tensor& ids) {
  if (const Result bad = First({CheckTypes({&x}, Type::kF16), CheckTypes({&values}, Type::kF32),
                                CheckTypes({&ids}, Type::kI32)});
      bad != Result::kOk) {
    return bad;
  }
  stream->Push([=] {
    const Rows from(stream->card, x);
    const Rows to(stream->card, values);
    const Rows numbers(stream->card, ids);
    if (!AreThere({&from, &to, &numbers})) return Result::kFault;
    std::vector<std::int32_t> order(static_cast<std::size_t>(from.width()));
    std::vector<float> chosen(static_cast<std::size_t>(to.width()));
    for (std::int64_t r = 0; r < from.count(); ++r) {
      const std::vector<float> row = from.Load(r);
      std::iota(order.begin(), order.end(), 0);
      const auto is_before = [&](std::int32_t i, std::int32_t j) {
        const float a = row[static_cast<std::size_t>(i)];
        const float b = row[static_cast<std::size_t>(j)];
        if (std::isnan(a) || std::isnan(b)) {
          return std::isnan(a) == std::isnan(b) ? i < j : std::isnan(b);
        }
        return a != b ? a > b : i < j;
      };
      std::partial_sort(order.begin(), order.begin() + to.width(), order.end(), is_before);
      for (std::size_t j = 0; j < chosen.size(); ++j) {
        chosen[j] = row[static_cast<std::size_t>(order[j])];
      }
      to.Store(r, chosen.data());
      std::memcpy(numbers.At(r), order.data(), chosen.size() * sizeof(std::int32_t));
    }
    return Result::kOk;
  });
  return Result::kOk;
}

}  // namespace pretend
