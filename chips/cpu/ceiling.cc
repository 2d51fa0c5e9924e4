// What this machine can do at best, measured with all of the device's threads.
#include <chrono>
#include <vector>

#include "device.h"

namespace switchyard::cpu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kStreamBytes = std::uint64_t{768} << 20;  // several times any L3 we know of
constexpr std::uint64_t kUnitBytes = std::uint64_t{4} << 20;
constexpr double kSeconds = 0.25;  // of each measurement, at least

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class StreamJob : public Job {
 public:
  StreamJob(const KernelTable& kernels, Memory& memory, int threads, bool is_writing)
      : kernels_(kernels),
        memory_(memory),
        sums_(static_cast<std::size_t>(threads) * 8),
        is_writing_(is_writing) {}
  int stage_count() const override { return 1; }
  std::int64_t Open(int) override { return static_cast<std::int64_t>(memory_.size() / kUnitBytes); }
  void Run(int, std::int64_t begin, std::int64_t end, int thread) override {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      char* at = memory_.data() + static_cast<std::uint64_t>(unit) * kUnitBytes;
      if (is_writing_) {
        for (std::uint64_t i = 0; i < kUnitBytes; i += 64) at[i] = static_cast<char>(i >> 6);
      } else {
        sums_[static_cast<std::size_t>(thread) * 8] +=
            kernels_.stream(reinterpret_cast<const std::uint8_t*>(at), kUnitBytes);
      }
    }
  }

 private:
  const KernelTable& kernels_;
  Memory& memory_;
  std::vector<std::uint64_t> sums_;  // one cache line a thread
  bool is_writing_;
};

class PeakJob : public Job {
 public:
  using Peak = std::uint64_t (*)(std::uint64_t rounds, float* sink);
  PeakJob(Peak peak, int threads)
      : peak_(peak), threads_(threads), counts_(static_cast<std::size_t>(threads) * 8) {}
  int stage_count() const override { return 1; }
  std::int64_t Open(int) override {
    start_ = Clock::now();
    return threads_;
  }
  // Each thread takes one unit, and each goes on until the common end.
  void Run(int, std::int64_t begin, std::int64_t end, int thread) override {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      float sink = 1e-3F;
      do {
        counts_[static_cast<std::size_t>(thread) * 8] += peak_(20000, &sink);
        sink = 1e-3F;
      } while (SecondsSince(start_) < kSeconds);
    }
  }
  double PerSecond() const {
    const double seconds = SecondsSince(start_);
    double total = 0;
    for (const std::uint64_t count : counts_) total += static_cast<double>(count);
    return total / seconds;
  }

 private:
  Peak peak_;
  int threads_;
  std::vector<std::uint64_t> counts_;
  Clock::time_point start_;
};

Result<double> MeasureStream(sy_device* device) {
  const std::uint64_t bytes =
      std::min(kStreamBytes, AvailableMemoryBytes() / 2) / kUnitBytes * kUnitBytes;
  auto memory = Memory::Allocate(std::max(bytes, kUnitBytes));
  if (!memory) return std::unexpected(memory.error());
  const int threads = device->team->threads();
  StreamJob fill(*device->kernels, *memory, threads, true);
  device->team->Run(fill);
  double best = 0;
  const auto start = Clock::now();
  for (int round = 0; round < 3 || SecondsSince(start) < kSeconds; ++round) {
    StreamJob read(*device->kernels, *memory, threads, false);
    const auto begin = Clock::now();
    device->team->Run(read);
    best = std::max(best, static_cast<double>(memory->size()) / SecondsSince(begin) / 1e9);
  }
  return best;
}

}  // namespace

Result<double> MeasureCeiling(sy_device* device, sy_ceiling ceiling, sy_dtype dtype) {
  if (ceiling == SY_CEILING_MEMORY_GB_S) return MeasureStream(device);
  if (ceiling != SY_CEILING_GFLOP_S) {
    return Fail(SY_INVALID_ARGUMENT, "the cpu chip knows no ceiling %u", ceiling);
  }
  const KernelTable& kernels = *device->kernels;
  PeakJob::Peak peak = nullptr;
  if (dtype == SY_F32 || dtype == SY_F16) peak = kernels.peak_f32;  // F16 is widened to F32
  if (dtype == SY_BF16) peak = kernels.bf16_dot != 0 ? kernels.peak_bf16 : kernels.peak_f32;
  if (dtype == SY_I8) peak = kernels.peak_int8;
  float sink = 0;
  if (peak == nullptr || peak(1, &sink) == 0) {
    return Fail(SY_UNIMPLEMENTED, "the cpu chip has no multiply-add for type %u as '%s'", dtype,
                kernels.name);
  }
  PeakJob job(peak, device->team->threads());
  device->team->Run(job);
  return 2 * job.PerSecond() / 1e9;
}

}  // namespace switchyard::cpu
