// The plugin's one exported symbol and the functions of its table: handles to objects and back, and
// no exception across the border.
#include <cstdio>
#include <cstring>
#include <vector>

#include "device.h"
#include "kit/call_guard.h"
#include "kit/struct_array.h"
#include "kv_pages.h"
#include "program.h"
#include "status.h"
#include "switchyard/chip.h"
#include "variants.h"

namespace switchyard::cpu {
namespace {

using chips::Guard;
using chips::WriteStruct;

Status NoNull(const void* pointer, const char* name) {
  if (pointer != nullptr) return {};
  return Fail(SY_INVALID_ARGUMENT, "%s is null", name);
}

// Makes an object by a function that returns Result<unique_ptr<T>> and hands it over.
template <class T, class Make>
sy_status Create(T** to, Make make) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(to, "the place for the result"));
    auto made = make();
    if (!made) return std::unexpected(std::move(made.error()));
    *to = made->release();
    return {};
  });
}

Status CheckRange(const sy_buffer* buffer, std::uint64_t offset, std::uint64_t bytes) {
  SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(buffer, "the buffer"));
  if (offset > buffer->memory.size() || bytes > buffer->memory.size() - offset) {
    return Fail(SY_INVALID_ARGUMENT, "bytes %llu to %llu are outside of a buffer of %llu",
                static_cast<unsigned long long>(offset),
                static_cast<unsigned long long>(offset + bytes),
                static_cast<unsigned long long>(buffer->memory.size()));
  }
  return {};
}

// ---- Devices ------------------------------------------------------------------------------------

sy_status DeviceCount(std::uint32_t* count) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(count, "count"));
    *count = 1;
    return {};
  });
}

sy_device_properties PropertiesWith(const Variant& variant, int threads) {
  sy_device_properties found = {};
  std::snprintf(found.name, sizeof(found.name), "%s", ThisMachine().name.c_str());
  std::snprintf(found.maker, sizeof(found.maker), "%s", ThisMachine().maker.c_str());
  std::snprintf(found.architecture, sizeof(found.architecture), "%s", variant.name);
  found.memory_bytes = PhysicalMemoryBytes();
  found.alignment_bytes = kAlignment;
  found.kv_page_multiple = kKeyBlock;
  found.flags = SY_DEVICE_HOST_MEMORY | SY_DEVICE_BATCH_INVARIANT;
  found.proof = variant.proof;
  found.unit_count = static_cast<std::uint32_t>(threads);
  return found;
}

sy_status DeviceProperties(std::uint32_t index, sy_device_properties* properties) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(properties, "properties"));
    if (index != 0) return Fail(SY_NOT_FOUND, "the cpu chip has one device, not %u", index);
    WriteStruct(PropertiesWith(BestVariant(), ThisMachine().usable_cores), properties);
    return {};
  });
}

sy_status OpenedProperties(sy_device* device, sy_device_properties* properties) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(device, "the device"));
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(properties, "properties"));
    WriteStruct(PropertiesWith(*device->variant, device->team->threads()), properties);
    return {};
  });
}

sy_status DeviceOpen(std::uint32_t index, const sy_option* options, std::uint32_t option_count,
                     sy_device** device) {
  return Create(device, [&]() -> Result<std::unique_ptr<sy_device>> {
    if (index != 0) return Fail(SY_NOT_FOUND, "the cpu chip has one device, not %u", index);
    if (options == nullptr && option_count > 0) {
      return Fail(SY_INVALID_ARGUMENT, "%u options but a null list", option_count);
    }
    std::vector<sy_option> given;
    const auto* bytes = reinterpret_cast<const char*>(options);
    for (std::uint32_t i = 0; i < option_count; ++i, bytes += options->struct_size) {
      if (options->struct_size < sizeof(sy_option)) {
        return Fail(SY_INVALID_ARGUMENT, "an option of %u bytes is older than version 1",
                    options->struct_size);
      }
      given.push_back(*reinterpret_cast<const sy_option*>(bytes));
    }
    return OpenDevice(given);
  });
}

void DeviceClose(sy_device* device) { delete device; }

