#include "objects.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "host_memory/machine_memory.h"
#include "kernel_text.h"
#include "tensor/dtype.h"

namespace switchyard::opencl {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::uint32_t kMostLanes = 1024;
constexpr std::uint64_t kPageBytes = 4096;

bool IsPowerOfTwo(std::uint32_t value) { return value != 0 && (value & (value - 1)) == 0; }

}  // namespace

base::Result<DeviceMemory> DeviceMemory::Create(sy_device* device, std::uint64_t bytes) {
  const FoundDevice& found = *device->found;
  if (bytes > found.most_buffer_bytes || bytes > device->AvailableBytes()) {
    return Fail(ErrorCode::kResourceExhausted,
                "{} bytes were asked for; '{}' gives at most {} at once and has {} free", bytes,
                found.name, found.most_buffer_bytes, device->AvailableBytes());
  }
  DeviceMemory made;
  made.bytes_ = bytes;
  std::uint64_t size = std::max<std::uint64_t>(bytes, 1);
  cl_mem_flags flags = CL_MEM_READ_WRITE;
  std::unique_ptr<void, decltype(&std::free)> host(nullptr, &std::free);
  if (found.shares_host_memory) {
    size = (size + kPageBytes - 1) / kPageBytes * kPageBytes;
    host.reset(std::aligned_alloc(kPageBytes, size));
    if (!host) return Fail(ErrorCode::kResourceExhausted, "the system refused {} bytes", size);
    flags |= CL_MEM_USE_HOST_PTR;
  }
  cl_int result = CL_SUCCESS;
  made.memory_ =
      HeldMemory(clCreateBuffer(device->context.get(), flags, size, host.get(), &result));
  SWITCHYARD_RETURN_IF_ERROR(Check(result, fmt::format("creating a buffer of {} bytes", size)));
  if (host) {
    // Work in flight may outlive us, and keeps the buffer.
    constexpr auto kFree = [](cl_mem, void* address) { std::free(address); };
    SWITCHYARD_RETURN_IF_ERROR(
        Check(clSetMemObjectDestructorCallback(made.memory_.get(), kFree, host.get()),
              "giving memory away"));
    made.host_address_ = host.release();
  }
  made.counted_.total = &device->used_bytes;
  made.counted_.bytes = size;
  device->used_bytes += size;
  return made;
}

// Local memory of the kernels that need most: linear_8, and attention.
std::uint64_t LocalBytes(const DeviceOptions& options) {
  const std::uint64_t group_lanes =
      std::min<std::uint64_t>(options.linear_lanes, simt::kPanelRows / options.rows_of_lane);
  const std::uint64_t splits = options.linear_lanes / group_lanes;
  const std::uint64_t linear = 8 * splits * (32 + 2) * 4 + options.linear_lanes * std::uint64_t{4};
  return std::max(linear, simt::kAttentionLocalBytes);
}

DeviceOptions DefaultOptions(const FoundDevice& found) {
  DeviceOptions options;
  // A processor runs work-items one after the other, and makes vectors of loops within one.
  if (found.is_cpu()) options = {.row_lanes = 16, .linear_lanes = 1, .rows_of_lane = 32};
  while (options.row_lanes > std::max<std::size_t>(found.most_lanes, 1)) options.row_lanes /= 2;
  while (options.linear_lanes > std::max<std::size_t>(found.most_lanes, 1) ||
         (options.linear_lanes > 1 && LocalBytes(options) > found.local_memory_bytes)) {
    options.linear_lanes /= 2;
  }
  return options;
}

