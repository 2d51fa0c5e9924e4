#include "certify/efficiency.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <tuple>

#include "base/seconds_since.h"
#include "certify/lockstep.h"
#include "certify/operation_facts.h"
#include "engine/throughput.h"

namespace switchyard::certify {
namespace {

using engine::Sequence;
using engine::StepItem;

constexpr double kGoodShare = 0.8;

// One step whose operations are timed.
struct Phase {
  std::string name;
  std::int64_t tokens;
  std::int64_t depth;  // tokens in the cache before
};

// What an operation takes at best; 0 if the chip's ceilings are not known.
struct LeastTime {
  double seconds = 0;
  std::string ceiling;
};

LeastTime LeastTimeOf(const OperationFacts& facts, const Efficiency& ceilings) {
  LeastTime least;
  if (ceilings.memory_gb_s && *ceilings.memory_gb_s > 0) {
    least = {facts.bytes / (*ceilings.memory_gb_s * 1e9), "memory"};
  }
  // A chip without units for a type computes in f32.
  auto arithmetic = ceilings.gflop_s.find(facts.arithmetic);
  if (arithmetic == ceilings.gflop_s.end()) arithmetic = ceilings.gflop_s.find("f32");
  if (arithmetic != ceilings.gflop_s.end() && arithmetic->second > 0) {
    const double seconds = facts.flop / (arithmetic->second * 1e9);
    if (seconds > least.seconds) least = {seconds, arithmetic->first + " arithmetic"};
  }
  return least;
}

// Numbers of ordinary size for every slot that the host does not fill: some chips are slow on
// denormals, and undefined memory may hold them.
std::vector<std::byte> OrdinaryNumbers(const sy_tensor& tensor) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.dims[0] * tensor.strides[0]));
  // 0.5078125 in bf16, 1.5 and more in f16, about 0.51 in f32.
  constexpr std::array kPattern = {std::byte{0x02}, std::byte{0x3f}};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = kPattern[i % 2];
  return bytes;
}

// The median over at least five runs and a tenth of a second.
base::Result<double> MedianSeconds(BoundProgram& program) {
  using Clock = std::chrono::steady_clock;
  SWITCHYARD_RETURN_IF_ERROR(program.Run());
  std::vector<double> samples;
  double sum = 0;
  while (samples.size() < 5 || (sum < 0.1 && samples.size() < 200)) {
    const auto start = Clock::now();
    SWITCHYARD_RETURN_IF_ERROR(program.Run());
    samples.push_back(base::SecondsSince(start));
    sum += samples.back();
  }
  return engine::Median(std::move(samples));
}

class OperationTimes {
 public:
  OperationTimes(model::Model& model, Lockstep& lockstep, const Efficiency& ceilings)
      : model_(model), lockstep_(lockstep), ceilings_(ceilings) {}

  // Adds the costs of one step; returns the sum of its operations' least times in seconds.
  base::Result<double> Measure(const Phase& phase, std::vector<OperationCost>& costs,
                               const Progress& progress) {
    Sequence sequence{
        std::vector<model::TokenId>(static_cast<std::size_t>(phase.depth + phase.tokens), 0),
        phase.depth,
        {}};
    const StepItem item{&sequence, phase.tokens};
    SWITCHYARD_TRY(const Lockstep::Prepared prepared, lockstep_.Prepare({&item, 1}));
    const ops::OpList& list = prepared.forward.ops;
    const double seen =
        static_cast<double>(phase.depth) + (static_cast<double>(phase.tokens) + 1) / 2;
    // Operations of one kind on weights of one type and shape. Their weights are different ones, so
    // that together they come from memory as they do in the model.
    std::map<std::tuple<std::string, std::string, std::string>, std::vector<std::uint32_t>> groups;
    for (std::uint32_t i = 0; i < list.ops().size(); ++i) {
      const OperationFacts facts = FactsOf(list, i, model_.weights().table());
      groups[{facts.operation, facts.weight_type, facts.shape}].push_back(i);
    }
    std::vector<OperationCost> of_step;
    double least_sum = 0;
    double sum = 0;
    for (const auto& [key, ops] : groups) {
      const OperationFacts facts = FactsOf(list, ops.front(), model_.weights().table(), seen);
      const auto count = static_cast<double>(ops.size());
      OperationCost cost;
      cost.phase = phase.name;
      cost.operation = facts.operation;
      cost.shape = facts.shape + (facts.weight_type.empty() ? "" : " " + facts.weight_type);
      cost.count = static_cast<std::int64_t>(ops.size());
      SWITCHYARD_TRY(const double seconds, Time(prepared, ops, cost.on_fallback));
      const LeastTime least = LeastTimeOf(facts, ceilings_);
      least_sum += least.seconds * count;
      sum += seconds;
      cost.ms = seconds * 1e3;
      cost.share_of_ceiling = least.seconds * count / seconds;
      cost.ceiling = least.ceiling;
      of_step.push_back(std::move(cost));
      progress(fmt::format("speed of operations, {}", phase.name),
               static_cast<std::int64_t>(of_step.size()), static_cast<std::int64_t>(groups.size()));
    }
    lockstep_.a().kv.Shrink(sequence.pages, 0);
    for (OperationCost& cost : of_step) {
      cost.share_of_step = cost.ms * 1e-3 / sum;
      if (cost.share_of_ceiling > 0 && cost.share_of_ceiling < kGoodShare) {
        cost.gain_at_80 = cost.share_of_step * (1 - cost.share_of_ceiling / kGoodShare);
      }
    }
    std::ranges::sort(of_step, std::greater<>(), &OperationCost::ms);
    std::ranges::move(of_step, std::back_inserter(costs));
    return least_sum;
  }