sy_status MemoryAvailable(sy_device*, std::uint64_t* bytes) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(bytes, "bytes"));
    *bytes = AvailableMemoryBytes();
    return {};
  });
}

// ---- Memory -------------------------------------------------------------------------------------

sy_status BufferCreate(sy_device* device, std::uint64_t bytes, sy_buffer** buffer) {
  return Create(buffer, [&]() -> Result<std::unique_ptr<sy_buffer>> {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(device, "the device"));
    auto memory = Memory::Allocate(bytes);
    if (!memory) return std::unexpected(std::move(memory.error()));
    auto made = std::make_unique<sy_buffer>();
    made->memory = std::move(*memory);
    return made;
  });
}

void BufferDestroy(sy_buffer* buffer) { delete buffer; }

sy_status BufferMap(sy_buffer* buffer, void** address) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(buffer, "the buffer"));
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(address, "address"));
    *address = buffer->memory.data();
    return {};
  });
}

// ---- Queues, copies, events ---------------------------------------------------------------------

sy_status QueueCreate(sy_device* device, sy_queue** queue) {
  return Create(queue, [&]() -> Result<std::unique_ptr<sy_queue>> {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(device, "the device"));
    auto made = std::make_unique<sy_queue>();
    made->device = device;
    return made;
  });
}

void QueueDestroy(sy_queue* queue) { delete queue; }

sy_status QueueSync(sy_queue* queue) {
  return Guard([&] { return NoNull(queue, "the queue"); });
}

sy_status Upload(sy_queue*, sy_buffer* to, std::uint64_t to_offset, const void* from,
                 std::uint64_t bytes) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(CheckRange(to, to_offset, bytes));
    if (bytes == 0) return {};
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(from, "from"));
    std::memcpy(to->memory.data() + to_offset, from, bytes);
    return {};
  });
}

sy_status Download(sy_queue*, void* to, sy_buffer* from, std::uint64_t from_offset,
                   std::uint64_t bytes) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(CheckRange(from, from_offset, bytes));
    if (bytes == 0) return {};
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(to, "to"));
    std::memcpy(to, from->memory.data() + from_offset, bytes);
    return {};
  });
}

sy_status Copy(sy_queue*, sy_buffer* to, std::uint64_t to_offset, sy_buffer* from,
               std::uint64_t from_offset, std::uint64_t bytes) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(CheckRange(to, to_offset, bytes));
    SWITCHYARD_CPU_RETURN_IF_ERROR(CheckRange(from, from_offset, bytes));
    std::memmove(to->memory.data() + to_offset, from->memory.data() + from_offset, bytes);
    return {};
  });
}

sy_status FillBytes(sy_queue*, sy_buffer* to, std::uint64_t to_offset, std::uint8_t value,
                    std::uint64_t bytes) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(CheckRange(to, to_offset, bytes));
    std::memset(to->memory.data() + to_offset, value, bytes);
    return {};
  });
}

sy_status EventCreate(sy_device* device, sy_event** event) {
  return Create(event, [&]() -> Result<std::unique_ptr<sy_event>> {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(device, "the device"));
    auto made = std::make_unique<sy_event>();
    made->device = device;
    return made;
  });
}

void EventDestroy(sy_event* event) { delete event; }

// Work is done when the call that gave it returns, so an event has always happened.
sy_status EventRecord(sy_queue*, sy_event* event) {
  return Guard([&] { return NoNull(event, "the event"); });
}
sy_status EventWait(sy_queue*, sy_event* event) {
  return Guard([&] { return NoNull(event, "the event"); });
}
sy_status EventSync(sy_event* event) {
  return Guard([&] { return NoNull(event, "the event"); });
}

// ---- Weights ------------------------------------------------------------------------------------

sy_status WeightCreate(sy_device* device, const sy_weight_desc* desc, sy_weight** weight) {
  return Create(weight, [&]() -> Result<std::unique_ptr<sy_weight>> {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(device, "the device"));
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(desc, "the weight's description"));
    if (desc->struct_size < sizeof(sy_weight_desc)) {
      return Fail(SY_INVALID_ARGUMENT, "a weight's description of %u bytes is older than version 1",
                  desc->struct_size);
    }
    return CreateWeight(device, *desc);
  });
}

