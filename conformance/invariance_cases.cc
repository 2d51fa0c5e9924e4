// What must not matter: the other rows of a batch, other queues and threads, rows that are broken.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <thread>

#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

constexpr std::int64_t kInvariantWidth = 256;

// One operation on rows of kInvariantWidth, each of which depends on its own row alone.
struct RowOperation {
  std::string name;
  std::string column;
  std::function<Tensor(Scenario&, Tensor)> apply;
};

std::vector<RowOperation> RowOperations() {
  std::vector<RowOperation> operations;
  for (const DType weight : WeightTypes()) {
    operations.push_back({"linear/" + Text(weight), Text(weight), [weight](Scenario& s, Tensor x) {
                            return s.list.Linear(x, s.Matrix(weight, {40, kInvariantWidth}));
                          }});
  }
  operations.push_back({"rms_norm", "rms_norm", [](Scenario& s, Tensor x) {
                          return s.list.RmsNorm(x, s.Vector(kInvariantWidth), 1e-5F);
                        }});
  operations.push_back({"gated_activation", "gated_activation", [](Scenario& s, Tensor x) {
                          return s.list.GatedActivation(x, x, SY_ACTIVATION_SILU);
                        }});
  operations.push_back(
      {"scale", "scale", [](Scenario& s, Tensor x) { return s.list.Scale(x, 0.3F); }});
  operations.push_back({"add", "add", [](Scenario& s, Tensor x) { return s.list.Add(x, x); }});
  return operations;
}

// Results of one run over `rows`; weights are the same for the same seed.
base::Result<std::vector<float>> RunRows(Context& context, const RowOperation& operation, DType act,
                                         std::uint64_t seed, std::span<const float> rows) {
  Random random(seed);
  Scenario s(random);
  const auto count = static_cast<std::int64_t>(rows.size()) / kInvariantWidth;
  s.Compare(operation.apply(s, s.Floats(act, {count, kInvariantWidth}, rows)), "y", kExact);
  s.Seal();
  SWITCHYARD_TRY(const auto execution, Execution::Prepare(context.tested, s));
  SWITCHYARD_TRY(const Outputs outputs, execution->Run());
  return Decode(act, outputs[0]);
}

bool SameBits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
}

Outcome RowsDoNotMix(Context& context, const RowOperation& operation, DType act) {
  if (!context.tested.has(SY_DEVICE_BATCH_INVARIANT)) {
    return Skip("the device does not claim SY_DEVICE_BATCH_INVARIANT");
  }
  constexpr std::size_t kRows = 70;
  const std::uint64_t seed = context.random();
  const std::vector<float> rows = Normal(context.random, kRows * kInvariantWidth);
  const auto all = RunRows(context, operation, act, seed, rows);
  if (!all) return OutcomeOf(all.error());
  const std::size_t outer = all->size() / kRows;
  for (const std::size_t count : {1U, 2U, 5U, 16U, 33U}) {
    const std::size_t first = (7 * count) % (kRows - count);
    const auto some =
        RunRows(context, operation, act, seed,
                std::span(rows).subspan(first * kInvariantWidth, count * kInvariantWidth));
    if (!some) return OutcomeOf(some.error());
    if (!SameBits(*some, std::span(*all).subspan(first * outer, count * outer))) {
      return Failure(fmt::format("rows {} to {} alone give other bits than among {}", first,
                                 first + count - 1, kRows));
    }
  }
  return Pass();
}

// 2048 rows at once, and the same in three parts.
Outcome LargeBatchesDoNotMix(Context& context, const RowOperation& operation) {
  if (!context.tested.has(SY_DEVICE_BATCH_INVARIANT)) {
    return Skip("the device does not claim SY_DEVICE_BATCH_INVARIANT");
  }
  constexpr std::size_t kRows = 2048;
  const std::uint64_t seed = context.random();
  const std::vector<float> rows = Normal(context.random, kRows * kInvariantWidth);
  const auto all = RunRows(context, operation, DType::kF32, seed, rows);
  if (!all) return OutcomeOf(all.error());
  const std::size_t outer = all->size() / kRows;
  std::size_t first = 0;
  for (const std::size_t count : {1025U, 1U, 1022U}) {
    const auto some =
        RunRows(context, operation, DType::kF32, seed,
                std::span(rows).subspan(first * kInvariantWidth, count * kInvariantWidth));
    if (!some) return OutcomeOf(some.error());
    if (!SameBits(*some, std::span(*all).subspan(first * outer, count * outer))) {
      return Failure(fmt::format("rows {} to {} alone give other bits than among {}", first,
                                 first + count - 1, kRows));
    }
    first += count;
  }
  return Pass();
}

// A row with a NaN or an infinity in it must not look healthy, and must leave the others alone.
Outcome PoisonStaysInItsRow(Context& context, const RowOperation& operation, DType act,
                            float poison) {
  constexpr std::size_t kRows = 6;
  constexpr std::size_t kPoisoned = 3;
  const std::uint64_t seed = context.random();
  std::vector<float> rows = Normal(context.random, kRows * kInvariantWidth);
  const auto clean = RunRows(context, operation, act, seed, rows);
  if (!clean) return OutcomeOf(clean.error());
  rows[kPoisoned * kInvariantWidth + 17] = poison;
  const auto poisoned = RunRows(context, operation, act, seed, rows);
  if (!poisoned) return OutcomeOf(poisoned.error());
  const std::size_t outer = clean->size() / kRows;
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto before = std::span(*clean).subspan(row * outer, outer);
    const auto after = std::span(*poisoned).subspan(row * outer, outer);
    if (row != kPoisoned) {
      if (SameBits(before, after)) continue;
      return Failure(fmt::format("row {} changed because row {} has a {}", row, kPoisoned, poison));
    }
    // One element of an elementwise operation, every output of a product with a dense matrix.
    const bool is_product = operation.name.starts_with("linear");
    const auto is_healthy = [](float value) { return std::isfinite(value); };
    const bool shows = is_product ? std::ranges::none_of(after, is_healthy)
                                  : !std::ranges::all_of(after, is_healthy);
    // The norm of a row with an infinity is zero everywhere else, NaN there.
    if (!shows) {
      return Failure(fmt::format("row {} has a {} but its results are finite", row, poison));
    }
  }
  return Pass();
}

