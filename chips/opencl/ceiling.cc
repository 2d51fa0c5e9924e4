#include <algorithm>
#include <chrono>

#include "kernel_text.h"
#include "objects.h"

namespace switchyard::opencl {
namespace {

using base::ErrorCode;
using base::Fail;
using Clock = std::chrono::steady_clock;

constexpr double kSeconds = 0.3;  // of measuring, after one run that is not counted
// CHAINS and ROUND_DEPTH of kernels/ceiling.cl.
constexpr std::uint64_t kChains = 64;
constexpr std::uint64_t kRoundDepth = 16;
constexpr std::uint64_t kStreamBytes = std::uint64_t{512} << 20;

// One kernel of kernels/ceiling.cl, run over and over.
class Timed {
 public:
  static base::Result<Timed> Create(sy_device* device, const char* name) {
    Timed timed;
    const std::string options =
        fmt::format("-cl-std=CL1.2 -DLANES={} -DFAST_FMA={}", device->options.linear_lanes,
                    device->found->has_fast_fma ? 1 : 0);
    SWITCHYARD_TRY(
        const cl_program program,
        device->builder->Program(device->context.get(), simt::CeilingKernelText(), options));
    cl_int result = CL_SUCCESS;
    timed.kernel_ = HeldKernel(clCreateKernel(program, name, &result));
    SWITCHYARD_RETURN_IF_ERROR(Check(result, "finding a kernel"));
    SWITCHYARD_TRY(timed.queue_, device->CreateQueue());
    timed.lanes_ = device->options.linear_lanes;
    return timed;
  }

  template <typename T>
  base::Status Set(cl_uint index, const T& value) {
    return Check(clSetKernelArg(kernel_.get(), index, sizeof value, &value), "setting an argument");
  }

  base::Result<double> SecondsOfOne(std::size_t groups) {
    SWITCHYARD_RETURN_IF_ERROR(RunOnce(groups));
    const auto begin = Clock::now();
    double seconds = 0;
    int runs = 0;
    do {
      SWITCHYARD_RETURN_IF_ERROR(RunOnce(groups));
      ++runs;
      seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    } while (seconds < kSeconds);
    return seconds / runs;
  }

 private:
  base::Status RunOnce(std::size_t groups) {
    const std::size_t global = groups * lanes_;
    const std::size_t local = lanes_;
    SWITCHYARD_RETURN_IF_ERROR(Check(clEnqueueNDRangeKernel(queue_.get(), kernel_.get(), 1, nullptr,
                                                            &global, &local, 0, nullptr, nullptr),
                                     "enqueuing a measurement"));
    return CheckWork(clFinish(queue_.get()), "a measurement");
  }

  HeldKernel kernel_;
  HeldQueue queue_;
  std::size_t lanes_ = 1;
};

base::Result<double> MeasureStream(sy_device* device) {
  const std::uint64_t lanes = device->options.linear_lanes;
  const std::uint64_t groups = std::uint64_t{device->found->unit_count} * 16;
  // Whole rounds of each group.
  const std::uint64_t round_bytes = groups * lanes * kChains * sizeof(float);
  std::uint64_t bytes = std::min(kStreamBytes, device->found->most_buffer_bytes);
  bytes = std::min(bytes, device->AvailableBytes() / 4) / round_bytes * round_bytes;
  if (bytes == 0) return Fail(ErrorCode::kResourceExhausted, "there is no memory to read");
  SWITCHYARD_TRY(const DeviceMemory from, DeviceMemory::Create(device, bytes));
  SWITCHYARD_TRY(const DeviceMemory to, DeviceMemory::Create(device, groups * lanes * 4));
  SWITCHYARD_TRY(const HeldQueue queue, device->CreateQueue());
  const float one = 1;
  SWITCHYARD_RETURN_IF_ERROR(Check(
      clEnqueueFillBuffer(queue.get(), from.get(), &one, sizeof one, 0, bytes, 0, nullptr, nullptr),
      "filling memory"));
  SWITCHYARD_RETURN_IF_ERROR(CheckWork(clFinish(queue.get()), "filling memory"));
  SWITCHYARD_TRY(Timed timed, Timed::Create(device, "read_stream"));
  SWITCHYARD_RETURN_IF_ERROR(timed.Set(0, from.get()));
  SWITCHYARD_RETURN_IF_ERROR(timed.Set(1, to.get()));
  SWITCHYARD_RETURN_IF_ERROR(timed.Set(2, static_cast<cl_long>(bytes / sizeof(float) / groups)));
  SWITCHYARD_TRY(const double seconds, timed.SecondsOfOne(groups));
  return static_cast<double>(bytes) / seconds * 1e-9;
}

base::Result<double> MeasureArithmetic(sy_device* device) {
  const std::size_t groups = std::size_t{device->found->unit_count} * 64;
  const std::size_t work_items = groups * device->options.linear_lanes;
  constexpr cl_long kRounds = 256;
  SWITCHYARD_TRY(const DeviceMemory to, DeviceMemory::Create(device, work_items * 4));
  SWITCHYARD_TRY(Timed timed, Timed::Create(device, "multiply_add_chains"));
  SWITCHYARD_RETURN_IF_ERROR(timed.Set(0, to.get()));
  SWITCHYARD_RETURN_IF_ERROR(timed.Set(1, kRounds));
  SWITCHYARD_RETURN_IF_ERROR(timed.Set(2, 0.5F));
  SWITCHYARD_TRY(const double seconds, timed.SecondsOfOne(groups));
  return static_cast<double>(work_items) * kRounds * kChains * kRoundDepth * 2 / seconds * 1e-9;
}

}  // namespace

base::Result<double> MeasureCeiling(sy_device* device, sy_ceiling ceiling, sy_dtype dtype) {
  if (ceiling == SY_CEILING_MEMORY_GB_S) return MeasureStream(device);
  if (ceiling != SY_CEILING_GFLOP_S) {
    return Fail(ErrorCode::kInvalidArgument, "there is no ceiling {}", ceiling);
  }
  if (dtype != SY_F32) {
    return Fail(ErrorCode::kUnimplemented,
                "the opencl chip computes in f32 alone, whatever the inputs' type");
  }
  return MeasureArithmetic(device);
}

}  // namespace switchyard::opencl
