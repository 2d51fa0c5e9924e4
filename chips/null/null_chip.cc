// The null chip: fakes for tests, which break on demand. Device 0 computes nothing and zeroes its
// results, so that everything around the computing can be timed. Devices 1 and 2 compute as the
// reference does, in memory that the host cannot map, as on a card of its own; they stand in for
// one where splitting, fallback and failover need true numbers.
//
// Options of device_open, each a fault that is injected:
//   delay_us=N            each run takes N microseconds longer
//   fail_alloc_after=N    after N buffers and weights the device is out of memory
//   lose_device_after=N   after N runs the device is lost
//   wrong_results=R       a share R (0 to 1) of a run's floating-point results has the wrong sign
//   unsupported=a,b       the operations of these names are not supported
//   lacks_rows=N          linear of N rows is not supported
//   fault=NAME            one operation is computed otherwise, see planted_faults.h
//   fault_after=N         that fault strikes only after N runs
// and compute=nothing|reference, which makes any device one of the two kinds.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "host_memory_chip.h"
#include "ops/op_rules.h"
#include "ops/tensor_span.h"
#include "planted_faults.h"

namespace switchyard::chips {
namespace {

using base::ErrorCode;
using base::Fail;
using ops::reference::Operand;

constexpr std::uint64_t kNever = ~std::uint64_t{0};

struct Faults {
  std::uint64_t delay_us = 0;
  std::uint64_t allocations_allowed = kNever;
  std::uint64_t runs_allowed = kNever;
  double wrong_share = 0;
  std::vector<bool> is_unsupported = std::vector<bool>(SY_OP_KIND_COUNT, false);
  std::int64_t lacks_rows = 0;  // 0: none
  bool computes = false;
  const PlantedFault* planted = nullptr;
  std::uint64_t planted_after = 0;  // runs
};

bool Computes(std::uint32_t index) { return index > 0; }

void DescribeKind(bool computes, sy_device_properties& properties) {
  SetText(properties.name, computes ? "Fake card for tests" : "Null (computes nothing)");
  SetText(properties.maker, "Switchyard");
  SetText(properties.architecture, computes ? "plain scalar f64" : "none");
  properties.flags = computes ? static_cast<sy_device_flags>(SY_DEVICE_BATCH_INVARIANT)
                              : SY_DEVICE_HOST_MEMORY | SY_DEVICE_COMPUTES_NOTHING;
  properties.proof = computes ? SY_PROOF_RUN_ON_EMULATOR : SY_PROOF_COMPILED;
}

template <typename Number>
base::Status ParseNumber(const sy_option& option, Number most, Number& number) {
  const std::string_view text = option.value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && number >= 0 && number <= most) {
    return {};
  }
  return Fail(ErrorCode::kInvalidArgument, "option {}={}: it must be a number from 0 to {}",
              option.name, option.value, most);
}

base::Status ParseOperations(std::string_view names, std::vector<bool>& chosen) {
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    sy_op_kind kind = 0;
    while (kind < SY_OP_KIND_COUNT && ops::OpName(kind) != name) ++kind;
    if (kind == SY_OP_KIND_COUNT) {
      return Fail(ErrorCode::kInvalidArgument, "option unsupported: there is no operation '{}'",
                  name);
    }
    chosen[kind] = true;
  }
  return {};
}

base::Result<Faults> ParseFaults(std::uint32_t index, std::span<const sy_option> options) {
  Faults faults;
  faults.computes = Computes(index);
  for (const sy_option& option : options) {
    const std::string_view name = option.name;
    base::Status status;
    if (name == "delay_us") {
      status = ParseNumber(option, std::uint64_t{60'000'000}, faults.delay_us);
    } else if (name == "fail_alloc_after") {
      status = ParseNumber(option, kNever, faults.allocations_allowed);
    } else if (name == "lose_device_after") {
      status = ParseNumber(option, kNever, faults.runs_allowed);
    } else if (name == "wrong_results") {
      status = ParseNumber(option, 1.0, faults.wrong_share);
    } else if (name == "unsupported") {
      status = ParseOperations(option.value, faults.is_unsupported);
    } else if (name == "lacks_rows") {
      status = ParseNumber(option, std::int64_t{1} << 40, faults.lacks_rows);
    } else if (name == "fault") {
      faults.planted = FindPlantedFault(option.value);
      if (faults.planted == nullptr) {
        std::string names;
        for (const PlantedFault& known : PlantedFaults()) {
          names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
        }
        status =
            Fail(ErrorCode::kInvalidArgument, "option fault={}: there are {}", option.value, names);
      }
    } else if (name == "fault_after") {
      status = ParseNumber(option, kNever, faults.planted_after);
    } else if (name == "compute") {
      faults.computes = option.value == std::string_view("reference");
      if (!faults.computes && option.value != std::string_view("nothing")) {
        status = Fail(ErrorCode::kInvalidArgument,
                      "option compute={}: it must be nothing or reference", option.value);
      }
    } else {
      return Fail(ErrorCode::kInvalidArgument,
                  "the null chip has no option '{}'; it has delay_us, fail_alloc_after, "
                  "lose_device_after, wrong_results, unsupported, lacks_rows, fault, fault_after "
                  "and compute",
                  name);
    }
    if (!status) return std::unexpected(status.error());
  }
  return faults;
}

