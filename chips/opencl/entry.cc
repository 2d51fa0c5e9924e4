// The plugin's one exported symbol and the functions of its table: handles to objects and back, and
// no exception across the border.
#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "kit/call_guard.h"
#include "kit/struct_array.h"
#include "objects.h"
#include "program.h"

namespace switchyard::opencl {
namespace {

using base::ErrorCode;
using base::Fail;
using chips::Guard;
using chips::ReadDesc;
using chips::ReadStruct;
using chips::ReadStructs;
using chips::Report;
using chips::WriteStruct;

// Set once by the entry, before anything else is called.
std::filesystem::path& CacheFolder() {
  static std::filesystem::path folder;
  return folder;
}

// For work on a device, or on what was made from one.
template <typename Object, typename Body>
sy_status GuardOn(Object* object, Body body) {
  if (object == nullptr) return Report(SY_INVALID_ARGUMENT, "a handle is null");
  sy_device* device = nullptr;
  if constexpr (std::is_same_v<Object, sy_device>) {
    device = object;
  } else {
    device = object->device;
  }
  return chips::GuardOn(device, body);
}

base::Status NoNull(const void* pointer, std::string_view name) {
  if (pointer != nullptr) return {};
  return Fail(ErrorCode::kInvalidArgument, "{} is null", name);
}

base::Status CheckRange(const sy_queue* queue, const sy_buffer* buffer, std::uint64_t offset,
                        std::uint64_t bytes) {
  if (buffer == nullptr || buffer->device != queue->device) {
    return Fail(ErrorCode::kInvalidArgument, "the buffer is not one of the queue's device");
  }
  const std::uint64_t size = buffer->memory.bytes();
  if (offset > size || bytes > size - offset) {
    return Fail(ErrorCode::kInvalidArgument, "{} bytes from byte {} lie outside a buffer of {}",
                bytes, offset, size);
  }
  return {};
}

base::Status Start(const sy_queue* queue) {
  return Check(clFlush(queue->queue.get()), "starting the work");
}

// ---- Devices ------------------------------------------------------------------------------------

sy_status DeviceCount(std::uint32_t* count) {
  return Guard([&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(count, "count"));
    *count = static_cast<std::uint32_t>(Devices().size());
    return {};
  });
}

sy_status DeviceProperties(std::uint32_t index, sy_device_properties* properties) {
  return Guard([&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(properties, "properties"));
    SWITCHYARD_TRY(const FoundDevice* const found, DeviceAt(index));
    WriteStruct(Describe(*found, DefaultOptions(*found)), properties);
    return {};
  });
}

sy_status OpenedProperties(sy_device* device, sy_device_properties* properties) {
  return GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(properties, "properties"));
    WriteStruct(Describe(*device->found, device->options), properties);
    return {};
  });
}

// The folder of this plugin, where its compiler lies too.
std::filesystem::path PluginFolder() {
  Dl_info where{};
  if (::dladdr(reinterpret_cast<const void*>(&PluginFolder), &where) == 0) return {};
  return std::filesystem::absolute(where.dli_fname).parent_path();
}

sy_status DeviceOpen(std::uint32_t index, const sy_option* options, std::uint32_t option_count,
                     sy_device** device) {
  return Guard([&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(device, "the place for the device"));
    if (option_count > 0) SWITCHYARD_RETURN_IF_ERROR(NoNull(options, "options"));
    const BuildSettings settings{.compiler = PluginFolder() / "switchyard_opencl_compiler",
                                 .cache_folder = CacheFolder()};
    SWITCHYARD_TRY(auto opened,
                   sy_device::Open(index, ReadStructs(options, option_count), settings));
    *device = opened.release();
    return {};
  });
}

void DeviceClose(sy_device* device) { delete device; }

sy_status MemoryAvailable(sy_device* device, std::uint64_t* bytes) {
  return GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(bytes, "bytes"));
    *bytes = device->AvailableBytes();
    return {};
  });
}

// ---- Memory -------------------------------------------------------------------------------------

sy_status BufferCreate(sy_device* device, std::uint64_t bytes, sy_buffer** buffer) {
  return GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(buffer, "the place for the buffer"));
    auto made = std::make_unique<sy_buffer>();
    made->device = device;
    SWITCHYARD_TRY(made->memory, DeviceMemory::Create(device, bytes));
    *buffer = made.release();
    return {};
  });
}

void BufferDestroy(sy_buffer* buffer) { delete buffer; }

sy_status BufferMap(sy_buffer* buffer, void** address) {
  return GuardOn(buffer, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(address, "address"));
    if (buffer->memory.host_address() == nullptr) {
      return Fail(ErrorCode::kUnimplemented, "this device's memory cannot be mapped");
    }
    *address = buffer->memory.host_address();
    return {};
  });
}

// ---- Queues and copies --------------------------------------------------------------------------

