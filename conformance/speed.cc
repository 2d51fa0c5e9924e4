#include "conformance/speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <optional>

#include "conformance/execution.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kHidden = 4096;
constexpr std::int64_t kInner = 11008;
constexpr std::int64_t kPrefillRows = 256;
// Of a weight that must come from memory: several times what caches hold.
constexpr double kFromMemoryBytes = 128e6;

struct TimedSubject {
  std::string operation;
  std::string shape;
  sy_ceiling ceiling = SY_CEILING_MEMORY_GB_S;
  DType type = DType::kF32;      // of the ceiling, where it is arithmetic
  double amount = 0;             // bytes or floating-point operations of a run
  std::int64_t activations = 0;  // elements of them that count among the bytes
  std::function<void(Scenario&, DType activation)> build;
};

double Bytes(DType dtype, std::int64_t elements) {
  return static_cast<double>(tensor::RowBytes(dtype, elements).value_or(0));
}

DType ArithmeticOf(DType weight) { return tensor::IsQuantised(weight) ? DType::kI8 : weight; }

void AddLinears(std::vector<TimedSubject>& subjects) {
  for (const DType weight : WeightTypes()) {
    const auto rows = static_cast<std::int64_t>(kFromMemoryBytes / Bytes(weight, kHidden));
    subjects.push_back(
        {fmt::format("linear {}, 1 row", Text(weight)), fmt::format("{} x {}", rows, kHidden),
         SY_CEILING_MEMORY_GB_S, DType::kF32, Bytes(weight, rows * kHidden), 0,
         [weight, rows](Scenario& s, DType act) {
           s.Compare(s.list.Linear(s.Floats(act, {1, kHidden}), s.Matrix(weight, {rows, kHidden})),
                     "y", kExact);
         }});
  }
  for (const DType weight : WeightTypes()) {
    subjects.push_back({fmt::format("linear {}, 256 rows", Text(weight)), "2048 x 4096",
                        SY_CEILING_GFLOP_S, ArithmeticOf(weight),
                        2.0 * kPrefillRows * 2048 * kHidden, 0, [weight](Scenario& s, DType act) {
                          s.Compare(s.list.Linear(s.Floats(act, {kPrefillRows, kHidden}),
                                                  s.Matrix(weight, {2048, kHidden})),
                                    "y", kExact);
                        }});
  }
}

void AddAttention(std::vector<TimedSubject>& subjects) {
  constexpr std::int64_t kKvHeads = 8;
  constexpr std::int64_t kHeads = 32;
  constexpr std::int64_t kWidth = 128;
  constexpr std::int32_t kPage = 128;  // a multiple that every known chip takes
  const auto build = [](std::int32_t queries, std::int32_t length) {
    return [=](Scenario& s, DType act) {
      const std::int32_t pages = (length + kPage - 1) / kPage;
      const Tensor keys = s.Pages(DType::kF16, {pages, kPage, kKvHeads, kWidth});
      const Tensor values = s.Pages(DType::kF16, {pages, kPage, kKvHeads, kWidth});
      // Undefined contents take as long as any.
      const std::vector<std::int32_t> starts = {0, queries};
      const std::vector<std::int32_t> lengths = {length};
      const Tensor y = s.list.Attention(
          {s.Floats(act, {queries, kHeads, kWidth}), keys, values,
           s.HostIntegers({1, pages}, Counting(pages)), s.HostIntegers({2}, starts),
           s.HostIntegers({1}, lengths), ops::kAbsent},
          {.scale = 1 / std::sqrt(static_cast<float>(kWidth))});
      s.Compare(y, "y", kExact);
    };
  };
  subjects.push_back({"attention, 1 query", "4096 keys, 32/8 heads of 128, f16 pages",
                      SY_CEILING_MEMORY_GB_S, DType::kF32,
                      Bytes(DType::kF16, 2 * 4096 * kKvHeads * kWidth), 0, build(1, 4096)});
  // Half of the square is masked.
  subjects.push_back({"attention, 512 queries", "512 keys, 32/8 heads of 128, f16 pages",
                      SY_CEILING_GFLOP_S, DType::kF32, 2.0 * 512 * 512 * kHeads * kWidth, 0,
                      build(512, 512)});
}

