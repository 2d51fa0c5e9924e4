#include "conformance/soak.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "conformance/comparison.h"
#include "conformance/execution.h"
#include "conformance/layer_model.h"
#include "conformance/memory_watch.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

using base::ErrorCode;
using base::Fail;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kAlive = 4;         // decoders of one thread
constexpr std::uint64_t kRunsEach = 120;  // of one thread between a new decoder and the next
// Memory that the allocators of the process and of a driver may keep.
constexpr std::int64_t kMostLostBytes = std::int64_t{96} << 20;

// What the chip has operations for.
enum class SoakSubject { kDecoder, kLinear, kScale };

struct Decoder {
  std::string name;
  std::unique_ptr<Scenario> scenario;
  std::unique_ptr<Execution> execution;
  Outputs first;
};

std::string BuildRandom(Scenario& s, SoakSubject subject, std::int32_t page_multiple) {
  Random& random = s.random();
  const auto pick = [&random](auto... values) {
    const std::array all = {values...};
    return all[random() % all.size()];
  };
  const DType act = pick(DType::kF32, DType::kF32, DType::kF16, DType::kBF16);
  const DType weight = pick(DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ4_0);
  const auto tokens = static_cast<std::int64_t>(1 + random() % 5);
  switch (subject) {
    case SoakSubject::kScale:
      s.Compare(s.list.Scale(s.Floats(act, {tokens, 96}), 0.5F), "y",
                ToleranceOf(SY_OP_SCALE, act));
      s.Seal();
      return fmt::format("scale of {} rows of {}", tokens, tensor::Name(act));
    case SoakSubject::kLinear:
      s.Compare(s.list.Linear(s.Floats(DType::kF32, {tokens, 64}), s.Matrix(weight, {48, 64})), "y",
                ToleranceOf(SY_OP_LINEAR, DType::kF32, weight), 0.8F);
      s.Seal();
      return fmt::format("linear of {} rows with {}", tokens, tensor::Name(weight));
    case SoakSubject::kDecoder:
      break;
  }
  const std::int64_t kv_heads = pick(1, 2);
  LayerShape shape{.tokens = tokens,
                   .sequences = static_cast<std::int64_t>(1 + random() % 3),
                   .window = pick(0U, 0U, 3U),
                   .hidden = pick(64, 96),
                   .heads = kv_heads * pick(1, 2),
                   .kv_heads = kv_heads,
                   .width = 32,
                   .feed_forward = pick(64, 96),
                   .is_fused = pick(true, false),
                   .has_experts = random() % 6 == 0,
                   .layers = 1};
  const std::int32_t page_size = (pick(4, 16) + page_multiple - 1) / page_multiple * page_multiple;
  BuildModel(s, act, weight, shape, page_size);
  return fmt::format(
      "decoder of {} tokens in {} sequences, {} activations, {} weights, hidden {}, {} heads over "
      "{}, window {}{}",
      tokens, shape.sequences, tensor::Name(act), tensor::Name(weight), shape.hidden, shape.heads,
      kv_heads, shape.window, shape.has_experts ? ", experts" : "");
}

// What the threads share. Counts only grow; the first complaint ends all.
struct Shared {
  std::atomic<std::uint64_t> runs = 0;
  std::atomic<std::uint64_t> compared_with_first = 0;
  std::atomic<std::uint64_t> compared_with_truth = 0;
  std::atomic<bool> is_over = false;
  std::mutex mutex;
  std::condition_variable ended;
  int threads_left = 0;
  std::string complaint;
};

class Worker {
 public:
  Worker(Session& tested, Session& truth, SoakSubject subject, std::uint64_t seed, Shared& shared)
      : tested_(tested), truth_(truth), subject_(subject), random_(seed), shared_(shared) {}

  base::Status Start() {
    SWITCHYARD_TRY(queue_, tested_.CreateQueue());
    SWITCHYARD_TRY(truth_queue_, truth_.CreateQueue());
    return {};
  }

  // Until all is over.
  base::Status Work() {
    for (std::uint64_t i = 0; !shared_.is_over; ++i) {
      if (i % kRunsEach == 0) {
        SWITCHYARD_RETURN_IF_ERROR(Renew());
        continue;
      }
      Decoder& decoder = alive_[random_() % alive_.size()];
      SWITCHYARD_TRY(const Outputs outputs, Run(decoder));
      ++shared_.compared_with_first;
      if (outputs == decoder.first) continue;
      return Fail(ErrorCode::kDataLoss, "{}: a run gave other bits than the first, after {} runs",
                  decoder.name, shared_.runs.load());
    }
    return {};
  }

 private:
  base::Result<Outputs> Run(Decoder& decoder) {
    base::Result<Outputs> outputs = decoder.execution->Run(queue_.get());
    shared_.runs += decoder.execution->program_count();
    if (!outputs) {
      return base::Rethrow(outputs.error(), "{}, after {} runs", decoder.name, shared_.runs.load());
    }
    return outputs;
  }