base::Result<DeviceOptions> ParseOptions(const FoundDevice& found,
                                         std::span<const sy_option> options) {
  DeviceOptions parsed = DefaultOptions(found);
  for (const sy_option& option : options) {
    if (option.name == nullptr || option.value == nullptr) {
      return Fail(ErrorCode::kInvalidArgument, "an option of the opencl chip has no name or value");
    }
    const std::string_view name = option.name;
    const std::string_view value = option.value;
    if (name == "lose_device_after") {
      const auto [end, error] =
          std::from_chars(value.data(), value.data() + value.size(), parsed.lose_device_after);
      if (error == std::errc() && end == value.data() + value.size()) continue;
      return Fail(ErrorCode::kInvalidArgument, "option '{}' is '{}'; give a number of runs", name,
                  value);
    }
    std::uint32_t* const set = name == "row_lanes"      ? &parsed.row_lanes
                               : name == "linear_lanes" ? &parsed.linear_lanes
                               : name == "rows_of_lane" ? &parsed.rows_of_lane
                                                        : nullptr;
    if (set == nullptr) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the opencl chip has no option '{}'; it has 'row_lanes', 'linear_lanes', "
                  "'rows_of_lane' and, for tests, 'lose_device_after'",
                  name);
    }
    const auto most = static_cast<std::uint32_t>(
        set == &parsed.rows_of_lane ? static_cast<std::size_t>(simt::kPanelRows)
                                    : std::min<std::size_t>(found.most_lanes, kMostLanes));
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *set);
    if (error != std::errc() || end != value.data() + value.size() || !IsPowerOfTwo(*set) ||
        *set > most) {
      return Fail(ErrorCode::kInvalidArgument,
                  "option '{}' is '{}'; give a power of two, at most {}", name, value, most);
    }
  }
  if (LocalBytes(parsed) > found.local_memory_bytes) {
    return Fail(ErrorCode::kResourceExhausted,
                "groups of {} and {} need {} bytes of local memory; '{}' has {}", parsed.row_lanes,
                parsed.linear_lanes, LocalBytes(parsed), found.name, found.local_memory_bytes);
  }
  return parsed;
}

sy_device_properties Describe(const FoundDevice& found, const DeviceOptions& options) {
  sy_device_properties properties{};
  properties.struct_size = sizeof properties;
  std::snprintf(properties.name, sizeof properties.name, "%s", found.name.c_str());
  std::snprintf(properties.maker, sizeof properties.maker, "%s", found.maker.c_str());
  std::snprintf(properties.architecture, sizeof properties.architecture,
                "OpenCL C 1.2, groups of %u and %u%s", options.row_lanes, options.linear_lanes,
                found.has_fast_fma ? ", fma" : "");
  properties.memory_bytes = found.memory_bytes;
  properties.alignment_bytes = kAlignment;
  properties.kv_page_multiple = 1;
  if (found.shares_host_memory) properties.flags |= SY_DEVICE_HOST_MEMORY;
  // The kernels are written to be so, but a compiler has a say in it: claimed where the suite saw
  // it.
  if (found.is_proven) properties.flags |= SY_DEVICE_BATCH_INVARIANT;
  properties.proof = found.is_proven ? SY_PROOF_RUN_ON_SILICON : SY_PROOF_COMPILED;
  properties.unit_count = found.unit_count;
  return properties;
}

}  // namespace switchyard::opencl

using switchyard::base::ErrorCode;
using switchyard::base::Fail;
using switchyard::opencl::Check;
namespace base = switchyard::base;
namespace opencl = switchyard::opencl;
namespace simt = switchyard::simt;

base::Result<std::unique_ptr<sy_device>> sy_device::Open(std::uint32_t index,
                                                         std::span<const sy_option> options,
                                                         const opencl::BuildSettings& settings) {
  auto opened = std::make_unique<sy_device>();
  SWITCHYARD_TRY(opened->found, opencl::DeviceAt(index));
  SWITCHYARD_TRY(opened->options, opencl::ParseOptions(*opened->found, options));
  cl_int result = CL_SUCCESS;
  const cl_context_properties properties[] = {
      CL_CONTEXT_PLATFORM, reinterpret_cast<cl_context_properties>(opened->found->platform), 0};
  opened->context = opencl::HeldContext(
      clCreateContext(properties, 1, &opened->found->id, nullptr, nullptr, &result));
  SWITCHYARD_RETURN_IF_ERROR(Check(result, "opening the device"));
  opened->builder = std::make_unique<opencl::KernelBuilder>(*opened->found, index, settings);
  return opened;
}

base::Result<opencl::HeldQueue> sy_device::CreateQueue() const {
  cl_int result = CL_SUCCESS;
  opencl::HeldQueue queue(clCreateCommandQueue(context.get(), found->id, 0, &result));
  SWITCHYARD_RETURN_IF_ERROR(Check(result, "creating a queue"));
  return queue;
}

std::uint32_t sy_device::LanesOf(simt::Kernel kernel) const {
  return simt::ReadsBlocks(kernel) ? options.linear_lanes : options.row_lanes;
}