void AddRows(std::vector<TimedSubject>& subjects) {
  const auto add = [&](std::string operation, std::string shape, std::int64_t elements,
                       std::function<Tensor(Scenario&, DType act)> build) {
    subjects.push_back({std::move(operation), std::move(shape), SY_CEILING_MEMORY_GB_S, DType::kF32,
                        0, elements, [build = std::move(build)](Scenario& s, DType act) {
                          s.Compare(build(s, act), "y", kExact);
                        }});
  };
  add("rms_norm", "512 x 4096", 2 * 512 * kHidden, [](Scenario& s, DType act) {
    return s.list.RmsNorm(s.Floats(act, {512, kHidden}), s.Vector(kHidden), 1e-5F);
  });
  add("rope", "512 x 32 x 128", 2 * 512 * kHidden, [](Scenario& s, DType act) {
    return s.list.Rope(s.Floats(act, {512, 32, 128}), s.Integers({512}, Counting(512)),
                       s.Vector(64), false);
  });
  add("gated_activation", "256 x 11008", 3 * 256 * kInner, [](Scenario& s, DType act) {
    return s.list.GatedActivation(s.Floats(act, {256, kInner}), s.Floats(act, {256, kInner}),
                                  SY_ACTIVATION_SILU);
  });
  add("add", "512 x 4096", 3 * 512 * kHidden, [](Scenario& s, DType act) {
    return s.list.Add(s.Floats(act, {512, kHidden}), s.Floats(act, {512, kHidden}));
  });
  add("top_k", "8 of 16 x 151936", 16 * 151936,
      [](Scenario& s, DType act) { return s.list.TopK(s.Floats(act, {16, 151936}), 8).values; });
}

// Seconds of a run: the median of at least five, over at least a fifth of a second.
base::Result<double> MedianSeconds(Session& session, Execution& execution) {
  sy_queue* const queue = session.queue();
  const auto run = [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(execution.Launch(queue));
    return session.Check(session.api().queue_sync(queue), "queue_sync");
  };
  SWITCHYARD_RETURN_IF_ERROR(execution.FillArguments(queue));
  SWITCHYARD_RETURN_IF_ERROR(run());
  std::vector<double> seconds;
  double sum = 0;
  while (seconds.size() < 5 || (sum < 0.2 && seconds.size() < 1000)) {
    const auto begin = Clock::now();
    SWITCHYARD_RETURN_IF_ERROR(run());
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    sum += seconds.back();
  }
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::ranges::nth_element(seconds, middle);
  return *middle;
}

// With the first type of activations that the chip takes; without its ceiling. Nothing if it takes
// none.
base::Result<std::optional<Speed>> Measure(Session& session, const TimedSubject& subject,
                                           std::uint64_t seed) {
  for (const DType activation : kActivationTypes) {
    Random random(seed);
    Scenario scenario(random);
    subject.build(scenario, activation);
    scenario.Seal();
    const auto execution = Execution::Prepare(session, scenario);
    if (!execution && execution.error().code == base::ErrorCode::kUnimplemented) continue;
    if (!execution) return std::unexpected(execution.error());
    SWITCHYARD_TRY(const double seconds, MedianSeconds(session, **execution));
    const std::string shape = activation == DType::kF32
                                  ? subject.shape
                                  : fmt::format("{}, {} in", subject.shape, Text(activation));
    const double amount = subject.amount + Bytes(activation, subject.activations);
    const bool is_memory = subject.ceiling == SY_CEILING_MEMORY_GB_S;
    return Speed{subject.operation,
                 shape,
                 seconds,
                 amount / seconds / 1e9,
                 is_memory ? "GB/s" : "GFLOP/s",
                 0};
  }
  return std::nullopt;
}

}  // namespace

base::Result<std::vector<Speed>> MeasureSpeeds(Session& session, std::uint64_t seed) {
  std::vector<TimedSubject> subjects;
  AddLinears(subjects);
  AddAttention(subjects);
  AddRows(subjects);
  std::map<std::pair<sy_ceiling, DType>, double> ceilings;
  const auto ceiling_of = [&](const TimedSubject& subject) {
    const auto [found, is_new] = ceilings.try_emplace({subject.ceiling, subject.type}, 0);
    if (is_new && session.api().measure_ceiling != nullptr) {
      double value = 0;
      const sy_status status = session.api().measure_ceiling(
          session.device(), subject.ceiling, static_cast<sy_dtype>(subject.type), &value);
      if (status == SY_OK) found->second = value;
    }
    return found->second;
  };
  std::vector<Speed> speeds;
  for (const TimedSubject& subject : subjects) {
    SWITCHYARD_TRY(std::optional<Speed> speed, Measure(session, subject, seed));
    if (!speed) continue;
    speed->ceiling = ceiling_of(subject);
    speeds.push_back(*std::move(speed));
  }
  return speeds;
}

std::string DescribeSpeeds(const std::vector<Speed>& speeds) {
  std::string text = fmt::format("{:<24} {:<40} {:>10} {:>10} {:<8} {:>10}\n", "operation", "shape",
                                 "ms", "rate", "", "of ceiling");
  for (const Speed& speed : speeds) {
    text +=
        fmt::format("{:<24} {:<40} {:>10.3f} {:>10.1f} {:<8} {:>10}\n", speed.operation,
                    speed.shape, speed.seconds * 1e3, speed.rate, speed.unit,
                    speed.ceiling > 0 ? fmt::format("{:.0f} %", 100 * speed.rate / speed.ceiling)
                                      : std::string("unknown"));
  }
  return text;
}

}  // namespace switchyard::conformance