 private:
  base::Result<double> Time(const Lockstep::Prepared& prepared, std::span<const std::uint32_t> ops,
                            bool& on_fallback) {
    const ops::OpList& list = prepared.forward.ops;
    const ops::OpList::Part part = list.Only(ops);
    std::vector<SlotContents> slots(part.origins.size());
    std::vector<std::vector<std::byte>> ordinary(part.origins.size());
    ChipUnderStep& chip = lockstep_.a();
    Lockstep::BindPages(prepared.forward, part.origins, chip.kv, slots);
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      if (slots[slot].pages != nullptr) continue;
      const sy_tensor& tensor = list.tensors()[part.origins[slot]];
      if (tensor.storage == SY_STORAGE_ARGUMENT) slots[slot].bytes = prepared.integers[tensor.slot];
      if (!slots[slot].bytes.empty()) continue;
      ordinary[slot] = OrdinaryNumbers(tensor);
      if (tensor.dtype == SY_I32) std::ranges::fill(ordinary[slot], std::byte{0});
      slots[slot].bytes = ordinary[slot];
    }
    SWITCHYARD_TRY(const auto program,
                   BoundProgram::Create(part.list, slots, model_.weights().table(), chip.target,
                                        chip.kv_home));
    on_fallback = program->report().ops_on_fallback > 0;
    return MedianSeconds(*program);
  }

  model::Model& model_;
  Lockstep& lockstep_;
  const Efficiency& ceilings_;
};

}  // namespace

base::Status MeasureEfficiency(model::Model& model, const device::Target& target,
                               engine::Runner& runner, Efficiency& efficiency,
                               const Progress& progress) {
  const std::int64_t context = runner.options().context_tokens;
  const std::int64_t prompt = std::min({std::int64_t{512}, runner.options().chunk_tokens, context});
  const std::int64_t answer = std::min<std::int64_t>(32, context / 2);
  constexpr std::int64_t kSamples = 3;
  SWITCHYARD_TRY(const auto lockstep,
                 Lockstep::Create(model, target, target,
                                  {.page_size = runner.options().page_size,
                                   .sequences = 1,
                                   .context = prompt,
                                   .step_tokens = prompt,
                                   .kv_dtype = runner.options().kv_dtype,
                                   .activation_dtype = runner.activation_dtype()}));
  OperationTimes times(model, *lockstep, efficiency);
  const auto add = [&](const Phase& phase, double tokens_per_s, double least_s,
                       std::string ceiling) {
    efficiency.phases.push_back({phase.name, tokens_per_s,
                                 least_s * tokens_per_s / static_cast<double>(phase.tokens),
                                 least_s > 0 ? std::move(ceiling) : std::string()});
  };
  const Phase prefill{fmt::format("prefill of {} tokens", prompt), prompt, 0};
  progress(prefill.name, 0, kSamples);
  SWITCHYARD_TRY(auto prefill_rate, engine::MeasurePrefill(runner, {prompt, 0, 1}, kSamples));
  SWITCHYARD_TRY(const double prefill_least, times.Measure(prefill, efficiency.costs, progress));
  add(prefill, engine::Median(std::move(prefill_rate)), prefill_least, "roofline");

  const Phase decode{fmt::format("decode at depth {}", answer / 2), 1, answer / 2};
  progress(decode.name, 0, kSamples);
  SWITCHYARD_TRY(auto decode_rate, engine::MeasureDecode(runner, {answer, 0, 1}, kSamples));
  SWITCHYARD_TRY(const double decode_least, times.Measure(decode, efficiency.costs, progress));
  add(decode, engine::Median(std::move(decode_rate)), decode_least, "roofline");
  return {};
}

}  // namespace switchyard::certify