sy_status QueueCreate(sy_device* device, sy_queue** queue) {
  return GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(queue, "the place for the queue"));
    auto made = std::make_unique<sy_queue>();
    made->device = device;
    SWITCHYARD_TRY(made->queue, device->CreateQueue());
    *queue = made.release();
    return {};
  });
}

void QueueDestroy(sy_queue* queue) {
  if (queue != nullptr) clFinish(queue->queue.get());
  delete queue;
}

sy_status QueueSync(sy_queue* queue) {
  return GuardOn(queue,
                 [&] { return CheckWork(clFinish(queue->queue.get()), "the work of a queue"); });
}

sy_status Upload(sy_queue* queue, sy_buffer* to, std::uint64_t to_offset, const void* from,
                 std::uint64_t bytes) {
  return GuardOn(queue, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckRange(queue, to, to_offset, bytes));
    if (bytes == 0) return {};
    SWITCHYARD_RETURN_IF_ERROR(NoNull(from, "from"));
    SWITCHYARD_RETURN_IF_ERROR(
        Check(clEnqueueWriteBuffer(queue->queue.get(), to->memory.get(), CL_FALSE, to_offset, bytes,
                                   from, 0, nullptr, nullptr),
              "an upload"));
    return Start(queue);
  });
}

sy_status Download(sy_queue* queue, void* to, sy_buffer* from, std::uint64_t from_offset,
                   std::uint64_t bytes) {
  return GuardOn(queue, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckRange(queue, from, from_offset, bytes));
    if (bytes == 0) return {};
    SWITCHYARD_RETURN_IF_ERROR(NoNull(to, "to"));
    SWITCHYARD_RETURN_IF_ERROR(
        Check(clEnqueueReadBuffer(queue->queue.get(), from->memory.get(), CL_FALSE, from_offset,
                                  bytes, to, 0, nullptr, nullptr),
              "a download"));
    return Start(queue);
  });
}

sy_status Copy(sy_queue* queue, sy_buffer* to, std::uint64_t to_offset, sy_buffer* from,
               std::uint64_t from_offset, std::uint64_t bytes) {
  return GuardOn(queue, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckRange(queue, to, to_offset, bytes));
    SWITCHYARD_RETURN_IF_ERROR(CheckRange(queue, from, from_offset, bytes));
    if (bytes == 0) return {};
    if (to == from && to_offset < from_offset + bytes && from_offset < to_offset + bytes) {
      return Fail(ErrorCode::kInvalidArgument, "{} bytes from {} and to {} of one buffer overlap",
                  bytes, from_offset, to_offset);
    }
    SWITCHYARD_RETURN_IF_ERROR(
        Check(clEnqueueCopyBuffer(queue->queue.get(), from->memory.get(), to->memory.get(),
                                  from_offset, to_offset, bytes, 0, nullptr, nullptr),
              "a copy"));
    return Start(queue);
  });
}

sy_status FillBytes(sy_queue* queue, sy_buffer* to, std::uint64_t to_offset, std::uint8_t value,
                    std::uint64_t bytes) {
  return GuardOn(queue, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckRange(queue, to, to_offset, bytes));
    if (bytes == 0) return {};
    SWITCHYARD_RETURN_IF_ERROR(
        Check(clEnqueueFillBuffer(queue->queue.get(), to->memory.get(), &value, 1, to_offset, bytes,
                                  0, nullptr, nullptr),
              "a fill"));
    return Start(queue);
  });
}

// ---- Events -------------------------------------------------------------------------------------

sy_status EventCreate(sy_device* device, sy_event** event) {
  return GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(event, "the place for the event"));
    auto made = std::make_unique<sy_event>();
    made->device = device;
    *event = made.release();
    return {};
  });
}

void EventDestroy(sy_event* event) { delete event; }

base::Status CheckEvent(const sy_queue* queue, const sy_event* event) {
  if (event != nullptr && event->device == queue->device) return {};
  return Fail(ErrorCode::kInvalidArgument, "the event is not one of the queue's device");
}

sy_status EventRecord(sy_queue* queue, sy_event* event) {
  return GuardOn(queue, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckEvent(queue, event));
    cl_event marker = nullptr;
    SWITCHYARD_RETURN_IF_ERROR(
        Check(clEnqueueMarkerWithWaitList(queue->queue.get(), 0, nullptr, &marker),
              "recording an event"));
    {
      HeldEvent held(marker);
      const std::lock_guard lock(event->mutex);
      event->event = std::move(held);
    }
    return Start(queue);
  });
}

sy_status EventWait(sy_queue* queue, sy_event* event) {
  return GuardOn(queue, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckEvent(queue, event));
    const HeldEvent shared = event->Share();
    const cl_event marker = shared.get();
    if (marker == nullptr) return {};
    return Check(clEnqueueBarrierWithWaitList(queue->queue.get(), 1, &marker, nullptr),
                 "waiting for an event");
  });
}

