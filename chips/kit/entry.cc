// The plugin's one exported symbol and the functions of its table: from handles to the chip's
// objects and back.
#include <cstring>

#include "kit/call_guard.h"
#include "kit/objects.h"
#include "kit/program_check.h"
#include "kit/struct_array.h"

namespace switchyard::chips {
namespace {

// Set once by the entry, before anything else is called.
sy_host& HostTable() {
  static sy_host host;
  return host;
}

void NoNull(const void* pointer, const char* name) {
  if (pointer == nullptr) throw Failure(SY_INVALID_ARGUMENT, "%s is null", name);
}

sy_device* DeviceOf(sy_device* device) { return device; }
template <typename Object>
sy_device* DeviceOf(Object* object) {
  return object->device;
}

// For work on a device, or on what was made from one.
template <typename Object, typename Body>
sy_status On(Object* object, Body body) {
  if (object == nullptr) return Report(SY_INVALID_ARGUMENT, "a handle is null");
  return GuardOn(DeviceOf(object), body);
}

// Makes an object from a device and hands it over.
template <typename Object, typename Make>
sy_status Create(sy_device* device, Object** to, Make make) {
  return On(device, [&] {
    NoNull(to, "the place for the result");
    *to = make().release();
  });
}

Address AddressIn(const sy_queue* queue, const sy_buffer* buffer, std::uint64_t offset,
                  std::uint64_t bytes) {
  if (buffer == nullptr || buffer->device != queue->device) {
    throw Failure(SY_INVALID_ARGUMENT, "the buffer is not one of the queue's device");
  }
  const std::uint64_t size = buffer->memory.bytes();
  if (offset > size || bytes > size - offset) {
    throw Failure(SY_INVALID_ARGUMENT, "%llu bytes from byte %llu lie outside a buffer of %llu",
                  static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(offset),
                  static_cast<unsigned long long>(size));
  }
  return buffer->memory.address() + offset;
}

// ---- Devices ------------------------------------------------------------------------------------

sy_device_properties PropertiesAt(std::uint32_t index) {
  const std::uint32_t count = kChip.device_count();
  if (index >= count) {
    throw Failure(SY_INVALID_ARGUMENT, "%s has no device %u; it has %u", kChip.name, index, count);
  }
  sy_device_properties properties{};
  kChip.describe(index, properties);
  return properties;
}

sy_status DeviceCount(std::uint32_t* count) {
  return Guard([&] {
    NoNull(count, "count");
    *count = kChip.device_count();
  });
}

sy_status DeviceProperties(std::uint32_t index, sy_device_properties* properties) {
  return Guard([&] {
    NoNull(properties, "properties");
    WriteStruct(PropertiesAt(index), properties);
  });
}

sy_status DeviceOpen(std::uint32_t index, const sy_option* given, std::uint32_t option_count,
                     sy_device** device) {
  return Guard([&] {
    NoNull(device, "the place for the device");
    if (option_count > 0) NoNull(given, "options");
    auto opened = std::make_unique<sy_device>();
    opened->properties = PropertiesAt(index);
    Options options(ReadStructs(given, option_count));
    opened->device = kChip.open(index, options);
    options.RefuseOthers(kChip.name);
    opened->device->Describe(opened->properties);
    *device = opened.release();
  });
}

void DeviceClose(sy_device* device) { delete device; }

sy_status OpenedProperties(sy_device* device, sy_device_properties* properties) {
  return On(device, [&] {
    NoNull(properties, "properties");
    WriteStruct(device->properties, properties);
  });
}

sy_status MemoryAvailable(sy_device* device, std::uint64_t* bytes) {
  return On(device, [&] {
    NoNull(bytes, "bytes");
    *bytes = device->device->AvailableBytes();
  });
}

sy_status MeasureCeiling(sy_device* device, sy_ceiling ceiling, sy_dtype dtype, double* value) {
  return On(device, [&] {
    NoNull(value, "value");
    *value = device->device->MeasureCeiling(ceiling, dtype);
  });
}

// ---- Memory -------------------------------------------------------------------------------------

sy_status BufferCreate(sy_device* device, std::uint64_t bytes, sy_buffer** buffer) {
  return Create(device, buffer, [&] {
    return std::unique_ptr<sy_buffer>(new sy_buffer{device, {*device, bytes}});
  });
}

void BufferDestroy(sy_buffer* buffer) { delete buffer; }

sy_status BufferMap(sy_buffer* buffer, void** address) {
  return On(buffer, [&] {
    NoNull(address, "address");
    *address = buffer->device->device->HostAddress(buffer->memory.address());
  });
}

// ---- Queues and copies --------------------------------------------------------------------------

sy_status QueueCreate(sy_device* device, sy_queue** queue) {
  return Create(device, queue, [&] {
    return std::unique_ptr<sy_queue>(new sy_queue{device, device->device->CreateQueue()});
  });
}

void QueueDestroy(sy_queue* queue) { delete queue; }

sy_status QueueSync(sy_queue* queue) {
  return On(queue, [&] { queue->queue->Sync(); });
}

sy_status Upload(sy_queue* queue, sy_buffer* to, std::uint64_t to_offset, const void* from,
                 std::uint64_t bytes) {
  return On(queue, [&] {
    const Address address = AddressIn(queue, to, to_offset, bytes);
    if (bytes == 0) return;
    NoNull(from, "from");
    queue->queue->Upload(address, from, bytes);
  });
}

sy_status Download(sy_queue* queue, void* to, sy_buffer* from, std::uint64_t from_offset,
                   std::uint64_t bytes) {
  return On(queue, [&] {
    const Address address = AddressIn(queue, from, from_offset, bytes);
    if (bytes == 0) return;
    NoNull(to, "to");
    queue->queue->Download(to, address, bytes);
  });
}

sy_status Copy(sy_queue* queue, sy_buffer* to, std::uint64_t to_offset, sy_buffer* from,
               std::uint64_t from_offset, std::uint64_t bytes) {
  return On(queue, [&] {
    const Address target = AddressIn(queue, to, to_offset, bytes);
    const Address source = AddressIn(queue, from, from_offset, bytes);
    if (bytes == 0) return;
    if (target < source + bytes && source < target + bytes) {
      throw Failure(SY_INVALID_ARGUMENT, "the copy's source and target overlap");
    }
    queue->queue->Copy(target, source, bytes);
  });
}

sy_status Fill(sy_queue* queue, sy_buffer* to, std::uint64_t to_offset, std::uint8_t value,
               std::uint64_t bytes) {
  return On(queue, [&] {
    const Address address = AddressIn(queue, to, to_offset, bytes);
    if (bytes > 0) queue->queue->Fill(address, value, bytes);
  });
}

// ---- Events -------------------------------------------------------------------------------------

sy_status EventCreate(sy_device* device, sy_event** event) {
  return Create(device, event, [&] {
    return std::unique_ptr<sy_event>(new sy_event{device, device->device->CreateEvent()});
  });
}

void EventDestroy(sy_event* event) { delete event; }

Event& EventFor(const sy_queue* queue, const sy_event* event) {
  if (event != nullptr && event->device == queue->device) return *event->event;
  throw Failure(SY_INVALID_ARGUMENT, "the event is not one of the queue's device");
}

sy_status EventRecord(sy_queue* queue, sy_event* event) {
  return On(queue, [&] { queue->queue->Record(EventFor(queue, event)); });
}

sy_status EventWait(sy_queue* queue, sy_event* event) {
  return On(queue, [&] { queue->queue->Wait(EventFor(queue, event)); });
}

sy_status EventSync(sy_event* event) {
  return On(event, [&] { event->event->Sync(); });
}

// ---- Weights ------------------------------------------------------------------------------------

sy_status WeightCreate(sy_device* device, const sy_weight_desc* desc, sy_weight** weight) {
  return Create(device, weight, [&] {
    NoNull(desc, "the weight's description");
    return std::make_unique<sy_weight>(device, ReadStruct(desc));
  });
}

void WeightDestroy(sy_weight* weight) { delete weight; }

sy_status WeightProperties(sy_weight* weight, sy_weight_properties* properties) {
  return On(weight, [&] {
    NoNull(properties, "properties");
    sy_weight_properties known{};
    known.memory_bytes = weight->memory->bytes();
    // One matrix of those that are stacked for experts or heads.
    const bool is_stack = weight->desc.rank >= 3;
    known.read_bytes = is_stack
                           ? known.memory_bytes / static_cast<std::uint64_t>(weight->desc.dims[0])
                           : known.memory_bytes;
    SetText(known.layout, weight->layout);
    WriteStruct(known, properties);
  });
}

// ---- Programs -----------------------------------------------------------------------------------

std::int32_t OpSupported(sy_device* device, const sy_program_desc* desc, std::uint32_t op) {
  const sy_status status = On(device, [&] {
    NoNull(desc, "the program's description");
    ReadDesc read(desc);
    if (op >= read.ops.size()) {
      throw Failure(SY_INVALID_ARGUMENT, "there is no op %u; there are %zu", op, read.ops.size());
    }
    CheckProgram(read.tensors, {read.ops[op]}, read.desc.slot_count);
    const std::string reason = device->device->WhyNot(FindOperation(read.tensors, read.ops[op]));
    if (!reason.empty()) throw Failure(SY_UNIMPLEMENTED, "%s", reason.c_str());
  });
  return status == SY_OK ? 1 : 0;
}

sy_status ProgramCreate(sy_device* device, const sy_program_desc* desc, sy_program** program) {
  return Create(device, program, [&] {
    NoNull(desc, "the program's description");
    return std::make_unique<sy_program>(device, ReadDesc(desc).desc);
  });
}

void ProgramDestroy(sy_program* program) { delete program; }

sy_status ProgramProperties(sy_program* program, sy_program_properties* properties) {
  return On(program, [&] {
    NoNull(properties, "properties");
    sy_program_properties known{};
    known.workspace_bytes = program->workspace_bytes;
    WriteStruct(known, properties);
  });
}

sy_status ProgramRun(sy_program* program, const sy_binding* bindings, std::uint32_t binding_count,
                     sy_buffer* workspace, std::uint64_t workspace_offset, sy_queue* queue) {
  return On(program, [&] {
    if (queue == nullptr || queue->device != program->device) {
      throw Failure(SY_INVALID_ARGUMENT, "the queue is not one of the program's device");
    }
    if (binding_count > 0) NoNull(bindings, "bindings");
    program->Run(ReadStructs(bindings, binding_count), workspace, workspace_offset, *queue->queue);
  });
}

const char* LastErrorText() { return LastError().c_str(); }

sy_chip_api MakeTable() {
  sy_chip_api table{};
  table.struct_size = sizeof table;
  table.interface_version = SY_INTERFACE_VERSION;
  table.oldest_host_version = 1;
  table.name = kChip.name;
  table.device_count = DeviceCount;
  table.device_properties = DeviceProperties;
  table.device_open = DeviceOpen;
  table.device_close = DeviceClose;
  table.memory_available = MemoryAvailable;
  table.buffer_create = BufferCreate;
  table.buffer_destroy = BufferDestroy;
  table.buffer_map = BufferMap;
  table.queue_create = QueueCreate;
  table.queue_destroy = QueueDestroy;
  table.queue_sync = QueueSync;
  table.upload = Upload;
  table.download = Download;
  table.copy = Copy;
  table.fill = Fill;
  table.event_create = EventCreate;
  table.event_destroy = EventDestroy;
  table.event_record = EventRecord;
  table.event_wait = EventWait;
  table.event_sync = EventSync;
  table.weight_create = WeightCreate;
  table.weight_destroy = WeightDestroy;
  table.weight_properties = WeightProperties;
  table.op_supported = OpSupported;
  table.program_create = ProgramCreate;
  table.program_destroy = ProgramDestroy;
  table.program_properties = ProgramProperties;
  table.program_run = ProgramRun;
  table.last_error = LastErrorText;
  table.measure_ceiling = MeasureCeiling;
  table.opened_properties = OpenedProperties;
  return table;
}

}  // namespace

const sy_host& Host() { return HostTable(); }

}  // namespace switchyard::chips

extern "C" SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host* host) {
  using namespace switchyard::chips;
  HostTable() = ReadStruct(host);
  static const sy_chip_api table = MakeTable();
  return &table;
}