  // One decoder more, and the oldest gone.
  base::Status Renew() {
    Decoder made;
    made.scenario = std::make_unique<Scenario>(random_);
    made.name = BuildRandom(*made.scenario, subject_,
                            static_cast<std::int32_t>(tested_.properties().kv_page_multiple));
    // Some as a program for each operation, as a host may run them.
    const bool is_apart = random_() % 4 == 0;
    SWITCHYARD_TRY(made.execution, Execution::Prepare(tested_, *made.scenario,
                                                      is_apart ? Grouping::kProgramForEach
                                                               : Grouping::kOneProgram));
    SWITCHYARD_TRY(made.first, Run(made));
    if (!tested_.has(SY_DEVICE_COMPUTES_NOTHING)) {
      SWITCHYARD_TRY(const auto truth, Execution::Prepare(truth_, *made.scenario));
      SWITCHYARD_TRY(const Outputs expected, truth->Run(truth_queue_.get()));
      const Difference difference = CompareAll(*made.scenario, made.first, expected);
      ++shared_.compared_with_truth;
      if (!difference.is_within()) {
        return Fail(ErrorCode::kDataLoss, "{}, after {} runs: {}", made.name, shared_.runs.load(),
                    difference.complaint);
      }
    }
    if (alive_.size() == kAlive) alive_.pop_front();
    alive_.push_back(std::move(made));
    return {};
  }

  Session& tested_;
  Session& truth_;
  SoakSubject subject_;
  Random random_;
  Shared& shared_;
  Handle<sy_queue> queue_{nullptr, nullptr};
  Handle<sy_queue> truth_queue_{nullptr, nullptr};
  std::deque<Decoder> alive_;
};

// The most telling subject that the chip can run in all of its shapes.
base::Result<SoakSubject> ChooseSubject(Session& tested, Random& random) {
  std::string why;
  for (const SoakSubject subject :
       {SoakSubject::kDecoder, SoakSubject::kLinear, SoakSubject::kScale}) {
    bool is_lacking = false;
    for (int i = 0; i < 24 && !is_lacking; ++i) {
      Scenario s(random);
      BuildRandom(s, subject, static_cast<std::int32_t>(tested.properties().kv_page_multiple));
      const auto execution = Execution::Prepare(tested, s);
      is_lacking = !execution && execution.error().code == ErrorCode::kUnimplemented;
      if (is_lacking && why.empty()) why = execution.error().message;
      if (!execution && !is_lacking) return std::unexpected(execution.error());
    }
    if (!is_lacking) return subject;
  }
  return Fail(ErrorCode::kUnimplemented, "the chip has no operation to soak: {}", why);
}

// Runs the workers to the end.
void RunWorkers(std::vector<std::unique_ptr<Worker>>& workers, const SoakOptions& options,
                Shared& shared, const std::function<void()>& on_tick) {
  const auto begin = Clock::now();
  shared.threads_left = static_cast<int>(workers.size());
  std::vector<std::jthread> threads;
  for (const auto& worker : workers) {
    threads.emplace_back([&shared, &worker] {
      const base::Status status = worker->Work();
      const std::lock_guard lock(shared.mutex);
      --shared.threads_left;
      if (!status && shared.complaint.empty()) shared.complaint = status.error().message;
      if (!status) shared.is_over = true;
      shared.ended.notify_all();
    });
  }
  auto next_tick = begin + std::chrono::seconds(2);
  std::unique_lock lock(shared.mutex);
  while (shared.threads_left > 0) {
    shared.ended.wait_for(lock, std::chrono::milliseconds(20));
    const auto now = Clock::now();
    const std::chrono::duration<double> passed = now - begin;
    if ((options.runs > 0 && shared.runs >= options.runs) ||
        (options.seconds > 0 && passed.count() >= options.seconds)) {
      shared.is_over = true;
    }
    if (now < next_tick) continue;
    next_tick += std::chrono::seconds(2);
    lock.unlock();
    on_tick();
    lock.lock();
  }
}

}  // namespace

base::Result<SoakResult> Soak(Session& tested, Session& truth, const SoakOptions& options,
                              const std::function<void(const SoakCounts&)>& on_progress) {
  Random random(options.seed);
  // Makes what a driver makes once and keeps, before memory is first looked at.
  SWITCHYARD_TRY(const SoakSubject subject, ChooseSubject(tested, random));
  SWITCHYARD_TRY(const MemoryWatch watch, MemoryWatch::Begin(tested));
  Shared shared;
  const auto begin = Clock::now();
  const auto counts = [&] {
    const std::chrono::duration<double> passed = Clock::now() - begin;
    return SoakCounts{shared.runs, shared.compared_with_first, shared.compared_with_truth,
                      passed.count()};
  };
  SoakResult result;
  {
    std::vector<std::unique_ptr<Worker>> workers;
    for (int i = 0; i < options.threads; ++i) {
      workers.push_back(std::make_unique<Worker>(tested, truth, subject, random(), shared));
      SWITCHYARD_RETURN_IF_ERROR(workers.back()->Start());
    }
    RunWorkers(workers, options, shared, [&] { on_progress(counts()); });
    result.counts = counts();
  }
  result.complaint = shared.complaint;
  const base::Result<std::int64_t> lost = watch.LostBytes();
  if (!lost) {
    result.memory = "memory was not looked at: " + lost.error().message;
  } else if (*lost > kMostLostBytes) {
    result.memory = fmt::format("{} MiB less memory than before", *lost >> 20);
    if (result.complaint.empty()) {
      result.complaint = fmt::format("everything was destroyed, but there are {}", result.memory);
    }
  } else {
    result.memory = fmt::format("memory as before within {} MiB", kMostLostBytes >> 20);
  }
  return result;
}

}  // namespace switchyard::conformance