sy_status EventSync(sy_event* event) {
  return GuardOn(event, [&]() -> base::Status {
    const HeldEvent shared = event->Share();
    const cl_event marker = shared.get();
    if (marker == nullptr) return {};
    return CheckWork(clWaitForEvents(1, &marker), "the work before an event");
  });
}

// ---- Weights ------------------------------------------------------------------------------------

sy_status WeightCreate(sy_device* device, const sy_weight_desc* desc, sy_weight** weight) {
  return GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(desc, "the weight's description"));
    SWITCHYARD_RETURN_IF_ERROR(NoNull(weight, "the place for the weight"));
    SWITCHYARD_TRY(auto made, sy_weight::Create(device, ReadStruct(desc)));
    *weight = made.release();
    return {};
  });
}

void WeightDestroy(sy_weight* weight) { delete weight; }

sy_status WeightProperties(sy_weight* weight, sy_weight_properties* properties) {
  return GuardOn(weight, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(properties, "properties"));
    WriteStruct(weight->Describe(), properties);
    return {};
  });
}

// ---- Programs -----------------------------------------------------------------------------------

std::int32_t OpSupported(sy_device* device, const sy_program_desc* desc, std::uint32_t op) {
  const sy_status status = GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(desc, "the program's description"));
    return simt::CheckSupport(ReadDesc(desc).desc, op);
  });
  return status == SY_OK ? 1 : 0;
}

sy_status ProgramCreate(sy_device* device, const sy_program_desc* desc, sy_program** program) {
  return GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(desc, "the program's description"));
    SWITCHYARD_RETURN_IF_ERROR(NoNull(program, "the place for the program"));
    SWITCHYARD_TRY(auto made, sy_program::Create(device, ReadDesc(desc).desc));
    *program = made.release();
    return {};
  });
}

void ProgramDestroy(sy_program* program) { delete program; }

sy_status ProgramProperties(sy_program* program, sy_program_properties* properties) {
  return GuardOn(program, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(properties, "properties"));
    sy_program_properties known{};
    known.workspace_bytes = program->plan.workspace_bytes;
    WriteStruct(known, properties);
    return {};
  });
}

sy_status ProgramRun(sy_program* program, const sy_binding* bindings, std::uint32_t binding_count,
                     sy_buffer* workspace, std::uint64_t workspace_offset, sy_queue* queue) {
  return GuardOn(program, [&]() -> base::Status {
    if (queue == nullptr || queue->device != program->device) {
      return Fail(ErrorCode::kInvalidArgument, "the queue is not one of the program's device");
    }
    if (binding_count > 0) SWITCHYARD_RETURN_IF_ERROR(NoNull(bindings, "bindings"));
    const std::vector<sy_binding> read = ReadStructs(bindings, binding_count);
    return program->Run(read.data(), binding_count, workspace, workspace_offset, queue);
  });
}

sy_status Ceiling(sy_device* device, sy_ceiling ceiling, sy_dtype dtype, double* value) {
  return GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(NoNull(value, "value"));
    SWITCHYARD_TRY(*value, MeasureCeiling(device, ceiling, dtype));
    return {};
  });
}

const char* LastErrorText() { return chips::LastError().c_str(); }

constexpr sy_chip_api kTable = {
    .struct_size = sizeof(sy_chip_api),
    .interface_version = SY_INTERFACE_VERSION,
    .oldest_host_version = 1,
    .name = "opencl",
    .device_count = DeviceCount,
    .device_properties = DeviceProperties,
    .device_open = DeviceOpen,
    .device_close = DeviceClose,
    .memory_available = MemoryAvailable,
    .buffer_create = BufferCreate,
    .buffer_destroy = BufferDestroy,
    .buffer_map = BufferMap,
    .queue_create = QueueCreate,
    .queue_destroy = QueueDestroy,
    .queue_sync = QueueSync,
    .upload = Upload,
    .download = Download,
    .copy = Copy,
    .fill = FillBytes,
    .event_create = EventCreate,
    .event_destroy = EventDestroy,
    .event_record = EventRecord,
    .event_wait = EventWait,
    .event_sync = EventSync,
    .weight_create = WeightCreate,
    .weight_destroy = WeightDestroy,
    .weight_properties = WeightProperties,
    .op_supported = OpSupported,
    .program_create = ProgramCreate,
    .program_destroy = ProgramDestroy,
    .program_properties = ProgramProperties,
    .program_run = ProgramRun,
    .last_error = LastErrorText,
    .measure_ceiling = Ceiling,
    .kv_export = nullptr,  // pages are inside as their dims say
    .kv_import = nullptr,
    .opened_properties = OpenedProperties,
    .capture_begin = nullptr,
    .capture_end = nullptr,
    .capture_replay = nullptr,
    .capture_destroy = nullptr,
};

}  // namespace
}  // namespace switchyard::opencl

extern "C" SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host* host) {
  if (host != nullptr && host->cache_dir != nullptr) {
    switchyard::opencl::CacheFolder() = host->cache_dir;
  }
  return &switchyard::opencl::kTable;
}