// Several threads, each with its own queue and program, must not disturb one another.
Outcome ThreadsDoNotMix(Context& context, DType act) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 6;
  struct Lane {
    std::unique_ptr<Scenario> scenario;
    std::unique_ptr<Execution> execution;
    Handle<sy_queue> queue{nullptr, nullptr};
    Outputs alone;
    std::string complaint;
  };
  std::vector<Lane> lanes;
  for (int i = 0; i < kThreads; ++i) {
    Lane lane;
    lane.scenario = std::make_unique<Scenario>(context.random);
    Scenario& s = *lane.scenario;
    Tensor x = s.Floats(act, {3 + 4 * i, kInvariantWidth});
    for (int layer = 0; layer < 3; ++layer) {
      x = s.list.RmsNorm(x, s.Vector(kInvariantWidth), 1e-5F);
      x = s.list.Linear(x, s.Matrix(DType::kQ8_0, {kInvariantWidth, kInvariantWidth}));
    }
    s.Compare(x, "y", kExact);
    s.Seal();
    auto execution = Execution::Prepare(context.tested, s);
    if (!execution) return OutcomeOf(execution.error());
    lane.execution = std::move(*execution);
    auto queue = context.tested.CreateQueue();
    if (!queue) return OutcomeOf(queue.error());
    lane.queue = std::move(*queue);
    auto alone = lane.execution->Run(lane.queue.get());
    if (!alone) return OutcomeOf(alone.error());
    lane.alone = std::move(*alone);
    lanes.push_back(std::move(lane));
  }
  {
    std::vector<std::jthread> threads;
    for (Lane& lane : lanes) {
      threads.emplace_back([&lane] {
        for (int round = 0; round < kRounds && lane.complaint.empty(); ++round) {
          const auto outputs = lane.execution->Run(lane.queue.get());
          if (!outputs) {
            lane.complaint = outputs.error().message;
          } else if (*outputs != lane.alone) {
            lane.complaint = "results differ from those of a run alone";
          }
        }
      });
    }
  }
  for (const Lane& lane : lanes) {
    if (!lane.complaint.empty()) return Failure(lane.complaint);
  }
  return Pass();
}

// Weights and programs come and go on one thread while another runs.
Outcome CreationDoesNotDisturb(Context& context, DType act) {
  Scenario s(context.random);
  s.Compare(s.list.Linear(s.Floats(act, {9, kInvariantWidth}),
                          s.Matrix(DType::kQ8_0, {64, kInvariantWidth})),
            "y", kExact);
  s.Seal();
  auto execution = Execution::Prepare(context.tested, s);
  if (!execution) return OutcomeOf(execution.error());
  const auto alone = (*execution)->Run();
  if (!alone) return OutcomeOf(alone.error());
  std::atomic<bool> is_done = false;
  std::string complaint;
  {
    std::jthread other([&] {
      while (!is_done) {
        const auto made = Execution::Prepare(context.tested, s);
        if (!made) complaint = made.error().message;
      }
    });
    for (int round = 0; round < 10; ++round) {
      const auto outputs = (*execution)->Run();
      if (!outputs || *outputs != *alone) {
        is_done = true;
        return Failure(outputs ? "results changed" : outputs.error().message);
      }
    }
    is_done = true;
  }
  return complaint.empty() ? Pass() : Failure(complaint);
}

}  // namespace

void AddInvarianceCases(std::vector<Case>& cases) {
  for (const RowOperation& operation : RowOperations()) {
    for (const DType act : kActivationTypes) {
      cases.push_back({"invariance/batch/" + Text(act) + "/" + operation.name,
                       "batch invariance " + Text(act), operation.column,
                       [=](Context& context) { return RowsDoNotMix(context, operation, act); }});
    }
    cases.push_back({"invariance/batch/f32/" + operation.name + "/large_batches",
                     "batch invariance f32", operation.column,
                     [=](Context& context) { return LargeBatchesDoNotMix(context, operation); }});
    for (const auto& [text, poison] : {std::pair{"nan", NAN}, std::pair{"infinity", INFINITY}}) {
      cases.push_back({fmt::format("invariance/poison/{}/{}", text, operation.name),
                       "poisoned rows", operation.column,
                       [operation, value = static_cast<float>(poison)](Context& context) {
                         return WithAnyActivations([&](DType act) {
                           return PoisonStaysInItsRow(context, operation, act, value);
                         });
                       }});
    }
  }
  const auto add = [&](const char* name, const char* column, Outcome (*run)(Context&, DType)) {
    cases.push_back({name, "threads and queues", column, [run](Context& context) {
                       return WithAnyActivations([&](DType act) { return run(context, act); });
                     }});
  };
  add("invariance/threads", "runs", ThreadsDoNotMix);
  add("invariance/creation", "creation", CreationDoesNotDisturb);
}

}  // namespace switchyard::conformance