base::Result<cl_program> sy_device::ProgramWith(simt::Kernel kernel, sy_dtype format) {
  std::string build_options = fmt::format("-cl-std=CL1.2 -DLANES={} -DFAST_FMA={}", LanesOf(kernel),
                                          found->has_fast_fma ? 1 : 0);
  if (!simt::ReadsBlocks(kernel)) {
    return builder->Program(context.get(), simt::RowKernelText(), build_options);
  }
  build_options +=
      fmt::format(" -DWEIGHT_FORMAT={} -DROWS_OF_LANE={}", format, options.rows_of_lane);
  return builder->Program(context.get(), simt::BlockKernelText(), build_options);
}

std::uint64_t sy_device::AvailableBytes() const {
  const std::uint64_t used = used_bytes;
  std::uint64_t available = found->memory_bytes > used ? found->memory_bytes - used : 0;
  if (found->shares_host_memory)
    available = std::min(available, switchyard::chips::MachineMemoryAvailableBytes());
  return available;
}

cl_int sy_device::EnqueueKernel(cl_command_queue queue, cl_kernel kernel,
                                const std::size_t (&global)[2],
                                const std::size_t (&local)[2]) const {
  if (runs > options.lose_device_after) return CL_DEVICE_NOT_AVAILABLE;
  return clEnqueueNDRangeKernel(queue, kernel, 2, nullptr, global, local, 0, nullptr, nullptr);
}

opencl::HeldEvent sy_event::Share() {
  const std::lock_guard lock(mutex);
  if (event.get() != nullptr) clRetainEvent(event.get());
  return opencl::HeldEvent(event.get());
}

base::Result<std::unique_ptr<sy_weight>> sy_weight::Create(sy_device* device,
                                                           const sy_weight_desc& desc) {
  auto made = std::make_unique<sy_weight>();
  made->device = device;
  SWITCHYARD_TRY(made->shape, simt::ShapeOf(desc));
  SWITCHYARD_TRY(const opencl::HeldQueue queue, device->CreateQueue());
  if (made->shape.is_vector()) {
    SWITCHYARD_TRY(made->memory, opencl::DeviceMemory::Create(device, desc.data_bytes));
    SWITCHYARD_RETURN_IF_ERROR(
        Check(clEnqueueWriteBuffer(queue.get(), made->memory.get(), CL_TRUE, 0, desc.data_bytes,
                                   desc.data, 0, nullptr, nullptr),
              "uploading a weight"));
    return made;
  }
  const simt::WeightLayout layout = simt::LayoutOf(made->shape);
  SWITCHYARD_TRY(made->memory, opencl::DeviceMemory::Create(device, layout.total_bytes));
  // Packed in pieces, so that the host never holds a weight twice.
  constexpr std::uint64_t kPieceBytes = std::uint64_t{16} << 20;
  const std::int64_t panels = layout.panels * made->shape.matrices();
  const auto in_piece =
      static_cast<std::int64_t>(std::max<std::uint64_t>(kPieceBytes / layout.panel_bytes, 1));
  std::vector<std::byte> piece;
  for (std::int64_t first = 0; first < panels; first += in_piece) {
    const std::int64_t count = std::min(in_piece, panels - first);
    piece.resize(static_cast<std::uint64_t>(count) * layout.panel_bytes);
    simt::PackPanels(made->shape, layout, desc.data, first, count, piece);
    SWITCHYARD_RETURN_IF_ERROR(
        Check(clEnqueueWriteBuffer(queue.get(), made->memory.get(), CL_TRUE,
                                   static_cast<std::uint64_t>(first) * layout.panel_bytes,
                                   piece.size(), piece.data(), 0, nullptr, nullptr),
              "uploading a weight"));
  }
  return made;
}

sy_weight_properties sy_weight::Describe() const {
  sy_weight_properties properties{};
  properties.struct_size = sizeof properties;
  properties.memory_bytes = memory.bytes();
  properties.read_bytes = shape.is_vector() ? memory.bytes() : simt::LayoutOf(shape).matrix_bytes;
  const std::string text =
      shape.is_vector()
          ? "f32"
          : fmt::format(
                "{}, panels of {} rows, words interleaved",
                switchyard::tensor::Name(static_cast<switchyard::tensor::DType>(shape.dtype)),
                simt::kPanelRows);
  std::snprintf(properties.layout, sizeof properties.layout, "%s", text.c_str());
  return properties;
}