// Evenly spread over 64 bits (SplitMix64: Steele, Lea and Flood 2014): the same faults in each run.
std::uint64_t Scramble(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

class FaultyDevice : public HostMemoryDevice {
 public:
  explicit FaultyDevice(Faults faults) : faults_(std::move(faults)) {}

  void Describe(sy_device_properties& properties) const override {
    DescribeKind(faults_.computes, properties);
    if (faults_.planted == nullptr || !faults_.planted->depends_on_batch) return;
    properties.flags &= ~static_cast<sy_device_flags>(SY_DEVICE_BATCH_INVARIANT);
  }

  base::Status OnAllocate() override {
    if (allocations_++ < faults_.allocations_allowed) return {};
    return Fail(ErrorCode::kResourceExhausted,
                "out of memory, as fail_alloc_after={} asks of the null chip",
                faults_.allocations_allowed);
  }

  std::string WhyUnsupported(const sy_op& op, std::span<const sy_tensor> tensors) const override {
    if (faults_.is_unsupported[op.kind]) {
      return fmt::format("the null chip was told to lack {}", ops::OpName(op.kind));
    }
    if (op.kind == SY_OP_LINEAR && op.inputs[0] < tensors.size() &&
        tensors[op.inputs[0]].dims[0] == faults_.lacks_rows) {
      return fmt::format("the null chip was told to lack linear of {} rows", faults_.lacks_rows);
    }
    return {};
  }

  base::Status OnRunBegin() override {
    if (runs_++ >= faults_.runs_allowed) {
      return Fail(ErrorCode::kUnavailable,
                  "the device is lost, as lose_device_after={} asks of the null chip",
                  faults_.runs_allowed);
    }
    if (faults_.delay_us > 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(faults_.delay_us));
    }
    return {};
  }

  base::Status Compute(const ops::reference::Call& call) override {
    if (!faults_.computes) return {};
    const bool strikes = faults_.planted != nullptr && runs_ > faults_.planted_after;
    return strikes ? faults_.planted->run(call) : ops::reference::Run(call);
  }

  void OnRunEnd(std::span<const Operand> results) override {
    std::uint64_t element = Scramble(runs_);
    for (const Operand& result : results) {
      for (std::int64_t row = 0; row < ops::RowCount(*result.tensor); ++row) {
        std::byte* bytes = ops::reference::RowAddress(result, row);
        if (!faults_.computes) std::memset(bytes, 0, ops::RowBytes(*result.tensor));
        if (faults_.wrong_share > 0) FlipSigns(*result.tensor, bytes, element);
      }
    }
  }

 private:
  // The sign is the top bit of the last byte in every floating-point type.
  void FlipSigns(const sy_tensor& tensor, std::byte* row, std::uint64_t& element) const {
    const bool is_float =
        tensor.dtype == SY_F32 || tensor.dtype == SY_F16 || tensor.dtype == SY_BF16;
    if (!is_float) return;
    const auto width = static_cast<std::uint64_t>(tensor.strides[tensor.rank - 1]);
    for (std::uint64_t at = width - 1; at < ops::RowBytes(tensor); at += width) {
      const double draw = static_cast<double>(Scramble(element++) >> 11) * 0x1p-53;
      if (draw < faults_.wrong_share) row[at] ^= std::byte{0x80};
    }
  }

  const Faults faults_;
  std::atomic<std::uint64_t> allocations_ = 0;
  std::atomic<std::uint64_t> runs_ = 0;
};

void Describe(std::uint32_t index, sy_device_properties& properties) {
  DescribeKind(Computes(index), properties);
}

base::Result<std::unique_ptr<HostMemoryDevice>> Open(std::uint32_t index,
                                                     std::span<const sy_option> options) {
  SWITCHYARD_TRY(Faults faults, ParseFaults(index, options));
  return std::make_unique<FaultyDevice>(std::move(faults));
}

}  // namespace

const HostMemoryChip kChip = {"null", 3, Describe, Open};

}  // namespace switchyard::chips