void WeightDestroy(sy_weight* weight) { delete weight; }

sy_status WeightProperties(sy_weight* weight, sy_weight_properties* properties) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(weight, "the weight"));
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(properties, "properties"));
    sy_weight_properties found = {};
    DescribeWeight(*weight, &found);
    WriteStruct(found, properties);
    return {};
  });
}

// ---- Programs -----------------------------------------------------------------------------------

Status CheckDescription(const sy_program_desc* desc) {
  SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(desc, "the program's description"));
  if (desc->struct_size < sizeof(sy_program_desc)) {
    return Fail(SY_INVALID_ARGUMENT, "a program's description of %u bytes is older than version 1",
                desc->struct_size);
  }
  if (desc->op_count > 0 && desc->ops == nullptr) {
    return Fail(SY_INVALID_ARGUMENT, "%u operations but a null list", desc->op_count);
  }
  return {};
}

std::int32_t OpSupported(sy_device*, const sy_program_desc* desc, std::uint32_t op) {
  const sy_status status = Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(CheckDescription(desc));
    return IsSupported(*desc, op);
  });
  return status == SY_OK ? 1 : 0;
}

sy_status ProgramCreate(sy_device* device, const sy_program_desc* desc, sy_program** program) {
  return Create(program, [&]() -> Result<std::unique_ptr<sy_program>> {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(device, "the device"));
    SWITCHYARD_CPU_RETURN_IF_ERROR(CheckDescription(desc));
    auto plan = MakePlan(device, *desc);
    if (!plan) return std::unexpected(std::move(plan.error()));
    auto made = std::make_unique<sy_program>();
    made->device = device;
    made->plan = std::move(*plan);
    return made;
  });
}

void ProgramDestroy(sy_program* program) { delete program; }

sy_status ProgramProperties(sy_program* program, sy_program_properties* properties) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(program, "the program"));
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(properties, "properties"));
    sy_program_properties found = {};
    found.workspace_bytes = static_cast<std::uint64_t>(program->plan.workspace_bytes);
    WriteStruct(found, properties);
    return {};
  });
}

sy_status ProgramRun(sy_program* program, const sy_binding* bindings, std::uint32_t binding_count,
                     sy_buffer* workspace, std::uint64_t workspace_offset, sy_queue*) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(program, "the program"));
    return RunProgram(*program, bindings, binding_count, workspace, workspace_offset);
  });
}

sy_status Ceiling(sy_device* device, sy_ceiling ceiling, sy_dtype dtype, double* value) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(device, "the device"));
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(value, "value"));
    const auto measured = MeasureCeiling(device, ceiling, dtype);
    if (!measured) return std::unexpected(measured.error());
    *value = *measured;
    return {};
  });
}

// ---- The table ----------------------------------------------------------------------------------

sy_status KvExport(sy_queue* queue, sy_kv_part part, const sy_tensor* pages,
                   const sy_binding* binding, std::uint32_t page, void* to) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(queue, "the queue"));
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(to, "to"));
    return ExportPage(part, pages, binding, page, static_cast<char*>(to));
  });
}

sy_status KvImport(sy_queue* queue, sy_kv_part part, const sy_tensor* pages,
                   const sy_binding* binding, std::uint32_t page, const void* from) {
  return Guard([&]() -> Status {
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(queue, "the queue"));
    SWITCHYARD_CPU_RETURN_IF_ERROR(NoNull(from, "from"));
    return ImportPage(part, pages, binding, page, static_cast<const char*>(from));
  });
}

constexpr sy_chip_api kTable = {
    .struct_size = sizeof(sy_chip_api),
    .interface_version = SY_INTERFACE_VERSION,
    .oldest_host_version = 1,
    .name = "cpu",
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
    .last_error = [] { return chips::LastError().c_str(); },
    .measure_ceiling = Ceiling,
    .kv_export = KvExport,
    .kv_import = KvImport,
    .opened_properties = OpenedProperties,
    .capture_begin = nullptr,
    .capture_end = nullptr,
    .capture_replay = nullptr,
    .capture_destroy = nullptr,
};

}  // namespace
}  // namespace switchyard::cpu

extern "C" SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host*) {
  return &switchyard::cpu::kTable;
}
