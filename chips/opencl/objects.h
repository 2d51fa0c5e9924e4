// The objects behind the interface's handles. Each owns its OpenCL object and counts what it
// occupies; what is made from a device must die before it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "cl_status.h"
#include "devices.h"
#include "kernel_builder.h"
#include "weight_layout.h"

namespace switchyard::opencl {

// Of bindings' offsets: at least any device's widest load, and whole cache lines.
inline constexpr std::uint64_t kAlignment = 128;

// An OpenCL object that is released at the end.
template <typename T, cl_int (*kRelease)(T)>
class Held {
 public:
  Held() = default;
  explicit Held(T object) : object_(object) {}
  Held(Held&& other) noexcept : object_(other.object_) { other.object_ = nullptr; }
  Held& operator=(Held&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Held() {
    if (object_ != nullptr) kRelease(object_);
  }
  T get() const { return object_; }

 private:
  T object_ = nullptr;
};

using HeldContext = Held<cl_context, clReleaseContext>;
using HeldQueue = Held<cl_command_queue, clReleaseCommandQueue>;
using HeldMemory = Held<cl_mem, clReleaseMemObject>;
using HeldKernel = Held<cl_kernel, clReleaseKernel>;
using HeldEvent = Held<cl_event, clReleaseEvent>;

// Memory of the device; where that is the host's, our own, which the host can be shown.
class DeviceMemory {
 public:
  static base::Result<DeviceMemory> Create(sy_device* device, std::uint64_t bytes);

  cl_mem get() const { return memory_.get(); }
  // Null where the memory is not the host's.
  void* host_address() const { return host_address_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Counted {
    std::atomic<std::uint64_t>* total = nullptr;
    std::uint64_t bytes = 0;
    Counted() = default;
    Counted(Counted&& other) noexcept {
      std::swap(total, other.total), std::swap(bytes, other.bytes);
    }
    Counted& operator=(Counted&& other) noexcept {
      std::swap(total, other.total);
      std::swap(bytes, other.bytes);
      return *this;
    }
    ~Counted() {
      if (total != nullptr) *total -= bytes;
    }
  };

  HeldMemory memory_;
  void* host_address_ = nullptr;  // goes with the last user of memory_
  Counted counted_;
  std::uint64_t bytes_ = 0;
};

// The device's properties, given the options it was opened with or will be by default.
struct DeviceOptions {
  std::uint32_t row_lanes = 64;
  std::uint32_t linear_lanes = 128;
  std::uint32_t rows_of_lane = 1;  // of the same kernels
  // For tests: after so many runs the driver's next answer to a kernel is that the device is gone.
  std::uint64_t lose_device_after = ~std::uint64_t{0};
};
DeviceOptions DefaultOptions(const FoundDevice& found);
// Options, all powers of two: "row_lanes", "linear_lanes" and "rows_of_lane" (kernels/linear.cl);
// and for tests "lose_device_after".
base::Result<DeviceOptions> ParseOptions(const FoundDevice& found,
                                         std::span<const sy_option> options);
sy_device_properties Describe(const FoundDevice& found, const DeviceOptions& options);

base::Result<double> MeasureCeiling(sy_device* device, sy_ceiling ceiling, sy_dtype dtype);

}  // namespace switchyard::opencl

struct sy_device {
  const switchyard::opencl::FoundDevice* found = nullptr;
  switchyard::opencl::DeviceOptions options;
  switchyard::opencl::HeldContext context;
  std::unique_ptr<switchyard::opencl::KernelBuilder> builder;
  std::atomic<bool> is_lost = false;
  std::atomic<std::uint64_t> used_bytes = 0;
  std::atomic<std::uint64_t> runs = 0;

  static switchyard::base::Result<std::unique_ptr<sy_device>> Open(
      std::uint32_t index, std::span<const sy_option> options,
      const switchyard::opencl::BuildSettings& settings);

  switchyard::base::Result<switchyard::opencl::HeldQueue> CreateQueue() const;
  // The program that `kernel` is in, compiled now if it was not before.
  switchyard::base::Result<cl_program> ProgramWith(switchyard::simt::Kernel kernel,
                                                   sy_dtype format);
  std::uint32_t LanesOf(switchyard::simt::Kernel kernel) const;
  std::uint64_t AvailableBytes() const;
  // clEnqueueNDRangeKernel, or what it answers on a device that is gone, where tests ask for that.
  cl_int EnqueueKernel(cl_command_queue queue, cl_kernel kernel, const std::size_t (&global)[2],
                       const std::size_t (&local)[2]) const;
};

struct sy_buffer {
  sy_device* device = nullptr;
  switchyard::opencl::DeviceMemory memory;
};

struct sy_queue {
  sy_device* device = nullptr;
  switchyard::opencl::HeldQueue queue;
};

// A marker in a queue; none before it is recorded.
struct sy_event {
  sy_device* device = nullptr;
  std::mutex mutex;
  switchyard::opencl::HeldEvent event;

  // One reference more, to be used without the lock; null if never recorded.
  switchyard::opencl::HeldEvent Share();
};

struct sy_weight {
  sy_device* device = nullptr;
  switchyard::simt::WeightShape shape;
  switchyard::opencl::DeviceMemory memory;

  static switchyard::base::Result<std::unique_ptr<sy_weight>> Create(sy_device* device,
                                                                     const sy_weight_desc& desc);
  sy_weight_properties Describe() const;
};
